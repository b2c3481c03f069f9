//! How a host process ended, in words: from its exit status, and from what Rust's runtime said last.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use parking_lot::Mutex;

/// What a process that runs a cell has said of its own end.
#[derive(Debug, Default)]
pub(crate) struct LastWords(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    cause: Option<Cause>,
    /// The end of what it has written to stderr.
    end: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    StackOverflow,
    OutOfMemory { bytes: u128 },
    PanicWhilePanicking,
}

impl LastWords {
    /// Takes such lines out of text on stderr, and says how many bytes at its end may be the start of one: the error
    /// that follows says the same in other words.
    pub fn take(&self, text: &str) -> (String, usize) {
        let mut said = self.0.lock();
        let mut rest = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            if let Some(cause) = cause(line) {
                // The first of them is written behind an empty line.
                if rest == "\n" {
                    rest.clear();
                }
                said.cause.get_or_insert(cause);
            } else if !(said.cause.is_some() && line.starts_with("note: run with `RUST_BACKTRACE=1`")) {
                rest.push_str(line);
            }
        }
        let last = text.split_inclusive('\n').next_back().unwrap_or("");
        let begins_one = !last.ends_with('\n')
            && last.len() < LONGEST
            && BEGINNINGS.iter().any(|start| last.starts_with(start) || start.starts_with(last));
        let held = if begins_one { last.len() } else { 0 };
        rest.truncate(rest.len().saturating_sub(held));
        said.end.push_str(&rest);
        let too_much = said.end.ceil_char_boundary(said.end.len().saturating_sub(LONGEST));
        said.end.drain(..too_much);
        // The empty line alone may be the first piece.
        if rest == "\n" {
            return (String::new(), text.len());
        }
        (rest, held)
    }

    /// Why the process has ended before it could run anything, as a predicate: it has said so itself.
    pub fn not_started(&self, status: ExitStatus) -> String {
        let said = self.0.lock().end.clone();
        match said.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => format!("could not start: {}", line.trim()),
            None => format!("could not start: it {}", self.ended(status)),
        }
    }

    /// How the process ended, as a predicate.
    pub fn ended(&self, status: ExitStatus) -> String {
        match (self.0.lock().cause, status.signal(), status.code()) {
            (Some(Cause::StackOverflow), Some(_), _) => {
                "overflowed its stack: a function probably calls itself without end".to_owned()
            }
            (Some(Cause::OutOfMemory { bytes }), Some(_), _) => {
                format!("ran out of memory: a value asked for {} at once", size(bytes))
            }
            (Some(Cause::PanicWhilePanicking), Some(_), _) => {
                "aborted: a `drop` panicked during another panic, or a function that must not panic did".to_owned()
            }
            (_, Some(libc::SIGKILL), _) => "was killed (SIGKILL): by somebody, or because memory ran out".to_owned(),
            (_, Some(libc::SIGSEGV | libc::SIGBUS), _) => {
                "crashed (SIGSEGV): unsafe code used memory that is not its own".to_owned()
            }
            (_, Some(libc::SIGABRT), _) => "aborted (SIGABRT), as `std::process::abort` does".to_owned(),
            (_, Some(signal), _) => format!("was killed by signal {signal}"),
            (_, None, Some(code)) => format!("exited with code {code}"),
            (_, None, None) => "ended".to_owned(),
        }
    }
}

/// None of them is longer: a longer line has only begun like one.
const LONGEST: usize = 4 << 10;

/// How lines about the end begin. Rust's runtime writes them in pieces.
const BEGINNINGS: [&str; 5] = [
    "thread '",
    "fatal runtime error: ",
    "thread caused non-unwinding",
    "memory allocation of ",
    "note: run with `RUST",
];

/// The cause that a line of Rust's runtime tells.
fn cause(line: &str) -> Option<Cause> {
    let line = line.trim_end();
    if line.starts_with("thread '") && line.ends_with("has overflowed its stack")
        || line == "fatal runtime error: stack overflow, aborting"
    {
        return Some(Cause::StackOverflow);
    }
    if line == "thread caused non-unwinding panic. aborting." {
        return Some(Cause::PanicWhilePanicking);
    }
    let bytes = line.strip_prefix("memory allocation of ")?.strip_suffix(" bytes failed")?;
    Some(Cause::OutOfMemory { bytes: bytes.parse().ok()? })
}

/// A number of bytes as a reader likes it.
fn size(bytes: u128) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = bytes;
    let mut unit = 0;
    while size >= 1000 && unit + 1 < units.len() {
        size /= 1000;
        unit += 1;
    }
    format!("{size} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_taken_out_and_told() {
        let words = LastWords::default();
        let text = "\nthread 'cell' (12) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
        assert_eq!(words.take(text), (String::new(), 0));
        assert!(words.ended(ExitStatus::from_raw(libc::SIGABRT)).contains("stack"));
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_waited_for() {
        let words = LastWords::default();
        assert_eq!(words.take("\n"), (String::new(), 1));
        assert_eq!(words.take("\nthread 'ce"), (String::new(), 11));
        assert_eq!(words.take("a\nthread 'ce"), ("a\n".to_owned(), 10));
        assert_eq!(words.take("a\nmem"), ("a\n".to_owned(), 3));
    }

    #[test]
    fn what_it_said_last_tells_why_it_did_not_start() {
        let words = LastWords::default();
        let status = ExitStatus::from_raw(127 << 8);
        assert_eq!(words.not_started(status), "could not start: it exited with code 127");
        words.take(&"a".repeat(2 * LONGEST));
        words.take("\nlibtorch.so: file too short\n\n");
        assert_eq!(words.not_started(status), "could not start: libtorch.so: file too short");
        assert!(words.0.lock().end.len() <= LONGEST);
    }

    #[test]
    fn a_line_that_only_begins_like_one_is_not_held_for_ever() {
        let long = format!("thread '{}", "a".repeat(LONGEST));
        assert_eq!(LastWords::default().take(&long), (long.clone(), 0));
    }

    #[test]
    fn other_text_stays() {
        let words = LastWords::default();
        let take = |text: &str| words.take(text);
        assert_eq!(take("loss 0.5\n\nmemory is cheap\n"), ("loss 0.5\n\nmemory is cheap\n".to_owned(), 0));
        assert_eq!(take("a\nmemory allocation of 70368744177664 bytes failed\n"), ("a\n".to_owned(), 0));
        assert_eq!(take("step 3"), ("step 3".to_owned(), 0));
        assert!(words.ended(ExitStatus::from_raw(libc::SIGABRT)).ends_with("70 TB at once"));
    }
}
