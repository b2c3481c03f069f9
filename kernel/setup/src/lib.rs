//! Provides what cells run against: libtorch, the C++ shim of `tch`, and the runtime built by the user's toolchain.
//!
//! Each step leaves its result under a key by one rename, so a set-up that was interrupted goes on where it was. When
//! everything is there, [`ensure`] reads one small file and looks at a few others, and starts no process: every start
//! of a kernel goes through it. In an installation that this user cannot write, it does nothing else.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod build;
pub mod contents;
pub mod doctor;
mod error;
mod libtorch;
mod manifest;
pub mod prebuilt;
pub mod progress;
mod shim;
mod tools;
mod whole;

use std::collections::BTreeMap;
#[cfg(feature = "evcxr")]
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use build::{Recipe, metadata, own_build, sources};
use contents::Look;
use error::Unusable;
pub use error::{INSTALL_COMPILER, SetupError};
pub use libtorch::python::{errors as pip_errors, find as find_python};
use libtorch::{Libtorch, python};
pub use oxtorch_system::child::end_children;
use oxtorch_system::child::{Output, run};
use oxtorch_system::home::{Home, HomeError, Lock, free_space};
pub use progress::Progress;
use serde::{Deserialize, Serialize};
use shim::other_versions;
pub use tools::linker::Linker;
pub use tools::{analyzer, linker, toolchain};

/// A built runtime: everything the engine needs to compile cells and to start a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Names this build: a hash of sources, toolchain and libtorch.
    pub key: String,
    /// The toolchain's own `rustc` (not rustup's proxy), which built the runtime and compiles the cells.
    pub rustc: PathBuf,
    /// The output of `rustc -vV`.
    pub toolchain: String,
    /// The runtime's shared library, for `--extern oxtorch=`.
    pub library: PathBuf,
    /// The crates that the runtime was built from, for `-L dependency=`.
    pub dependencies: Vec<PathBuf>,
    /// The files of those that the runtime itself depends on, by what its code calls them.
    pub crates: BTreeMap<String, PathBuf>,
    /// Where `libtch.so` lies, for `-L native=`.
    pub native: Vec<PathBuf>,
    /// The linker to call for cells; rustc's own way of linking where there is none.
    pub linker: Option<Linker>,
    /// The host's executable.
    pub host: PathBuf,
    /// Where the host finds the shared libraries that do not lie beside it: the standard library, the shim, libtorch.
    pub libraries: Vec<PathBuf>,
    /// How to build more crates so that they go with it.
    pub recipe: Recipe,
}

impl Runtime {
    /// The first file of it that is not as it was made, and what is wrong with that one.
    pub fn damage(&self, look: Look) -> Option<String> {
        let own = self.library.parent();
        own.into_iter()
            .chain(self.native.iter().map(PathBuf::as_path))
            .find_map(|folder| contents::damage(folder, look))
    }
}

/// The lock under which all set-up in one home happens.
const LOCK: &str = "setup";
/// How long another process may take to set up: all that is downloaded comes to gigabytes.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// The runtime for this environment, built now if it is not there yet.
///
/// Blocks, for minutes where something has to be downloaded or built: call it on a thread of its own.
pub fn ensure(home: &Home, progress: &dyn Progress) -> Result<Runtime, SetupError> {
    ensure_with(home, Versions::Near, Look::Lengths, progress)
}

/// The same after a look at all that is in the files: what is damaged is made anew.
pub fn ensure_whole(home: &Home, progress: &dyn Progress) -> Result<Runtime, SetupError> {
    ensure_with(home, Versions::Near, Look::Hashes, progress)
}

/// The same with libtorch in the exact version that the `tch` crate goes with, provided if it is not there, whatever
/// the active Python has. Later set-ups in this home then take that one.
pub fn ensure_exact(home: &Home, progress: &dyn Progress) -> Result<Runtime, SetupError> {
    ensure_with(home, Versions::Exact, Look::Hashes, progress)
}

/// Which versions of libtorch will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// The one that the `tch` crate goes with.
    Exact,
    /// That one, or one that is so near that the shim fits it.
    Near,
}

