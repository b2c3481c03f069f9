//! The names that cells can write: what the modules of the runtime and of `tch` declare, and what they re-export.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use oxtorch_session::CandidateKind as Kind;
use syn::{ImplItem, Item, ItemImpl, ItemTrait, TraitItem, UseTree, Visibility};

use crate::assist::markdown::first_sentence;
use crate::assist::runtime_index::{Found, OFFERED, files, self_name};
use crate::assist::signature::{Signature, doc};
use crate::source::items::{name_of, named};
use crate::source::nesting::parsed;

/// The module of the runtime that all its others are in.
const ROOT: &str = "oxtorch";
/// The names in scope of every cell.
const PRELUDE: &str = "oxtorch::prelude";

/// A name that cells can write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicName {
    /// As a cell writes it: `nn::linear`, `digits`.
    pub path: String,
    pub kind: Kind,
    /// The first sentence of its documentation.
    pub about: String,
    /// The module in whose file it is written, and its name there.
    pub item: (String, String),
}

impl PublicName {
    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// Whether it is an item of the runtime, and not of `tch`.
    #[cfg(test)]
    pub fn is_of_runtime(&self) -> bool {
        self.item.0.starts_with(ROOT) && self.kind != Kind::Module
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A module, by its full path.
    Module(String),
    /// An item of a module's file.
    Item { module: String, name: String },
    /// Something of another crate.
    Elsewhere(Vec<String>),
}

/// What a file says of its module.
#[derive(Debug, Default)]
struct Outline {
    about: String,
    /// Public items.
    items: BTreeMap<String, (Kind, String)>,
    /// Public methods, by the names of their types.
    members: Vec<(String, String, String)>,
    /// Exported macros.
    macros: Vec<String>,
    /// Its own modules that are public.
    modules: Vec<String>,
    /// Public `use` declarations: the name, or none for all names, and the path.
    uses: Vec<(Option<String>, Vec<String>)>,
}

static OUTLINES: LazyLock<HashMap<&'static str, Outline>> = LazyLock::new(|| {
    // Nobody re-exports from the generated wrappers, which are long.
    let files = files().filter(|file| !file.module.contains("generated"));
    let mut outlines: HashMap<&'static str, Outline> =
        files.filter_map(|file| Some((file.module.as_str(), outline(&file.text)?))).collect();
    // A macro that is exported stands in the root of its crate.
    let exported: Vec<(&'static str, String)> = outlines
        .iter()
        .flat_map(|(module, outline)| outline.macros.iter().map(move |name| (*module, name.clone())))
        .collect();
    for (module, name) in exported {
        let mut path: Vec<String> = module.split("::").map(str::to_owned).collect();
        let root = module.split("::").next().unwrap_or(module);
        "crate".clone_into(&mut path[0]);
        path.push(name.clone());
        if root != module {
            outlines.entry(root).or_default().uses.push((Some(name), path));
        }
    }
    // A module whose own file is not documented is still on the way to others.
    let known: Vec<&'static str> = outlines.keys().copied().collect();
    for module in known {
        for (end, _) in module.match_indices("::") {
            outlines.entry(&module[..end]).or_default();
        }
    }
    outlines
});

/// All names of the runtime, module by module; those in scope without a path come first.
pub(crate) fn all() -> &'static [PublicName] {
    static ALL: LazyLock<Vec<PublicName>> = LazyLock::new(|| {
        let mut names = Vec::new();
        for (name, target) in names_of(PRELUDE) {
            names.extend(public_name(&name, &target));
        }
        walk(ROOT, "", &mut HashSet::new(), &mut names);
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.path.clone()));
        names
    });
    &ALL
}

/// The names of a module, with its path as a cell writes it.
fn walk(module: &str, path: &str, seen: &mut HashSet<String>, names: &mut Vec<PublicName>) {
    if module == PRELUDE || !seen.insert(module.to_owned()) {
        return;
    }
    for (name, target) in names_of(module) {
        let path = if path.is_empty() { name } else { format!("{path}::{name}") };
        names.extend(public_name(&path, &target));
        match &target {
            Target::Module(module) if module.starts_with(ROOT) => walk(module, &path, seen, names),
            _ => {}
        }
    }
}

