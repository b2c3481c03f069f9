//! What could stand at the cursor, as far as it is known without a language server: what the session and the cell
//! define, the prelude, `tch` as far as its sources tell, the standard library, commands, and files.

pub(crate) mod behind;
mod candidates;
pub(crate) mod context;
mod foreign;
#[cfg(test)]
mod tests;
mod usual;

use std::path::Path;

use oxtorch_session::{Candidate, CandidateKind as Kind, Completion};
use ra_ap_rustc_lexer::TokenKind;

use crate::assist::completion::candidates::Candidates;
use crate::assist::completion::context::{Context, at_end_of};
use crate::assist::signature::signature;
use crate::assist::types::Place;
use crate::assist::types::definitions::Definitions;
use crate::commands::CATALOGUE;
use crate::compile::state::State;
use crate::plan::prelude::{OF_RUST, exports_of_runtime};
use crate::report::type_names::readable_type;
use crate::source::parse::ItemKind;
use crate::source::words::tokens;

const KEYWORDS: [&str; 36] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "static",
    "struct", "trait", "true", "type", "unsafe", "use", "where", "while",
];

/// What is written most beside what Rust's own prelude has in scope.
const STANDARD: [(&str, Kind); 13] = [
    ("Debug", Kind::Class),
    ("bool", Kind::Class),
    ("drop", Kind::Function),
    ("f32", Kind::Class),
    ("f64", Kind::Class),
    ("i32", Kind::Class),
    ("i64", Kind::Class),
    ("std", Kind::Module),
    ("str", Kind::Class),
    ("todo!", Kind::Function),
    ("u8", Kind::Class),
    ("unreachable!", Kind::Function),
    ("usize", Kind::Class),
];

/// What the session knows about a place in a cell.
#[derive(Debug)]
pub(super) struct Own {
    cursor: usize,
    prefix: String,
    /// How many bytes ahead of the prefix go as well.
    replaced: usize,
    found: Candidates,
    /// Whether this is what can stand there, and not merely what may.
    pub certain: bool,
    /// Whether it is code, so that a language server may know more.
    pub is_code: bool,
}

impl Own {
    /// How many bytes are typed already of what could stand there.
    pub fn typed(&self) -> usize {
        self.prefix.len()
    }

    /// With what a language server says behind it, or in place of what was guessed.
    pub fn with(mut self, more: Vec<Candidate>) -> Completion {
        if !self.certain && !more.is_empty() {
            self.found = Candidates::default();
        }
        for candidate in more {
            self.found.add(candidate);
        }
        let range = self.cursor - self.prefix.len() - self.replaced..self.cursor;
        Completion { range, candidates: self.found.with_prefix(&self.prefix) }
    }
}

/// What could stand at the byte `cursor` of a cell. `dir` is the folder that cells work in.
pub(super) fn complete(state: &State, dir: &Path, cell: &str, cursor: usize) -> Own {
    let before = &cell[..cursor];
    let (context, prefix) = at_end_of(before, &|name| state.knows(name));
    let is_code = matches!(context, Context::Member(_) | Context::Path(_) | Context::Name);
    let mut found = Candidates::default();
    let mut certain = true;
    let definitions = Definitions::new(state, if is_code { cell } else { "" });
    let place = Place::new(&definitions, before);
    if let Context::Member(module) = context
        && foreign::offered(place, module, prefix, &mut found)
    {
        let replaced = before.len() - (module.as_ptr().addr() - before.as_ptr().addr());
        return Own { cursor, prefix: String::new(), replaced, found, certain, is_code: false };
    }
    match context {
        Context::Command => commands(&mut found),
        Context::File(folder) => files(&dir.join(folder), prefix, &mut found),
        Context::Member(expression) => certain = behind::members(place, expression, prefix, &mut found),
        Context::Path(path) => {
            behind::held_by(place, &path, &mut found);
            certain = !found.is_empty();
        }
        Context::Made(method) => types_made_by(method, &mut found),
        Context::Name => names(place, cell, prefix, &mut found),
        Context::Nothing => {}
    }
    Own { cursor, prefix: prefix.to_owned(), replaced: 0, found, certain, is_code }
}

