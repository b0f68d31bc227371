//! How wide a text is, near enough to make room for it. The table is Verdana's, which is among the wider fonts: in
//! others there is some room left.

use shields::{Font, get_text_width};

pub fn width(text: &str, size: f64) -> f64 {
    get_text_width(text, Font::VerdanaNormal11) * size / 11.0
}

/// As much of it as fits, with an ellipsis when that is not all.
pub fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let shortened = format!("{}…", kept.trim_end());
        if width(&shortened, size) <= room {
            return shortened;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut() {
        let text = "Failed deployment recovery time";
        assert_eq!(fitted(text, 11.0, 1000.0), text);
        let cut = fitted(text, 11.0, 100.0);
        assert!(cut.starts_with("Failed deploy") && cut.ends_with('…') && width(&cut, 11.0) <= 100.0, "{cut}");
        assert_eq!(fitted(text, 11.0, 2.0), "");
        assert!(width("wide", 22.0) > 1.9 * width("wide", 11.0));
    }
}
