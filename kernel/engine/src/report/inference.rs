//! What the type of a result is that any could be: of `sum()`, `product()`, `collect()` and `parse()`; and of a
//! variable that nothing was put into yet.
//!
//! rustc lists what could be made, or a type parameter's name as what to write.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span, is_number, quoted};
use crate::report::hints::{Advice, Patch};
use crate::report::python_hints::expressions::base;
use crate::report::python_hints::unpacking::names;
use crate::report::type_hints::handles::of_collected;
use crate::source::source_map::Place;
use crate::source::words::in_name;

/// A chain of calls that is longer than this is not repeated.
const LONGEST: usize = 60;

/// Help for a result whose type is open, or for a part of a list that was to be collected.
pub(super) fn advice(error: &Diagnostic, place: impl Fn(&Span) -> Option<Place>) -> Option<Advice> {
    let mut places = error.spans.iter().filter_map(&place);
    match error.code() {
        "E0282" | "E0283" | "E0284" => match places.find(|place| method(place).is_some()) {
            Some(place) => of_a_result(error, &place),
            None => of_a_variable(error, error.spans.iter().find_map(&place).as_ref()),
        },
        "E0277" => {
            let place = places.find(|place| &place.cell.text[place.range.clone()] == "collect")?;
            of_references(error, &place).or_else(|| method(&place).and_then(|_| of_what_is_collected(error, &place)))
        }
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
fn of_a_variable(error: &Diagnostic, place: Option<&Place>) -> Option<Advice> {
    let told = error.message.strip_prefix("type annotations needed for `").and_then(|ty| ty.strip_suffix('`'));
    let told = told.filter(|ty| ty.contains('<') && !ty.starts_with('<'));
    let written = || place.and_then(declared_type);
    if let Some(ty) = told.or_else(written).filter(|ty| has_gap(ty)) {
        let whole = without_gaps(ty);
        return Some(Advice::instead(format!("{TOLD}: say it, as in `let mut values: {whole} = ...;`")));
    }
    let value = place.map(|place| &place.cell.text[place.range.clone()])?;
    let is_of_lists = value.starts_with('(') && (value.contains("vec![]") || value.contains("Vec::new()"));
    is_of_lists.then(|| Advice::instead(format!("{TOLD}: write `Vec::<f64>::new()` for a list of numbers")))
}

const TOLD: &str = "what is in it has to be known by the end of its cell";

/// The type in the declaration of a variable: `Vec<_>` of `let mut list: Vec<_> = vec![];`.
fn declared_type(place: &Place) -> Option<&str> {
    let text = place.cell.text.as_str();
    let start = text[..place.range.end].rfind("let ")?;
    let (name, rest) = text[start + "let ".len()..].split_once(':')?;
    let is_name = name.trim_start_matches("mut ").chars().all(in_name);
    rest.split_once(" =").map(|(ty, _)| ty.trim()).filter(|ty| is_name && !ty.contains('\n'))
}

/// Whether a part of a type is left open.
fn has_gap(ty: &str) -> bool {
    ty.split(|char| !in_name(char)).any(|word| word == "_")
}

/// A type with numbers where a part is left open, and texts as the keys of a map.
fn without_gaps(ty: &str) -> String {
    let ty = ty.replace("Map<_, ", "Map<String, ");
    let (mut whole, mut rest) = (String::new(), ty.as_str());
    while let Some(at) = rest.find('_') {
        let is_alone = !rest[..at].ends_with(in_name) && !rest[at + 1..].starts_with(in_name);
        whole += &rest[..at];
        whole += if is_alone { "f64" } else { "_" };
        rest = &rest[at + 1..];
    }
    whole + rest
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

/// `let list: Vec<Tensor> = others.iter().collect();`
fn of_references(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let message = readable(&error.message);
    let mut types = quoted(&message).filter(|_| message.contains("cannot be built from an iterator"));
    let (wanted, found) = (types.next()?, types.next()?);
    of_collected(wanted, found, chain(place)).map(Advice::instead)
}

/// What is collected, where that is short.
fn chain(place: &Place) -> &str {
    let chain = base(&place.cell.text[..place.range.start]);
    if chain.len() > LONGEST || chain.contains('\n') { "list.iter().map(...)" } else { chain }
}

/// `Tensor::stack(list.iter().map(...).collect(), 0)`, or `let (a, b) = text.split(' ').collect();`
fn of_what_is_collected(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let message = readable(&error.message);
    let wanted = quoted(&message).next().filter(|_| message.contains("cannot be built from an iterator"))?;
    let chain = chain(place);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::CellText;

    #[test]
    fn a_type_gets_its_gaps_filled() {
        assert_eq!(without_gaps("Vec<Vec<_>>"), "Vec<Vec<f64>>");
        assert_eq!(without_gaps("HashMap<_, _>"), "HashMap<String, f64>");
        assert_eq!(without_gaps("HashMap<my_key, _>"), "HashMap<my_key, f64>");
        assert!(has_gap("Option<_>") && !has_gap("Vec<my_type>"));
    }

    #[test]
    fn a_declaration_tells_its_type() {
        let text = "let n = 1;\nlet mut xs: Vec<_> = vec![];";
        let at = text.find("vec!").expect("it is there");
        let place = Place { cell: CellText::new(1, text), range: at..at + 6 };
        assert_eq!(declared_type(&place), Some("Vec<_>"));
        let place = Place { cell: CellText::new(1, "let n = f::<_>(1);"), range: 8..9 };
        assert_eq!(declared_type(&place), None);
    }
}
