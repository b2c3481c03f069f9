//! A tensor where a reference to one is, or the other way round; and lists of either.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, expected_and_found, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::calls::called;
use crate::report::python_hints::expressions::{as_value, as_variable};
use crate::source::source_map::Place;

/// An expression that is longer than this is not repeated.
const LONGEST: usize = 60;

/// What a reference becomes.
const SECOND: &str = "a second handle to the same numbers";

/// What goes through something, element by element.
const ITERATORS: [&str; 12] =
    ["Map", "Iter", "IntoIter", "Filter", "FilterMap", "Zip", "Enumerate", "Take", "Skip", "Chain", "Rev", "StepBy"];

/// Help for a tensor that is, or is not, a reference.
pub(super) fn advice(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let (text, range) = (place.cell.text.as_str(), place.range.clone());
    let (before, word) = (&text[..range.start], &text[range]);
    match error.code() {
        // A reference that was left out is what rustc says best.
        "E0308" if error.children.iter().any(|child| child.message.contains("consider borrowing")) => {
            error.labels().find_map(|label| of_fold(&readable(label), before))
        }
        "E0308" => error.labels().find_map(|label| mismatch(&readable(label), word, called(before))),
        "E0271" => of_an_iterator(&readable(&error.message), before, word),
        _ => None,
    }
}

/// By "expected `Tensor`, found `&Tensor`".
fn mismatch(label: &str, word: &str, called: Option<&str>) -> Option<Advice> {
    let (expected, found) = expected_and_found(label)?;
    let borrow = if expected.starts_with('&') { "&" } else { "" };
    let text = match (expected, found, element(expected), element(found)) {
        // `to_owned` copies what is `Clone`.
        ("Tensor", "&Tensor", ..) if !word.ends_with(".to_owned()") => owned(word),
        ("&Tensor", "&str" | "String" | "&String" | "&PathBuf", ..) if is_short(word) => {
            let path = if found == "String" { format!("&{word}") } else { word.to_owned() };
            format!("`&load_image({path})?` reads an image file, `io::load_npy` an array")
        }
        ("&Tensor", "floating-point number" | "integer" | "f64" | "f32" | "i64", ..)
            if called == Some("where_self") =>
        {
            format!("a number has a method of its own: `x.where_scalarother(&mask, {word})`")
        }
        ("u64", "bool", ..) if called == Some("shuffle") => {
            "it takes a seed, as in `shuffle(1)`; without the call the order stays".to_owned()
        }
        ("&[i64]", "integer" | "i64", ..) if is_short(word) => format!("a shape is a slice: `&[{word}]`"),
        (.., Some("Tensor"), Some("&Tensor")) => {
            let copies = format!("{}.iter().map(|x| x.shallow_clone()).collect::<Vec<_>>()", variable(word));
            format!("the list has to have the tensors themselves: `{borrow}{copies}`")
        }
        (.., Some("&Tensor"), Some("Tensor")) => {
            format!("a list of references is `{borrow}{}.iter().collect::<Vec<_>>()`", variable(word))
        }
        _ if expected.starts_with("&[") && found.starts_with("Vec<") && is_short(word) => {
            format!("a slice is borrowed from a list: `&{word}`")
        }
        _ if expected.starts_with("&[") && is_iterator(found) && is_short(word) => {
            format!("a slice is borrowed from a list: `&{}.collect::<Vec<_>>()`", as_value(word))
        }
        _ => return None,
    };
    Some(Advice::instead(text))
}

/// A tensor of its own, for a reference.
fn owned(reference: &str) -> String {
    let value = reference.trim_start_matches('&');
    if !is_short(value) {
        return format!("a tensor itself is wanted: `.shallow_clone()` behind it makes {SECOND}");
    }
    let given = if reference.starts_with('&') && as_variable(value).is_some() {
        format!("; `{value}` without the `&` gives it away")
    } else {
        String::new()
    };
    format!("a tensor itself is wanted: `{}.shallow_clone()` is {SECOND}{given}", as_value(value))
}

