//! The evcxr engine: the established evaluator of Rust behind the same events.
//!
//! evcxr blocks, so it has a thread of its own. Two processes stand behind it (`tap`): one that runs the cells, and one
//! in between that brings what they print into order (`lines`). The runtime comes with the first cell that names it
//! (`dependency`); a session without it does not pay for it. An interrupt ends the process, and the variables with it:
//! evcxr knows no other way.

mod dependency;
mod failure;
mod lines;
mod tap;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, Select};
use evcxr::{CommandContext, Error, EvalCallbacks, EvalContext, EvalOutputs};
use oxtorch_protocol::{Display, DisplayKind, FromHost};
use oxtorch_session::{CellError, CellRequest, Completeness, Engine, ErrorKind, Event, Interrupter, Stream};
use oxtorch_setup::Runtime;
use oxtorch_system::home::Home;
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Map, Value};
pub use tap::hook;
use tokio::sync::{mpsc, oneshot};

use crate::assist::completeness;
use crate::evcxr::dependency::Dependency;
use crate::evcxr::lines::Line;
use crate::host::name_libraries;
use crate::host::rich_output;

/// How long text on stderr waits: what follows may tell that it was the report of a failure.
const PATIENCE: Duration = Duration::from_millis(100);

/// The evcxr engine.
pub struct EvcxrEngine {
    jobs: std_mpsc::Sender<Job>,
    items: mpsc::UnboundedReceiver<Item>,
    process: Process,
}

/// The process that runs the cells, and the one ahead of it.
#[derive(Clone)]
struct Process {
    handle: Arc<std::sync::Mutex<std::process::Child>>,
    runs: Arc<AtomicBool>,
    interrupted: Arc<AtomicBool>,
}

/// A cell for evcxr's thread.
struct Job {
    code: String,
    allow_stdin: bool,
}

/// What evcxr's thread tells of a cell.
enum Item {
    Line(Line),
    Input { prompt: String, password: bool, reply: oneshot::Sender<Option<String>> },
    Done { result: Result<EvalOutputs, Box<Error>>, lost: Vec<String> },
}

impl EvcxrEngine {
    /// Starts evcxr. `program` is started again for the processes behind it: it calls [`hook`] first.
    pub async fn start(home: &Home, runtime: &Runtime, program: PathBuf) -> anyhow::Result<Self> {
        let (toolchain, dependency) = (rustup_name(runtime), Dependency::lay_out(home, runtime)?);
        let mut command = Command::new(program);
        name_libraries(&mut command, runtime)?;
        let (jobs, queue) = std_mpsc::channel();
        let (sender, items) = mpsc::unbounded_channel();
        let (says, started) = oneshot::channel();
        std::thread::Builder::new()
            .name("evcxr".into())
            .spawn(move || match Evaluator::start(command, toolchain, dependency, sender) {
                Ok(mut evaluator) => {
                    let handle = evaluator.context.process_handle();
                    let process = Process { handle, runs: Arc::default(), interrupted: Arc::default() };
                    if says.send(Ok(process)).is_ok() {
                        queue.iter().for_each(|job| evaluator.run(&job));
                    }
                }
                Err(error) => drop(says.send(Err(error))),
            })
            .context("cannot start a thread for evcxr")?;
        let process = started.await.context("evcxr's thread ended")??;
        Ok(Self { jobs, items, process })
    }

    async fn run_cell(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        let CellRequest { code, execution_count: number, allow_stdin, .. } = request;
        let mut cell = Cell { events, held: String::new(), panicked: false, failed: false, ended: None };
        if self.jobs.send(Job { code: code.to_owned(), allow_stdin }).is_err() {
            return Err(failure::plain(ErrorKind::HostDied, "error", "evcxr has ended", &[]));
        }
        loop {
            let item = match tokio::time::timeout(PATIENCE, self.items.recv()).await {
                Ok(Some(item)) => item,
                Ok(None) => return Err(failure::plain(ErrorKind::HostDied, "error", "evcxr has ended", &[])),
                Err(_) => {
                    cell.let_go().await;
                    continue;
                }
            };
            match item {
                Item::Line(line) => cell.take(line).await,
                Item::Input { prompt, password, reply } => cell.show(Event::Input { prompt, password, reply }).await,
                Item::Done { result, lost } => {
                    let interrupted = self.process.interrupted.load(Ordering::SeqCst);
                    return cell.end(result, lost, interrupted, code, number).await;
                }
            }
        }
    }
}

