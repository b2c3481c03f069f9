//! Builds the runtime's library and the host with the toolchain that will compile the cells.

pub mod metadata;
pub mod own_build;
pub mod sources;

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use oxtorch_system::child::{Output, command, with_path};
use oxtorch_system::home::{Home, HomeError, create_folder, is_disk_full, key, link, private_lock, write_file};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use self::metadata::{TargetKind, artifact, package_name};
use self::sources::SourceFile;
use crate::error::SetupError;
use crate::libtorch::Libtorch;
use crate::progress::{Part, Progress, Update};
use crate::tools::toolchain::Toolchain;
use crate::{Runtime, contents, disk_full, run_tool};

/// The package with the library that cells link, and the host.
const LIBRARY: &str = "oxtorch";
/// The package with the library that this one opens.
const SUPPORT: &str = "oxtorch-support";

/// The kind of thing that a build folder is in the home.
const BUILD: &str = "build";

/// The file that cargo holds locked while it builds, in each folder that it builds in.
pub(crate) const CARGO_LOCK: &str = ".cargo-lock";
/// The folder of the crates that are read for cells, in the runtime's place.
const DEPENDENCIES: &str = "deps";

/// The file there that says which of them the runtime's code calls by which name.
const NAMED: &str = "crates.json";

/// Calls rustc so that the same crate comes of the same source wherever it lies: what is built here goes with what was
/// built elsewhere, and no folder of this machine is in it. As a flag it would change the names of the files.
///
/// What cells call of `tch` is compiled with `tch`: it hands on what it has of generic functions, and gives cells none
/// of its functions to compile again. A cell that adds two tensors would else compile all that an error may consist of.
const WRAPPER: &str = r#"#!/bin/sh
[ -n "$CARGO_MANIFEST_DIR" ] || exec "$@"
name=/crates/$CARGO_PKG_NAME-$CARGO_PKG_VERSION
[ -z "$OUT_DIR" ] || set -- "$@" "--remap-path-prefix=$OUT_DIR=$name/out"
if [ "$CARGO_CRATE_NAME" = tch ]; then
    export RUSTC_BOOTSTRAP=tch
    set -- "$@" -Zshare-generics=yes -Zcross-crate-inline-threshold=never -Zinline-mir=no -Zallow-features=
fi
exec "$@" "--remap-path-prefix=$CARGO_MANIFEST_DIR=$name"
"#;

/// What the build takes on disk while it runs.
const NEEDED_SPACE: u64 = 750_000_000;

/// The crates of the runtime in a build folder: what is fetched, and not yet built.
#[derive(Debug)]
pub(crate) struct Crates {
    /// The workspace.
    folder: PathBuf,
    /// The unpacked torch-sys crate.
    pub(crate) torch_sys: PathBuf,
    /// How many crates the build takes.
    count: u64,
    /// What the runtime's code calls the crates that it depends on, and their packages.
    named: BTreeMap<String, String>,
}

/// How the runtime's crates are built. A crate that is built in the same way, in the same version and with the same
/// features, is the very same crate: cargo finds it done, and its types are the runtime's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The folder under which everything is kept.
    pub(crate) home: PathBuf,
    /// The toolchain's cargo.
    pub cargo: PathBuf,
    /// The toolchain's rustc.
    pub rustc: PathBuf,
    /// The platform that is built for.
    pub(crate) triple: String,
    /// rustc's flags, separated as `CARGO_ENCODED_RUSTFLAGS` has it.
    flags: String,
    /// The folder that the workspace of the runtime is laid out in.
    workspace: PathBuf,
    /// The folder of the shim.
    shim: PathBuf,
    /// What links as `cc` does, where there is no C toolchain.
    #[serde(default)]
    pub linker: Option<PathBuf>,
    /// Where this user's sessions write, if that is another folder. Whoever reads a recipe says so.
    #[serde(skip)]
    own: Option<PathBuf>,
    /// The name of this user's build folder there, if the one beside the workspace is not theirs to write.
    #[serde(skip)]
    own_build: Option<String>,
}

impl Recipe {
    /// The same for the sessions of one user in a home.
    pub(super) fn for_sessions_in(self, home: &Home, runtime: &str) -> Self {
        let own = home.is_apart().then(|| home.own().root().to_owned());
        let own_build = (home.is_apart() && !home.is_writable()).then(|| runtime.to_owned());
        Self { own, own_build, ..self }
    }

    /// The home of what sessions write, where that is another one.
    pub fn apart(&self) -> Option<Home> {
        self.own.as_ref().map(Home::at)
    }

