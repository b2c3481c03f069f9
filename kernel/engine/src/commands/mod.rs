//! The commands of a cell (`:vars`, `%cd`, `!ls`): what a line asks for. What the commands do is each engine's own.

pub(crate) mod catalogue;
mod lines;
pub(crate) mod read;
pub(crate) mod segments;

pub use crate::commands::catalogue::CATALOGUE;
pub use crate::commands::segments::{End, Segment, code_of, end_of, segments};

/// A command of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// List the commands, or explain one.
    Help(Option<String>),
    /// List the variables.
    Vars,
    /// List the items.
    Items,
    /// Document a name or a path.
    Doc(String),
    /// Find names by words.
    Find(String),
    /// Say the type of an expression: the cell, with blanks in place of all but that.
    Type(String),
    /// Say how long something takes.
    Time(Vec<Segment>),
    /// Say how long something takes, by running it often.
    Timeit(Timeit),
    /// Forget what cells have made.
    Reset {
        /// Forget only the variables.
        keep_items: bool,
    },
    /// Add crates: what stands behind each of the `:dep` that follow each other.
    Dep(Vec<String>),
    /// Say how later cells are optimised, or change that.
    Opt(Option<Optimise>),
    /// Say how full the cache is, or empty it.
    Cache {
        /// Empty it.
        clear: bool,
    },
    /// Look at the environment, or change it.
    Env(Env),
    /// Go to a folder; to the user's home where none is given.
    Cd(Option<String>),
    /// List the crates that the session has asked for.
    Deps,
    /// Check a homework, which the frontend names if the user does not.
    Check(Option<String>),
    /// Say which versions are at work.
    Version,
    /// Say the folder.
    Pwd,
    /// Run something in a shell.
    Shell(Shell),
    /// Write a file.
    WriteFile {
        /// Which.
        path: String,
        /// Whether what it holds stays.
        append: bool,
        /// For the file.
        text: String,
    },
    /// Nothing to do here but to say this.
    Remark(&'static str),
    /// A command that is not written like this.
    Misused {
        /// Why not.
        problem: String,
        /// How it is written.
        usage: &'static str,
    },
    /// No command that we know.
    Unknown {
        /// Its name, with what marks it as a command.
        name: String,
        /// How one is written that may be meant.
        nearest: Option<&'static str>,
    },
}

/// How cells are optimised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Optimise {
    /// By what is in the cell.
    #[default]
    Auto,
    /// At this level, 0 to 3.
    Level(u8),
}

/// What to do with the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Env {
    /// List it.
    List,
    /// Show the variable of that name.
    Get(String),
    /// Set a variable.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// Something to run in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The shell.
    pub program: &'static str,
    /// For the shell.
    pub script: String,
    /// Whether a status other than 0 is an error of the cell.
    pub strict: bool,
}

/// Code to run often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeit {
    /// The code, what comes ahead of it included, with blanks in place of the rest of the cell.
    pub code: String,
    /// Where what is measured begins; what stands ahead of it runs once.
    pub measured: usize,
    /// How often in one run; 0 for often enough.
    pub loops: u64,
    /// How many runs.
    pub repeats: u32,
}