fn public_name(path: &str, target: &Target) -> Option<PublicName> {
    let (kind, about, item) = match target {
        Target::Module(module) => (Kind::Module, OUTLINES.get(module.as_str())?.about.clone(), (module, path)),
        Target::Item { module, name } => {
            let (kind, about) = OUTLINES.get(module.as_str())?.items.get(name)?;
            (*kind, about.clone(), (module, name.as_str()))
        }
        Target::Elsewhere(_) => return None,
    };
    Some(PublicName { path: path.to_owned(), kind, about, item: (item.0.clone(), item.1.to_owned()) })
}

/// The names right in a module, with what they lead to, by the alphabet.
pub(crate) fn names_of(module: &str) -> BTreeMap<String, Target> {
    fn collect(module: &str, seen: &mut HashSet<String>, names: &mut BTreeMap<String, Target>) {
        let Some(outline) = OUTLINES.get(module).filter(|_| seen.insert(module.to_owned())) else { return };
        for name in &outline.modules {
            names.entry(name.clone()).or_insert(Target::Module(format!("{module}::{name}")));
        }
        for name in outline.items.keys() {
            let item = Target::Item { module: module.to_owned(), name: name.clone() };
            names.entry(name.clone()).or_insert(item);
        }
        for name in outline.uses.iter().filter_map(|(name, _)| name.as_ref()) {
            if let Some(target) = member(module, name, &mut HashSet::new()) {
                names.entry(name.clone()).or_insert(target);
            }
        }
        // A name of its own hides one that comes with all others.
        for (_, path) in outline.uses.iter().filter(|(name, _)| name.is_none()) {
            if let Some(Target::Module(module)) = resolve(module, path, &mut HashSet::new()) {
                collect(&module, seen, names);
            }
        }
    }
    let mut names = BTreeMap::new();
    collect(module, &mut HashSet::new(), &mut names);
    names
}

/// The names of all items, each by its shortest path.
pub(crate) fn shortest() -> impl Iterator<Item = &'static PublicName> {
    let mut paths = BTreeMap::<&(String, String), &PublicName>::new();
    for name in all() {
        let shortest = paths.entry(&name.item).or_insert(name);
        if name.path.len() < shortest.path.len() {
            *shortest = name;
        }
    }
    paths.into_values()
}

/// The methods of the runtime's public types and traits: the module of each, that of its type, its path, and the first
/// sentence of its documentation.
fn all_members() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let types = shortest().filter(|name| name.kind == Kind::Class && name.item.0.starts_with(ROOT));
    let types: Vec<&PublicName> = types.collect();
    let written = OUTLINES.iter().filter(|(module, _)| module.starts_with(ROOT));
    let written = written.flat_map(|(module, outline)| outline.members.iter().map(move |member| (*module, member)));
    let mut members = Vec::new();
    for (module, (owner, name, about)) in written {
        for ty in types.iter().filter(|ty| ty.item.1 == *owner) {
            members.push((module, ty.item.0.as_str(), format!("{}::{name}", ty.path), about.as_str()));
        }
    }
    members.sort();
    members
}

/// The methods of the runtime's public types and traits, by their paths, each with the first sentence of its
/// documentation.
pub(crate) fn members() -> impl Iterator<Item = (String, &'static str)> {
    all_members().into_iter().map(|(_, _, path, about)| (path, about))
}

/// The methods in other folders than their types, as those of figures that add marks, with their modules.
#[cfg(test)]
pub(crate) fn members_elsewhere() -> impl Iterator<Item = (&'static str, String, &'static str)> {
    let members = all_members().into_iter().filter(|(module, of, ..)| folder_of(module) != folder_of(of));
    members.map(|(module, _, path, about)| (module, path, about))
}

