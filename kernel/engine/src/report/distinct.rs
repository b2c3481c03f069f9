//! Which errors are a cause: not those that only repeat, or follow from, an earlier one.

use std::collections::HashSet;
use std::ops::Range;

use crate::diagnostic::{Diagnostic, quoted};
use crate::report::python_hints;
use crate::report::render::snippets;
use crate::source::source_map::{CrateSource, Place};

/// Leaves out errors that only repeat or follow from an earlier one.
pub(super) fn distinct<'a>(errors: &[&'a Diagnostic], source: &CrateSource, file: &str) -> Vec<&'a Diagnostic> {
    // Where a letter or a quote is wrong, what follows is guesswork.
    let lexical = |error: &&Diagnostic| {
        error.message.starts_with("unknown start of token") || error.message.starts_with("prefix `")
    };
    if let Some(first) = errors.first().filter(|error| lexical(error)) {
        return vec![first];
    }
    let mut distinct = errors.to_vec();
    // Where a name means nothing, the types of what is made with it are open.
    if errors.iter().any(|error| error.is_syntax() || is_about_a_name(error)) {
        distinct.retain(|error| error.code() != "E0689");
    }
    let mut seen = Seen::default();
    distinct.retain(|error| seen.is_new(error, source, file));
    distinct
}

/// What the errors so far are about.
#[derive(Debug, Default)]
struct Seen {
    /// Names that mean nothing.
    subjects: HashSet<String>,
    /// Bytes of the crate.
    spans: HashSet<(usize, usize)>,
    /// Lines of cells.
    lines: HashSet<(u32, usize)>,
    /// Places in cells.
    starts: Vec<(u32, usize)>,
    /// Calls with arguments by name, in cells: what else is wrong with one follows from that.
    calls: Vec<(u32, Range<usize>)>,
}

impl Seen {
    /// Takes an error in, and says whether it neither repeats nor follows from an earlier one.
    fn is_new(&mut self, error: &Diagnostic, source: &CrateSource, file: &str) -> bool {
        let is_name = error.message.starts_with("cannot find") || error.message.starts_with("use of undeclared");
        let subject = quoted(&error.message).next().filter(|_| is_name);
        let span = error.primary().map(|span| (span.byte_start, span.byte_end));
        let place = error.range_in(file).and_then(|range| source.place(range));
        let line = place.as_ref().map(|place| (place.cell.number(), place.line()));
        let repeats = subject.is_some_and(|subject| self.subjects.contains(subject))
            || span.is_some_and(|span| self.spans.contains(&span))
            || (!self.spans.is_empty() && snippets(&error.spans, source, file).is_empty())
            || (is_of_unknown_type(error) && line.is_some_and(|line| self.lines.contains(&line)))
            || place.as_ref().is_some_and(|place| self.is_in_call(error, place));
        if !repeats {
            self.subjects.extend(subject.map(str::to_owned));
            self.spans.extend(span);
            self.lines.extend(line.filter(|_| !is_of_unknown_type(error)));
            self.starts.extend(place.map(|place| (place.cell.number(), place.range.start)));
        }
        !repeats
    }

    /// Whether an error is in a call with arguments by name about which there is one already.
    fn is_in_call(&mut self, error: &Diagnostic, place: &Place) -> bool {
        let cell = place.cell.number();
        if self.calls.iter().any(|(other, call)| *other == cell && call.contains(&place.range.start)) {
            return true;
        }
        let Some(call) = python_hints::call_by_names(error, place) else { return false };
        let is_told = self.starts.iter().any(|(other, start)| *other == cell && call.contains(start));
        self.calls.push((cell, call));
        is_told
    }
}

/// Whether a name means nothing.
fn is_about_a_name(error: &Diagnostic) -> bool {
    matches!(error.code(), "E0412" | "E0425" | "E0432" | "E0433")
}

/// Whether a type is missing or makes no sense, as it does behind another error.
fn is_of_unknown_type(error: &Diagnostic) -> bool {
    matches!(error.code(), "E0282" | "E0283" | "E0284") || error.message.starts_with("the size for values of type")
}
