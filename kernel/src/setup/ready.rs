//! Remembers what a finished set-up found, so that the next start asks no tool anything.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::SetupError;
use super::libtorch::Libtorch;
use super::{Runtime, build, python, sources, toolchain};
use crate::home::Home;

/// The variables that decide what set-up finds. The programs that it looks for on the search path are looked up again
/// at each start.
const VARIABLES: [&str; 8] =
    ["LIBTORCH", "CXX", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME", "OXTORCH_DEVICE", "PYTHONPATH", "HOME"];

/// What set-up does: another version of it may find something else.
const STEPS: [&str; 9] = [
    include_str!("build.rs"),
    include_str!("libtorch.rs"),
    include_str!("linker.rs"),
    include_str!("mod.rs"),
    include_str!("near.rs"),
    include_str!("self_test.cpp"),
    include_str!("shim.rs"),
    include_str!("toolchain.rs"),
    include_str!("wrappers.rs"),
];

/// A finished set-up.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    runtime: Runtime,
    /// Files that must be as they were: the compiler, libtorch, and what was built.
    files: Vec<Stamp>,
}

/// A file as it was.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    path: PathBuf,
    length: u64,
    modified: SystemTime,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = path.metadata().ok()?;
        Some(Self { path: path.to_owned(), length: found.len(), modified: found.modified().ok()? })
    }
}

/// The runtime that an earlier set-up in the same environment gave, if everything is still as it was.
pub(super) fn read(home: &Home) -> Result<Option<Runtime>, SetupError> {
    let Ok(contents) = fs::read(place(home)?) else { return Ok(None) };
    // What another version wrote may be unreadable to this one: then the tools are asked again.
    let Ok(ready) = serde_json::from_slice::<Ready>(&contents) else { return Ok(None) };
    let unchanged = ready.files.iter().all(|stamp| Stamp::of(&stamp.path).as_ref() == Some(stamp));
    Ok(unchanged.then_some(ready.runtime))
}

/// Remembers a runtime for this environment.
pub(super) fn write(home: &Home, runtime: &Runtime, libtorch: &Libtorch) -> Result<(), SetupError> {
    let shim = runtime.native.iter().map(|folder| super::shim::library(folder));
    let files = [runtime.rustc.clone()].into_iter().chain(build::files(runtime));
    let linker = runtime.linker.iter().flat_map(|linker| linker.files().map(Path::to_owned));
    let files = files.chain([libtorch.main_library()]).chain(shim).chain(linker);
    let ready = Ready { runtime: runtime.clone(), files: files.filter_map(|file| Stamp::of(&file)).collect() };
    let contents = serde_json::to_vec_pretty(&ready).map_err(|error| SetupError::Sources(error.to_string()))?;
    home.write(&place(home)?, &contents)?;
    Ok(())
}

/// The file for the environment that this process runs in.
fn place(home: &Home) -> Result<PathBuf, SetupError> {
    let sources = sources::sources_key(&sources::all()?);
    let variables = VARIABLES.map(|name| std::env::var_os(name).unwrap_or_default());
    let programs = [toolchain::program("rustup"), toolchain::program("rustc"), python::find()]
        .map(|program| program.unwrap_or_default().into_os_string());
    let gpu = OsString::from(if super::gpu::wanted() { "gpu" } else { "cpu" });
    let parts: Vec<OsString> = variables.into_iter().chain(programs).chain([sources.into(), gpu]).collect();
    let steps = STEPS.map(str::as_bytes);
    let key = sources::key(parts.iter().map(|part| part.as_encoded_bytes()).chain(steps));
    Ok(home.place("ready", &format!("{key}.json")))
}
