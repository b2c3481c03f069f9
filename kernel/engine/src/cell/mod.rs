//! The engine: one cell, one crate, compiled by rustc and run by the host.

mod graded;
pub(crate) mod run;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use oxtorch_protocol::{Comm, CommRequest, Cost, Described, Outcome, Run, Surroundings, Timing};
use oxtorch_session::{
    CellError, CellRequest, Completeness, Completion, Documentation, Engine, ErrorKind, Event, Interrupt, Interrupter,
};
use oxtorch_setup::Runtime;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use crate::assist::analyzer::Analyzer;
use crate::assist::{self, completeness};
use crate::commands::{Segment, segments};
use crate::compile::cache::Cache;
use crate::compile::rustc::Rustc;
use crate::compile::speculate::Speculation;
use crate::compile::state::State;
use crate::compile::{CompiledCell, Compiler, Purpose};
use crate::crate_names::rewriting;
use crate::emit::RUN_SYMBOL;
use crate::host::standby::Standby;
use crate::host::{BetweenCells, Confinement, Host, RunInterrupter};
use crate::perform::wrong_commands;
use crate::report::errors::interrupted;
use crate::report::notes::{floor_division, shadowed, unused};
use crate::source::fragment::CellText;
use crate::source::identifiers::one_form_of_names;
use crate::source::parse::{ParseError, ParsedCell, parse};

/// The native engine.
pub struct NativeEngine {
    pub(crate) compiler: Arc<Compiler>,
    speculation: Speculation,
    pub(crate) standby: Standby,
    pub(crate) scratch: PathBuf,
    pub(crate) host: Option<Host>,
    /// Where what the host shows between cells goes, if somebody wants it.
    pub(crate) aside: Option<BetweenCells>,
    pub(crate) state: State,
    phase: Arc<Mutex<Phase>>,
    told_host_note: bool,
    /// What each new host is told.
    pub(crate) surroundings: Surroundings,
    /// Where `%cd -` goes.
    pub(crate) previous_dir: Option<PathBuf>,
    pub(crate) spent: Spent,
    /// Where operations of the last cell used fewer threads than they could: how many, and why.
    pub(crate) fewer_threads: Option<String>,
    /// The number of the cell that came last, which a host that ends by itself has survived.
    last_cell: u32,
    pub(crate) analyzer: Analyzer,
}

/// One call of [`Engine::execute`]: what is asked, and where what the cell shows goes.
#[derive(Clone, Copy)]
pub(crate) struct Execution<'a> {
    pub(crate) request: CellRequest<'a>,
    pub(crate) events: &'a mpsc::Sender<Event>,
}

impl Execution<'_> {
    /// Shows notes in the cell's output.
    pub(crate) async fn tell(&self, notes: &[String]) {
        for note in notes {
            // A front that no longer listens has nobody to tell.
            let _ = self.events.send(Event::Note(note.clone())).await;
        }
    }
}

/// What all cells so far have taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) compiling: Duration,
    pub(crate) running: Cost,
}

/// What a cell was asked to tell of itself.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) described: Vec<Described>,
    pub(crate) timing: Option<Timing>,
}

/// What an interrupt has to reach.
enum Phase {
    Idle,
    /// Compiling a cell, or looking up what the user is typing.
    Compiling {
        cancel: Arc<Notify>,
        cancelled: bool,
    },
    /// Running a cell, or a shell.
    Running(RunInterrupter),
}

impl Phase {
    fn compiling() -> Self {
        Self::Compiling { cancel: Arc::new(Notify::new()), cancelled: false }
    }
}

impl NativeEngine {
    /// Starts a host on a runtime; cells are compiled in `scratch`, which is removed at the end, and kept in `cache`.
    pub async fn start(runtime: Runtime, scratch: PathBuf, cache: Cache) -> anyhow::Result<Self> {
        Self::start_confined(runtime, scratch, cache, None).await
    }

    /// The same, and what runs the user's code is confined. It has to be able to read the compiled cells in `scratch`,
    /// and not their sources, which are in a folder of their own.
    pub async fn start_confined(
        runtime: Runtime,
        scratch: PathBuf,
        cache: Cache,
        confined: Option<(Confinement, PathBuf)>,
    ) -> anyhow::Result<Self> {
        let (confinement, sources) = confined.unzip();
        tokio::fs::create_dir_all(&scratch)
            .await
            .with_context(|| format!("cannot create the folder for compiled cells, {}", scratch.display()))?;
        let surroundings = Surroundings::default();
        let host = Host::start(&runtime, &surroundings, confinement.clone())?;
        let cache = Arc::new(cache);
        let swept = Arc::clone(&cache);
        // What is not swept now is swept by a later session.
        tokio::task::spawn_blocking(move || drop(swept.sweep()));
        let mut rustc = Rustc::new(runtime.clone(), scratch.clone());
        if let Some(sources) = sources {
            rustc = rustc.with_sources_in(sources);
        }
        Ok(Self {
            analyzer: Analyzer::new(runtime.recipe.clone(), &scratch),
            compiler: Arc::new(Compiler::new(rustc, cache)),
            speculation: Speculation::default(),
            standby: Standby::new(runtime, confinement),
            scratch,
            host: Some(host),
            aside: None,
            state: State::default(),
            phase: Arc::new(Mutex::new(Phase::Idle)),
            told_host_note: false,
            surroundings,
            previous_dir: None,
            spent: Spent::default(),
            fewer_threads: None,
            last_cell: 0,
        })
    }

