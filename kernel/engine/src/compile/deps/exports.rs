//! Has a shared library of crates offer the functions of the static C libraries in it.
//!
//! Cells have generic and inlined functions of crates in them, and these call C functions; but rustc keeps those to the
//! shared library that they are in. It exports what a block says a static library has. So the block that [`exporting`]
//! writes says it of an [`ARCHIVE`] that holds nothing, and the linker finds the functions where they are, also those
//! that no Rust code of the crates calls.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use object::read::archive::ArchiveFile;
use object::{BinaryFormat, Object, ObjectSymbol, SymbolKind, SymbolScope};

/// The file name of the archive that the block names.
pub(super) const ARCHIVE: &str = "liboxtorch_nothing.a";

/// Its contents.
pub const EMPTY: &str = "!<arch>\n";

/// Adds the names of the C functions and variables that an archive of object files defines and does not hide: a static
/// library, or a crate that one was bundled with. What is no object file, as a crate's metadata, defines none.
fn functions(archive: &[u8], names: &mut BTreeSet<String>) {
    let Ok(file) = ArchiveFile::parse(archive) else { return };
    // What rustc compiled is exported as Rust has it.
    for member in file.members().flatten().filter(|member| !member.name().ends_with(b".rcgu.o")) {
        let Some(object) = member.data(archive).ok().and_then(|data| object::File::parse(data).ok()) else { continue };
        for symbol in object.symbols().filter(is_offered) {
            let Ok(name) = symbol.name() else { continue };
            let name = match object.format() {
                BinaryFormat::MachO => name.strip_prefix('_').unwrap_or(name),
                _ => name,
            };
            if is_c(name) {
                names.insert(name.to_owned());
            }
        }
    }
}

/// The names of those that the archives below a folder with this ending define.
pub fn functions_below(folder: &Path, ending: &str) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                functions(&fs::read(&path)?, &mut names);
            }
        }
    }
    Ok(names)
}

fn is_offered<'a>(symbol: &impl ObjectSymbol<'a>) -> bool {
    symbol.is_definition()
        && !symbol.is_weak()
        && symbol.scope() == SymbolScope::Dynamic
        && matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data)
}

/// Whether a name is one that C code can have: neither of C++ nor of the compiler.
fn is_c(name: &str) -> bool {
    let is_anothers = ["_Z", "_R", "__"].iter().any(|prefix| name.starts_with(prefix));
    !is_anothers && name.chars().all(|char| char == '_' || char.is_ascii_alphanumeric())
}

/// A block of Rust that has a shared library export these. Its folder, or one that the linker looks in, has to hold the
/// [`ARCHIVE`].
pub fn exporting(names: &BTreeSet<String>) -> String {
    let mut block = "#[link(name = \"oxtorch_nothing\", kind = \"static\")]\nunsafe extern \"C\" {\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(block, "    #[link_name = \"{name}\"]\n    pub fn c_{number}();");
    }
    block + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_c_are_told_from_others() {
        assert!(["ZSTD_endStream", "deflate", "_internal"].into_iter().all(is_c));
        assert!(!["_ZN3foo3barEv", "_RNvC3foo3bar", "__cxa_atexit", "DW.ref.personality"].into_iter().any(is_c));
    }

    #[test]
    fn what_is_no_archive_has_no_functions() {
        let mut names = BTreeSet::new();
        functions(b"no archive", &mut names);
        functions(EMPTY.as_bytes(), &mut names);
        assert!(names.is_empty());
    }

    #[test]
    fn a_block_names_them() {
        let block = exporting(&BTreeSet::from(["deflate".to_owned(), "inflate".to_owned()]));
        assert!(block.contains("#[link_name = \"inflate\"]\n    pub fn c_1();"), "{block}");
    }
}
