//! A runtime that was built elsewhere and came with this program, in a wheel of Python: nothing is built here.
//!
//! Its folder holds the runtime as a home has it, a shim for each libtorch that it goes with, and the self-test of the
//! shims. It is used where it lies, by all who can read it. The wheel `oxtorch-rust` beside it has the toolchain.

use std::fs;
use std::path::{Path, PathBuf};

use oxtorch_system::child::command;
use oxtorch_system::home::{Home, HomeError, create_folder, key, trust};
use serde::{Deserialize, Serialize};

use crate::build::{self, sources};
use crate::contents::{self, Look};
use crate::error::{SetupError, Unusable};
use crate::libtorch::{self, Libtorch};
use crate::progress::{Part, Progress};
use crate::shim::{self, other_versions};
use crate::tools::linker::{self, Linker};
use crate::tools::toolchain::{self, Toolchain};
use crate::{Runtime, Versions, refuse};

/// Names the folder, or nothing where what came with the program is not to be used.
const VARIABLE: &str = "OXTORCH_PREBUILT";

/// Says in the folder what is there.
const MANIFEST: &str = "prebuilt.json";
const RUNTIME: &str = "runtime";
const SHIMS: &str = "shims";
const SELF_TEST: &str = "self-test";

/// Where a wheel of this program puts the folder, below the packages of a Python.
const IN_PACKAGES: &str = "oxtorch/prebuilt";
/// Where the wheel `oxtorch-rust` has the toolchain, and what a linker needs in place of a C toolchain.
const TOOLCHAIN: &str = "oxtorch_rust/toolchain";
const LINK: &str = "oxtorch_rust/link";
/// There, what links as `cc` does.
const DRIVER: &str = "cc";

/// What a runtime was built of, and so what it goes with.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    /// The key of its sources.
    sources: String,
    /// The output of `rustc -vV`.
    toolchain: String,
}

impl Manifest {
    /// Whether this is the runtime of this program.
    fn is_own(&self) -> Result<bool, SetupError> {
        Ok(self.sources == sources::sources_key(&sources::all()?))
    }
}

/// What came with the program.
#[derive(Debug)]
pub(crate) struct Prebuilt {
    folder: PathBuf,
    manifest: Manifest,
}

/// The folder that came with this program, if there is one.
pub(crate) fn folder() -> Option<PathBuf> {
    match std::env::var_os(VARIABLE) {
        Some(named) => Some(PathBuf::from(named)).filter(|folder| folder.join(MANIFEST).is_file()),
        None => packages().map(|packages| packages.join(IN_PACKAGES)).find(|folder| folder.join(MANIFEST).is_file()),
    }
}

/// Where Python's packages may lie that were installed with this program.
fn packages() -> impl Iterator<Item = PathBuf> {
    let program = std::env::current_exe().and_then(|program| program.canonicalize());
    let prefix = program.ok().and_then(|program| Some(program.parent()?.parent()?.to_owned()));
    prefix.into_iter().flat_map(|prefix| {
        let libraries = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
        let pythons = libraries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
        let packages = pythons.flat_map(|python| ["site-packages", "dist-packages"].map(|it| python.path().join(it)));
        // As pip's option `--target` has it.
        packages.chain([prefix.clone()]).collect::<Vec<_>>()
    })
}

