//! The errors that are not rustc's.

use oxtorch_session::{CellError, ErrorKind};

use crate::report::render::{self, Report};

/// The error of a cell that does not compile.
pub(crate) fn compile_error(report: Report) -> CellError {
    report.into_error(ErrorKind::Compile)
}

/// The error of a command.
pub(crate) fn command_error(message: &str, notes: &[String]) -> CellError {
    render::failure("error", message, &[], notes).into_error(ErrorKind::Command)
}

/// The error of an interrupted cell.
pub(crate) fn interrupted() -> CellError {
    let message = "the cell was interrupted; its variables stay as they are";
    render::failure("interrupt", message, &[], &[]).into_error(ErrorKind::Interrupted)
}

/// An error that no cell should be able to cause.
pub(crate) fn internal(message: String) -> CellError {
    let note = "this is a fault in Oxtorch or its set-up: `oxtorch doctor` may say more".to_owned();
    render::failure("error", &message, &[], &[note]).into_error(ErrorKind::Engine)
}
