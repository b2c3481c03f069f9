//! Says how a cell failed, in the same terms as the native engine.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Snippet};
use evcxr::{CompilationError, Error};
use oxtorch_session::{CellError, ErrorKind};

use crate::report::layout::wrapped;
use crate::report::render::Report;

/// More errors than this are seldom read, and the first is usually the cause.
const MAX_ERRORS: usize = 4;

/// A failure with a message and notes that stand for themselves.
pub fn plain(kind: ErrorKind, level: &'static str, message: &str, notes: &[String]) -> CellError {
    let mut group = Group::with_title(Level::ERROR.with_name(level).primary_title(wrapped(message)));
    for note in notes {
        group = group.element(Level::NOTE.message(wrapped(note)));
    }
    cell_error(kind, message, &[group])
}

/// What kept a cell from being compiled.
pub fn refused(error: &Error, code: &str, number: u32) -> CellError {
    match error {
        Error::CompilationErrors(errors) if !errors.is_empty() => compile_errors(errors, code, number),
        Error::TypeRedefinedVariablesLost(names) => {
            let message = format!("these variables are lost, since their type was redefined: {}", names.join(", "));
            plain(ErrorKind::Compile, "error", &message, &[])
        }
        error => plain(ErrorKind::Compile, "error", error.to_string().trim(), &[]),
    }
}

fn compile_errors(errors: &[CompilationError], code: &str, number: u32) -> CellError {
    let errors: Vec<&CompilationError> = errors.iter().filter(|error| error.level() != "warning").collect();
    let drawn: Vec<Group<'_>> = errors.iter().take(MAX_ERRORS).map(|error| draw(error, code, number)).collect();
    let message = errors.first().map_or_else(|| "the cell does not compile".to_owned(), |error| error.message());
    cell_error(ErrorKind::Compile, &message, &drawn)
}

fn draw(error: &CompilationError, code: &str, number: u32) -> Group<'static> {
    let mut title = Level::ERROR.primary_title(wrapped(&error.message()));
    if let Some(code) = error.code() {
        title = title.id(code.to_owned());
    }
    let mut group = Group::with_title(title);
    let mut snippet = Snippet::source(code.to_owned()).path(format!("cell [{number}]"));
    let mut placed = false;
    for message in error.spanned_messages() {
        let Some(span) = &message.span else { continue };
        let start = offset(code, span.start_line, span.start_column);
        let end = offset(code, span.end_line, span.end_column);
        let Some(range) = start.zip(end).and_then(|(start, end)| in_order(start..end)) else { continue };
        let kind = if message.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        // A place without a label of its own is labelled with the message, which stands in the title already.
        let label = (!message.label.ends_with(&error.message())).then(|| message.label.clone());
        snippet = snippet.annotation(kind.span(range).label(label.filter(|label| !label.is_empty())));
        placed = true;
    }
    if placed {
        group = group.element(snippet);
    }
    for help in error.help().into_iter().chain(error.evcxr_extra_hint().map(str::to_owned)) {
        group = group.element(Level::HELP.message(wrapped(help.lines().next().unwrap_or_default())));
    }
    group
}

fn in_order(range: Range<usize>) -> Option<Range<usize>> {
    (range.start <= range.end).then_some(range)
}

/// The byte at a line and a column, both counted from 1; columns count characters.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let mut at = 0;
    for (index, content) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line {
            let inside = content.char_indices().nth(column.checked_sub(1)?).map(|(at, _)| at);
            return Some(at + inside.unwrap_or(content.trim_end_matches('\n').len()));
        }
        at += content.len();
    }
    None
}

/// A panic, from what the process has printed of it.
pub fn panicked(printed: &str) -> CellError {
    let message = panic_message(printed);
    plain(ErrorKind::Panic, "panic", &message, &[])
}

/// Where in what was printed to stderr the report of the last panic begins.
pub fn panic_report(printed: &str) -> Option<usize> {
    let at = printed.rfind("thread '").filter(|at| *at == 0 || printed[..*at].ends_with('\n'))?;
    let head = printed[at..].lines().next()?;
    // A blank line belongs to the report.
    head.contains(" panicked at ").then(|| if printed[..at].ends_with("\n\n") || at == 1 { at - 1 } else { at })
}

/// The message in a panic's report: what stands between its place and its backtrace.
fn panic_message(report: &str) -> String {
    let lines = report.trim_start().lines().skip(1);
    let ends = ["stack backtrace:", "note: run with `RUST_BACKTRACE=1`", "note: Some details are omitted"];
    let message: Vec<&str> = lines.take_while(|line| !ends.iter().any(|end| line.starts_with(end))).collect();
    let message = message.join("\n").trim().to_owned();
    if message.is_empty() { "the cell panicked".to_owned() } else { message }
}

fn cell_error(kind: ErrorKind, message: &str, report: &[Group<'_>]) -> CellError {
    Report::drawn(message.lines().next().unwrap_or_default().to_owned(), report).into_error(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_characters() {
        let text = "let é = 1;\nlet b = é + c;\n";
        assert_eq!(offset(text, 1, 5), Some(4));
        assert_eq!(offset(text, 2, 13), text.find('c'));
        assert_eq!(offset(text, 1, 99), Some("let é = 1;".len()));
        assert_eq!(offset(text, 9, 1), None);
    }

    #[test]
    fn a_panic_is_its_message() {
        let printed = "noise\n\nthread '<unnamed>' (12) panicked at src/lib.rs:9:5:\nindex out of bounds\nreally\n\
                       stack backtrace:\n   0: f\n";
        let at = panic_report(printed).expect("is a report");
        assert_eq!(&printed[..at], "noise\n");
        let error = panicked(&printed[at..]);
        assert_eq!((error.kind, error.evalue.as_str()), (ErrorKind::Panic, "index out of bounds"));
        assert!(error.traceback.join("\n").contains("really"));
    }
}
