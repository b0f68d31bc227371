//! What the headers of an answer say: where the next page is, whether anything has changed, and whether and when to
//! ask again.

use std::time::Duration;

use chrono::DateTime;
use url::Url;

use super::Base;
use crate::domain::Timestamp;

/// How long to wait where somebody is told to slow down and not for how long, as GitHub asks for.
const SLOW_DOWN: Duration = Duration::from_mins(1);
/// Clocks differ: a second more than they say.
const MARGIN: Duration = Duration::from_secs(1);

/// An answer, but for a body that is right.
#[expect(missing_debug_implementations, reason = "it borrows a closure")]
pub struct Answer<'a> {
    pub status: u16,
    /// By name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Of an answer that is no success, as far as it was read.
    pub text: &'a str,
}

/// What is to be made of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// What was asked for is in the body.
    Content,
    /// It is as it was when it was last read.
    Unchanged,
    /// The rate limit is used up: not before so long.
    Later(Duration),
    /// Something went wrong over there, which may pass.
    Again(String),
    /// Not at all: nothing is mended by asking again.
    Refused(String),
    /// It is not there, or not for this token.
    Absent(String),
}

impl Answer<'_> {
    pub fn judge(&self, now: Timestamp) -> Verdict {
        match self.status {
            200..=299 => Verdict::Content,
            304 => Verdict::Unchanged,
            429 => Verdict::Later(self.wait(now).unwrap_or(SLOW_DOWN)),
            403 => match self.wait(now) {
                Some(wait) => Verdict::Later(wait),
                // GitHub's secondary limits need no header
                None if self.text.to_ascii_lowercase().contains("rate limit") => Verdict::Later(SLOW_DOWN),
                None => Verdict::Refused(self.said("the token does not have the right to read this")),
            },
            401 => Verdict::Refused(self.said("the token is not accepted")),
            404 | 410 => Verdict::Absent(self.said("there is no such thing, or the token may not see it")),
            408 | 500..=599 => Verdict::Again(self.said("something went wrong over there")),
            301 | 302 | 303 | 307 | 308 => Verdict::Refused(
                "it leads to another host, which is not told the token: give the final address of the API".to_owned(),
            ),
            _ => Verdict::Refused(self.said("this was not expected")),
        }
    }

    /// How long to wait, when the answer is that too much was asked.
    fn wait(&self, now: Timestamp) -> Option<Duration> {
        let header = |name: &str| (self.header)(name).map(str::trim);
        if let Some(after) = header("retry-after") {
            return seconds(after).or_else(|| Some(until(now, http_date(after)?)));
        }
        // GitHub's name of it, and GitLab's
        ["x-ratelimit", "ratelimit"].iter().find_map(|name| {
            let is_used_up = header(&format!("{name}-remaining")) == Some("0");
            let reset = header(&format!("{name}-reset")).filter(|_| is_used_up)?;
            Some(until(now, Timestamp::from_micros(reset.parse::<i64>().ok()?.checked_mul(1_000_000)?)?))
        })
    }

    fn said(&self, meaning: &str) -> String {
        let message = serde_json::from_str::<serde_json::Value>(self.text).ok();
        let field = |name: &str| message.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let said = field("message").or_else(|| field("error_description")).or_else(|| field("error"));
        let said: String = said.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
        if said.is_empty() {
            format!("{meaning} (status {})", self.status)
        } else {
            format!("{meaning} (status {}: {said})", self.status)
        }
    }
}

/// Where the next page is, by a `Link` header or else by what the answer says. `Err`: at an address that is none of
/// this API's.
pub fn next_page(base: &Base, asked: &Url, link: Option<&str>, said: Option<&str>) -> Result<Option<Url>, String> {
    let Some(target) = link.and_then(next_of).or(said) else { return Ok(None) };
    let next = asked.join(target).map_err(|_| format!("the next page has the address {target:?}, which is none"))?;
    if !base.is_ours(&next) {
        return Err(format!("the next page is on {}, which is not told the token", next.host_str().unwrap_or("?")));
    }
    Ok(Some(next))
}

