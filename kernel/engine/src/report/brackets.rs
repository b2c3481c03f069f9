//! Brackets, strings and comments that are never closed, found before rustc sees them.
//!
//! rustc would look for the end of them in the code around the cell, and point there.

use std::ops::Range;

use ra_ap_rustc_lexer::{LiteralKind, TokenKind};

use crate::source::words::{closes, closing, tokens};

/// What is not closed, or closes nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Unbalanced {
    /// The error.
    pub message: String,
    /// Where it is, and what to say there.
    pub primary: (Range<usize>, String),
    /// Where its counterpart is.
    pub other: Option<(Range<usize>, String)>,
}

/// The first bracket, string or comment of a cell that has no counterpart.
pub fn unbalanced(text: &str) -> Option<Unbalanced> {
    let mut open: Vec<(TokenKind, Range<usize>)> = Vec::new();
    // A string that is left open ends at the next quote, lines below: the first one over several lines is to blame.
    let mut long_string: Option<usize> = None;
    for (kind, range) in tokens(text) {
        let quoted = &text[range.clone()];
        if let Some(closing) = closing(kind) {
            open.push((closing, range));
            continue;
        }
        match kind {
            kind if closes(kind) => match open.pop() {
                Some((wanted, _)) if wanted == kind => {}
                Some((wanted, opened)) => {
                    return Some(Unbalanced {
                        message: format!("mismatched closing delimiter: `{quoted}`"),
                        primary: (range, format!("`{}` is expected here", delimiter(wanted))),
                        other: Some((opened.clone(), format!("to close this `{}`", &text[opened]))),
                    });
                }
                None => {
                    return Some(Unbalanced {
                        message: format!("unexpected closing delimiter: `{quoted}`"),
                        primary: (range, "nothing is open here".to_owned()),
                        other: None,
                    });
                }
            },
            TokenKind::BlockComment { terminated: false, .. } => {
                return Some(never_closed("comment", range.start..range.start + 2));
            }
            TokenKind::Literal { kind: LiteralKind::Str { terminated }, .. } => {
                let over_lines = quoted.lines().rev().skip(1).any(|line| !line.ends_with('\\'));
                if !terminated {
                    let start = long_string.unwrap_or(range.start);
                    return Some(never_closed("string", start..start + 1));
                }
                if over_lines {
                    long_string.get_or_insert(range.start);
                }
            }
            _ => {}
        }
    }
    let (wanted, opened) = open.pop()?;
    let line = text[opened.end..].lines().next().unwrap_or_default();
    let label = if is_closed_in_comment(line, delimiter(wanted)) {
        "this is never closed: what is behind `//` is a comment"
    } else {
        "this is never closed"
    };
    Some(Unbalanced {
        message: format!("unclosed delimiter: `{}`", &text[opened.clone()]),
        primary: (opened, label.to_owned()),
        other: None,
    })
}

/// Whether a bracket is closed in a line's comment, as in `(n // 2)`.
fn is_closed_in_comment(line: &str, close: char) -> bool {
    let comment = tokens(line).find(|(kind, _)| matches!(kind, TokenKind::LineComment { .. }));
    let text = comment.map_or("", |(_, range)| &line[range]);
    text.contains(close) && !text.contains(['(', '[', '{'])
}

fn never_closed(what: &str, range: Range<usize>) -> Unbalanced {
    Unbalanced {
        message: format!("unterminated {what}"),
        primary: (range, format!("this {what} is never closed")),
        other: None,
    }
}

fn delimiter(kind: TokenKind) -> char {
    match kind {
        TokenKind::CloseParen => ')',
        TokenKind::CloseBracket => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primary(text: &str) -> Option<usize> {
        unbalanced(text).map(|found| found.primary.0.start)
    }

    #[test]
    fn balanced_text_is_left_alone() {
        assert_eq!(primary("fn f<'a>(x: &'a [i32]) -> char { '{' } // ("), None);
        assert_eq!(primary("let s = \"}\"; let r = r#\"(\"#; /* [ */"), None);
    }

    #[test]
    fn what_is_open_or_closes_nothing_is_found() {
        assert_eq!(primary("f(a, [1, 2)"), Some(10));
        assert_eq!(primary("fn f() {\n    if x { y }\n"), Some(7));
        assert_eq!(primary("fn f() {}}"), Some(9));
        assert_eq!(primary("a /* b"), Some(2));
    }

    #[test]
    fn a_string_left_open_is_the_one_that_runs_over_a_line_end() {
        assert_eq!(primary("let a = \"net;\nprintln!(\"{a}\");"), Some(8));
        assert_eq!(primary("let a = \"one \\\n two\";\nlet b = \"open;"), Some(30));
    }
}
