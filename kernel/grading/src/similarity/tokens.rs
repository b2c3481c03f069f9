//! A cell's text as tokens, in which names and values are all the same: whoever renames variables or changes numbers
//! keeps the tokens.

use ra_ap_rustc_lexer::TokenKind;

use crate::words::words;

const NAME: u8 = b'a';
const VALUE: u8 = b'0';
const LIFETIME: u8 = b'\'';
const UNKNOWN: u8 = 0x7f;

/// The keywords that can stand in a cell; each is a token of its own, above all characters of ASCII.
const KEYWORDS: [&str; 36] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "type", "unsafe", "use", "while",
];

/// The tokens of a text, a byte each, without comments. It need not be Rust that can be parsed.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = u8> {
    words(text).map(|(kind, text)| code(kind, text))
}

fn code(kind: TokenKind, text: &str) -> u8 {
    match kind {
        TokenKind::Ident => keyword(text).unwrap_or(NAME),
        TokenKind::InvalidIdent | TokenKind::RawIdent | TokenKind::UnknownPrefix => NAME,
        TokenKind::Literal { .. } => VALUE,
        TokenKind::Lifetime { .. } | TokenKind::RawLifetime | TokenKind::UnknownPrefixLifetime => LIFETIME,
        // The others are characters of ASCII, but for what the lexer does not know.
        _ => text.bytes().next().filter(u8::is_ascii).unwrap_or(UNKNOWN),
    }
}

fn keyword(text: &str) -> Option<u8> {
    let at = KEYWORDS.binary_search(&text).ok()?;
    u8::try_from(at).ok().map(|at| 0x80 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_comments_make_no_difference() {
        let of = |text: &str| tokens(text).collect::<Vec<_>>();
        let one = of("fn mean(values: &[f64]) -> f64 {\n    values.iter().sum::<f64>() / 2.0 // halves\n}");
        assert_eq!(one, of("/* mine */ fn average(xs:&[T])->T { xs.iter().total::<T>() / 17 }"));
        assert_ne!(one, of("fn mean(values: &[f64]) -> f64 {\n    values.iter().sum::<f64>() * 2.0\n}"));
        assert_ne!(of("if x {}"), of("while x {}"));
        assert_eq!(of("let s = \"a\";"), of("let r#t = 'b';"));
    }

    #[test]
    fn every_text_has_tokens() {
        let texts =
            ["\"open", "/* open", "}}}", "№ \0 \u{202e}", "foo#\"", "'a 'r#b", "#!shebang", "!ls -l", "数 = 🦀"];
        for text in texts {
            let _ = tokens(text).count();
        }
        assert_eq!(tokens("} № 'a ]").collect::<Vec<_>>(), [b'}', UNKNOWN, LIFETIME, b']']);
    }

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(KEYWORDS.is_sorted());
        assert_eq!(KEYWORDS.iter().filter_map(|word| keyword(word)).count(), KEYWORDS.len());
    }
}
