//! Draws rustc's diagnostics and panics on the user's own text.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Snippet, Title};
use oxtorch_session::{CellError, ErrorKind};

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::report::brackets::Unbalanced;
use crate::report::hints::Advice;
use crate::report::layout::{drawn, wrapped};
use crate::report::runtime_hints;
use crate::report::underline::extent;
use crate::report::window::around;
use crate::source::files;
use crate::source::fragment::CellText;
use crate::source::source_map::{CrateSource, Place};

/// More errors than this are seldom read, and the first is usually the cause.
const MAX_ERRORS: usize = 4;

/// A report of more lines than this is not seen at once.
const MAX_LINES: usize = 24;

/// The lines that say how many more errors there are.
const MORE_LINES: usize = 2;

/// More alternatives than this (of traits to import, say) are noise.
const MAX_SUGGESTIONS: usize = 3;

/// A report in lines, with ANSI styles, and its first line without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What went wrong.
    pub summary: String,
    /// For the user.
    pub lines: Vec<String>,
}

impl Report {
    /// What is drawn, in lines.
    pub fn drawn(summary: String, groups: &[Group<'_>]) -> Self {
        Self { summary, lines: drawn(groups) }
    }

    /// The error of a cell that this is the report of.
    pub fn into_error(self, kind: ErrorKind) -> CellError {
        CellError { kind, evalue: self.summary, traceback: self.lines }
    }
}

/// Draws compile errors. `advice` gives help of our own for a diagnostic.
pub fn errors(
    errors: &[&Diagnostic],
    source: &CrateSource,
    file: &str,
    advice: impl Fn(&Diagnostic) -> Advice,
) -> Report {
    let distinct = distinct(errors);
    let advice: Vec<Advice> = distinct.iter().take(MAX_ERRORS).map(|error| advice(error)).collect();
    let draws = [Detail::All, Detail::FirstSuggestion, Detail::MessageAndPlace].map(|detail| {
        let drawn = distinct.iter().zip(&advice).map(|(error, advice)| draw(error, source, file, advice, detail));
        drawn.collect::<Vec<String>>()
    });
    let shown = what_fits(&draws, distinct.len());
    let mut lines: Vec<String> = shown.join("\n\n").lines().map(str::to_owned).collect();
    let more = distinct.len() - shown.len();
    if more > 0 {
        lines.push(String::new());
        lines.push(format!("... and {more} more error{}", if more == 1 { "" } else { "s" }));
    }
    let summary = errors.first().map_or_else(String::new, |error| without_folder(&readable(&error.message), source));
    Report { summary, lines }
}

/// Of errors drawn in ever less detail, what can be seen at once: all of them in as much detail as that allows, else
/// the first one in full, which is usually the cause, and as many more as there is room for.
fn what_fits(draws: &[Vec<String>; 3], errors: usize) -> Vec<String> {
    let room = |shown: usize| if shown < errors { MAX_LINES - MORE_LINES } else { MAX_LINES };
    if let Some(all) = draws.iter().find(|draws| height(draws) <= room(draws.len())) {
        return all.clone();
    }
    let mut shown = draws[2].clone();
    let mut firsts = draws.iter().filter_map(|draws| draws.first());
    if let Some(first) = firsts.find(|first| first.lines().count() <= room(1)) {
        shown[0].clone_from(first);
    }
    while shown.len() > 1 && height(&shown) > room(shown.len()) {
        shown.pop();
    }
    shown
}

/// The number of lines that drawn errors take, with a line between two of them.
fn height(draws: &[String]) -> usize {
    draws.iter().map(|draw| draw.lines().count() + 1).sum::<usize>().saturating_sub(1)
}

/// Leaves out errors that only repeat or follow from an earlier one.
fn distinct<'a>(errors: &[&'a Diagnostic]) -> Vec<&'a Diagnostic> {
    // Where a letter or a quote is wrong, what follows is guesswork.
    let lexical = |error: &&Diagnostic| {
        error.message.starts_with("unknown start of token") || error.message.starts_with("prefix `")
    };
    if let Some(first) = errors.first().filter(|error| lexical(error)) {
        return vec![first];
    }
    let subject = |error: &Diagnostic| {
        let is_name = error.message.starts_with("cannot find") || error.message.starts_with("use of undeclared");
        is_name.then(|| quoted(&error.message).next().map(str::to_owned)).flatten()
    };
    let primary = |error: &Diagnostic| error.primary().map(|span| (span.byte_start, span.byte_end));
    let (mut subjects, mut places) = (HashSet::new(), HashSet::new());
    let mut distinct = errors.to_vec();
    distinct.retain(|error| {
        let (subject, place) = (subject(error), primary(error));
        let repeats = subject.as_ref().is_some_and(|subject| subjects.contains(subject))
            || place.is_some_and(|place| places.contains(&place));
        if !repeats {
            subjects.extend(subject);
            places.extend(place);
        }
        !repeats
    });
    distinct
}

