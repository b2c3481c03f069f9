//! `:help`.

use oxtorch_session::CellError;

use crate::assist::markdown;
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
        return Ok(commands(&rows, more));
    };
    if let Some(entry) = catalogue::find(topic) {
        return Ok(commands(&[[entry.usage.to_owned(), entry.about.to_owned()]], ""));
    }
    let nearest = catalogue::nearest(topic).map(|entry| format!("did you mean `{}`?", entry.usage));
    let doc = format!("`:doc {topic}` documents a Rust name");
    Err(command_error(&format!("`{topic}` is not a command"), &nearest.into_iter().chain([doc]).collect::<Vec<_>>()))
}

/// A table of commands, and what else there is to say.
fn commands(rows: &[[String; 2]], more: &str) -> Shown {
    const HEAD: [&str; 2] = ["Command", "What it does"];
    let code = |[usage, about]: &[String; 2]| [format!("`{usage}`"), about.clone()];
    let in_markdown = markdown::table(HEAD, &rows.iter().map(code).collect::<Vec<_>>());
    let joined = |table: String| format!("{table}\n\n{more}").trim_end().to_owned();
    Shown { text: joined(table(HEAD, rows).text), html: None, markdown: Some(joined(in_markdown)) }
}
