//! Finds names in the sources of the runtime, which this program carries, and of `tch`, which cargo has fetched to
//! build the runtime.

pub(crate) mod declarations;
mod methods;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use oxtorch_session::CandidateKind as Kind;
use oxtorch_setup::sources;
use syn::{ImplItem, Item};

use crate::assist::library::public_names::{self, Target};
use crate::assist::library::{external, macro_made};
use crate::assist::signature::{Signature, doc, of_item, of_member, of_trait_member, of_variant};
use crate::source::items::{member_name, name_of, named};
use crate::source::nesting::parsed;
use crate::source::words::{self, in_name};

pub(crate) use self::methods::{
    Associated, Method, associated, has, is_variant, member, members, trait_functions, trait_members, traits_of,
};
use self::methods::{methods_in, methods_of};

/// The name that documentation is wanted of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As it was asked for.
    pub path: String,
    /// Its last part.
    pub name: String,
    /// The part ahead of that: a type, a trait, or a module.
    pub owner: Option<String>,
    /// Whether a macro is meant, as by `format!`.
    pub is_macro: bool,
}

impl Wanted {
    /// `Tensor::matmul`, `nn::Linear`, `digits`.
    pub fn parse(path: &str) -> Self {
        let plain = path.split(['<', '(']).next().unwrap_or(path).trim();
        let (plain, is_macro) =
            plain.strip_suffix('!').filter(|name| !name.is_empty()).map_or((plain, false), |name| (name, true));
        let mut parts = plain.rsplit([':', '.']).filter(|part| !part.is_empty()).map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        Self { path: plain.to_owned(), name, owner: parts.next(), is_macro }
    }

    /// Whether its path begins in the standard library.
    pub fn is_standard(&self) -> bool {
        ["std::", "core::", "alloc::"].iter().any(|root| self.path.starts_with(root))
    }
}

/// What was found of a name.
#[derive(Debug)]
pub(super) struct Found {
    pub signature: Signature,
    /// Where it belongs.
    pub place: String,
    /// A path by which cells reach it.
    pub path: String,
    /// The methods of a type or trait.
    pub members: Vec<String>,
    /// The names in a module, each with the first sentence of its documentation.
    pub contents: Vec<(String, String)>,
    /// Other items of that name, by their paths.
    pub also: Vec<String>,
}

impl Found {
    pub fn new(signature: Signature, place: impl Into<String>) -> Self {
        let (place, path) = (place.into(), String::new());
        Self { signature, place, path, members: Vec::new(), contents: Vec::new(), also: Vec::new() }
    }

    /// The type or trait that it is a member of.
    pub fn owner(&self) -> Option<&str> {
        let owner = self.place.rsplit("::").nth(1)?;
        owner.starts_with(char::is_uppercase).then_some(owner)
    }

    fn is_macro(&self) -> bool {
        self.signature.text.starts_with("macro_rules!")
    }
}

/// A file of a library.
#[derive(Debug)]
pub(super) struct File {
    /// `torch::nn::linear`, where `torch` is the crate `tch` without what we put in its place.
    pub module: String,
    /// The module that offers what is public in it, `tch::nn`: modules that are not public themselves are left out.
    pub place: String,
    /// With what the file's macros write behind it.
    pub text: String,
}

/// Looks a name up in all libraries: where a cell's path leads, else by what it is called.
pub(super) fn find(wanted: &Wanted) -> Option<Found> {
    let (mut path, mut also) = (wanted.path.clone(), Vec::new());
    let target = public_names::find(&wanted.path).or_else(|| {
        let mut named = public_names::all().iter().filter(|public| public.name() == wanted.path);
        let first = named.next()?;
        also = named.filter(|other| other.item != first.item).map(|other| other.path.clone()).collect();
        path.clone_from(&first.path);
        public_names::find(&first.path)
    });
    let found = match target {
        Some(Target::Module(module)) => public_names::of_module(&module),
        Some(Target::Item { module, name }) => {
            let file = files().find(|file| file.module == module)?;
            let mut found = in_file(file, &Wanted::parse(&name))?.1;
            if found.signature.text.contains(&format!("struct {name}")) {
                found.members = methods_of_item(file, &name);
            }
            found
        }
        Some(Target::Elsewhere(path)) => external::find(&path)?,
        None => found_member(wanted).or_else(|| search(wanted, "")).or_else(|| generated("Tensor", &wanted.path))?,
    };
    Some(Found { path, also, ..found }).filter(|found| !wanted.is_macro || found.is_macro())
}

