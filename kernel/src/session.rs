//! One user's running notebook: what a frontend drives, over ZeroMQ or headless.
//!
//! A front calls [`Session::execute`] for a cell and forwards the [`Event`]s that arrive meanwhile. The session knows
//! nothing of sockets or files.

use std::ops::Range;

use oxtorch_protocol::{Display, DisplayKind};
use serde_json::Map;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::engine::{Engine, Interrupter};

/// Which of a process's output streams text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a running cell shows, in the order in which the user's code produced it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Text as the cell printed it, carriage returns included.
    Stream {
        /// Where it was printed.
        stream: Stream,
        /// A piece of text; pieces need not end at line ends.
        text: String,
    },
    /// A display, an update of one, or the value of the trailing expression.
    Display(Display),
    /// What Oxtorch has to say of a cell that did not fail. It is no text on stderr: graders take that for a failure.
    Note(String),
    /// The cell was interrupted and has not ended yet: says what the next interrupt will do, a line of text.
    StillRuns(String),
    /// Clear the cell's output.
    ClearOutput {
        /// Wait with clearing until the next output comes.
        wait: bool,
    },
    /// The cell asks for a line of input. Dropping `reply` or sending `None` says that nobody can be asked.
    Input {
        /// Shown ahead of the field.
        prompt: String,
        /// Whether to hide what is typed.
        password: bool,
        /// Takes the line, without its end.
        reply: oneshot::Sender<Option<String>>,
    },
}

/// A display of text alone.
fn text_display(text: impl Into<String>) -> Display {
    let data = Map::from_iter([("text/plain".to_owned(), text.into().into())]);
    Display { kind: DisplayKind::Data, data, metadata: Map::new(), display_id: None }
}

/// How a note is shown.
pub fn note_display(note: &str) -> Display {
    text_display(format!("note: {note}"))
}

/// A line in a cell's output that says how far some work is. Each line takes the place of the one before.
#[derive(Debug, Default)]
pub struct ProgressLine {
    /// What the display is known by, once there is one.
    id: Option<String>,
}

impl ProgressLine {
    /// The display that shows this text in the line.
    pub fn show(&mut self, text: impl Into<String>) -> Display {
        let kind = if self.id.is_some() { DisplayKind::Update } else { DisplayKind::Data };
        let id = self.id.get_or_insert_with(|| Uuid::new_v4().to_string()).clone();
        Display { kind, display_id: Some(id), ..text_display(text) }
    }
}

/// A failed cell, as a frontend shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellError {
    /// The kind of failure: `CompileError`, `Panic`, `Error`, `KeyboardInterrupt`, `HostDied`.
    pub ename: String,
    /// One line that says what went wrong.
    pub evalue: String,
    /// The report for the user, in lines, with ANSI colours.
    pub traceback: Vec<String>,
}

/// Whether a cell is ready to run, for frontends that ask on Enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Enter should run it.
    Complete,
    /// Enter should start a new line, with this indentation.
    Incomplete {
        /// White space for the next line.
        indent: String,
    },
    /// It can never become valid by adding to it.
    Invalid,
}

/// What could stand at the cursor in a cell that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The bytes of the cell that a candidate takes the place of.
    pub range: Range<usize>,
    /// The likeliest first.
    pub candidates: Vec<Candidate>,
}

impl Completion {
    /// Nothing, at that byte of the cell.
    pub fn none(cursor: usize) -> Self {
        Self { range: cursor..cursor, candidates: Vec::new() }
    }
}

/// Something that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is inserted.
    pub text: String,
    /// What it is, in the words that frontends have icons for: `function`, `class`, `instance`, `module`, `keyword`,
    /// `property`, `magic`, `path`.
    pub kind: &'static str,
    /// Its signature or type; empty where there is none.
    pub signature: String,
}

/// One cell to run.
#[derive(Debug, Clone, Copy)]
pub struct CellRequest<'a> {
    /// The user's text.
    pub code: &'a str,
    /// The number in the cell's prompt, `[5]`; messages name the cell by it.
    pub execution_count: u32,
    /// Whether `input()` may ask the frontend.
    pub allow_stdin: bool,
    /// What the frontend knows the cell by, whatever its text and its number are, where it tells.
    pub cell_id: Option<&'a str>,
}

/// How many of the cells that come next an engine is told of.
pub const AHEAD: usize = 16;

/// What a session shows while no cell runs, by a thread that outlives its cell. It belongs to the cell that ran last.
pub(crate) struct Aside(Option<mpsc::Receiver<Event>>);

impl Aside {
    /// Takes it from a session.
    pub(crate) fn of<E: Engine>(session: &mut Session<E>) -> Self {
        Self(session.aside())
    }

    /// Waits for the next event; for ever where none will come.
    pub(crate) async fn next(&mut self) -> Event {
        let event = match &mut self.0 {
            Some(events) => events.recv().await,
            None => None,
        };
        match event {
            Some(event) => event,
            // The engine has ended, or tells nothing.
            None => std::future::pending().await,
        }
    }

    /// The next event, if there is one already.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.0.as_mut()?.try_recv().ok()
    }
}

/// One user's running notebook.
pub struct Session<E> {
    engine: E,
}

impl<E: Engine> Session<E> {
    /// A session on a started engine.
    pub fn new(engine: E) -> Self {
        Self { engine }
    }

    /// Runs a cell to its end. Everything that it shows has been sent to `events` when this returns.
    ///
    /// A slow receiver slows the cell down rather than filling memory.
    pub async fn execute(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        self.engine.execute(request, events).await
    }

    /// Names the cells that will probably follow the next one, at most [`AHEAD`]: the engine may do work for them ahead.
    pub fn expect(&mut self, cells: Vec<String>) {
        self.engine.expect(cells);
    }

    /// Whether a cell is ready to run.
    pub fn is_complete(&self, code: &str) -> Completeness {
        self.engine.is_complete(code)
    }

    /// What could stand at the byte `cursor` of a cell.
    ///
    /// # Panics
    ///
    /// Where `cursor` is not at the start or end of a character.
    pub async fn complete(&mut self, code: &str, cursor: usize) -> Completion {
        self.engine.complete(code, cursor).await
    }

    /// What is known of the name at the byte `cursor` of a cell, as text; with its source where that is wanted and known.
    ///
    /// # Panics
    ///
    /// Where `cursor` is not at the start or end of a character.
    pub async fn inspect(&mut self, code: &str, cursor: usize, with_source: bool) -> Option<String> {
        self.engine.inspect(code, cursor, with_source).await
    }

    /// What is shown while no cell runs, by a thread that outlives its cell. Whoever asks for this takes it also while cells
    /// run, or much of it is shown with the next cell; where nobody asks, all of it is.
    pub fn aside(&mut self) -> Option<mpsc::Receiver<Event>> {
        self.engine.aside()
    }

    /// A handle that interrupts the running cell, from any thread, while `execute` waits.
    pub fn interrupter(&self) -> Interrupter {
        self.engine.interrupter()
    }

    /// Ends the host process, with what cells have started, and removes what the session kept on disk. The variables are
    /// dropped first; what that shows is shown aside.
    pub async fn shutdown(self) {
        self.engine.shutdown().await
    }
}
