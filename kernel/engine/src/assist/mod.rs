//! Answers while the user types: what the session knows, and behind it what rust-analyzer knows, if it says so in time.

pub(crate) mod analyzer;
pub(crate) mod completeness;
pub(crate) mod completion;
pub(crate) mod doc;
pub(crate) mod find;
pub(crate) mod inspection;
pub(crate) mod library;
pub(crate) mod markdown;
pub(crate) mod members;
#[cfg(test)]
mod pages;
pub(crate) mod runtime_index;
pub(crate) mod signature;
pub(crate) mod standard;
pub(crate) mod standard_library;
pub(crate) mod types;

use std::sync::Arc;
use std::time::Duration;

use oxtorch_session::Completion;

use crate::assist::analyzer::{Document, RunningServer};
use crate::cell::NativeEngine;

/// How long rust-analyzer is waited for where the session has an answer of its own.
const BESIDE_OWN: Duration = Duration::from_millis(400);
/// And where it has none.
const ALONE: Duration = Duration::from_millis(1500);

/// Reads what answers are looked up in, on a thread of its own: whoever asks first would wait half a second for it.
pub(crate) fn read_ahead() {
    let read = || {
        standard::read_ahead();
        library::read_ahead();
        runtime_index::read_ahead();
    };
    // Where no thread can be had, the first who asks waits.
    let _ = std::thread::Builder::new().name("reads ahead".into()).spawn(read);
}

impl NativeEngine {
    /// What could stand at the byte `cursor` of a cell.
    pub(super) async fn completion(&mut self, cell: &str, cursor: usize) -> Completion {
        let dir = self.current_dir().unwrap_or_default();
        let own = completion::complete(&self.state, &dir, cell, cursor);
        let Some((analyzer, document)) = self.analyzer_for(cell, cursor).filter(|_| own.is_code) else {
            return own.with(Vec::new());
        };
        let patience = if own.certain { BESIDE_OWN } else { ALONE };
        let more = self.within(patience, analyzer.candidates(&document, own.typed())).await;
        own.with(more.unwrap_or_default())
    }

    /// rust-analyzer if it is ready, and what it has to see; starts it where it was not asked for before.
    pub(super) fn analyzer_for(&mut self, cell: &str, cursor: usize) -> Option<(Arc<RunningServer>, Document)> {
        let ready = self.analyzer.ready()?;
        let document = Document::of(&self.state, cell, cursor);
        document.in_code.then_some((ready, document))
    }

    /// An answer, unless it takes too long or the user interrupts.
    pub(super) async fn within<T>(&self, patience: Duration, answer: impl Future<Output = Option<T>>) -> Option<T> {
        tokio::select! {
            answer = tokio::time::timeout(patience, answer) => answer.ok().flatten(),
            () = self.cancelled() => None,
        }
    }

    /// As long as is waited for rust-analyzer's word on a name, where the session knows the name or not.
    pub(super) fn patience(known: bool) -> Duration {
        if known { BESIDE_OWN } else { ALONE }
    }
}