/// The methods of a type: where another one has its name, those in its own file.
fn methods_of_item(file: &File, name: &str) -> Vec<String> {
    let declares = |file: &&File| file.text.contains(&format!("\npub struct {name} "));
    if files().filter(declares).count() < 2 {
        return methods_of(name).iter().map(|(method, _)| method.clone()).collect();
    }
    methods_in(&file.text).into_iter().filter(|(ty, _)| ty == name).map(|(_, (method, _))| method).collect()
}

/// A member of what a path leads to, also one that it has by a trait.
fn found_member(wanted: &Wanted) -> Option<Found> {
    let owner = wanted.owner.as_ref()?;
    let path = wanted.path.strip_suffix(&wanted.name)?.trim_end_matches([':', '.']);
    let (module, owner) = match public_names::find(path) {
        Some(Target::Item { module, name }) => (module, name),
        _ => (String::new(), owner.clone()),
    };
    let of = |owner: &str| Wanted { owner: Some(owner.to_owned()), ..wanted.clone() };
    search(&of(&owner), &module).or_else(|| generated(&owner, &wanted.name)).or_else(|| {
        let has = |name: &str| trait_functions(name).iter().any(|(method, _)| *method == wanted.name);
        traits_of(&owner).find(|name| has(name)).and_then(|name| search(&of(name), ""))
    })
}

/// A method of which nothing but its signature is known, as of the wrappers that `tch` generates.
fn generated(owner: &str, name: &str) -> Option<Found> {
    let (_, text) = methods_of(owner).iter().find(|(other, _)| other == name)?;
    Some(Found::new(Signature { text: text.clone(), doc: String::new() }, format!("{owner}::{name}")))
}

/// What is called so: in the module or of the type that is wanted first, what belongs nowhere in particular last. Of
/// two types of one name, the one whose module is `near`.
fn search(wanted: &Wanted, near: &str) -> Option<Found> {
    // To parse a file takes longer than to see that there is nothing of that name in it.
    const DECLARE: [&str; 9] = ["const", "enum", "fn", "macro_rules!", "mod", "static", "struct", "trait", "type"];
    let declared = DECLARE.map(|word| format!("{word} {}", wanted.name));
    let whole = wanted.owner.as_ref().map(|owner| format!("enum {owner}"));
    let may_have = |file: &&File| declared.iter().chain(&whole).any(|text| file.text.contains(text));
    let mut files: Vec<&File> = files().filter(|file| !file.module.contains("generated")).filter(may_have).collect();
    files.sort_by_key(|file| file.module != near);
    let mut best: Option<(u8, Found)> = None;
    for &file in &files {
        if let Some((rank, found)) = in_file(file, wanted)
            && best.as_ref().is_none_or(|(other, _)| rank < *other)
        {
            best = Some((rank, found));
        }
        if matches!(best, Some((0, _))) {
            break;
        }
    }
    best.map(|(_, found)| found)
}

/// All files, the runtime's first. They are read once: whoever types asks for them again and again.
pub(super) fn files() -> impl Iterator<Item = &'static File> {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
        let read: Vec<(String, String)> = runtime().chain(tch()).chain(offered()).collect();
        let inner = read.iter().flat_map(|(module, text)| {
            text.lines().filter_map(private_module).map(move |name| format!("{module}::{name}"))
        });
        let inner: HashSet<String> = inner.collect();
        let place = |module: &str| {
            let ends = module.match_indices("::").map(|(end, _)| end).chain([module.len()]);
            let parts = module.split("::").zip(ends).filter(|(_, end)| !inner.contains(&module[..*end]));
            public_names::as_written(&parts.map(|(part, _)| part).collect::<Vec<_>>().join("::"))
        };
        let macros: HashMap<String, String> = read.iter().flat_map(|(_, text)| macro_made::definitions(text)).collect();
        let whole = |text: String| text.clone() + &macro_made::made(&text, &macros);
        read.into_iter().map(|(module, text)| File { place: place(&module), module, text: whole(text) }).collect()
    });
    FILES.iter()
}

