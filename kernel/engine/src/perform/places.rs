//! `%cd`, `%pwd` and `%env`: where cells and shell commands run, and with which variables; files by `%%writefile` lie
//! there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use oxtorch_session::CellError;

use crate::cell::{Execution, NativeEngine};
use crate::commands::Env;
use crate::perform::table::table;
use crate::perform::{Shown, say, show};
use crate::report::errors::command_error;
use crate::source::files::open_regular;

/// Variables with one of these in their names are not listed for everybody who sees the notebook.
const SECRETS: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSW"];

impl NativeEngine {
    /// The folder that cells and shell commands work in; `None` where it is gone.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        self.surroundings.dir.clone().or_else(|| std::env::current_dir().ok())
    }

    /// The folder that cells and shell commands work in.
    pub(crate) fn current_dir(&self) -> Result<PathBuf, CellError> {
        self.dir().ok_or_else(|| {
            command_error("the folder that the kernel works in is gone", &["go to another with `%cd`".into()])
        })
    }

    /// Goes to a folder.
    pub(super) async fn change_dir(&mut self, to: Option<&str>, call: Execution<'_>) -> Result<(), CellError> {
        let dir = match to {
            Some("-") => {
                let previous = self.previous_dir.clone();
                previous.ok_or_else(|| command_error("there is no folder to go back to", &[]))?
            }
            Some(to) => self.dir().unwrap_or_default().join(self.with_home(to)),
            None => self.home().ok_or_else(|| command_error("there is no home to go to: HOME is not set", &[]))?,
        };
        let found = dir.canonicalize().and_then(|dir| std::fs::read_dir(&dir).map(|_| dir));
        let dir = found.map_err(|error| command_error(&format!("cannot go to {}: {error}", dir.display()), &[]))?;
        self.previous_dir = self.dir();
        say(call, &dir.display().to_string()).await;
        self.surroundings.dir = Some(dir);
        self.tell_host();
        Ok(())
    }

    /// Writes a file, or more of one.
    pub(super) async fn write_file(
        &self,
        path: &str,
        append: bool,
        text: &str,
        call: Execution<'_>,
    ) -> Result<(), CellError> {
        let place = self.current_dir()?.join(self.with_home(path));
        let did = match (append, place.exists()) {
            (true, _) => "Appending to",
            (false, true) => "Overwriting",
            (false, false) => "Writing",
        };
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let opened = open_regular(&place, File::options().create(true).write(true).append(append));
        let write = |mut file: File| {
            if !append {
                file.set_len(0)?;
            }
            write!(file, "{text}{end}")
        };
        opened
            .and_then(|(file, _)| write(file))
            .map_err(|error| command_error(&format!("cannot write {path}: {error}"), &[]))?;
        say(call, &format!("{did} {path}")).await;
        Ok(())
    }

    /// Lists the environment, shows a variable, or sets one.
    pub(super) async fn environment(&mut self, env: Env, call: Execution<'_>) -> Result<(), CellError> {
        match env {
            Env::List => {
                let is_secret = |name: &str| SECRETS.iter().any(|part| name.to_uppercase().contains(part));
                let hidden = |(name, value): (String, String)| {
                    let value = if is_secret(&name) { "<hidden>".to_owned() } else { value };
                    [name, value]
                };
                let rows: Vec<_> = self.variables_of_environment().into_iter().map(hidden).collect();
                show(call, table(["Variable", "Value"], &rows)).await;
            }
            Env::Get(name) => match self.variables_of_environment().remove(&name) {
                Some(value) => show(call, Shown::text(value)).await,
                None => {
                    let note = format!("set it with `%env {name}=value`");
                    return Err(command_error(&format!("the environment variable {name} is not set"), &[note]));
                }
            },
            Env::Set { name, value } => {
                say(call, &format!("env: {name}={value}")).await;
                self.surroundings.env.insert(name, Some(value));
                self.tell_host();
            }
        }
        Ok(())
    }

    fn variables_of_environment(&self) -> BTreeMap<String, String> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let mut variables: BTreeMap<_, _> =
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        for (name, value) in &self.surroundings.env {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }

    fn home(&self) -> Option<PathBuf> {
        self.variables_of_environment().remove("HOME").map(PathBuf::from)
    }

    /// A path in which a leading `~` stands for the user's home.
    fn with_home(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), self.home()) {
            (Some(""), Some(home)) => home,
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => Path::new(path).to_owned(),
        }
    }

    fn tell_host(&self) {
        // A host that is not there yet is told when it starts.
        if let Some(host) = &self.host {
            host.surround(&self.surroundings);
        }
    }
}