/// What is known of the running cell.
struct Cell<'a> {
    events: &'a mpsc::Sender<Event>,
    /// Text on stderr that may be the report of a failure.
    held: String,
    panicked: bool,
    failed: bool,
    ended: Option<String>,
}

impl Cell<'_> {
    async fn send(&self, event: Event) {
        // A front that no longer listens has asked for the cell to run all the same.
        let _ = self.events.send(event).await;
    }

    /// Shows something behind the text that was held.
    async fn show(&mut self, event: Event) {
        self.let_go().await;
        self.send(event).await;
    }

    /// Shows all text that was held.
    async fn flush(&mut self) {
        let text = std::mem::take(&mut self.held);
        if !text.is_empty() {
            self.send(Event::Stream { stream: Stream::Stderr, text }).await;
        }
    }

    /// Shows the text that was held, but for the report of a panic, which is shown with the error.
    async fn let_go(&mut self) {
        let report = failure::panic_report(&self.held).unwrap_or(self.held.len());
        let text: String = self.held.drain(..report).collect();
        if !text.is_empty() {
            self.send(Event::Stream { stream: Stream::Stderr, text }).await;
        }
    }

    async fn take(&mut self, line: Line) {
        match line {
            Line::Text { stderr: true, text } => self.held.push_str(&text),
            Line::Text { stderr: false, text } => self.show(Event::Stream { stream: Stream::Stdout, text }).await,
            Line::Panicked => self.panicked = true,
            Line::Failed => self.failed = true,
            Line::Ended { how } => self.ended = Some(how),
            Line::Message(FromHost::Display(display)) => self.show(Event::Display(display)).await,
            Line::Message(FromHost::ClearOutput { wait }) => self.show(Event::ClearOutput { wait }).await,
            Line::Message(FromHost::Note { text }) => self.show(Event::Note(text)).await,
            Line::Message(
                FromHost::Ready(_) | FromHost::Comm(_) | FromHost::Input { .. } | FromHost::Mark(_) | FromHost::Done(_),
            ) => {}
        }
    }

    async fn end(
        mut self,
        result: Result<EvalOutputs, Box<Error>>,
        lost: Vec<String>,
        interrupted: bool,
        code: &str,
        number: u32,
    ) -> Result<(), CellError> {
        let error = match result {
            Ok(_) if self.panicked => {
                self.let_go().await;
                failure::panicked(&std::mem::take(&mut self.held))
            }
            Ok(_) if self.failed => {
                let message = std::mem::take(&mut self.held);
                let message = if message.trim().is_empty() { "a `?` met an error" } else { message.trim_end() };
                failure::plain(ErrorKind::Error, "error", message, &[])
            }
            Ok(outputs) => {
                self.flush().await;
                if let Some(display) = shown(outputs) {
                    self.send(Event::Display(display)).await;
                }
                return Ok(());
            }
            Err(error) => match *error {
                Error::SubprocessTerminated(said) => {
                    let mut notes =
                        vec!["a new process starts with the next cell; functions and types stay defined".into()];
                    if !lost.is_empty() {
                        notes.insert(0, format!("these variables are lost: {}", lost.join(", ")));
                    }
                    if interrupted {
                        failure::plain(ErrorKind::Interrupted, "interrupted", "the cell was interrupted", &notes)
                    } else {
                        let how = self.ended.take().unwrap_or(said);
                        let message = format!("the process that runs the cells {how}");
                        failure::plain(ErrorKind::HostDied, "error", &message, &notes)
                    }
                }
                error => failure::refused(&error, code, number),
            },
        };
        self.flush().await;
        Err(error)
    }
}

