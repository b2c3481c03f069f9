//! The engine: one cell, one crate, compiled by rustc and run by the host.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, RwLock};

use anyhow::Context;
use oxtorch_protocol::{Done, Outcome};
use tokio::sync::{Notify, mpsc};

use super::emit::{self, Decisions, Emission, Input, RUN_SYMBOL};
use super::fragment::{CellText, Fragment};
use super::mentions::Names;
use super::names::{Sources, crate_name, place_in, rewrite_places};
use super::parse::{ParsedCell, parse};
use super::refusals::{learn, probed_types, unresolved_names};
use super::render::{self, Report};
use super::rustc::{Crate, Diagnostic, Rustc};
use super::scope::{Plan, Scope};
use super::source_map::{Place, Source};
use super::variables::{Gone, Variable, Variables, nameable};
use super::{Engine, Interrupter, complete};
use crate::host::{Ended, Host, RunInterrupter};
use crate::session::{CellError, CellRequest, Completeness, Event, Stream};
use crate::setup::Runtime;

/// More tries than this would be a mistake in how refusals are read: every try decides at least one thing.
const MAX_TRIES: usize = 24;

/// The native engine.
pub struct NativeEngine {
    runtime: Runtime,
    rustc: Rustc,
    scratch: PathBuf,
    host: Option<Host>,
    scope: Scope,
    variables: Variables,
    /// Items that no longer fit what a later cell redefined: the cell that they were in, and the one that redefined.
    stale: BTreeMap<String, (u32, u32)>,
    sources: Arc<RwLock<Sources>>,
    /// What compiling has taught about a crate, by its name at the first try.
    compiled: HashMap<String, Lessons>,
    phase: Arc<Mutex<Phase>>,
    told_host_note: bool,
}

/// What an interrupt has to reach.
enum Phase {
    Idle,
    Compiling { cancel: Arc<Notify>, cancelled: bool },
    Running(RunInterrupter),
}

/// What compiling a crate has taught.
#[derive(Debug, Clone)]
struct Lessons {
    decisions: Decisions,
    types: BTreeMap<usize, String>,
}

/// A compiled cell that waits to be run.
struct Ready {
    plan: Plan,
    emission: Emission,
    lessons: Lessons,
    name: String,
    /// Whether there is a library at all: a cell of comments has none.
    library: bool,
}

impl NativeEngine {
    /// Starts a host on a runtime; cells are compiled in `scratch`, which is removed at the end.
    pub async fn start(runtime: Runtime, scratch: PathBuf) -> anyhow::Result<Self> {
        tokio::fs::create_dir_all(&scratch)
            .await
            .with_context(|| format!("cannot create the folder for compiled cells, {}", scratch.display()))?;
        let host = Host::start(&runtime)?;
        Ok(Self {
            rustc: Rustc::new(runtime.clone(), scratch.clone()),
            runtime,
            scratch,
            host: Some(host),
            scope: Scope::default(),
            variables: Variables::default(),
            stale: BTreeMap::new(),
            sources: Arc::default(),
            compiled: HashMap::new(),
            phase: Arc::new(Mutex::new(Phase::Idle)),
            told_host_note: false,
        })
    }

    /// The process id of the host, for tests that end it.
    pub fn host_pid(&self) -> Option<u32> {
        self.host.as_ref().and_then(Host::pid)
    }

    async fn run_cell(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        let text = CellText::new(request.execution_count, request.code);
        let cell = match parse(&text) {
            Ok(cell) => cell,
            Err(error) => return Err(self.syntax_error(&text, &error).await),
        };
        let ready = self.compile(&text, &cell).await?;
        self.scope.renumber(&text);
        if !ready.library {
            return Ok(());
        }
        self.commit_items(&ready, &cell, text.number(), events).await;
        let done = self.run(&ready, request, events).await?;
        self.commit_variables(&ready, &done, text.number(), events).await;
        self.outcome(done.outcome)
    }

