//! Maps places in an emitted crate back to the cells that the user wrote.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::source::fragment::{CellText, Fragment};

/// A place in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The cell.
    pub cell: Arc<CellText>,
    /// Byte offsets in its text.
    pub range: Range<usize>,
}

/// The 1-based line of a place in a text.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

impl Place {
    /// The 1-based line of the start.
    pub fn line(&self) -> usize {
        line_of(&self.cell.text, self.range.start)
    }

    /// The 1-based column of the start, in characters.
    pub fn column(&self) -> usize {
        let before = &self.cell.text[..self.range.start];
        before[before.rfind('\n').map_or(0, |at| at + 1)..].chars().count() + 1
    }
}

/// A stretch of emitted text that stands for a stretch of the user's.
#[derive(Debug, Clone)]
struct Piece {
    start: usize,
    len: usize,
    user_start: usize,
    /// Equal to `len` for text taken over as it is.
    user_len: usize,
    cell: Arc<CellText>,
    /// Text of our own that stands for a place of the user's: no code of the user's runs there.
    stands_for: bool,
}

/// The emitted source of a crate, and where each part of it comes from.
#[derive(Debug, Clone, Default)]
pub struct CrateSource {
    /// The text of the crate.
    pub text: String,
    line: usize,
    /// In order of `start`, not overlapping.
    pieces: Vec<Piece>,
}

impl CrateSource {
    /// Appends text of our own, and returns where it stands.
    pub fn glue(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.push(text);
        start..self.text.len()
    }

    /// Appends text of our own that stands for a place of the user's, such as the name of a variable.
    pub fn glue_for(&mut self, text: &str, place: &Place) {
        self.piece(text.len(), &place.cell, place.range.start, place.range.len());
        if let Some(piece) = self.pieces.last_mut() {
            piece.stands_for = true;
        }
        self.push(text);
    }

    /// Appends a fragment with its edits.
    pub fn fragment(&mut self, fragment: &Fragment) -> Range<usize> {
        let start = self.text.len();
        let cell = &fragment.cell;
        let mut at = fragment.range.start;
        for edit in &fragment.edits {
            self.verbatim(cell, at..edit.at);
            self.piece(edit.insert.len(), cell, edit.at, edit.replaces);
            self.push(&edit.insert);
            at = edit.at + edit.replaces;
        }
        self.verbatim(cell, at..fragment.range.end);
        start..self.text.len()
    }

    /// Appends empty lines until the next line has the number that the fragment's first line has in its cell.
    /// So `line!()` and `dbg!` say what the user sees, wherever the order of the text allows it.
    pub fn align(&mut self, fragment: &Fragment) {
        let line = fragment.cell.text[..fragment.range.start].matches('\n').count();
        while self.line < line {
            self.push("\n");
        }
    }

    fn verbatim(&mut self, cell: &Arc<CellText>, range: Range<usize>) {
        self.piece(range.len(), cell, range.start, range.len());
        self.push(&cell.text[range]);
    }

    fn piece(&mut self, len: usize, cell: &Arc<CellText>, user_start: usize, user_len: usize) {
        if len > 0 {
            let (start, cell) = (self.text.len(), Arc::clone(cell));
            self.pieces.push(Piece { start, len, user_start, user_len, cell, stands_for: false });
        }
    }

    fn push(&mut self, text: &str) {
        self.line += text.matches('\n').count();
        self.text.push_str(text);
    }

    /// The folder that relative paths of files in the cell start from.
    pub fn folder(&self) -> Option<&Path> {
        self.pieces.iter().find_map(|piece| piece.cell.folder.as_deref())
    }

    /// Where a stretch of emitted text comes from; `None` for text of our own.
    pub fn place(&self, range: Range<usize>) -> Option<Place> {
        // An expression that we wrote a borrow around, `&(x)`, is still the user's `x`; so it is in the parentheses
        // alone.
        let around = self.text.get(range.clone()).unwrap_or("");
        let open = ["&(", "("].into_iter().find(|open| around.starts_with(open) && around.ends_with(')'));
        let range = match open {
            Some(open) if self.piece_at(range.start).is_none() => {
                let start = range.start + open.len();
                start..start + around[open.len()..around.len() - 1].trim_end().len()
            }
            _ => range,
        };
        let first = self.piece_at(range.start)?;
        let start = first.user_offset(range.start, false);
        let last = if range.is_empty() { first } else { self.piece_at(range.end - 1).unwrap_or(first) };
        if !Arc::ptr_eq(&first.cell, &last.cell) {
            return None;
        }
        // A string that is never closed goes on into our own text.
        let end = last.user_offset(range.end.min(last.start + last.len), true).max(start);
        Some(Place { cell: Arc::clone(&first.cell), range: start..end })
    }

