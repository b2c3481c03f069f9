//! Help for what somebody writes who comes from Python.

pub(super) mod calls;
pub(super) mod expressions;
mod indexing;
mod iteration;
mod keyword_arguments;
mod members;
mod names;
mod numbers;
mod operators;
mod syntax;
pub(super) mod unpacking;

use std::ops::Range;

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, quoted};
use crate::names as foreign;
use crate::report::hints::Advice;
use crate::source::source_map::{CrateSource, Place};
use crate::source::words::{first_name, in_name};

/// Whether a name is one of Python's, so that it is no slip for another.
pub fn knows(place: &Place) -> bool {
    let spot = Spot::new(&place.cell.text, place.range.clone());
    names::meant(&spot).or_else(|| names::constant(&spot)).is_some() || foreign::is_foreign(spot.word)
}

/// Whether a plain `=` follows a name: that of a new variable, or of an argument.
pub fn is_assigned(place: &Place) -> bool {
    Spot::new(&place.cell.text, place.range.clone()).is_assigned()
}

/// The call with arguments by name that an error is about, where it is about such a name.
pub fn call_by_names(error: &Diagnostic, place: &Place) -> Option<Range<usize>> {
    (error.code() == "E0425").then(|| keyword_arguments::call_around(place))?
}

/// Help for an error in a cell that cannot be parsed.
pub fn of(error: &Diagnostic, source: &CrateSource, file: &str) -> Advice {
    let place = error.range_in(file).and_then(|range| source.place(range));
    place.and_then(|place| advice(error, &place)).unwrap_or_default()
}

/// Help for an error at a place of the user's.
pub fn advice(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let text = place.cell.text.as_str();
    let spot = Spot::new(text, place.range.clone());
    if let Some(advice) = iteration::advice(error, &spot) {
        return Some(advice);
    }
    match error.code() {
        "E0412" | "E0423" | "E0424" | "E0425" | "E0432" | "E0433" => of_another_library(&spot)
            .or_else(|| names::advice(error, &spot, text))
            .or_else(|| of_module_elsewhere(&spot)),
        "E0599" | "E0609" | "E0610" | "E0615" => members::advice(error, &spot)
            .or_else(|| numbers::advice(error, &spot))
            .or_else(|| of_a_member_elsewhere(error, &spot))
            .or_else(|| of_no_value(error)),
        "E0689" => members::advice(error, &spot).or_else(|| numbers::advice(error, &spot)),
        "E0560" => members::of_setting(error),
        "E0605" | "E0606" if readable(&error.message).contains("Tensor`") => Some(Advice::instead(
            "`x.double_value(&[])` is the number in a tensor of one, `x.int64_value(&[])` as an integer".to_owned(),
        )),
        "E0614" if spot.word.starts_with('*') && spot.before.ends_with('*') => Some(Advice::instead(POWER)),
        "E0369" if spot.before.trim_end().ends_with(']') && error.message.starts_with("cannot multiply `[") => {
            Some(Advice::instead("a list of equal values is `vec![0; 10]`"))
        }
        "" if text[place.range.end..].trim_start().starts_with("todo!(") && is_about_an_end(error) => {
            Some(Advice::instead("what you have written takes the place of `todo!();`: delete that line"))
        }
        "" => syntax::advice(error, &spot),
        _ => {
            let advice = unpacking::advice(error, &spot).or_else(|| indexing::of_a_part(error, &spot));
            let advice = advice.or_else(|| calls::advice(error, &spot));
            advice.or_else(|| operators::advice(error, &spot)).or_else(|| numbers::advice(error, &spot))
        }
    }
}

const POWER: &str = "a power is `x.powi(3)` for a float, `x.pow(3)` for an integer, `x.square()` or `x.pow_tensor_scalar(3)` for a tensor";

/// The surroundings of an error.
pub(super) struct Spot<'a> {
    /// The text that the error is about.
    word: &'a str,
    /// Its line, ahead of it.
    before: &'a str,
    /// Its line, behind it.
    after: &'a str,
    /// Its whole line.
    line: &'a str,
    /// The first word of the line.
    first: &'a str,
}

impl<'a> Spot<'a> {
    fn new(text: &'a str, range: Range<usize>) -> Self {
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at);
        let line = &text[start..end];
        let (word, before, after) = (&text[range.clone()], &text[start..range.start], &text[range.end..end]);
        Self { word, before, after, line, first: first_name(line.trim_start()) }
    }

    /// The path that the text is a part of, as Rust or Python writes one.
    fn path(&self) -> &'a str {
        let in_path = |char: char| in_name(char) || matches!(char, ':' | '.');
        let line = self.line;
        let from = self.before.trim_end_matches(in_path).len();
        let behind = self.after.trim_start_matches(in_path).len();
        line[from..line.len() - behind].trim_matches([':', '.'])
    }

    /// Whether a plain `=` follows.
    fn is_assigned(&self) -> bool {
        begins_with_assignment(self.after, "")
    }

    /// Whether the error is inside the arguments of a call on this line.
    fn in_arguments(&self) -> bool {
        let open = self.before.matches('(').count();
        open > self.before.matches(')').count()
    }
}