/// Data as the Jupyter protocol wants it; as it is where it is not of its type.
fn parsed(mime: &str, data: String) -> Value {
    rich_output::value(mime, &data).unwrap_or(Value::from(data))
}

/// The value of the trailing expression, where evcxr itself has shown it.
fn shown(outputs: EvalOutputs) -> Option<Display> {
    let data: Map<String, Value> =
        outputs.content_by_mime_type.into_iter().map(|(mime, data)| (mime.clone(), parsed(&mime, data))).collect();
    let nothing = data.is_empty() || (data.len() == 1 && data.get("text/plain").is_some_and(|text| text == "()"));
    (!nothing).then_some(Display { kind: DisplayKind::Result, data, metadata: Map::new(), display_id: None })
}

/// The name that rustup has for the toolchain of a runtime.
fn rustup_name(runtime: &Runtime) -> Option<String> {
    let toolchain = runtime.rustc.parent()?.parent()?;
    let is_rustups = toolchain.parent()?.file_name()? == "toolchains";
    is_rustups.then(|| toolchain.file_name()?.to_str().map(str::to_owned)).flatten()
}

/// evcxr's session, on its thread.
struct Evaluator {
    context: CommandContext,
    lines: Arc<Mutex<Lines>>,
    dependency: Dependency,
    /// Whether the runtime is in scope, or never will be.
    settled: bool,
}

/// Passes lines on, in the order in which evcxr has read them.
struct Lines {
    from: Receiver<String>,
    to: mpsc::UnboundedSender<Item>,
    /// What the runtime asks; evcxr asks for the answer right after.
    asked: Option<(String, bool)>,
}

impl Lines {
    /// Says whether more may come.
    fn pass_on(&mut self) -> bool {
        loop {
            let line = match self.from.try_recv() {
                Ok(line) => line,
                Err(error) => return !error.is_disconnected(),
            };
            let line = Line::read(&line);
            if let Line::Message(FromHost::Input { prompt, password }) = &line {
                self.asked = Some((prompt.clone(), *password));
            }
            let _ = self.to.send(Item::Line(line));
        }
    }
}

impl Evaluator {
    fn start(
        mut command: Command,
        toolchain: Option<String>,
        dependency: Dependency,
        items: mpsc::UnboundedSender<Item>,
    ) -> anyhow::Result<Self> {
        // Ctrl-C in a terminal is the kernel's to handle.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let (mut context, outputs) = EvalContext::with_subprocess_command(command)?;
        let mut state = context.state();
        if let Some(name) = &toolchain {
            state.set_toolchain(name)?;
        }
        state.set_build_env("CARGO_ENCODED_RUSTFLAGS", dependency.flags());
        state.set_build_env("RUSTC_WRAPPER", "");
        context.eval_with_state("", state)?;
        let stdout = outputs.stdout;
        let lines = Arc::new(Mutex::new(Lines { from: stdout.clone(), to: items, asked: None }));
        let for_thread = Arc::clone(&lines);
        std::thread::Builder::new().name("evcxr lines".into()).spawn(move || {
            // Lines are taken under the lock, so that none is on its way when a cell's end is told.
            let mut select = Select::new();
            select.recv(&stdout);
            loop {
                select.ready();
                if !for_thread.lock().pass_on() {
                    return;
                }
            }
        })?;
        // What evcxr tells on stderr of its child's is on the other stream already; the channel must not fill memory.
        let stderr = outputs.stderr;
        std::thread::Builder::new().name("evcxr stderr".into()).spawn(move || while stderr.recv().is_ok() {})?;
        let context = CommandContext::with_eval_context(context);
        Ok(Self { context, lines, dependency, settled: false })
    }

