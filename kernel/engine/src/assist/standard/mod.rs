//! The names of the standard library, from a table that this program carries: neither the pages of `rust-docs` nor the
//! sources need to be installed. `write.py` writes the table from those pages.

#[cfg(test)]
mod compiled;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use oxtorch_session::CandidateKind as Kind;

use crate::assist::members::Member;

/// `[mod std::time]` and `[type Vec<T, A>: slice<T>, Clone]`, each with its declarations below it.
const NAMES: &str = include_str!("names.txt");

/// Crates whose names are those of `std`.
pub(crate) const ROOTS: [&str; 3] = ["std", "core", "alloc"];

/// A type or trait.
#[derive(Debug)]
pub(crate) struct StandardType {
    name: String,
    /// The type whose declarations these are: that of `i64` for all signed integers.
    model: &'static str,
    /// The names of its type parameters.
    pub parameters: Vec<&'static str>,
    /// What it dereferences to, and its traits.
    pub parents: Vec<&'static str>,
    lines: &'static str,
}

impl StandardType {
    /// Its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has nothing but its own methods.
    pub fn is_trait(&self) -> bool {
        self.parents.is_empty() && self.parameters.is_empty()
    }

    /// What it has itself.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.lines.lines().filter_map(|line| member(&self.declared(line)))
    }

    /// What it has itself of that name.
    pub fn member(&self, name: &str) -> Option<Member> {
        let line = self.lines.lines().find(|line| named(line).is_some_and(|(other, _)| other == name))?;
        member(&self.declared(line))
    }

    /// What it gives as an iterator, as code.
    pub fn item(&self) -> Option<&'static str> {
        self.lines.lines().find_map(|line| line.strip_prefix("type Item = "))
    }

    /// A line of the model for this type: numbers differ in their names alone.
    fn declared(&self, line: &'static str) -> Cow<'static, str> {
        let width = |name: &str| name.trim_start_matches(['i', 'u', 'f']).to_owned();
        if self.name == self.model {
            return line.into();
        }
        let (from, to) = (width(self.model), width(&self.name));
        let words = ["i", "u", "f"].map(|sort| (format!("{sort}{from}"), format!("{sort}{to}")));
        words.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to)).into()
    }
}

/// A block of the table.
struct Block {
    head: &'static str,
    lines: &'static str,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::default();
    for block in NAMES.split("\n\n") {
        let (head, lines) = block.split_once("]\n").unwrap_or((block.trim_end().trim_end_matches(']'), ""));
        if let Some(path) = head.strip_prefix("[mod ") {
            table.modules.insert(path, lines);
        } else if let Some(head) = head.strip_prefix("[type ") {
            let names = head.split(['<', ']']).next().unwrap_or(head);
            let names = names.split(": ").next().unwrap_or(names);
            for name in names.split(' ') {
                let short = name.rsplit("::").next().unwrap_or(name);
                table.types.insert(name, Block { head, lines });
                table.full_names.entry(short).or_default().push(name);
            }
        }
    }
    table
});

#[derive(Default)]
struct Table {
    modules: HashMap<&'static str, &'static str>,
    /// By `Name`, or by `module::Name` where several have it.
    types: HashMap<&'static str, Block>,
    /// Those of a `Name`.
    full_names: HashMap<&'static str, Vec<&'static str>>,
}

/// Makes the table that this looks names up in.
pub(super) fn read_ahead() {
    find("");
}

/// Whether `module::Name` is how one of several types of that name is called here.
pub(crate) fn is_full_name(name: &str) -> bool {
    TABLE.types.contains_key(name)
}

/// The type or trait of a name: of several the one in that module, or else the first.
pub(crate) fn find(name: &str) -> Option<StandardType> {
    let short = name.rsplit("::").next().unwrap_or(name);
    let of_module = || TABLE.types.contains_key(name).then_some(name);
    let full = of_module().or_else(|| TABLE.full_names.get(short)?.first().copied())?;
    let Block { head, lines } = TABLE.types.get(full)?;
    let (head, parents) = head.split_once(": ").unwrap_or((head, ""));
    let (names, parameters) = head.split_once('<').unwrap_or((head, ""));
    let list = |text: &'static str| text.split(", ").filter(|part| !part.is_empty()).collect();
    Some(StandardType {
        name: full.to_owned(),
        model: names.split(' ').next().unwrap_or(names),
        parameters: list(parameters.trim_end_matches('>')),
        parents: list(parents),
        lines,
    })
}