    /// The home of what sessions write.
    pub fn sessions(&self) -> Home {
        self.apart().unwrap_or_else(|| Home::at(&self.home))
    }

    /// A call of cargo on the workspace in a folder.
    pub fn cargo(&self, folder: &Path, subcommand: &str) -> Command {
        let mut cargo = command(&self.cargo);
        cargo.arg(subcommand).arg("--manifest-path").arg(folder.join("Cargo.toml"));
        // Settings in the user's cargo home still say how to reach crates, but not how to build.
        cargo.env("RUSTC", &self.rustc).env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
        cargo.env("CARGO_TERM_COLOR", "never").env("CARGO_INCREMENTAL", "0");
        if let Some(linker) = &self.linker {
            cargo.env(format!("CARGO_TARGET_{}_LINKER", self.triple.to_uppercase().replace('-', "_")), linker);
            for (variable, program) in pips_compiler(linker).into_iter().flatten() {
                if std::env::var_os(variable).is_none() {
                    cargo.env(variable, program);
                }
            }
        }
        cargo
    }

    /// Asks for everything that is known of the packages of a workspace.
    pub fn metadata(&self, folder: &Path) -> Command {
        let mut cargo = self.cargo(folder, "metadata");
        cargo.args(["--format-version", "1", "--filter-platform", &self.triple]);
        cargo
    }

    /// Builds packages of the workspace in a folder; which ones is still to be said.
    pub fn build(&self, folder: &Path) -> Command {
        let triple = &self.triple;
        let search = toml_edit::Value::from(format!("native={}", self.shim.display()));
        let mut cargo = self.cargo(folder, "build");
        cargo.args(["--release", "--locked", "--message-format", "json-render-diagnostics"]);
        cargo.args(["--target", triple, "--target-dir"]).arg(self.target());
        // This takes the place of torch-sys's build script, which would compile the shim anew as a static library.
        cargo.args(["--config", &format!("target.{triple}.tch.rustc-link-lib=[\"tch\"]")]);
        cargo.args(["--config", &format!("target.{triple}.tch.rustc-link-search=[{search}]")]);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", &self.flags).env("RUSTC_WRAPPER", self.wrapper());
        // A crate may hide its C functions from all but its own shared library, and cells have inlined calls of them.
        cargo.env("CFLAGS", "-fvisibility=default");
        cargo
    }

    /// Makes what a build begins with: the locks that cargo takes, as their user's alone (whoever can open one can hold
    /// it for ever), and what calls rustc.
    pub fn prepare(&self) -> io::Result<()> {
        for folder in [self.target().join("release"), self.release()] {
            create_folder(&folder)?;
            private_lock(&folder.join(CARGO_LOCK))?;
        }
        let wrapper = self.wrapper();
        if !fs::read(&wrapper).is_ok_and(|text| text == WRAPPER.as_bytes()) {
            write_file(&wrapper, WRAPPER.as_bytes())?;
            fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    /// What cargo calls in place of rustc.
    fn wrapper(&self) -> PathBuf {
        self.target().join("call-rustc")
    }

    /// The workspace of the runtime, with its sources.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Where cargo puts everything.
    pub(super) fn target(&self) -> PathBuf {
        let workspace = match (self.apart(), &self.own_build) {
            (Some(home), Some(name)) => home.place(BUILD, name),
            _ => self.workspace.clone(),
        };
        workspace.join("target")
    }

    /// Where cargo puts what runs on the platform that is built for.
    pub fn release(&self) -> PathBuf {
        self.target().join(&self.triple).join("release")
    }
}

/// Everything that decides what the build gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) sources: &'a [SourceFile],
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) libtorch: &'a Libtorch,
    /// The folder of the shim.
    pub(crate) shim: &'a Path,
}

