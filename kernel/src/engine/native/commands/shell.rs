//! `!command`: runs a shell, and shows what it prints as it prints it.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::failure;
use crate::engine::commands::Shell;
use crate::engine::native::reports::{internal, interrupted, tell};
use crate::engine::native::{NativeEngine, Phase};
use crate::host::{Text, plain, set_variables};
use crate::session::{CellError, Event, Stream};
use crate::setup::child::end_with_parent;

/// For programs that would wait for a terminal's user, or hold back what they print from a pipe.
const VARIABLES: [(&str, &str); 3] = [("PYTHONUNBUFFERED", "1"), ("PAGER", "cat"), ("GIT_PAGER", "cat")];

/// Interrupts a running shell and all that it has started.
#[derive(Debug, Clone)]
pub(in crate::engine::native) struct ShellInterrupter(Arc<Mutex<Group>>);

#[derive(Debug)]
struct Group {
    /// The process group, while its leader runs.
    leader: Option<Pid>,
    interrupts: u32,
}

impl ShellInterrupter {
    fn new(child: &Child) -> Self {
        let leader = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        Self(Arc::new(Mutex::new(Group { leader, interrupts: 0 })))
    }

    /// Sends SIGINT as Ctrl-C does; to what ignores that SIGTERM the second time, and then SIGKILL.
    pub fn interrupt(&self) {
        let mut group = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let signal = match group.interrupts {
            0 => Signal::INT,
            1 => Signal::TERM,
            _ => Signal::KILL,
        };
        group.interrupts += 1;
        group.send(signal);
    }

    /// The leader has ended. Says whether that was asked for.
    fn ended(&self) -> bool {
        let mut group = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        group.leader = None;
        group.interrupts > 0
    }
}

impl Group {
    fn send(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // A group that is gone needs no signal.
            let _ = kill_process_group(leader, signal);
        }
    }
}

/// Ends a shell that nobody waits for any more, because the kernel ends.
struct EndWithUs(ShellInterrupter);

impl Drop for EndWithUs {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).send(Signal::KILL);
    }
}

impl NativeEngine {
    /// Runs a shell to its end.
    pub(super) async fn run_shell(&mut self, shell: Shell, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        let Shell { program, script, strict } = shell;
        let mut command = Command::new(program);
        command.arg("-c").arg(&script).current_dir(self.current_dir()?).envs(VARIABLES);
        set_variables(&mut command, &self.surroundings);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        end_with_parent(command.as_std_mut());
        let mut child = command.spawn().map_err(|error| failure(&format!("cannot start {program}: {error}"), &[]))?;
        let interrupter = ShellInterrupter::new(&child);
        let _end_with_us = EndWithUs(interrupter.clone());
        self.begin_shell(&interrupter)?;
        let status = forward(&mut child, events).await;
        let was_interrupted = interrupter.ended();
        self.set_compiling();
        let status = status.map_err(|error| internal(format!("the output of {program} cannot be read: {error}")))?;
        if was_interrupted {
            return Err(interrupted());
        }
        if status.success() {
            tell(events, effect_that_ends_with_the_shell(&script).as_slice()).await;
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit status {code}"),
            (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
        };
        if strict {
            return Err(failure(&format!("the {program} script {how}"), &[]));
        }
        tell(events, &[format!("the command {how}")]).await;
        Ok(())
    }

    fn begin_shell(&self, interrupter: &ShellInterrupter) -> Result<(), CellError> {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*phase, Phase::Compiling { cancelled: true, .. }) {
            return Err(interrupted());
        }
        *phase = Phase::InShell(interrupter.clone());
        Ok(())
    }
}

/// Forwards what a process prints until it ends.
async fn forward(child: &mut Child, events: &mpsc::Sender<Event>) -> std::io::Result<ExitStatus> {
    let missing = || std::io::Error::other("there is no pipe to it");
    let mut stdout = Text::new(child.stdout.take().ok_or_else(missing)?.into_owned_fd()?, Stream::Stdout)?;
    let mut stderr = Text::new(child.stderr.take().ok_or_else(missing)?.into_owned_fd()?, Stream::Stderr)?;
    let status = loop {
        tokio::select! {
            biased;
            readable = stdout.pipe.readable(), if !stdout.closed => {
                readable?;
                stdout.forward(events, &plain).await?;
            }
            readable = stderr.pipe.readable(), if !stderr.closed => {
                readable?;
                stderr.forward(events, &plain).await?;
            }
            status = child.wait() => break status?,
        }
    };
    // What it has left running in the background may print for ever; what is there now is the command's.
    for text in [&mut stdout, &mut stderr] {
        text.drain(events, &plain).await?;
        text.flush(events).await;
    }
    Ok(status)
}

/// What a user may have hoped for who changes the shell itself.
fn effect_that_ends_with_the_shell(script: &str) -> Option<String> {
    let (first, rest) = script.split_once(char::is_whitespace)?;
    let is_alone = !rest.contains(['&', ';', '|', '\n', '(']);
    match first {
        "cd" if is_alone => Some(format!("`!cd` ends with its shell; `%cd {}` goes there", rest.trim())),
        "export" if is_alone => Some(format!("`!export` ends with its shell; `%env {}` stays", rest.trim())),
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
}