/// Whether a name is that of a macro which every program has.
pub(crate) fn is_macro(name: &str) -> bool {
    names_in(&["std"]).iter().any(|member| member.name.strip_suffix('!') == Some(name))
}

/// What the module of a path holds; where the path does not begin at the root, that of the first which ends so.
pub(crate) fn names_in(path: &[&str]) -> Vec<Member> {
    let Some((first, rest)) = path.split_first() else { return Vec::new() };
    let first = if ROOTS.contains(first) { "std" } else { first };
    let path = [&[first], rest].concat().join("::");
    let below = format!("::{path}");
    let ends_so = || {
        let found = TABLE.modules.iter().filter(|(module, _)| module.ends_with(&below));
        found.min_by_key(|(module, _)| **module).map(|(_, lines)| lines)
    };
    let lines = TABLE.modules.get(path.as_str()).or_else(ends_so);
    lines.into_iter().flat_map(|lines| lines.lines()).filter_map(member).collect()
}

/// The name that a line declares, and what kind of thing it is.
fn named(line: &str) -> Option<(&str, Kind)> {
    let (word, rest) = line.split_once(' ')?;
    let kind = match word {
        "fn" | "macro" => Kind::Function,
        "const" | "static" => Kind::Instance,
        "enum" | "struct" | "trait" | "type" | "union" | "variant" => Kind::Class,
        "mod" => Kind::Module,
        _ => return None,
    };
    let name = rest.split(['(', '<', ':', ' ', '{']).next().unwrap_or(rest);
    (word != "type" || !rest.contains(" = ")).then_some((name, kind))
}

fn member(line: &str) -> Option<Member> {
    let (name, kind) = named(line)?;
    let signature = match line.split_once(' ')? {
        ("fn" | "const" | "static", _) => line,
        ("variant" | "macro", signature) if signature != name => signature,
        _ => "",
    };
    Some(Member { name: name.to_owned(), kind, signature: signature.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(ty: &str, name: &str) -> String {
        find(ty).and_then(|ty| ty.member(name)).unwrap_or_else(|| panic!("{ty} has {name}")).signature
    }

    #[test]
    fn a_type_has_members_parameters_and_parents() {
        let vec = find("Vec").expect("is there");
        assert_eq!((vec.parameters[0], vec.parents[0]), ("T", "slice<T>"));
        assert_eq!(signature("Vec", "push"), "fn push(&mut self, value: T)");
        assert!(signature("Iterator", "map").starts_with("fn map<B, F>(self, f: F) -> Map<Self, F> where"));
        assert_eq!(find("slice::Iter").and_then(|iter| iter.item()), Some("&'a T"));
        assert!(find("Ordering").expect("is there").member("Less").is_some(), "the first of two");
        assert!(find("atomic::Ordering").expect("is there").member("SeqCst").is_some());
    }

    #[test]
    fn numbers_have_their_own_names() {
        assert_eq!(signature("f32", "powi"), "fn powi(self, n: i32) -> f32");
        assert_eq!(signature("usize", "abs_diff"), "fn abs_diff(self, other: usize) -> usize");
        assert_eq!(signature("i32", "unsigned_abs"), "fn unsigned_abs(self) -> u32");
        assert_eq!(signature("u64", "MAX"), "const MAX: u64");
    }

    #[test]
    fn a_module_is_found_from_the_root_and_by_its_end() {
        let has = |path: &[&str], name: &str| names_in(path).iter().any(|member| member.name == name);
        assert!(has(&["std"], "collections") && has(&["std"], "println!"));
        assert!(is_macro("format") && !is_macro("collections"));
        assert!(has(&["std", "collections"], "HashMap") && has(&["core", "time"], "Duration"));
        assert!(has(&["f64", "consts"], "PI") && !has(&["nowhere"], "PI"));
    }
}
