//! What the terminal shows while a notebook runs: a line a cell, and the first failure at the end.

use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;

/// Columns for a cell's first line of text.
const TITLE_WIDTH: usize = 48;

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

    /// A line from the set-up.
    pub(super) fn set_up(&self, line: &str) {
        eprintln!("{line}");
    }

    /// A cell begins.
    pub(super) fn begin(&mut self, number: usize, execution_count: u32, source: &str) {
        if !Term::stderr().is_term() {
            return;
        }
        let bar = ProgressBar::new_spinner().with_message(self.line(number, execution_count, source));
        if let Ok(style) = ProgressStyle::with_template("{msg}  {elapsed} {spinner}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        self.live = Some(bar);
    }

    /// A cell has ended.
    pub(super) fn end(
        &mut self,
        number: usize,
        execution_count: u32,
        source: &str,
        took: Duration,
        error: Option<&str>,
    ) {
        if let Some(bar) = self.live.take() {
            bar.finish_and_clear();
        }
        let failed = error.map(|ename| format!("  {ename}")).unwrap_or_default();
        let line = self.line(number, execution_count, source);
        eprintln!("{line}  {:.2} s{failed}", took.as_secs_f64());
    }

    fn line(&self, number: usize, execution_count: u32, source: &str) -> String {
        let width = self.total.to_string().len();
        let title = console::truncate_str(title(source), TITLE_WIDTH, "...");
        let title = console::pad_str(&title, TITLE_WIDTH, console::Alignment::Left, None);
        format!("[{number:width$}/{}] cell [{execution_count}] {title}", self.total)
    }
}

/// The first line of a cell that says something.
fn title(source: &str) -> &str {
    source.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// Shows the failure that made a run fail, as a frontend would.
pub(super) fn report(failure: &Failure) {
    let Failure { number, total, execution_count, source, error } = failure;
    let mut text = format!("\ncell [{execution_count}] failed ({number} of {total}): {}\n\n", title(source));
    for line in &error.traceback {
        text.push_str(line);
        text.push('\n');
    }
    if console::colors_enabled_stderr() {
        eprintln!("{text}");
    } else {
        eprintln!("{}", console::strip_ansi_codes(&text));
    }
}
