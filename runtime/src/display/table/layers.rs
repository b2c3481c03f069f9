//! The table of a network's layers, which are set in by how many others they are within.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::writer::{aligned, html_cell, html_table};
use crate::display::{MimeBundle, RichDisplay, escape_html};

/// Depth, layer, what is told of it, parameters.
pub(crate) type Row = (usize, [String; 3]);

/// A table as HTML, with aligned text for terminals.
pub(crate) struct LayerTable {
    pub(crate) head: [&'static str; 3],
    pub(crate) rows: Vec<Row>,
    /// What stands below.
    pub(crate) totals: Vec<String>,
}

impl LayerTable {
    fn html(&self) -> String {
        let row = |tag: &str, depth: usize, [layer, told, parameters]: [&str; 3]| {
            let indented = format!("left; padding-left: {}em", 0.5 + 1.2 * depth as f64);
            let cells = [(&*indented, layer), ("left", told), ("right", parameters)];
            format!("<tr>{}</tr>", cells.map(|(style, text)| html_cell(tag, style, text)).concat())
        };
        let body: String =
            self.rows.iter().map(|(depth, cells)| row("td", *depth, cells.each_ref().map(String::as_str))).collect();
        let totals: Vec<String> = self.totals.iter().map(|total| escape_html(total)).collect();
        let table = html_table(&row("th", 0, self.head), &body);
        format!("{table}<div>{}</div>", totals.join("<br>"))
    }
}

impl RichDisplay for LayerTable {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::html(self.html()).with("text/plain", self.to_string())
    }
}

/// The aligned text.
impl fmt::Display for LayerTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![self.head.map(str::to_owned).to_vec()];
        lines.extend(self.rows.iter().map(|(depth, [layer, told, parameters])| {
            vec![format!("{}{layer}", "  ".repeat(*depth)), told.clone(), parameters.clone()]
        }));
        let lines = aligned(&lines, &[false, false, true]);
        let rule = "-".repeat(lines[0].width());
        writeln!(f, "{}\n{rule}", lines[0])?;
        lines[1..].iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "{rule}\n{}", self.totals.join("\n"))
    }
}
