//! Parts of expressions, by their tokens, in code that rustc refuses or cannot read.

use std::ops::Range;

use ra_ap_rustc_lexer::TokenKind;

use crate::source::words::{closes, closing, in_name, tokens};

/// The value that a text ends with: `net.weight`, `x.i(0)` or `(a + b)`; `x` where there is none.
pub(in crate::report) fn base(before: &str) -> &str {
    let before = before.trim_end().trim_end_matches('.').trim_end();
    let value = before[start_of_value(before)..].trim_start_matches(['.', ':', '?']);
    if value.is_empty() { "x" } else { value }
}

/// Where the value starts that a text ends with.
fn start_of_value(before: &str) -> usize {
    let tokens: Vec<_> = tokens(before).collect();
    let (mut start, mut closed, mut generics) = (before.len(), 0usize, None);
    for (kind, range) in tokens.into_iter().rev() {
        let rest = &before[start..];
        let belongs = match kind {
            _ if generics.is_some_and(|from| range.start >= from) => true,
            TokenKind::CloseBrace | TokenKind::OpenBrace if closed == 0 => false,
            kind if closes(kind) => {
                closed += 1;
                true
            }
            kind if closing(kind).is_some() && closed == 0 => false,
            kind if closing(kind).is_some() => {
                closed -= 1;
                true
            }
            _ if closed > 0 => true,
            // `sum::<f64>()`
            TokenKind::Gt if rest.starts_with('(') => {
                generics = before[..range.start].rfind("::<");
                generics.is_some()
            }
            TokenKind::Whitespace => rest.starts_with('.'),
            TokenKind::Ident | TokenKind::RawIdent => !is_keyword(&before[range.clone()]),
            TokenKind::Literal { .. } | TokenKind::Dot | TokenKind::Colon | TokenKind::Question => true,
            _ => false,
        };
        if !belongs {
            break;
        }
        start = range.start;
    }
    // A bracket that was opened on another line.
    if closed > 0 { before.len() } else { start }
}

/// Whether a text is one value, which needs no parentheses ahead of a method or behind a `&`.
pub(super) fn is_value(text: &str) -> bool {
    start_of_value(text) == 0
}

/// A text as one value: in parentheses, unless it is one.
pub(in crate::report) fn as_value(text: &str) -> String {
    if is_value(text) { text.to_owned() } else { format!("({text})") }
}

/// The left side of a comparison, which a text ends with.
pub(in crate::report) fn left_side(before: &str) -> &str {
    let tokens: Vec<_> = tokens(before).collect();
    let (mut start, mut closed) = (before.len(), 0usize);
    for (at, (kind, range)) in tokens.iter().enumerate().rev() {
        let previous = at.checked_sub(1).map(|at| tokens[at].0);
        let ends = match kind {
            kind if closes(*kind) => {
                closed += 1;
                false
            }
            kind if closing(*kind).is_some() => {
                let ends = closed == 0;
                closed = closed.saturating_sub(1);
                ends
            }
            _ if closed > 0 => false,
            kind => ends_a_side(*kind, previous) || is_keyword(&before[range.clone()]),
        };
        if ends {
            break;
        }
        start = range.start;
    }
    // A bracket that was opened on another line.
    if closed > 0 { "x" } else { before[start..].trim() }
}

/// The right side of a comparison, which a text begins with.
pub(in crate::report) fn right_side(after: &str) -> &str {
    let after = after.trim_start();
    let (mut open, mut previous) = (0usize, None);
    let ends = |(kind, range): (TokenKind, Range<usize>)| {
        let ends = match kind {
            TokenKind::OpenBrace if open == 0 => true,
            kind if closing(kind).is_some() => {
                open += 1;
                false
            }
            kind if closes(kind) => {
                let ends = open == 0;
                open = open.saturating_sub(1);
                ends
            }
            _ if open > 0 => false,
            kind => ends_a_side(kind, previous) || is_keyword(&after[range.clone()]),
        };
        previous = Some(kind);
        ends.then_some(range.start)
    };
    let end = tokens(after).find_map(ends).unwrap_or(after.len());
    // Of `a && b`, the first `&` is part of the text so far.
    after[..end].trim_end_matches(|char: char| char.is_whitespace() || char == '&')
}

/// Whether a token ends the side of a comparison, given the one ahead of it.
fn ends_a_side(kind: TokenKind, previous: Option<TokenKind>) -> bool {
    match kind {
        TokenKind::Comma | TokenKind::Semi | TokenKind::Eq | TokenKind::Or => true,
        TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => true,
        TokenKind::And => previous == Some(TokenKind::And),
        _ => false,
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "while" | "return" | "let" | "in" | "match" | "else" | "move" | "mut")
}