/// What `collect`, `sum` and the like are told to make.
fn types_made_by(method: &str, found: &mut Candidates) {
    const COLLECTIONS: [&str; 9] = [
        "Vec<_>",
        "HashMap<_, _>",
        "HashSet<_>",
        "String",
        "Result<Vec<_>>",
        "Option<Vec<_>>",
        "BTreeMap<_, _>",
        "BTreeSet<_>",
        "VecDeque<_>",
    ];
    const NUMBERS: [&str; 6] = ["f64", "f32", "i64", "usize", "i32", "u64"];
    let types: &[&str] = match method {
        "collect" => &COLLECTIONS,
        "sum" | "product" | "parse" => &NUMBERS,
        _ => &[],
    };
    types.iter().for_each(|name| found.put(name, Kind::Class, ""));
}

fn commands(found: &mut Candidates) {
    for entry in &CATALOGUE {
        found.put(entry.name(), Kind::Magic, entry.about);
    }
}

fn files(folder: &Path, prefix: &str, found: &mut Candidates) {
    let mut names: Vec<(String, bool)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())))
        .filter(|(name, _)| prefix.starts_with('.') || !name.starts_with('.'))
        .collect();
    names.sort();
    for (name, is_folder) in names {
        found.put(&if is_folder { name + "/" } else { name }, Kind::Path, "");
    }
}

fn names(place: Place, cell: &str, prefix: &str, found: &mut Candidates) {
    let state = place.state;
    for (name, variable) in &state.variables.live {
        found.put(name, Kind::Instance, &readable_type(variable.spelled()));
    }
    for item in state.scope.items() {
        let head = head_of(item.fragment.text());
        for name in &item.names {
            match item.kind {
                ItemKind::Type | ItemKind::Alias | ItemKind::Trait => found.put(name, Kind::Class, &head),
                ItemKind::Macro => found.put(&format!("{name}!"), Kind::Function, &head),
                ItemKind::Module => found.put(name, Kind::Module, &head),
                ItemKind::Const | ItemKind::Static => found.put(name, Kind::Instance, &head),
                ItemKind::ConstFunction | ItemKind::Other => found.put(name, Kind::Function, &head),
            }
        }
    }
    for name in state.scope.declared_uses().iter().filter_map(|leaf| leaf.name.as_deref()) {
        found.put(name, Kind::Module, "");
    }
    if prefix.is_empty() {
        return;
    }
    // The cell's own names are not the session's yet.
    for (kind, range) in tokens(cell) {
        let text = &cell[range];
        if kind == TokenKind::Ident && text != prefix && !KEYWORDS.contains(&text) {
            found.put(text, Kind::Instance, "");
        }
    }
    for (name, _) in exports_of_runtime() {
        let kind = if name.starts_with(char::is_uppercase) { Kind::Class } else { Kind::Function };
        found.put(name, kind, "");
    }
    for name in OF_RUST {
        match name {
            "None" => found.put(name, Kind::Instance, ""),
            "Err" | "Ok" | "Some" => found.put(name, Kind::Function, ""),
            name if name.starts_with(char::is_lowercase) => found.put(&format!("{name}!"), Kind::Function, ""),
            name => found.put(name, Kind::Class, ""),
        }
    }
    for (name, kind) in STANDARD {
        found.put(name, kind, "");
    }
    for word in KEYWORDS {
        found.put(word, Kind::Keyword, "");
    }
}

/// The first line of an item's signature.
fn head_of(item: &str) -> String {
    let text = signature(item).map(|signature| signature.text).unwrap_or_default();
    text.split('{').next().unwrap_or_default().trim_end().to_owned()
}
