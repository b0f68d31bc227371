//! The spelling of an `Authorization` header.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `Bearer` and `Token`: two words for one thing.
    Token,
    Basic,
    /// Whatever else; no candidate has it.
    None,
}

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The scheme and the credentials: the token, or `username:password` decoded.
pub(super) fn parse(header: &[u8]) -> (Scheme, Cow<'_, [u8]>) {
    let header = header.trim_ascii();
    let end = header.iter().position(u8::is_ascii_whitespace).unwrap_or(header.len());
    let (word, rest) = header.split_at(end);
    let rest = rest.trim_ascii();
    if word.eq_ignore_ascii_case(b"bearer") || word.eq_ignore_ascii_case(b"token") {
        return (Scheme::Token, Cow::Borrowed(rest));
    }
    if word.eq_ignore_ascii_case(b"basic")
        && let Ok(pair) = BASE64.decode(rest)
    {
        return (Scheme::Basic, Cow::Owned(pair));
    }
    (Scheme::None, Cow::Borrowed(header))
}