impl Prebuilt {
    /// What came with this program and fits it; else why not, where something did.
    fn find() -> Result<Self, Unusable<Option<String>>> {
        let because = |why: String| Unusable::Because(Some(why));
        let folder = folder().ok_or(Unusable::Because(None))?;
        trust::check(&folder).map_err(|error| because(error.to_string()))?;
        let text = fs::read(folder.join(MANIFEST)).map_err(HomeError::at("read", &folder.join(MANIFEST)))?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| because(format!("{} is damaged ({error})", folder.join(MANIFEST).display())))?;
        if !manifest.is_own()? {
            return Err(because(format!("the runtime in {} is another program's", folder.display())));
        }
        Ok(Self { folder, manifest })
    }

    /// Where the wheels of this Python are unpacked.
    fn packages(&self) -> Option<&Path> {
        self.folder.parent()?.parent()
    }

    /// The toolchain that it was built with: the one beside it, else that of the machine.
    fn toolchain(&self) -> Result<Toolchain, String> {
        let place = self.packages().map(|packages| packages.join(TOOLCHAIN));
        place.as_deref().map_or(Ok(()), trust::check).map_err(|error| error.to_string())?;
        let beside = place.and_then(|place| toolchain::at(&place.join("bin/rustc")));
        let found = match beside {
            Some(beside) => beside,
            None => toolchain::find().map_err(|error| error.to_string())?,
        };
        if found.version == self.manifest.toolchain {
            return Ok(found);
        }
        let asked = self.manifest.toolchain.lines().next().unwrap_or_default();
        Err(format!("the runtime that came with this program was built by {asked}, not by {}", found.rustc.display()))
    }

    /// What came along in place of a C toolchain.
    fn link(&self) -> Option<PathBuf> {
        self.packages().map(|packages| packages.join(LINK)).filter(|link| link.is_dir())
    }

    /// How cells are linked: with what came along, else with the C toolchain of the machine.
    fn linker(&self, toolchain: &Toolchain) -> Option<Linker> {
        match self.link() {
            Some(link) => linker::alone(toolchain, &link),
            None => linker::find(toolchain, &toolchain::find_compiler().ok()?.path),
        }
    }

    /// The folder of the shim for a libtorch: that of its version, else of the newest version of its series.
    fn shim(&self, libtorch: &Libtorch) -> Result<PathBuf, String> {
        let shims = self.folder.join(SHIMS);
        let names = fs::read_dir(&shims).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let versions = names.filter_map(|name| name.into_string().ok());
        let whole = versions.filter(|version| shim::library(&shims.join(version)).is_file());
        let fits = whole.filter(|version| series(version).is_some_and(|it| Some(it) == series(&libtorch.version)));
        let best = fits.max_by_key(|version| (*version == libtorch.version, patch(version)));
        best.map(|version| shims.join(version))
            .ok_or_else(|| format!("is version {}, for which no shim came with this program", libtorch.version))
    }

    /// Tries the shim out, once for each libtorch; else why it does not do.
    fn test(&self, home: &Home, shim: &Path, libtorch: &Libtorch) -> Result<(), Unusable> {
        let list = contents::list(shim).unwrap_or_default();
        let passed = home.place("tested", &key([&list, libtorch.identity.as_bytes()]));
        if passed.is_file() {
            return Ok(());
        }
        let work = home.unfinished()?;
        let program = self.folder.join(SELF_TEST);
        match other_versions::run_self_test(&program, &shim::library(shim), libtorch, work.path())? {
            None => Ok(home.write(&passed, b"")?),
            Some(why) => Err(format!("the shim for torch {} fails the self-test: {why}", libtorch.version).into()),
        }
    }
}