/// How much of a diagnostic is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    All,
    FirstSuggestion,
    MessageAndPlace,
}

fn draw(error: &Diagnostic, source: &CrateSource, file: &str, advice: &Advice, detail: Detail) -> String {
    let here = |text: &str| without_folder(&readable(text), source);
    let message = here(&error.message);
    let mut title = level(&error.level).primary_title(wrapped(&message));
    let code = error.code().to_owned();
    if !code.is_empty() {
        title = title.id(code);
    }
    let mut main = Group::with_title(title).elements(snippets(&error.spans, source, file));
    let mut notes = Vec::new();
    let mut suggestions = Vec::new();
    for child in error.children.iter().filter(|_| detail != Detail::MessageAndPlace) {
        let message = here(&child.message);
        let suggested: Vec<&Span> = child.spans.iter().filter(|span| span.suggested_replacement.is_some()).collect();
        if suggested.is_empty() {
            let places = snippets(&child.spans, source, file);
            // A note about a place in the standard library or the runtime says nothing to the user.
            let leads_astray = advice.hides_suggestions && suggests(&message);
            if leads_astray {
                continue;
            }
            if child.spans.is_empty() && !says_nothing(&message) {
                main = main.element(level(&child.level).message(wrapped(&message)));
            } else if !places.is_empty() && detail == Detail::All {
                notes.push(Group::with_title(level(&child.level).secondary_title(wrapped(&message))).elements(places));
            }
        } else if !advice.hides_suggestions {
            suggestions.extend(suggestion(&message, &suggested, source, file));
        }
    }
    for help in &advice.help {
        main = main.element(Level::HELP.message(wrapped(help)));
    }
    if detail != Detail::All {
        suggestions.truncate(1);
    }
    let mut groups = vec![main];
    groups.extend(notes);
    if let Some(patch) = &advice.patch {
        let change = (patch.place.range.clone(), patch.replacement.clone());
        groups.push(Group::with_title(help(&patch.message)).element(changed(&patch.place.cell, vec![change])));
    }
    groups.extend(suggestions);
    drawn(&groups).join("\n")
}

/// Paths of files as the user has them: from the folder that the notebook works in.
fn without_folder(text: &str, source: &CrateSource) -> String {
    match source.folder() {
        Some(folder) => text.replace(&format!("{}/", folder.display()), ""),
        None => text.to_owned(),
    }
}

/// Whether a note leads to what rustc suggests, or to why it cannot.
fn suggests(message: &str) -> bool {
    let beginnings = [
        "you might be missing a crate",
        "items from traits can only be used",
        "methods are immutable",
        "cannot satisfy `",
        "the following types implement",
        "the method call chain might not have had the expected",
    ];
    beginnings.iter().any(|beginning| message.starts_with(beginning))
}

