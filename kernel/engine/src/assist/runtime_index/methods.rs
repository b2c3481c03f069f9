//! The functions of types and traits, by the text of the files: the longest have thousands.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use super::declarations;
use super::files;
use crate::assist::signature::one_line;
use crate::source::words::first_name;

/// A name, and its signature.
pub(crate) type Method = (String, String);

/// Makes the tables that this looks names up in.
pub(super) fn read_ahead() {
    methods_of("");
    traits_of("").for_each(drop);
    associated("");
    trait_functions("");
}

/// What all files have, by its name; `read` reads it from the text of one.
pub(super) fn by_name<T>(read: impl Fn(&str) -> Vec<(String, Vec<T>)>) -> HashMap<String, Vec<T>> {
    let mut all = HashMap::<_, Vec<_>>::new();
    for (name, found) in files().flat_map(|file| read(&file.text)) {
        all.entry(name).or_default().extend(found);
    }
    all
}

/// The public functions of each type in its own impls, in all files.
pub(super) fn methods_of(ty: &str) -> &'static [Method] {
    static METHODS: LazyLock<HashMap<String, Vec<Method>>> =
        LazyLock::new(|| by_name(|text| methods_in(text).into_iter().map(|(ty, method)| (ty, vec![method])).collect()));
    METHODS.get(ty).map(Vec::as_slice).unwrap_or_default()
}

/// The public functions in the file's own impls of types, by its text: the longest files have thousands.
pub(super) fn methods_in(text: &str) -> Vec<(String, Method)> {
    let mut methods = Vec::new();
    let mut lines = text.lines();
    while let Some(head) = lines.find(|line| line.starts_with("impl")) {
        if head.contains(" for ") || head.ends_with('}') {
            continue;
        }
        let ty = subject(head.trim_start_matches("impl"));
        let found = functions(&mut lines, &["    pub fn ", "    pub const "], &['{']).into_iter();
        methods.extend(found.map(|method| (ty.to_owned(), method)));
    }
    methods
}

/// The functions and constants whose lines begin so, up to the end of the block that the lines are in. The head of
/// each function, which may take several lines, ends with one of these characters.
fn functions<'a>(lines: &mut impl Iterator<Item = &'a str>, begins: &[&str], ends: &[char]) -> Vec<Method> {
    let mut functions = Vec::new();
    let mut head = String::new();
    for line in lines.take_while(|line| !line.starts_with('}')) {
        if head.is_empty() && !begins.iter().any(|begin| line.starts_with(begin)) {
            continue;
        }
        head.push_str(line);
        head.push(' ');
        let declared = head.trim_start();
        let is_constant = declared.starts_with("pub const ") && !declared.starts_with("pub const fn ");
        if let Some((whole, _)) = head.split_once(if is_constant { &['='] } else { ends }) {
            let whole = one_line(whole);
            let rest =
                ["pub ", "const ", "fn "].iter().fold(&*whole, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
            // A name that has become a word of the language since, `r#gen`, is written no more.
            if !rest.starts_with("r#") {
                functions.push((first_name(rest).to_owned(), whole));
            }
            head.clear();
        }
    }
    functions
}

/// The public functions of a type of the libraries, with their signatures; the variants that `tch` has of most, which
/// give an error in place of a panic, write into a given tensor, or are libtorch's own, come last.
pub(crate) fn members(ty: &str) -> Vec<Method> {
    let mut members = methods_of(ty).to_vec();
    members.sort_by_key(|(name, _)| is_variant(name));
    members
}

/// The signature of a function of a type.
pub(crate) fn member(ty: &str, name: &str) -> Option<&'static str> {
    methods_of(ty).iter().find(|(other, _)| other == name).map(|(_, signature)| signature.as_str())
}

/// Whether a type is of these libraries.
pub(crate) fn has(ty: &str) -> bool {
    !methods_of(ty).is_empty() || !declarations::variants(ty).is_empty()
}

/// The traits that a type of any library has in these libraries, also because it has another one.
pub(crate) fn traits_of(ty: &str) -> impl Iterator<Item = &'static str> {
    static TRAITS: LazyLock<HashMap<String, BTreeSet<String>>> = LazyLock::new(|| {
        let mut traits = HashMap::<_, BTreeSet<_>>::new();
        for (ty, name) in files().flat_map(|file| implemented(&file.text)) {
            traits.entry(ty).or_default().insert(name);
        }
        traits
    });
    let of = |name: &str| TRAITS.get(name).into_iter().flatten().map(String::as_str);
    let by_trait = move |name: &str| of(&all_that_have(name));
    of(ty).flat_map(move |name| std::iter::once(name).chain(by_trait(name))).chain(by_trait(ty))
}

/// What an impl has for an associated type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Associated {
    /// The type that the impl is for, with its parameters: `TimeLimit<E>`.
    pub of: String,
    /// `Action`.
    pub name: String,
    /// `usize`.
    pub code: String,
}

/// What a type of these libraries has for the associated types of its traits.
pub(crate) fn associated(ty: &str) -> &'static [Associated] {
    static TYPES: LazyLock<HashMap<String, Vec<Associated>>> = LazyLock::new(|| by_name(associated_in));
    TYPES.get(ty).map(Vec::as_slice).unwrap_or_default()
}

