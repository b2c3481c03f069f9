//! What the terminal shows while a notebook runs: a line a cell, and what failed at the end.

use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use oxtorch_session::{CellError, ErrorKind};
use oxtorch_system::terminal::{plain, say};

use super::Failure;

/// Columns for a cell's first line of text.
const TITLE_WIDTH: usize = 48;

/// Columns for a line of somebody else's text that has one to itself.
const LINE_WIDTH: usize = 200;

/// Lines on stderr; on a terminal the running cell's line is live.
pub(super) struct Progress {
    total: usize,
    live: Option<ProgressBar>,
}

impl Progress {
    /// Progress over `total` cells.
    pub(super) fn new(total: usize) -> Self {
        Self { total, live: None }
    }

    /// A cell begins.
    pub(super) fn begin(&mut self, number: usize, source: &str) {
        if !Term::stderr().is_term() {
            return;
        }
        let bar = ProgressBar::new_spinner().with_message(self.line(number, source));
        if let Ok(style) = ProgressStyle::with_template("{msg}  {elapsed} {spinner}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        self.live = Some(bar);
    }

    /// A cell has ended.
    pub(super) fn end(&mut self, number: usize, source: &str, took: Duration, error: Option<ErrorKind>) {
        if let Some(bar) = self.live.take() {
            bar.finish_and_clear();
        }
        let failed = error.map(|kind| format!("  {kind}")).unwrap_or_default();
        let line = self.line(number, source);
        say(format_args!("{line}  {:.2} s{failed}", took.as_secs_f64()));
    }

    fn line(&self, number: usize, source: &str) -> String {
        let width = self.total.to_string().len();
        let title = title(source, TITLE_WIDTH);
        let title = console::pad_str(&title, TITLE_WIDTH, console::Alignment::Left, None);
        format!("[{number:width$}/{}] cell [{number}] {title}", self.total)
    }
}

/// The first line of a cell that says something, in so many columns at most.
fn title(source: &str, width: usize) -> String {
    short(source.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default(), width)
}

/// A line of text as it can stand in a terminal, in so many columns at most.
fn short(line: &str, width: usize) -> String {
    console::truncate_str(&plain(line), width, "...").into_owned()
}

/// Shows what made a run fail: the first failure as a frontend would, of the others a line.
pub(super) fn report(failures: &[Failure]) {
    let Some((first, others)) = failures.split_first() else { return };
    let heading = |failure: &Failure| {
        let Failure { number, total, source, .. } = failure;
        format!("cell [{number}] failed ({number} of {total}): {}", title(source, LINE_WIDTH))
    };
    let mut text = format!("\n{}\n\n", heading(first));
    for line in &first.error.traceback {
        text.push_str(line);
        text.push('\n');
    }
    for other in others {
        let CellError { kind, evalue, .. } = &other.error;
        let evalue = short(evalue.lines().next().unwrap_or_default(), LINE_WIDTH);
        text.push_str(&format!("\n{}\n    {kind}: {evalue}", heading(other)));
    }
    if console::colors_enabled_stderr() {
        say(format_args!("{text}"));
    } else {
        say(format_args!("{}", console::strip_ansi_codes(&text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_cell_moves_the_cursor() {
        let line = Progress::new(1).line(1, "\n\u{1b}[2Jlet x = 1; \u{9b}H\u{202e} // \u{7}");
        assert!(!line.chars().any(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
        assert!(line.contains("let x = 1;"), "{line:?}");
    }

    #[test]
    fn a_title_has_the_room_of_a_line() {
        assert_eq!(title("\n  let x = 1;\nx", 20), "let x = 1;");
        let long = title(&format!("let x = \"{}\";", "数".repeat(30_000)), LINE_WIDTH);
        assert!(console::measure_text_width(&long) <= LINE_WIDTH && long.ends_with("..."), "{long}");
    }
}
