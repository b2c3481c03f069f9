//! What the commands of a cell do, one idea a file.

pub(crate) mod dependencies;
pub(crate) mod find;
pub(crate) mod help;
pub(crate) mod items;
pub(crate) mod places;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod type_of;
pub(crate) mod vars;

use std::fmt::Write;

use oxtorch_protocol::{Display, DisplayKind};
use oxtorch_session::{CellError, Documentation, Event, Stream};
use serde_json::{Map, Value};

use crate::assist::markdown::documentation;
use crate::cell::{Execution, NativeEngine};
use crate::commands::{Command, Segment};
use crate::report::errors::command_error;

impl NativeEngine {
    /// Runs one command of a cell.
    pub(crate) async fn run_command(&mut self, command: Command, call: Execution<'_>) -> Result<(), CellError> {
        match command {
            Command::Help(topic) => show(call, help::help(topic.as_deref())?).await,
            Command::Vars => self.show_variables(call).await?,
            Command::Items => show(call, items::items(&self.state)).await,
            Command::Doc(name) => show(call, documentation(&self.documentation(&name).await?).into()).await,
            Command::Find(words) => show(call, self.find(words).await?).await,
            Command::Type(code) => show(call, Shown::text(self.type_of(code, call).await?)).await,
            Command::Time(body) => self.time(body, call).await?,
            Command::Timeit(timeit) => self.timeit(timeit, call).await?,
            Command::Reset { keep_items } => self.reset(keep_items, call).await?,
            Command::Dep(lines) => self.add_dependencies(&lines, call).await?,
            Command::Opt(change) => say(call, &self.optimise(change)).await,
            Command::Cache { clear } => say(call, &self.cache(clear)?).await,
            Command::Env(env) => self.environment(env, call).await?,
            Command::Cd(to) => self.change_dir(to.as_deref(), call).await?,
            Command::Deps => say(call, &self.state.dependencies.list()).await,
            Command::Check(notebook) => self.check(notebook, call).await?,
            Command::Version => {
                let rustc = self.compiler.rustc().runtime().toolchain.lines().next().unwrap_or_default().to_owned();
                say(call, &format!("oxtorch {}\n{rustc}", env!("CARGO_PKG_VERSION"))).await;
            }
            Command::Pwd => show(call, Shown::text(self.current_dir()?.display().to_string())).await,
            Command::Shell(shell) => self.run_shell(shell, call).await?,
            Command::WriteFile { path, append, text } => self.write_file(&path, append, &text, call).await?,
            Command::Remark(text) => call.tell(&[text.to_owned()]).await,
            Command::Misused { .. } | Command::Unknown { .. } => return wrong_command(&command).map_or(Ok(()), Err),
        }
        Ok(())
    }
}

/// The error of the commands in a cell that are none, or are written otherwise; nothing of such a cell runs.
pub(crate) fn wrong_commands(segments: &[Segment]) -> Option<CellError> {
    let wrong = segments.iter().filter_map(|segment| match segment {
        Segment::Command(Command::Time(body)) => wrong_commands(body),
        Segment::Command(command) => wrong_command(command),
        Segment::Code(_) => None,
    });
    wrong.reduce(|mut all, next| {
        all.evalue = format!("{}\n{}", all.evalue, next.evalue);
        all.traceback.push(String::new());
        all.traceback.extend(next.traceback);
        all
    })
}

/// What is wrong with a command.
fn wrong_command(command: &Command) -> Option<CellError> {
    Some(match command {
        Command::Misused { problem, usage } => command_error(problem, &[format!("write it as `{usage}`")]),
        Command::Unknown { name, nearest } => {
            let mut notes = vec!["`:help` lists the commands".to_owned()];
            notes.splice(0..0, nearest.map(|usage| format!("did you mean `{usage}`?")));
            command_error(&format!("`{name}` is not a command"), &notes)
        }
        _ => return None,
    })
}

/// What a command has to show.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    /// For a terminal.
    text: String,
    /// For a notebook, where that says more.
    html: Option<String>,
    /// For a notebook, in place of HTML.
    markdown: Option<String>,
}

impl From<Documentation> for Shown {
    fn from(Documentation { plain, markdown }: Documentation) -> Self {
        Self { text: plain, html: None, markdown: Some(markdown) }
    }
}

impl Shown {
    fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Several things, one below the other.
    fn stacked(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        let mut html = String::new();
        for Self { text, html: richer, .. } in parts {
            if !all.text.is_empty() {
                all.text.push_str("\n\n");
            }
            all.text.push_str(&text);
            // Writing to a string does not fail.
            let _ = match richer {
                Some(richer) => writeln!(html, "{richer}"),
                None => writeln!(html, "<pre>{}</pre>", table::escaped(&text)),
            };
        }
        all.html = Some(html);
        all
    }
}

/// Shows something as the value of the cell.
async fn show(call: Execution<'_>, Shown { text, html, markdown }: Shown) {
    let mut data = Map::from_iter([("text/plain".to_owned(), Value::from(text))]);
    data.extend(html.map(|html| ("text/html".to_owned(), Value::from(html))));
    data.extend(markdown.map(|markdown| ("text/markdown".to_owned(), Value::from(markdown))));
    let display = Display { kind: DisplayKind::Result, data, metadata: Map::new(), display_id: None };
    // A front that no longer listens has nobody to show it to.
    let _ = call.events.send(Event::Display(display)).await;
}

/// Prints a line.
async fn say(call: Execution<'_>, line: &str) {
    let _ = call.events.send(Event::Stream { stream: Stream::Stdout, text: format!("{line}\n") }).await;
}
