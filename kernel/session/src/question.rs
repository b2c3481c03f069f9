//! Answers to what frontends ask of a cell that is being typed.

use std::ops::Range;

/// Whether a cell is ready to run, for frontends that ask on Enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Enter should run it.
    Complete,
    /// Enter should start a new line, with this indentation.
    Incomplete {
        /// White space for the next line.
        indent: String,
    },
    /// It can never become valid by adding to it.
    Invalid,
}

/// What could stand at the cursor in a cell that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The bytes of the cell that a candidate takes the place of.
    pub range: Range<usize>,
    /// The likeliest first.
    pub candidates: Vec<Candidate>,
}

impl Completion {
    /// Nothing, at that byte of the cell.
    pub fn none(cursor: usize) -> Self {
        Self { range: cursor..cursor, candidates: Vec::new() }
    }
}

/// Something that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is inserted.
    pub text: String,
    /// What it is.
    pub kind: CandidateKind,
    /// Its signature or type; empty where there is none.
    pub signature: String,
}

/// What a candidate is. Frontends have icons for these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// A function, a method or a macro.
    Function,
    /// A type, a trait, or a variant of an enum.
    Class,
    /// A variable or a constant.
    Instance,
    /// A module or a crate.
    Module,
    /// A word of the language.
    Keyword,
    /// A field.
    Property,
    /// A command.
    Magic,
    /// A file or a folder.
    Path,
}

impl CandidateKind {
    /// The word for it in Jupyter's messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Instance => "instance",
            Self::Module => "module",
            Self::Keyword => "keyword",
            Self::Property => "property",
            Self::Magic => "magic",
            Self::Path => "path",
        }
    }
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documentation {
    /// For a terminal.
    pub plain: String,
    /// For a notebook.
    pub markdown: String,
}
