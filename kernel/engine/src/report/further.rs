//! The errors below the first one, in a line or two each: where, what, and what to write instead.
//!
//! Errors are often independent, as in a cell written like Python. Whoever sees all of them mends all of them at once.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span};
use crate::report::hints::Advice;
use crate::report::layout::listed;
use crate::report::render::{imports, patches, says_nothing, text_of_file, without_folder};
use crate::source::source_map::{CrateSource, Place, line_of};
use crate::source::words::in_name;

/// More errors than this are not mended at once.
const MOST: usize = 12;

/// Nor does a longer list help, as that of errors about long types.
const MOST_LINES: usize = 24;

/// Of an error at more places than this, the first are enough to find the others.
const MOST_PLACES: usize = 4;

/// A line of code that a suggestion makes is shown if it has room beside the suggestion.
const LONGEST_CODE: usize = 60;

/// Where an error is: of the earlier cells first, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    cell: u32,
    file: String,
    line: usize,
    column: usize,
}

/// What is said of one or more places.
#[derive(Debug)]
struct Entry {
    spots: Vec<Spot>,
    message: String,
    help: Option<Help>,
}

/// What to do, and the code that this makes at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Help {
    text: String,
    code: Option<String>,
}

/// The list of these errors, in the order of the lines that they are in.
pub fn lines(
    errors: &[&Diagnostic],
    source: &CrateSource,
    file: &str,
    advice: impl Fn(&Diagnostic) -> Advice,
) -> Vec<String> {
    let mut placed: Vec<(Spot, &Diagnostic)> =
        errors.iter().filter_map(|error| Some((spot(error, source, file)?, *error))).collect();
    placed.sort_by(|one, other| one.0.cmp(&other.0));
    let mut entries: Vec<Entry> = Vec::new();
    for (spot, error) in placed {
        let message = message(error, source);
        let help = help(error, &advice(error), source, file);
        let text = |help: &Option<Help>| help.as_ref().map(|help| help.text.clone());
        let same = |entry: &&mut Entry| {
            entry.message == message && text(&entry.help) == text(&help) && entry.spots[0].file == spot.file
        };
        match entries.iter_mut().find(same) {
            Some(entry) => entry.add(spot, help),
            None => entries.push(Entry { spots: vec![spot], message, help }),
        }
    }
    listing(&entries)
}

/// As many entries as there is room for, and how many errors are not among them.
fn listing(entries: &[Entry]) -> Vec<String> {
    let (mut lines, mut shown) = (Vec::new(), 0);
    for entry in entries.iter().take(MOST) {
        let drawn = entry.drawn();
        if lines.len() + drawn.len() > MOST_LINES && shown > 0 {
            break;
        }
        lines.extend(drawn);
        shown += 1;
    }
    let more: usize = entries[shown..].iter().map(|entry| entry.spots.len()).sum();
    if more > 0 {
        lines.push(format!("... and {more} more error{}", if more == 1 { "" } else { "s" }));
    }
    if lines.is_empty() { lines } else { [vec![String::new()], lines].concat() }
}

impl Entry {
    /// Adds a place of the same error; the code of one place is not that of another.
    fn add(&mut self, spot: Spot, help: Option<Help>) {
        self.spots.push(spot);
        if let Some(own) = self.help.as_mut().filter(|own| help.is_some_and(|help| help.code != own.code)) {
            own.code = None;
        }
    }

    fn drawn(&self) -> Vec<String> {
        let (first, others) = self.spots.split_at(1);
        let Spot { file, line, column, .. } = &first[0];
        let mut places = format!("{file}:{line}:{column}");
        others.iter().take(MOST_PLACES - 1).for_each(|spot| places += &format!(", {}:{}", spot.line, spot.column));
        if self.spots.len() > MOST_PLACES {
            places += ", ...";
        }
        let mut lines = listed(&format!("{places}: "), &self.message, "");
        lines.extend(self.help.iter().flat_map(|help| listed("  ", "help", &format!(": {}", help.told()))));
        lines
    }
}

/// The place of an error in a cell, or in a file of the user's.
fn spot(error: &Diagnostic, source: &CrateSource, file: &str) -> Option<Spot> {
    if let Some(place) = error.range_in(file).and_then(|range| source.place(range)) {
        let cell = place.cell.number();
        return Some(Spot { cell, file: format!("cell [{cell}]"), line: place.line(), column: place.column() });
    }
    let span = error.primary()?;
    let text = text_of_file(span, source)?;
    let (before, file) = (&text[..span.byte_start], without_folder(&span.file_name, source));
    let column = before[before.rfind('\n').map_or(0, |at| at + 1)..].chars().count() + 1;
    Some(Spot { cell: u32::MAX, file, line: line_of(&text, span.byte_start), column })
}

