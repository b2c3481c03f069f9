//! Bounds how deeply a cell may nest, since what reads it calls itself for each level.
//!
//! A stack that overflows would end the kernel, whatever a cell is worth. So the depth is measured from the tokens
//! first, and a cell that is deeper than usual is read on a stack that is large enough. Text becomes a syntax tree in
//! [`read`] and nowhere else (clippy refuses syn's own functions, see `clippy.toml`), and a tree lives as long as that
//! call: what walks it, clones it or drops it has the same stack.

use std::cell::Cell;

use ra_ap_rustc_lexer::TokenKind;
use syn::parse::{Parse, Parser};

use crate::source::words::tokens;

/// Up to this depth the stack of any thread will do.
const SHALLOW: usize = 100;
/// Nobody writes deeper code by hand, and rustc takes long for it.
const DEEPEST: usize = 20_000;
/// Stack for a level: the parser's dozen functions for one expression, and those that visit it.
const BYTES_PER_LEVEL: usize = if cfg!(debug_assertions) { 64 << 10 } else { 16 << 10 };

/// The cell nests too deeply to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooDeep;

/// Reads a text and hands the syntax tree, or what is wrong, to `walk`, with as much stack as that takes. No tree and
/// no span can leave it, as neither is [`Send`].
pub fn read<P, T>(parser: P, text: &str, walk: impl FnOnce(syn::Result<P::Output>) -> T + Send) -> Result<T, TooDeep>
where
    P: Parser + Send,
    T: Send,
{
    with_stack_for(text, || {
        READING.set(READING.get() + 1);
        #[expect(clippy::disallowed_methods, reason = "this is the guard")]
        let found = walk(parser.parse_str(text));
        READING.set(READING.get() - 1);
        // The spans are read; without this the text would stay in memory for ever. A reading within another is part of
        // it.
        if READING.get() == 0 {
            proc_macro2::extra::invalidate_current_thread_spans();
        }
        found
    })
}

/// What `walk` makes of the text's syntax tree; `None` where the text is no `S`, or nests too deeply.
pub fn parsed<S: Parse, T: Send>(text: &str, walk: impl FnOnce(S) -> T + Send) -> Option<T> {
    read(S::parse, text, |tree| tree.ok().map(walk)).ok().flatten()
}

/// The syntax tree of a test's own text.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's text is not deep")]
pub fn tree<S: Parse>(text: &str) -> S {
    syn::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

thread_local! {
    /// How many readings are under way on this thread.
    static READING: Cell<usize> = const { Cell::new(0) };
}

/// Calls `read` with a stack that is large enough for the text.
fn with_stack_for<T: Send>(text: &str, read: impl FnOnce() -> T + Send) -> Result<T, TooDeep> {
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

/// At least as many levels as any syntax tree of the text has, up to a constant: each token may be a level of its own
/// (`!!x`, `a.b.c`) until a separator ends the expression. A comma is none behind `<` or `|`: between the parameters of
/// a closure, or of a type, it goes on with what stands around them.
pub fn depth(text: &str) -> usize {
    // The tokens since the last separator, of this level and of all those around it.
    let mut around = Vec::new();
    let mut here = 0usize;
    let mut total = 0usize;
    let mut deepest = 0usize;
    let mut after_block = false;
    // Whether there was a `<` or `|` since the last separator, here and in each level around.
    let mut parameters = false;
    for (kind, range) in tokens(text) {
        match kind {
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => continue,
            TokenKind::OpenBrace | TokenKind::OpenParen | TokenKind::OpenBracket => {
                if std::mem::take(&mut after_block) {
                    (total, here, parameters) = (total - here, 0, false);
                }
                around.push((here + 1, std::mem::take(&mut parameters)));
                (total, here) = (total + 1, 0);
            }
            TokenKind::CloseBrace | TokenKind::CloseParen | TokenKind::CloseBracket => {
                total -= here;
                (here, parameters) = around.pop().unwrap_or_default();
                after_block = kind == TokenKind::CloseBrace;
            }
            TokenKind::Comma if parameters => after_block = false,
            TokenKind::Semi | TokenKind::Comma => {
                (total, here, after_block, parameters) = (total - here, 0, false, false);
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
                ) && !matches!(&text[range], "else" | "as");
                if std::mem::take(&mut after_block) && begins {
                    (total, here, parameters) = (total - here, 0, false);
                }
                parameters |= matches!(kind, TokenKind::Lt | TokenKind::Or);
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
        for (open, close) in [
            ("(", ")"),
            ("!", ""),
            ("{", "}"),
            ("&", ""),
            ("a.", ""),
            ("if a {} else ", ""),
            ("|x| ", ""),
            ("|x, y| ", ""),
            ("A<u8, ", ">"),
            ("A<u8, ", ""),
            ("a.b::<C, D>().", ""),
        ] {
            let text = format!("{}x{}", open.repeat(1000), close.repeat(1000));
            assert!(depth(&text) >= 1000, "{open}: {}", depth(&text));
        }
        assert!(depth(&"}".repeat(1000)) < 10);
    }
}
