//! How set-up tells the user what it does: a bar in a terminal, a text that changes in a notebook, lines elsewhere.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use oxtorch_system::terminal;
use parking_lot::Mutex;

pub use crate::whole::Whole;

/// A part of the set-up of an empty home. Parts that are done already are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Gets libtorch.
    Libtorch,
    /// Gets the crates.
    Crates,
    /// Compiles the shim.
    Shim,
    /// Builds the runtime.
    Runtime,
}

impl Part {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Libtorch, Self::Crates, Self::Shim, Self::Runtime];

    /// How long it takes on a computer with 2 cores and 10 MB/s.
    pub fn usually(self) -> Duration {
        Duration::from_secs(match self {
            Self::Libtorch => 60,
            Self::Crates => 10,
            Self::Shim => 75,
            Self::Runtime => 200,
        })
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update<'a> {
    /// What is being done now, in a few words.
    Doing(&'a str),
    /// How many bytes have arrived.
    Bytes(u64),
    /// Pieces that are done, of how many.
    Count {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
        /// The piece that was done last.
        name: &'a str,
    },
}

/// Takes what set-up tells of its progress.
pub trait Progress: Send + Sync {
    /// A new step begins; the one before it is done.
    fn step(&self, what: &str);
    /// The parts that this set-up has, unless it has all.
    fn parts(&self, _parts: &'static [Part]) {}
    /// A part begins; those ahead of it are done. Its steps follow. It downloads about so many bytes, if that is known.
    fn part(&self, _part: Part, _bytes: Option<u64>) {}
    /// The running step got further.
    fn update(&self, update: Update<'_>);
    /// All steps are done.
    fn done(&self);
}

/// Tells how many bytes have arrived while `work` runs.
pub fn count_bytes<T>(
    progress: &dyn Progress,
    every: Duration,
    arrived: impl Fn() -> u64 + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                progress.update(Update::Bytes(arrived()));
                std::thread::park_timeout(every);
            }
        });
        let result = work();
        ended.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        result
    })
}

/// The bytes of the files in a folder that may change meanwhile.
pub fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_in(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |found| found.len()),
            _ => 0,
        })
        .sum()
}

/// The right kind of progress for standard error.
pub fn for_stderr() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        Box::new(Terminal::default())
    } else {
        Box::new(Lines::new(|line| terminal::say(format_args!("{line}"))))
    }
}

/// A bar for each step, drawn on standard error.
#[derive(Default)]
struct Terminal {
    bar: Mutex<Option<ProgressBar>>,
}

/// What is drawn of a step of which nothing more is known.
const STEP: &str = "{spinner} {prefix}{msg} {elapsed:.dim}";

impl Progress for Terminal {
    fn step(&self, what: &str) {
        self.done();
        let bar = ProgressBar::no_length().with_prefix(what.to_owned()).with_style(style(STEP));
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.bar.lock() = Some(bar);
    }

    fn update(&self, update: Update<'_>) {
        let bar = self.bar.lock();
        let Some(bar) = bar.as_ref() else { return };
        match update {
            Update::Doing(doing) => {
                bar.set_style(style(STEP));
                bar.set_message(format!(": {doing}"));
            }
            Update::Bytes(done) => {
                bar.set_style(style("{spinner} {prefix}{msg} {bytes} {elapsed:.dim}"));
                bar.set_position(done);
            }
            Update::Count { done, total, name } => {
                bar.set_style(style("{spinner} {prefix}{msg} [{bar:24}] {pos}/{len} {elapsed:.dim}"));
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(format!(" ({name})"));
            }
        }
    }

    fn done(&self) {
        if let Some(bar) = self.bar.lock().take() {
            bar.set_style(style("\u{2713} {prefix} {elapsed:.dim}"));
            bar.finish();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates in this file are valid").progress_chars("=> ")
}

/// A line for each step, and one from time to time while a step runs: for log files and for frontends.
pub struct Lines<W> {
    write: W,
    last: Mutex<Instant>,
}

/// How long a line of a running step stands before the next.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

impl<W: Fn(String) + Send + Sync> Lines<W> {
    /// Progress that gives each line, without its end, to `write`.
    pub fn new(write: W) -> Self {
        Self { write, last: Mutex::new(Instant::now()) }
    }
}

impl<W: Fn(String) + Send + Sync> Progress for Lines<W> {
    fn step(&self, what: &str) {
        *self.last.lock() = Instant::now();
        (self.write)(what.to_owned());
    }

    fn update(&self, update: Update<'_>) {
        let mut last = self.last.lock();
        if last.elapsed() < BETWEEN_LINES {
            return;
        }
        *last = Instant::now();
        (self.write)(format!("  {}", line(update)));
    }

    fn done(&self) {}
}

pub(crate) fn line(update: Update<'_>) -> String {
    match update {
        Update::Doing(doing) => doing.to_owned(),
        Update::Bytes(done) => size(done),
        Update::Count { done, total, name } => format!("{done} of {total} ({name})"),
    }
}

/// A number of bytes for people: `1.2 GB`, `310 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        1_000_000.. => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} kB", bytes as f64 / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_reads_as_a_line() {
        for (update, expected) in [
            (Update::Doing("linking"), "linking"),
            (Update::Bytes(310_400_000), "310 MB"),
            (Update::Bytes(1_240_000_000), "1.2 GB"),
            (Update::Count { done: 3, total: 90, name: "rand" }, "3 of 90 (rand)"),
        ] {
            assert_eq!(line(update), expected);
        }
    }

    #[test]
    fn steps_are_told_at_once_and_quick_updates_are_not() {
        let (says, hears) = std::sync::mpsc::channel();
        let progress = Lines::new(move |line| says.send(line).expect("the test listens"));
        progress.step("Building");
        progress.update(Update::Doing("much"));
        progress.step("Linking");
        drop(progress);
        assert_eq!(hears.iter().collect::<Vec<_>>(), ["Building", "Linking"]);
    }
}
