//! A list that is taken apart as in Python: `let [q, k, v] = x.split(2, 1);`.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::Spot;
use crate::report::python_hints::expressions::{as_value, as_variable, split, statement};
use crate::source::words::in_name;

/// `Tensor::size2` and others give a shape as a tuple.
const MOST_SIZES: usize = 6;

/// Help for a pattern of several names, or a tuple, where there is a list.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    if let Some((count, element)) = tuple_of_list(error) {
        return Some(Advice::instead(format!(
            "a list is no tuple; of {count} elements one is made by `<[{element}; {count}]>::try_from({}).unwrap().into()`",
            spot.word
        )));
    }
    let list = taken_apart(error)?;
    let names = names(spot.word).filter(|_| !allows_others(spot))?;
    let count = names.split(',').count();
    let assigned = spot.after.trim_start().strip_prefix('=').and_then(statement);
    let Some(Assigned { value, borrowed }) = assigned.map(|value| Assigned::new(value, list.starts_with('&'))) else {
        let ty = format!("&[{}; {count}]", element(&list)?);
        return Some(Advice::instead(format!("{ANY_NUMBER}: `let [{names}]: {ty} = list[..].try_into().unwrap();`")));
    };
    if let Some(tensor) = value.strip_suffix(".size()").filter(|_| count <= MOST_SIZES) {
        return Some(Advice::instead(format!("write `let ({names}) = {tensor}.size{count}().unwrap();`")));
    }
    let (element, value) = (element(&list)?, as_value(value));
    Some(Advice::instead(if !spot.before.trim_end().ends_with("let") {
        format!("{ANY_NUMBER}: `[{names}] = <[{element}; {count}]>::try_from({value}).unwrap();`")
    } else if borrowed {
        format!("{ANY_NUMBER}: `let [{names}]: &[{element}; {count}] = {value}[..].try_into().unwrap();`")
    } else {
        format!("{ANY_NUMBER}: `let [{names}]: [{element}; {count}] = {value}.try_into().unwrap();`")
    }))
}

const ANY_NUMBER: &str = "a list may have any number of elements, so say how many are meant";

/// What a pattern is assigned.
struct Assigned<'a> {
    value: &'a str,
    /// Whether it stays what it is: a variable of which a part, or a reference, was to be taken apart.
    borrowed: bool,
}

impl<'a> Assigned<'a> {
    fn new(text: &'a str, is_reference: bool) -> Self {
        let value = text.trim_end_matches("[..]").trim_start_matches('&');
        let borrowed = is_reference || value.len() < text.len();
        Self { value, borrowed: borrowed && as_variable(value).is_some() }
    }
}

/// The type of a list where a pattern of several values is.
fn taken_apart(error: &Diagnostic) -> Option<String> {
    let told = match error.code() {
        "E0529" => readable(&error.message),
        "E0005" => {
            let mut notes = error.children.iter().map(|child| readable(&child.message));
            notes.find(|note| note.starts_with("the matched value is of type"))?
        }
        "E0308" => error.labels().map(readable).find(|label| label.contains("`, found `("))?,
        _ => return None,
    };
    quoted(&told).next().filter(|ty| element(ty).is_some()).map(str::to_owned)
}

/// The number of values of the tuple that is wanted, and what a list has that is there.
fn tuple_of_list(error: &Diagnostic) -> Option<(usize, String)> {
    let mut labels = error.labels().map(readable).filter(|_| error.code() == "E0308");
    let label = labels.find(|label| label.starts_with("expected `("))?;
    let mut types = quoted(&label);
    let values = types.next()?.strip_prefix('(')?.strip_suffix(')')?;
    let element = types.next().and_then(element)?;
    Some((split(values, ',').len(), element.to_owned()))
}

/// The type of the elements of a list.
fn element(list: &str) -> Option<&str> {
    let list = list.trim_start_matches('&');
    let vector = list.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>'));
    let slice = || list.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|of| !of.contains(';'));
    vector.or_else(slice)
}

/// The names in a pattern; `None` of one that says more than names.
pub(in crate::report) fn names(pattern: &str) -> Option<&str> {
    let names = pattern.strip_prefix(['(', '['])?.strip_suffix([')', ']'])?.trim().trim_end_matches(',');
    names.chars().all(|char| in_name(char) || ", ".contains(char)).then_some(names)
}

/// Whether there is code for lists of other lengths: then a part of the list, `list[..]`, is all that is missing.
fn allows_others(spot: &Spot<'_>) -> bool {
    let before = spot.before.trim_end();
    before.ends_with("if let") || before.ends_with("while let") || spot.after.contains(" else ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_elements_and_an_array_is_none() {
        assert_eq!(element("&Vec<Tensor>"), Some("Tensor"));
        assert_eq!(element("[f64]"), Some("f64"));
        assert_eq!(element("[f64; 3]"), None);
        assert_eq!(element("Option<Vec<i64>>"), None);
    }

    #[test]
    fn a_pattern_of_names_is_told_from_others() {
        assert_eq!(names("[q, mut k, _]"), Some("q, mut k, _"));
        assert_eq!(names("(a, b,)"), Some("a, b"));
        assert_eq!(names("[first, ..]"), None);
        assert_eq!(names("(a, (b, c))"), None);
        assert_eq!(names("Some(x)"), None);
    }
}
