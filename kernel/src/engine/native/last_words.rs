//! How a host process ended, in words: from its exit status, and from what Rust's runtime said last.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

/// What a process that runs a cell has said of its own end.
#[derive(Debug, Default)]
pub(super) struct LastWords(Mutex<Option<Cause>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    StackOverflow,
    OutOfMemory { bytes: u128 },
    PanicWhilePanicking,
}

impl LastWords {
    /// Takes such lines out of text on stderr: the error that follows says the same in other words.
    pub fn take(&self, text: &str) -> String {
        let mut rest = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            match cause(line) {
                Some(cause) => {
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
                }
                None => rest.push_str(line),
            }
        }
        // The first of them begins with an empty line.
        if rest.trim().is_empty() && rest.len() < text.len() { String::new() } else { rest }
    }

    /// How the process ended, as a predicate.
    pub fn ended(&self, status: ExitStatus) -> String {
        let cause = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (cause, status.signal(), status.code()) {
            (Some(Cause::StackOverflow), Some(_), _) => {
                "overflowed its stack: a function probably calls itself without end".to_owned()
            }
            (Some(Cause::OutOfMemory { bytes }), Some(_), _) => {
                format!("ran out of memory: a value asked for {} at once", size(bytes))
            }
            (Some(Cause::PanicWhilePanicking), Some(_), _) => {
                "aborted: a `drop` panicked while another panic was on its way, or a function that must not panic did"
                    .to_owned()
            }
            (_, Some(libc::SIGKILL), _) => {
                "was killed (SIGKILL): by a second interrupt, by somebody, or because memory ran out".to_owned()
            }
            (_, Some(libc::SIGSEGV | libc::SIGBUS), _) => {
                "crashed (SIGSEGV): unsafe code used memory that is not its own".to_owned()
            }
            (_, Some(libc::SIGABRT), _) => "aborted (SIGABRT), as `std::process::abort` does".to_owned(),
            (_, Some(signal), _) => format!("was ended by signal {signal}"),
            (_, None, Some(code)) => format!("exited with code {code}"),
            (_, None, None) => "ended".to_owned(),
        }
    }
}

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
        assert_eq!(words.take(text), "");
        assert!(words.ended(ExitStatus::from_raw(libc::SIGABRT)).contains("stack"));
    }

    #[test]
    fn other_text_stays() {
        let words = LastWords::default();
        assert_eq!(words.take("loss 0.5\n\nmemory is cheap\n"), "loss 0.5\n\nmemory is cheap\n");
        assert_eq!(words.take("a\nmemory allocation of 70368744177664 bytes failed\n"), "a\n");
        assert!(words.ended(ExitStatus::from_raw(libc::SIGABRT)).ends_with("70 TB at once"));
    }
}