fn ensure_with(home: &Home, versions: Versions, look: Look, progress: &dyn Progress) -> Result<Runtime, SetupError> {
    let ready = || match versions {
        Versions::Near => manifest::read(home, look),
        Versions::Exact => Err(Unusable::Because(None)),
    };
    let why = match ready() {
        Ok(runtime) => return Ok(runtime),
        Err(error) => error.reason()?,
    };
    if !home.is_writable() {
        return Err(SetupError::NotSetUp { home: home.root().to_owned(), why });
    }
    let lock = lock(home, progress)?;
    match ready() {
        // The other one has done it.
        Ok(runtime) => return Ok(runtime),
        Err(error) => drop(error.reason()?),
    }
    if let Some(why) = why {
        progress.step(&format!("Setting up again: {why}"));
    }
    home.sweep_unfinished(&lock);
    match prebuilt::provide(home, versions, look, progress) {
        Ok((runtime, libtorch)) => {
            let runtime = settle(home, runtime, &libtorch)?;
            progress.done();
            return Ok(runtime);
        }
        Err(error) => {
            if let Some(why) = error.reason()? {
                progress.step(&format!("Building the runtime here: {why}"));
            }
        }
    }
    progress.parts(&progress::Part::ALL);
    let runtime = match provide(home, versions, look, progress) {
        // Nothing can be built here. What was built is as good without a compiler in reach.
        Err(error) if versions == Versions::Near && error.is_for_want_of_tools() => {
            manifest::read_for_all(home, look).map_err(|unusable| unusable.reason().err().unwrap_or(error))?
        }
        runtime => runtime?,
    };
    progress.done();
    Ok(runtime)
}

fn provide(home: &Home, versions: Versions, look: Look, progress: &dyn Progress) -> Result<Runtime, SetupError> {
    let toolchain = toolchain::find()?;
    let compiler = toolchain::find_compiler()?;
    toolchain::find_linker().ok_or(SetupError::NoLinker)?;
    let sources = sources::all()?;
    let mut fits = |libtorch: &Libtorch| match versions {
        Versions::Exact => refuse(libtorch),
        Versions::Near => fit(home, &sources, &toolchain, &compiler, libtorch, progress),
    };
    let libtorch = libtorch::ensure(home, look, &mut fits, progress)?;
    let shim = shim::place(home, &sources::torch_sys_version()?, &libtorch, &compiler);
    let inputs = build::Inputs { sources: &sources, toolchain: &toolchain, libtorch: &libtorch, shim: &shim };
    let key = inputs.key();

    let there = shim::is_whole(&shim, look);
    let place = build::place(home, &key);
    let damage = contents::damage(&place, look);
    let runtime = match build::built(home, &key, inputs).filter(|_| there && damage.is_none()) {
        Some(runtime) => runtime,
        None => {
            if damage.is_some() {
                // The build folder has the same files under other names.
                build::forget(home, inputs);
            }
            let crates = build::fetch(home, inputs, progress)?;
            if !there {
                shim::compile(home, &shim, &crates.torch_sys, &libtorch, &compiler, progress)?;
            }
            build::build(home, &key, &crates, inputs, progress)?;
            build::built(home, &key, inputs)
                .ok_or_else(|| SetupError::Build { log: "cargo succeeded but left no library and host".to_owned() })?
        }
    };
    for folder in [&shim, &place].into_iter().filter(|folder| !contents::is_put_down(folder)) {
        // An earlier version has made it.
        contents::put_down(folder).map_err(HomeError::at("list the files of", folder))?;
    }
    let linker = linker::find(&toolchain, &compiler.path);
    settle(home, Runtime { linker, ..runtime }, &libtorch)
}

/// Waits until nobody else sets up in this home.
fn lock(home: &Home, progress: &dyn Progress) -> Result<Lock, SetupError> {
    let lock = home.lock(LOCK, PATIENCE, |file| {
        progress.step(&format!("Waiting for another oxtorch that is setting up: it holds {}", file.display()));
    });
    Ok(lock?)
}

/// The shim for the libtorch that a set-up takes, compiled now if it is not there yet, and that libtorch.
fn provide_shim(home: &Home, progress: &dyn Progress) -> Result<(PathBuf, Libtorch), SetupError> {
    let (toolchain, sources) = (toolchain::find()?, sources::all()?);
    let compiler = toolchain::find_compiler()?;
    let _lock = lock(home, progress)?;
    let mut fits = |libtorch: &Libtorch| fit(home, &sources, &toolchain, &compiler, libtorch, progress);
    let libtorch = libtorch::ensure(home, Look::Hashes, &mut fits, progress)?;
    let shim = shim::place(home, &sources::torch_sys_version()?, &libtorch, &compiler);
    if !shim::is_whole(&shim, Look::Hashes) {
        let inputs = build::Inputs { sources: &sources, toolchain: &toolchain, libtorch: &libtorch, shim: &shim };
        let crates = build::fetch(home, inputs, progress)?;
        shim::compile(home, &shim, &crates.torch_sys, &libtorch, &compiler, progress)?;
    }
    Ok((shim, libtorch))
}

