//! What a command writes for the person who started it: on standard error what goes on, on standard output what was
//! asked for.
//!
//! Much of it comes from notebooks, paths and other programs, so only colors may reach the terminal as they are: a
//! control sequence can rewrite what stands there, or answer as if somebody typed. And whoever reads may be gone: that
//! ends no run.

use std::borrow::Cow;
use std::fmt::{Arguments, Write as _};
use std::io::{self, Write};

/// Writes a line to standard error.
pub fn say(line: Arguments<'_>) {
    write(io::stderr().lock(), line);
}

/// Writes a line to standard output.
pub fn answer(line: Arguments<'_>) {
    write(io::stdout().lock(), line);
}

fn write(mut to: impl Write, line: Arguments<'_>) {
    let text = format!("{line}\n");
    // Nobody can be told where it cannot be written.
    let _ = to.write_all(colored(&text).as_bytes()).and_then(|()| to.flush());
}

/// The text on one line, with every control character written out.
pub fn plain(text: &str) -> Cow<'_, str> {
    shown(text, |_| 0)
}

/// The text with lines, tabs and colors; other control characters are written out.
fn colored(text: &str) -> Cow<'_, str> {
    shown(text, |rest| if rest.starts_with(['\n', '\t']) { 1 } else { color(rest) })
}

/// Writes control characters out, but for as many bytes as `allowed` says at each.
fn shown(text: &str, allowed: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = if is_control(char) { allowed(rest) } else { char.len_utf8() };
        if length == 0 {
            let _ = write!(shown, "{}", char.escape_unicode());
        }
        shown.push_str(&rest[..length]);
        rest = &rest[length.max(char.len_utf8())..];
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something other than show the character; changing the direction of the text around it is
/// that too.
pub fn is_control(char: char) -> bool {
    const BREAKS: [char; 2] = ['\u{2028}', '\u{2029}'];
    let changes_direction =
        matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || changes_direction || BREAKS.contains(&char)
}

/// The bytes of the sequence for a color, bold or the like at the start of a text: `ESC [ 1 ; 31 m`.
fn color(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = parameters.find(|char: char| !matches!(char, '0'..='9' | ';')).unwrap_or(parameters.len());
    if parameters[end..].starts_with('m') { 2 + end + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_and_lines_pass_and_nothing_else_that_a_terminal_acts_on() {
        for (text, expected) in [
            ("a line\n\tof text é数🦀", "a line\n\tof text é数🦀"),
            ("\u{1b}[1;31merror\u{1b}[0m", "\u{1b}[1;31merror\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}[H", "\\u{1b}[2J\\u{1b}[H"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}]52;c;cm0gLXJm\u{7}", "\\u{1b}]52;c;cm0gLXJm\\u{7}"),
            ("ok\rno", "ok\\u{d}no"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txet", "\\u{202e}txet"),
            ("\u{61c}a\u{2067}b\u{200f}\u{2028}", "\\u{61c}a\\u{2067}b\\u{200f}\\u{2028}"),
            ("\u{1b}[31", "\\u{1b}[31"),
        ] {
            assert_eq!(colored(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_title_is_one_plain_line() {
        assert_eq!(plain("let x = 1;"), "let x = 1;");
        assert_eq!(plain("a\n\u{1b}[31mb\u{8}"), "a\\u{a}\\u{1b}[31mb\\u{8}");
    }

    #[test]
    fn where_nobody_reads_nothing_happens() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        write(Gone, format_args!("a line"));
    }
}