/// Makes the tables that this looks names up in.
pub(super) fn read_ahead() {
    methods::read_ahead();
    declarations::read_ahead();
}

/// The name of a module that a line declares for the code around it alone.
fn private_module(line: &str) -> Option<&str> {
    let (before, name) = line.strip_suffix(';')?.split_once("mod ")?;
    (before.is_empty() || before.starts_with("pub(")).then_some(name)
}

/// Modules, and what is written there: of the runtime, and of the crate that stands in front of `tch`.
fn runtime() -> impl Iterator<Item = (String, String)> {
    const ROOTS: [(&str, &str); 2] = [("runtime/src/", "oxtorch"), ("runtime/tch/src/", "tch")];
    let sources = sources::all().unwrap_or_default().into_iter();
    sources.filter_map(|source| {
        let (rest, root) = ROOTS.iter().find_map(|(folder, root)| Some((source.path.strip_prefix(folder)?, root)))?;
        let path = rest.strip_suffix(".rs")?;
        let hidden = ["bin/", "cell/", "host/mod", "host/channel", "tests/"].iter().any(|it| path.starts_with(it));
        let module = match path {
            "lib" => (*root).to_owned(),
            _ => format!("{root}::{}", path.trim_end_matches("/mod").replace('/', "::")),
        };
        Some((module, String::from_utf8(source.contents).ok()?)).filter(|_| !hidden)
    })
}

/// The generated wrappers come last: they are long.
fn tch() -> impl Iterator<Item = (String, String)> {
    let mut read = external::modules("tch", "torch");
    read.sort_by_key(|(module, _)| (module.contains("generated"), module.clone()));
    read.into_iter()
}

/// Crates whose traits and functions cells use as they are; their names come behind all others.
pub(in crate::assist) const OFFERED: [&str; 2] = ["rand", "rand_core"];

/// Without the distributions, which have the names of ours.
fn offered() -> impl Iterator<Item = (String, String)> {
    let modules = OFFERED.into_iter().flat_map(|name| external::modules(name, name));
    modules.filter(|(module, _)| !module.starts_with("rand::distr"))
}

impl File {
    /// Whether it is of a crate that cells use as it is.
    fn is_offered(&self) -> bool {
        OFFERED.iter().any(|name| self.module.split("::").next() == Some(name))
    }

    /// A method of one of the file's traits, and what brings it into scope where the prelude does not.
    fn with_import(&self, of_trait: &syn::Ident, mut signature: Signature) -> Signature {
        if self.is_offered() {
            let import = format!("It is in scope with `use {}::{of_trait};`.", self.place);
            signature.doc = format!("{import}\n\n{}", signature.doc).trim_end().to_owned();
        }
        signature
    }
}

/// The methods of that name of traits of the crates that cells use as they are.
pub(super) fn find_offered(method: &str) -> Vec<Found> {
    let wanted = Wanted::parse(method);
    let declared = format!("fn {method}");
    let files = files().filter(|file| file.is_offered() && file.text.contains(&declared));
    let found = files.filter_map(|file| in_file(file, &wanted)).map(|(_, found)| found);
    found.filter(|found| found.owner().is_some()).collect()
}

/// The name in one file, and how well it fits: 0 is best.
pub(super) fn in_file(file: &File, wanted: &Wanted) -> Option<(u8, Found)> {
    parsed(&file.text, |parsed: syn::File| in_items(file, &parsed.items, wanted)).flatten()
}

