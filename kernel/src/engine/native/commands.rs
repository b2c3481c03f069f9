//! What the commands of a cell do.

use tokio::sync::mpsc;

use super::NativeEngine;
use crate::engine::commands::Command;
use crate::engine::render;
use crate::session::{CellError, CellRequest, Event};

impl NativeEngine {
    /// Runs one command of a cell.
    pub(super) async fn run_command(
        &mut self,
        command: Command,
        _request: CellRequest<'_>,
        events: &mpsc::Sender<Event>,
    ) -> Result<(), CellError> {
        match command {
            Command::Dep { lines } => self.add_dependencies(&lines, events).await,
            Command::Unknown { text } => {
                let message = format!("`{text}` is not a command");
                let report = render::failure("error", &message, &[], &[]);
                Err(CellError { ename: "CommandError".into(), evalue: report.summary, traceback: report.lines })
            }
        }
    }
}
