//! Namespaces of its own, by bubblewrap: other processes, files, users and the network are not there.
//!
//! A session sees the system's programs and libraries, the compiler and the runtime, all read-only, and an empty folder
//! of its own, whose size is bounded. There is no `/proc`: by it a process could write its own memory, without a line of
//! unsafe code.

use std::path::Path;
use std::process::Command as StdCommand;

use oxtorch_setup::Runtime;
use oxtorch_system::child;
use tokio::process::Command;

use crate::messages::Places;
use crate::sandbox::{Bounds, SandboxError, THREADS, folders_of};

/// Where cells work.
pub(super) const WORK: &str = "/home/student";
/// Where the session itself writes.
pub(super) const OWN: &str = "/oxtorch";

/// What the system has beside `/usr`. Where one is a link, so it is in the sandbox.
const OF_SYSTEM: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs read of `/etc`: where libraries are, and which programs stand for a name.
const OF_ETC: [&str; 5] =
    ["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts"];

/// What says which processor this is and how much memory there is. The rest of `/proc` is not there.
const OF_PROC: [&str; 3] = ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat"];

/// Whether it works here.
pub(super) fn check() -> Result<(), SandboxError> {
    let mut command = child::command("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"]);
    system(&mut command);
    match command.arg("/usr/bin/true").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SandboxError::NoBwrap),
        Err(error) => Err(SandboxError::Refused(error.to_string())),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(SandboxError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// The command that starts a program in namespaces of its own.
pub(super) fn command(
    program: &Path,
    runtime: &Runtime,
    places: &Places,
    keeps: bool,
    bounds: Bounds,
    threads: usize,
) -> Command {
    let mut command = StdCommand::new("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]);
    if bounds.network {
        command.arg("--share-net");
        for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl", "/etc/ca-certificates"] {
            command.args(["--ro-bind-try", file, file]);
        }
    }
    command.args(["--ro-bind", "/usr", "/usr"]);
    system(&mut command);
    for file in OF_ETC.into_iter().chain(OF_PROC) {
        command.args(["--ro-bind-try", file, file]);
    }
    command.args(["--dev", "/dev"]);
    let size = bounds.disk.to_string();
    for folder in [WORK, OWN, "/tmp"] {
        command.args(["--size", &size, "--tmpfs", folder]);
    }
    let read_only = |command: &mut StdCommand, path: &Path| {
        command.arg("--ro-bind").arg(path).arg(path);
    };
    folders_of(runtime).iter().for_each(|folder| read_only(&mut command, folder));
    read_only(&mut command, program);
    command.arg(if keeps { "--bind" } else { "--ro-bind" }).arg(&places.cache).arg(&places.cache);
    if let Some(files) = &places.files {
        read_only(&mut command, files);
    }
    command.args(["--remount-ro", "/dev", "--remount-ro", "/"]);
    for (name, value) in [
        ("HOME", WORK),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
        ("OXTORCH_CACHE", OWN),
        // Who is root outside is nobody in here, and everything was bound by the grader.
        (oxtorch_system::home::trust::VARIABLE, "1"),
    ] {
        command.args(["--setenv", name, value]);
    }
    command.args(["--setenv", THREADS, &threads.to_string()]);
    if let Some(sysroot) = runtime.rustc.parent().and_then(Path::parent) {
        // Without `/proc` no program finds the libraries that lie beside itself.
        let of_target = runtime.libraries.iter().filter(|folder| folder.starts_with(sysroot)).cloned();
        if let Ok(folders) = std::env::join_paths([sysroot.join("lib")].into_iter().chain(of_target)) {
            command.arg("--setenv").arg(oxtorch_protocol::LIBRARY_PATH).arg(folders);
        }
    }
    command.arg("--").arg(program);
    Command::from(command)
}

/// Binds what the system has beside `/usr`.
fn system(command: &mut StdCommand) {
    for path in OF_SYSTEM {
        match std::fs::read_link(path) {
            Ok(target) => command.arg("--symlink").arg(target).arg(path),
            Err(_) => command.args(["--ro-bind-try", path, path]),
        };
    }
}
