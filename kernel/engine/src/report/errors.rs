//! What the engine tells the user: notes, and the errors that are not rustc's.

use oxtorch_session::{CellError, ErrorKind, Event};
use tokio::sync::mpsc;

use crate::report::render::{self, Report};

/// Shows notes in the cell's output.
pub(crate) async fn tell(events: &mpsc::Sender<Event>, notes: &[String]) {
    for note in notes {
        // A front that no longer listens has nobody to tell.
        let _ = events.send(Event::Note(note.clone())).await;
    }
}

/// The error of a cell that does not compile.
pub(crate) fn compile_error(report: Report) -> CellError {
    CellError { kind: ErrorKind::Compile, evalue: report.summary, traceback: report.lines }
}

/// The error of a command.
pub(crate) fn command_error(message: &str, notes: &[String]) -> CellError {
    let report = render::failure("error", message, &[], notes);
    CellError { kind: ErrorKind::Command, evalue: report.summary, traceback: report.lines }
}

/// The error of an interrupted cell.
pub(crate) fn interrupted() -> CellError {
    let message = "the cell was interrupted; its variables stay as they are";
    let report = render::failure("interrupt", message, &[], &[]);
    CellError { kind: ErrorKind::Interrupted, evalue: message.into(), traceback: report.lines }
}

/// An error that no cell should be able to cause.
pub(crate) fn internal(message: String) -> CellError {
    let report = render::failure(
        "error",
        &message,
        &[],
        &["this is a fault of Oxtorch or of its set-up: `oxtorch doctor` may tell".to_owned()],
    );
    CellError { kind: ErrorKind::Engine, evalue: report.summary, traceback: report.lines }
}
