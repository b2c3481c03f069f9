//! A session with the real engine and a real host, and what its cells showed.
//!
//! The set-up runs once in a test process, and does nothing where an earlier one has left its results.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::sync::OnceLock;
use std::time::Duration;

use oxtorch_engine::{Cache, NativeEngine};
use oxtorch_protocol::{Display, DisplayKind, Told};
use oxtorch_session::{CellError, CellRequest, Engine, Event, Stream};
use oxtorch_system::home::{Home, Scratch};
use tokio::sync::mpsc;

/// A cell that has not ended by then never will.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a cell showed, and how it ended.
#[derive(Debug, Default)]
pub struct Shown {
    /// What the user's code printed.
    pub stdout: String,
    /// What the user's code printed to stderr.
    pub stderr: String,
    /// What Oxtorch says of the cell, a line each.
    pub notes: String,
    /// Displays that are not the cell's result, in order.
    pub displays: Vec<Display>,
    /// The value of the trailing expression.
    pub result: Option<Display>,
    /// How often the cell cleared its output.
    pub cleared: usize,
    /// What a test told of itself.
    pub marks: Vec<Told>,
    /// Why it failed, where it did.
    pub error: Option<CellError>,
}

impl Shown {
    /// The result as plain text.
    pub fn text(&self) -> Option<&str> {
        self.result.as_ref().map(plain)
    }

    /// The error's report without colors.
    pub fn report(&self) -> Option<String> {
        self.error.as_ref().map(|error| without_colors(&error.traceback.join("\n")))
    }

    /// The kind of error that ended the cell, or `ok`.
    pub fn ending(&self) -> &str {
        self.error.as_ref().map_or("ok", |error| error.kind.name())
    }

    fn take(&mut self, event: Event, answers: &mut std::vec::IntoIter<String>) {
        match event {
            Event::Stream { stream: Stream::Stdout, text } => self.stdout.push_str(&text),
            Event::Stream { stream: Stream::Stderr, text } => self.stderr.push_str(&text),
            Event::Display(display) if display.kind == DisplayKind::Result => self.result = Some(display),
            Event::Display(display) => self.displays.push(display),
            Event::StillRuns(text) => self.stderr.push_str(&text),
            Event::Note(text) => self.notes.push_str(&(text + "\n")),
            Event::ClearOutput { .. } => self.cleared += 1,
            // As a front without widgets.
            Event::Comm(_) => {}
            Event::Mark(told) => self.marks.push(told),
            Event::Input { reply, .. } => {
                // The cell may have been interrupted meanwhile; then nobody waits for the answer.
                let _ = reply.send(answers.next());
            }
        }
    }
}

/// A display's plain text.
pub fn plain(display: &Display) -> &str {
    display.data.get("text/plain").and_then(|text| text.as_str()).unwrap_or("")
}

/// Text as a terminal without colors shows it.
pub fn without_colors(text: &str) -> String {
    String::from_utf8_lossy(&strip_ansi_escapes::strip(text)).into_owned()
}

/// A running notebook: counts its cells as a frontend does.
pub struct Notebook<E = NativeEngine> {
    /// The engine itself, for what is not a plain cell.
    pub engine: E,
    count: u32,
    cell_id: Option<&'static str>,
    _scratch: Option<Scratch>,
}

impl Notebook {
    /// Starts an engine on the runtime that the set-up provides.
    pub async fn start() -> Self {
        let scratch = home().scratch(|_| ()).expect("a folder for the session's cells");
        let engine = NativeEngine::start(runtime(), scratch.path().to_owned(), Cache::from_environment(home().cache()))
            .await
            .expect("the engine starts with a fresh host");
        Self { _scratch: Some(scratch), ..Self::on(engine) }
    }
}

impl<E: Engine> Notebook<E> {
    /// A notebook on a started engine.
    pub fn on(engine: E) -> Self {
        Self { engine, count: 0, cell_id: None, _scratch: None }
    }

    /// Runs a cell to its end.
    pub async fn run(&mut self, code: &str) -> Shown {
        self.run_with(code, vec![], |_| {}).await
    }

    /// Runs a cell that the frontend knows by an id, as it does when its text was edited.
    pub async fn run_as(&mut self, cell_id: &'static str, code: &str) -> Shown {
        self.cell_id = Some(cell_id);
        let shown = self.run(code).await;
        self.cell_id = None;
        shown
    }

    /// Runs a cell, answers its questions, and calls `watch` after each event with what was shown so far.
    pub async fn run_with(&mut self, code: &str, answers: Vec<String>, mut watch: impl FnMut(&Shown)) -> Shown {
        self.count += 1;
        let (execution_count, allow_stdin) = (self.count, !answers.is_empty());
        let request = CellRequest { allow_stdin, cell_id: self.cell_id, ..CellRequest::new(code, execution_count) };
        let mut answers = answers.into_iter();
        let (sender, mut events) = mpsc::channel(64);
        let mut shown = Shown::default();
        let engine = &mut self.engine;
        // The sender moves into this future, so the loop below ends with the cell.
        let cell = async move { engine.execute(request, &sender).await };
        let receive = async {
            while let Some(event) = events.recv().await {
                shown.take(event, &mut answers);
                watch(&shown);
            }
        };
        let (ended, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(cell, receive) })
            .await
            .unwrap_or_else(|_| panic!("cell [{}] has not ended within {PATIENCE:?}:\n{code}", self.count));
        shown.error = ended.err();
        shown
    }

    /// Ends the session.
    pub async fn end(self) {
        self.engine.shutdown().await;
    }
}

/// The runtime that cells run against, set up where that was not done yet.
pub fn runtime() -> oxtorch_setup::Runtime {
    static RUNTIME: OnceLock<oxtorch_setup::Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            let progress = oxtorch_setup::progress::for_stderr();
            oxtorch_setup::ensure(&home(), progress.as_ref()).expect("the set-up provides libtorch and the runtime")
        })
        .clone()
}

/// The home that the user has as well: what was set up for the one serves the other.
pub fn home() -> Home {
    Home::from_environment().expect("a folder for Oxtorch's own files")
}