/// A sum that begins with a reference: to borrow its next value would borrow what is gone.
fn of_fold(label: &str, before: &str) -> Option<Advice> {
    let is_it = label == "expected `&Tensor`, found `Tensor`" && called(before) == Some("fold");
    let (_, arguments) = before.rsplit_once("fold(").filter(|_| is_it)?;
    let first = arguments.split_once(", |")?.0.trim_start_matches('&');
    Some(Advice::instead(format!(
        "each step gives a tensor, so begin with one that is no reference: `fold({}.shallow_clone(), ...)`",
        as_value(first)
    )))
}

/// By "expected `Iter<Tensor>` to be an iterator that yields `Tensor`, but it yields `&Tensor`".
fn of_an_iterator(message: &str, before: &str, word: &str) -> Option<Advice> {
    let types: Vec<&str> = quoted(message).collect();
    let text = match types[..] {
        [_, "Tensor", "&Tensor"] if message.contains(" yields ") && is_short(word) => {
            format!("it goes through references: write `{word}.map(|x| x.shallow_clone())`, {SECOND} of each")
        }
        [_, expected, "Tensor"] if message.contains(" yields ") && expected.ends_with("Tensor") => {
            "it takes the tensors out of the list: `list.iter()` goes through references to them".to_owned()
        }
        [sum] if sum.ends_with("Tensor>>::Output == &Tensor") && called(before) != Some("fold") => {
            "a reference to the result is wanted: `&(...)` around it".to_owned()
        }
        [sum] if sum.contains("Tensor>>::Output == ") && called(before) == Some("fold") => {
            "each step gives a tensor, so begin with one: `fold(Tensor::from(0.0), ...)`".to_owned()
        }
        _ => return None,
    };
    Some(Advice::instead(text))
}

/// What to add to a chain of calls that collects references to tensors for a list of tensors.
pub(in crate::report) fn of_collected(wanted: &str, found: &str, chain: &str) -> Option<String> {
    let element = element(wanted)?;
    match (element, found) {
        ("Tensor", "&Tensor") => Some(format!(
            "`{chain}.map(|x| x.shallow_clone()).collect()` collects {SECOND} of each; a list of references is a \
             `Vec<&Tensor>`"
        )),
        ("&Tensor", "Tensor") => {
            Some("these tensors are in no other list, so collect them as they are, in a `Vec<Tensor>`".to_owned())
        }
        _ if found.replace("&Tensor", "Tensor") != found
            && element.contains("Tensor")
            && !element.contains("&Tensor") =>
        {
            Some(format!("write `x.shallow_clone()`, {SECOND}, for the tensor in what the closure gives"))
        }
        _ => None,
    }
}

/// The type of the elements of a list or a slice.
pub(super) fn element(list: &str) -> Option<&str> {
    let list = list.trim_start_matches('&');
    let vector = list.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>'));
    let slice = || list.strip_prefix('[')?.strip_suffix(']')?.split(';').next();
    vector.or_else(slice)
}

fn is_iterator(ty: &str) -> bool {
    let name = ty.split('<').next().unwrap_or(ty);
    ITERATORS.contains(&name.rsplit("::").next().unwrap_or(name))
}

fn is_short(text: &str) -> bool {
    text.len() <= LONGEST && !text.contains(['\n', '{'])
}

/// A variable that a text names, or a name for it.
fn variable(text: &str) -> &str {
    as_variable(text.trim_start_matches('&')).unwrap_or("list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_of_lists_are_told() {
        assert_eq!(
            (element("&[Tensor]"), element("&Vec<&Tensor>"), element("[Tensor; 2]")),
            (Some("Tensor"), Some("&Tensor"), Some("Tensor"))
        );
        assert_eq!(element("&Tensor"), None);
        assert!(is_iterator("std::slice::Iter<'_, Tensor>") && !is_iterator("Vec<Tensor>"));
    }

    #[test]
    fn a_reference_becomes_a_handle() {
        assert!(owned("&x").contains("`x.shallow_clone()`") && owned("&x").contains("gives it away"));
        assert!(!owned("&list[0]").contains("gives it away"));
        assert!(owned("list.iter().max_by(|a, b| { 1 }).unwrap()").contains("`.shallow_clone()` behind it"));
    }
}