    /// Compiles a cell, trying again with what rustc refuses left out, until it compiles or the errors are the user's.
    async fn compile(&mut self, text: &Arc<CellText>, cell: &ParsedCell) -> Result<Ready, CellError> {
        let mut macro_mentions = cell.mentions.clone();
        self.scope.close_over_macros(&mut macro_mentions);
        macro_mentions.retain(|name| !cell.mentions.contains(name));
        let mut decisions = Decisions::default();
        let mut first_name: Option<String> = None;
        for _ in 0..MAX_TRIES {
            let plan = self.scope.plan(cell, &decisions.stale);
            let mut live = self.variables.clone();
            live.rehome(&plan, &"crate".to_owned(), text.number());
            let emission = emit::emit(Input {
                cell,
                plan: &plan,
                imports: &self.scope.imports(&plan, cell),
                uses: &self.scope.uses(&plan, cell),
                live: &live.live,
                macro_mentions: &macro_mentions,
                decisions: &decisions,
            });
            let name = crate_name(self.rustc.runtime_key(), cell.heavy, &emission.source.text);
            if !emission.runs && plan.is_empty() && cell.uses.is_empty() {
                let lessons = Lessons { decisions, types: BTreeMap::new() };
                return Ok(Ready { plan, emission, lessons, name, library: false });
            }
            if first_name.is_none() {
                if let Some(lessons) = self.compiled.get(&name)
                    && lessons.decisions != decisions
                {
                    decisions = lessons.decisions.clone();
                    first_name = Some(name);
                    continue;
                }
                first_name = Some(name.clone());
            }
            let known = first_name.as_ref().and_then(|first| self.compiled.get(first));
            if let Some(lessons) = known.filter(|lessons| lessons.decisions == decisions)
                && self.rustc.library(&name).exists()
            {
                self.remember_source(&name, &emission.source);
                return Ok(Ready { plan, emission, lessons: lessons.clone(), name, library: true });
            }
            let krate = Crate {
                name: &name,
                source: &emission.source.text,
                crates: &emission.crates,
                optimise: cell.heavy,
                full_paths: true,
            };
            let compiled = self.rustc_or_interrupt(krate).await?;
            let file = format!("{name}.rs");
            if compiled.library.is_some() {
                let local: Vec<String> = plan
                    .new_items
                    .iter()
                    .chain(&plan.moved_items)
                    .flat_map(|item| item.names.iter().cloned())
                    .collect();
                let types = probed_types(&compiled.diagnostics, &emission, &file).into_iter();
                let types = types.map(|(id, ty)| (id, nameable(&ty, &local, &name).unwrap_or_else(|| unnameable(&ty))));
                let lessons = Lessons { decisions, types: types.collect() };
                if let Some(first) = first_name {
                    self.compiled.insert(first, lessons.clone());
                }
                self.remember_source(&name, &emission.source);
                return Ok(Ready { plan, emission, lessons, name, library: true });
            }
            let errors: Vec<&Diagnostic> =
                compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
            if errors.is_empty() {
                return Err(internal(format!(
                    "rustc ended without a library and without a message\n{}",
                    compiled.other
                )));
            }
            match learn(&errors, &emission, &file, &decisions) {
                Some(next) => decisions = next,
                None => return Err(self.compile_error(krate, &emission.source).await?),
            }
        }
        Err(internal("rustc refused every way to run this cell".to_owned()))
    }

    /// The same crate may come from another cell, or from the same one under another number: the last one is the one that
    /// the user is looking at.
    fn remember_source(&self, name: &str, source: &Source) {
        let mut sources = self.sources.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        sources.insert(name.to_owned(), Arc::new(source.clone()));
    }

    async fn rustc_or_interrupt(&self, krate: Crate<'_>) -> Result<super::rustc::Compiled, CellError> {
        let cancel = {
            let phase = self.phase.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match &*phase {
                Phase::Compiling { cancelled: true, .. } => return Err(interrupted()),
                Phase::Compiling { cancel, .. } => Arc::clone(cancel),
                Phase::Idle | Phase::Running(_) => Arc::new(Notify::new()),
            }
        };
        tokio::select! {
            compiled = self.rustc.compile(krate) => compiled.map_err(|error| internal(format!("{error:#}"))),
            () = cancel.notified() => Err(interrupted()),
        }
    }