    /// Where a place of the user's stands in the emitted text, as it was written.
    pub fn emitted(&self, place: &Place) -> Option<Range<usize>> {
        let is_it = |piece: &&Piece| {
            let as_written = piece.len == piece.user_len && !piece.stands_for && Arc::ptr_eq(&piece.cell, &place.cell);
            as_written && (piece.user_start..=piece.user_start + piece.len).contains(&place.range.start)
        };
        let piece = self.pieces.iter().filter(is_it).find(|piece| place.range.end <= piece.user_start + piece.len)?;
        let start = piece.start + place.range.start - piece.user_start;
        Some(start..start + place.range.len())
    }

    /// The number of the cell whose crate it is; it may hold items of earlier ones.
    pub fn cell_number(&self) -> Option<u32> {
        self.pieces.iter().map(|piece| piece.cell.number()).max()
    }

    /// Where a 1-based line and column of the emitted text come from.
    pub fn place_of_line(&self, line: u32, column: u32) -> Option<Place> {
        let start = match line {
            0 => return None,
            1 => 0,
            line => self.text.match_indices('\n').nth(line as usize - 2)?.0 + 1,
        };
        let text = self.text[start..].lines().next().unwrap_or("");
        let column = text.char_indices().nth((column as usize).saturating_sub(1)).map_or(text.len(), |(at, _)| at);
        let runs = |at: usize| self.piece_at(at).filter(|piece| !piece.stands_for).and_then(|_| self.place(at..at));
        // A column of our own text, such as that of a call around the user's expression: take the line's first.
        runs(start + column).or_else(|| (start..start + text.len()).find_map(runs))
    }

    fn piece_at(&self, offset: usize) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.start <= offset);
        let piece = self.pieces.get(after.checked_sub(1)?)?;
        (offset <= piece.start + piece.len).then_some(piece)
    }
}

impl Piece {
    fn user_offset(&self, offset: usize, end: bool) -> usize {
        if self.len == self.user_len {
            return self.user_start + (offset - self.start).min(self.len);
        }
        if end { self.user_start + self.user_len } else { self.user_start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::Edit;

    fn fragment(text: &str, range: Range<usize>, edits: Vec<Edit>) -> Fragment {
        Fragment { cell: CellText::new(1, text), range, edits }
    }

    #[test]
    fn places_map_back_across_an_insertion() {
        let mut source = CrateSource::default();
        source.glue("use x; ");
        source.fragment(&fragment("fn f() { g() }", 0..14, vec![Edit { at: 0, replaces: 0, insert: "pub ".into() }]));
        assert_eq!(source.text, "use x; pub fn f() { g() }");
        let at = source.text.find("g()").expect("it is there");
        assert_eq!(source.place(at..at + 3).expect("the user's").range, 9..12);
        assert_eq!(source.place(0..3), None);
        assert_eq!(source.emitted(&source.place(at..at + 3).expect("the user's")), Some(at..at + 3));
    }

    #[test]
    fn lines_stay_the_users_own() {
        let mut source = CrateSource::default();
        source.glue("header ");
        let second = fragment("let a = 1;\n\nlet b = 2;", 12..22, vec![]);
        source.align(&second);
        source.fragment(&second);
        assert_eq!(source.text.lines().nth(2), Some("let b = 2;"));
        let place = source.place_of_line(3, 5).expect("the user's");
        assert_eq!((place.line(), place.column()), (3, 5));
    }

    #[test]
    fn wide_characters_count_as_one_column() {
        let place = Place { cell: CellText::new(1, "let 数据 = x;"), range: 13..14 };
        assert_eq!(place.column(), 10);
    }
}