/// The folder below `runtime/src` that a module's file is in.
#[cfg(test)]
pub(crate) fn folder_of(module: &str) -> String {
    let is_folder = OUTLINES.keys().any(|other| other.strip_prefix(module).is_some_and(|rest| rest.starts_with("::")));
    let folder = if is_folder { module } else { module.rsplit_once("::").map_or(module, |(folder, _)| folder) };
    folder.trim_start_matches(ROOT).trim_start_matches("::").replace("::", "/")
}

/// The first sentence of a module's documentation.
#[cfg(test)]
pub(crate) fn about_module(module: &str) -> &'static str {
    OUTLINES.get(module).map_or("", |outline| outline.about.as_str())
}

/// What a path leads to that a cell writes: `nn::linear`, `digits`, `tch::vision`.
pub(crate) fn find(path: &str) -> Option<Target> {
    let segments: Vec<String> = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let [first, rest @ ..] = segments.as_slice() else { return None };
    let start = match first.as_str() {
        "oxtorch" | "crate" => Target::Module(ROOT.to_owned()),
        "tch" => Target::Module("tch".to_owned()),
        _ => {
            let mut candidates = meanings(PRELUDE, first, &mut HashSet::new());
            candidates.extend(meanings(ROOT, first, &mut HashSet::new()));
            chosen(candidates, !rest.is_empty())?
        }
    };
    follow(start, rest, &mut HashSet::new())
}

/// The names in a module, each with the first sentence of its documentation; modules come first, then functions.
fn contents(module: &str) -> Vec<(String, String)> {
    let names = names_of(module);
    let mut names: Vec<PublicName> = names.iter().filter_map(|(name, target)| public_name(name, target)).collect();
    let order = |kind: Kind| [Kind::Module, Kind::Function].iter().position(|other| *other == kind).unwrap_or(2);
    names.sort_by_key(|name| order(name.kind));
    names.into_iter().map(|name| (name.path, name.about)).collect()
}

/// A module: what it is for, and what it has.
pub(in crate::assist) fn of_module(module: &str) -> Found {
    let text = files().find(|file| file.module == module).map_or("", |file| file.text.as_str());
    let doc = parsed(text, |file: syn::File| doc(&file.attrs)).unwrap_or_default();
    let shown = as_written(module);
    let text = format!("mod {}", shown.trim_start_matches("oxtorch::"));
    Found { contents: contents(module), ..Found::new(Signature { text, doc }, shown) }
}

/// The path of a module as cells write it.
pub(crate) fn as_written(module: &str) -> String {
    module.strip_prefix("torch").map_or_else(|| module.to_owned(), |rest| format!("tch{rest}"))
}

/// Where a path that is written in a module leads.
fn resolve(module: &str, path: &[String], seen: &mut HashSet<(String, String)>) -> Option<Target> {
    let [first, rest @ ..] = path else { return Some(Target::Module(module.to_owned())) };
    let start = match first.as_str() {
        "crate" => Target::Module(module.split("::").next().unwrap_or(module).to_owned()),
        "self" => Target::Module(module.to_owned()),
        "super" => Target::Module(module.rsplit_once("::")?.0.to_owned()),
        ROOT | "tch" | "torch" => Target::Module(first.clone()),
        name if OFFERED.contains(&name) => Target::Module(first.clone()),
        name => match chosen(meanings(module, name, seen), !rest.is_empty()) {
            Some(target) => target,
            None => return Some(Target::Elsewhere(path.to_vec())),
        },
    };
    follow(start, rest, seen)
}

fn follow(start: Target, rest: &[String], seen: &mut HashSet<(String, String)>) -> Option<Target> {
    let mut target = start;
    for (at, name) in rest.iter().enumerate() {
        target = match target {
            Target::Module(module) if name == "super" => Target::Module(module.rsplit_once("::")?.0.to_owned()),
            Target::Module(module) => chosen(meanings(&module, name, seen), at + 1 < rest.len())?,
            Target::Elsewhere(mut path) => {
                path.push(name.clone());
                Target::Elsewhere(path)
            }
            Target::Item { .. } => return None,
        };
    }
    Some(target)
}

