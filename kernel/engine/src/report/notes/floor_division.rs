//! Python's `n // batch`, which is `n` and a comment: it compiles where nothing has to follow.

use std::collections::BTreeSet;

use ra_ap_rustc_lexer::TokenKind;

use crate::report::python_hints::expressions::{as_variable, base, divisor};
use crate::source::source_map::line_of;
use crate::source::words::{first_name, tokens};

/// What the user reads of the comments in a text that were probably to be divisions. `is_variable` tells of a name
/// whether an earlier cell has it.
pub fn notes(text: &str, is_variable: impl Fn(&str) -> bool) -> Vec<String> {
    if !text.contains("//") {
        return Vec::new();
    }
    let tokens: Vec<_> = tokens(text).filter(|(kind, _)| !matches!(kind, TokenKind::Whitespace)).collect();
    let names = tokens.iter().filter(|(kind, _)| *kind == TokenKind::Ident).map(|(_, range)| &text[range.clone()]);
    let names: BTreeSet<&str> = names.collect();
    let is_known = |name: &str| names.contains(name) || is_variable(name);
    let comments = tokens.windows(2).filter(|pair| matches!(pair[1].0, TokenKind::LineComment { doc_style: None }));
    let divided = comments.filter_map(|pair| {
        let (ahead, comment) = (pair[0].1.clone(), pair[1].1.clone());
        let is_on_its_line = !text[ahead.end..comment.start].contains('\n');
        let right = divisor(&text[comment.clone()]).filter(|_| is_on_its_line && ends_a_value(pair[0].0))?;
        let left = base(&text[..ahead.end]);
        is_division(left, right, is_known).then_some((comment.start, left, right))
    });
    let note = |(at, left, right): (usize, &str, &str)| {
        format!(
            "line {}: `// {right}` is a comment, and the value `{left}`. `{left} / {right}` divides integers without a \
             remainder, as Python's `//` does",
            line_of(text, at)
        )
    };
    divided.map(note).collect()
}

fn ends_a_value(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Ident | TokenKind::Literal { .. } | TokenKind::CloseParen | TokenKind::CloseBracket)
}

/// Whether a comment is what Python would divide by: a name that is there, or a number behind a variable or a sum.
/// Behind a call a number is what comes of it: `fibonacci(10) // 55`.
fn is_division(left: &str, right: &str, is_known: impl Fn(&str) -> bool) -> bool {
    let is_number = right.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return as_variable(left).is_some() || left.starts_with('(');
    }
    as_variable(right).is_some_and(|variable| is_known(first_name(variable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(text: &str) -> usize {
        notes(text, |name| name == "batch").len()
    }

    #[test]
    fn what_python_divides_by_is_told() {
        assert_eq!(noted("fn steps(n: i64, k: i64) -> i64 {\n    n // k\n}"), 1);
        assert_eq!(noted("n // batch"), 1);
        assert_eq!(noted("let half = |n: i64| {\n    return n // 2;\n};"), 1);
        assert_eq!(noted("middle(\n    (low + high) // 2,\n)"), 1);
        assert_eq!(noted("(x.size()[0] - kernel) // self.stride\n# self"), 1);
        let note = &notes("let n = 7;\nn // 2", |_| false)[0];
        assert!(note.starts_with("line 2: `// 2` is a comment, and the value `n`."), "{note}");
    }

    #[test]
    fn remarks_are_none() {
        for text in [
            "x.mean(Kind::Float) // scalar",
            "fibonacci(10) // 55",
            "let n = 3; // n",
            "n // the number of rows",
            "if n > 2 { // batch\n}",
            "// n\nn",
            "n\n// batch",
            "n /// batch",
            "x //",
        ] {
            assert_eq!(noted(text), 0, "{text}");
        }
    }
}
