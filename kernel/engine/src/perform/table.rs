//! Tables, as text and as HTML.

use console::measure_text_width;

use crate::perform::Shown;

/// The blanks between two columns.
const GAP: usize = 2;

/// A table with a head.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Shown {
    let mut widths = head.map(measure_text_width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    let line = |cells: &[&str]| -> String {
        let padded = cells.iter().zip(widths).map(|(cell, width)| {
            let blanks = width + GAP - measure_text_width(cell).min(width);
            format!("{cell}{}", " ".repeat(blanks))
        });
        padded.collect::<String>().trim_end().to_owned()
    };
    let mut text = vec![line(&head), line(&widths.map(|width| "-".repeat(width)).each_ref().map(String::as_str))];
    text.extend(rows.iter().map(|row| line(&row.each_ref().map(String::as_str))));
    Shown { html: Some(html(head, rows)), ..Shown::text(text.join("\n")) }
}

fn html<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    const LEFT: &str = "style=\"text-align: left\"";
    let head: String = head.iter().map(|cell| format!("<th {LEFT}>{}</th>", escaped(cell))).collect();
    let line = |cells: &[String; N]| -> String {
        cells.iter().map(|cell| format!("<td {LEFT}>{}</td>", code(cell))).collect()
    };
    let rows: String = rows.iter().map(|row| format!("<tr>{}</tr>", line(row))).collect();
    format!("<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
}

/// What stands in backquotes is code.
fn code(text: &str) -> String {
    let parts: Vec<String> = text.split('`').map(escaped).collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let parts = parts.iter().enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.clone() }).collect()
}

/// Text that HTML shows as it is.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let shown = table(["Name", "Type"], &[["x".into(), "Vec<i32>".into()], ["数据".into(), "`&T`".into()]]);
        assert_eq!(shown.text, "Name  Type\n----  --------\nx     Vec<i32>\n数据  `&T`");
        let html = shown.html.expect("has one");
        assert!(html.contains("Vec&lt;i32&gt;") && html.contains("<code>&amp;T</code>"), "{html}");
    }
}