/// Whether a note helps nobody.
fn says_nothing(message: &str) -> bool {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| message.starts_with(beginning));
    // "the following other types implement trait `Mul<Rhs>`", and 177 types.
    let is_long_list = begins(&["the following other types implement"]) && message.lines().count() > 4;
    // Where rustc has put the whole name of a long type: a file that goes with the session, and how to have it
    // otherwise of a rustc that the user does not call.
    let is_of_a_file =
        message.contains(".long-type-") || begins(&["consider using `--verbose` to print the full type"]);
    // How cells are built: there is one `tch` whose values a cell can have, beside the crate that passes it on, and no
    // cargo.
    let is_of_build = begins(&["there are multiple different versions of crate `tch`", "you can use `cargo tree`"]);
    is_long_list || is_of_a_file || is_of_build
}

fn level(name: &str) -> Level<'static> {
    match name {
        "warning" => Level::WARNING,
        "note" | "failure-note" => Level::NOTE,
        "help" => Level::HELP,
        _ => Level::ERROR,
    }
}

/// One snippet for each cell that the spans lie in.
fn snippets(spans: &[Span], source: &CrateSource, file: &str) -> Vec<Snippet<'static, Annotation<'static>>> {
    let mut cells: Vec<(Arc<CellText>, Vec<Annotation<'static>>)> = Vec::new();
    let mut ordered: Vec<&Span> = spans.iter().collect();
    ordered.sort_by_key(|span| !span.is_primary);
    for span in ordered {
        let Some(place) = span.range_in(file).and_then(|range| source.place(range)) else { continue };
        let kind = if span.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(place.range).label(span.label.as_deref().map(readable));
        match cells.iter_mut().find(|(cell, _)| Arc::ptr_eq(cell, &place.cell)) {
            Some((_, annotations)) => annotations.push(annotation),
            None => cells.push((place.cell, vec![annotation])),
        }
    }
    if cells.is_empty() {
        return spans.iter().filter(|span| span.is_primary).filter_map(|span| in_a_file(span, source)).collect();
    }
    cells.into_iter().map(|(cell, annotations)| snippet(&cell).annotations(annotations)).collect()
}

/// A place in a module of the user's that stands in a file beside the notebook.
fn in_a_file(span: &Span, source: &CrateSource) -> Option<Snippet<'static, Annotation<'static>>> {
    let path = Path::new(&span.file_name);
    let text = source.folder().filter(|folder| path.starts_with(folder)).and_then(|_| files::text(path).ok())?;
    let range = span.byte_start..span.byte_end;
    text.get(range.clone())?;
    let annotation = AnnotationKind::Primary.span(range).label(span.label.as_deref().map(readable));
    Some(Snippet::source(text).path(without_folder(&span.file_name, source)).annotation(annotation))
}

fn snippet<T: Clone>(cell: &CellText) -> Snippet<'static, T> {
    source(cell.shown.clone(), cell)
}

/// What of a cell is drawn.
fn source<T: Clone>(text: String, cell: &CellText) -> Snippet<'static, T> {
    Snippet::source(text).path(format!("cell [{}]", cell.number()))
}

/// A suggestion, as a patch where it changes the user's text and as text where it adds a `use`.
fn suggestion(message: &str, spans: &[&Span], source: &CrateSource, file: &str) -> Option<Group<'static>> {
    let replacement = |span: &&Span| span.suggested_replacement.clone().unwrap_or_default();
    let imports = spans.iter().map(replacement).filter(|code| code.trim_start().starts_with("use "));
    let mut imports: Vec<String> = imports.map(|code| readable(code.trim())).collect();
    if !imports.is_empty() {
        imports.dedup();
        imports.truncate(MAX_SUGGESTIONS);
        return Some(Group::with_title(help(&format!("{message}: `{}`", imports.join("` or `")))));
    }
    let mut patches: Vec<(Place, String)> = Vec::new();
    for span in spans {
        patches.push((source.place(span.range_in(file)?)?, replacement(span)));
    }
    let cell = Arc::clone(&patches.first()?.0.cell);
    if !patches.iter().all(|(place, _)| Arc::ptr_eq(&place.cell, &cell)) {
        return None;
    }
    // Alternatives come as several patches of one place; only the first can be drawn.
    let first = patches[0].0.range.clone();
    let alternatives = patches.iter().skip(1).any(|(place, _)| place.range == first && !first.is_empty());
    patches.truncate(if alternatives { 1 } else { patches.len() });
    let changes = patches.into_iter().map(|(place, code)| (place.range, readable(&code))).collect();
    Some(Group::with_title(help(message)).element(changed(&cell, changes)))
}

