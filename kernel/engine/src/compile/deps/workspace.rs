//! Has cargo resolve and build the user's crates, as neighbours of the runtime in one workspace.
//!
//! The workspace is the runtime's own, with its lock, less its code, and with a package that depends on what the user
//! asks for. So versions and features of the crates that both use are settled together: where nothing new is asked of
//! such a crate it is the one that the runtime was built from, and cargo finds it built in the runtime's build folder.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use oxtorch_setup::build::{Recipe, downloaded, is_metadata, waited_for};
use oxtorch_setup::metadata::{
    Artifact, CrateType, Dependency, Message, Metadata, TargetKind, artifact, is_for_tests, library, nodes,
    package_name, reached,
};
use oxtorch_setup::{metadata, own_build, sources};
use oxtorch_system::child::{Output, Stop, run_until};
use oxtorch_system::home::trust;
use parking_lot::Mutex;
use toml_edit::{Array, DocumentMut};

use crate::compile::deps::failure::{Failure, no_network, not_built, not_resolved, untrusted};
use crate::compile::deps::spec::Spec;

/// The package that depends on what the user asks for.
pub const PACKAGE: &str = "oxtorch-session";
const FOLDER: &str = "session";

/// A crate that the user asked for, as cargo knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The name that code uses.
    pub identifier: String,
    /// Its own name, which rustc uses.
    pub krate: String,
    /// Cargo's id of its package.
    pub id: String,
}

/// Resolved and fetched.
#[derive(Debug)]
pub struct Resolved {
    /// What the user asked for, directly.
    pub wanted: Vec<Wanted>,
    /// What the runtime depends on, directly: cargo's ids.
    pub runtime: Vec<String>,
    /// Versions, by cargo's ids.
    pub versions: BTreeMap<String, String>,
    /// The features that are wanted of each, by cargo's ids.
    pub features: BTreeMap<String, Vec<String>>,
    /// How many packages may have to be built.
    count: usize,
    offline: bool,
}

/// What a build left.
#[derive(Debug)]
pub struct Built {
    /// The library of each package that the user's crates reach.
    pub artifacts: Vec<BuiltCrate>,
    /// Folders with native libraries that build scripts made.
    pub native: Vec<PathBuf>,
}

/// One compiled library.
#[derive(Debug)]
pub struct BuiltCrate {
    /// Cargo's id of its package.
    pub id: String,
    /// The file: a crate's metadata, beside which its code lies, or a shared library for a procedural macro.
    pub file: PathBuf,
    /// Whether it is a procedural macro.
    pub is_macro: bool,
}

impl BuiltCrate {
    /// The file that holds its code.
    pub fn code(&self) -> PathBuf {
        if self.is_macro { self.file.clone() } else { code_beside(&self.file) }
    }
}

/// The file with a crate's code, beside that with its metadata.
pub fn code_beside(metadata: &Path) -> PathBuf {
    metadata.with_extension("rlib")
}

/// A workspace that is laid out in a folder.
#[derive(Debug)]
pub struct Workspace<'a> {
    /// How the runtime was built.
    pub recipe: &'a Recipe,
    /// Where it lies.
    pub folder: &'a Path,
    /// Ends cargo early.
    pub stop: &'a Stop,
}

