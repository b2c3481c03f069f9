//! `:help`.

use oxtorch_session::CellError;

use crate::commands::catalogue::{self, CATALOGUE};
use crate::perform::Shown;
use crate::perform::table::table;
use crate::report::errors::command_error;

/// The list of commands, or one of them.
pub(super) fn help(topic: Option<&str>) -> Result<Shown, CellError> {
    let Some(topic) = topic else {
        let rows = CATALOGUE.each_ref().map(|entry| [entry.usage.to_owned(), entry.about.to_owned()]);
        let more = "`:name` and `%name` are the same. A line that begins with a command may be anywhere at the top \
                    level of a cell.";
        return Ok(Shown::stacked([table(["Command", "What it does"], &rows), Shown::text(more)]));
    };
    if let Some(entry) = catalogue::find(topic) {
        return Ok(table(["Command", "What it does"], &[[entry.usage.to_owned(), entry.about.to_owned()]]));
    }
    let nearest = catalogue::nearest(topic).map(|entry| format!("did you mean `{}`?", entry.usage));
    let doc = format!("`:doc {topic}` documents a Rust name");
    Err(command_error(&format!("`{topic}` is not a command"), &nearest.into_iter().chain([doc]).collect::<Vec<_>>()))
}
