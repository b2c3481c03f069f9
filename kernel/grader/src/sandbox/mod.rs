//! Where a student's notebook runs: what it can read, write and reach, and how much it may take.

mod bwrap;
mod cgroup;
pub(crate) mod system_calls;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;

use oxtorch_setup::Runtime;
use tokio::process::{Child, Command};

use crate::messages::Places;
use crate::sandbox::cgroup::Cgroup;

/// What of this program runs in a sandbox.
const COMMAND: &str = "grade-session";

/// The environment variable that says how many threads an operation uses.
const THREADS: &str = "OXTORCH_THREADS";

/// How a notebook is kept apart from everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// In namespaces of its own, by bubblewrap.
    Bwrap,
    /// Not at all: for notebooks that one has read, or written.
    None,
}

impl FromStr for Sandbox {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "bwrap" => Ok(Self::Bwrap),
            "none" => Ok(Self::None),
            _ => Err("must be bwrap or none".to_owned()),
        }
    }
}

/// A sandbox that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// bubblewrap is not installed.
    #[error("there is no `bwrap` in PATH, so nothing keeps a notebook from reading and changing your files")]
    NoBwrap,
    /// It does not work here.
    #[error("`bwrap` does not work here: {0}")]
    Refused(String),
}

impl SandboxError {
    /// What to do.
    pub fn help(&self) -> String {
        let otherwise = "--sandbox none runs them as you, which is for notebooks that you have read";
        match self {
            Self::NoBwrap => format!("install it (Debian: apt install bubblewrap); {otherwise}"),
            Self::Refused(_) => format!("it needs user namespaces, which this machine may forbid; {otherwise}"),
        }
    }
}

/// What a notebook may take in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Memory, in bytes, with what it writes.
    pub memory: u64,
    /// What it may write into its folder, in bytes, and as much for temporary files.
    pub disk: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Whether it can reach the network.
    pub network: bool,
}

/// A session that was started.
#[derive(Debug)]
pub(crate) struct Confined {
    pub(crate) child: Child,
    /// Removed with what is in it, when the session has ended.
    cgroup: Option<Cgroup>,
    /// The folder of a session without a sandbox.
    _folder: Option<tempfile::TempDir>,
}

impl Confined {
    /// Ends it, with all that it has started.
    pub(crate) async fn end(mut self) {
        let _ = self.child.start_kill();
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        let _ = self.child.wait().await;
        if let Some(cgroup) = self.cgroup.take() {
            cgroup.remove().await;
        }
    }

    /// Whether memory has run out.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory)
    }
}

impl Sandbox {
    /// Whether it works here.
    ///
    /// # Errors
    ///
    /// Where it does not, with the reason.
    pub fn check(self) -> Result<(), SandboxError> {
        match self {
            Self::Bwrap => bwrap::check(),
            Self::None => Ok(()),
        }
    }

    /// Starts a session in it, and says where its folders are, as the session sees them.
    pub(crate) fn start(self, session: &Session<'_>, stdin: Stdio) -> io::Result<(Confined, Places)> {
        let folder = match self {
            Self::Bwrap => None,
            Self::None => Some(tempfile::Builder::new().prefix("oxtorch-").tempdir()?),
        };
        let (mut command, places) = match &folder {
            None => (bwrap::command(session), bwrap::places(session)),
            Some(folder) => (Command::new(session.program), session.places_in(folder.path())),
        };
        command.arg(COMMAND).env(THREADS, session.threads.to_string());
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let cgroup = Cgroup::new(session.bounds);
        let join = cgroup.as_ref().map(Cgroup::joiner).transpose()?;
        let (files, processes) = (session.bounds.disk, session.bounds.processes);
        // SAFETY: between fork and exec this calls only functions that may be called there: it writes a number that was
        // made before to files that were opened before, and sets limits.
        unsafe {
            command.pre_exec(move || {
                limit(libc::RLIMIT_CORE, 0);
                limit(libc::RLIMIT_FSIZE, files);
                match &join {
                    Some(join) => join.join()?,
                    None => limit(libc::RLIMIT_NPROC, processes),
                }
                Ok(())
            });
        }
        Ok((Confined { child: command.spawn()?, cgroup, _folder: folder }, places))
    }
}

/// What is to be started in a sandbox.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// This program.
    pub(crate) program: &'a Path,
    /// What cells run against.
    pub(crate) runtime: &'a Runtime,
    /// The compiled cells of the master.
    pub(crate) cache: &'a Path,
    /// Whether it is the master, which fills that.
    pub(crate) is_master: bool,
    /// The files that came with the notebook.
    pub(crate) files: Option<&'a Path>,
    /// What it may take.
    pub(crate) bounds: Bounds,
    /// How many threads its operations use.
    pub(crate) threads: usize,
}

impl Session<'_> {
    /// The folders of a session without a sandbox.
    fn places_in(&self, folder: &Path) -> Places {
        let files = self.files.map(Path::to_owned);
        Places { work: folder.join("work"), own: folder.join("own"), cache: self.cache.to_owned(), files }
    }
}

/// Sets a limit, if it is lower than the one that is there.
fn limit(what: libc::__rlimit_resource_t, to: u64) {
    // SAFETY: the structure is a valid one, and the call only reads and writes that.
    unsafe {
        let mut now: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(what, &mut now) == 0 {
            let to = to.min(now.rlim_max);
            libc::setrlimit(what, &libc::rlimit { rlim_cur: to, rlim_max: to });
        }
    }
}

/// The folders that a session has to read.
fn folders_of(runtime: &Runtime) -> Vec<PathBuf> {
    let above = |path: &Path| path.parent().map(Path::to_owned);
    let mut folders: Vec<PathBuf> = Vec::new();
    // bin/rustc stands beside lib.
    folders.extend(above(&runtime.rustc).and_then(|bin| above(&bin)));
    folders.extend(above(&runtime.library));
    folders.extend(above(&runtime.host));
    folders.extend(runtime.dependencies.iter().chain(&runtime.native).cloned());
    folders.extend(runtime.crates.values().filter_map(|file| above(file)));
    if let Some(linker) = &runtime.linker {
        folders.extend(above(&linker.program));
        folders.extend(linker.objects.iter().filter_map(|object| above(object)));
        folders.extend(linker.libraries.iter().cloned());
    }
    // Libraries of CUDA lie beside the folder `torch` of a wheel.
    folders.extend(runtime.libraries.iter().map(|folder| match folder.ends_with("torch/lib") {
        true => folder.ancestors().nth(2).unwrap_or(folder).to_owned(),
        false => folder.clone(),
    }));
    folders.sort();
    folders.dedup();
    // What lies in one of them comes with it.
    let outer = folders.clone();
    folders.retain(|folder| !outer.iter().any(|other| folder != other && folder.starts_with(other)));
    folders
}
