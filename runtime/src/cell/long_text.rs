//! The text of a value that may be far too long to show: its beginning and its end, and how much was left out.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use crate::checkpoint::checkpoint;

/// A longer text is cut in the middle.
const MOST_CHARS: usize = 10_000;

/// Text as it is formatted, or its two ends where it is long. The middle is never held, however long it is.
pub(super) fn shortened(text: fmt::Arguments<'_>) -> String {
    shortened_to(MOST_CHARS, text)
}

fn shortened_to(most: usize, text: fmt::Arguments<'_>) -> String {
    let mut ends = Ends { half: most / 2, head: String::new(), in_head: 0, tail: VecDeque::new(), left_out: 0 };
    let failed = ends.write_fmt(text).is_err();
    let mut shown = ends.into_text();
    if failed {
        shown.push_str(" <its Debug reports an error>");
    }
    shown
}

/// The first and the last characters of what is written, `half` of each.
struct Ends {
    half: usize,
    head: String,
    in_head: usize,
    tail: VecDeque<char>,
    left_out: u64,
}

impl Ends {
    fn into_text(self) -> String {
        let Self { mut head, tail, left_out, .. } = self;
        if left_out > 0 {
            let of = left_out + self.in_head as u64 + tail.len() as u64;
            head.push_str(&format!("\n... {left_out} of {of} characters are left out here ...\n"));
        }
        head.extend(tail);
        head
    }
}

impl Write for Ends {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Formatting a billion elements takes a while.
        checkpoint();
        for char in text.chars() {
            if self.in_head < self.half {
                self.head.push(char);
                self.in_head += 1;
                continue;
            }
            if self.tail.len() == self.half {
                self.tail.pop_front();
                self.left_out += 1;
            }
            self.tail.push_back(char);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_within_the_limit_is_whole() {
        for text in ["", "a", "损失函数", "0123456789"] {
            assert_eq!(shortened_to(10, format_args!("{text}")), text);
        }
    }

    #[test]
    fn a_long_text_keeps_its_ends_and_says_how_much_is_gone() {
        let shown = shortened_to(10, format_args!("{}", "ab损失0123456789xyz损b"));
        assert_eq!(shown, "ab损失0\n... 9 of 19 characters are left out here ...\nxyz损b");
        let numbers: Vec<u32> = (0..1_000_000).collect();
        let shown = shortened(format_args!("{numbers:?}"));
        assert!(shown.starts_with("[0, 1, 2, ") && shown.ends_with("999998, 999999]"));
        assert!(shown.contains("\n... 7878890 of 7888890 characters are left out here ...\n"), "{}", shown.len());
    }

    #[test]
    fn a_debug_that_fails_is_told() {
        struct Fails;
        impl fmt::Debug for Fails {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("so far")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(shortened(format_args!("{Fails:?}")), "so far <its Debug reports an error>");
    }
}