fn in_items(file: &File, items: &[Item], wanted: &Wanted) -> Option<(u8, Found)> {
    let in_module = wanted.owner.as_ref().is_none_or(|owner| file.module.split("::").any(|part| part == owner));
    for item in items.iter().filter(|item| is_public(item)) {
        let is_it = name_of(item).is_some_and(|name| *name == wanted.name);
        if is_it && in_module && !matches!(item, Item::Mod(_)) {
            let mut signature = of_item(&file.text, item)?;
            if has_private_fields(item) {
                signature.text = signature.text.split(['{', '(']).next().unwrap_or_default().trim_end().to_owned();
            }
            let members = match item {
                Item::Trait(it) => {
                    let members = it.items.iter().filter_map(|member| of_trait_member(&file.text, member));
                    members.map(|(name, _)| name).collect()
                }
                _ => Vec::new(),
            };
            let place = format!("{}::{}", file.place, wanted.name);
            return Some((0, Found { members, ..Found::new(signature, place) }));
        }
    }
    for item in items {
        let (owner, member) = match item {
            Item::Impl(it) if it.trait_.is_none() => {
                let is_it = |member: &&ImplItem| member_name(member).is_some_and(|name| *name == wanted.name);
                let mut members = it.items.iter().filter(is_it).filter_map(|it| of_member(&file.text, it));
                (self_name(it), members.find(|(_, member)| member.text.starts_with("pub ")))
            }
            Item::Trait(it) => {
                let members = it.items.iter().filter_map(|member| of_trait_member(&file.text, member));
                let mut members = members.map(|(name, signature)| (name, file.with_import(&it.ident, signature)));
                (Some(it.ident.to_string()), members.find(|(name, _)| *name == wanted.name))
            }
            Item::Enum(it) => (Some(it.ident.to_string()), variant(&file.text, it, &wanted.name)),
            _ => continue,
        };
        if let (Some(owner), Some((name, signature))) = (owner, member)
            && wanted.owner.as_ref().is_none_or(|wanted| *wanted == owner)
        {
            let rank = if wanted.owner.is_some() { 0 } else { 1 };
            return Some((rank, Found::new(signature, format!("{owner}::{name}"))));
        }
    }
    None
}

/// A variant of an enum, with the documentation of the whole where it has none of its own.
fn variant(source: &str, it: &syn::ItemEnum, name: &str) -> Option<(String, Signature)> {
    let variant = it.variants.iter().find(|variant| variant.ident == *name)?;
    let own = Some(doc(&variant.attrs)).filter(|doc| !doc.is_empty());
    let text = format!("{}::{}", it.ident, of_variant(source, variant));
    Some((name.to_owned(), Signature { text, doc: own.unwrap_or_else(|| doc(&it.attrs)) }))
}

fn is_public(item: &Item) -> bool {
    match item {
        Item::Macro(it) => it.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")),
        _ => named(item).is_some_and(|named| named.is_public()),
    }
}

fn has_private_fields(item: &Item) -> bool {
    let Item::Struct(it) = item else { return false };
    it.fields.iter().any(|field| !matches!(field.vis, syn::Visibility::Public(_)))
}

