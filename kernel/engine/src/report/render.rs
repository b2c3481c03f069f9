//! Draws rustc's diagnostics and panics on the user's own text.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Snippet, Title};
use oxtorch_session::{CellError, ErrorKind};

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span};
use crate::report::brackets::Unbalanced;
use crate::report::distinct::distinct;
use crate::report::further;
use crate::report::hints::Advice;
use crate::report::layout::window::around;
use crate::report::layout::{drawn, wrapped};
use crate::report::runtime_hints;
use crate::report::underline::extent;
use crate::source::files;
use crate::source::fragment::CellText;
use crate::source::source_map::{CrateSource, Place};

/// More errors than this are seldom read, and the first is usually the cause.
const MAX_ERRORS: usize = 4;

/// A report of more lines than this is not seen at once.
const MAX_LINES: usize = 24;

/// What the list of the further errors takes at least: an empty line, one error, its help.
const LEAST_FURTHER: usize = 3;

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
    let distinct = distinct(errors, source, file);
    let draw = |error: &&Diagnostic, detail| draw(error, source, file, &advice(error), detail);
    let drawn = if distinct.len() > MAX_ERRORS { None } else { all_drawn(&distinct, draw) };
    let lines = drawn.map(|all| lines_of(&all.join("\n\n"))).unwrap_or_else(|| match distinct.split_first() {
        None => Vec::new(),
        Some((first, further)) => {
            let mut lines = lines_of(&in_most_detail(first, further.is_empty(), draw));
            lines.extend(further::lines(further, source, file, &advice));
            lines
        }
    });
    let summary = errors.first().map_or_else(String::new, |error| without_folder(&readable(&error.message), source));
    Report { summary, lines }
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// All errors with their help, if they can be seen at once.
fn all_drawn(errors: &[&Diagnostic], draw: impl Fn(&&Diagnostic, Detail) -> String) -> Option<Vec<String>> {
    let details = [Detail::All, Detail::FirstSuggestion].into_iter();
    let mut draws = details.map(|detail| errors.iter().map(|error| draw(error, detail)).collect::<Vec<_>>());
    draws.find(|draws| height(draws) <= MAX_LINES)
}

/// An error in as much detail as there is room for.
fn in_most_detail(error: &&Diagnostic, is_alone: bool, draw: impl Fn(&&Diagnostic, Detail) -> String) -> String {
    let room = if is_alone { MAX_LINES } else { MAX_LINES - LEAST_FURTHER };
    let fits = |drawn: &String| drawn.lines().count() <= room;
    let details = [Detail::All, Detail::FirstSuggestion].into_iter();
    let mut draws = details.map(|detail| draw(error, detail));
    draws.find(fits).unwrap_or_else(|| draw(error, Detail::MessageAndPlace))
}

