//! Tables as aligned text and as HTML: what all of them have in common.

use unicode_width::UnicodeWidthStr;

use crate::display::escape_html;

/// The text with blanks behind it, as wide as that.
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// The lines of a table, each column as wide as its widest cell, with two blanks between columns. Those that hold
/// numbers stand right.
pub(crate) fn aligned(lines: &[Vec<String>], are_numbers: &[bool]) -> Vec<String> {
    let width = |column: usize| lines.iter().map(|line| line[column].width()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..are_numbers.len()).map(width).collect();
    let line = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).zip(are_numbers).map(|((cell, width), is_number)| match is_number {
            true => format!("{}{cell}", " ".repeat(width - cell.width())),
            false => padded(cell, *width),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

/// A cell of a table, with its alignment and what else its style says.
pub(crate) fn html_cell(tag: &str, style: &str, text: &str) -> String {
    format!("<{tag} style=\"text-align: {style}\">{}</{tag}>", escape_html(text))
}

/// A table of rows that are written already.
pub(crate) fn html_table(head: &str, body: &str) -> String {
    format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>")
}

/// A number with a comma between thousands.
pub(crate) fn thousands(number: impl ToString) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| std::str::from_utf8(group).unwrap_or_default()).collect::<Vec<_>>().join(",")
}