fn help(message: &str) -> Title<'static> {
    Level::HELP.secondary_title(wrapped(message))
}

/// A cell with changes to places of it.
fn changed(cell: &CellText, changes: Vec<(Range<usize>, String)>) -> Snippet<'static, Patch<'static>> {
    let (places, replacements): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    let window = around(&cell.shown, places);
    let patches = window.places.into_iter().zip(replacements).map(|(place, code)| Patch::new(place, code));
    source(window.text, cell).patches(patches)
}

/// Draws a panic or another failure at run time, on the line where it happened.
pub fn failure(kind: &'static str, message: &str, places: &[Place], notes: &[String]) -> Report {
    let summary = message.lines().next().unwrap_or("").to_owned();
    let mut main = Group::with_title(Level::ERROR.with_name(kind).primary_title(wrapped(message)));
    let mut callers = None;
    if let Some((first, frames)) = places.split_first() {
        let at = extent(first, message);
        main = main.element(snippet(&first.cell).annotation(AnnotationKind::Primary.span(at)));
        // The outermost frame is the statement of the cell that ran.
        callers = frames.last().map(|caller| {
            let at = AnnotationKind::Primary.span(extent(caller, ""));
            Group::with_title(Level::NOTE.secondary_title("called from here"))
                .element(snippet(&caller.cell).annotation(at))
        });
    }
    for note in notes {
        main = main.element(Level::NOTE.message(wrapped(note)));
    }
    if let Some(help) = runtime_hints::help(message) {
        main = main.element(Level::HELP.message(wrapped(help)));
    }
    Report::drawn(summary, &std::iter::once(main).chain(callers).collect::<Vec<_>>())
}

/// Draws a bracket, a string or a comment that has no counterpart.
pub fn unbalanced_text(cell: &CellText, found: &Unbalanced) -> Report {
    let (range, label) = &found.primary;
    let mut annotations = vec![AnnotationKind::Primary.span(range.clone()).label(label.clone())];
    if let Some((range, label)) = &found.other {
        annotations.push(AnnotationKind::Context.span(range.clone()).label(label.clone()));
    }
    let title = Level::ERROR.primary_title(wrapped(&found.message));
    let group = Group::with_title(title).element(snippet(cell).annotations(annotations));
    Report::drawn(found.message.clone(), &[group])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_shown_of_fewer_errors() {
        let draws = |all: usize, less: usize, least: usize, errors: usize| {
            [all, less, least].map(|count| vec!["line\n".repeat(count); errors])
        };
        let heights = |draws: &[Vec<String>; 3], errors| -> Vec<usize> {
            what_fits(draws, errors).iter().map(|draw| draw.lines().count()).collect()
        };
        assert_eq!(heights(&draws(11, 9, 5, 2), 2), [11, 11]);
        assert_eq!(heights(&draws(11, 6, 5, 3), 3), [6, 6, 6]);
        assert_eq!(heights(&draws(16, 12, 10, 3), 3), [16]);
        assert_eq!(heights(&draws(30, 26, 20, 1), 1), [20]);
    }

    #[test]
    fn a_failure_points_at_the_word() {
        let cell = CellText::new(5, "let y = net.forward(&x);");
        let report = failure("panic", "shapes differ", &[Place { cell, range: 12..12 }], &[]);
        let text = report.lines.join("\n");
        assert!(text.contains("cell [5]") && text.contains("^^^^^^^"), "{text}");
        assert_eq!(report.summary, "shapes differ");
    }
}
