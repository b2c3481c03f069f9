//! Lines for whoever reads the server's log; a frontend shows them nowhere.
//!
//! They go to standard error, which may be closed, or a pipe that nobody reads, and what causes them may be anybody who
//! can connect to a port. So a thread of its own writes them, few wait for it, and of a flood only the first are
//! written, with a count of the rest. The kernel never waits for it, and never ends with it.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use oxtorch_system::terminal;
use parking_lot::Mutex;

use crate::pace::Pace;

/// Lines that may wait to be written.
const WAITING: usize = 256;

/// How many lines may come at once.
const BURST: u32 = 100;

/// How often another may follow after that.
const INTERVAL: Duration = Duration::from_millis(100);

/// Characters of a line.
const LONGEST: usize = 1000;

/// How long the last lines may take to be written at the end.
const LAST_LINES: Duration = Duration::from_millis(200);

static LOG: LazyLock<Log> = LazyLock::new(|| Log::to(io::stderr()));

/// Writes a line, soon.
pub(super) fn log(line: Arguments<'_>) {
    LOG.line(&line.to_string());
}

/// Waits until the lines so far are written, if somebody takes them.
pub(super) fn finish() {
    LOG.finish();
}

struct Log {
    entries: SyncSender<Entry>,
    flow: Mutex<Flow>,
}

/// How fast lines may come, and how many were left out since the last that was not.
struct Flow {
    pace: Pace,
    left_out: u64,
}

enum Entry {
    Line(String),
    /// Answers when all ahead of it is written.
    End(SyncSender<()>),
}

impl Log {
    /// A log that is written to `sink`. Where there can be no thread for it there is no log.
    fn to(mut sink: impl Write + Send + 'static) -> Self {
        let (entries, entries_end) = sync_channel(WAITING);
        let write = move || {
            for entry in entries_end {
                match entry {
                    // Nobody can be told where it cannot be written.
                    Entry::Line(line) => drop(sink.write_all(line.as_bytes()).and_then(|()| sink.flush())),
                    Entry::End(written) => drop(written.send(())),
                }
            }
        };
        let _ = std::thread::Builder::new().name("log".into()).spawn(write);
        Self { entries, flow: Mutex::new(Flow { pace: Pace::new(BURST, INTERVAL), left_out: 0 }) }
    }

    fn line(&self, line: &str) {
        let mut flow = self.flow.lock();
        if !flow.pace.take() {
            flow.left_out += 1;
            return;
        }
        let line: String = terminal::plain(line).chars().take(LONGEST).collect();
        let text = match flow.left_out {
            0 => format!("oxtorch: {line}\n"),
            left_out => format!("oxtorch: {left_out} lines were left out here\noxtorch: {line}\n"),
        };
        match self.entries.try_send(Entry::Line(text)) {
            Ok(()) => flow.left_out = 0,
            Err(_) => flow.left_out += 1,
        }
    }

    fn finish(&self) {
        let (written, all_written) = sync_channel(1);
        if self.entries.try_send(Entry::End(written)).is_ok() {
            let _ = all_written.recv_timeout(LAST_LINES);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Keeps what is written, once it may.
    #[derive(Clone, Default)]
    struct Sink {
        text: Arc<Mutex<String>>,
        closed: bool,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut text = self.text.lock();
            if self.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            text.push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_and_on_one_line_each() {
        let sink = Sink::default();
        let log = Log::to(sink.clone());
        log.line("one");
        log.line("two\n\u{1b}[2J");
        log.finish();
        assert_eq!(*sink.text.lock(), "oxtorch: one\noxtorch: two\\u{a}\\u{1b}[2J\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_ends_nothing() {
        let sink = Sink { closed: true, ..Sink::default() };
        let log = Log::to(sink);
        (0..10).for_each(|_| log.line("a line"));
        log.finish();
    }

    #[test]
    fn nobody_waits_for_a_log_that_is_not_read_and_a_flood_is_counted() {
        let sink = Sink::default();
        let log = Log::to(sink.clone());
        let unread = sink.text.lock();
        for _ in 0..10_000 {
            log.line("a line");
        }
        assert!(log.flow.lock().left_out > 9_000);
        drop(unread);
        log.finish();
        let written = sink.text.lock().lines().count();
        assert!((BURST as usize..1000).contains(&written), "{written} lines");
        log.flow.lock().pace = Pace::new(1, INTERVAL);
        log.line("the last");
        log.finish();
        let text = sink.text.lock();
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last[0], "oxtorch: the last");
        assert!(last[1].ends_with(" lines were left out here"), "{last:?}");
    }
}
