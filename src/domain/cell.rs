//! Texts in tables. A spreadsheet program takes a cell that begins like a formula for one, whoever wrote it: such a text
//! gets a quotation mark before it (OWASP, CSV injection), and loses it again when the table is read.

use std::borrow::Cow;

const FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
const MARK: char = '\'';

/// As it stands in a table.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if is_like_a_formula(text) { Cow::Owned(format!("{MARK}{text}")) } else { Cow::Borrowed(text) }
}

/// As it was before.
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|text| is_like_a_formula(text)).unwrap_or(cell)
}

/// Also with marks before it: one of them would be taken for ours.
fn is_like_a_formula(text: &str) -> bool {
    text.trim_start_matches(MARK).starts_with(FORMULAS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula_and_every_text_comes_back() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2", "'-2"),
            ("+49 30", "'+49 30"),
            ("\tx", "'\tx"),
            ("'=1", "''=1"),
            ("''-", "'''-"),
            ("'quoted'", "'quoted'"),
            ("'", "'"),
            ("", ""),
            ("a=b", "a=b"),
            ("2026-06-15T12:00:00Z", "2026-06-15T12:00:00Z"),
        ] {
            assert_eq!((guarded(text).as_ref(), unguarded(cell)), (cell, text));
        }
    }
}