pub(super) fn self_name(block: &syn::ItemImpl) -> Option<String> {
    match &*block.self_ty {
        syn::Type::Path(it) => it.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The public names in the modules of that name; with what each is.
pub(crate) fn names_in(module: &str) -> Vec<(String, Kind)> {
    let mut names = Vec::new();
    for file in files().filter(|file| file.place.rsplit("::").next() == Some(module)) {
        let mut is_hidden = false;
        for line in file.text.lines() {
            is_hidden |= line == "#[doc(hidden)]";
            if line.starts_with("//") || line.starts_with('#') {
                continue;
            }
            // What the documentation leaves out is not for cells.
            let is_left_out = std::mem::take(&mut is_hidden);
            let Some((word, name)) = public_name(line).filter(|_| !is_left_out) else { continue };
            let kind = match word {
                "fn" => Kind::Function,
                "struct" | "enum" | "trait" | "type" => Kind::Class,
                "mod" => Kind::Module,
                _ => continue,
            };
            names.push((name.to_owned(), kind));
        }
        names.extend(declarations::exports(&file.text));
    }
    names
}

/// The keyword and the name of a public item that begins on a line, by its text.
fn public_name(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("pub ")?.split(|char| !in_name(char));
    let word = words.next()?;
    let is_item = matches!(word, "fn" | "struct" | "enum" | "trait" | "type" | "mod" | "const");
    Some((word, words.next()?)).filter(|_| is_item)
}

/// The known name that is nearest to one that is not known.
pub(super) fn nearest(name: &str, session: Vec<String>) -> Option<String> {
    let lines = files().flat_map(|file| file.text.lines());
    let public = lines.filter_map(|line| public_name(line.trim_start())).map(|(_, name)| name);
    let mut names: Vec<&str> = session.iter().map(String::as_str).chain(public).collect();
    // Of two that are as near, the first by the alphabet.
    names.sort_unstable();
    words::nearest(&Wanted::parse(name).name, names.into_iter().map(|name| (name, name))).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_documentation_leaves_out_is_in_no_module() {
        let has = |module: &str, name: &str| names_in(module).iter().any(|(other, _)| other == name);
        assert!(has("tch", "index") && !has("tch", "instances"));
        assert!(has("oxtorch", "nn") && !has("oxtorch", "host"));
    }

    #[test]
    fn names_of_the_runtime_are_found_in_its_own_sources() {
        let found = find(&Wanted::parse("Figure::line")).expect("is there");
        assert!(found.signature.text.starts_with("pub fn line("), "{}", found.signature.text);
        let found = find(&Wanted::parse("digits")).expect("is there");
        assert!(found.signature.text.starts_with("pub fn digits("), "{}", found.signature.text);
        assert_eq!(found.place, "oxtorch::data::digits::digits");
        assert!(find(&Wanted::parse("Figure")).expect("is there").members.contains(&"line".to_owned()));
        assert!(find(&Wanted::parse("no_such_name_anywhere")).is_none());
        // The macro; the runtime's module of that name is not public.
        assert!(find(&Wanted::parse("write")).is_none());
        assert_eq!(find(&Wanted::parse("nn::linear")).expect("is there").place, "oxtorch::nn::linear");
    }

    #[test]
    fn crates_that_cells_use_as_they_are_are_told_in_the_version_that_cells_have() {
        let found = find(&Wanted::parse("rand::seq::IndexedRandom")).expect("is there");
        assert!(found.members.contains(&"choose".to_owned()), "{found:?}");
        for (method, of_trait) in [("choose", "seq::IndexedRandom"), ("shuffle", "seq::SliceRandom")] {
            let found = find_offered(method);
            let import = format!("`use rand::{of_trait};`");
            assert!(found.iter().any(|found| found.signature.doc.contains(&import)), "{found:?}");
            assert!(found.iter().all(|found| !found.signature.doc.contains("thread_rng")), "{found:?}");
        }
        assert!(find_offered("random_range").iter().any(|found| found.place == "Rng::random_range"));
        assert!(find(&Wanted::parse("rand")).is_some_and(|found| found.signature.doc.contains("rand::rng()")));
        assert_eq!(find(&Wanted::parse("shuffle")).expect("is there").place, "DataLoader::shuffle");
    }

    #[test]
    fn a_path_has_an_owner_and_a_name() {
        let wanted = Wanted::parse("std::collections::HashMap<K, V>");
        assert_eq!((wanted.name.as_str(), wanted.owner.as_deref()), ("HashMap", Some("collections")));
        assert!(wanted.is_standard());
        assert_eq!(Wanted::parse("x.abs()").owner.as_deref(), Some("x"));
    }

    #[test]
    fn the_members_of_a_type_come_with_their_signatures() {
        let members = members("Figure");
        let line = members.iter().find(|(name, _)| name == "line").expect("is there");
        assert!(line.1.starts_with("pub fn line("), "{}", line.1);
        assert!(!line.1.contains(['{', '\n']), "{}", line.1);
        assert!(names_in("plot").contains(&("Figure".to_owned(), Kind::Class)));
    }

    #[test]
    fn a_mistyped_name_finds_the_nearest() {
        assert_eq!(nearest("digist", Vec::new()).as_deref(), Some("digits"));
        assert_eq!(nearest("my_fucntion", vec!["my_function".into()]).as_deref(), Some("my_function"));
        assert_eq!(nearest("zzzzzzzzzzzzzzz", Vec::new()), None);
    }
}
