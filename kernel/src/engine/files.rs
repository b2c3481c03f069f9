//! Files of the user's that a cell's code is read from: `mod layers;`, `include_str!("names.txt")`.
//!
//! rustc reads them. What they hold is part of the code all the same: with other contents a cell is another one, and is
//! compiled anew.

use std::fs;
use std::path::{Path, PathBuf};

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

use super::mentions::{Names, unraw};
use crate::setup::sources::key;

/// So many files of a module are looked at, and so deep.
const MOST_FILES: usize = 1000;

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

/// Stands for what a file holds.
pub fn stamp(file: &Path) -> String {
    fs::read(file).map_or_else(|_| "no file".to_owned(), |contents| key([contents.as_slice()]))
}

/// What the files of a module hold: `layers.rs`, and all below `layers`.
#[derive(Debug)]
pub struct Module {
    /// Stands for it.
    pub stamp: String,
    /// The names that it mentions.
    pub mentions: Names,
}

/// Reads the files of a module.
pub fn module(folder: &Path, name: &str) -> Module {
    let mut files = vec![folder.join(name).with_extension("rs")];
    collect(&folder.join(name), &mut files);
    files.sort();
    let mut mentions = Names::new();
    let mut stamps = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        // By the lexer, which takes any text: a file may be as large as its author likes.
        let mut at = 0;
        for token in tokenize(&text, FrontmatterAllowed::No) {
            let end = at + token.len as usize;
            if matches!(token.kind, TokenKind::Ident | TokenKind::RawIdent) {
                mentions.insert(unraw(&text[at..end]));
            }
            at = end;
        }
        stamps.push(format!("{} {}", file.display(), key([text.as_bytes()])));
    }
    Module { stamp: key(stamps.iter().map(String::as_bytes)), mentions }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|found| found.is_dir());
        if files.len() >= MOST_FILES {
            return;
        } else if is_folder {
            collect(&entry.path(), files);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.push(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_another_one_when_a_file_of_it_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("has a folder")).expect("can be made");
            fs::write(path, text).expect("can be written");
        };
        let stamp = || module(folder.path(), "layers").stamp;
        let mut seen = vec![stamp()];
        write("layers.rs", "mod conv;");
        seen.push(stamp());
        write("layers/conv.rs", "");
        seen.push(stamp());
        write("layers/conv.rs", "pub fn f() {}");
        seen.push(stamp());
        assert!((1..seen.len()).all(|at| seen[at] != seen[at - 1]), "{seen:?}");
        write("other.rs", "");
        write("layers/notes.txt", "");
        assert_eq!(stamp(), seen[3]);
    }
}