/// The text of the expression that a text begins with, up to its `;`.
pub(in crate::report) fn statement(after: &str) -> Option<&str> {
    let mut open = 0usize;
    let end = tokens(after).find(|(kind, _)| {
        if closing(*kind).is_some() {
            open += 1;
        } else if closes(*kind) {
            open = open.saturating_sub(1);
        }
        open == 0 && *kind == TokenKind::Semi
    });
    end.map(|(_, range)| after[..range.start].trim())
}

/// The arguments that a text begins with, in their parentheses.
pub(in crate::report) fn arguments(text: &str) -> Option<&str> {
    if !text.starts_with('(') {
        return None;
    }
    let mut open = 0usize;
    let end = tokens(text).find_map(|(kind, range)| {
        if closing(kind).is_some() {
            open += 1;
        } else if closes(kind) {
            open = open.saturating_sub(1);
        }
        (open == 0).then_some(range.end)
    })?;
    Some(&text[..end])
}

/// The name or the number in a comment by which Python would divide: `n // batch`.
pub(in crate::report) fn divisor(comment: &str) -> Option<&str> {
    let by = comment.strip_prefix("//")?.trim().trim_end_matches([';', ',']).trim_end();
    (!by.is_empty() && by.chars().all(|char| in_name(char) || char == '.')).then_some(by)
}

/// The variable, or field of one, that a text is; `None` of other expressions.
pub(in crate::report) fn as_variable(text: &str) -> Option<&str> {
    let is_name = text.chars().all(|char| in_name(char) || char == '.');
    let is_variable = text.starts_with(|char: char| char.is_lowercase() || char == '_');
    (is_name && is_variable && !matches!(text, "true" | "false")).then_some(text)
}

/// Where the last bracket is that a text opens and does not close.
pub(super) fn open_bracket(text: &str) -> Option<usize> {
    let mut closed = 0;
    for (at, char) in text.char_indices().rev() {
        match char {
            ']' => closed += 1,
            '[' if closed == 0 => return Some(at),
            '[' => closed -= 1,
            _ => {}
        }
    }
    None
}

/// Where the parenthesis is that a text opens last and does not close.
pub(super) fn open_parenthesis(before: &str) -> Option<usize> {
    let mut closed = 0;
    before.char_indices().rev().find_map(|(at, char)| {
        match char {
            ')' | ']' | '}' => closed += 1,
            '(' | '[' | '{' if closed > 0 => closed -= 1,
            '(' => return Some(at),
            _ => {}
        }
        None
    })
}

/// The text ahead of the bracket that closes one which is open.
pub(super) fn bracketed(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, char) in text.char_indices() {
        match char {
            '[' | '(' => depth += 1,
            ']' | ')' if depth == 0 => return (char == ']').then_some(&text[..at]),
            ']' | ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A text at the places where a character stands outside all brackets.
pub(in crate::report) fn split(text: &str, by: char) -> Vec<&str> {
    let mut depth = 0;
    text.split(|char| {
        match char {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            _ => {}
        }
        depth == 0 && char == by
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_a_text_ends_with_has_its_calls_and_brackets() {
        let check = |before: &str, value: &str| assert_eq!(base(before), value, "{before}");
        check("let m = logits.i(0)", "logits.i(0)");
        check("(2 * n).", "(2 * n)");
        check("f(x.size()[0]).", "f(x.size()[0])");
        check("a + v\n    .iter()\n    .map(|x| x + 1).", "v\n    .iter()\n    .map(|x| x + 1)");
        check("v\n    .iter()\n    .", "v\n    .iter()");
        check("v.iter().sum::<f64>().", "v.iter().sum::<f64>()");
        check("return net.weight", "net.weight");
        check("if ", "x");
        check("b) ", "x");
        check("f(\"(\", x", "x");
        assert!(is_value("x.i((.., [-1]))") && !is_value("x.i(0) * 2.0") && !is_value("&x"));
    }

    #[test]
    fn the_sides_of_a_comparison_end_at_what_binds_less() {
        let check = |after: &str, side: &str| assert_eq!(right_side(after), side, "{after}");
        check(" 0.5 { f() }", "0.5");
        check(" &y;", "&y");
        check(" -1.0)", "-1.0");
        check(" v.i((.., [-1]));", "v.i((.., [-1]))");
        check(" x.i(0) * 2.0 && y", "x.i(0) * 2.0");
        check(" a, b", "a");
        let check = |before: &str, side: &str| assert_eq!(left_side(before), side, "{before}");
        check("let m = logits ", "logits");
        check("if a && &b * 2.0 ", "&b * 2.0");
        check("f(1, (x + 1.0) ", "(x + 1.0)");
        check("|x| x ", "x");
    }
}
