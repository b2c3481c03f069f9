//! The names of cells' crates, and how they are kept from the user's eyes.

use std::collections::HashMap;
use std::sync::Arc;

use oxtorch_session::Stream;
use oxtorch_system::home::key;
use parking_lot::RwLock;

use crate::host::Rewritten;
use crate::source::source_map::{CrateSource, Place};

/// What the name of each cell's crate begins with; a hash follows.
const BEGINNING: &str = "cell_";

/// What a key has: enough that two cells never share a name, and few enough to read in a file name.
const HASH_DIGITS: usize = 16;

/// The name of the crate with this source, compiled against that runtime with those flags.
pub fn crate_name(runtime_key: &str, opt_level: u8, source: &str) -> String {
    format!("{BEGINNING}{}", key([runtime_key, &opt_level.to_string(), source].map(str::as_bytes)))
}

/// A message without the names that only we know.
pub fn readable(text: &str) -> String {
    let readable = with_names(text, |readable, rest| {
        let len = hashed_name(rest)?;
        let len = len + ours_behind(&rest[len..]);
        if rest[len..].starts_with("::") {
            // `crate::` and `::` ahead of it would make `::Net` of `::cell_x::Net`.
            readable.truncate(readable.strip_suffix("::").unwrap_or(readable).len());
            return Some(len + "::".len());
        }
        let is_file = rest[len..].starts_with(".rs");
        readable.push_str(if is_file { "the cell" } else { "an earlier cell" });
        Some(if is_file { len + ".rs".len() } else { len })
    });
    let readable = readable.replace("oxtorch::tch::", "tch::").replace("oxtorch::prelude::", "");
    let readable = readable.replace(ALIAS, "type of ");
    // Where two crates have a name, rustc writes the path even of what every program has in scope.
    PRELUDE.iter().fold(readable, |text, (path, name)| text.replace(path, name))
}

/// Names that need no path, as rustc may write them.
const PRELUDE: [(&str, &str); 12] = [
    ("std::string::String", "String"),
    ("std::string::ToString", "ToString"),
    ("std::vec::Vec", "Vec"),
    ("std::option::Option", "Option"),
    ("std::boxed::Box", "Box"),
    ("std::iter::Iterator", "Iterator"),
    ("std::iter::IntoIterator", "IntoIterator"),
    ("std::ops::FnOnce", "FnOnce"),
    ("std::ops::FnMut", "FnMut"),
    ("std::ops::Fn(", "Fn("),
    ("std::clone::Clone", "Clone"),
    ("std::marker::Copy", "Copy"),
];

/// The length of a crate's name at the start of the text.
pub fn hashed_name(text: &str) -> Option<usize> {
    let hash = text.strip_prefix(BEGINNING)?;
    let digits = hash.chars().take_while(char::is_ascii_hexdigit).count();
    (digits == HASH_DIGITS).then_some(BEGINNING.len() + digits)
}

/// The text with something else in place of what begins as the name of a crate does. `write` gets what is written so
/// far and the rest of the text; it adds to the one, and says how much of the other that stands for, if it stands for
/// any.
pub fn with_names(text: &str, mut write: impl FnMut(&mut String, &str) -> Option<usize>) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGINNING) {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        let len = write(&mut written, rest).unwrap_or_else(|| {
            written.push_str(BEGINNING);
            BEGINNING.len()
        });
        rest = &rest[len..];
    }
    written + rest
}

/// The emitted sources of all cells, by the names of their crates.
pub type Sources = HashMap<String, Arc<CrateSource>>;

/// Where a line of a file comes from, if the file is the source of a cell.
pub fn place_in(sources: &Sources, file: &str, line: u32, column: u32) -> Option<Place> {
    let name = file.rsplit('/').next()?.strip_suffix(".rs")?;
    sources.get(name)?.place_of_line(line, column)
}

/// More bytes than `cell_<hash>.rs`, a line and a column have.
const LONGEST_PLACE: usize = 64;

/// Writes `cell [5]:3:7` where `dbg!` or a panicking thread has printed the name of the file that rustc saw, `cell [5]`
/// where a cell prints its `file!()` or `module_path!()`, and `Net` for the type's name that `std::any::type_name`
/// gives.
pub fn rewrite_places(text: &str, sources: &Sources) -> Rewritten {
    let held = begun_at_end(text);
    let ready = with_names(&text[..text.len() - held], |ready, rest| {
        let near = &rest[..rest.floor_char_boundary(LONGEST_PLACE)];
        let (name, len) = place_in_text(near, sources).or_else(|| name_in_text(rest, sources))?;
        ready.push_str(&name);
        Some(len)
    });
    Rewritten { ready, held }
}

/// How many bytes at the end of a text may be the beginning of a place. No place is longer than the part that is looked
/// at: who prints a long word is not to have all of it held.
fn begun_at_end(text: &str) -> usize {
    let end = &text[text.ceil_char_boundary(text.len().saturating_sub(LONGEST_PLACE - 1))..];
    let in_place = |char: char| char.is_ascii_alphanumeric() || "_.:".contains(char);
    let word = &end[end.trim_end_matches(in_place).len()..];
    let mut begun = word.match_indices(BEGINNING).map(|(at, _)| &word[at..]);
    let may_be = |rest: &&str| hashed_name(rest).is_some() || rest.len() < BEGINNING.len() + HASH_DIGITS;
    begun.find(may_be).map_or(0, str::len)
}

