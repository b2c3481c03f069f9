//! What the files of the libraries declare beside functions of types: variants of enums, fields of structs, and
//! functions of modules.

use std::collections::HashMap;
use std::sync::LazyLock;

use oxtorch_session::CandidateKind as Kind;

use super::methods::by_name;
use super::{Method, files};
use crate::assist::library::public_names::{self, Target};
use crate::assist::signature::{of_variant, one_line};
use crate::source::nesting::parsed;
use crate::source::parse::leaves;
use crate::source::words::first_name;

/// The variants of the enums of that name, each as it is declared.
pub(crate) fn variants(name: &str) -> &'static [String] {
    static VARIANTS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| by_name(enums));
    VARIANTS.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// Makes the tables that this looks names up in.
pub(super) fn read_ahead() {
    variants("");
    structure("");
}

/// The public enums of a file, by its text: only these are parsed.
fn enums(text: &str) -> Vec<(String, Vec<String>)> {
    let starts = text.match_indices("\npub enum ").map(|(at, _)| at + 1);
    let read = |start: usize| {
        let end = start + text[start..].find("\n}")? + 2;
        let declared = &text[start..end];
        parsed(declared, |item: syn::ItemEnum| {
            let variants = item.variants.iter().map(|variant| of_variant(declared, variant));
            (item.ident.to_string(), variants.collect())
        })
    };
    starts.filter_map(read).collect()
}

/// The text of the public struct of that name, if there is one alone.
pub(crate) fn structure(name: &str) -> Option<&'static str> {
    static STRUCTS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| by_name(structs));
    match STRUCTS.get(name)?.as_slice() {
        [text] => Some(text),
        _ => None,
    }
}

/// The public structs with named fields of a file.
fn structs(text: &str) -> Vec<(String, Vec<String>)> {
    let starts = text.match_indices("\npub struct ").map(|(at, _)| at + 1);
    let read = |start: usize| {
        let declared = &text[start..start + text[start..].find("\n}")? + 2];
        // One without fields in braces ends sooner.
        let head = declared.split_once('{').filter(|(head, _)| !head.contains([';', '(']))?.0;
        Some((first_name(head.trim_start_matches("pub struct ")).to_owned(), vec![declared.to_owned()]))
    };
    starts.filter_map(read).collect()
}

/// The public functions in the modules of that name, with their signatures.
pub(crate) fn functions_in(module: &str) -> Vec<Method> {
    let files = files().filter(|file| file.place.rsplit("::").next() == Some(module));
    files.flat_map(|file| functions(&file.text)).collect()
}

/// The signature of the function that a path leads to.
pub(crate) fn function(path: &str) -> Option<String> {
    let Target::Item { module, name } = public_names::find(path)? else { return None };
    let file = files().find(|file| file.module == module)?;
    functions(&file.text).into_iter().find(|(other, _)| *other == name).map(|(_, signature)| signature)
}

fn functions(text: &str) -> Vec<Method> {
    let starts = text.match_indices("\npub fn ").map(|(at, _)| at + 1);
    let whole = starts.filter_map(|start| text[start..].split_once('{')).map(|(head, _)| one_line(head));
    whole.map(|head| (first_name(head.trim_start_matches("pub fn ")).to_owned(), head)).collect()
}

/// What a file exports of other modules, each by its name alone; an upper case name is a type or trait.
pub(super) fn exports(text: &str) -> Vec<(String, Kind)> {
    let starts = text.match_indices("\npub use ").map(|(at, _)| at + 1);
    let declared = starts.filter_map(|start| Some(&text[start..=start + text[start..].find(';')?]));
    let leaves = declared.filter_map(|code| parsed(code, |item: syn::ItemUse| leaves(&item)));
    let names = leaves.flatten().filter_map(|leaf| leaf.name);
    let kind = |name: &str| match name.chars().next() {
        Some(first) if first.is_uppercase() => Kind::Class,
        _ => Kind::Function,
    };
    names.map(|name| (name.clone(), kind(&name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enums_and_functions_are_read_from_their_text() {
        let text = "//! Doc.\n\n/// A device.\npub enum Device {\n    /// The processor.\n    Cpu,\n    Cuda(usize),\n    At { x: \
                    f64, y: f64 },\n}\n\npub fn linear<'a>(\n    vs: Path<'a>,\n) -> Linear {\n}\n";
        assert_eq!(
            enums(text),
            [("Device".to_owned(), ["Cpu", "Cuda(usize)", "At { x: f64, y: f64 }"].map(str::to_owned).into())]
        );
        assert_eq!(functions(text), [("linear".to_owned(), "pub fn linear<'a>(vs: Path<'a>) -> Linear".to_owned())]);
    }

    #[test]
    fn structs_are_read_with_their_fields() {
        let text =
            "\npub struct Unit;\npub struct Pair(pub i64);\n\npub struct Split<'a> {\n    pub train: &'a str,\n}\n";
        let split = "pub struct Split<'a> {\n    pub train: &'a str,\n}".to_owned();
        assert_eq!(structs(text), [("Split".to_owned(), vec![split])]);
    }

    #[test]
    fn exports_are_names_of_a_module() {
        let text =
            "//! Doc.\nuse a::B;\npub use wrappers::{\n    device::{Cuda, Device},\n    no_grad,\n};\npub use c::*;\n";
        let pair = |name: &str, kind| (name.to_owned(), kind);
        let exported = [pair("Cuda", Kind::Class), pair("Device", Kind::Class), pair("no_grad", Kind::Function)];
        assert_eq!(exports(text), exported);
    }

    #[test]
    fn the_runtime_has_enums_of_its_own() {
        assert!(!variants("Init").is_empty(), "nn::Init");
        assert!(functions_in("nn").iter().any(|(name, _)| name == "linear"));
    }
}