impl Workspace<'_> {
    /// Writes the workspace; `lock` is that of an earlier build, if there was one.
    pub fn lay_out(&self, specs: &[Spec], lock: Option<&str>) -> Result<(), Failure> {
        let sources = sources::all().map_err(|error| Failure::plain(error.to_string()))?;
        for source in sources {
            // Of the code only the roots, which cargo asks for. That is all of `zip`, which crates of the user may
            // depend on; nothing compiles the other packages.
            let is_root = ["/lib.rs", "/main.rs"].iter().any(|end| source.path.ends_with(end));
            let contents = match source.path.as_str() {
                "Cargo.toml" => with_member(&source.contents)?,
                "Cargo.lock" => lock.map_or(source.contents, |lock| lock.as_bytes().to_vec()),
                path if is_root || path.ends_with("Cargo.toml") => source.contents,
                _ => continue,
            };
            self.write(&source.path, &contents)?;
        }
        let mut manifest =
            format!("[package]\nname = \"{PACKAGE}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n");
        for spec in specs {
            manifest.push_str(&format!("{spec}\n"));
        }
        self.write(&format!("{FOLDER}/Cargo.toml"), manifest.as_bytes())?;
        self.write(&format!("{FOLDER}/src/lib.rs"), b"")
    }

    /// Writes a file that is older than all that was built. Otherwise cargo would build the runtime's `zip` again, and
    /// `tch` with it: from sources in another folder, another crate comes of it.
    fn write(&self, path: &str, contents: &[u8]) -> Result<(), Failure> {
        let path = self.folder.join(path);
        let parent = path.parent().unwrap_or(self.folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, contents))
            .and_then(|()| File::options().write(true).open(&path)?.set_modified(UNIX_EPOCH))
            .map_err(Failure::io(format!("write {}", path.display())))
    }

    /// The versions that were settled on.
    pub fn lock(&self) -> Result<String, Failure> {
        let path = self.folder.join("Cargo.lock");
        fs::read_to_string(&path).map_err(Failure::io(format!("read {}", path.display())))
    }

    /// Settles on versions and fetches the crates. Without a network, what was fetched earlier has to do.
    pub fn resolve(&self, specs: &[Spec], tell: &(dyn Fn(String) + Sync)) -> Result<Resolved, Failure> {
        let ask = |offline: bool| -> Result<Output, Failure> {
            let mut cargo = self.recipe.metadata(self.folder);
            if offline {
                cargo.arg("--offline");
            }
            let told = |line: &str| {
                if let Some(name) = downloaded(line).filter(|name| name.contains(" v")) {
                    tell(format!("Getting {}", name.replacen(" v", " ", 1)));
                } else if line.trim_start().starts_with("Updating ") {
                    tell("Looking for the crates".to_owned());
                } else if let Some(waiting) = waited_for(line) {
                    tell(waiting);
                }
            };
            run_until(&mut cargo, self.stop, told).map_err(self.not_run())
        };
        let mut output = ask(false)?;
        let offline = !output.status.success() && no_network(&output);
        if offline {
            tell("There is no network: looking among the crates that are here already".to_owned());
            output = ask(true)?;
        }
        if !output.status.success() {
            return Err(not_resolved(&output, offline));
        }
        let metadata = metadata::read(output.stdout.as_bytes())
            .map_err(|error| Failure::plain(format!("cargo describes the crates in an unknown format: {error}")))?;
        resolved(metadata, specs, offline)
    }

    /// Builds what the user asked for, and what that needs.
    pub fn build(&self, resolved: &Resolved, tell: &(dyn Fn(String) + Sync)) -> Result<Built, Failure> {
        own_build::make(self.recipe, &|line| tell(line)).map_err(|error| Failure::plain(error.to_string()))?;
        // What cargo finds done there goes into what cells load.
        let release = self.recipe.release();
        let checked = trust::check(&release).and_then(|()| trust::check_here(&release.join("deps")));
        checked.map_err(untrusted)?;
        self.recipe.prepare().map_err(Failure::io(format!("write to {}", release.display())))?;
        let mut cargo = self.recipe.build(self.folder);
        // Packages that are no members are built with the features that all members together ask for.
        cargo.arg("--lib");
        for wanted in &resolved.wanted {
            cargo.args(["--package", &wanted.id]);
        }
        if resolved.offline {
            cargo.arg("--offline");
        }
        let done = Mutex::new(HashSet::new());
        let output = run_until(&mut cargo, self.stop, |line| {
            let mut done = done.lock();
            if let Some(artifact) = artifact(line) {
                done.insert(artifact.package_id);
            } else if let Some((_, name)) = line.split_once(" Compiling ") {
                let name = name.split(' ').next().unwrap_or(name);
                tell(format!("Compiling {name} ({} of {})", (done.len() + 1).min(resolved.count), resolved.count));
            } else if let Some(waiting) = waited_for(line) {
                tell(waiting);
            }
        })
        .map_err(self.not_run())?;
        if !output.status.success() {
            return Err(not_built(&output));
        }
        let lines = || output.stdout.lines();
        Ok(Built {
            artifacts: lines().filter_map(artifact).filter_map(|artifact| self.library(artifact)).collect(),
            native: lines().flat_map(native_folders).collect(),
        })
    }

    fn not_run(&self) -> impl FnOnce(std::io::Error) -> Failure {
        Failure::io(format!("run {}", self.recipe.cargo.display()))
    }

    /// The library among the files of a package. Tools that only ran during the build are left out.
    fn library(&self, artifact: Artifact) -> Option<BuiltCrate> {
        let is_macro = artifact.target.is_kind(TargetKind::ProcMacro);
        let mut files = artifact.filenames.into_iter().map(PathBuf::from);
        let file = if is_macro {
            hashed(&files.next()?)
        } else {
            // What was asked for directly has a second name without its hash, but the metadata beside it has not.
            files.find(|file| is_metadata(file))?
        };
        let id = artifact.package_id.repr;
        (is_macro || file.starts_with(self.recipe.release())).then_some(BuiltCrate { id, file, is_macro })
    }
}

/// The workspace's manifest with our package in it.
fn with_member(manifest: &[u8]) -> Result<Vec<u8>, Failure> {
    let damaged = || Failure::plain("the manifest that Oxtorch carries is damaged");
    let mut manifest: DocumentMut =
        str::from_utf8(manifest).ok().and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
    let members = manifest["workspace"]["members"].as_array_mut();
    members.ok_or_else(damaged)?.extend(Array::from_iter([FOLDER]));
    Ok(manifest.to_string().into_bytes())
}