/// The message, with the label where that alone says what it is about: "mismatched types".
fn message(error: &Diagnostic, source: &CrateSource) -> String {
    let label = error.primary().and_then(|span| span.label.as_deref()).filter(|_| !error.message.contains('`'));
    let whole = label.map_or_else(|| error.message.clone(), |label| format!("{}: {label}", error.message));
    in_one_line(&without_folder(&readable(&whole), source))
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Help {
    fn of(text: String) -> Self {
        Self { text, code: None }
    }

    fn told(&self) -> String {
        let code = self.code.as_ref().map(|code| format!(": `{code}`"));
        format!("{}{}", self.text, code.unwrap_or_default())
    }
}

/// What to write: by our advice, else by rustc's first suggestion, else by what rustc says without a place.
fn help(error: &Diagnostic, advice: &Advice, source: &CrateSource, file: &str) -> Option<Help> {
    if let Some(help) = advice.help.first() {
        return Some(Help::of(in_one_line(help)));
    }
    if let Some(patch) = &advice.patch {
        return Some(Help { text: patch.message.clone(), code: Some(patch.replacement.trim().to_owned()) });
    }
    let children = || error.children.iter().filter(|_| !advice.hides_suggestions);
    let text = |child: &Diagnostic| in_one_line(&without_folder(&readable(&child.message), source));
    let suggested = children().find_map(|child| {
        let spans: Vec<&Span> = child.spans.iter().filter(|span| span.suggested_replacement.is_some()).collect();
        if let Some(imports) = imports(&spans) {
            return Some(Help::of(format!("{}: {imports}", text(child))));
        }
        patches(&spans, source, file).map(|patches| Help { text: text(child), code: code_with(patches) })
    });
    let said = || {
        let mut said = children().filter(|child| child.level == "help" && child.spans.is_empty());
        // That a trait is not implemented is what the message says as well.
        said.find(|child| !says_nothing(&child.message) && !child.message.starts_with("the trait `"))
            .map(|child| Help::of(text(child)))
    };
    suggested.or_else(said)
}

/// The line that a suggestion makes; of one that is too long, what it writes there, if that is all in one place.
fn code_with(patches: Vec<(Place, String)>) -> Option<String> {
    let written = match &patches[..] {
        // A `&` by itself says nothing.
        [(_, code)] => Some(code.trim().to_owned()).filter(|code| code.contains(in_name) && !code.contains('\n')),
        _ => None,
    };
    line_with(patches).or(written)
}

/// The line that a suggestion makes, if it changes one line alone and that is short.
fn line_with(mut patches: Vec<(Place, String)>) -> Option<String> {
    patches.sort_by_key(|(place, _)| place.range.start);
    let (first, last) = (&patches.first()?.0, &patches.last()?.0);
    let text = &first.cell.text;
    let start = text[..first.range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[last.range.end..].find('\n').map_or(text.len(), |at| last.range.end + at);
    let (mut line, mut at) = (String::new(), start);
    for (place, code) in &patches {
        line += text.get(at..place.range.start)?;
        line += code;
        at = place.range.end;
    }
    line += &text[at..end];
    let line = line.trim();
    (!line.contains('\n') && line.chars().count() <= LONGEST_CODE).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use console::strip_ansi_codes;

    use super::*;
    use crate::source::fragment::CellText;

    fn entry(line: usize, message: &str) -> Entry {
        let spots = vec![Spot { cell: 5, file: "cell [5]".to_owned(), line, column: 3 }];
        Entry { spots, message: message.to_owned(), help: Some(Help::of("write `x`".to_owned())) }
    }

    fn plain(entries: &[Entry]) -> Vec<String> {
        listing(entries).iter().map(|line| strip_ansi_codes(line).into_owned()).collect()
    }

    #[test]
    fn an_entry_says_where_and_what_to_write() {
        assert_eq!(plain(&[entry(9, "no")]), ["", "cell [5]:9:3: no", "  help: write `x`"]);
        let mut five = entry(1, "no");
        five.spots = (1..=5).flat_map(|line| entry(line, "no").spots).collect();
        assert_eq!(plain(&[five])[1], "cell [5]:1:3, 2:3, 3:3, 4:3, ...: no");
        assert!(plain(&[]).is_empty());
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let many: Vec<Entry> = (1..=15).map(|line| entry(line, "no")).collect();
        let lines = plain(&many);
        assert_eq!(lines.len(), 1 + 2 * MOST + 1);
        assert_eq!(lines.last().expect("a line"), "... and 3 more errors");
        let long: Vec<Entry> = (1..=5).map(|line| entry(line, &"long type ".repeat(70))).collect();
        assert_eq!(plain(&long).last().expect("a line"), "... and 3 more errors", "{:#?}", plain(&long));
    }

    #[test]
    fn a_suggestion_is_shown_as_the_line_that_it_makes() {
        let cell = CellText::new(1, "let a = 1;\n    f(x, y);\n");
        let patch = |at: usize, code: &str| (Place { cell: cell.clone(), range: at..at }, code.to_owned());
        assert_eq!(line_with(vec![patch(20, "&"), patch(17, "&")]).as_deref(), Some("f(&x, &y);"));
        let long = "x".repeat(80);
        assert_eq!(line_with(vec![patch(17, &long)]), None);
        assert_eq!(code_with(vec![patch(17, &long)]), Some(long.clone()));
        assert_eq!(code_with(vec![patch(17, &long), patch(20, "&")]), None);
        assert_eq!(line_with(vec![patch(0, "use x;\n")]), None);
    }
}
