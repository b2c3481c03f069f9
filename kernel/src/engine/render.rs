//! Draws rustc's diagnostics and panics on the user's own text.

use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::fragment::CellText;
use super::names::readable;
use super::refusals::own_range;
use super::rustc::{Diagnostic, Span};
use super::source_map::{Place, Source};

/// More errors than this are seldom read, and the first is usually the cause.
const MAX_ERRORS: usize = 4;

/// More alternatives than this (of traits to import, say) are noise.
const MAX_SUGGESTIONS: usize = 3;

/// A report in lines, with ANSI colours, and its first line without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What went wrong.
    pub summary: String,
    /// For the user.
    pub lines: Vec<String>,
}

/// Draws compile errors. `extra` gives help of our own for a diagnostic.
pub fn errors(
    errors: &[&Diagnostic],
    source: &Source,
    file: &str,
    extra: impl Fn(&Diagnostic) -> Option<String>,
) -> Report {
    let mut lines = Vec::new();
    for error in errors.iter().take(MAX_ERRORS) {
        lines.extend(draw(error, source, file, extra(error)).lines().map(str::to_owned));
        lines.push(String::new());
    }
    lines.pop();
    if errors.len() > MAX_ERRORS {
        lines.push(String::new());
        lines.push(format!("... and {} more errors", errors.len() - MAX_ERRORS));
    }
    Report { summary: errors.first().map_or_else(String::new, |error| readable(&error.message)), lines }
}

fn draw(error: &Diagnostic, source: &Source, file: &str, extra: Option<String>) -> String {
    let message = readable(&error.message);
    let mut title = level(&error.level).primary_title(message);
    let code = error.code().to_owned();
    if !code.is_empty() {
        title = title.id(code);
    }
    let mut main = Group::with_title(title).elements(snippets(&error.spans, source, file));
    let mut suggestions = Vec::new();
    for child in &error.children {
        let message = readable(&child.message);
        let suggested: Vec<&Span> = child.spans.iter().filter(|span| span.suggested_replacement.is_some()).collect();
        if suggested.is_empty() {
            let places = snippets(&child.spans, source, file);
            // A note about a place in the standard library or the runtime says nothing to the user.
            if child.spans.is_empty() || !places.is_empty() {
                main = main.element(level(&child.level).message(message)).elements(places);
            }
        } else {
            suggestions.extend(suggestion(&message, &suggested, source, file));
        }
    }
    if let Some(extra) = extra {
        main = main.element(Level::HELP.message(extra));
    }
    let mut groups = vec![main];
    groups.extend(suggestions);
    Renderer::styled().render(&groups)
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
fn snippets(spans: &[Span], source: &Source, file: &str) -> Vec<Snippet<'static, Annotation<'static>>> {
    let mut cells: Vec<(Arc<CellText>, Vec<Annotation<'static>>)> = Vec::new();
    let mut ordered: Vec<&Span> = spans.iter().collect();
    ordered.sort_by_key(|span| !span.is_primary);
    for span in ordered {
        let Some(place) = own_range(span, file).and_then(|range| source.place(range)) else { continue };
        let kind = if span.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(place.range).label(span.label.as_deref().map(readable));
        match cells.iter_mut().find(|(cell, _)| Arc::ptr_eq(cell, &place.cell)) {
            Some((_, annotations)) => annotations.push(annotation),
            None => cells.push((place.cell, vec![annotation])),
        }
    }
    cells.into_iter().map(|(cell, annotations)| snippet(&cell).annotations(annotations)).collect()
}

fn snippet<T: Clone>(cell: &CellText) -> Snippet<'static, T> {
    Snippet::source(cell.shown.clone()).path(format!("cell [{}]", cell.number()))
}

/// A suggestion, as a patch where it changes the user's text and as text where it adds a `use`.
fn suggestion(message: &str, spans: &[&Span], source: &Source, file: &str) -> Option<Group<'static>> {
    let replacement = |span: &&Span| span.suggested_replacement.clone().unwrap_or_default();
    let imports: Vec<String> = spans
        .iter()
        .map(replacement)
        .filter(|code| code.trim_start().starts_with("use "))
        .map(|code| code.trim().to_owned())
        .collect();
    if !imports.is_empty() {
        let mut imports: Vec<String> = imports.into_iter().map(|code| readable(&code)).collect();
        imports.dedup();
        imports.truncate(MAX_SUGGESTIONS);
        return Some(Group::with_title(
            Level::HELP.secondary_title(format!("{message}: `{}`", imports.join("` or `"))),
        ));
    }
    let mut patches: Vec<(Place, String)> = Vec::new();
    for span in spans {
        patches.push((source.place(own_range(span, file)?)?, replacement(span)));
    }
    let cell = Arc::clone(&patches.first()?.0.cell);
    if !patches.iter().all(|(place, _)| Arc::ptr_eq(&place.cell, &cell)) {
        return None;
    }
    // Alternatives come as several patches of one place; only the first can be drawn.
    let first = patches[0].0.range.clone();
    let alternatives = patches.iter().skip(1).any(|(place, _)| place.range == first && !first.is_empty());
    patches.truncate(if alternatives { 1 } else { patches.len() });
    let patches = patches.into_iter().map(|(place, code)| Patch::new(place.range, readable(&code)));
    Some(Group::with_title(Level::HELP.secondary_title(message.to_owned())).element(snippet(&cell).patches(patches)))
}

/// Draws a panic or another failure at run time, on the line where it happened.
pub fn failure(kind: &'static str, message: &str, places: &[Place], notes: &[String]) -> Report {
    let summary = message.lines().next().unwrap_or("").to_owned();
    let mut main = Group::with_title(Level::ERROR.with_name(kind).primary_title(message.to_owned()));
    if let Some((first, callers)) = places.split_first() {
        main = main.element(snippet(&first.cell).annotation(AnnotationKind::Primary.span(word(first))));
        // The outermost frame is the statement of the cell that ran.
        if let Some(caller) = callers.last() {
            main = main
                .element(Level::NOTE.message("called from here"))
                .element(snippet(&caller.cell).annotation(AnnotationKind::Primary.span(word(caller))));
        }
    }
    for note in notes {
        main = main.element(Level::NOTE.message(note.clone()));
    }
    let text = Renderer::styled().render(&[main]);
    Report { summary, lines: text.lines().map(str::to_owned).collect() }
}

/// A run-time place is a point; the word there is what a reader looks for.
fn word(place: &Place) -> std::ops::Range<usize> {
    let start = place.range.start;
    let rest = &place.cell.text[start..];
    let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(rest.len());
    start..start + end.max(rest.chars().next().filter(|char| *char != '\n').map_or(0, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_points_at_the_word() {
        let cell = CellText::new(5, "let y = net.forward(&x);");
        let report = failure("panic", "shapes differ", &[Place { cell, range: 12..12 }], &[]);
        let text = report.lines.join("\n");
        assert!(text.contains("cell [5]") && text.contains("^^^^^^^"), "{text}");
        assert_eq!(report.summary, "shapes differ");
    }
}