/// [`rewrite_places`] for what comes by either stream, by the sources of the cells until then.
pub fn rewriting(sources: &Arc<RwLock<Sources>>) -> impl Fn(Stream, &str) -> Rewritten + Send + Sync + use<> {
    let sources = Arc::clone(sources);
    move |_, text| rewrite_places(text, &sources.read())
}

/// What to write for `cell_<hash>.rs:3:7` at the start of the text, and its length.
fn place_in_text(text: &str, sources: &Sources) -> Option<(String, usize)> {
    let file = hashed_name(text)?;
    let numbers = text[file..].strip_prefix(".rs:")?;
    let (line, rest) = numbers.split_once(':')?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let place = sources.get(&text[..file])?.place_of_line(line.parse().ok()?, column.parse().ok()?)?;
    let name = format!("cell [{}]:{}:{}", place.cell.number(), place.line(), place.column());
    Some((name, file + ".rs:".len() + line.len() + 1 + column.len()))
}

/// The function around a cell's statements, behind the name of its crate.
const RUN: &str = "::__oxtorch_run";

/// What the name of the module begins with that a module in a file of its own is declared in.
pub const FILE: &str = "__oxtorch_file_";

/// What the name of an alias of a type begins with that has no name; that of the variable follows.
pub const ALIAS: &str = "__oxtorch_type_of_";

/// How much of what follows the name of a crate is ours: the function around its statements, which hold what they
/// declare, and the module that one in a file of its own is declared in.
fn ours_behind(text: &str) -> usize {
    let run = if text.starts_with(RUN) { RUN.len() } else { 0 };
    let file = text[run..].strip_prefix("::").filter(|inside| inside.starts_with(FILE));
    run + file.and_then(|inside| inside.find("::")).map_or(0, |end| "::".len() + end)
}

/// What to write for the name of a crate at the start of the text, and how much of the text that stands for.
fn name_in_text(text: &str, sources: &Sources) -> Option<(String, usize)> {
    let len = hashed_name(text)?;
    let number = sources.get(&text[..len])?.cell_number()?;
    let is_name = |text: &str| text.starts_with(|char: char| char == '_' || char.is_alphabetic());
    let ours = ours_behind(&text[len..]);
    let after = &text[len + ours..];
    Some(match after.strip_prefix("::") {
        Some(inside) if is_name(inside) => (String::new(), len + ours + "::".len()),
        _ => {
            let end = if after.starts_with(".rs") { ".rs".len() } else { 0 };
            (format!("cell [{number}]"), len + ours + end)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::{CellText, Fragment};

    #[test]
    fn hashes_never_reach_the_user() {
        assert_eq!(readable("expected `cell_0123456789abcdef::Net`"), "expected `Net`");
        assert_eq!(readable("use ::cell_0123456789abcdef::Net;"), "use Net;");
        assert_eq!(readable("`cell_0123456789abcdef::__oxtorch_run::Net`"), "`Net`");
        assert_eq!(readable("`cell_0123456789abcdef::__oxtorch_file_net::net::Net`"), "`net::Net`");
        assert_eq!(readable("in cell_0123456789abcdef.rs"), "in the cell");
        assert_eq!(readable("my cell_count"), "my cell_count");
        assert_eq!(readable("std::vec::Vec<std::string::String>"), "Vec<String>");
    }

    #[test]
    fn the_place_of_a_dbg_is_the_users() {
        let mut source = CrateSource::default();
        source.glue("header\n");
        let text = "dbg!(x)";
        source.fragment(&Fragment { cell: CellText::new(5, text), range: 0..text.len(), edits: vec![] });
        let sources = Sources::from([("cell_0123456789abcdef".to_owned(), Arc::new(source))]);
        let rewritten = rewrite_places("[cell_0123456789abcdef.rs:2:1] x = 1", &sources);
        assert_eq!(rewritten, Rewritten { ready: "[cell [5]:1:1] x = 1".into(), held: 0 });
        for (text, expected) in [
            ("cell_0123456789abcdef.rs cell_0123456789abcdef\n", "cell [5] cell [5]\n"),
            ("Option<cell_0123456789abcdef::Net>\n", "Option<Net>\n"),
            (
                "cell_0123456789abcdef::inner cell_0123456789abcdef::__oxtorch_run::{{closure}}\n",
                "inner cell [5]::{{closure}}\n",
            ),
            ("cell_ffffffffffffffff::Net is no cell's\n", "cell_ffffffffffffffff::Net is no cell's\n"),
        ] {
            assert_eq!(rewrite_places(text, &sources).ready, expected);
        }
        let rewritten = rewrite_places("[cell_0123456789abc", &sources);
        assert_eq!(rewritten, Rewritten { ready: "[".into(), held: 18 });
        let rewritten = rewrite_places("a cell_count of 3", &sources);
        assert_eq!(rewritten.ready, "a cell_count of 3");
    }
}