/// What is meant of all that a name leads to: a module, where a path goes on behind it.
fn chosen(mut candidates: Vec<Target>, goes_on: bool) -> Option<Target> {
    let way = candidates.iter().position(|target| goes_on && matches!(target, Target::Module(_)));
    (!candidates.is_empty()).then(|| candidates.swap_remove(way.unwrap_or(0)))
}

/// What a name leads to that is in a module, be it public or not.
fn member(module: &str, name: &str, seen: &mut HashSet<(String, String)>) -> Option<Target> {
    meanings(module, name, seen).into_iter().next()
}

/// All that a name leads to in a module, as a function and a module may share one; what is meant first.
fn meanings(module: &str, name: &str, seen: &mut HashSet<(String, String)>) -> Vec<Target> {
    let Some(outline) = OUTLINES.get(module) else { return Vec::new() };
    let inner = format!("{module}::{name}");
    let item = Target::Item { module: module.to_owned(), name: name.to_owned() };
    let mut found = Vec::from_iter(outline.items.contains_key(name).then_some(item));
    found.extend(OUTLINES.contains_key(inner.as_str()).then_some(Target::Module(inner)));
    if !seen.insert((module.to_owned(), name.to_owned())) {
        return found;
    }
    for (_, path) in outline.uses.iter().filter(|(other, _)| other.as_deref() == Some(name)) {
        found.extend(resolve(module, path, seen));
    }
    // A function is meant rather than the module of its name.
    found.sort_by_key(|target| matches!(target, Target::Module(_)));
    for (_, path) in outline.uses.iter().filter(|(other, _)| other.is_none()) {
        if let Some(Target::Module(module)) = resolve(module, path, seen) {
            found.extend(meanings(&module, name, seen));
        }
    }
    // What comes with a glob is behind what is named, and that order stays.
    found.sort_by_key(|target| matches!(target, Target::Elsewhere(_)));
    found
}

fn outline(text: &str) -> Option<Outline> {
    parsed(text, |file: syn::File| {
        let mut outline = Outline { about: first_sentence(&doc(&file.attrs)), ..Outline::default() };
        for item in &file.items {
            let exported = |it: &syn::ItemMacro| it.attrs.iter().any(|at| at.path().is_ident("macro_export"));
            match item {
                Item::Use(it) if matches!(it.vis, Visibility::Public(_)) => {
                    leaves(&it.tree, &mut Vec::new(), &mut outline.uses);
                }
                Item::Macro(it) if !exported(it) => {}
                Item::Impl(it) if it.trait_.is_none() => outline.add_members(it),
                Item::Trait(it) => {
                    outline.add_methods(it);
                    outline.add(item);
                }
                _ => outline.add(item),
            }
        }
        outline
    })
}

impl Outline {
    fn add(&mut self, item: &Item) {
        let Some(name) = name_of(item).map(ToString::to_string) else { return };
        let (kind, attributes) = match item {
            Item::Macro(it) => (Kind::Function, it.attrs.as_slice()),
            _ => match named(item).filter(|named| named.is_public()) {
                Some(named) => (kind_of(item), named.attributes),
                None => return,
            },
        };
        if matches!(item, Item::Mod(_)) {
            let is_hidden = attributes.iter().any(|at| at.path().is_ident("doc") && at.meta.require_list().is_ok());
            self.modules.extend((!is_hidden).then_some(name));
        } else {
            self.macros.extend(matches!(item, Item::Macro(_)).then(|| name.clone()));
            self.items.insert(name, (kind, first_sentence(&doc(attributes))));
        }
    }
}