/// Remembers a runtime for the next start.
fn settle(home: &Home, runtime: Runtime, libtorch: &Libtorch) -> Result<Runtime, SetupError> {
    let recipe = runtime.recipe.for_sessions_in(home, &runtime.key);
    let runtime = Runtime { recipe, ..runtime };
    manifest::write(home, &runtime, libtorch)?;
    Ok(runtime)
}

/// Takes no libtorch of another version.
fn refuse(libtorch: &Libtorch) -> Result<(), Unusable> {
    Err(format!("is version {}, not {}", libtorch.version, libtorch::VERSION).into())
}

/// Whether a libtorch of another version can be used, tried out if that is not known yet.
fn fit(
    home: &Home,
    sources: &[sources::SourceFile],
    toolchain: &toolchain::Toolchain,
    compiler: &toolchain::Compiler,
    libtorch: &Libtorch,
    progress: &dyn Progress,
) -> Result<(), Unusable> {
    let shim = shim::place(home, &sources::torch_sys_version()?, libtorch, compiler);
    if let Some(verdict) = other_versions::known(&shim) {
        return verdict.into_result(libtorch);
    }
    let inputs = build::Inputs { sources, toolchain, libtorch, shim: &shim };
    let crates = build::fetch(home, inputs, progress)?;
    let fits = other_versions::fit(home, &shim, &crates.torch_sys, libtorch, compiler, progress)?.into_result(libtorch);
    if fits.is_err() {
        build::forget(home, inputs);
    }
    fits
}

/// Whether a libtorch of another version can be used, as far as it is known; nothing is tried out.
fn known_fit(home: &Home, compiler: Option<&toolchain::Compiler>, libtorch: &Libtorch) -> Result<(), Unusable> {
    let Some(compiler) = compiler else { return Ok(()) };
    let shim = shim::place(home, &sources::torch_sys_version()?, libtorch, compiler);
    other_versions::known(&shim).map_or(Ok(()), |verdict| verdict.into_result(libtorch))
}

/// The folder of a libtorch of the exact version, with `include` and `lib`, for builds of `tch` by others.
pub fn libtorch_folder(home: &Home) -> Result<PathBuf, SetupError> {
    let mut tried = Vec::new();
    let found = libtorch::find(home, Look::Lengths, &mut tried, &mut refuse)?;
    found.map(|libtorch| libtorch.root).ok_or(SetupError::NoLibtorch { tried })
}

/// The prefix of the active Python, where Jupyter looks for the kernels of that environment.
pub fn python_prefix() -> Option<PathBuf> {
    python::find().as_deref().and_then(python::prefix)
}

/// The error for a disk that is full, or too full for what is to be done.
fn disk_full(what: &str, folder: &Path, needed: u64) -> SetupError {
    SetupError::DiskFull { what: what.to_owned(), folder: folder.to_owned(), needed, free: free_space(folder) }
}

/// Runs a tool to its end; `line` gets each line of what it says as it comes.
fn run_tool(tool: &mut Command, line: impl Fn(&str) + Sync) -> Result<Output, SetupError> {
    run(tool, line).map_err(|source| match source.kind() {
        io::ErrorKind::Interrupted => SetupError::Interrupted,
        _ => SetupError::Tool { program: tool.get_program().into(), source },
    })
}

/// Lays the runtime's sources out in a folder, as a cargo workspace of their own.
#[cfg(feature = "evcxr")]
pub fn write_sources(folder: &Path) -> std::io::Result<()> {
    let sources = sources::all().map_err(|error| std::io::Error::other(error.to_string()))?;
    fs::create_dir_all(folder)?;
    sources::write(&sources, folder)
}

/// The text of one of the runtime's sources, named by its place in that workspace.
pub fn source(path: &str) -> Option<String> {
    let source = sources::all().ok()?.into_iter().find(|source| source.path == path)?;
    String::from_utf8(source.contents).ok()
}

/// Names a state of things: the same parts give the same key, any other parts another one.
#[cfg(feature = "evcxr")]
pub fn key_of(parts: &[&str]) -> String {
    oxtorch_system::home::key(parts.iter().map(|part| part.as_bytes()))
}
