//! How a cell fails.

use std::fmt;

/// A failed cell, as a frontend shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// One line that says what went wrong.
    pub evalue: String,
    /// The report for the user, in lines, with ANSI colors.
    pub traceback: Vec<String>,
}

/// The kinds of failure. Frontends and notebook files get the [name](ErrorKind::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// rustc refuses the cell.
    Compile,
    /// A student's cell has what may not be in homework that is graded.
    Refused,
    /// The cell panicked.
    Panic,
    /// The cell ended early with an error value, by `?` or `bail!`.
    Error,
    /// The user interrupted the cell.
    Interrupted,
    /// The cell ran longer than it may.
    Timeout,
    /// The cell printed or showed more than is kept, and may not.
    OutputLimit,
    /// The process that runs the cells has ended, and the variables with it.
    HostDied,
    /// A command could not be done.
    Command,
    /// A crate that the cell asks for cannot be had.
    Dependency,
    /// What earlier cells were compiled to is gone.
    CellsGone,
    /// A file of the runtime is not as it was made.
    RuntimeDamaged,
    /// The disk is full.
    DiskFull,
    /// Memory ran out while the cell was compiled.
    OutOfMemory,
    /// The kernel can open no more files.
    TooManyFiles,
    /// Oxtorch is not set up.
    Setup,
    /// Something that no cell should be able to cause.
    Engine,
}

impl ErrorKind {
    /// The `ename` of Jupyter's messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compile => "CompileError",
            Self::Refused => "Refused",
            Self::Panic => "Panic",
            Self::Error => "Error",
            Self::Interrupted => "KeyboardInterrupt",
            Self::Timeout => "Timeout",
            Self::OutputLimit => "OutputLimit",
            Self::HostDied => "HostDied",
            Self::Command => "CommandError",
            Self::Dependency => "DependencyError",
            Self::CellsGone => "CellsGone",
            Self::RuntimeDamaged => "RuntimeDamaged",
            Self::DiskFull => "DiskFull",
            Self::OutOfMemory => "OutOfMemory",
            Self::TooManyFiles => "TooManyFiles",
            Self::Setup => "SetupError",
            Self::Engine => "EngineError",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