impl Outline {
    fn add_members(&mut self, block: &ItemImpl) {
        let Some(owner) = self_name(block) else { return };
        for item in &block.items {
            if let ImplItem::Fn(it) = item
                && matches!(it.vis, Visibility::Public(_))
            {
                let about = first_sentence(&doc(&it.attrs));
                self.members.push((owner.clone(), it.sig.ident.to_string(), about));
            }
        }
    }

    fn add_methods(&mut self, it: &ItemTrait) {
        for item in &it.items {
            if let TraitItem::Fn(method) = item {
                let about = first_sentence(&doc(&method.attrs));
                self.members.push((it.ident.to_string(), method.sig.ident.to_string(), about));
            }
        }
    }
}

fn kind_of(item: &Item) -> Kind {
    match item {
        Item::Fn(_) => Kind::Function,
        Item::Const(_) | Item::Static(_) => Kind::Instance,
        _ => Kind::Class,
    }
}

/// The names that a `use` declaration brings, each with the path to it.
fn leaves(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(Option<String>, Vec<String>)>) {
    match tree {
        UseTree::Path(it) => {
            path.push(it.ident.to_string());
            leaves(&it.tree, path, found);
            path.pop();
        }
        UseTree::Group(it) => it.items.iter().for_each(|tree| leaves(tree, path, found)),
        UseTree::Glob(_) => found.push((None, path.clone())),
        UseTree::Name(it) if it.ident == "self" => found.push((path.last().cloned(), path.clone())),
        UseTree::Name(it) => {
            found.push((Some(it.ident.to_string()), [path.as_slice(), &[it.ident.to_string()]].concat()))
        }
        UseTree::Rename(it) if it.rename == "_" => {}
        UseTree::Rename(it) => {
            found.push((Some(it.rename.to_string()), [path.as_slice(), &[it.ident.to_string()]].concat()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> String {
        match find(path) {
            Some(Target::Module(module)) => module,
            Some(Target::Item { module, name }) => format!("{module} {name}"),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_path_leads_where_a_cell_would_go() {
        assert_eq!(place("train"), "oxtorch::train");
        assert_eq!(place("data"), "oxtorch::data");
        assert_eq!(place("text"), "oxtorch::text");
        assert_eq!(place("nn::init"), "oxtorch::nn::init");
        assert_eq!(place("digits"), "oxtorch::data::sets::digits digits");
        assert_eq!(place("nn::seq_t"), "oxtorch::nn::sequential seq_t");
        assert_eq!(place("nn::conv2d"), "oxtorch::nn::layers::conv conv2d");
        assert_eq!(place("rl::Outcome"), "oxtorch::rl::toy_text::outcome Outcome");
        assert_eq!(place("rl::CartPole"), "oxtorch::rl::classic_control::cart_pole CartPole");
        assert_eq!(place("Digits"), "oxtorch::data::sets::digits Digits");
        assert_eq!(place("train::Outcome"), "oxtorch::train::work Outcome");
        assert_eq!(place("nn::Sgd"), "oxtorch::optim::algorithms::sgd Sgd");
        assert_eq!(place("Kind"), "torch::wrappers::kind Kind");
        assert_eq!(place("nn::Linear"), "torch::nn::linear Linear");
        assert_eq!(place("IndexOp"), "tch::index IndexOp");
        assert_eq!(find("json"), Some(Target::Elsewhere(vec!["serde_json".into(), "json".into()])));
        assert_eq!(find("nn::no_such_layer"), None);
    }

    #[test]
    fn what_cells_can_write_is_listed_once() {
        let path = |path: &str| all().iter().filter(|name| name.path == path).count();
        for name in ["nn::linear", "nn::dropout2d", "optim::SGD", "digits", "data::augment::hflip", "Figure", "ensure"]
        {
            assert_eq!(path(name), 1, "{name}");
        }
        assert!(all().iter().all(|name| !name.path.contains("layers::")));
        let linear = all().iter().find(|name| name.path == "nn::linear").expect("is there");
        assert!(linear.about.starts_with("Makes `y = x @ w.t() + b`"), "{}", linear.about);
    }
}