    /// Draws the user's errors. rustc is asked once more, for types as a reader likes them.
    async fn compile_error(&self, krate: Crate<'_>, source: &Source) -> Result<CellError, CellError> {
        let compiled = self.rustc_or_interrupt(Crate { full_paths: false, ..krate }).await?;
        let errors = compiled.placed_errors();
        let file = format!("{}.rs", krate.name);
        let report = render::errors(&errors, source, &file, |error| self.explain_loss(error));
        Ok(compile_error(report))
    }

    /// What we know of a name that rustc cannot find.
    fn explain_loss(&self, error: &Diagnostic) -> Option<String> {
        let names = unresolved_names(&[error]);
        names.iter().find_map(|name| {
            let lost = self.variables.lost.get(name).map(|loss| loss.explain(name));
            lost.or_else(|| {
                let (cell, by) = self.stale.get(name)?;
                Some(format!(
                    "`{name}` of cell [{cell}] no longer fits what cell [{by}] defines. Run cell [{cell}] again"
                ))
            })
        })
    }

    /// rustc explains a syntax error better than syn does.
    async fn syntax_error(&self, text: &Arc<CellText>, error: &syn::Error) -> CellError {
        let mut source = Source::default();
        source.glue("#![allow(unused)] fn __oxtorch_run() { ");
        source.fragment(&Fragment { cell: Arc::clone(text), range: 0..text.text.len(), edits: Vec::new() });
        source.glue("\n}\n");
        let name = crate_name(self.rustc.runtime_key(), false, &source.text);
        let crates = BTreeSet::new();
        let krate = Crate { name: &name, source: &source.text, crates: &crates, optimise: false, full_paths: false };
        let compiled = match self.rustc_or_interrupt(krate).await {
            Ok(compiled) => compiled,
            Err(error) => return error,
        };
        let errors = compiled.placed_errors();
        if !errors.is_empty() {
            return compile_error(render::errors(&errors, &source, &format!("{name}.rs"), |_| None));
        }
        let range = error.span().byte_range();
        let range = range.start.min(text.text.len())..range.end.min(text.text.len());
        let place = Place { cell: Arc::clone(text), range };
        compile_error(render::failure("error", &error.to_string(), &[place], &[]))
    }

    /// Makes the items of a compiled cell the session's, whatever becomes of its statements.
    async fn commit_items(&mut self, ready: &Ready, cell: &ParsedCell, number: u32, events: &mpsc::Sender<Event>) {
        let mut notes = Vec::new();
        for name in &ready.lessons.decisions.stale {
            if let Some(live) = self.scope.find(name) {
                let from = live.item.fragment.cell.number();
                notes.push(format!(
                    "`{name}` of cell [{from}] no longer fits what this cell defines. Run cell [{from}] again."
                ));
                self.stale.insert(name.clone(), (from, number));
            } else if let Some(block) = self.scope.find_impl(name) {
                let from = block.fragment.cell.number();
                let header = block.fragment.text().split('{').next().unwrap_or("impl").trim().to_owned();
                notes.push(format!(
                    "`{header}` of cell [{from}] no longer fits what this cell defines. Run cell [{from}] again."
                ));
            }
        }
        for leaf in &ready.lessons.decisions.dropped_uses {
            notes.push(format!("`{}` of an earlier cell no longer holds and was dropped.", leaf.code));
            self.scope.drop_use(leaf);
        }
        self.scope.commit(&ready.plan, cell, &ready.name);
        for item in ready.plan.new_items.iter().chain(&ready.plan.moved_items) {
            for name in &item.names {
                self.stale.remove(name);
            }
        }
        let dropped = self.variables.rehome(&ready.plan, &ready.name, number);
        for (name, ty) in &dropped {
            notes.push(format!(
                "`{name}` was dropped: its type `{ty}` has another definition now. Run the cell that makes it again."
            ));
        }
        // A function or constant defined now takes the name from an older variable.
        let values = ready.plan.new_items.iter().flat_map(|item| &item.names);
        let mut forget: Vec<String> =
            values.filter(|name| self.variables.live.remove(*name).is_some()).cloned().collect();
        forget.extend(dropped.into_iter().map(|(name, _)| name));
        if let Some(host) = &self.host
            && !forget.is_empty()
        {
            host.forget(forget);
        }
        tell(events, &notes).await;
    }

