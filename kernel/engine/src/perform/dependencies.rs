//! Has the crates built that a cell asks for by `:dep`.

use std::sync::Arc;
use std::time::Duration;

use oxtorch_session::{CellError, ErrorKind, Event, ProgressLine};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cell::{Execution, NativeEngine};
use crate::compile::deps::{Failure, Site};
use crate::report::errors::interrupted;
use crate::report::render;

/// How long a line of progress stands before the next.
const BETWEEN_LINES: Duration = Duration::from_millis(500);

impl NativeEngine {
    /// Makes the crates that the lines ask for usable by the cells from here on.
    pub(super) async fn add_dependencies(&mut self, lines: &[String], call: Execution<'_>) -> Result<(), CellError> {
        let runtime = self.compiler.rustc().runtime().clone();
        let site = Site { runtime, scratch: self.scratch.clone(), folder: self.dir().unwrap_or_default() };
        let (says, mut told) = mpsc::unbounded_channel();
        let progress = Arc::new(move |line| {
            // Nobody listens to a build that was interrupted.
            let _ = says.send(line);
        });
        let mut dependencies = self.state.dependencies.clone();
        let added = {
            let work = dependencies.add(lines, &site, progress);
            tokio::pin!(work);
            // A line that comes too soon waits, and gives way to a later one.
            let mut waiting: Option<String> = None;
            let mut next = Instant::now();
            let mut shown = ProgressLine::default();
            loop {
                tokio::select! {
                    biased;
                    () = self.cancelled() => return Err(interrupted()),
                    Some(line) = told.recv() => waiting = Some(line),
                    () = tokio::time::sleep_until(next), if waiting.is_some() => {
                        next = Instant::now() + BETWEEN_LINES;
                        let line = waiting.take().unwrap_or_default();
                        // A front that no longer listens has nobody to tell.
                        let _ = call.events.send(Event::Display(shown.show(line))).await;
                    }
                    added = &mut work => break added,
                }
            }
        };
        match added {
            Ok(notes) => {
                self.state.dependencies = dependencies;
                call.tell(&notes).await;
                Ok(())
            }
            Err(Failure::Interrupted) => Err(interrupted()),
            Err(Failure::Refused { message, notes }) => {
                Err(render::failure("error", &message, &[], &notes).into_error(ErrorKind::Dependency))
            }
        }
    }
}