    /// Keeps a second host waiting, so that the session goes on at once when the first one is gone.
    pub fn with_standby(mut self) -> Self {
        self.standby = self.standby.enabled();
        self
    }

    /// The process id of the host, for tests that end it.
    pub fn host_pid(&self) -> Option<u32> {
        self.host.as_ref().and_then(Host::pid)
    }

    /// Runs the commands and the code of a cell, in the order in which they were written.
    ///
    /// Boxed, because a command may hold segments of its own.
    pub(crate) fn run_segments<'a>(
        &'a mut self,
        segments: Vec<Segment>,
        call: Execution<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<(), CellError>> + Send + 'a>> {
        Box::pin(async move {
            for segment in segments {
                self.set_compiling();
                match segment {
                    Segment::Code(code) => {
                        let text = CellText::part(call.request, code, self.dir());
                        let parsed = parse(&text, &self.state.item_macros());
                        self.run_cell(&text, parsed, call).await?;
                    }
                    Segment::Command(command) => self.run_command(command, call).await?,
                }
            }
            Ok(())
        })
    }

    pub(crate) async fn run_cell(
        &mut self,
        text: &Arc<CellText>,
        parsed: Result<ParsedCell, ParseError>,
        call: Execution<'_>,
    ) -> Result<Told, CellError> {
        graded::refuse(text, call)?;
        let seen = graded::seen_by(&self.state, call);
        let start = Instant::now();
        let cancelled = self.cancelled();
        let members: Vec<String> =
            parsed.iter().flat_map(|cell| &cell.impls).flat_map(|block| block.member_paths()).collect();
        let compiled = tokio::select! {
            compiled = async {
                self.speculation.wait_for(&text.text).await;
                self.compile(seen.as_ref().unwrap_or(&self.state), text, parsed).await
            } => compiled,
            () = cancelled => {
                // What waits behind a compilation that does not end would wait for ever.
                self.speculation.end();
                Err(interrupted())
            }
        };
        self.spent.compiling += start.elapsed();
        if compiled.as_ref().is_err_and(|error| error.kind == ErrorKind::Compile) {
            self.state.fail(text, members);
        }
        let (cell, ready) = compiled?;
        graded::refuse_compiled(&self.state, &ready, call)?;
        self.state.scope.renumber(text);
        if !ready.library {
            return Ok(Told::default());
        }
        let committed = self.state.commit_items(&ready, &cell, text.number());
        call.tell(&committed.notes).await;
        call.tell(&unused::notes(&ready.lessons.unused, &ready.emission.source, text)).await;
        call.tell(&floor_division::notes(&text.text, |name| self.state.variables.live.contains_key(name))).await;
        call.tell(&shadowed::notes(&text.text)).await;
        self.speculation.go_on(&self.compiler, &self.state, &ready);
        let run = Run {
            library: Some(self.compiler.rustc().library(&ready.name)),
            symbol: ready.emission.runs.then(|| RUN_SYMBOL.to_owned()),
            allow_stdin: call.request.allow_stdin,
            forget: committed.forget,
            test: graded::key(text),
            once: graded::hide(&self.compiler, &ready, text),
            ..Run::default()
        };
        let done = self.run(run, call).await;
        if self.host.is_none() {
            self.state.lose_variables_of(&ready, text.number());
        }
        let done = done?;
        let kept: Vec<_> = done.kept.iter().map(|entry| entry.id).collect();
        let forget = self.state.commit_variables(&ready, &kept, text.number());
        self.forget(forget);
        self.spent.add(&done.cost);
        self.fewer_threads = done.threads;
        if matches!(done.outcome, Outcome::Interrupted) {
            self.speculation.end();
        }
        if done.dir.is_some() && done.dir != self.dir() {
            // The cell went there by itself.
            self.surroundings.dir = done.dir;
        }
        self.outcome(done.outcome).map(|()| Told { described: done.described, timing: done.timing })
    }

    async fn compile(
        &self,
        state: &State,
        text: &Arc<CellText>,
        parsed: Result<ParsedCell, ParseError>,
    ) -> Result<(ParsedCell, CompiledCell), CellError> {
        match parsed {
            Ok(mut cell) => {
                let ready = self.compiler.compile(state, text, &mut cell, Purpose::Run).await?;
                Ok((cell, ready))
            }
            Err(error) => Err(self.compiler.syntax_error(state, text, &error).await),
        }
    }

    /// Resolves when the user interrupts the compilation.
    pub(crate) fn cancelled(&self) -> impl Future<Output = ()> + use<> {
        let cancel = match &*self.phase.lock() {
            Phase::Compiling { cancel, .. } => Some(Arc::clone(cancel)),
            Phase::Idle | Phase::Running(_) => None,
        };
        async move {
            match cancel {
                // A permit is stored for an interrupt that came before this waits.
                Some(cancel) => cancel.notified().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Has the host drop variables.
    fn forget(&self, names: Vec<String>) {
        if let Some(host) = &self.host
            && !names.is_empty()
        {
            host.forget(names);
        }
    }
}

impl Engine for NativeEngine {
    async fn execute(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        *self.phase.lock() = Phase::compiling();
        self.notice_lost_host(Execution { request, events }).await;
        self.last_cell = request.execution_count;
        let code = one_form_of_names(&request.code.replace("\r\n", "\n")).into_owned();
        let segments = segments(&code, &|name| self.state.knows(name));
        let result = match wrong_commands(&segments) {
            Some(error) => Err(error),
            None => {
                if let Err(error) = graded::refuse_commands(&segments, request.author) {
                    *self.phase.lock() = Phase::Idle;
                    return Err(error);
                }
                self.run_segments(segments, Execution { request: CellRequest { code: &code, ..request }, events }).await
            }
        };
        *self.phase.lock() = Phase::Idle;
        self.standby.prepare();
        result
    }

    fn expect(&mut self, cells: Vec<String>) {
        self.speculation.expect(cells);
    }

    fn is_complete(&self, code: &str) -> Completeness {
        completeness::is_complete(code, &|name| self.state.knows(name))
    }

    async fn complete(&mut self, code: &str, cursor: usize) -> Completion {
        *self.phase.lock() = Phase::compiling();
        let found = self.completion(code, cursor).await;
        *self.phase.lock() = Phase::Idle;
        found
    }

    async fn inspect(&mut self, code: &str, cursor: usize, with_source: bool) -> Option<Documentation> {
        *self.phase.lock() = Phase::compiling();
        let found = self.inspection(code, cursor, with_source).await;
        *self.phase.lock() = Phase::Idle;
        found
    }

    async fn comm(&mut self, request: CommRequest, events: &mpsc::Sender<Event>) -> (Result<(), CellError>, Vec<Comm>) {
        *self.phase.lock() = Phase::compiling();
        let result = match self.run_comm(request, events).await {
            Ok(done) => (self.outcome(done.outcome), done.comms),
            Err(error) => (Err(error), Vec::new()),
        };
        *self.phase.lock() = Phase::Idle;
        self.standby.prepare();
        result
    }

    fn aside(&mut self) -> Option<mpsc::Receiver<Event>> {
        let (aside, events) = BetweenCells::new(rewriting(&self.compiler.sources));
        self.aside = Some(aside);
        Some(events)
    }

    fn names(&self) -> BTreeSet<String> {
        self.state.names()
    }

    fn keeps_variables(&mut self) -> bool {
        self.host.as_mut().is_some_and(Host::is_alive)
    }

    fn rest(&mut self) {
        assist::read_ahead();
    }

    fn interrupter(&self) -> Interrupter {
        let phase = Arc::clone(&self.phase);
        Interrupter::new(move |interrupt| {
            let mut phase = phase.lock();
            match &mut *phase {
                Phase::Idle => {}
                Phase::Compiling { cancel, cancelled } => {
                    *cancelled = true;
                    cancel.notify_one();
                }
                Phase::Running(run) => match interrupt {
                    Interrupt::Ask => run.interrupt(),
                    Interrupt::End => run.end(),
                },
            }
        })
    }

    async fn shutdown(self) {
        if let Some(host) = self.host {
            host.shutdown(self.aside.as_ref()).await;
        }
        self.standby.shutdown().await;
        self.compiler.finish().await;
        // What cannot be removed now is swept when a later kernel starts.
        let _ = tokio::fs::remove_dir_all(&self.scratch).await;
    }
}

impl NativeEngine {
    /// Where an interrupt ends the compilation, also when the cell has run something already.
    fn set_compiling(&self) {
        let mut phase = self.phase.lock();
        if !matches!(&*phase, Phase::Compiling { .. }) {
            *phase = Phase::compiling();
        }
    }
}

impl Spent {
    fn add(&mut self, cost: &Cost) {
        // A cell can make the host say anything.
        let add = Duration::saturating_add;
        self.running.wall = add(self.running.wall, cost.wall);
        self.running.user = add(self.running.user, cost.user);
        self.running.system = add(self.running.system, cost.system);
    }
}
