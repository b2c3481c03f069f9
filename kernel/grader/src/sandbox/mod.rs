//! Where a student's notebook runs: what it can read, write and reach, and how much it may take.

mod bwrap;
mod cgroup;
pub(crate) mod landlock;
pub(crate) mod system_calls;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;

use oxtorch_setup::Runtime;
use tokio::process::{Child, Command};

use crate::messages::Places;
use crate::sandbox::cgroup::Cgroup;

/// Where programs and libraries are.
const OF_SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs read of `/etc`: where libraries are, and which programs stand for a name.
const OF_ETC: [&str; 5] =
    ["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts"];

/// What says which processor this is and how much memory there is. The rest of `/proc` is not there.
const OF_PROC: [&str; 3] = ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat"];

/// The devices that everybody may use.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Where cells are compiled, below the folder that the session itself writes to.
pub(crate) const CELLS: &str = "cells";

/// What of this program runs in a sandbox.
const COMMAND: &str = "grade-session";

/// The environment variable that says how many threads an operation uses.
const THREADS: &str = "OXTORCH_THREADS";

/// How a notebook is kept apart from everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// In namespaces of its own, by bubblewrap, and within those with Landlock.
    Bwrap,
    /// With Landlock alone: it sees other processes, and how much memory it takes may have no bound.
    Landlock,
    /// Not at all: for notebooks that one has read, or written.
    None,
}

impl FromStr for Sandbox {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "bwrap" => Ok(Self::Bwrap),
            "landlock" => Ok(Self::Landlock),
            "none" => Ok(Self::None),
            _ => Err("must be bwrap, landlock or none".to_owned()),
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
    /// The system has no Landlock.
    #[error("Landlock does not work here, so nothing keeps a notebook's cells from what they are compiled to: {0}")]
    NoLandlock(String),
}

impl SandboxError {
    /// What to do.
    pub fn help(&self) -> String {
        let otherwise = "--sandbox landlock does without it where Linux has that, and --sandbox none runs them as you, which is for notebooks that you have read";
        match self {
            Self::NoBwrap => format!("install it (Debian: apt install bubblewrap); {otherwise}"),
            Self::Refused(_) => format!("it needs user namespaces, which this machine may forbid; {otherwise}"),
            Self::NoLandlock(_) => {
                "it needs Linux 5.13 or later, with Landlock switched on; --sandbox none runs notebooks as \
                                    you, which is for notebooks that you have read"
                    .to_owned()
            }
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
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Removed with what is in it, when the session has ended.
    cgroup: Option<Cgroup>,
    /// The folder of a session without a sandbox.
    _folder: Option<tempfile::TempDir>,
}

impl Running {
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
        if self != Self::None {
            let rules = landlock::Access { network: true, ..landlock::Access::default() };
            rules.ready().map_err(|error| SandboxError::NoLandlock(error.to_string()))?;
        }
        if self == Self::Bwrap { bwrap::check() } else { Ok(()) }
    }

    /// Starts a session in it, and says where its folders are, as the session sees them.
    pub(crate) fn start(self, launch: &Launch<'_>, stdin: Stdio) -> io::Result<(Running, Places)> {
        let folder = match self {
            Self::Bwrap => None,
            Self::Landlock | Self::None => Some(tempfile::Builder::new().prefix("oxtorch-").tempdir()?),
        };
        let (mut command, places) = match &folder {
            None => (bwrap::command(launch), bwrap::places(launch)),
            Some(folder) => (Command::new(launch.program), launch.places_in(folder.path())?),
        };
        let rules = match &folder {
            Some(_) if self == Self::Landlock => {
                command.env_clear().envs(launch.environment(&places));
                Some(launch.rules(&places).ready()?)
            }
            _ => None,
        };
        command.arg(COMMAND).env(THREADS, launch.threads.to_string());
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let cgroup = Cgroup::new(launch.bounds);
        let join = cgroup.as_ref().map(Cgroup::joiner).transpose()?;
        let Bounds { disk: files, processes, memory, .. } = launch.bounds;
        // SAFETY: between fork and exec this calls only functions that may be called there: it writes a number that was
        // made before to files that were opened before, and sets limits.
        unsafe {
            command.pre_exec(move || {
                limit(libc::RLIMIT_CORE, 0);
                limit(libc::RLIMIT_FSIZE, files);
                match &join {
                    Some(join) => join.join()?,
                    None => {
                        limit(libc::RLIMIT_NPROC, processes);
                        // Of each process, for want of a bound of all together.
                        limit(libc::RLIMIT_DATA, memory);
                    }
                }
                rules.as_ref().map_or(Ok(()), landlock::ReadyRules::put_on)
            });
        }
        Ok((Running { child: command.spawn()?, cgroup, _folder: folder }, places))
    }
}

/// What is to be started in a sandbox.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// This program.
    pub(crate) program: &'a Path,
    /// What cells run against.
    pub(crate) runtime: &'a Runtime,
    /// The compiled cells of the class.
    pub(crate) cache: &'a Path,
    /// The files that came with the notebook.
    pub(crate) files: Option<&'a Path>,
    /// What it may take.
    pub(crate) bounds: Bounds,
    /// How many threads its operations use.
    pub(crate) threads: usize,
    /// Where crates are that it may ask for.
    pub(crate) crates: Option<&'a Path>,
    /// A folder of the teacher's that stands beside the notebook.
    pub(crate) data: Option<&'a Path>,
}

