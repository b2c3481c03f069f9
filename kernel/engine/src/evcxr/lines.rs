//! What the process that runs the cells writes: evcxr's own lines, messages of the runtime, and text of the user's.
//!
//! evcxr reads its child's stdout line by line, and knows neither a piece of a line nor that a cell has failed. So all
//! but its own lines travel through it as marked lines, which it hands on as they are.

use oxtorch_protocol::{FromHost, STDOUT_MARK};
use serde::{Deserialize, Serialize};

use crate::host::rich_output::{BEGIN, END};
use crate::host::text::incomplete_character;

const MARK: u8 = STDOUT_MARK as u8;
/// What all of evcxr's own lines begin with.
const PREFIX: &str = "EVCXR_";
const PANICKED: &str = "EVCXR_PANIC_NOTIFICATION";
const FAILED: &str = "EVCXR_ERROR_OCCURRED";
/// Lines that end with one of these, or whose last part begins so, are evcxr's.
const WHOLE: [&str; 3] = ["EVCXR_EXECUTION_COMPLETE", PANICKED, FAILED];
const BEGINNINGS: [&str; 3] = [BEGIN, "EVCXR_VARIABLE_CHANGED_TYPE:", "EVCXR_INPUT_REQUEST"];

/// A marked line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// Text that the user's code has printed; it need not end at a line end.
    Text {
        /// Whether to stderr.
        stderr: bool,
        /// The text.
        text: String,
    },
    /// The cell has panicked.
    Panicked,
    /// A `?` at the top level of the cell met an error, which has been printed to stderr.
    Failed,
    /// The process has ended.
    Ended {
        /// How, for a reader.
        how: String,
    },
    /// A message of the runtime.
    #[serde(untagged)]
    Message(FromHost),
}

impl Line {
    /// The line as it travels.
    pub fn marked(&self) -> String {
        let json = serde_json::to_string(self).expect("strings and maps with string keys are JSON");
        format!("{STDOUT_MARK}{json}\n")
    }

    /// Reads a line without its end.
    pub fn read(line: &str) -> Self {
        let marked = line.strip_prefix(STDOUT_MARK).and_then(|json| serde_json::from_str(json).ok());
        marked.unwrap_or_else(|| Self::Text { stderr: false, text: format!("{line}\n") })
    }
}

/// Turns the stdout of the process that runs the cells into what evcxr is to read.
#[derive(Debug, Default)]
pub struct Stdout {
    /// What may be the beginning of a line that is not text.
    held: Vec<u8>,
    /// Between the lines around a MIME bundle's part.
    in_content: bool,
}

impl Stdout {
    /// Takes what was read; returns what to write.
    pub fn take(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        let mut out = String::new();
        let whole = self.held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.held.drain(..whole).collect();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.line(&String::from_utf8_lossy(line), &mut text, &mut out);
        }
        if !self.in_content {
            let ready = self.held.len() - held_back(&self.held);
            let bytes: Vec<u8> = self.held.drain(..ready).collect();
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        flush(&mut text, &mut out);
        out
    }

    /// What is left when nothing more comes.
    pub fn end(&mut self) -> String {
        let mut text = String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned();
        let mut out = String::new();
        flush(&mut text, &mut out);
        out
    }

    /// Takes one line with its end.
    fn line(&mut self, line: &str, text: &mut String, out: &mut String) {
        let bare = line.trim_end_matches('\n');
        if self.in_content {
            self.in_content = bare != END && bare != PANICKED;
            if bare == PANICKED {
                out.push_str(&Line::Panicked.marked());
            }
            out.push_str(line);
            return;
        }
        let Some(at) = own_part(bare) else {
            text.push_str(line);
            return;
        };
        text.push_str(&bare[..at]);
        flush(text, out);
        let own = &bare[at..];
        match own {
            PANICKED => out.push_str(&Line::Panicked.marked()),
            FAILED => out.push_str(&Line::Failed.marked()),
            _ => self.in_content = own.starts_with(BEGIN),
        }
        out.push_str(own);
        out.push('\n');
    }
}