fn associated_in(text: &str) -> Vec<(String, Vec<Associated>)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(head) = lines.find(|line| line.starts_with("impl")) {
        let Some((_, of)) = head.split_once(" for ").filter(|_| !head.ends_with('}')) else { continue };
        let of = of.trim_end_matches('{').trim();
        let given = lines.by_ref().take_while(|line| !line.starts_with('}')).filter_map(|line| {
            let (name, code) = line.strip_prefix("    type ")?.strip_suffix(';')?.split_once(" = ")?;
            Some(Associated { of: of.to_owned(), name: name.to_owned(), code: code.to_owned() })
        });
        found.push((subject(of).to_owned(), given.collect()));
    }
    found
}

/// What a type does by these traits: as a layer, or as something with an index.
pub(crate) fn trait_members(ty: &str) -> Vec<Method> {
    traits_of(ty).flat_map(trait_functions).cloned().collect()
}

/// The functions of a trait of these libraries, with their signatures.
pub(crate) fn trait_functions(name: &str) -> &'static [Method] {
    static TRAITS: LazyLock<HashMap<String, Vec<Method>>> = LazyLock::new(|| by_name(traits_in));
    TRAITS.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a method of a tensor is a variant of another one: gives an error in place of a panic, writes into a given
/// tensor, or is libtorch's own.
pub(crate) fn is_variant(name: &str) -> bool {
    name.ends_with("_out") || ["f_", "g_", "internal_"].iter().any(|prefix| name.starts_with(prefix))
}

/// What stands in place of a type for all types that have a trait; a type may have the trait's name.
fn all_that_have(name: &str) -> String {
    format!("impl {name}")
}

/// The types for which a file implements traits, and those: of `impl<R: RngCore> Rng for R` all that have the trait
/// `RngCore`.
fn implemented(text: &str) -> Vec<(String, String)> {
    let implemented = text.lines().filter_map(|line| {
        let (head, of) = line.strip_prefix("impl")?.split_once(" for ")?;
        let of = subject(of.trim_start_matches(['&', '(']));
        let bound = head.strip_prefix(&format!("<{of}: ")).map(|bounds| subject(bounds.trim_start_matches("super::")));
        let of = match bound {
            Some(bound) => all_that_have(bound.trim_end_matches('>')),
            None if of == "[T]" => "slice".to_owned(),
            None => of.to_owned(),
        };
        Some((of, subject(head).to_owned()))
    });
    implemented.collect()
}

/// The name that follows the parameters of an impl: `IndexOp` of `<A: Index> super::IndexOp<A>`.
fn subject(head: &str) -> &str {
    let head = head.strip_prefix('<').map_or(head, behind_brackets).trim_start();
    let path = head.split(['<', ' ', '{']).next().unwrap_or(head);
    path.rsplit("::").next().unwrap_or(path)
}

/// What stands behind the `>` that closes a bracket which is open already.
fn behind_brackets(text: &str) -> &str {
    let (mut open, mut before) = (1, ' ');
    let end = text.find(|char| {
        match char {
            '<' => open += 1,
            '>' if before != '-' => open -= 1,
            _ => {}
        }
        before = char;
        open == 0
    });
    end.map_or("", |end| &text[end + 1..])
}

/// The public traits that a file declares, each with its functions and their signatures.
fn traits_in(text: &str) -> Vec<(String, Vec<Method>)> {
    let heads = text.match_indices("pub trait ").filter(|(at, _)| *at == 0 || text[..*at].ends_with('\n'));
    let declared = heads.map(|(at, word)| {
        let rest = &text[at + word.len()..];
        (first_name(rest).to_owned(), functions(&mut rest.lines().skip(1), &["    fn "], &['{', ';']))
    });
    declared.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_of_traits_are_found_with_them() {
        let text = "pub trait Module: Send {\n    /// Doc.\n    fn forward(&self, x: &Tensor) -> Tensor;\n    fn \
                    twice<T>(\n        &self,\n    ) -> T {\n        todo!()\n    }\n}\npub trait Other {\n    fn f();\n}\n\
                    impl super::Module for Linear {\n}\nimpl<A: Into<B>> IndexOp<A> for Tensor {\n}\nimpl Tensor {\n}\n\
                    impl<R: RngCore + ?Sized> Rng for R {}\nimpl<T> Choose for [T] {\n}\n";
        assert_eq!(subject("<D: Dataset, F: Fn(f64) -> f64> DataLoader<D, F> {"), "DataLoader");
        let pair = |ty: &str, name: &str| (ty.to_owned(), name.to_owned());
        assert_eq!(
            implemented(text),
            [pair("Linear", "Module"), pair("Tensor", "IndexOp"), pair("impl RngCore", "Rng"), pair("slice", "Choose")]
        );
        let traits = traits_in(text);
        assert_eq!((traits.len(), traits[0].0.as_str()), (2, "Module"));
        let methods = &traits[0].1;
        assert_eq!(methods[0], ("forward".to_owned(), "fn forward(&self, x: &Tensor) -> Tensor".to_owned()));
        assert_eq!((methods.len(), methods[1].0.as_str()), (2, "twice"));
    }

    #[test]
    fn functions_and_constants_of_types_are_read_from_their_text() {
        let text = "impl<D: Dataset> Loader<D> {\n    pub const MOST: usize = 3;\n    pub fn new(\n        set: impl Into<Set = D>,\n    \
                    ) -> Self {\n    }\n    fn own() {}\n    pub const fn len(&self) -> usize {\n    }\n}\n";
        let found: Vec<String> =
            methods_in(text).into_iter().map(|(ty, (name, whole))| format!("{ty} {name} {whole}")).collect();
        let constant = "Loader MOST pub const MOST: usize";
        let function = "Loader new pub fn new(set: impl Into<Set = D>) -> Self";
        assert_eq!(found, [constant, function, "Loader len pub const fn len(&self) -> usize"]);
    }
}
