//! Tables as CSV, in which no text of a student is taken for a formula.

use std::borrow::Cow;

use super::text::one_line;

/// Characters that begin a formula in some spreadsheet; the last four do so where people write Chinese or Japanese.
const FORMULAS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A table: its header, then its rows, which have as many fields.
pub(super) fn table(header: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(header).chain(rows) {
        writer.write_record(row).expect("rows have the length of the header, and memory takes all");
    }
    let written = writer.into_inner().expect("memory takes all");
    String::from_utf8(written).expect("the fields are text")
}

/// A text as a field: what would be a formula, or has been made a text in this way, begins with an apostrophe.
pub(super) fn field(text: &str) -> String {
    // Tabs and line breaks at its start, which are dangerous as well, are written out.
    let text = one_line(text);
    let looks_like_formula = text.trim_start().starts_with(FORMULAS);
    if looks_like_formula || text.starts_with('\'') { format!("'{text}") } else { Cow::into_owned(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        for (text, expected) in [
            ("ada", "ada"),
            ("=HYPERLINK(\"http://a\")", "'=HYPERLINK(\"http://a\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("＝1", "'＝1"),
            ("\t=1", "\\u{9}=1"),
            ("\r=1", "\\u{d}=1"),
            ("'=1", "''=1"),
            ("a-b", "a-b"),
        ] {
            assert_eq!(field(text), expected);
        }
    }

    #[test]
    fn fields_with_commas_quotes_and_lines_are_one_field() {
        let written =
            table(vec!["student".to_owned()], ["Lovelace, Ada", "the \"first\""].map(|name| vec![field(name)]));
        assert_eq!(written, "student\n\"Lovelace, Ada\"\n\"the \"\"first\"\"\"\n");
    }
}
