//! The expression that ends at a place: what stands ahead of a `.`, or what is called there.

use std::ops::Range;

use ra_ap_rustc_lexer::TokenKind;

use crate::source::words::{closes, closing, tokens};

/// Words behind which an expression begins.
const AHEAD: [&str; 12] = ["as", "await", "else", "for", "if", "in", "let", "match", "move", "mut", "return", "while"];

/// A token, and where it stands.
pub(crate) type Token = (TokenKind, Range<usize>);

/// The tokens of a text but for white space and comments.
pub(crate) fn significant(text: &str) -> Vec<Token> {
    let skipped = |kind: &TokenKind| {
        matches!(kind, TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. })
    };
    tokens(text).filter(|(kind, _)| !skipped(kind)).collect()
}

/// `net.layers[0].forward(&x)` at the end of `let y = -net.layers[0].forward(&x)`; empty where no expression ends.
pub(crate) fn expression_at_end(text: &str) -> &str {
    expression_of(text, &significant(text))
}

/// The expression that ends with the last of some tokens of a text.
pub(crate) fn expression_of<'a>(text: &'a str, found: &[Token]) -> &'a str {
    match (start_of(text, found), found.last()) {
        (Some(start), Some((_, end))) => &text[found[start].1.start..end.end],
        _ => "",
    }
}

/// Where the expression begins that the last token ends, as an index among the tokens.
pub(super) fn start_of(text: &str, found: &[Token]) -> Option<usize> {
    let kind = |at: usize| found[at].0;
    let text_of = |at: usize| &text[found[at].1.clone()];
    // The end of what is still to be looked at.
    let mut end = found.len();
    let mut start = None;
    while let Some(last) = end.checked_sub(1) {
        match kind(last) {
            TokenKind::Question => {
                end = last;
                continue;
            }
            TokenKind::CloseParen | TokenKind::CloseBracket => {
                let open = opening(found, last)?;
                start = Some(open);
                end = open;
                // A call, an index, or a macro: what it is of belongs to it.
                if let Some(before) = open.checked_sub(1) {
                    let goes_on = match kind(before) {
                        TokenKind::Ident => !AHEAD.contains(&text_of(before)),
                        TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::Question => true,
                        TokenKind::Gt => angle(found, before).is_some(),
                        TokenKind::Bang => before > 0 && kind(before - 1) == TokenKind::Ident,
                        _ => false,
                    };
                    if goes_on {
                        end = if kind(before) == TokenKind::Bang { before } else { open };
                        continue;
                    }
                }
            }
            TokenKind::Gt => {
                let open = angle(found, last)?;
                start = Some(open);
                end = open;
            }
            TokenKind::Ident if AHEAD.contains(&text_of(last)) && !is_behind_dot(found, last) => break,
            TokenKind::Ident | TokenKind::RawIdent | TokenKind::Literal { .. } => {
                start = Some(last);
                end = last;
            }
            _ => break,
        }
        // What goes on to the left of a dot or of two colons.
        let before = |back: usize| end.checked_sub(back).map(kind);
        match (before(2), before(1)) {
            (Some(TokenKind::Dot), Some(TokenKind::Dot)) => break,
            (_, Some(TokenKind::Dot)) => end -= 1,
            (Some(TokenKind::Colon), Some(TokenKind::Colon)) => end -= 2,
            _ => break,
        }
    }
    start
}

fn is_behind_dot(found: &[Token], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| found[before].0 == TokenKind::Dot)
}

/// The bracket that this one closes.
pub(super) fn opening(found: &[Token], close: usize) -> Option<usize> {
    let mut open = 0;
    (0..=close).rev().find(|at| {
        let kind = found[*at].0;
        if closes(kind) {
            open += 1;
        } else if closing(kind).is_some() {
            open -= 1;
        }
        open == 0
    })
}

/// The `<` behind two colons that this `>` closes, as in `collect::<Vec<_>>`.
pub(crate) fn angle(found: &[Token], close: usize) -> Option<usize> {
    let mut open = 0;
    let at = (0..=close).rev().take_while(|at| {
        !matches!(found[*at].0, TokenKind::Semi | TokenKind::OpenBrace | TokenKind::CloseBrace | TokenKind::Eq)
    });
    let at = at.into_iter().find(|at| {
        match found[*at].0 {
            TokenKind::Gt => open += 1,
            TokenKind::Lt => open -= 1,
            _ => {}
        }
        open == 0
    })?;
    (at >= 2 && found[at - 1].0 == TokenKind::Colon && found[at - 2].0 == TokenKind::Colon).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_ends_at_the_cursor() {
        let check = |text: &str, expression: &str| assert_eq!(expression_at_end(text), expression, "{text}");
        check("let y = -net.layers[0].forward(&x)", "net.layers[0].forward(&x)");
        check("for x in v.iter()", "v.iter()");
        check("a + b", "b");
        check("v.iter().map(|x| x * 2).collect::<Vec<_>>()", "v.iter().map(|x| x * 2).collect::<Vec<_>>()");
        check("Tensor::zeros([2], f)", "Tensor::zeros([2], f)");
        check("return (a + b)", "(a + b)");
        check("println!(\"{}\", vec![1, 2]", "vec![1, 2]");
        check("file()?", "file()?");
        check("0..n", "n");
        check("f(\"done\")", "f(\"done\")");
        check("if x", "x");
        check("x +", "");
        check("", "");
        check("net\n    .conv1 // first\n    .ws", "net\n    .conv1 // first\n    .ws");
    }
}
