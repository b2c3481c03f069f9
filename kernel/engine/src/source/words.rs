//! A text by its tokens, as Rust's lexer has them, and by its names.

use std::ops::Range;

use proc_macro2::{Delimiter, Group};
use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// The tokens of a text, each with where it stands. The lexer takes any text.
pub fn tokens(text: &str) -> impl Iterator<Item = (TokenKind, Range<usize>)> {
    let mut at = 0;
    tokenize(text, FrontmatterAllowed::No).map(move |token| {
        let start = at;
        at += token.len as usize;
        (token.kind, start..at)
    })
}

/// The token that closes a bracket which this one opens.
pub fn closing(kind: TokenKind) -> Option<TokenKind> {
    match kind {
        TokenKind::OpenParen => Some(TokenKind::CloseParen),
        TokenKind::OpenBrace => Some(TokenKind::CloseBrace),
        TokenKind::OpenBracket => Some(TokenKind::CloseBracket),
        _ => None,
    }
}

/// What a group of tokens stands in.
pub fn brackets(group: &Group) -> (&'static str, &'static str) {
    match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// Whether a token closes a bracket.
pub fn closes(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::CloseParen | TokenKind::CloseBrace | TokenKind::CloseBracket)
}

/// Of things with names, the one whose name is nearest to one with a slip in it, if it is near.
pub fn nearest<'a, T>(name: &str, named: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let measured = named.map(|(other, named)| (strsim::osa_distance(name, other), named));
    let (distance, nearest) = measured.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).clamp(1, 3)).then_some(nearest)
}

/// Whether a character may stand in a name.
pub fn in_name(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The name, or number, that a text begins with; empty where it begins with neither.
pub fn first_name(text: &str) -> &str {
    &text[..text.find(|char| !in_name(char)).unwrap_or(text.len())]
}