/// `2.13` of `2.13.0`: versions of one series are called alike by those who link them.
fn series(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// `0` of `2.13.0`.
fn patch(version: &str) -> u32 {
    version.split('.').nth(2).and_then(|part| part.parse().ok()).unwrap_or(0)
}

/// What came with the program, for people; else why it cannot be used.
pub(crate) fn examine() -> Result<String, String> {
    let prebuilt = Prebuilt::find().map_err(|error| match error {
        Unusable::Because(why) => why.unwrap_or_default(),
        Unusable::Failed(error) => error.to_string(),
    })?;
    let damage = contents::damage(&prebuilt.folder.join(RUNTIME), Look::Hashes);
    damage.map_or(Ok(()), Err)?;
    let toolchain = prebuilt.toolchain()?;
    Ok(format!("{}, for {}", prebuilt.folder.display(), toolchain.rustc.display()))
}

/// The runtime that came with this program, with a libtorch that it goes with; else why it cannot be used here, where
/// there is something to say.
pub(crate) fn provide(
    home: &Home,
    versions: Versions,
    look: Look,
    progress: &dyn Progress,
) -> Result<(Runtime, Libtorch), Unusable<Option<String>>> {
    let because = |why: String| Unusable::Because(Some(why));
    let prebuilt = Prebuilt::find()?;
    let place = prebuilt.folder.join(RUNTIME);
    if let Some(damage) = contents::damage(&place, Look::Hashes) {
        return Err(because(format!("{damage}; to have it whole: pip install --force-reinstall oxtorch")));
    }
    let toolchain = prebuilt.toolchain().map_err(because)?;
    let mut refused = None;
    let mut fits = |libtorch: &Libtorch| match versions {
        Versions::Exact => refuse(libtorch),
        Versions::Near => prebuilt.shim(libtorch).map(drop).map_err(|why| {
            refused = Some(format!("torch in {} {why}", libtorch.root.display()));
            why.into()
        }),
    };
    let mut tried = Vec::new();
    let found = libtorch::find(home, look, &mut tried, &mut fits);
    if let Some(why) = refused.filter(|_| toolchain::can_build()) {
        return Err(because(why));
    }
    let libtorch = match found? {
        Some(libtorch) => libtorch,
        None => {
            progress.parts(&[Part::Libtorch]);
            libtorch::provide(home, tried, progress)?
        }
    };
    let shim = prebuilt.shim(&libtorch).map_err(because)?;
    if let Some(damage) = contents::damage(&shim, Look::Hashes) {
        return Err(because(damage));
    }
    prebuilt.test(home, &shim, &libtorch)?;
    let linker = prebuilt.linker(&toolchain);
    if linker.is_none() && toolchain::find_linker().is_none() {
        return Err(because("nothing here links: neither what came with this program nor a `cc`".to_owned()));
    }
    let sources = sources::all()?;
    let inputs = build::Inputs { sources: &sources, toolchain: &toolchain, libtorch: &libtorch, shim: &shim };
    // Another one than a runtime of the same parts that is built here: its crates lie elsewhere.
    let key = key([inputs.key().as_bytes(), place.as_os_str().as_encoded_bytes()]);
    let mut runtime = build::built_at(&place, home, &key, inputs)
        .ok_or_else(|| because(format!("{} is not whole", place.display())))?;
    runtime.linker = linker;
    if toolchain::find_linker().is_none() {
        runtime.recipe.linker = prebuilt.link().map(|link| link.join(DRIVER));
    }
    Ok((runtime, libtorch))
}

/// Puts the runtime of a home, and the shim for its libtorch, into a folder for a wheel. Where that has the runtime
/// already, which is the same for all, a shim for one more libtorch is added.
///
/// # Errors
///
/// Where they cannot be made or written, or there is no compiler for the self-test.
pub fn make(home: &Home, folder: &Path, progress: &dyn Progress) -> Result<(), SetupError> {
    // The compiler works in another folder than the user.
    let folder = &std::path::absolute(folder).map_err(HomeError::at("find", folder))?;
    let unwritten = |error| SetupError::from(HomeError::at("write", folder)(error));
    if is_made(folder)? {
        let (shim, libtorch) = crate::provide_shim(home, progress)?;
        copy(&shim, &folder.join(SHIMS).join(&libtorch.version)).map_err(unwritten)?;
        progress.done();
        return Ok(());
    }
    let runtime = crate::ensure_whole(home, progress)?;
    let manifest = Manifest { sources: sources::sources_key(&sources::all()?), toolchain: runtime.toolchain.clone() };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|error| SetupError::Sources(error.to_string()))?;
    let own = runtime.library.parent().unwrap_or(&runtime.library);
    copy(own, &folder.join(RUNTIME)).map_err(unwritten)?;
    let libraries = runtime.libraries.last().and_then(|libraries| libraries.parent());
    let checked = libraries.map(|root| libtorch::check(root, "the set-up"));
    let Some(Ok(libtorch)) = checked else { return Err(SetupError::NoLibtorch { tried: Vec::new() }) };
    for shim in &runtime.native {
        copy(shim, &folder.join(SHIMS).join(&libtorch.version)).map_err(unwritten)?;
    }
    let (compiler, work) = (toolchain::find_compiler()?, home.unfinished()?);
    let test = other_versions::compile_self_test(command(&compiler.path), work.path(), &folder.join(SELF_TEST))?;
    if !test.status.success() {
        return Err(SetupError::Shim { log: test.tail(30) });
    }
    fs::write(folder.join(MANIFEST), manifest).map_err(unwritten)
}

/// Whether a folder has this program's runtime.
fn is_made(folder: &Path) -> Result<bool, SetupError> {
    let text = fs::read(folder.join(MANIFEST)).ok();
    let manifest = text.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
    manifest.map_or(Ok(false), |manifest| manifest.is_own())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    create_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to)? } else { fs::copy(&from, &to).map(drop)? }
    }
    Ok(())
}
