//! Bounds how deeply a cell may nest, since what reads it calls itself for each level.
//!
//! A stack that overflows would end the kernel, whatever a cell is worth. So the depth is measured from the tokens first,
//! and a cell that is deeper than usual is read on a stack that is large enough.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// Up to this depth the stack of any thread will do.
const SHALLOW: usize = 100;
/// Nobody writes deeper code by hand, and rustc takes long for it.
const DEEPEST: usize = 20_000;
/// Stack for a level: the parser's dozen functions for one expression, and those that visit it.
const BYTES_PER_LEVEL: usize = if cfg!(debug_assertions) { 64 << 10 } else { 16 << 10 };

/// The cell nests too deeply to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooDeep;

/// Calls `read` with a stack that is large enough for the text.
pub fn with_stack_for<T: Send>(text: &str, read: impl FnOnce() -> T + Send) -> Result<T, TooDeep> {
    let depth = depth(text);
    if depth <= SHALLOW {
        return Ok(read());
    }
    if depth > DEEPEST {
        return Err(TooDeep);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size((SHALLOW + depth) * BYTES_PER_LEVEL);
        let Ok(thread) = thread.spawn_scoped(scope, read) else { return Err(TooDeep) };
        match thread.join() {
            Ok(value) => Ok(value),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// At least as many levels as any syntax tree of the text has, up to a constant: each token may be a level of its own (`!!x`,
/// `a.b.c`) until a separator ends the expression.
fn depth(text: &str) -> usize {
    // The tokens since the last separator, of this level and of all those around it.
    let mut around = Vec::new();
    let mut here = 0usize;
    let mut total = 0usize;
    let mut deepest = 0usize;
    let mut after_block = false;
    let mut at = 0;
    for token in tokenize(text, FrontmatterAllowed::No) {
        let word = &text[at..at + token.len as usize];
        at += token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => continue,
            TokenKind::OpenBrace | TokenKind::OpenParen | TokenKind::OpenBracket => {
                if std::mem::take(&mut after_block) {
                    (total, here) = (total - here, 0);
                }
                around.push(here + 1);
                (total, here) = (total + 1, 0);
            }
            TokenKind::CloseBrace | TokenKind::CloseParen | TokenKind::CloseBracket => {
                total -= here;
                here = around.pop().unwrap_or(0);
                after_block = matches!(token.kind, TokenKind::CloseBrace);
            }
            TokenKind::Semi | TokenKind::Comma => {
                (total, here, after_block) = (total - here, 0, false);
            }
            kind => {
                // A new statement begins behind a block, unless the block's value is used.
                let begins = matches!(
                    kind,
                    TokenKind::Ident
                        | TokenKind::RawIdent
                        | TokenKind::Literal { .. }
                        | TokenKind::Pound
                        | TokenKind::Lifetime { .. }
                ) && !matches!(word, "else" | "as");
                if std::mem::take(&mut after_block) && begins {
                    (total, here) = (total - here, 0);
                }
                (total, here) = (total + 1, here + 1);
            }
        }
        deepest = deepest.max(total);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_are_not_deep() {
        let functions = "fn f(x: i32) -> i32 { if x > 0 { x } else { -x } }\n".repeat(2000);
        assert!(depth(&functions) < 100, "{}", depth(&functions));
        let numbers = format!("let v = vec![{}];", "1.5, ".repeat(100_000));
        assert!(depth(&numbers) < 100);
        let matches = format!("match x {{ {} _ => 0 }}", "1 => { f(x) }\n".repeat(1000));
        assert!(depth(&matches) < 100);
    }

    #[test]
    fn each_way_to_nest_counts() {
        for (open, close) in
            [("(", ")"), ("!", ""), ("{", "}"), ("&", ""), ("a.", ""), ("if a {} else ", ""), ("|x| ", "")]
        {
            let text = format!("{}x{}", open.repeat(1000), close.repeat(1000));
            assert!(depth(&text) >= 1000, "{open}: {}", depth(&text));
        }
        assert!(depth(&"}".repeat(1000)) < 10);
    }
}
