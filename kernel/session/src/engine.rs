//! What evaluates cells.

use std::collections::BTreeSet;

use oxtorch_protocol::{Comm, CommRequest};
use tokio::sync::mpsc;

use super::{CellError, Completeness, Completion, Documentation, Event, Interrupter};

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
    /// Who has written it.
    pub author: Author<'a>,
}

impl<'a> CellRequest<'a> {
    /// A cell of the user's that nobody answers questions of.
    pub fn new(code: &'a str, execution_count: u32) -> Self {
        Self { code, execution_count, allow_stdin: false, cell_id: None, author: Author::User }
    }
}

/// Who has written a cell. Where homework is graded, that decides what the cell sees of the others: what a student
/// defines changes nothing in what the teacher has written.
#[derive(Debug, Clone, Copy, Default)]
pub enum Author<'a> {
    /// Whose session it is.
    #[default]
    User,
    /// A student, who leaves the variables of these names as they are. What could reach around the compiler's checks is
    /// refused.
    Student(&'a BTreeSet<String>),
    /// The teacher, who sees of the student's names these alone.
    Teacher(&'a BTreeSet<String>),
    /// As [`Teacher`](Author::Teacher), and the cell is a test: it tells [`Event::Mark`].
    Test(&'a BTreeSet<String>),
}

/// How many of the cells that come next an engine is told of.
pub const AHEAD: usize = 16;

/// An evaluator of Rust cells that keeps state from one cell to the next: one user's running notebook.
pub trait Engine: Send + 'static {
    /// Runs a cell to its end. Everything that it shows has been sent to `events` when this returns.
    ///
    /// A slow receiver slows the cell down rather than filling memory.
    fn execute(
        &mut self,
        request: CellRequest<'_>,
        events: &mpsc::Sender<Event>,
    ) -> impl Future<Output = Result<(), CellError>> + Send;

    /// Names the cells that will probably follow the next one, at most [`AHEAD`], so that work for them can be done
    /// ahead.
    fn expect(&mut self, _cells: Vec<String>) {}

    /// Whether a cell is ready to run.
    fn is_complete(&self, code: &str) -> Completeness;

    /// What could stand at the byte `cursor` of a cell; nothing, for an engine that cannot tell.
    ///
    /// # Panics
    ///
    /// If `cursor` is not at the start or end of a character.
    fn complete(&mut self, _code: &str, cursor: usize) -> impl Future<Output = Completion> + Send {
        std::future::ready(Completion::none(cursor))
    }

    /// What is known of the name at the byte `cursor`, with its source if that is wanted and known; nothing, for an
    /// engine that cannot tell.
    ///
    /// # Panics
    ///
    /// If `cursor` is not at the start or end of a character.
    fn inspect(
        &mut self,
        _code: &str,
        _cursor: usize,
        _with_source: bool,
    ) -> impl Future<Output = Option<Documentation>> + Send {
        std::future::ready(None)
    }

    /// Hands on what a frontend says to a widget, and waits for all that is done then, as for a cell's end. Gives what
    /// the frontend is told once it knows how that ended.
    fn comm(
        &mut self,
        _request: CommRequest,
        _events: &mpsc::Sender<Event>,
    ) -> impl Future<Output = (Result<(), CellError>, Vec<Comm>)> + Send {
        std::future::ready((Ok(()), Vec::new()))
    }

    /// What is shown while no cell runs, by a thread that outlives its cell. Whoever asks for this takes it also while
    /// cells run, or much of it is shown with the next cell; if nobody asks, all of it is.
    fn aside(&mut self) -> Option<mpsc::Receiver<Event>> {
        None
    }

    /// The names of what cells have defined, which a later cell can use.
    fn names(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Whether what earlier cells have made is still there: the process that holds it may have ended.
    fn keeps_variables(&mut self) -> bool {
        true
    }

    /// Told once, when it runs and nobody has asked for anything for a while: time for work that makes the first
    /// answers as quick as the later ones.
    fn rest(&mut self) {}

    /// A handle that interrupts the running cell, from any thread, while `execute` waits.
    fn interrupter(&self) -> Interrupter;

    /// Ends what the engine has started and removes what it keeps on disk. The variables are dropped first; what that
    /// shows is shown aside.
    fn shutdown(self) -> impl Future<Output = ()> + Send;
}
