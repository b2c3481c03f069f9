//! Values of a cell that rustc says must be used and that nothing uses: with a `Result` an error is lost, with a figure
//! what was to be seen.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, quoted};
use crate::names::tensor_methods;
use crate::source::fragment::CellText;
use crate::source::source_map::{CrateSource, Place};

/// More than these are alike.
const MOST: usize = 3;

/// Longer code is cut: the line says where it is.
const LONGEST_CODE: usize = 60;

/// A value that nothing uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// Where it is made, in the emitted source.
    place: Range<usize>,
    /// Whether it is a tensor, or has one in it.
    of_tensor: bool,
    /// What is lost, and what to write.
    reason: String,
}

/// The values that nothing uses, by what rustc said of a crate.
pub fn unused_values(diagnostics: &[Diagnostic], file: &str) -> Vec<Unused> {
    let lint = diagnostics.iter().filter(|diagnostic| diagnostic.code() == "unused_must_use");
    let unused = lint.filter_map(|diagnostic| {
        let (place, ty) = (diagnostic.range_in(file)?, unused_type(diagnostic));
        Some(Unused { place, of_tensor: ty == Some("Tensor"), reason: reason(diagnostic, ty) })
    });
    let mut unused: Vec<Unused> = unused.collect();
    // Of a function that says why, and of the type that it returns.
    unused.dedup_by(|later, first| later.place == first.place);
    unused
}

/// The type that is never to be left unused: "unused `std::result::Result` in tuple element 0 that must be used".
fn unused_type(diagnostic: &Diagnostic) -> Option<&str> {
    let ty = quoted(diagnostic.message.strip_prefix("unused ").filter(|rest| rest.starts_with('`'))?).next()?;
    ty.rsplit("::").next()
}

fn reason(diagnostic: &Diagnostic, ty: Option<&str>) -> String {
    if ty == Some("Result") {
        return "an error in it would be lost. Write `?` behind it, or `.unwrap()` in a function that returns no \
                `Result`"
            .to_owned();
    }
    // A note with a place says where the lint was turned on.
    let note = diagnostic.children.iter().find(|child| child.level == "note" && child.spans.is_empty());
    note.map_or_else(|| "without that it does nothing".to_owned(), |note| note.message.clone())
}

/// What the user reads of the values in this text.
pub fn notes(unused: &[Unused], source: &CrateSource, text: &Arc<CellText>) -> Vec<String> {
    let mut placed: Vec<(Place, &str)> = unused
        .iter()
        .filter_map(|value| Some((source.place(value.place.clone())?, value)))
        // What `%timeit` repeats is left to the code around it.
        .filter(|(place, _)| !place.range.is_empty())
        .filter(|(place, value)| {
            Arc::ptr_eq(&place.cell, text) && (!value.of_tensor || only_computes(&text.text[place.range.clone()]))
        })
        .map(|(place, value)| (place, value.reason.as_str()))
        .collect();
    placed.sort_by_key(|(place, _)| place.range.start);
    let note = |(place, reason): &(Place, &str)| {
        format!("line {}: the value of `{}` is not used: {reason}", place.line(), code(&text.text[place.range.clone()]))
    };
    let mut notes: Vec<String> = placed.iter().take(MOST).map(note).collect();
    match placed.len().saturating_sub(MOST) {
        0 => {}
        1 => notes.push("another value is not used".to_owned()),
        more => notes.push(format!("{more} other values are not used")),
    }
    notes
}

/// Whether an expression with a tensor as its value does nothing but compute that: `x.relu()`, `&x + 1.0`. Calls may do
/// something else as well, such as `w.zero_()` and `agent.update(&batch)`.
fn only_computes(expression: &str) -> bool {
    if !expression.ends_with([')', ']', '}']) {
        return true;
    }
    last_method(expression).is_some_and(|name| {
        let is_known = tensor_methods::all().iter().any(|method| method.name == name);
        is_known && !name.ends_with('_') && name != "set_requires_grad"
    })
}

/// The method whose call an expression ends with.
fn last_method(expression: &str) -> Option<&str> {
    let mut depth = 0;
    let open = expression.trim_end().bytes().rposition(|byte| {
        depth += match byte {
            b')' => 1,
            b'(' => -1,
            _ => 0,
        };
        depth <= 0
    })?;
    let (receiver, name) = expression[..open].rsplit_once('.')?;
    (!receiver.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then_some(name)
}

/// An expression in one short line.
fn code(expression: &str) -> String {
    let line = expression.split_whitespace().collect::<Vec<_>>().join(" ").replace(" .", ".");
    if line.chars().count() <= LONGEST_CODE {
        return line;
    }
    line.chars().take(LONGEST_CODE - 2).chain("..".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_calls_that_do_more_than_compute_need_not_be_used() {
        for expression in ["x.relu()", "net.forward(&(x)).sum(Kind::Float)", "(&x - 1.0).matmul(&y)", "&x + 1.0"] {
            assert!(only_computes(expression), "{expression}");
        }
        for expression in
            ["w.zero_()", "w.set_requires_grad(true)", "agent.update(x.relu())", "relu(&x)", "step!(x)", ")"]
        {
            assert!(!only_computes(expression), "{expression}");
        }
    }

    #[test]
    fn long_code_is_one_short_line() {
        assert_eq!(code("Figure::new()\n    .line(\"a\", &ys)"), "Figure::new().line(\"a\", &ys)");
        let long = code(&"x".repeat(100));
        assert!(long.len() == LONGEST_CODE && long.ends_with("x.."), "{long}");
    }
}
