//! `:find`.

use oxtorch_session::CellError;

use crate::assist::find::{self, Hit};
use crate::cell::NativeEngine;
use crate::perform::Shown;
use crate::perform::table::table;
use crate::report::errors::command_error;

/// Who looks for more says more.
const MOST: usize = 12;
/// What a line of a table has room for.
const MOST_CHARS: usize = 90;

impl NativeEngine {
    /// The names that these words are found in.
    pub(super) async fn find(&self, words: String) -> Result<Shown, CellError> {
        let wanted = words.clone();
        let hits = self.off_thread(move |_| find::find(&wanted, MOST)).await?;
        if hits.is_empty() {
            let note = "fewer or other words may find it; `:help` lists the commands".to_owned();
            return Err(command_error(&format!("no name fits `{words}`"), &[note]));
        }
        let row =
            |hit: Hit| [hit.path, cut(&hit.about), hit.in_python.first().map(ToString::to_string).unwrap_or_default()];
        let found = table(["Name", "What it is", "In Python"], &hits.into_iter().map(row).collect::<Vec<_>>());
        let more = Shown::text("`:doc NAME` documents one.");
        Ok(Shown::stacked([found, more]))
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MOST_CHARS {
        return text.to_owned();
    }
    let start: String = text.chars().take(MOST_CHARS - 1).collect();
    let whole = start.rsplit_once(' ').map_or(start.as_str(), |(whole, _)| whole);
    format!("{whole}…")
}