/// RFC 8288, as far as it is used.
fn next_of(link: &str) -> Option<&str> {
    let mut rest = link;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, parameters) = after.split_once('>')?;
        let end = parameters.find('<').unwrap_or(parameters.len());
        let (own, others) = parameters.split_at(end);
        let is_next = own.split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target);
        }
        rest = others;
    }
    None
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::from_micros(DateTime::parse_from_rfc2822(text).ok()?.timestamp_micros())
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(then.micros_since(now)).unwrap_or_default()) + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, headers: &[(&str, &str)], text: &str) -> Verdict {
        let now = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let header = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        Answer { status, header: &header, text }.judge(now)
    }

    #[test]
    fn a_limit_says_when_it_ends() {
        let later = |seconds| Verdict::Later(Duration::from_secs(seconds));
        assert_eq!(judge(429, &[("retry-after", "7")], ""), later(7));
        assert_eq!(judge(403, &[("retry-after", "0")], ""), later(0));
        assert_eq!(judge(429, &[("retry-after", "Mon, 15 Jun 2026 12:00:30 GMT")], ""), later(31));
        // 2026-06-15T12:05:00Z
        let reset = ("x-ratelimit-reset", "1781525100");
        assert_eq!(judge(403, &[("x-ratelimit-remaining", "0"), reset], ""), later(301));
        let past = ("ratelimit-reset", "1781520000");
        assert_eq!(judge(429, &[("ratelimit-remaining", "0"), past], ""), later(1));
        assert_eq!(judge(429, &[], ""), later(60));
        assert_eq!(judge(429, &[("retry-after", "soon")], ""), later(60));
        let secondary = r#"{"message": "You have exceeded a secondary rate limit."}"#;
        assert_eq!(judge(403, &[("x-ratelimit-remaining", "31"), reset], secondary), later(60));
    }

    #[test]
    fn what_asking_again_does_not_mend_is_refused() {
        let said = judge(403, &[("x-ratelimit-remaining", "31")], r#"{"message": "Resource not accessible"}"#);
        let Verdict::Refused(why) = said else { panic!("{said:?}") };
        assert_eq!(why, "the token does not have the right to read this (status 403: Resource not accessible)");
        for status in [301, 400, 401, 422] {
            assert!(matches!(judge(status, &[], "<html>"), Verdict::Refused(_)), "{status}");
        }
        assert!(matches!(judge(404, &[], ""), Verdict::Absent(_)));
        for status in [500, 502, 503, 504, 408] {
            assert!(matches!(judge(status, &[], ""), Verdict::Again(_)), "{status}");
        }
        assert_eq!((judge(200, &[], ""), judge(304, &[], "")), (Verdict::Content, Verdict::Unchanged));
    }

    #[test]
    fn the_next_page_is_where_the_link_leads_on_the_same_host() {
        let base = Base::parse("https://api.github.com").unwrap();
        let asked = Url::parse("https://api.github.com/repos/acme/shop/pulls?page=2").unwrap();
        let next = |link| next_page(&base, &asked, link, None).map(|url| url.map(|url| url.to_string()));
        let page = "https://api.github.com/repositories/1/pulls?page=3";
        let several = format!("<https://api.github.com/x?page=1>; rel=\"prev\", <{page}>; rel=\"next\"");
        assert_eq!(next(Some(&several)), Ok(Some(page.to_owned())));
        assert_eq!(
            next(Some("</a,b?page=3>; title=\"x\"; rel=next")),
            Ok(Some("https://api.github.com/a,b?page=3".to_owned()))
        );
        assert_eq!(next(Some("<https://api.github.com/x>; rel=\"last first\"")), Ok(None));
        assert_eq!(next(Some("nonsense")), Ok(None));
        assert_eq!(next(None), Ok(None));
        next(Some("<https://evil.example/x>; rel=\"next\"")).unwrap_err();
        assert!(next_page(&base, &asked, None, Some("https://api.github.com/x")).is_ok_and(|url| url.is_some()));
        next_page(&base, &asked, None, Some("https://evil.example/x")).unwrap_err();
    }
}
