//! What the text of a host becomes before the user sees it: names that only we know are in it.

use oxtorch_protocol::Display;
use oxtorch_session::{Event, Stream};
use serde_json::Value;
use tokio::sync::mpsc;

/// Text after a rewrite: what can be shown, and the bytes at the end that need more text to be understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// For the user.
    pub ready: String,
    /// Bytes at the end of the given text that are to be given again with what follows.
    pub held: usize,
}

/// A rewrite of what came by a stream.
pub type Rewrite<'a> = dyn Fn(Stream, &str) -> Rewritten + Send + Sync + 'a;

/// Where what a run shows goes, and how its text is rewritten.
#[derive(Clone, Copy)]
pub struct Outlet<'a> {
    /// Takes what is shown.
    pub events: &'a mpsc::Sender<Event>,
    /// Sees text before the user does.
    pub rewrite: &'a Rewrite<'a>,
}

impl Outlet<'_> {
    /// Shows these, one after the other.
    pub(super) async fn show(&self, shown: impl IntoIterator<Item = Event>) {
        for event in shown {
            // A front that no longer listens has asked for the cell to run all the same.
            let _ = self.events.send(event).await;
        }
    }
}

/// Text as it is.
pub fn plain(_: Stream, text: &str) -> Rewritten {
    Rewritten { ready: text.to_owned(), held: 0 }
}

/// The same display with its texts rewritten as those of stdout are.
pub(super) fn rewritten(mut display: Display, rewrite: &Rewrite<'_>) -> Display {
    let texts = display.data.values_mut().filter_map(|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    });
    for text in texts {
        let Rewritten { ready, held } = rewrite(Stream::Stdout, text);
        *text = ready + &text[text.len() - held..];
    }
    display
}
