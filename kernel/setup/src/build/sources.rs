//! The runtime's sources, which this program carries, as a cargo workspace of their own.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use include_dir::{Dir, include_dir};
use oxtorch_system::home::{create_folder, key, write_file};
use toml_edit::{Array, DocumentMut, Item, Table};

use crate::error::SetupError;

static RUNTIME: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../runtime");
/// The manifest of the workspace that this program was built from: versions, lints and profiles are the same there.
const MANIFEST: &str = include_str!("../../../../Cargo.toml");
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// The crate that cells are linked with.
const RUNTIME_CRATE: &str = "oxtorch";

/// One file of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it lies, relative to the workspace.
    pub path: String,
    /// What it holds.
    pub contents: Vec<u8>,
}

/// All files of the workspace, in a fixed order.
pub fn all() -> Result<Vec<SourceFile>, SetupError> {
    let mut sources = vec![
        SourceFile { path: "Cargo.toml".into(), contents: manifest(MANIFEST)?.into_bytes() },
        SourceFile { path: "Cargo.lock".into(), contents: LOCK.into() },
    ];
    collect(&RUNTIME, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(folder: &Dir<'_>, sources: &mut Vec<SourceFile>) {
    sources.extend(folder.files().map(|file| SourceFile {
        path: format!("runtime/{}", file.path().display()),
        contents: file.contents().into(),
    }));
    for folder in folder.dirs() {
        collect(folder, sources);
    }
}

/// The whole workspace's manifest, cut down to the runtime.
fn manifest(whole: &str) -> Result<String, SetupError> {
    let damaged = |why: &str| SetupError::Sources(format!("the workspace manifest {why}"));
    let mut manifest: DocumentMut = whole.parse().map_err(|_| damaged("is not TOML"))?;
    let workspace = manifest
        .get_mut("workspace")
        .and_then(|item| item.as_table_mut())
        .ok_or_else(|| damaged("has no workspace"))?;
    workspace.remove("default-members");
    let members = workspace["members"].as_array().ok_or_else(|| damaged("has no members"))?;
    let runtime = members.iter().filter_map(|member| member.as_str()).filter(|member| member.starts_with("runtime"));
    workspace["members"] = toml_edit::value(Array::from_iter(runtime));
    Ok(manifest.to_string())
}

/// The version of `torch-sys`, whose C++ sources the shim is compiled from.
pub(crate) fn torch_sys_version() -> Result<String, SetupError> {
    locked_version(LOCK, "torch-sys").ok_or_else(|| SetupError::Sources("Cargo.lock names no torch-sys".into()))
}

/// The version of a crate that the runtime is built with.
pub fn crate_version(name: &str) -> Option<String> {
    locked_version(LOCK, name)
}

/// The version that is nearest to the runtime: a lock may have several, most of them for other crates' own use.
fn locked_version(lock: &str, name: &str) -> Option<String> {
    let lock: DocumentMut = lock.parse().ok()?;
    let packages: Vec<&Table> = lock.get("package")?.as_array_of_tables()?.iter().collect();
    let text = |package: &Table, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    // "rand", or "rand 0.9.5" if there are several.
    let find = |wanted: &str| {
        let (name, version) = wanted.split_once(' ').map_or((wanted, None), |(name, version)| (name, Some(version)));
        let is_it = |package: &&&Table| {
            text(package, "name").as_deref() == Some(name)
                && version.is_none_or(|version| text(package, "version").as_deref() == Some(version))
        };
        packages.iter().find(is_it).copied()
    };
    let mut seen = BTreeSet::from([RUNTIME_CRATE.to_owned()]);
    let mut waiting = VecDeque::from([RUNTIME_CRATE.to_owned()]);
    while let Some(next) = waiting.pop_front() {
        let Some(package) = find(&next) else { continue };
        if text(package, "name").as_deref() == Some(name) {
            return text(package, "version");
        }
        let dependencies = package.get("dependencies").and_then(Item::as_array).into_iter().flatten();
        let dependencies = dependencies.filter_map(|dependency| Some(dependency.as_str()?.to_owned()));
        waiting.extend(dependencies.filter(|dependency| seen.insert(dependency.clone())));
    }
    None
}

/// The key of a set of sources.
pub(crate) fn sources_key(sources: &[SourceFile]) -> String {
    key(sources.iter().flat_map(|source| [source.path.as_bytes(), &source.contents]))
}

/// Lays the workspace out in a folder. Files that are there already keep their time, so that cargo goes on where an
/// interrupted build was; files of other versions go.
pub fn write(sources: &[SourceFile], folder: &Path) -> std::io::Result<()> {
    remove_others(sources, folder, &folder.join("runtime"))?;
    for source in sources {
        let path = folder.join(&source.path);
        if fs::read(&path).is_ok_and(|contents| contents == source.contents) {
            continue;
        }
        if let Some(parent) = path.parent() {
            create_folder(parent)?;
        }
        write_file(&path, &source.contents)?;
    }
    Ok(())
}

fn remove_others(sources: &[SourceFile], root: &Path, folder: &Path) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(sources, root, &path)?;
        } else if !sources.iter().any(|source| root.join(&source.path) == path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_holds_the_runtime_and_nothing_of_the_kernel() {
        let sources = all().expect("the sources are whole");
        let text = |path: &str| {
            let source = sources.iter().find(|source| source.path == path).expect("is there");
            String::from_utf8(source.contents.clone()).expect("is text")
        };
        let manifest = text("Cargo.toml");
        assert!(
            manifest.contains(
                r#"members = ["runtime", "runtime/boundary", "runtime/protocol", "runtime/support", "runtime/tch"]"#
            ),
            "{manifest}"
        );
        assert!(!manifest.contains("kernel"), "{manifest}");
        for kept in ["[workspace.package]", "[workspace.dependencies]", "[workspace.lints.rust]", "[profile.release]"] {
            assert!(manifest.contains(kept), "{kept} is missing in {manifest}");
        }
        assert!(text("runtime/src/lib.rs").contains("pub mod prelude"));
        assert!(text("runtime/protocol/Cargo.toml").contains("oxtorch-protocol"));
    }

    #[test]
    fn the_key_changes_with_any_source_and_its_name() {
        let source = |path: &str, contents: &str| SourceFile { path: path.into(), contents: contents.into() };
        let first = sources_key(&[source("a.rs", "fn a() {}")]);
        assert_eq!(first, sources_key(&[source("a.rs", "fn a() {}")]));
        assert_ne!(first, sources_key(&[source("a.rs", "fn b() {}")]));
        assert_ne!(first, sources_key(&[source("b.rs", "fn a() {}")]));
        assert_ne!(first, sources_key(&[source("a.r", "sfn a() {}")]));
    }

    #[test]
    fn an_unchanged_source_keeps_its_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = |contents: &str| [SourceFile { path: "src/a.rs".into(), contents: contents.into() }];
        let path = folder.path().join("src/a.rs");
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let changed = || path.metadata().and_then(|found| found.modified()).expect("is there");
        write(&source("one"), folder.path()).expect("writes");
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("sets the time");
        write(&source("one"), folder.path()).expect("writes");
        assert_eq!(changed(), time);
        write(&source("two"), folder.path()).expect("writes");
        assert_ne!(changed(), time);
    }

    #[test]
    fn a_source_of_another_version_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = |path: &str| [SourceFile { path: path.into(), contents: b"one".to_vec() }];
        write(&source("runtime/src/old.rs"), folder.path()).expect("writes");
        write(&source("runtime/src/new.rs"), folder.path()).expect("writes");
        let names: Vec<_> = fs::read_dir(folder.path().join("runtime/src")).expect("is there").flatten().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(names[0].file_name(), "new.rs");
    }

    #[test]
    fn the_lock_tells_which_shim_goes_with_it() {
        assert_eq!(torch_sys_version().ok().as_deref().map(|version| version.starts_with("0.")), Some(true));
        assert_eq!(locked_version("[[package]]\nname = \"other\"\nversion = \"1\"\n", "torch-sys"), None);
    }

    #[test]
    fn of_several_versions_that_of_the_runtime_is_told() {
        let package = |name: &str, version: &str, dependencies: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [{dependencies}]\n")
        };
        let lock = package("core", "1.0.0", "")
            + &package("core", "2.0.0", "")
            + &package("rand", "8.0.0", "\"core 1.0.0\"")
            + &package("rand", "9.0.0", "\"core 2.0.0\"")
            + &package("oxtorch", "0.1.0", "\"other\", \"rand 9.0.0\"")
            + &package("other", "0.1.0", "\"rand 8.0.0\"");
        assert_eq!(locked_version(&lock, "rand").as_deref(), Some("9.0.0"));
        assert_eq!(locked_version(&lock, "core").as_deref(), Some("2.0.0"));
    }
}
