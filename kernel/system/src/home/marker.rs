//! Tells a home from any other folder, so that nothing of the user's is taken for something of ours.
//!
//! A home carries a marker. A folder without one becomes a home if it is empty, or if a version that left no marker has
//! made it. What a sweep removes from a home has a name of our own making besides.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::{HomeError, create_folder};

/// The file that says what the folder is.
const MARKER: &str = ".oxtorch-home";
const TEXT: &[u8] = b"Oxtorch keeps its files in this folder, and removes those of them that it no longer needs.\n";

/// The lock that set-up of every version leaves in its home.
const LEFT_BY_SET_UP: &str = "locks/setup";
/// What a home holds.
const KINDS: [&str; 14] = [
    "build",
    "cache",
    "cells",
    "data",
    "deps",
    "downloads",
    "evcxr",
    "history",
    "libtorch",
    "locks",
    "ready",
    "runtime",
    "shim",
    "tmp",
];
/// What a file system or a desktop puts into any folder.
const EVERYWHERE: [&str; 3] = ["lost+found", ".DS_Store", ".snapshot"];

/// An error where a folder is in use for something else. Changes nothing.
pub(super) fn check(root: &Path) -> Result<(), HomeError> {
    if is_file(&root.join(MARKER)) || is_file(&root.join(LEFT_BY_SET_UP)) {
        return Ok(());
    }
    // What cannot be listed is told of where it is needed.
    let Ok(entries) = fs::read_dir(root) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if EVERYWHERE.iter().any(|other| name == *other) || name.as_encoded_bytes().starts_with(b".nfs") {
            continue;
        }
        let is_ours: Option<fn(&OsStr) -> bool> = match name.to_str() {
            Some("tmp" | "cells") => Some(is_work),
            Some("cache") => Some(is_cached),
            Some(kind) if KINDS.contains(&kind) => None,
            _ => return Err(foreign(root, Path::new(&name))),
        };
        let inside = fs::read_dir(entry.path()).into_iter().flatten().flatten();
        let mut inside = inside.map(|entry| entry.file_name());
        if let Some(is_ours) = is_ours
            && let Some(other) = inside.find(|name| !is_ours(name))
        {
            return Err(foreign(root, &Path::new(&name).join(other)));
        }
    }
    Ok(())
}

/// Makes a folder a home, if it is not one already, or says what it is in use for.
pub(super) fn claim(root: &Path) -> Result<(), HomeError> {
    let marker = root.join(MARKER);
    if is_file(&marker) {
        return Ok(());
    }
    check(root)?;
    create_folder(root).map_err(HomeError::at("create", root))?;
    // Only what is not there yet is made: a link would lead to what is somebody's.
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&marker) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_file(&marker) => Ok(()),
        made => made.and_then(|mut file| file.write_all(TEXT)).map_err(HomeError::at("write", &marker)),
    }
}

/// Whether there is a file, and not a link to one.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

fn foreign(root: &Path, entry: &Path) -> HomeError {
    HomeError::Foreign { root: root.to_owned(), entry: entry.to_owned() }
}

/// Whether a name is one that we give to work in progress and to the folder of a kernel: the number of a process, and
/// six letters or digits that are drawn.
pub(super) fn is_work(name: &OsStr) -> bool {
    let Some((process, drawn)) = name.to_str().and_then(|name| name.split_once('-')) else { return false };
    let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
    is_number && is_drawn(drawn)
}

/// Whether this is what a temporary name ends in.
fn is_drawn(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a name is one that a file in the cache of compiled cells has.
pub fn is_cached(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_cell = |stem: &str| {
        let hash = stem.strip_prefix("cell_").unwrap_or_default();
        !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match extension {
        "json" => is_cell(stem),
        "so" | "dylib" => stem.strip_prefix("lib").is_some_and(is_cell),
        _ => name == "sweeper.lock" || name.strip_prefix(UNFINISHED).is_some_and(is_drawn),
    }
}

/// What the temporary files of the cache are called, ahead of what is drawn.
pub const UNFINISHED: &str = "unfinished-";

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(entries: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for entry in entries {
            let path = folder.path().join(entry);
            fs::create_dir_all(path.parent().expect("has one")).expect("creates");
            fs::write(path, "mine").expect("writes");
        }
        folder
    }

    #[test]
    fn a_folder_that_holds_something_else_becomes_no_home() {
        for entries in [
            &["notes.txt"][..],
            &["tmp/experiment1/results.csv"],
            &["cells/mine/x.rs", "data/train.csv"],
            &["cache/thumbnails.db"],
            &["libtorch/lib/x", "thesis.tex"],
        ] {
            let folder = folder_with(entries);
            let error = claim(folder.path()).expect_err("it is in use").to_string();
            let named = ["notes.txt", "tmp/experiment1", "cells/mine", "cache/thumbnails.db", "thesis.tex"];
            assert!(named.iter().any(|name| error.contains(name)), "{error}");
            assert!(!folder.path().join(MARKER).exists());
        }
    }

    #[test]
    fn an_empty_folder_and_the_home_of_an_earlier_version_become_homes() {
        for entries in [
            &[][..],
            &["lost+found/x"],
            &["data/train.csv"],
            &["locks/setup", "notes.txt"],
            &["tmp/12-aB3xYz/file", "cells/7-000000/owner.lock", "cache/libcell_0f.so", "cache/cell_0f.json"],
        ] {
            let folder = folder_with(entries);
            claim(folder.path()).expect("it is ours");
            assert!(folder.path().join(MARKER).is_file());
            // From now on, whatever else is put there.
            fs::write(folder.path().join("notes.txt"), "").expect("writes");
            claim(folder.path()).expect("it is ours");
        }
    }

    #[test]
    fn a_marker_is_never_written_through_a_link() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (home, elsewhere) = (folder.path().join("home"), folder.path().join("elsewhere"));
        fs::create_dir(&home).expect("creates");
        std::os::unix::fs::symlink(&elsewhere, home.join(MARKER)).expect("links");
        claim(&home).expect_err("a link is no marker");
        assert!(!elsewhere.exists());
        fs::write(&elsewhere, "mine").expect("writes");
        claim(&home).expect_err("a link is no marker");
        assert_eq!(fs::read(&elsewhere).expect("is there"), b"mine");
    }

    #[test]
    fn our_names_are_told_from_others() {
        let work = ["1-abcdef", "4194304-0aZ9bb", "1-abc", "-abcdef", "x-abcdef", "1-abcde!", "1", "experiment1"];
        assert_eq!(work.map(|name| is_work(OsStr::new(name))), [true, true, false, false, false, false, false, false]);
        let cached = ["cell_0f.json", "libcell_0f.so", "unfinished-a1B2c3", "sweeper.lock"];
        assert!(cached.iter().all(|name| is_cached(OsStr::new(name))));
        let others = ["notes.json", "libm.so", "cell_.json", "cell_a.so", "libcell_a.json", "unfinished-essay", "x"];
        assert!(!others.iter().any(|name| is_cached(OsStr::new(name))));
    }
}