/// The number of lines that drawn errors take, with a line between two of them.
fn height(draws: &[String]) -> usize {
    draws.iter().map(|draw| draw.lines().count() + 1).sum::<usize>().saturating_sub(1)
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
            let is_hidden_note = advice.hides_notes && child.spans.is_empty();
            let leads_astray = is_hidden_note || (advice.hides_suggestions && suggests(&message));
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
pub(super) fn without_folder(text: &str, source: &CrateSource) -> String {
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
pub(super) fn says_nothing(message: &str) -> bool {
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
pub(super) fn snippets(spans: &[Span], source: &CrateSource, file: &str) -> Vec<Snippet<'static, Annotation<'static>>> {
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
    let text = text_of_file(span, source)?;
    let range = span.byte_start..span.byte_end;
    let annotation = AnnotationKind::Primary.span(range).label(span.label.as_deref().map(readable));
    Some(Snippet::source(text).path(without_folder(&span.file_name, source)).annotation(annotation))
}

/// The text of the user's file that a place is in.
pub(super) fn text_of_file(span: &Span, source: &CrateSource) -> Option<String> {
    let path = Path::new(&span.file_name);
    let text = source.folder().filter(|folder| path.starts_with(folder)).and_then(|_| files::text(path).ok())?;
    text.get(span.byte_start..span.byte_end).is_some().then_some(text)
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
    if let Some(imports) = imports(spans) {
        return Some(Group::with_title(help(&format!("{message}: {imports}"))));
    }
    let patches = patches(spans, source, file)?;
    let cell = Arc::clone(&patches.first()?.0.cell);
    let changes = patches.into_iter().map(|(place, code)| (place.range, code)).collect();
    Some(Group::with_title(help(message)).element(changed(&cell, changes)))
}

/// What a suggestion imports, if that is what it does.
pub(super) fn imports(spans: &[&Span]) -> Option<String> {
    let imports = spans.iter().map(|span| replacement(span)).filter(|code| code.trim_start().starts_with("use "));
    let imports: Vec<String> = imports.map(|code| readable(code.trim())).collect();
    let mut imports = as_cells_write(&imports);
    imports.truncate(MAX_SUGGESTIONS);
    (!imports.is_empty()).then(|| format!("`{}`", imports.join("` or `")))
}

/// Imports by the names that cells have. Where rustc finds a crate's name within the runtime, it is the crate that
/// cells see; what it calls by that name alone is another version of the crate.
fn as_cells_write(imports: &[String]) -> Vec<String> {
    const WITHIN: [&str; 2] = ["use crate::", "use oxtorch::"];
    let short = |import: &String| {
        let path = WITHIN.iter().find_map(|within| import.strip_prefix(within))?;
        path.contains("::").then(|| format!("use {path}"))
    };
    let krate = |import: &str| import["use ".len()..].split("::").next().unwrap_or_default().to_owned();
    let passed_on: Vec<String> = imports.iter().filter_map(short).map(|import| krate(&import)).collect();
    let is_seen = |import: &&String| short(import).is_some() || !passed_on.contains(&krate(import));
    let mut written = Vec::new();
    for import in imports.iter().filter(is_seen).map(|import| short(import).unwrap_or_else(|| import.clone())) {
        if !written.contains(&import) {
            written.push(import);
        }
    }
    written
}

/// What a suggestion changes in a cell, and to what.
pub(super) fn patches(spans: &[&Span], source: &CrateSource, file: &str) -> Option<Vec<(Place, String)>> {
    let mut patches: Vec<(Place, String)> = Vec::new();
    for span in spans {
        patches.push((source.place(span.range_in(file)?)?, readable(replacement(span))));
    }
    let first = patches.first()?.0.clone();
    if !patches.iter().all(|(place, _)| Arc::ptr_eq(&place.cell, &first.cell)) {
        return None;
    }
    // Alternatives come one behind the other, and only the first can be drawn: it ends where a place comes again.
    let meets = |one: &Range<usize>, other: &Range<usize>| {
        one.start == other.start || (one.start < other.end && other.start < one.end)
    };
    let comes_again = |at: &usize| patches[..*at].iter().any(|(place, _)| meets(&place.range, &patches[*at].0.range));
    let end = (1..patches.len()).find(comes_again).unwrap_or(patches.len());
    patches.truncate(end);
    Some(patches)
}

fn replacement(span: &Span) -> &str {
    span.suggested_replacement.as_deref().unwrap_or_default()
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
    fn an_import_is_of_the_crate_that_cells_see() {
        let check = |imports: &[&str], written: &[&str]| {
            assert_eq!(as_cells_write(&imports.iter().map(|&import| import.to_owned()).collect::<Vec<_>>()), written);
        };
        check(
            &["use oxtorch::rand::prelude::IndexedRandom;", "use rand::seq::SliceRandom;"],
            &["use rand::prelude::IndexedRandom;"],
        );
        check(&["use crate::nn::GCNConv;", "use oxtorch::nn::GCNConv;"], &["use nn::GCNConv;"]);
        check(&["use crate::Net;", "use std::fmt::Debug;"], &["use crate::Net;", "use std::fmt::Debug;"]);
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
