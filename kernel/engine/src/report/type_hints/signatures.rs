//! What functions and methods of the runtime take, by its sources, which this program carries.

use oxtorch_setup::sources;

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, quoted};
use crate::names as foreign;
use crate::report::hints::Advice;
use crate::report::python_hints::expressions::arguments;
use crate::report::type_names::bare_name;
use crate::source::identifiers::raw;
use crate::source::source_map::Place;
use crate::source::words::in_name;

/// A signature that is longer than this is not repeated.
const LONGEST: usize = 120;

/// Help for arguments that are missing, or too many, and for a method that has another name.
pub(super) fn advice(error: &Diagnostic, place: &Place) -> Option<Advice> {
    match error.code() {
        "E0061" => {
            let path = &place.cell.text[place.range.clone()];
            of_keyword(path).or_else(|| of_arguments(error, path))
        }
        "E0599" => {
            let name = &place.cell.text[place.range.clone()];
            of_keyword(name).or_else(|| of_longer_names(error)).or_else(|| of_fields(error, name))
        }
        _ => None,
    }
}

/// `Tensor::where_(&mask, &a, &b)`: where PyTorch's name is a keyword, that with a `_` is not the same function.
fn of_keyword(path: &str) -> Option<Advice> {
    let name = path.rsplit("::").next()?.strip_suffix('_').filter(|name| raw(name) != **name)?;
    let entry = foreign::find(&format!("torch.{name}"))?;
    Some(Advice::alone(entry.told(&format!("torch.{name}"))))
}

/// What a function takes, and how it is called.
fn of_arguments(error: &Diagnostic, path: &str) -> Option<Advice> {
    let is_shown = |child: &&Diagnostic| child.message.ends_with(" defined here");
    let shown = error.children.iter().find(is_shown)?.primary()?;
    let text = source(&shown.file_name)?;
    let taken = signature(text.get(shown.byte_start..)?)?;
    let written = foreign::all().iter().find(|entry| entry.ours.as_deref().is_some_and(|ours| is_called(ours, path)));
    Some(match written.and_then(|entry| entry.write.as_deref()) {
        Some(write) => Advice::instead(format!("it takes `{taken}`, as in `{write}`")),
        None => Advice::help(format!("it takes `{taken}`")),
    })
}

/// Whether a function of ours is the one that a cell calls by a path, or by the name of a method alone.
fn is_called(ours: &str, path: &str) -> bool {
    let is_end = ours.strip_suffix(path).is_some_and(|ahead| ahead.is_empty() || ahead.ends_with("::"));
    // `new` says nothing without its type.
    is_end && path != "new"
}

/// The methods of a type of the runtime whose names go on behind that of the one which it lacks: `forward_edges`.
fn of_longer_names(error: &Diagnostic) -> Option<Advice> {
    let message = readable(&error.message);
    let mut told = quoted(&message).filter(|_| message.starts_with("no method named "));
    let (name, ty) = (told.next()?, bare_name(told.next()?));
    let sources = sources::all().ok()?;
    let texts = sources.iter().filter(|file| file.path.starts_with("runtime/src/") && file.path.ends_with(".rs"));
    let texts = texts.filter_map(|file| std::str::from_utf8(&file.contents).ok());
    let methods: Vec<String> = texts.flat_map(|text| methods(text, ty, name)).collect();
    let methods: Vec<String> = methods.into_iter().map(|method| format!("`{method}`")).collect();
    (!methods.is_empty()).then(|| Advice::instead(format!("`{ty}` has {}", methods.join(" and "))))
}

/// Help for a method that only fields have: which of them rustc names is chance.
fn of_fields(error: &Diagnostic, name: &str) -> Option<Advice> {
    if !error.children.iter().any(|child| child.message.contains("expressions' fields ha")) {
        return None;
    }
    Some(match name {
        "forward" => Advice::instead(
            "a network of your own gets it by `impl nn::Module for Net { fn forward(&self, xs: &Tensor) -> Tensor { ... } }`",
        ),
        _ => Advice { hides_suggestions: true, ..Advice::default() },
    })
}

/// The signatures of a type's own methods whose names are longer than a name, by `_` and more.
fn methods(text: &str, ty: &str, name: &str) -> Vec<String> {
    let head = format!("    pub fn {name}_");
    let of_type = |at: &usize| {
        let block = text[..*at].rfind("\nimpl").map(|start| text[start + 1..].lines().next().unwrap_or_default());
        block.is_some_and(|block| block.split(|char| !in_name(char)).any(|word| word == ty))
    };
    let places = text.match_indices(&head).map(|(at, _)| at).filter(of_type);
    places.filter_map(|at| signature(&text[at + "    pub fn ".len()..])).collect()
}

/// A function's name and arguments, as a cell calls it: without `self` and types of its own.
fn signature(text: &str) -> Option<String> {
    let name = &text[..text.find(|char| !in_name(char))?];
    let arguments = arguments(&text[text.find('(')?..])?;
    let all = arguments[1..arguments.len() - 1].split_whitespace().collect::<Vec<_>>().join(" ");
    let others =
        ["&mut self", "&self", "mut self", "self"].iter().find_map(|own| all.strip_prefix(own)).unwrap_or(&all);
    let others = others.trim_start_matches([',', ' ', '_']).trim_end_matches([',', ' ']).replace(", _", ", ");
    let signature = format!("{name}({others})");
    (signature.len() <= LONGEST).then_some(signature)
}

/// A file of the runtime's, by its path as rustc tells it.
fn source(path: &str) -> Option<String> {
    let sources = sources::all().ok()?;
    let file = sources.into_iter().find(|file| file.path.starts_with("runtime/") && path.ends_with(&file.path))?;
    String::from_utf8(file.contents).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_a_cell_writes() {
        assert_eq!(signature("reset(&mut self, seed: u64) -> Tensor {").as_deref(), Some("reset(seed: u64)"));
        let text = "gcn_conv<'a>(\n    path: impl Borrow<Path<'a>>,\n    out: i64,\n) -> GCNConv {";
        assert_eq!(signature(text).as_deref(), Some("gcn_conv(path: impl Borrow<Path<'a>>, out: i64)"));
        assert_eq!(signature("len(&self) -> usize").as_deref(), Some("len()"));
    }

    #[test]
    fn the_methods_of_a_type_are_told_from_others() {
        let text = "\nimpl Graph {\n    pub fn forward_edges(&self, xs: &Tensor) -> Tensor {\n    }\n}\n\nimpl Other {\n    pub fn \
                    forward_all(&self) {\n    }\n}\n";
        assert_eq!(methods(text, "Graph", "forward"), ["forward_edges(xs: &Tensor)"]);
        assert!(methods(text, "Graph", "backward").is_empty());
    }

    #[test]
    fn the_sources_of_the_runtime_are_found() {
        assert!(source("/somewhere/runtime/src/rl/env.rs").is_some_and(|text| text.contains("fn reset(")));
        assert!(source("/rustc/library/core/src/option.rs").is_none());
    }
}
