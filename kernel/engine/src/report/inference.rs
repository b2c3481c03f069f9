//! What the type of a result is that any could be: of `sum()`, `product()`, `collect()` and `parse()`; and of a
//! variable that nothing was put into yet.
//!
//! rustc lists what could be made, or a type parameter's name as what to write.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span, is_number, quoted};
use crate::report::hints::{Advice, Patch};
use crate::report::python_hints::expressions::base;
use crate::report::python_hints::unpacking::names;
use crate::source::source_map::Place;

/// A chain of calls that is longer than this is not repeated.
const LONGEST: usize = 60;

/// Help for a result whose type is open, or for a part of a list that was to be collected.
pub(super) fn advice(error: &Diagnostic, place: impl Fn(&Span) -> Option<Place>) -> Option<Advice> {
    let mut places = error.spans.iter().filter_map(place);
    match error.code() {
        "E0282" | "E0283" | "E0284" => match places.find(|place| method(place).is_some()) {
            Some(place) => of_a_result(error, &place),
            None => of_a_variable(error),
        },
        "E0277" => of_what_is_collected(error, &places.find(|place| method(place) == Some("collect"))?),
        _ => None,
    }
}

/// The method at a place whose result can be of several types.
fn method(place: &Place) -> Option<&str> {
    let text = &place.cell.text;
    let is_typed = text[place.range.end..].starts_with("::");
    let name = &text[place.range.clone()];
    (matches!(name, "sum" | "product" | "collect" | "parse") && !is_typed).then_some(name)
}

fn of_a_result(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let (ty, remark) = match method(place)? {
        "collect" => ("Vec<_>".to_owned(), ""),
        "parse" => ("f64".to_owned(), ", or `i64` for an integer"),
        name => match element(error) {
            Some(element) if is_number(&element) || (name == "sum" && element == "Tensor") => (element, ""),
            Some(_) => return None,
            None if name == "sum" => ("f64".to_owned(), ", or `Tensor` for tensors"),
            None => ("f64".to_owned(), ""),
        },
    };
    let end = place.range.end;
    let patch = Patch {
        message: format!("say what the result is: `{ty}`{remark}"),
        place: Place { range: end..end, ..place.clone() },
        replacement: format!("::<{ty}>"),
    };
    Some(Advice { patch: Some(patch), hides_suggestions: true, ..Advice::default() })
}

/// `let mut losses = vec![];`, which a later cell is to fill. rustc's advice is a type with the same gap.
fn of_a_variable(error: &Diagnostic) -> Option<Advice> {
    let ty = error.message.strip_prefix("type annotations needed for `")?.strip_suffix('`')?;
    let (head, _) = ty.split_once('<').filter(|(head, rest)| !head.is_empty() && rest.contains('_'))?;
    let whole = if head.ends_with("Map") { format!("{head}<String, f64>") } else { format!("{head}<f64>") };
    Some(Advice::instead(format!(
        "what is in it has to be known by the end of its cell: say it, as in `let mut values: {whole} = ...;`"
    )))
}

/// What is summed, by "cannot satisfy `_: Sum<&f64>`".
fn element(error: &Diagnostic) -> Option<String> {
    error.children.iter().find_map(|child| {
        let message = readable(&child.message);
        let bound = quoted(message.strip_prefix("cannot satisfy ")?).next()?.strip_prefix("_: ")?.to_owned();
        let element = bound.split_once('<')?.1.strip_suffix('>')?;
        let element = element.trim_start_matches('&');
        Some(element.rsplit("::").next().unwrap_or(element).to_owned())
    })
}

/// `Tensor::stack(list.iter().map(...).collect(), 0)`, or `let (a, b) = text.split(' ').collect();`
fn of_what_is_collected(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let message = readable(&error.message);
    let wanted = quoted(&message).next().filter(|_| message.contains("cannot be built from an iterator"))?;
    let chain = base(&place.cell.text[..place.range.start]);
    let chain = if chain.len() > LONGEST || chain.contains('\n') { "list.iter().map(...)" } else { chain };
    let names = pattern(&place.cell.text[..place.range.start]).unwrap_or("a, b");
    Some(Advice::instead(match parts(wanted) {
        Some(count) => format!(
            "a list may have any number of elements, so say how many are meant: `let [{names}]: [_; {count}] = \
             {chain}.collect::<Vec<_>>().try_into().unwrap();`"
        ),
        None if wanted.trim_start_matches('&').starts_with('[') => {
            format!("a slice is borrowed from a list: `&{chain}.collect::<Vec<_>>()`")
        }
        None => return None,
    }))
}

/// How many elements a pattern takes, by its type: `(_, _)` or `[_; 2]`.
fn parts(ty: &str) -> Option<usize> {
    let tuple = ty.starts_with("(_").then(|| ty.matches('_').count());
    tuple.or_else(|| ty.strip_prefix('[')?.strip_suffix(']')?.split_once("; ")?.1.parse().ok())
}

/// The names in the pattern of the statement that a text ends in.
fn pattern(before: &str) -> Option<&str> {
    let statement = &before[before.rfind("let ")? + "let ".len()..];
    names(statement.split(" =").next()?.trim_end())
}