/// Where in a line the part begins that is not text: a piece of text without a line end may stand ahead of it.
fn own_part(line: &str) -> Option<usize> {
    if let Some(at) = line.find(STDOUT_MARK)
        && serde_json::from_str::<FromHost>(&line[at + 1..]).is_ok()
    {
        return Some(at);
    }
    let whole = WHOLE.iter().find_map(|mark| line.strip_suffix(mark)).map(str::len);
    whole.or_else(|| BEGINNINGS.iter().find_map(|mark| line.find(mark)))
}

/// How many bytes at the end of an unfinished line may belong to something that is not text, or to half a character.
fn held_back(bytes: &[u8]) -> usize {
    if let Some(at) = bytes.iter().position(|byte| *byte == MARK) {
        return bytes.len() - at;
    }
    if let Some(at) = bytes.windows(PREFIX.len()).position(|window| window == PREFIX.as_bytes()) {
        return bytes.len() - at;
    }
    let begun = (1..PREFIX.len()).rev().find(|length| bytes.ends_with(&PREFIX.as_bytes()[..*length]));
    begun.unwrap_or_else(|| incomplete_character(bytes))
}

fn flush(text: &mut String, out: &mut String) {
    if !text.is_empty() {
        out.push_str(&Line::Text { stderr: false, text: std::mem::take(text) }.marked());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        Line::Text { stderr: false, text: text.into() }.marked()
    }

    #[track_caller]
    fn check(reads: &[&str], written: &[String]) {
        let mut stdout = Stdout::default();
        let mut out: String = reads.iter().map(|bytes| stdout.take(bytes.as_bytes())).collect();
        out.push_str(&stdout.end());
        assert_eq!(out, written.concat());
    }

    #[test]
    fn text_is_passed_on_as_it_comes() {
        check(&["a\nb\n", "\r50 %", "\r60 %"], &[text("a\nb\n"), text("\r50 %"), text("\r60 %")]);
    }

    #[test]
    fn lines_of_evcxr_stay_lines_of_their_own() {
        let end = "EVCXR_EXECUTION_COMPLETE\n".to_owned();
        check(&["a\n", "EVCXR_EXECUTION_COMPLETE\n"], &[text("a\n"), end.clone()]);
        check(&["no line end", "EVCXR_EXECUTION", "_COMPLETE\n"], &[text("no line end"), end.clone()]);
        check(
            &["aEVCXR_PANIC_NOTIFICATION\n"],
            &[text("a"), Line::Panicked.marked(), "EVCXR_PANIC_NOTIFICATION\n".into()],
        );
        check(
            &["EVCXR_ERROR_OCCURRED\nEVCXR_EXECUTION_COMPLETE\n"],
            &[Line::Failed.marked(), "EVCXR_ERROR_OCCURRED\n".into(), end],
        );
    }

    #[test]
    fn a_bundle_is_not_text() {
        let bundle = "EVCXR_BEGIN_CONTENT text/html\n<b>a</b>\nEVCXR_END_CONTENT\n";
        check(&["x", bundle, "y\n"], &[text("x"), bundle.into(), text("y\n")]);
    }

    #[test]
    fn messages_of_the_runtime_are_kept_apart_from_text() {
        let message = Line::Message(FromHost::ClearOutput { wait: true }).marked();
        check(&["a", &message, "b"], &[text("a"), message.clone(), text("b")]);
        assert_eq!(Line::read(message.trim_end()), Line::Message(FromHost::ClearOutput { wait: true }));
        check(&["\u{1}own\n"], &[text("\u{1}own\n")]);
    }

    #[test]
    fn words_that_only_begin_alike_are_text() {
        check(&["an EVC", " and EVCXR_ things\n"], &[text("an "), text("EVC and EVCXR_ things\n")]);
    }

    #[test]
    fn what_was_written_reads_back() {
        for line in [Line::Panicked, Line::Failed, Line::Text { stderr: true, text: "a\nb".into() }] {
            assert_eq!(Line::read(line.marked().trim_end_matches('\n')), line);
        }
        assert_eq!(Line::read("plain"), Line::Text { stderr: false, text: "plain\n".into() });
    }
}
