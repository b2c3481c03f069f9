//! Pieces of the user's text, and the small changes made to them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use oxtorch_session::CellRequest;

/// The whole text of one cell.
#[derive(Debug)]
pub struct CellText {
    /// The user's code, with `\n` line ends, and blanks in place of commands.
    pub text: String,
    /// The cell as the user sees it, commands and all; its offsets are the same.
    pub shown: String,
    /// What relative paths of files in it start from; `None` where it reads none.
    pub folder: Option<PathBuf>,
    /// Who has written it.
    pub author: Author,
    number: AtomicU32,
    id: Option<String>,
}

/// Who has written a cell (see [`oxtorch_session::Author`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Author {
    /// Whose session it is.
    #[default]
    User,
    /// A student whose work is graded.
    Student,
    /// The teacher.
    Teacher,
    /// The teacher, and it is a test.
    Test,
}

impl Author {
    fn of(author: oxtorch_session::Author<'_>) -> Self {
        match author {
            oxtorch_session::Author::User => Self::User,
            oxtorch_session::Author::Student(_) => Self::Student,
            oxtorch_session::Author::Teacher(_) => Self::Teacher,
            oxtorch_session::Author::Test(_) => Self::Test,
        }
    }

    /// Whether it is the teacher.
    pub fn is_teacher(self) -> bool {
        matches!(self, Self::Teacher | Self::Test)
    }
}

impl CellText {
    /// The text of the cell with that number in its prompt.
    pub fn new(number: u32, text: &str) -> Arc<Self> {
        let text = text.replace("\r\n", "\n");
        let number = AtomicU32::new(number);
        Arc::new(Self { shown: text.clone(), text, folder: None, author: Author::User, number, id: None })
    }

    /// A part of the cell: the same text with blanks in place of the rest. It runs in `folder`.
    pub fn part(cell: CellRequest<'_>, part: String, folder: Option<PathBuf>) -> Arc<Self> {
        debug_assert_eq!(cell.code.len(), part.len(), "a part keeps the cell's offsets");
        let number = AtomicU32::new(cell.execution_count);
        let (shown, id) = (cell.code.to_owned(), cell.cell_id.map(str::to_owned));
        Arc::new(Self { text: part, shown, folder, author: Author::of(cell.author), number, id })
    }

    /// Whether this is what the same cell of the notebook held when it was run before.
    pub fn is_earlier_run_of(&self, cell: &Self) -> bool {
        self.id.is_some() && self.id == cell.id && self.number() != cell.number()
    }

    /// The number in the cell's prompt.
    pub fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    /// The same text was run again, unchanged, under another number: that is what the user sees now.
    pub fn renumber(&self, number: u32) {
        self.number.store(number, Ordering::Relaxed);
    }
}

impl PartialEq for CellText {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number() && self.text == other.text
    }
}

impl Eq for CellText {}

/// An insertion into the user's text, or a replacement of the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Byte offset in the cell's text.
    pub at: usize,
    /// Bytes of the user's text that `insert` stands for; 0 for a plain insertion.
    pub replaces: usize,
    /// The new text.
    pub insert: String,
}

/// A part of a cell that is emitted as one: an item or a statement, verbatim but for the edits.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The cell that it was written in.
    pub cell: Arc<CellText>,
    /// Where in the cell's text.
    pub range: Range<usize>,
    /// In order of `at`, inside `range`.
    pub edits: Vec<Edit>,
}

impl Fragment {
    /// What stands ahead of a place in the cell's text, and what stands behind it.
    pub fn split(&self, at: usize) -> (Self, Self) {
        let (before, behind) = self.edits.iter().cloned().partition(|edit| edit.at < at);
        let part = |range, edits| Self { cell: Arc::clone(&self.cell), range, edits };
        (part(self.range.start..at, before), part(at..self.range.end, behind))
    }

    /// The user's own text.
    pub fn text(&self) -> &str {
        &self.cell.text[self.range.clone()]
    }
}