impl Inputs<'_> {
    /// Names the runtime that these give.
    pub(crate) fn key(&self) -> String {
        let sources = sources::sources_key(self.sources);
        let flags = self.flags();
        key([&sources, &self.toolchain.version, &self.libtorch.identity, &flags, WRAPPER].map(|part| part.as_bytes()))
    }

    /// rustc's flags, in the form that allows spaces in paths.
    fn flags(&self) -> String {
        // One shared standard library for the host, the runtime and all cells.
        let mut flags = vec!["-Cprefer-dynamic".to_owned()];
        // No folder of this machine is in what is built: whoever starts the host names them.
        let mut for_linker = vec!["-rpath", if cfg!(target_os = "macos") { "@loader_path" } else { "$ORIGIN" }];
        if cfg!(target_os = "linux") {
            // The shim calls back into the runtime, and libtorch's own libraries are not for us to resolve.
            for_linker.push("--allow-shlib-undefined");
        }
        flags
            .extend(for_linker.iter().flat_map(|argument| ["-Xlinker", argument]).map(|it| format!("-Clink-arg={it}")));
        flags.join("\u{1f}")
    }

    fn recipe(&self, home: &Home) -> Recipe {
        Recipe {
            home: home.root().to_owned(),
            cargo: self.toolchain.cargo.clone(),
            rustc: self.toolchain.rustc.clone(),
            triple: self.toolchain.triple().to_owned(),
            flags: self.flags(),
            workspace: workspace(home, *self),
            shim: self.shim.to_owned(),
            linker: None,
            own: None,
            own_build: None,
        }
    }
}

/// The folder that cargo builds in. It stays, so that another version of the runtime costs only what changed; what
/// cells need of it has a second name elsewhere, which takes no space.
fn workspace(home: &Home, inputs: Inputs<'_>) -> PathBuf {
    let flags = inputs.flags();
    let shim = inputs.shim.as_os_str().as_encoded_bytes();
    home.place(BUILD, &key([inputs.toolchain.version.as_bytes(), flags.as_bytes(), shim, WRAPPER.as_bytes()]))
}

/// Removes what was fetched or built for a build that is not to be.
pub(crate) fn forget(home: &Home, inputs: Inputs<'_>) {
    // What cannot be removed now is only in the way of free space.
    let _ = fs::remove_dir_all(workspace(home, inputs));
}

/// Where the runtime of a key stands, whether it is there or not.
pub(crate) fn place(home: &Home, key: &str) -> PathBuf {
    home.place("runtime", key)
}

/// The runtime of a key, if it is there.
pub(crate) fn built(home: &Home, key: &str, inputs: Inputs<'_>) -> Option<Runtime> {
    built_at(&place(home, key), home, key, inputs)
}

/// The runtime that stands at a place, wherever that is, if it is there.
pub(crate) fn built_at(place: &Path, home: &Home, key: &str, inputs: Inputs<'_>) -> Option<Runtime> {
    let runtime = Runtime {
        key: key.to_owned(),
        rustc: inputs.toolchain.rustc.clone(),
        toolchain: inputs.toolchain.version.clone(),
        library: place.join(library_name(LIBRARY)),
        dependencies: vec![place.join(DEPENDENCIES)],
        crates: named(place)?,
        native: vec![inputs.shim.to_owned()],
        libraries: vec![inputs.toolchain.libraries(), inputs.shim.to_owned(), inputs.libtorch.libraries()],
        linker: None,
        host: place.join("oxtorch-host"),
        recipe: inputs.recipe(home),
    };
    files(&runtime).iter().all(|file| file.is_file()).then_some(runtime)
}

