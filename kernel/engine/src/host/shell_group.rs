//! The processes that a shell of the user's starts: a group of their own, which ends with the host and with this
//! program.
//!
//! What a cell's Rust code starts is in the host's group. That of a shell is another, so that a stop reaches the
//! command alone and a script that ends its own group (`trap 'kill 0' EXIT`) ends no variables.

use std::io;
use std::process::{Child, Command, Stdio};

use oxtorch_system::{processes, signals};
use rustix::process::{Pid, Signal, kill_process_group};

/// What the leader of a group does: it waits for a pipe to close, as it does where this program is killed, and ends the
/// group.
const LEADER: &str = "read -r never; kill -s KILL 0";

/// A process group that ends when this is dropped, and at the latest with this program. Its leader is ours and is
/// waited for at the end alone, so the group's number is nobody else's until then.
#[derive(Debug)]
pub(super) struct Group {
    leader: Child,
    id: Pid,
}

impl Group {
    pub(super) fn start() -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", LEADER]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // What the user asks of the group's other processes is not for this one.
        signals::ignore_from_start(&mut command, &[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT]);
        let leader = command.spawn()?;
        let id = Pid::from_raw(leader.id().cast_signed()).ok_or_else(|| io::Error::other("it has no process id"))?;
        Ok(Self { leader, id })
    }

    pub(super) fn id(&self) -> Pid {
        self.id
    }

    /// Whether there are others in it than its leader.
    pub(super) fn is_in_use(&self) -> bool {
        processes::is_in_use(self.id)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(self.id, Signal::KILL);
        let _ = self.leader.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::os::unix::process::CommandExt as _;

    use super::*;

    /// A shell in the group that leaves another behind, which holds a pipe.
    fn left_behind(group: &Group) -> BufReader<std::process::ChildStdout> {
        let mut shell = Command::new("sh")
            .args(["-c", "(trap '' TERM; echo left; sleep 1000) &"])
            .stdout(Stdio::piped())
            .process_group(group.id.as_raw_nonzero().get())
            .spawn()
            .expect("sh runs");
        let mut pipe = BufReader::new(shell.stdout.take().expect("a pipe"));
        pipe.read_line(&mut String::new()).expect("can be read");
        assert!(shell.wait().expect("ends").success());
        pipe
    }

    #[test]
    fn what_a_shell_has_left_behind_ends_with_its_group() {
        let group = Group::start().expect("starts");
        assert!(!group.is_in_use());
        let mut pipe = left_behind(&group);
        assert!(group.is_in_use());
        drop(group);
        assert_eq!(pipe.read_to_end(&mut Vec::new()).expect("can be read"), 0);
    }

    #[test]
    fn what_a_shell_has_left_behind_ends_when_nobody_holds_the_pipe_of_the_leader() {
        let mut group = Group::start().expect("starts");
        let mut pipe = left_behind(&group);
        kill_process_group(group.id, Signal::INT).expect("is there");
        kill_process_group(group.id, Signal::TERM).expect("is there");
        assert!(group.is_in_use());
        // As the system closes it where a process is killed.
        drop(group.leader.stdin.take());
        assert_eq!(pipe.read_to_end(&mut Vec::new()).expect("can be read"), 0);
    }
}
