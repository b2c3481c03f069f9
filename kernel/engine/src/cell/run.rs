//! Has the host run a compiled cell, and tells the user how it ended.

use std::sync::Arc;

use oxtorch_protocol::{Comm, CommAction, CommRequest, Done, Frame, Outcome, Run};
use oxtorch_session::{CellError, CellRequest, ErrorKind, Event, Stream};
use serde_json::Map;
use tokio::sync::mpsc;

use crate::cell::{Execution, NativeEngine, Phase};
use crate::compile::compiler_failure::not_loaded;
use crate::crate_names::{place_in, rewriting};
use crate::host::exit_reason::LastWords;
use crate::host::{Ended, Host, Outlet, Rewritten, RunInterrupter};
use crate::plan::variables::Gone;
use crate::report::errors::{internal, interrupted};
use crate::report::render;
use crate::source::source_map::Place;

impl NativeEngine {
    /// Runs a compiled cell to its end.
    pub(crate) async fn run(&mut self, run: Run, call: Execution<'_>) -> Result<Done, CellError> {
        if self.host()?.works_elsewhere() {
            let note = "the folder that cells work in is gone: they work in `/` until `%cd` names another";
            call.tell(&[note.to_owned()]).await;
        }
        self.begin_run(Host::next_run_interrupter)?;
        let cell = call.request.execution_count;
        let places = rewriting(&self.compiler.sources);
        let last_words = LastWords::default();
        let rewrite = |stream: Stream, text: &str| {
            if stream == Stream::Stdout {
                return places(stream, text);
            }
            let (text, held) = last_words.take(text);
            let rewritten = places(stream, &text);
            Rewritten { held: rewritten.held + held, ..rewritten }
        };
        let host = self.host()?;
        let ended = host.run(run, Outlet { events: call.events, rewrite: &rewrite }).await;
        let interrupted = self.end_run();
        match ended {
            Ok(Ended::Done(mut done)) => {
                if interrupted && matches!(done.outcome, Outcome::Ok) {
                    done.outcome = Outcome::Interrupted;
                }
                if let Some(note) = self.host.as_ref().and_then(Host::ready).and_then(|ready| ready.note.clone())
                    && !std::mem::replace(&mut self.told_host_note, true)
                {
                    call.tell(&[note]).await;
                }
                call.tell(&done.notes).await;
                Ok(*done)
            }
            Ok(Ended::Died(_)) if self.host.as_ref().is_some_and(Host::was_ended) => {
                let how = "was ended, because the cell did not end when it was interrupted";
                Err(self.host_died(how, cell))
            }
            Ok(Ended::Died(status)) if self.host.as_ref().is_some_and(|host| host.ready().is_none()) => {
                Err(self.host_died(&last_words.not_started(status), cell))
            }
            Ok(Ended::Died(status)) => Err(self.host_died(&last_words.ended(status), cell)),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(self.host_died(&format!("was ended: {error}"), cell))
            }
            Err(error) => Err(self.host_died(&format!("could not be reached ({error})"), cell)),
        }
    }

    /// Has the widgets hear what a frontend says. Where their process is gone they end.
    pub(crate) async fn run_comm(
        &mut self,
        request: CommRequest,
        events: &mpsc::Sender<Event>,
    ) -> Result<Done, CellError> {
        if !self.host.as_mut().is_some_and(Host::is_alive) {
            let ended = Comm { action: CommAction::Close, data: Map::new(), ..request.comm };
            return Ok(Done { comms: vec![ended], ..Done::default() });
        }
        let cell = CellRequest::new("", self.last_cell);
        let run = Run { comm: Some(request), ..Run::default() };
        let done = self.run(run, Execution { request: cell, events }).await?;
        self.spent.add(&done.cost);
        self.fewer_threads.clone_from(&done.threads);
        Ok(done)
    }

    /// The host, a new one where there is none.
    pub(crate) fn host(&mut self) -> Result<&mut Host, CellError> {
        let host = match self.host.take() {
            Some(host) => host,
            None => self.standby.take(&self.surroundings).map_err(|error| internal(format!("{error:#}")))?,
        };
        Ok(self.host.insert(host))
    }

    /// From here on an interrupt is for what the host now runs; not where one has come before.
    pub(crate) fn begin_run(&mut self, interrupter: impl FnOnce(&mut Host) -> RunInterrupter) -> Result<(), CellError> {
        let Some(host) = &mut self.host else { return Err(internal("the host process is not running".to_owned())) };
        let mut phase = self.phase.lock();
        if matches!(&*phase, Phase::Compiling { cancelled: true, .. }) {
            return Err(interrupted());
        }
        *phase = Phase::Running(interrupter(host));
        Ok(())
    }

    /// Says whether what the host has run was interrupted: an interrupt is either for that, and then known here, or for
    /// what comes behind it.
    pub(crate) fn end_run(&mut self) -> bool {
        *self.phase.lock() = Phase::compiling();
        let Some(host) = &mut self.host else { return false };
        host.read_between(self.aside.as_ref());
        host.was_interrupted()
    }

    /// Tells of a host that ended while no cell ran: the cell that comes now gets a new one, and may not need what is
    /// lost.
    pub(super) async fn notice_lost_host(&mut self, call: Execution<'_>) {
        if self.host.as_mut().is_none_or(Host::is_alive) {
            return;
        }
        self.host = None;
        let lost = self.state.variables.lose_all(self.last_cell, &Gone::HostLostAfter);
        let mut note =
            "the process that runs the cells has ended since the last cell; a new one takes its place".to_owned();
        if !lost.is_empty() {
            note = format!("{note}, without these variables: {}", lost.join(", "));
        }
        call.tell(&[format!("{note}.")]).await;
    }

    fn host_died(&mut self, how: &str, cell: u32) -> CellError {
        self.host = None;
        let lost = self.state.variables.lose_all(cell, &Gone::HostLost);
        let message = format!("the process that runs the cells {how}");
        let mut notes = vec!["the next cell gets a new process; functions and types stay defined".to_owned()];
        if how.starts_with("could not start") && std::env::var_os("LD_LIBRARY_PATH").is_some_and(|it| !it.is_empty()) {
            notes.push("LD_LIBRARY_PATH is set: libraries from there are loaded in place of the system's".to_owned());
        }
        if !lost.is_empty() {
            notes.insert(0, format!("these variables are lost: {}", lost.join(", ")));
        }
        render::failure("error", &message, &[], &notes).into_error(ErrorKind::HostDied)
    }

    /// The error that an outcome stands for.
    pub(crate) fn outcome(&self, outcome: Outcome) -> Result<(), CellError> {
        let sources = self.compiler.sources.read();
        let place_of = |frame: &Frame| place_in(&sources, &frame.file, frame.line, frame.column);
        match outcome {
            Outcome::Ok => Ok(()),
            Outcome::Interrupted => Err(interrupted()),
            Outcome::Failed { message, place } => {
                let place = place.as_ref().and_then(place_of);
                Err(render::failure("error", &message, place.as_slice(), &[]).into_error(ErrorKind::Error))
            }
            Outcome::Panicked { message, frames } => {
                let mut places: Vec<Place> = Vec::new();
                for place in frames.iter().filter_map(place_of) {
                    let is_it = |other: &Place| Arc::ptr_eq(&other.cell, &place.cell) && other.line() == place.line();
                    if !places.iter().any(is_it) {
                        places.push(place);
                    }
                }
                Err(render::failure("panic", &message, &places, &[]).into_error(ErrorKind::Panic))
            }
            Outcome::NotLoaded { message } => Err(not_loaded(&message)),
        }
    }
}
