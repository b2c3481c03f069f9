//! What a closure gets, where it is written for something else; and ranges of the wrong kind.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span, is_number};
use crate::report::hints::Advice;
use crate::report::python_hints::expressions::split;
use crate::report::python_hints::unpacking::names;
use crate::source::source_map::Place;
use crate::source::words::in_name;

/// Help for the arguments of a closure.
pub(super) fn advice(error: &Diagnostic, place: impl Fn(&Span) -> Option<Place>) -> Option<Advice> {
    match error.code() {
        "E0631" => {
            let is_head = |span: &&Span| span.label.as_deref() == Some("found signature defined here");
            let head = place(error.spans.iter().find(is_head)?)?;
            of_types(error, &head.cell.text[head.range.clone()])
        }
        "E0308" => {
            let place = place(error.primary()?)?;
            let word = &place.cell.text[place.range.clone()];
            error.labels().find_map(|label| of_a_range(label, word).or_else(|| of_values(error, label, word)))
        }
        _ => None,
    }
}

/// `|k: usize|` where the closure gets an `i64`, or `|k: i64|` where it gets a tuple.
fn of_types(error: &Diagnostic, head: &str) -> Option<Advice> {
    let (expected, found) = signatures(error)?;
    if expected.starts_with('(') && !found.starts_with('(') && !found.contains(", ") {
        let values = &expected[1..expected.len().checked_sub(1)?];
        let letters: Vec<String> = ('a'..='z').take(split(values, ',').len()).map(String::from).collect();
        return Some(Advice::instead(format!(
            "the closure gets its values as one tuple, a name for each: `|({})|`",
            letters.join(", ")
        )));
    }
    let words = |text: &str| text.split(|char| !in_name(char)).map(str::to_owned).collect::<Vec<_>>();
    let (wanted, written) = (words(&expected), words(&found));
    let pairs = || wanted.iter().zip(&written).filter(|(wanted, written)| wanted != written);
    let are_numbers = wanted.len() == written.len() && pairs().all(|(a, b)| is_number(a) && is_number(b));
    let (gets, writes) = pairs().next().filter(|_| are_numbers)?;
    let corrected = pairs().fold(head.to_owned(), |head, (gets, writes)| head.replacen(writes.as_str(), gets, 1));
    Some(Advice::instead(format!(
        "the closure gets `{gets}`: write `{corrected}`, and `k as {writes}` in it where that is needed"
    )))
}

/// The arguments that a closure gets, and those that it is written for.
fn signatures(error: &Diagnostic) -> Option<(String, String)> {
    let note =
        error.children.iter().map(|child| readable(&child.message)).find(|note| note.contains("signature `fn("))?;
    let mut arguments = note.lines().filter_map(|line| {
        let (_, rest) = line.split_once("signature `fn(")?;
        Some(rest.rsplit_once(") -> ")?.0.to_owned())
    });
    Some((arguments.next()?, arguments.next()?))
}

/// A pattern that has more names, or fewer, than there are values.
fn of_values(error: &Diagnostic, label: &str, pattern: &str) -> Option<Advice> {
    let count = label.strip_prefix("expected a tuple with ")?.split(' ').next()?.parse::<usize>().ok()?;
    let given: Vec<&str> = names(pattern)?.split(',').map(str::trim).collect();
    let written: Vec<&str> = given.into_iter().chain(std::iter::repeat("_")).take(count).collect();
    let note =
        error.children.iter().map(|child| readable(&child.message)).find(|note| note.contains("expected tuple `"))?;
    let ty = note.split_once("expected tuple `")?.1.split('`').next()?.to_owned();
    Some(Advice::instead(format!("there are {count} values, `{ty}`: write `({})`", written.join(", "))))
}

/// `1..9` where `1..=9` is wanted.
fn of_a_range(label: &str, word: &str) -> Option<Advice> {
    let is_it = label.starts_with("expected `RangeInclusive<") && label.contains("found `Range<");
    let (start, end) = word.split_once("..").filter(|_| is_it)?;
    Some(Advice::instead(format!("write `{start}..={end}`: a range with its end")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gets_its_end() {
        let told = of_a_range("expected `RangeInclusive<_>`, found `Range<{integer}>`", "1..9").expect("is one");
        assert!(told.help[0].contains("`1..=9`"));
        assert!(of_a_range("expected `Range<_>`, found `RangeInclusive<i64>`", "1..=9").is_none());
    }
}
