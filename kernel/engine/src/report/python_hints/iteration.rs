//! A tensor that is gone through as a list is, by `iter()`. tch's method of that name gives a `Result`.

use crate::crate_names::readable;
use crate::diagnostic::Diagnostic;
use crate::report::hints::Advice;
use crate::report::python_hints::Spot;
use crate::report::python_hints::expressions::base;

const ITER: &str = ".iter()";

/// Help for an error about the numbers of a tensor, or about their `Result`.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let before = &spot.line[..spot.before.len() + spot.word.len()];
    let at = before.rfind(ITER).or_else(|| spot.line.find(ITER));
    if !is_about_a_tensor(error, at.is_some()) {
        return None;
    }
    let tensor = at.map_or("x", |at| base(&spot.line[..at]));
    let behind = at.map_or("", |at| spot.line[at + ITER.len()..].trim_start());
    let list = format!("Vec::<i64>::try_from(&{tensor})?");
    let of_a_loop = spot.first == "for" && behind.starts_with('{');
    let each = spot.line.trim_start().strip_prefix("for ").and_then(|rest| rest.split(" in ").next());
    let written = match each.filter(|_| of_a_loop) {
        Some(each) => format!("write `for {each} in {list} {{ ... }}`"),
        None => format!("write `{list}.into_iter()` in place of `{tensor}{ITER}`"),
    };
    Some(Advice::instead(format!(
        "{written} for the numbers of a tensor, with `Vec::<f32>` for floats; `{tensor}.unbind(0)` is a list of its rows"
    )))
}

/// Whether an error names what goes through a tensor; one about its `Result` does not if a closure came between.
fn is_about_a_tensor(error: &Diagnostic, has_iter: bool) -> bool {
    let children = error.children.iter().map(|child| child.message.as_str());
    let mut told = error.labels().chain(children).chain([error.message.as_str()]).map(readable);
    told.any(|told| {
        let of_result = has_iter && told.contains("TchError>` is not an iterator");
        of_result || told.contains("tensor::iter::Iter<") || told.contains("`T` declared on the method `iter`")
    })
}
