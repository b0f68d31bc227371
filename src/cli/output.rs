//! Writing to the terminal without falling over a reader that has gone (`| head`).

use std::io::Write as _;

/// The command's result.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Everything that is not the result.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
