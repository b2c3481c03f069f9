//! Remembers what a finished set-up found, so that the next start asks no tool anything.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oxtorch_system::home::{Home, trust};
use serde::{Deserialize, Serialize};

use crate::build::{self, sources};
use crate::contents::{self, Look};
use crate::error::{SetupError, Unusable};
use crate::libtorch::{self, Libtorch, gpu, python};
use crate::tools::toolchain;
use crate::{Runtime, prebuilt, shim};

/// The variables that decide what set-up finds. The programs that it looks for on the search path are looked up again
/// at each start.
const VARIABLES: [&str; 8] =
    ["LIBTORCH", "CXX", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME", "OXTORCH_DEVICE", "PYTHONPATH", "HOME"];

/// What set-up does: another version of it may find something else.
const STEPS: [&str; 12] = [
    include_str!("build.rs"),
    include_str!("build/metadata.rs"),
    include_str!("contents.rs"),
    include_str!("libtorch.rs"),
    include_str!("tools/linker.rs"),
    include_str!("lib.rs"),
    include_str!("prebuilt.rs"),
    include_str!("shim/other_versions.rs"),
    include_str!("shim/self_test.cpp"),
    include_str!("shim.rs"),
    include_str!("tools/toolchain.rs"),
    include_str!("shim/wrappers.rs"),
];

/// A finished set-up.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
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

/// The runtime that an earlier set-up in the same environment gave, if everything is still as it was; else why not,
/// where there is something to say.
///
/// An installation that this user cannot write has one for all: whoever made it had other folders and another search
/// path.
pub(super) fn read(home: &Home, look: Look) -> Result<Runtime, Unusable<Option<String>>> {
    home.check_trust()?;
    let mut places = vec![place(home)?];
    if !home.is_writable() {
        places.push(place_for_all(home)?);
    }
    let mut why = None;
    for place in places {
        match read_from(home, &place, look) {
            Ok(runtime) => return Ok(runtime),
            Err(error) => why = error.reason()?.or(why),
        }
    }
    Err(Unusable::Because(why))
}

/// The runtime that was last made in this home, whatever environment it was made in.
pub(super) fn read_for_all(home: &Home, look: Look) -> Result<Runtime, Unusable<Option<String>>> {
    read_from(home, &place_for_all(home)?, look)
}

fn read_from(home: &Home, place: &Path, look: Look) -> Result<Runtime, Unusable<Option<String>>> {
    let text = fs::read(place).map_err(|_| Unusable::Because(None))?;
    trust::check_here(place)?;
    // What another version wrote may be unreadable to this one: then the tools are asked again.
    let Manifest { runtime, files } = serde_json::from_slice(&text).map_err(|_| Unusable::Because(None))?;
    let made_at = &runtime.recipe.home;
    let is_moved = made_at != home.root() && made_at.canonicalize().ok() != home.root().canonicalize().ok();
    let moved = || is_moved.then(|| format!("it was made in {}, and moved or copied from there", made_at.display()));
    let damage =
        || runtime.damage(look).or_else(|| libraries(home, &files).and_then(|folder| contents::damage(&folder, look)));
    let changed = || {
        files.iter().find_map(|stamp| match Stamp::of(&stamp.path) {
            None => Some(format!("{} is gone, or you cannot read it", stamp.path.display())),
            Some(found) if found != *stamp => Some(format!("{} has changed", stamp.path.display())),
            Some(_) => None,
        })
    };
    if let Some(why) = moved().or_else(damage).or_else(changed) {
        return Err(Unusable::Because(Some(why)));
    }
    let folders = runtime.dependencies.iter().chain(&runtime.native).map(PathBuf::as_path);
    for folder in folders.chain(runtime.library.parent()).chain(libraries(home, &files).as_deref()) {
        trust::check_here(folder)?;
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            trust::check_here(&entry.path())?;
        }
    }
    let recipe = runtime.recipe.clone().for_sessions_in(home, &runtime.key);
    Ok(Runtime { recipe, ..runtime })
}

/// The folder of libtorch's libraries, where that is one of the home's.
fn libraries(home: &Home, files: &[Stamp]) -> Option<PathBuf> {
    let root = home.root().join(libtorch::KIND).canonicalize().ok()?;
    let main = files.iter().find(|stamp| stamp.path.starts_with(&root))?;
    main.path.parent().map(Path::to_owned)
}

/// Remembers a runtime for this environment, and for all who cannot set up in this home.
pub(super) fn write(home: &Home, runtime: &Runtime, libtorch: &Libtorch) -> Result<(), SetupError> {
    let shim = runtime.native.iter().map(|folder| shim::library(folder));
    let files = [runtime.rustc.clone()].into_iter().chain(build::files(runtime));
    let linker = runtime.linker.iter().flat_map(|linker| linker.files().map(Path::to_owned));
    let files = files.chain([libtorch.main_library()]).chain(shim).chain(linker);
    let manifest = Manifest { runtime: runtime.clone(), files: files.filter_map(|file| Stamp::of(&file)).collect() };
    let contents = serde_json::to_vec_pretty(&manifest).map_err(|error| SetupError::Sources(error.to_string()))?;
    for place in [place_for_all(home)?, place(home)?] {
        home.write(&place, &contents)?;
    }
    Ok(())
}

/// The file for the environment that this process runs in.
fn place(home: &Home) -> Result<PathBuf, SetupError> {
    let variables = VARIABLES.map(|name| std::env::var_os(name).unwrap_or_default());
    let programs = [toolchain::program("rustup"), toolchain::program("rustc"), python::find()]
        .map(|program| program.unwrap_or_default().into_os_string());
    let prebuilt = prebuilt::folder().unwrap_or_default().into_os_string();
    place_of(home, "", variables.into_iter().chain(programs).chain([prebuilt]))
}

/// The file for all users of an installation: what they have asked for decides, not where their programs lie.
fn place_for_all(home: &Home) -> Result<PathBuf, SetupError> {
    place_of(home, "installation-", std::env::var_os("LIBTORCH"))
}

fn place_of(home: &Home, kind: &str, parts: impl IntoIterator<Item = OsString>) -> Result<PathBuf, SetupError> {
    let sources = sources::sources_key(&sources::all()?);
    let gpu = OsString::from(if gpu::wanted() { "gpu" } else { "cpu" });
    let parts: Vec<OsString> = parts.into_iter().chain([sources.into(), gpu]).collect();
    let steps = STEPS.map(str::as_bytes);
    let key = oxtorch_system::home::key(parts.iter().map(|part| part.as_encoded_bytes()).chain(steps));
    Ok(home.place("ready", &format!("{kind}{key}.json")))
}