/// A procedural macro that was asked for directly is told by its second name, `release/libx.so`; this finds the first,
/// `release/deps/libx-0123.so`, which no other version takes.
fn hashed(file: &Path) -> PathBuf {
    use std::os::unix::fs::MetadataExt;

    let found = || {
        let stem = format!("{}-", file.file_stem()?.to_str()?);
        let inode = file.metadata().ok()?.ino();
        let entries = fs::read_dir(file.parent()?.join("deps")).ok()?.flatten();
        let mut same = entries.filter(|entry| {
            entry.file_name().to_string_lossy().starts_with(&stem)
                && entry.path().extension() == file.extension()
                && entry.metadata().is_ok_and(|found| found.ino() == inode)
        });
        same.next().map(|entry| entry.path())
    };
    found().unwrap_or_else(|| file.to_owned())
}

/// The folders that a build script has the linker search.
fn native_folders(line: &str) -> Vec<PathBuf> {
    let Ok(Message::BuildScriptExecuted(executed)) = serde_json::from_str(line) else { return Vec::new() };
    let paths = executed.linked_paths.iter().map(|path| path.as_str());
    paths.map(|path| PathBuf::from(path.split_once('=').map_or(path, |(_, path)| path))).collect()
}

fn resolved(metadata: Metadata, specs: &[Spec], offline: bool) -> Result<Resolved, Failure> {
    let direct = needed_by(&metadata, PACKAGE);
    let package_of = |dependency: &&Dependency| metadata.packages.iter().find(|package| package.id == dependency.pkg);
    // Cargo takes a program for a dependency, and then passes over it.
    let has_library = |spec: &&Spec| direct.iter().filter_map(package_of).any(|package| *package.name == spec.package);
    if let Some(program) = specs.iter().find(|spec| !has_library(spec)) {
        return Err(Failure::new(
            format!("`{}` is not a library that code can use", program.package),
            "it may be a program: `cargo install` is for those",
        ));
    }
    let wanted = direct.iter().filter_map(|dependency| {
        let types = [CrateType::Lib, CrateType::RLib, CrateType::DyLib, CrateType::ProcMacro];
        let library = library(package_of(dependency)?, &types)?;
        Some(Wanted {
            identifier: dependency.name.clone(),
            krate: library.name.replace('-', "_"),
            id: dependency.pkg.repr.clone(),
        })
    });
    let wanted = wanted.collect();
    let ids = direct.iter().map(|dependency| &dependency.pkg);
    let features = nodes(&metadata)
        .iter()
        .map(|node| (node.id.repr.clone(), node.features.iter().map(|feature| feature.to_string()).collect()));
    // The crates that cells have from the start: `tch` stands below the one that they see.
    let runtime = needed_by(&metadata, "oxtorch").into_iter().chain(needed_by(&metadata, "oxtorch-tch"));
    Ok(Resolved {
        wanted,
        runtime: runtime.map(|dependency| dependency.pkg.repr.clone()).collect(),
        count: reached(&metadata, ids, |dependency| !is_for_tests(dependency)).len(),
        features: features.collect(),
        versions: metadata.packages.iter().map(|it| (it.id.repr.clone(), it.version.to_string())).collect(),
        offline,
    })
}

/// What a member of the workspace depends on.
fn needed_by<'a>(metadata: &'a Metadata, member: &str) -> Vec<&'a Dependency> {
    let is_member = |id: &str| id.starts_with("path+") && package_name(id) == member;
    let node = nodes(metadata).iter().find(|node| is_member(&node.id.repr));
    node.map(|node| node.deps.iter().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_runtimes_with_one_more_member() {
        let manifest =
            with_member(b"[workspace]\nmembers = [\"runtime\"]\n[profile.release]\ndebug = 0\n").expect("is whole");
        let text = String::from_utf8(manifest).expect("is text");
        assert!(text.contains(r#""runtime""#) && text.contains(r#""session""#) && text.contains("debug = 0"), "{text}");
        assert!(with_member(b"[package]").is_err());
    }

    #[test]
    fn folders_of_native_libraries_are_found() {
        let line = r#"{"reason":"build-script-executed","package_id":"x","linked_libs":[],"linked_paths":["native=/a/b","/c"],"cfgs":[],"env":[],"out_dir":"/d"}"#;
        assert_eq!(native_folders(line), [PathBuf::from("/a/b"), PathBuf::from("/c")]);
        assert!(native_folders("{\"reason\":\"compiler-artifact\"}").is_empty());
        assert!(native_folders("   Compiling x").is_empty());
    }
}
