//! The processes that others have started: which there are, what they take, and how they end.

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Signal, System};

/// Processes as they were found; a number that another process has by now is not one of them.
#[derive(Debug, Default)]
pub struct Processes(Vec<(Pid, u64)>);

/// What a process has started, what those have started, and so on, whatever group or session they are in.
pub fn descendants(of: u32) -> Processes {
    let system = running();
    let found = with_descendants(&system, of).filter(|process| process.pid().as_u32() != of);
    Processes(found.map(|process| (process.pid(), process.start_time())).collect())
}

/// Whether there are processes in the group besides its leader.
pub fn is_in_use(group: rustix::process::Pid) -> bool {
    let system = running();
    let others = system.processes().values().filter(|process| process.status() != ProcessStatus::Zombie);
    let pids = others.filter_map(|process| rustix::process::Pid::from_raw(process.pid().as_u32().cast_signed()));
    pids.filter(|pid| *pid != group).any(|pid| rustix::process::getpgid(Some(pid)) == Ok(group))
}

/// A process and its descendants, of those that were found.
pub fn with_descendants(system: &System, of: u32) -> impl Iterator<Item = &Process> {
    let mut found = vec![Pid::from_u32(of)];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let children = system.processes().values().filter(|process| process.parent() == Some(parent));
        found.extend(children.map(Process::pid).filter(|pid| *pid != parent));
    }
    found.into_iter().filter_map(|pid| system.process(pid))
}

/// Finds all processes, and what each takes.
pub fn measure(system: &mut System) {
    let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
}

/// The bytes of memory that a process takes. What it shares with others, such as the code of libtorch, counts in parts,
/// where the system tells that.
pub fn memory(process: &Process) -> u64 {
    let told = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid())).unwrap_or_default();
    let share =
        told.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    share.map_or_else(|| process.memory(), |kilobytes| kilobytes * 1024)
}

impl Processes {
    /// Ends those that still run.
    pub fn end(&self) {
        if self.0.is_empty() {
            return;
        }
        let system = running();
        for (pid, started) in &self.0 {
            if let Some(process) = system.process(*pid).filter(|process| process.start_time() == *started) {
                // One that has ended meanwhile, or that may not be ended, stays as it is.
                let _ = process.kill_with(Signal::Kill);
            }
        }
    }
}

fn running() -> System {
    let mut system = System::new();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing().without_tasks());
    system
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_grandchild_in_a_group_of_its_own_is_found_and_ended() {
        // The shell prints its child's number and waits for it.
        let mut shell = Command::new("bash")
            .args(["-mc", "sleep 1000 & echo $!; wait %1; exit $?"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("bash runs");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("a pipe")).read_line(&mut line).expect("a number");
        let sleep = Pid::from_u32(line.trim().parse().expect("a number"));
        let found = descendants(std::process::id());
        assert!(found.0.iter().any(|(pid, _)| *pid == sleep));
        let others = descendants(shell.id());
        assert_eq!(others.0.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [sleep]);
        others.end();
        let status = shell.wait().expect("the shell ends with what it waits for");
        assert_eq!(status.code(), Some(128 + 9), "{:?}", status.signal());
        others.end();
    }
}
