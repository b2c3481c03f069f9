//! Runs the tools that set-up needs (pip, the C++ compiler, cargo) without what the user's shell has set for them, and
//! ends them when set-up ends.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};

/// The process groups of the tools that run now; `None` once they were all ended and no more may start.
static RUNNING: Mutex<Option<Vec<i32>>> = Mutex::new(Some(Vec::new()));

/// How soon a tool that was told to end is told again: what it was just about to start may not have heard it.
const AGAIN: Duration = Duration::from_millis(100);

/// Variables through which a user's shell or an enclosing cargo would change what gets built.
const BUILD_SETTINGS: [&str; 12] = [
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTDOC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_LOG",
    "RUSTUP_TOOLCHAIN",
    "LD_PRELOAD",
    "MAKEFLAGS",
    "RUSTC_FORCE_INCR_COMP",
];

/// Of cargo's own variables only those that say how to reach crates are kept.
const KEPT_CARGO_SETTINGS: [&str; 5] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_"];

/// What a tool said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Output {
    /// Both streams, for a search.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// The last lines of the error stream, or of the output where that is empty.
    pub fn tail(&self, lines: usize) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Whether the tool failed for want of disk space.
    pub fn is_disk_full(&self) -> bool {
        let all = self.all();
        ["No space left on device", "Disk quota exceeded", "os error 28"].iter().any(|sign| all.contains(sign))
    }
}

/// A command that does not see the user's build settings and does not depend on the current folder.
///
/// Tools look for settings in the folders above the one that they are started in; the root folder has none above it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let cargo = text.starts_with("CARGO") && !KEPT_CARGO_SETTINGS.iter().any(|kept| text.starts_with(kept));
        if cargo || BUILD_SETTINGS.contains(&text) {
            command.env_remove(&name);
        }
    }
    command
}

/// Ends tools early, from another thread than the one that waits for them.
#[derive(Debug, Default)]
pub struct Stop(Mutex<Stopping>);

#[derive(Debug, Default)]
struct Stopping {
    stopped: bool,
    group: Option<i32>,
}

impl Stop {
    /// Ends the tool that runs now, if there is one, and any that is started later.
    pub fn stop(&self) {
        let mut stopping = self.0.lock();
        stopping.stopped = true;
        stopping.group.into_iter().for_each(end_group);
    }

    /// Whether it has been asked to end.
    pub fn is_stopped(&self) -> bool {
        self.0.lock().stopped
    }

    fn watch(&self, group: i32) {
        let mut stopping = self.0.lock();
        stopping.group = Some(group);
        if stopping.stopped {
            end_group(group);
        }
    }

    fn unwatch(&self) {
        self.0.lock().group = None;
    }
}

/// Runs a command to its end. `line` gets each line of its output as it comes, from whichever stream.
pub fn run(command: &mut Command, line: impl Fn(&str) + Sync) -> io::Result<Output> {
    run_until(command, &Stop::default(), line)
}