impl Launch<'_> {
    /// The folders of a session without namespaces.
    fn places_in(&self, folder: &Path) -> io::Result<Places> {
        let [work, own, temporary] = ["work", "own", "tmp"].map(|name| folder.join(name));
        for folder in [&work, &own, &temporary] {
            std::fs::create_dir(folder)?;
        }
        let (cache, files) = (self.cache.to_owned(), self.files.map(Path::to_owned));
        Ok(Places { work, own, temporary, cache, files, data: self.data.map(Path::to_owned) })
    }

    /// The environment of a session: nothing of the grader's.
    fn environment(&self, places: &Places) -> Vec<(&'static str, OsString)> {
        let mut variables: Vec<(&str, OsString)> = vec![
            ("HOME", places.work.clone().into()),
            ("TMPDIR", places.temporary.clone().into()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("LANG", "C.UTF-8".into()),
            ("OXTORCH_CACHE", places.work.join(".cache").into()),
            (THREADS, self.threads.to_string().into()),
            // Who is root outside is nobody in there, and everything was put there by the grader.
            (oxtorch_system::home::trust::VARIABLE, "1".into()),
        ];
        if let Some(sysroot) = self.runtime.rustc.parent().and_then(Path::parent) {
            // Without `/proc` no program finds the libraries that lie beside itself.
            let of_target = self.runtime.libraries.iter().filter(|folder| folder.starts_with(sysroot)).cloned();
            if let Ok(folders) = std::env::join_paths([sysroot.join("lib")].into_iter().chain(of_target)) {
                variables.push((oxtorch_protocol::LIBRARY_PATH, folders));
            }
        }
        variables
    }

    /// What a session without namespaces can open.
    fn rules(&self, places: &Places) -> landlock::Access {
        let mut read = readable_by_all(self.runtime);
        read.extend([self.program].into_iter().chain(self.crates).map(Path::to_owned));
        read.extend(self.files.into_iter().chain(self.data).map(Path::to_owned));
        let mut write = vec![places.work.clone(), places.own.clone(), places.temporary.clone(), self.cache.to_owned()];
        write.extend(DEVICES.iter().map(PathBuf::from));
        landlock::Access { read, write, network: self.bounds.network }
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

/// What cells can open: the system, the runtime, and the compiled cells, to be read; their own folder, and that of
/// temporary files.
pub(crate) fn rules_of_cells(runtime: &Runtime, places: &Places, network: bool) -> landlock::Access {
    let mut read = readable_by_all(runtime);
    read.extend(places.files.iter().chain(&places.data).cloned());
    read.push(places.own.join(CELLS));
    let own = [places.work.clone(), places.temporary.clone()];
    landlock::Access { read, write: own.into_iter().chain(DEVICES.iter().map(PathBuf::from)).collect(), network }
}

/// What sessions and cells read: the system and the runtime.
fn readable_by_all(runtime: &Runtime) -> Vec<PathBuf> {
    let system = OF_SYSTEM.iter().chain(&OF_ETC).chain(&OF_PROC);
    folders_of(runtime).into_iter().chain(system.map(PathBuf::from)).collect()
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