    fn run(&mut self, job: &Job) {
        // evcxr forgets what the cells depend on as well.
        if job.code.lines().any(|line| line.trim() == ":clear") {
            self.settled = false;
        }
        let names: Vec<String> = self.context.variables_and_types().map(|(name, _)| name.to_owned()).collect();
        let result = self.bring_runtime(&job.code).and_then(|()| self.evaluate(job));
        let ended = matches!(result, Err(Error::SubprocessTerminated(_)));
        let lost = if ended { names } else { Vec::new() };
        let mut lines = self.lines.lock();
        lines.pass_on();
        let _ = lines.to.send(Item::Done { result: result.map_err(Box::new), lost });
    }

    /// Puts the runtime in scope ahead of the first cell that names it.
    fn bring_runtime(&mut self, code: &str) -> Result<(), Error> {
        if self.settled {
            return Ok(());
        }
        if Dependency::is_replaced_in(code) {
            self.settled = true;
        } else if self.dependency.is_named_in(code) {
            self.pin_versions();
            self.context.execute(&self.dependency.cell())?;
            self.settled = true;
        }
        Ok(())
    }

    /// Has cargo resolve to the versions that the runtime was built with; without them it would ask the registry.
    fn pin_versions(&mut self) {
        let folder = self.context.execute(":last_compile_dir").ok();
        let folder = folder.and_then(|outputs| outputs.get("text/plain").map(|text| PathBuf::from(text.trim())));
        // Only a matter of time and of being offline: cargo makes a lock file of its own.
        let _ = folder.map(|folder| std::fs::copy(self.dependency.lock_file(), folder.join("Cargo.lock")));
    }

    fn evaluate(&mut self, job: &Job) -> Result<EvalOutputs, Error> {
        let lines = Arc::clone(&self.lines);
        let allow_stdin = job.allow_stdin;
        let mut callbacks = EvalCallbacks {
            input_reader: &|request| {
                let (asked, to) = {
                    let mut lines = lines.lock();
                    lines.pass_on();
                    (lines.asked.take(), lines.to.clone())
                };
                let is_ours = asked.is_some();
                let (prompt, password) = asked.unwrap_or((request.prompt, request.is_password));
                let answer = if allow_stdin { ask(&to, prompt, password) } else { None };
                if is_ours { Value::from(answer).to_string() } else { answer.unwrap_or_default() }
            },
        };
        self.context.execute_with_callbacks(&job.code, &mut callbacks)
    }
}

fn ask(to: &mpsc::UnboundedSender<Item>, prompt: String, password: bool) -> Option<String> {
    let (reply, answer) = oneshot::channel();
    to.send(Item::Input { prompt, password, reply }).ok()?;
    answer.blocking_recv().ok().flatten()
}

impl Process {
    fn interrupt(&self) {
        if !self.runs.load(Ordering::SeqCst) {
            return;
        }
        self.interrupted.store(true, Ordering::SeqCst);
        self.kill();
    }

    fn kill(&self) {
        let process = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = Pid::from_raw(process.id().cast_signed()) {
            // One that is gone already is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Engine for EvcxrEngine {
    async fn execute(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        self.process.interrupted.store(false, Ordering::SeqCst);
        self.process.runs.store(true, Ordering::SeqCst);
        let result = self.run_cell(request, events).await;
        self.process.runs.store(false, Ordering::SeqCst);
        result
    }

    fn is_complete(&self, code: &str) -> Completeness {
        completeness::is_complete(code, &|_| false)
    }

    fn interrupter(&self) -> Interrupter {
        let process = self.process.clone();
        // All that there is is to end the process.
        Interrupter::new(move |_| process.interrupt())
    }

    async fn shutdown(self) {
        self.process.kill();
        // evcxr removes its folder when its thread ends, which it does without a sender of jobs.
        drop(self.jobs);
        let mut items = self.items;
        while items.recv().await.is_some() {}
    }
}
