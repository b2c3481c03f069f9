//! `!command`: runs a shell, and shows what it prints as it prints it. `:check` is the command of this program that
//! says what a grader would see of a homework.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use oxtorch_session::CellError;
use oxtorch_system::child::quoted;
use tokio::process::Command;

use crate::cell::{Execution, NativeEngine};
use crate::commands::Shell;
use crate::crate_names::rewriting;
use crate::host::{Outlet, name_own_place, set_variables};
use crate::report::errors::{command_error, internal, interrupted};

/// For programs that would wait for a terminal's user, or hold back what they print from a pipe.
const VARIABLES: [(&str, &str); 3] = [("PYTHONUNBUFFERED", "1"), ("PAGER", "cat"), ("GIT_PAGER", "cat")];

/// In which Jupyter's server tells a kernel the notebook that it was started for.
const NOTEBOOK: &str = "JPY_SESSION_NAME";
/// Which the command `check` sets while it runs a notebook: a `:check` in there would check the same without end.
pub const IS_CHECKED: &str = "OXTORCH_IS_CHECKED";

impl NativeEngine {
    /// Checks a notebook as it is saved.
    pub(super) async fn check(&mut self, named: Option<String>, call: Execution<'_>) -> Result<(), CellError> {
        if std::env::var_os(IS_CHECKED).is_some() {
            return Ok(());
        }
        let folder = self.current_dir()?;
        let notebook = match named {
            Some(named) => folder.join(named),
            None => of_frontend().or_else(|| only_one_in(&folder)).ok_or_else(|| {
                let note = "write it as `:check homework.ipynb`".to_owned();
                command_error("this frontend does not say which notebook it is", &[note])
            })?,
        };
        let program = std::env::current_exe()
            .map_err(|error| command_error(&format!("cannot find the path of this program: {error}"), &[]))?;
        let [program, notebook] =
            [program, notebook].map(|path| quoted(path.as_os_str()).to_string_lossy().into_owned());
        let script = format!("{program} check {notebook}");
        self.run_shell(Shell { program: "sh", script, strict: false }, call).await
    }

    /// Runs a shell to its end.
    pub(super) async fn run_shell(&mut self, shell: Shell, call: Execution<'_>) -> Result<(), CellError> {
        let Shell { program, script, strict } = shell;
        let mut command = Command::new(program);
        command.arg("-c").arg(&script).current_dir(self.current_dir()?).envs(VARIABLES);
        name_own_place(&mut command, &self.compiler.rustc().runtime().recipe);
        set_variables(&mut command, &self.surroundings);
        let rewrite = rewriting(&self.compiler.sources);
        let outlet = Outlet { events: call.events, rewrite: &rewrite };
        let host = self.host()?;
        let shell = host.start_shell(command, outlet).await;
        let shell = shell.map_err(|error| command_error(&format!("cannot start {program}: {error}"), &[]))?;
        let interrupter = host.shell_interrupter(&shell);
        self.begin_run(|_| interrupter)?;
        let host = self.host()?;
        let status = host.finish_shell(shell, outlet).await;
        let was_interrupted = self.end_run();
        let status = status.map_err(|error| internal(format!("the output of {program} cannot be read: {error}")))?;
        if was_interrupted {
            return Err(interrupted());
        }
        if status.success() {
            call.tell(effect_that_ends_with_the_shell(&script).as_slice()).await;
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit status {code}"),
            (None, signal) => format!("was killed by signal {}", signal.unwrap_or_default()),
        };
        if strict {
            return Err(command_error(&format!("the {program} script {how}"), &[]));
        }
        call.tell(&[format!("the command {how}")]).await;
        Ok(())
    }
}

fn of_frontend() -> Option<PathBuf> {
    std::env::var_os(NOTEBOOK).map(PathBuf::from).filter(|path| path.is_file())
}

fn only_one_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut notebooks = entries.filter(|path| path.extension().is_some_and(|it| it == "ipynb"));
    notebooks.next().filter(|_| notebooks.next().is_none())
}

/// What a user may have hoped for who changes the shell itself.
fn effect_that_ends_with_the_shell(script: &str) -> Option<String> {
    let (first, rest) = script.split_once(char::is_whitespace)?;
    let is_alone = !rest.contains(['&', ';', '|', '\n', '(']);
    match first {
        "cd" if is_alone => Some(format!("`!cd` lasts only for its own shell; use `%cd {}`", rest.trim())),
        "export" if is_alone => Some(format!("`!export` lasts only for its own shell; use `%env {}`", rest.trim())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_shell_alone_is_pointed_out() {
        let told = |script: &str| effect_that_ends_with_the_shell(script).is_some();
        assert!(told("cd data") && told("export A=1"));
        assert!(!told("cd data && ls") && !told("cdrecord x") && !told("ls"));
    }

    #[test]
    fn the_only_notebook_of_a_folder_is_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(only_one_in(folder.path()), None);
        std::fs::write(folder.path().join("mine.ipynb"), "").expect("can be written");
        std::fs::write(folder.path().join("data.csv"), "").expect("can be written");
        let only = only_one_in(folder.path()).expect("there is one");
        assert!(only.ends_with("mine.ipynb"));
        std::fs::write(folder.path().join("another.ipynb"), "").expect("can be written");
        assert_eq!(only_one_in(folder.path()), None);
    }
}
