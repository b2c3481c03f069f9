//! A text by its tokens, as Rust's lexer has them, and by its names.

use std::collections::BTreeSet;
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

/// The names that the `let`s and items at the top level of a text define, whether or not it can be parsed.
pub fn declared_names(text: &str) -> BTreeSet<String> {
    declared(text).into_iter().map(|(name, _)| name).collect()
}

/// Those of them that `let`s define.
pub fn declared_variables(text: &str) -> BTreeSet<String> {
    declared(text).into_iter().filter(|(_, is_variable)| *is_variable).map(|(name, _)| name).collect()
}

/// These names, each with whether a `let` defines it.
fn declared(text: &str) -> BTreeSet<(String, bool)> {
    let (mut names, mut depth) = (BTreeSet::new(), 0usize);
    // Within the pattern of a `let`, up to its type or value; or behind the word that begins an item.
    let (mut in_pattern, mut begins_item) = (false, false);
    for (kind, range) in tokens(text) {
        let word = &text[range];
        match kind {
            TokenKind::Eq | TokenKind::Colon | TokenKind::Semi => in_pattern = false,
            _ if closing(kind).is_some() && !in_pattern => depth += 1,
            _ if closes(kind) && !in_pattern => depth = depth.saturating_sub(1),
            TokenKind::Ident | TokenKind::RawIdent if depth == 0 => {
                let is_word = WORDS_OF_ITEMS.contains(&word) || matches!(word, "let" | "mut" | "ref");
                if (in_pattern || begins_item) && !is_word {
                    names.insert((word.trim_start_matches("r#").to_owned(), in_pattern));
                }
                in_pattern |= word == "let";
                begins_item = is_word && !in_pattern;
            }
            _ => {}
        }
    }
    names
}

/// The words that the name of an item follows.
const WORDS_OF_ITEMS: [&str; 10] =
    ["fn", "struct", "enum", "union", "trait", "const", "static", "mod", "type", "macro_rules"];

/// Whether a character may stand in a name.
pub fn in_name(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The name, or number, that a text begins with; empty where it begins with neither.
pub fn first_name(text: &str) -> &str {
    &text[..text.find(|char| !in_name(char)).unwrap_or(text.len())]
}

/// The words of a name, in small letters: `conv`, `transpose`, `2d` of `ConvTranspose2d` and of `conv_transpose2d`.
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = '_';
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        let ends_capitals = previous.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase());
        let begins = !previous.is_alphanumeric()
            || (char.is_uppercase() && (!previous.is_uppercase() || ends_capitals))
            || (char.is_ascii_digit() && previous.is_alphabetic());
        if !char.is_alphanumeric() {
            previous = char;
            continue;
        }
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(char.to_lowercase());
        }
        previous = char;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_words_however_it_is_written() {
        let check = |name: &str, expected: &[&str]| assert_eq!(words(name), expected, "{name}");
        check("ConvTranspose2d", &["conv", "transpose", "2d"]);
        check("conv_transpose2d", &["conv", "transpose", "2d"]);
        check("nn::LSTMCell", &["nn", "lstm", "cell"]);
        check("ReduceLROnPlateau", &["reduce", "lr", "on", "plateau"]);
        check("CIFAR10", &["cifar", "10"]);
        check("a loss", &["a", "loss"]);
    }

    #[test]
    fn the_names_that_a_text_would_define_are_found() {
        let names = |text: &str| declared_names(text).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names("let mut a = f(b); let (c, d): (i64, i64) = g(;"), "a c d");
        assert_eq!(names("pub fn train(x: f64) { let inner = 1; } struct Net { lr: f64 }"), "Net train");
        assert_eq!(names("macro_rules! square { ($x:expr) => { let y = $x; } } const N: i64 = 3"), "N square");
        assert_eq!(names("let x = \"let y = 1\"; // let z = 1"), "x");
    }
}
