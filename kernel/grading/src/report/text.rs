//! Texts of students as a page or a table may show them.
//!
//! Escaping for HTML is the template's. Here goes what is left after that: characters that a reader cannot see, or that
//! put the text around them into another order.

use std::borrow::Cow;
use std::fmt::Write as _;

use oxtorch_system::terminal::is_control;

/// The most characters of one text that are shown: a browser takes long for a line of some megabytes.
const LONGEST: usize = 100_000;

/// A text with its lines and tabs; other control characters are written out, and what is too long ends with a note.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |char| matches!(char, '\n' | '\t'))
}

/// A text on one line, with every control character written out.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    shown(text, |_| false)
}

/// What a program has printed, as a terminal without colors has it in the end: of a line that was begun anew with a
/// carriage return, as progress bars do, what was written last.
pub(super) fn printed(text: &str) -> String {
    let last_state = |line: &'_ str| {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let line = line.trim_end_matches('\r');
        format!("{}{end}", line.rsplit_once('\r').map_or(line, |(_, last)| last))
    };
    console::strip_ansi_codes(text).split_inclusive('\n').map(last_state).collect()
}

fn shown(text: &str, allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_hidden = |char: char| is_control(char) && !allowed(char);
    let kept = text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end]);
    if kept.len() == text.len() && !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(kept.len());
    for char in kept.chars() {
        if is_hidden(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    let left = text[kept.len()..].chars().count();
    if left > 0 {
        let _ = write!(shown, "… ({left} more characters)");
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (text, expected) in [
            ("a line\n\tof text é数🦀", "a line\n\tof text é数🦀"),
            ("a\0b", "a\\u{0}b"),
            ("\u{202e}txet\u{2066}", "\\u{202e}txet\\u{2066}"),
            ("\u{200f}\u{61c}\u{2028}\u{9b}", "\\u{200f}\\u{61c}\\u{2028}\\u{9b}"),
            ("<script>", "<script>"),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(one_line("a\n\tb"), "a\\u{a}\\u{9}b");
    }

    #[test]
    fn what_a_program_printed_is_its_last_state_without_colors() {
        for (text, expected) in [
            ("\u{1b}[1;31merror\u{1b}[0m: x\n", "error: x\n"),
            (" 10 %\r 50 %\r100 %\ndone\r\n", "100 %\ndone\n"),
            ("a\tb\u{7}", "a\tb\u{7}"),
            ("", ""),
        ] {
            assert_eq!(printed(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_says_how_much_is_left_out() {
        let long = "é".repeat(LONGEST + 3);
        let shown = visible(&long);
        assert!(shown.ends_with("é… (3 more characters)") && shown.chars().count() < LONGEST + 30);
        // Neither do megabytes of sequences that do not end take long.
        for hostile in ["\u{1b}", "\u{1b}[", "\u{1b}]8;;", "\r", "\r\n"] {
            assert!(visible(&printed(&hostile.repeat(1_000_000 / hostile.len()))).len() < 10 * LONGEST);
        }
    }
}
