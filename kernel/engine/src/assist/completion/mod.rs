//! What could stand at the cursor, as far as it is known without a language server: what the session knows, the
//! prelude, `tch` as far as its sources tell, commands, and files.

pub(crate) mod context;

use std::collections::BTreeMap;
use std::path::Path;

use oxtorch_session::{Candidate, CandidateKind as Kind, Completion};
use quote::ToTokens;
use ra_ap_rustc_lexer::TokenKind;
use syn::{GenericArgument, Item, PathArguments, Type};

use crate::assist::completion::context::{Context, at_end_of};
use crate::assist::signature::{of_impl, signature};
use crate::assist::{runtime_index, standard_library};
use crate::commands::CATALOGUE;
use crate::compile::state::State;
use crate::plan::prelude::{OF_RUST, exports_of_runtime};
use crate::report::type_names::readable_type;
use crate::source::nesting::parsed;
use crate::source::parse::{ItemKind, item_names};
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

/// Pointers through which a user sees what they point to.
const POINTERS: [&str; 3] = ["Arc", "Box", "Rc"];

/// How many are told: the methods of a tensor, without the variants that come last.
const MOST: usize = 1500;

/// What the session knows about a place in a cell.
#[derive(Debug)]
pub(super) struct Own {
    cursor: usize,
    prefix: String,
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
        let range = self.cursor - self.prefix.len()..self.cursor;
        Completion { range, candidates: self.found.with_prefix(&self.prefix) }
    }
}

/// What could stand at the byte `cursor` of a cell. `dir` is the folder that cells work in, `docs` that of the standard
/// library's pages.
pub(super) fn complete(state: &State, docs: &Path, dir: &Path, cell: &str, cursor: usize) -> Own {
    let before = &cell[..cursor];
    let (context, prefix) = at_end_of(before, &|name| state.knows(name));
    let is_code = matches!(context, Context::Member(_) | Context::Path(_) | Context::Name);
    let mut found = Candidates::default();
    let mut certain = true;
    match context {
        Context::Command => commands(&mut found),
        Context::File(folder) => files(&dir.join(folder), prefix, &mut found),
        Context::Member(names) => certain = members(state, docs, &names, prefix, &mut found),
        Context::Path(owner) => {
            held_by(state, docs, owner, &mut found);
            certain = !found.0.is_empty();
        }
        Context::Name => names(state, cell, prefix, &mut found),
        Context::Nothing => {}
    }
    Own { cursor, prefix: prefix.to_owned(), found, certain, is_code }
}

/// The place of a candidate in the list: variants of methods come behind all else, and then counts what came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_variant: bool,
    number: usize,
}

/// Candidates by name; what is put in first stays.
#[derive(Debug, Default)]
struct Candidates(BTreeMap<String, (Rank, Candidate)>);

impl Candidates {
    fn put(&mut self, text: &str, kind: Kind, signature: &str) {
        self.add(Candidate { text: text.to_owned(), kind, signature: signature.to_owned() });
    }

    /// A method; what is a variant of another one comes behind everything else.
    fn put_method(&mut self, name: &str, signature: &str, is_variant: bool) {
        let rank = Rank { is_variant, number: self.0.len() };
        self.add_at(rank, Candidate { text: name.to_owned(), kind: Kind::Function, signature: signature.to_owned() });
    }

    fn add(&mut self, candidate: Candidate) {
        self.add_at(Rank { is_variant: false, number: self.0.len() }, candidate);
    }

    /// What has no signature yet gets one.
    fn add_at(&mut self, rank: Rank, candidate: Candidate) {
        let (_, known) = self.0.entry(candidate.text.clone()).or_insert_with(|| (rank, candidate.clone()));
        if known.signature.is_empty() {
            *known = candidate;
        }
    }

