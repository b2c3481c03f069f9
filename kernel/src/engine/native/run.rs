//! Has the host run a compiled cell, and tells the user how it ended.

use std::sync::{Arc, PoisonError};

use oxtorch_protocol::{Done, Outcome};
use tokio::sync::mpsc;

use super::compile::Ready;
use super::last_words::LastWords;
use super::reports::{internal, interrupted, tell};
use super::unplaced::not_loaded;
use super::{NativeEngine, Phase};
use crate::engine::emit::RUN_SYMBOL;
use crate::engine::names::{place_in, rewrite_places};
use crate::engine::render;
use crate::engine::source_map::Place;
use crate::host::{Ended, Host, Rewritten};
use crate::session::{CellError, CellRequest, Event};

impl NativeEngine {
    /// Runs a compiled cell to its end.
    pub(super) async fn run(
        &mut self,
        ready: &Ready,
        request: CellRequest<'_>,
        events: &mpsc::Sender<Event>,
    ) -> Result<Done, CellError> {
        if self.host.is_none() {
            let host = self.standby.take(&self.surroundings).map_err(|error| internal(format!("{error:#}")))?;
            self.host = Some(host);
        }
        let Some(host) = &mut self.host else { return Err(internal("the host process is not there".to_owned())) };
        {
            let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(&*phase, Phase::Compiling { cancelled: true, .. }) {
                return Err(interrupted());
            }
            *phase = Phase::Running(host.next_run_interrupter());
        }
        let symbol = ready.emission.runs.then(|| RUN_SYMBOL.to_owned());
        let sources = Arc::clone(&self.compiler.sources);
        let last_words = LastWords::default();
        let rewrite = |text: &str| {
            let (text, held) = last_words.take(text);
            let rewritten = rewrite_places(&text, &sources.read().unwrap_or_else(PoisonError::into_inner));
            Rewritten { held: rewritten.held + held, ..rewritten }
        };
        let library = self.compiler.rustc().library(&ready.name);
        let ended = host.run(library, symbol, request.allow_stdin, events, &rewrite).await;
        // An interrupt is either for this run, and then known here, or for what comes behind it.
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Phase::compiling();
        let interrupted = host.was_interrupted();
        match ended {
            Ok(Ended::Done(mut done)) => {
                host.read_between(self.aside.as_ref());
                if interrupted && matches!(done.outcome, Outcome::Ok) {
                    done.outcome = Outcome::Interrupted;
                }
                if let Some(note) = host.ready().and_then(|ready| ready.note.clone())
                    && !std::mem::replace(&mut self.told_host_note, true)
                {
                    tell(events, &[note]).await;
                }
                tell(events, &done.notes).await;
                Ok(*done)
            }
            Ok(Ended::Died(status)) => Err(self.host_died(&last_words.ended(status), request.execution_count)),
            Err(error) => Err(self.host_died(&format!("could not be reached ({error})"), request.execution_count)),
        }
    }

    /// Tells of a host that ended while no cell ran: the cell that comes now gets a new one, and may not need what is lost.
    pub(super) async fn notice_lost_host(&mut self, cell: u32, events: &mpsc::Sender<Event>) {
        if self.host.as_mut().is_none_or(Host::is_alive) {
            return;
        }
        self.host = None;
        let lost = self.state.variables.lose_all(cell);
        let mut note =
            "the process that runs the cells has ended since the last cell; a new one takes its place".to_owned();
        if !lost.is_empty() {
            note = format!("{note}, without these variables: {}", lost.join(", "));
        }
        tell(events, &[format!("{note}.")]).await;
    }

    fn host_died(&mut self, how: &str, cell: u32) -> CellError {
        self.host = None;
        let lost = self.state.variables.lose_all(cell);
        let message = format!("the process that runs the cells {how}");
        let mut notes = vec!["the next cell gets a new process; functions and types stay defined".to_owned()];
        if !lost.is_empty() {
            notes.insert(0, format!("these variables are lost: {}", lost.join(", ")));
        }
        let report = render::failure("error", &message, &[], &notes);
        CellError { ename: "HostDied".into(), evalue: message, traceback: report.lines }
    }

    /// The error that an outcome stands for.
    pub(super) fn outcome(&self, outcome: Outcome) -> Result<(), CellError> {
        let sources = self.compiler.sources.read().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Ok => Ok(()),
            Outcome::Interrupted => Err(interrupted()),
            Outcome::Failed { message, place } => {
                let place = place.and_then(|frame| place_in(&sources, &frame.file, frame.line, frame.column));
                let report = render::failure("error", &message, place.as_slice(), &[]);
                Err(CellError { ename: "Error".into(), evalue: report.summary, traceback: report.lines })
            }
            Outcome::Panicked { message, frames } => {
                let mut places: Vec<Place> = Vec::new();
                for frame in &frames {
                    if let Some(place) = place_in(&sources, &frame.file, frame.line, frame.column)
                        && !places
                            .iter()
                            .any(|other| Arc::ptr_eq(&other.cell, &place.cell) && other.line() == place.line())
                    {
                        places.push(place);
                    }
                }
                let report = render::failure("panic", &message, &places, &[]);
                Err(CellError { ename: "Panic".into(), evalue: report.summary, traceback: report.lines })
            }
            Outcome::NotLoaded { message } => Err(not_loaded(&message)),
        }
    }
}
