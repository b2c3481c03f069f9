//! Namespaces of its own, by bubblewrap: other processes, files, users and the network are not there.
//!
//! A session sees the system's programs and libraries, the compiler and the runtime, all read-only, and an empty folder
//! of its own, whose size is bounded. There is no `/proc`: by it a process could write its own memory, without a line
//! of unsafe code.

use std::path::{Path, PathBuf};
use std::process::Command as StdCommand;

use oxtorch_system::child;
use tokio::process::Command;

use crate::messages::Places;
use crate::sandbox::{Launch, OF_ETC, OF_PROC, OF_SYSTEM, SandboxError, folders_of};

/// Who a notebook runs as.
const USER: &str = "1000";
/// Where cells work.
const WORK: &str = "/home/student";
/// Where the session itself writes.
const OWN: &str = "/oxtorch";
/// Where temporary files go.
const TEMPORARY: &str = "/tmp";
/// Where the compiled cells of the class are, for the session and not for cells.
const CACHE: &str = "/given";
/// Where the files are that came with the notebook.
const FILES: &str = "/handed-in";

/// What keeps a process apart.
const APART: [&str; 4] = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"];

/// Whether it works here.
pub(super) fn check() -> Result<(), SandboxError> {
    let mut command = child::command("bwrap");
    command.args(APART);
    system(&mut command);
    match command.arg("/usr/bin/true").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SandboxError::NoBwrap),
        Err(error) => Err(SandboxError::Refused(error.to_string())),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(SandboxError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// The folders of a session, as it sees them.
pub(super) fn places(launch: &Launch<'_>) -> Places {
    let files = launch.files.map(|_| FILES.into());
    let (work, own, temporary, cache) = (WORK.into(), OWN.into(), TEMPORARY.into(), CACHE.into());
    // It stands beside the notebook already, and cannot be changed there.
    Places { work, own, temporary, cache, files, data: None }
}

/// Where a folder of the teacher's stands.
fn beside(data: &Path) -> PathBuf {
    Path::new(WORK).join(data.file_name().unwrap_or_default())
}

/// The command that starts this program in namespaces of its own.
pub(super) fn command(launch: &Launch<'_>) -> Command {
    let Launch { program, runtime, bounds, .. } = *launch;
    let mut command = StdCommand::new("bwrap");
    command.args(APART).args(["--new-session", "--clearenv"]);
    // Root outside is an ordinary user in there.
    command.args(["--uid", USER, "--gid", USER, "--cap-drop", "ALL"]);
    if bounds.network {
        command.arg("--share-net");
        for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl", "/etc/ca-certificates"] {
            command.args(["--ro-bind-try", file, file]);
        }
    }
    system(&mut command);
    for file in OF_ETC.into_iter().chain(OF_PROC) {
        command.args(["--ro-bind-try", file, file]);
    }
    command.args(["--dev", "/dev"]);
    let size = bounds.disk.to_string();
    for folder in [WORK, OWN, TEMPORARY] {
        command.args(["--size", &size, "--tmpfs", folder]);
    }
    for path in folders_of(runtime).iter().map(PathBuf::as_path).chain(launch.crates).chain([program]) {
        command.arg("--ro-bind").arg(path).arg(path);
    }
    command.arg("--bind").arg(launch.cache).arg(CACHE);
    if let Some(files) = launch.files {
        command.arg("--ro-bind").arg(files).arg(FILES);
    }
    if let Some(data) = launch.data {
        command.arg("--ro-bind").arg(data).arg(beside(data));
    }
    command.args(["--remount-ro", "/dev", "--remount-ro", "/"]);
    for (name, value) in launch.environment(&places(launch)) {
        command.arg("--setenv").arg(name).arg(value);
    }
    command.arg("--").arg(program);
    Command::from(command)
}

/// Binds programs and libraries. Where a folder is a link, so it is in the sandbox.
fn system(command: &mut StdCommand) {
    for path in OF_SYSTEM {
        match std::fs::read_link(path) {
            Ok(target) => command.arg("--symlink").arg(target).arg(path),
            Err(_) => command.args(["--ro-bind-try", path, path]),
        };
    }
}
