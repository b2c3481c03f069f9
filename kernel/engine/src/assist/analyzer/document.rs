//! The file that the language server sees: everything that is live in the session, and the cell that is being typed in
//! the body of a function whose parameters are the variables.

use serde_json::{Value, json};

use crate::commands::code_of;
use crate::compile::state::State;
use crate::crate_names::{hashed_name, with_names};
use crate::source::identifiers::raw;

/// In what a server counts the columns of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// Bytes.
    Utf8,
    /// Units of UTF-16, which every server knows.
    Utf16,
}

/// The file, and where in it the cell is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(super) text: String,
    /// The byte that the cursor is at.
    cursor: usize,
    /// Whether what stands ahead of the cursor is code: the server does not see commands.
    pub(crate) in_code: bool,
}

impl Document {
    /// The file for a session and a cell in which the cursor is at a byte.
    pub(crate) fn of(state: &State, cell: &str, cursor: usize) -> Self {
        let mut text = "#![allow(unused)]\nuse ::oxtorch::prelude::*;\n".to_owned();
        for leaf in state.scope.declared_uses() {
            text += &format!("{}\n", at_home(&leaf.code));
        }
        let items = state.scope.items().map(|item| &item.fragment);
        for fragment in items.chain(state.scope.impls().map(|block| &block.fragment)) {
            text += &format!("{}\n", fragment.text());
        }
        text += "async fn __oxtorch_cell(";
        for (name, variable) in &state.variables.live {
            let mutable = if variable.mutable { "mut " } else { "" };
            text += &format!("{mutable}{}: {}, ", raw(name), at_home(variable.spelled()));
        }
        text += ") -> ::oxtorch::anyhow::Result<()> {\n";
        let start = text.len();
        let code = code_of(cell, &|name| state.knows(name));
        let in_code = code[..cursor].trim_end().len() == cell[..cursor].trim_end().len();
        text += &code;
        text += "\n}\n";
        Self { text, cursor: start + cursor, in_code }
    }

    /// The line and column of the cursor.
    pub(super) fn cursor(&self, columns: Columns) -> Value {
        self.position(self.cursor, columns)
    }

    fn position(&self, offset: usize, columns: Columns) -> Value {
        let before = &self.text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = match columns {
            Columns::Utf8 => offset - start,
            Columns::Utf16 => before[start..].encode_utf16().count(),
        };
        json!({"line": before.matches('\n').count(), "character": column})
    }

    /// Whether a range of the server's is the `len` bytes ahead of the cursor.
    pub(super) fn is_typed(&self, range: &Value, len: usize, columns: Columns) -> bool {
        range["start"] == self.position(self.cursor - len, columns) && range["end"] == self.cursor(columns)
    }
}

/// Code that names items of the session by their crates, as seen from the one file that holds them all.
fn at_home(code: &str) -> String {
    with_names(code, |text, rest| {
        let len = hashed_name(rest)?;
        // `:: cell_x :: Net`
        text.truncate(text.trim_end().len());
        text.truncate(text.trim_end_matches("::").len());
        text.push_str("crate");
        Some(len)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_is_found_again_in_the_file() {
        let cell = ":vars\nlet é = \"变\"; x.ma";
        let document = Document::of(&State::default(), cell, cell.len());
        let lines = document.text[..document.cursor].matches('\n').count() - 1;
        assert_eq!(&document.text[document.cursor - 4..document.cursor], "x.ma");
        assert_eq!(document.cursor(Columns::Utf8), json!({"line": lines + 1, "character": 20}));
        assert_eq!(document.cursor(Columns::Utf16), json!({"line": lines + 1, "character": 17}));
        let range = |start: u32, end: u32| json!({"start": {"line": lines + 1, "character": start}, "end": {"line": lines + 1, "character": end}});
        assert!(document.is_typed(&range(15, 17), 2, Columns::Utf16));
        assert!(!document.is_typed(&range(13, 17), 2, Columns::Utf16));
        assert!(document.in_code && !document.text.contains(":vars"));
        assert!(!Document::of(&State::default(), cell, 3).in_code);
    }

    #[test]
    fn items_of_earlier_cells_are_in_the_same_crate() {
        let hash = "0123456789abcdef";
        assert_eq!(
            at_home(&format!(":: std :: vec :: Vec < :: cell_{hash} :: Net >")),
            ":: std :: vec :: Vec < crate :: Net >"
        );
        assert_eq!(at_home("cell_type"), "cell_type");
    }
}
