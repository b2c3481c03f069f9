//! The tokens of a text. It need not be Rust that can be parsed.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// The tokens without blanks and comments, each with its text.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (TokenKind, &str)> {
    let mut rest = text;
    let tokens = tokenize(text, FrontmatterAllowed::No).map(move |token| {
        let (text, behind) = rest.split_at(token.len as usize);
        rest = behind;
        (token.kind, text)
    });
    tokens.filter(|(kind, _)| {
        !matches!(kind, TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. })
    })
}