/// Help for a path that other libraries have, such as `torch.cat` and `nn::CrossEntropyLoss::new`.
fn of_another_library(spot: &Spot<'_>) -> Option<Advice> {
    let mut path = spot.path();
    let root = path.split(['.', ':']).next().unwrap_or(path);
    // In a cell that cannot be parsed, nothing is in scope, and `nn` alone says nothing.
    let is_shared = foreign::SHARED.contains(&root);
    if foreign::SHARED.contains(&spot.word) || !(is_shared || foreign::is_foreign(root)) {
        return None;
    }
    while path.contains(['.', ':']) {
        if let Some(entry) = foreign::find(path) {
            return Some(Advice::instead(entry.told(path)));
        }
        path = path[..path.rfind(['.', ':'])?].trim_end_matches(':');
    }
    None
}

/// Help for a path into another library that the table has no name for.
fn of_module_elsewhere(spot: &Spot<'_>) -> Option<Advice> {
    let path = spot.path();
    let root = path.split([':', '.']).next().unwrap_or(path);
    foreign::is_foreign(path).then(|| {
        Advice::instead(format!(
            "`{root}` is a library of Python's. What it has is here without `use`, by other names: `:doc {root}` lists them, and \
             `:find WORDS` finds one by words"
        ))
    })
}

/// Whether the parser has found something behind the end of an expression.
fn is_about_an_end(error: &Diagnostic) -> bool {
    error.message.starts_with("expected `;`") || error.message.starts_with("expected one of ")
}

/// Help for a method of what is no tensor and no list, where Python has one.
fn of_no_value(error: &Diagnostic) -> Option<Advice> {
    let message = readable(&error.message);
    let text = match quoted(&message).last()? {
        "bool" => operators::EQUALITY,
        "()" => operators::NOTHING,
        _ => return None,
    };
    Some(Advice::alone(text))
}

/// Help for a method or an attribute that tensors have elsewhere.
fn of_a_member_elsewhere(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let is_tensor = readable(&error.message).replace("tch::", "").contains("`Tensor`");
    let name = spot.word.trim_start_matches("r#");
    let entry = is_tensor.then(|| foreign::find(&format!("torch.Tensor.{name}")))??;
    Some(Advice::instead(entry.told(name)))
}

/// Code alone reads better with a verb; what is said of it has one already.
fn write(rust: &str) -> String {
    let behind =
        rust.strip_prefix('`').and_then(|rest| rest.split_once('`')).map(|(_, behind)| first_name(behind.trim_start()));
    match behind {
        Some("" | "or" | "for" | "of" | "in" | "with" | "and" | "which") => format!("write {rust}"),
        _ => rust.to_owned(),
    }
}

/// Whether a line is `name = ...`.
fn begins_with_assignment(line: &str, name: &str) -> bool {
    let rest = line.trim_start().strip_prefix(name).map(str::trim_start);
    rest.and_then(|rest| rest.strip_prefix('=')).is_some_and(|rest| !rest.starts_with(['=', '>']))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn spot<'a>(text: &'a str, word: &str) -> Spot<'a> {
        let at = text.find(word).expect("the word is in the text");
        Spot::new(text, at..at + word.len())
    }

    #[test]
    fn a_spot_knows_its_line() {
        let spot = spot("let a = 1;\n  train(lr=0.1);\n", "lr");
        assert_eq!((spot.before, spot.after, spot.first), ("  train(", "=0.1);", "train"));
        assert!(spot.is_assigned() && spot.in_arguments());
    }

    #[test]
    fn a_path_of_another_library_names_ours() {
        let help = |text: &str, word: &str| of_another_library(&spot(text, word)).map(|advice| advice.help.concat());
        let told = help("let loss = torch::nn::CrossEntropyLoss::new();", "torch").expect("is known");
        assert!(told.starts_with("`torch::nn::CrossEntropyLoss` is here `nn::cross_entropy("), "{told}");
        let told = help("let p = F::softmax(&x, 1);", "F").expect("is known");
        assert!(told.starts_with("`F::softmax` is here `x.softmax("), "{told}");
        let told = help("nn::BCELoss()", "BCELoss").expect("is known");
        assert!(told.contains("binary_cross_entropy"), "{told}");
        assert!(help("torch.cat([a, b])", "torch").expect("is known").contains("Tensor::cat"));
        assert_eq!(help("let y = cat(&x);", "cat"), None);
        assert_eq!(help("serde::json::x()", "serde"), None);
    }

    #[test]
    fn code_alone_gets_a_verb() {
        assert_eq!(write("`x.exp()`; of a number too"), "write `x.exp()`; of a number too");
        assert_eq!(write("`x.exp()` of a tensor"), "write `x.exp()` of a tensor");
        assert_eq!(write("`x.max()` is over all"), "`x.max()` is over all");
    }

    #[test]
    fn a_comparison_is_no_assignment() {
        assert!(!spot("x == 1", "x").is_assigned());
        assert!(!spot("x => 1", "x").is_assigned());
        assert!(spot("x = 1", "x").is_assigned());
    }
}
