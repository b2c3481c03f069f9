//! Files of the user's that a cell's code is read from: `mod layers;`, `include_str!("names.txt")`.
//!
//! rustc reads them. What they hold is part of the code all the same: with other contents a cell is another one, and is
//! compiled anew. So are the files that they lead to: whatever a string in them names, and the modules that they
//! declare.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oxtorch_system::home::key;
use ra_ap_rustc_lexer::{LiteralKind, TokenKind};
use rustix::fs::OFlags;

use crate::source::identifiers::{Names, unraw};
use crate::source::words::tokens;

/// So many files are looked at; what they lead to beyond that is not.
const MOST_FILES: usize = 1000;

/// Of a larger file the time of its last change stands for what it holds.
const READ_WHOLE: u64 = 64 << 20;

/// Whether a macro reads a file.
pub fn is_include(name: &str) -> bool {
    matches!(name, "include" | "include_str" | "include_bytes")
}

/// Whether a module holds others that stand in files.
pub fn holds_modules_in_files(module: &syn::ItemMod) -> bool {
    let items = module.content.iter().flat_map(|(_, items)| items);
    items.into_iter().any(|item| match item {
        syn::Item::Mod(inner) => inner.content.is_none() || holds_modules_in_files(inner),
        _ => false,
    })
}

/// What files hold.
#[derive(Debug)]
pub struct FileContents {
    /// Stands for it.
    pub stamp: String,
    /// The names that are mentioned in code.
    pub mentions: Names,
}

/// What a file holds, and those that it leads to.
pub fn of_file(path: &Path) -> FileContents {
    of_files(vec![path.to_owned()])
}

/// What the files of a module hold that stands in a folder.
pub fn of_module(folder: &Path, name: &str) -> FileContents {
    of_files(places_of_module(folder, name))
}

/// Reads a file of the user's as text, if it is one: a pipe would be waited for, and a device has no end.
pub fn text(path: &Path) -> std::io::Result<String> {
    let (file, found) = opened(path)?;
    let mut text = String::new();
    file.take(found.len().min(READ_WHOLE)).read_to_string(&mut text)?;
    Ok(text)
}

fn opened(path: &Path) -> std::io::Result<(File, Metadata)> {
    open_regular(path, OpenOptions::new().read(true))
}

/// Opens a file of the user's, if it is a regular one or is made by that: a pipe would be waited for, and to open a
/// device may do something.
pub fn open_regular(path: &Path, options: &mut OpenOptions) -> std::io::Result<(File, Metadata)> {
    let checked = |found: Metadata| match found.is_file() {
        true => Ok(found),
        false if found.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        false => Err(std::io::Error::other("it is not a regular file")),
    };
    match std::fs::metadata(path) {
        Ok(found) => {
            checked(found)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // What stands there by now may be something else.
    let file = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let found = checked(file.metadata()?)?;
    Ok((file, found))
}

fn of_files(mut left: Vec<PathBuf>) -> FileContents {
    let mut stamps: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut mentions = Names::new();
    while let Some(path) = left.pop() {
        if stamps.len() >= MOST_FILES || stamps.contains_key(&path) {
            continue;
        }
        let (stamp, text) = read(&path);
        if let Some(text) = text.filter(|_| path.extension().is_some_and(|extension| extension == "rs")) {
            scan(&text, &path, &mut mentions, &mut left);
        }
        stamps.insert(path, stamp);
    }
    let stamps: Vec<String> = stamps.iter().map(|(path, stamp)| format!("{} {stamp}", path.display())).collect();
    FileContents { stamp: key(stamps.iter().map(String::as_bytes)), mentions }
}

/// What stands for a file's contents, and those as text.
fn read(path: &Path) -> (String, Option<String>) {
    let Ok((file, found)) = opened(path) else { return ("no file".to_owned(), None) };
    if found.len() > READ_WHOLE {
        return (format!("{} {} {}", found.len(), found.mtime(), found.mtime_nsec()), None);
    }
    let mut contents = Vec::new();
    match file.take(READ_WHOLE).read_to_end(&mut contents) {
        Ok(_) => (key([contents.as_slice()]), String::from_utf8(contents).ok()),
        Err(error) => (error.to_string(), None),
    }
}

/// Takes up the names that code mentions and the files that it leads to. By the lexer, which takes any text.
fn scan(text: &str, path: &Path, mentions: &mut Names, left: &mut Vec<PathBuf>) {
    let folder = path.parent().unwrap_or(Path::new("/"));
    // The modules of `layers.rs` stand in `layers`.
    let own = path.file_stem().map(|stem| folder.join(stem));
    let mut behind_mod = false;
    for (kind, range) in tokens(text) {
        let word = &text[range];
        match kind {
            TokenKind::Ident | TokenKind::RawIdent => {
                if behind_mod {
                    let places = std::iter::once(folder).chain(own.as_deref());
                    left.extend(places.flat_map(|place| places_of_module(place, &unraw(word))));
                }
                behind_mod = word == "mod";
                mentions.insert(unraw(word));
            }
            TokenKind::Literal { kind: LiteralKind::Str { .. } | LiteralKind::RawStr { .. }, .. } => {
                let named = word.trim_matches(['r', '#']).trim_matches('"');
                let named = folder.join(named);
                left.extend((opened(&named).is_ok()).then_some(named));
            }
            TokenKind::Whitespace => {}
            _ => behind_mod = false,
        }
    }
}

/// Where a module's file may be.
fn places_of_module(folder: &Path, name: &str) -> Vec<PathBuf> {
    vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_another_one_when_a_file_changes_that_it_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("has a folder")).expect("can be made");
            std::fs::write(path, text).expect("can be written");
        };
        let stamp = || of_module(folder.path(), "layers").stamp;
        let mut seen = vec![stamp()];
        write("layers.rs", "pub mod conv; #[path = \"far/pool.rs\"] mod pool; pub fn used() { session_item() }");
        seen.push(stamp());
        write("layers/conv.rs", "const NAME: &str = include_str!(\"name.txt\");");
        seen.push(stamp());
        write("layers/name.txt", "a");
        seen.push(stamp());
        write("layers/name.txt", "b");
        seen.push(stamp());
        write("far/pool.rs", "mod deep;");
        seen.push(stamp());
        write("far/deep.rs", "");
        seen.push(stamp());
        assert!((1..seen.len()).all(|at| seen[at] != seen[at - 1]), "{seen:?}");
        write("other.rs", "");
        write("layers/notes.txt", "");
        assert_eq!(Some(stamp()), seen.pop());
        assert!(of_module(folder.path(), "layers").mentions.contains("session_item"));
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe.rs");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
        assert!(text(&pipe).is_err());
        assert_eq!(of_file(&pipe).stamp, of_file(&pipe).stamp);
        assert_eq!(read(Path::new("/dev/zero")).0, "no file");
    }
}
