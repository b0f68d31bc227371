//! What people and tools write to say which deployment has caused an incident.

use super::body::name;
use crate::domain::incident::Cause;

/// A label `deployment:<id>`, else a text with `root cause: <sha>`.
pub fn find<'a>(labels: impl Iterator<Item = &'a str>, text: Option<&str>) -> Option<Cause> {
    let mut labels = labels.filter_map(|label| after(label, "deployment:").and_then(name).map(Cause::Deployment));
    labels.next().or_else(|| root_cause(text?))
}

/// Case does not matter, nor do blanks.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.trim().split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then(|| rest.trim()).filter(|rest| !rest.is_empty())
}

fn root_cause(text: &str) -> Option<Cause> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("root cause:")? + "root cause:".len();
    let word = text.get(start..)?.split_whitespace().next()?;
    let sha = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_sha = (7..=64).contains(&sha.len()) && sha.chars().all(|c| c.is_ascii_hexdigit());
    is_sha.then(|| name(&sha.to_ascii_lowercase()).map(Cause::Commit)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_believed_before_a_text() {
        let commit = |sha| Some(Cause::Commit(name(sha).unwrap()));
        let text = Some("All down.\r\nRoot Cause: `2F8c6B1` (see log)");
        assert_eq!(find(["bug"].into_iter(), text), commit("2f8c6b1"));
        let deployment = Some(Cause::Deployment(name("github:42").unwrap()));
        assert_eq!(find(["bug", "Deployment: github:42"].into_iter(), text), deployment);
        for text in ["root cause: the weather", "root cause:", "", "root cause: abc", "ROOT CAUSE:\u{130} 1234567"] {
            assert_eq!(find([].into_iter(), Some(text)), None, "{text}");
        }
    }
}
