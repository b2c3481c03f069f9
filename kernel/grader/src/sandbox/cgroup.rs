//! A control group of its own, where this user may make one: it bounds the memory and the processes of all that a
//! session starts, together. Version 2 where the folder of this process is delegated, else version 1.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sandbox::Bounds;

/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";

/// How often and how long apart it is tried to remove a group whose processes end.
const TRIES: u32 = 250;
const BETWEEN: Duration = Duration::from_millis(20);

/// A control group that is removed at its end.
#[derive(Debug)]
pub(super) struct Cgroup {
    /// One folder in version 2, one for each controller in version 1.
    folders: Vec<PathBuf>,
}

/// What puts a process into a group, made ahead of a fork.
#[derive(Debug)]
pub(super) struct Joiner(Vec<File>);

impl Joiner {
    /// Puts the calling process in.
    pub(super) fn join(&self) -> io::Result<()> {
        // `0` stands for the process that writes it.
        self.0.iter().try_for_each(|mut file| file.write_all(b"0"))
    }
}

impl Cgroup {
    /// Makes a group with these bounds; `None` where this user may make none.
    pub(super) fn new(bounds: Bounds) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let name = format!("oxtorch-{}", uuid::Uuid::new_v4());
        // Where both are mounted, the controllers are in version 1.
        let is_v2 = Path::new(ROOT).join("cgroup.controllers").is_file();
        if is_v2 { v2(&own, &name, bounds) } else { v1(&own, &name, bounds) }
    }

    /// What puts a process into it.
    ///
    /// # Errors
    ///
    /// Where it cannot be joined: then nothing would be bounded.
    pub(super) fn joiner(&self) -> io::Result<Joiner> {
        let open = |folder: &PathBuf| File::options().write(true).open(folder.join("cgroup.procs"));
        self.folders.iter().map(open).collect::<io::Result<_>>().map(Joiner)
    }

    /// Whether a process in it was ended because memory had run out.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let counted = |file: &str| {
            let text = self.folders.iter().find_map(|folder| fs::read_to_string(folder.join(file)).ok())?;
            let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
            line.trim().parse::<u64>().ok()
        };
        ["memory.events", "memory.oom_control"].into_iter().filter_map(counted).any(|count| count > 0)
    }

    /// Ends all that is in it.
    pub(super) fn kill(&self) {
        for folder in &self.folders {
            if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            let pids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            for pid in pids.lines().filter_map(|line| line.parse().ok()).filter_map(rustix::process::Pid::from_raw) {
                // One that has ended meanwhile is as it should be.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }

    /// Removes it, once what is in it has ended.
    pub(super) async fn remove(self) {
        for folder in &self.folders {
            for _ in 0..TRIES {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => tokio::time::sleep(BETWEEN).await,
                    _ => break,
                }
            }
        }
    }
}

/// Makes a folder below the group of this process, and writes the bounds into it; `None` unless all can be written.
fn made(above: &Path, name: &str, bounds: &[(&str, String)]) -> Option<PathBuf> {
    let folder = above.join(name);
    fs::create_dir(&folder).ok()?;
    // A file that is not there belongs to a controller that is not there, and none is made.
    let write = |file: &str, value: &str| {
        let mut file = File::options().write(true).open(folder.join(file))?;
        file.write_all(value.as_bytes())
    };
    let written = bounds.iter().all(|(file, value)| write(file, value).is_ok());
    if !written {
        let _ = fs::remove_dir(&folder);
    }
    written.then_some(folder)
}

fn v2(own: &str, name: &str, bounds: Bounds) -> Option<Cgroup> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let above = Path::new(ROOT).join(path.trim_start_matches('/'));
    let bounds = [("memory.max", bounds.memory.to_string()), ("pids.max", bounds.processes.to_string())];
    // The group of this process has processes, so its children get no controllers; one beside it may.
    let places = [Some(above.as_path()), above.parent()];
    let folder = places.into_iter().flatten().find_map(|above| made(above, name, &bounds))?;
    Some(Cgroup { folders: vec![folder] })
}

fn v1(own: &str, name: &str, bounds: Bounds) -> Option<Cgroup> {
    let above = |controller: &str| {
        let mut lines = own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let (_, path) = lines.find(|(names, _)| names.split(',').any(|name| name == controller))?;
        Some(Path::new(ROOT).join(controller).join(path.trim_start_matches('/')))
    };
    let memory = [("memory.limit_in_bytes", bounds.memory.to_string())];
    let memory = made(&above("memory")?, name, &memory)?;
    let pids = above("pids").and_then(|above| made(&above, name, &[("pids.max", bounds.processes.to_string())]));
    // Without the one the other is no bound of all that a notebook may take.
    match pids {
        Some(pids) => Some(Cgroup { folders: vec![memory, pids] }),
        None => {
            let _ = fs::remove_dir(memory);
            None
        }
    }
}