    /// Those that begin so; where there are none, those that begin so but for upper and lower case.
    fn with_prefix(self, prefix: &str) -> Vec<Candidate> {
        let lower = prefix.to_lowercase();
        let all: Vec<_> = self.0.into_values().collect();
        let exact = all.iter().any(|(_, candidate)| candidate.text.starts_with(prefix));
        let fits = |text: &str| if exact { text.starts_with(prefix) } else { text.to_lowercase().starts_with(&lower) };
        let mut fitting: Vec<_> = all.into_iter().filter(|(_, candidate)| fits(&candidate.text)).collect();
        fitting.sort_by_key(|(rank, _)| *rank);
        fitting.into_iter().map(|(_, candidate)| candidate).take(MOST).collect()
    }
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

fn names(state: &State, cell: &str, prefix: &str, found: &mut Candidates) {
    for (name, variable) in &state.variables.live {
        found.put(name, Kind::Instance, &readable_type(variable.spelled()));
    }
    for item in state.scope.items() {
        let text = signature(item.fragment.text()).map(|signature| signature.text).unwrap_or_default();
        let head = text.split('{').next().unwrap_or_default().trim_end();
        for name in &item.names {
            match item.kind {
                ItemKind::Type | ItemKind::Alias | ItemKind::Trait => found.put(name, Kind::Class, head),
                ItemKind::Macro => found.put(&format!("{name}!"), Kind::Function, head),
                ItemKind::Module => found.put(name, Kind::Module, head),
                ItemKind::Const | ItemKind::Static => found.put(name, Kind::Instance, head),
                ItemKind::ConstFunction | ItemKind::Other => found.put(name, Kind::Function, head),
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

/// Fields and methods; says whether they are those of what is named.
fn members(state: &State, docs: &Path, names: &[&str], prefix: &str, found: &mut Candidates) -> bool {
    let known = names.split_first().and_then(|(first, fields)| Some((state.variables.live.get(*first)?, fields)));
    let Some((variable, fields)) = known else {
        members_of_anything(state, prefix, found);
        return false;
    };
    let mut ty = variable.spelled().to_owned();
    for field in fields {
        let fields = fields_of(state, &ty);
        let Some((_, inner)) = fields.into_iter().find(|(name, _)| name == field) else { return false };
        ty = inner;
    }
    for (name, ty) in fields_of(state, &ty) {
        found.put(&name, Kind::Property, &readable_type(&ty));
    }
    if let Some(name) = type_name(&ty) {
        methods_of(state, docs, &name, found);
    }
    !found.0.is_empty()
}

/// What may be meant where the type is not known: a tensor, or something of the session's.
fn members_of_anything(state: &State, prefix: &str, found: &mut Candidates) {
    if prefix.is_empty() {
        return;
    }
    let types = state.scope.names().filter(|(_, kind)| matches!(kind, ItemKind::Type | ItemKind::Alias));
    for name in types.map(|(name, _)| name).chain(["Tensor"]) {
        methods_of(state, Path::new(""), name, found);
    }
}

fn methods_of(state: &State, docs: &Path, ty: &str, found: &mut Candidates) {
    for (name, signature) in all_members(state, docs, ty).into_iter().filter(|(_, signature)| takes_self(signature)) {
        found.put_method(&name, &signature, is_variant(state, ty, &name));
    }
}

/// Names of the session's own types say nothing of that kind.
fn is_variant(state: &State, ty: &str, name: &str) -> bool {
    state.scope.find(ty).is_none() && runtime_index::is_variant(name)
}

/// What stands behind `owner::`.
fn held_by(state: &State, docs: &Path, owner: &str, found: &mut Candidates) {
    if let Some(live) = state.scope.find(owner) {
        parsed(live.item.fragment.text(), |item| match item {
            Item::Enum(it) => {
                it.variants.iter().for_each(|variant| found.put(&variant.ident.to_string(), Kind::Class, ""))
            }
            Item::Mod(it) => {
                for item in it.content.iter().flat_map(|(_, items)| items) {
                    let (names, _) = item_names(item);
                    names.iter().for_each(|name| found.put(name, Kind::Instance, ""));
                }
            }
            _ => {}
        });
    }
    let (methods, functions): (Vec<_>, Vec<_>) =
        all_members(state, docs, owner).into_iter().partition(|(_, signature)| takes_self(signature));
    for (name, signature) in functions.into_iter().chain(methods) {
        found.put_method(&name, &signature, is_variant(state, owner, &name));
    }
    if state.scope.find(owner).is_none() {
        for (name, kind) in runtime_index::names_in(owner) {
            found.put(&name, kind, "");
        }
    }
}

/// The functions and constants of a type, with their signatures.
fn all_members(state: &State, docs: &Path, ty: &str) -> Vec<(String, String)> {
    if state.scope.find(ty).is_none() {
        let mut members = runtime_index::members(ty);
        if members.is_empty() {
            members = standard_library::methods(docs, ty);
        }
        members.extend(runtime_index::trait_members(ty));
        return members;
    }
    let members = state.scope.impls_of(ty).flat_map(|block| of_impl(block.fragment.text()));
    members.map(|(name, found)| (name, found.text)).collect()
}

/// Whether the first parameter is `self`, by reference or not.
fn takes_self(signature: &str) -> bool {
    let parameters = signature.split_once('(').map_or("", |(_, parameters)| parameters);
    parameters.split([',', ')', ':']).next().is_some_and(|first| first.ends_with("self"))
}

/// The fields of a struct of the session's, or of a tuple, with their types.
fn fields_of(state: &State, ty: &str) -> Vec<(String, String)> {
    let code = |ty: &Type| ty.to_token_stream().to_string();
    let of_tuple = parsed(ty, |ty| match pointee(&ty) {
        Type::Tuple(it) => Some(it.elems.iter().enumerate().map(|(index, ty)| (index.to_string(), code(ty))).collect()),
        _ => None,
    });
    if let Some(fields) = of_tuple.flatten() {
        return fields;
    }
    let Some(item) = type_name(ty).and_then(|name| state.scope.find(&name)) else { return Vec::new() };
    let fields = parsed(item.item.fragment.text(), |item| {
        let Item::Struct(item) = item else { return Vec::new() };
        let name = |(index, field): (usize, &syn::Field)| {
            (field.ident.as_ref().map_or(index.to_string(), ToString::to_string), code(&field.ty))
        };
        item.fields.iter().enumerate().map(name).collect()
    });
    fields.unwrap_or_default()
}

/// `Net` of `&mut Box<cell_1::Net>`.
pub(super) fn type_name(ty: &str) -> Option<String> {
    let name = parsed(ty, |ty| match pointee(&ty) {
        Type::Path(it) => Some(it.path.segments.last()?.ident.to_string()),
        _ => None,
    });
    name.flatten()
}

/// What references and smart pointers point to.
fn pointee(ty: &Type) -> &Type {
    match ty {
        Type::Reference(it) => pointee(&it.elem),
        Type::Paren(it) => pointee(&it.elem),
        Type::Group(it) => pointee(&it.elem),
        Type::Path(it) => {
            let Some(last) = it.path.segments.last().filter(|last| POINTERS.iter().any(|name| last.ident == name))
            else {
                return ty;
            };
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return ty };
            match arguments.args.first() {
                Some(GenericArgument::Type(inner)) => pointee(inner),
                _ => ty,
            }
        }
        _ => ty,
    }
}