    async fn run(
        &mut self,
        ready: &Ready,
        request: CellRequest<'_>,
        events: &mpsc::Sender<Event>,
    ) -> Result<Done, CellError> {
        if self.host.is_none() {
            self.host = Some(Host::start(&self.runtime).map_err(|error| internal(format!("{error:#}")))?);
        }
        let Some(host) = &mut self.host else { return Err(internal("the host process is not there".to_owned())) };
        {
            let mut phase = self.phase.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if matches!(&*phase, Phase::Compiling { cancelled: true, .. }) {
                return Err(interrupted());
            }
            *phase = Phase::Running(host.next_run_interrupter());
        }
        let symbol = ready.emission.runs.then(|| RUN_SYMBOL.to_owned());
        let sources = Arc::clone(&self.sources);
        let rewrite =
            move |text: &str| rewrite_places(text, &sources.read().unwrap_or_else(|poisoned| poisoned.into_inner()));
        let library = self.rustc.library(&ready.name);
        let ended = host.run(library, symbol, request.allow_stdin, events, &rewrite).await;
        match ended {
            Ok(Ended::Done(done)) => {
                if let Some(note) = host.ready().and_then(|ready| ready.note.clone())
                    && !std::mem::replace(&mut self.told_host_note, true)
                {
                    tell(events, &[note]).await;
                }
                Ok(done)
            }
            Ok(Ended::Died(status)) => Err(self.host_died(&ended_how(status), request.execution_count)),
            Err(error) => Err(self.host_died(&format!("could not be reached ({error})"), request.execution_count)),
        }
    }

    fn host_died(&mut self, how: &str, cell: u32) -> CellError {
        self.host = None;
        let lost = self.variables.lose_all(cell);
        let message = format!("the process that runs the cells {how}");
        let mut notes = vec!["a new one starts with the next cell; functions and types stay defined".to_owned()];
        if !lost.is_empty() {
            notes.insert(0, format!("these variables are lost: {}", lost.join(", ")));
        }
        let report = render::failure("error", &message, &[], &notes);
        CellError { ename: "HostDied".into(), evalue: message, traceback: report.lines }
    }

    async fn commit_variables(&mut self, ready: &Ready, done: &Done, number: u32, events: &mpsc::Sender<Event>) {
        let decisions = &ready.lessons.decisions;
        let mut notes = Vec::new();
        let mut forget = Vec::new();
        let mut kept = Names::new();
        for entry in &done.kept {
            let Some(variable) = ready.emission.variables.get(entry.id) else { continue };
            let stored = match &variable.taken {
                // Its type may have moved to this cell's crate; `rehome` has followed it there.
                Some(taken) => self
                    .variables
                    .live
                    .get(&variable.name)
                    .map_or_else(|| Err(taken.ty.clone()), |live| Ok(live.ty.clone())),
                None => match ready.lessons.types.get(&entry.id) {
                    Some(ty) => unnameable_type(ty).map_or_else(|| Ok(ty.clone()), |ty| Err(ty.to_owned())),
                    None => Err("which the compiler did not tell".to_owned()),
                },
            };
            match stored {
                Ok(ty) => {
                    let (mutable, declared) = (variable.mutable, variable.declared.clone());
                    self.variables.keep(&variable.name, Variable { mutable, ty, declared, moved_home: false });
                    kept.insert(variable.name.clone());
                }
                Err(ty) => {
                    self.variables.lose(&variable.name, number, Gone::Unnameable(ty));
                    notes.extend(self.loss_note(&variable.name));
                    forget.push(variable.name.clone());
                }
            }
        }
        for (id, variable) in ready.emission.variables.iter().enumerate() {
            let name = &variable.name;
            if kept.contains(name) || forget.contains(name) {
                continue;
            }
            let shadowed = ready.emission.variables[id + 1..].iter().any(|later| later.name == *name);
            if shadowed {
                continue;
            }
            if decisions.moved.contains(&id) {
                self.variables.lose(name, number, Gone::Moved);
            } else if decisions.not_kept.contains(&id) {
                self.variables.lose(name, number, Gone::Borrows);
                notes.extend(self.loss_note(name));
            } else if variable.taken.is_none() && !self.variables.live.contains_key(name) {
                self.variables.lose(name, number, Gone::NotReached);
            }
        }
        if let Some(host) = &self.host
            && !forget.is_empty()
        {
            host.forget(forget);
        }
        tell(events, &notes).await;
    }