/// Runs a command to its end, or until it is stopped: then the error is of the kind `Interrupted`.
pub fn run_until(command: &mut Command, stop: &Stop, line: impl Fn(&str) + Sync) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    end_with_parent(command);
    mask_what_others_may_write(command);
    let mut child = {
        let mut running = RUNNING.lock();
        let groups = running.as_mut().ok_or(io::ErrorKind::Interrupted)?;
        let child = command.spawn()?;
        groups.push(child.id() as i32);
        child
    };
    let group = child.id() as i32;
    stop.watch(group);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (reads, all_read) = mpsc::channel::<()>();
    let (line, reads_too) = (&line, reads.clone());
    let [stdout, stderr] = thread::scope(|scope| {
        let output = scope.spawn(move || {
            let _until_read = reads;
            collect(stdout, line)
        });
        let errors = scope.spawn(move || {
            let _until_read = reads_too;
            collect(stderr, line)
        });
        let mut guard = None;
        while all_read.recv_timeout(AGAIN) == Err(RecvTimeoutError::Timeout) {
            // What takes this long may have started others, such as cargo its compilers, which do not end with us.
            guard.get_or_insert_with(|| Guard::of(group));
            if stop.is_stopped() || !may_run() {
                end_group(group);
            }
        }
        [output, errors].map(|reader| reader.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    // Its streams are closed, so it has ended, and its number is ours until it is waited for.
    stop.unwatch();
    let was_ended = RUNNING.lock().as_mut().map(|groups| groups.retain(|other| *other != group)).is_none();
    let status = child.wait();
    if was_ended || stop.is_stopped() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(Output { status: status?, stdout, stderr })
}

/// A process that ends a group once this one is gone, also where it is killed: it waits for a pipe to close. Dropped
/// while the group's leader has not been waited for.
struct Guard(Option<Child>);

impl Guard {
    fn of(group: i32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"read -r ended || kill -s TERM -- "-$0""#]).arg(group.to_string()).process_group(0);
        // Without it a tool merely runs on to its end if we are killed.
        Self(shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(shell) = &mut self.0 else { return };
        let told = shell.stdin.as_mut().is_some_and(|pipe| pipe.write_all(b"ended\n").is_ok());
        if !told {
            let _ = shell.kill();
        }
        let _ = shell.wait();
    }
}

/// An argument as a shell reads it back, whatever it has in it.
pub fn quoted(argument: &OsStr) -> OsString {
    let mut quoted = vec![b'\''];
    for byte in argument.as_bytes() {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

/// An argument that ends in a path.
pub fn with_path(prefix: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(prefix);
    argument.push(path);
    argument
}

/// Runs a command whose output is short and of which nothing is told meanwhile.
pub fn ask(command: &mut Command) -> io::Result<Output> {
    run(command, |_| ())
}

/// What a command writes to its standard output, if it can be run and succeeds.
pub fn stdout_of(command: &mut Command) -> Option<String> {
    ask(command).ok().filter(|output| output.status.success()).map(|output| output.stdout)
}

/// The first line of that, without blanks around it.
pub fn first_line_of(command: &mut Command) -> Option<String> {
    Some(stdout_of(command)?.lines().next().unwrap_or_default().trim().to_owned())
}

/// Ends every tool that set-up has started and lets it start no more. For a process that is about to exit; says whether
/// there was one, in which case set-up now cleans up and fails.
pub fn end_children() -> bool {
    // Held to the end: a tool that has ended meanwhile must not be waited for before its group was told.
    let mut running = RUNNING.lock();
    let groups = running.take().unwrap_or_default();
    groups.iter().copied().for_each(end_group);
    !groups.is_empty()
}

/// Whether tools may still run.
fn may_run() -> bool {
    RUNNING.lock().is_some()
}

/// Asks the processes of a group to end. The group is that of a child which has not been waited for.
fn end_group(group: i32) {
    // The number of a group whose leader has not been waited for is still ours, so it fails only where all have ended.
    let _ = Pid::from_raw(group).map(|group| kill_process_group(group, Signal::TERM));
}

/// Lines also end at a carriage return: that is how progress bars are drawn.
fn collect(stream: Option<impl Read>, line: impl Fn(&str)) -> String {
    let Some(stream) = stream else { return String::new() };
    let mut reader = BufReader::new(stream);
    let mut all = String::new();
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
        let text = String::from_utf8_lossy(&bytes);
        for piece in text.split(['\r', '\n']).filter(|piece| !piece.is_empty()) {
            line(piece);
        }
        all.push_str(&text);
        bytes.clear();
    }
    all
}

/// Has a program make no file that others than the user can write, whatever the user's mask says: it is loaded later.
fn mask_what_others_may_write(command: &mut Command) {
    // SAFETY: runs between fork and exec, where only async-signal-safe calls are allowed; umask is one, and cannot
    // fail.
    unsafe {
        command.pre_exec(|| {
            let mask = libc::umask(0o022);
            libc::umask(mask | 0o022);
            Ok(())
        });
    }
}

/// Has a program end with the thread that starts it, and so at the latest with this process, also where that is killed.
#[cfg(target_os = "linux")]
pub fn end_with_parent(command: &mut Command) {
    // SAFETY: runs between fork and exec, where only async-signal-safe calls are allowed; prctl is a plain system call.
    unsafe {
        command.pre_exec(|| {
            // Where this is refused the tool merely runs on to its end if we are killed.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong);
            Ok(())
        });
    }
}

/// There is no such thing here: a program ends when it finds that nobody reads what it writes.
#[cfg(not(target_os = "linux"))]
pub fn end_with_parent(_command: &mut Command) {}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for argument in ["plain", "two words", "it's mine.ipynb", "$HOME `id` \"x\" \\ ; |", "李四", ""] {
            let mut script = OsString::from("printf %s ");
            script.push(quoted(argument.as_ref()));
            let output = Command::new("sh").arg("-c").arg(script).output().expect("there is a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), argument);
        }
    }

    #[test]
    fn lines_are_told_as_they_come_and_kept_as_they_were() {
        let told = Mutex::new(Vec::new());
        let output = run(command("sh").args(["-c", r"printf 'a\rb\nc'; exit 3"]), |line| {
            told.lock().push(line.to_owned());
        })
        .expect("sh runs");
        assert_eq!(told.into_inner(), ["a", "b", "c"]);
        assert_eq!((output.status.code(), output.stdout.as_str()), (Some(3), "a\rb\nc"));
    }

    #[test]
    fn a_stopped_tool_ends_with_what_it_has_started() {
        let stop = Stop::default();
        // `sleep` holds the pipe of the shell that started it: only when both have ended is the pipe closed.
        let error = run_until(command("sh").args(["-c", "echo started; sleep 1000"]), &stop, |_| stop.stop())
            .expect_err("was stopped");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        let error = run_until(command("sh").args(["-c", "sleep 1000"]), &stop, |_| ()).expect_err("was stopped before");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn a_tool_that_outlives_the_first_word_is_told_again() {
        let stop = Stop::default();
        let script = "trap 'trap - TERM' TERM; echo started; while :; do sleep 1000; done";
        let error = run_until(command("sh").args(["-c", script]), &stop, |_| stop.stop()).expect_err("was stopped");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn a_guard_ends_the_group_when_nobody_holds_its_pipe() {
        let tool = |script: &str| command("sh").args(["-c", script]).process_group(0).spawn().expect("sh runs");
        let (mut left, mut ended) = (tool("sleep 1000 & wait"), tool("exit 7"));
        let mut guard = Guard::of(left.id() as i32);
        // As the system closes it where a process is killed.
        drop(guard.0.as_mut().and_then(|shell| shell.stdin.take()));
        assert_eq!(left.wait().expect("ends").signal(), Some(libc::SIGTERM));
        drop(guard);
        drop(Guard::of(ended.id() as i32));
        assert_eq!(ended.wait().expect("ends").code(), Some(7));
    }

    #[test]
    fn the_settings_of_an_enclosing_cargo_do_not_reach_a_tool() {
        // Tests run under cargo, which sets CARGO_PKG_NAME and many more.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let output = ask(command("sh").args(["-c", "env; pwd"])).expect("sh runs");
        assert!(!output.stdout.contains("CARGO_PKG_NAME"), "{}", output.stdout);
        assert!(output.stdout.ends_with("\n/\n"), "{}", output.stdout);
    }

    #[test]
    fn what_a_tool_makes_others_cannot_write_whatever_the_users_mask() {
        for (mask, expected) in [(0o002, "0022"), (0o077, "0077")] {
            let mut tool = command("sh");
            // SAFETY: runs between fork and exec; umask is async-signal-safe.
            unsafe {
                tool.pre_exec(move || {
                    libc::umask(mask);
                    Ok(())
                });
            }
            let output = ask(tool.args(["-c", "umask"])).expect("sh runs");
            assert_eq!(output.stdout.trim(), expected);
        }
    }

    #[test]
    fn a_full_disk_is_recognised_in_what_a_tool_says() {
        let output =
            ask(command("sh").args(["-c", "echo 'ar: No space left on device' >&2; exit 1"])).expect("sh runs");
        assert!(output.is_disk_full());
        assert_eq!(output.tail(1), "ar: No space left on device");
    }
}