/// The C compiler that pip has as the package `ziglang`, where it lies beside what links in place of a C toolchain: by
/// scripts there that call it as crates call `cc` and `ar`.
fn pips_compiler(linker: &Path) -> Option<[(&'static str, PathBuf); 2]> {
    let packages = linker.ancestors().nth(3)?;
    let scripts = [("CC", "zig-cc"), ("AR", "zig-ar")].map(|(variable, name)| (variable, linker.with_file_name(name)));
    packages.join("ziglang/zig").is_file().then_some(scripts)
}

/// What is built and then loaded.
pub(crate) fn files(runtime: &Runtime) -> [PathBuf; 3] {
    [runtime.library.clone(), runtime.library.with_file_name(library_name(SUPPORT)), runtime.host.clone()]
}

/// The file name of a package's shared library.
pub fn library_name(package: &str) -> String {
    format!("{}{}{}", std::env::consts::DLL_PREFIX, package.replace('-', "_"), std::env::consts::DLL_SUFFIX)
}

/// Lays out the sources and has cargo fetch the crates that they need.
pub(crate) fn fetch(home: &Home, inputs: Inputs<'_>, progress: &dyn Progress) -> Result<Crates, SetupError> {
    progress.part(Part::Crates, None);
    progress.step("Getting the crates that the runtime is built from");
    let recipe = inputs.recipe(home);
    let folder = recipe.workspace.clone();
    sources::write(inputs.sources, &folder).map_err(|error| not_written(error, &folder))?;
    let output = run_tool(&mut recipe.metadata(&folder), |line| {
        if let Some(name) = downloaded(line) {
            progress.update(Update::Doing(name));
        } else if let Some(waiting) = waited_for(line) {
            progress.update(Update::Doing(&waiting));
        }
    })?;
    if !output.status.success() {
        return Err(failed(home, inputs, &output, |log| SetupError::NoCrates { log }));
    }
    let metadata =
        metadata::read(output.stdout.as_bytes()).map_err(|error| SetupError::NoCrates { log: error.to_string() })?;
    let package = |name: &str| {
        let package = metadata::package(&metadata, name);
        package.ok_or_else(|| SetupError::Sources(format!("the workspace of the runtime lacks {name}")))
    };
    let torch_sys = package("torch-sys")?.manifest_path.parent().map_or_else(|| folder.clone(), Into::into);
    let built = [&package(LIBRARY)?.id, &package(SUPPORT)?.id];
    let node = metadata::nodes(&metadata).iter().find(|node| node.id == *built[0]);
    let named = node.into_iter().flat_map(|node| &node.deps).filter(|dependency| metadata::is_for_running(dependency));
    let named = named.map(|dependency| (dependency.name.clone(), dependency.pkg.repr.clone())).collect();
    let built = metadata::reached(&metadata, built, |dependency| !metadata::is_for_tests(dependency));
    Ok(Crates { torch_sys, count: built.len() as u64, named, folder })
}

/// The crate that cargo says it downloads.
pub fn downloaded(line: &str) -> Option<&str> {
    let (_, name) = line.trim().split_once("Download")?;
    Some(name.trim_start_matches("ed").trim_start_matches("ing").trim())
}

/// What cargo says that it waits for: the lock of something, which another process holds.
pub fn waited_for(line: &str) -> Option<String> {
    let (_, what) = line.split_once("Blocking waiting for file lock on ")?;
    Some(format!(
        "Waiting for another process, which holds cargo's lock on the {}",
        what.trim().trim_start_matches("the ")
    ))
}

/// Builds the fetched crates and moves what is needed of them to the runtime's place.
pub(crate) fn build(
    home: &Home,
    key: &str,
    crates: &Crates,
    inputs: Inputs<'_>,
    progress: &dyn Progress,
) -> Result<(), SetupError> {
    progress.part(Part::Runtime, None);
    progress.step("Building the runtime");
    let recipe = inputs.recipe(home);
    recipe.prepare().map_err(|error| not_written(error, &recipe.release()))?;
    let mut cargo = recipe.build(&crates.folder);
    cargo.args(["--package", LIBRARY, "--package", SUPPORT]);

    let done = Mutex::new(HashSet::new());
    let output = run_tool(&mut cargo, |line| {
        let Some(artifact) = artifact(line) else {
            if let Some(waiting) = waited_for(line) {
                progress.update(Update::Doing(&waiting));
            }
            return;
        };
        let mut done = done.lock();
        done.insert(artifact.package_id.clone());
        let name = package_name(&artifact.package_id.repr);
        progress.update(Update::Count { done: done.len() as u64, total: crates.count, name });
    })?;
    if !output.status.success() {
        return Err(failed(home, inputs, &output, |log| SetupError::Build { log }));
    }

    let work = home.unfinished()?;
    let finished = work.path().join("runtime");
    gather(&output.stdout, &recipe.release(), &crates.named, &finished)
        .map_err(|error| not_written(error, &finished))?;
    let read = ask_what_cells_read(inputs, &finished, work.path())?;
    keep(&read, &finished.join(DEPENDENCIES)).map_err(|error| not_written(error, &finished))?;
    contents::put_down(&finished).map_err(|error| not_written(error, &finished))?;
    home.finish(&finished, &place(home, key))?;
    Ok(())
}

/// Whether a file has all of a crate but its code.
pub fn is_metadata(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rmeta")
}

/// Collects the libraries, the host, and the metadata and the macros of all crates below them. Their code would stand
/// beside the metadata in a file that is mapped as a whole, which makes the compiler half as large again.
///
/// The runtime calls the packages in `named` by these names; which file each has, it writes down.
fn gather(messages: &str, release: &Path, named: &BTreeMap<String, String>, finished: &Path) -> io::Result<()> {
    let dependencies = finished.join(DEPENDENCIES);
    create_folder(&dependencies)?;
    // Cargo may write the packages of its own workspace anew in place, so they are copied.
    for name in [library_name(LIBRARY), library_name(SUPPORT), "oxtorch-host".to_owned()] {
        fs::copy(release.join(&name), finished.join(&name))?;
    }
    let mut files = BTreeMap::new();
    let artifacts: Vec<_> = messages.lines().filter_map(artifact).collect();
    for artifact in &artifacts {
        let (package, is_macro) = (&artifact.package_id.repr, artifact.target.is_kind(TargetKind::ProcMacro));
        for (file, name) in artifact.filenames.iter().filter_map(|file| Some((file.as_std_path(), file.file_name()?))) {
            if is_metadata(file)
                && let Some((called, _)) = named.iter().find(|(_, named)| *named == package)
            {
                files.insert(called, name);
            }
            if is_macro || (is_metadata(file) && file.starts_with(release)) {
                let to = dependencies.join(name);
                if package.starts_with("path+") { fs::copy(file, &to).map(drop)? } else { link(file, &to)? }
            }
        }
    }
    fs::write(finished.join(NAMED), serde_json::to_vec(&files)?)
}

/// The files of the crates that the runtime at a place depends on, by what its code calls them.
fn named(place: &Path) -> Option<BTreeMap<String, PathBuf>> {
    let files: BTreeMap<String, String> = serde_json::from_slice(&fs::read(place.join(NAMED)).ok()?).ok()?;
    Some(files.into_iter().map(|(name, file)| (name, place.join(DEPENDENCIES).join(file))).collect())
}

/// The crates that the compiler reads for a cell, as it names their files: those that the library holds, and the macros
/// that these were written with. It fails where one is not there.
fn ask_what_cells_read(inputs: Inputs<'_>, finished: &Path, scratch: &Path) -> Result<String, SetupError> {
    let source = scratch.join("cell.rs");
    fs::write(&source, "extern crate oxtorch as _;\n").map_err(|error| not_written(error, &source))?;
    let mut rustc = command(&inputs.toolchain.rustc);
    rustc.arg(&source).args(["--edition", "2024", "--crate-type", "lib", "-C", "prefer-dynamic"]);
    rustc.args(["--emit", "dep-info=-", "-Zbinary-dep-depinfo"]).env("RUSTC_BOOTSTRAP", "1");
    rustc.arg("--extern").arg(with_path("oxtorch=", &finished.join(library_name(LIBRARY))));
    rustc.arg("-L").arg(with_path("dependency=", &finished.join(DEPENDENCIES)));
    let output = run_tool(&mut rustc, |_| ())?;
    if !output.status.success() {
        return Err(SetupError::Build { log: output.tail(30) });
    }
    Ok(output.stdout)
}

/// Removes the crates that are not read for cells: those of the host and of the library that opens when it is needed,
/// and dependencies that no code names. What lies here, the runtime's library holds.
fn keep(read: &str, dependencies: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dependencies)? {
        let entry = entry?;
        let name = entry.file_name();
        if !read.contains(&format!("/{}", name.to_string_lossy())) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn not_written(error: io::Error, path: &Path) -> SetupError {
    if is_disk_full(&error) {
        disk_full("building the runtime", path, NEEDED_SPACE)
    } else {
        HomeError::at("write", path)(error).into()
    }
}

fn failed(home: &Home, inputs: Inputs<'_>, output: &Output, other: impl FnOnce(String) -> SetupError) -> SetupError {
    if output.is_disk_full() {
        // What cargo could not write whole it must not find later.
        let _ = fs::remove_dir_all(workspace(home, inputs));
        return disk_full("building the runtime", home.root(), NEEDED_SPACE);
    }
    other(output.tail(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_user_can_hold_the_locks_that_cargo_takes() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| home.path().join(name);
        let recipe = Recipe {
            home: home.path().to_owned(),
            cargo: path("cargo"),
            rustc: path("rustc"),
            triple: "triple".into(),
            flags: String::new(),
            workspace: path("build/key"),
            shim: path("shim"),
            linker: None,
            own: None,
            own_build: None,
        };
        let locks = ["release", "triple/release"].map(|folder| path("build/key/target").join(folder).join(CARGO_LOCK));
        // As cargo itself makes them.
        create_folder(locks[1].parent().expect("has one")).expect("creates");
        fs::write(&locks[1], "").expect("writes");
        recipe.prepare().expect("keeps them");
        for lock in locks {
            let mode = lock.symlink_metadata().expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", lock.display());
        }
    }

    #[test]
    fn what_cargo_waits_for_is_said() {
        let said = waited_for("    Blocking waiting for file lock on package cache").expect("it waits");
        assert!(said.ends_with("lock on the package cache"), "{said}");
        assert_eq!(
            waited_for("    Blocking waiting for file lock on the registry index"),
            Some(said.replace("package cache", "registry index"))
        );
        assert_eq!(waited_for("   Compiling blocking v1.0.0"), None);
    }
}