    fn loss_note(&self, name: &str) -> Option<String> {
        // `_x` says that nobody is going to miss it.
        let loss = self.variables.lost.get(name).filter(|_| !name.starts_with('_'))?;
        Some(format!("{}.", loss.explain(name)))
    }

    fn outcome(&self, outcome: Outcome) -> Result<(), CellError> {
        let sources = self.sources.read().unwrap_or_else(|poisoned| poisoned.into_inner());
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
            Outcome::NotLoaded { message } => {
                Err(internal(format!("the compiled cell could not be loaded: {message}")))
            }
        }
    }
}

impl Engine for NativeEngine {
    async fn execute(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        self.set_phase(Phase::Compiling { cancel: Arc::new(Notify::new()), cancelled: false });
        let result = self.run_cell(request, events).await;
        self.set_phase(Phase::Idle);
        result
    }

    fn is_complete(&self, code: &str) -> Completeness {
        complete::is_complete(code)
    }

    fn interrupter(&self) -> Interrupter {
        let phase = Arc::clone(&self.phase);
        Interrupter::new(move || {
            let mut phase = phase.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match &mut *phase {
                Phase::Idle => {}
                Phase::Compiling { cancel, cancelled } => {
                    *cancelled = true;
                    cancel.notify_one();
                }
                Phase::Running(run) => run.interrupt(),
            }
        })
    }

    async fn shutdown(self) {
        if let Some(host) = self.host {
            host.shutdown().await;
        }
        // What cannot be removed now is swept when a later kernel starts.
        let _ = tokio::fs::remove_dir_all(&self.scratch).await;
    }
}

impl NativeEngine {
    fn set_phase(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = phase;
    }
}

/// How a type without a name is put down among those with one; no type's code starts like this.
const UNNAMEABLE: &str = "?";

fn unnameable(ty: &str) -> String {
    let what = if ty.contains("{closure") {
        "a closure's".to_owned()
    } else if ty.contains("{async") {
        "an async block's".to_owned()
    } else if ty.contains('{') {
        "a function's own".to_owned()
    } else {
        format!("`{}`", super::names::readable(ty))
    };
    format!("{UNNAMEABLE}{what}")
}

fn unnameable_type(ty: &str) -> Option<&str> {
    ty.strip_prefix(UNNAMEABLE)
}

async fn tell(events: &mpsc::Sender<Event>, notes: &[String]) {
    if !notes.is_empty() {
        let text = notes.iter().map(|note| format!("note: {note}\n")).collect();
        // A front that no longer listens has nobody to tell.
        let _ = events.send(Event::Stream { stream: Stream::Stderr, text }).await;
    }
}

fn compile_error(report: Report) -> CellError {
    CellError { ename: "CompileError".into(), evalue: report.summary, traceback: report.lines }
}

fn interrupted() -> CellError {
    let message = "the cell was interrupted; its variables stay as they are";
    let report = render::failure("interrupt", message, &[], &[]);
    CellError { ename: "KeyboardInterrupt".into(), evalue: message.into(), traceback: report.lines }
}

fn internal(message: String) -> CellError {
    let report = render::failure(
        "error",
        &message,
        &[],
        &["this is a fault of Oxtorch or of its set-up: `oxtorch doctor` may tell".to_owned()],
    );
    CellError { ename: "EngineError".into(), evalue: report.summary, traceback: report.lines }
}

pub(super) fn ended_how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(9), _) => {
            "was killed (SIGKILL): by a second interrupt, by somebody, or because memory ran out".to_owned()
        }
        (Some(11), _) => "crashed (SIGSEGV): unsafe code, or recursion without end".to_owned(),
        (Some(6), _) => {
            "aborted (SIGABRT): a panic that cannot unwind, a stack overflow, or `std::process::abort`".to_owned()
        }
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("exited with code {code}"),
        (None, None) => "ended".to_owned(),
    }
}
