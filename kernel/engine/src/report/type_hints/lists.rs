//! Lists of numbers that are to become tensors.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, is_number, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::calls::called;
use crate::report::python_hints::expressions::arguments;
use crate::report::type_hints::handles::element;
use crate::source::source_map::Place;

/// An expression that is longer than this is not repeated.
const LONGEST: usize = 60;

/// Help for what is no element of a tensor: a list, or a number of a type that tensors do not have.
pub(super) fn advice(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let told = error.labels().chain([error.message.as_str()]).map(readable).find(|told| told.contains(ELEMENT))?;
    let ty = of_element(&told).filter(|_| error.code() == "E0277")?.to_owned();
    let (text, range) = (place.cell.text.as_str(), place.range.clone());
    let (before, word, after) = (&text[..range.start], &text[range.clone()], &text[range.end..]);
    if is_number(&ty) {
        return Some(Advice::instead(format!(
            "no tensor is of `{ty}`: numbers are `i64` or `f32`, and others; \
             `list.iter().map(|&n| n as i64).collect::<Vec<_>>()`"
        )));
    }
    // `Tensor::from(list)`, `list.into()` or `Tensor::from_slice(&rows)`.
    let list = match after.strip_prefix("::from").and_then(arguments) {
        Some(arguments) => arguments[1..arguments.len() - 1].trim(),
        None => word,
    };
    let list = list.trim_start_matches('&');
    let list = if list.len() > LONGEST || list.contains('\n') { "list" } else { list };
    let is_of_rows = called(before).is_some_and(|path| path.ends_with("from_slice"));
    let rows = is_of_rows || element(element(&ty)?).is_some();
    let function = if rows { "from_slice2" } else { "from_slice" };
    let of = if rows { "rows of numbers" } else { "a list of numbers" };
    Some(Advice::instead(format!(
        "a tensor of {of} is `Tensor::{function}(&{list})`; plain floats are `f64`, and `1_f32` makes it a \
         `Kind::Float`"
    )))
}

const ELEMENT: &str = "tch::kind::Element`";

/// What is no element, by "the trait `tch::kind::Element` is not implemented for `Vec<{float}>`", or by "the trait
/// bound `usize: tch::kind::Element` is not satisfied".
fn of_element(told: &str) -> Option<&str> {
    let mut texts = quoted(told);
    let bound = texts.next()?;
    bound.strip_suffix(": tch::kind::Element").or_else(|| texts.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_element_is_told_in_two_ways() {
        assert_eq!(of_element("the trait bound `usize: tch::kind::Element` is not satisfied"), Some("usize"));
        let label = "the trait `tch::kind::Element` is not implemented for `Vec<{float}>`";
        assert_eq!(of_element(label), Some("Vec<{float}>"));
    }
}
