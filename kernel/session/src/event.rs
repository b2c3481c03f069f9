//! What a running cell shows.

use oxtorch_protocol::{Comm, Display, DisplayKind, Told};
use serde_json::Map;
use tokio::sync::oneshot;
use uuid::Uuid;

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
    /// Something for the twin of a widget in the frontend. A front that draws no widgets leaves it out: the cell has
    /// shown as text what there is to see.
    Comm(Comm),
    /// A test tells of itself: nothing else can.
    Mark(Told),
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
    /// Whether there is one.
    pub fn is_shown(&self) -> bool {
        self.id.is_some()
    }

    /// The display that shows this text in the line.
    pub fn show(&mut self, text: impl Into<String>) -> Display {
        let kind = if self.id.is_some() { DisplayKind::Update } else { DisplayKind::Data };
        let id = self.id.get_or_insert_with(|| Uuid::new_v4().to_string()).clone();
        Display { kind, display_id: Some(id), ..text_display(text) }
    }
}
