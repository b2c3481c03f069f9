//! Finds the lines of a cell that are commands: where a statement may begin, or behind an expression that nothing could
//! follow in that way.

use std::collections::BTreeSet;
use std::ops::Range;

use ra_ap_rustc_lexer::{LiteralKind, TokenKind};

use crate::commands::catalogue;
use crate::source::nesting;
use crate::source::words::{first_name, tokens};

/// What was read of the current statement.
#[derive(Debug, Default)]
struct Statement {
    /// What it begins with.
    head: Option<Head>,
    /// Whether the last token may end an expression.
    ends_value: bool,
    /// Whether the last token was a brace that may end the statement.
    ends_block: bool,
    /// Whether it is an attribute so far, or `pub`.
    in_attribute: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// `let` and the like: goes on up to a semicolon.
    ToSemicolon,
    /// `const`, which may be of a function.
    Const,
    /// Another keyword: a block ends it.
    Keyword,
    /// An expression.
    Expression,
}

impl Head {
    /// What a statement is that begins with this word.
    fn of(word: &str) -> Self {
        match word {
            "const" => Self::Const,
            "let" | "static" | "use" | "type" | "return" | "break" | "extern" => Self::ToSemicolon,
            "fn" | "struct" | "enum" | "union" | "impl" | "trait" | "mod" | "macro_rules" | "unsafe" | "async"
            | "if" | "match" | "while" | "for" | "loop" | "move" | "where" | "else" | "yield" => Self::Keyword,
            _ => Self::Expression,
        }
    }
}

/// Reads a cell up to the next command.
pub(super) struct Reader<'a> {
    cell: &'a str,
    is_name: &'a dyn Fn(&str) -> bool,
    /// The identifiers of the code so far.
    own: BTreeSet<&'a str>,
    /// How far it was read; behind a command, whoever has read that says where the cell goes on.
    pub(super) at: usize,
    depth: usize,
    statement: Statement,
}

impl<'a> Reader<'a> {
    /// Begins at the start of a cell.
    pub(super) fn new(cell: &'a str, is_name: &'a dyn Fn(&str) -> bool) -> Self {
        Self { cell, is_name, own: BTreeSet::new(), at: 0, depth: 0, statement: Statement::default() }
    }

    /// Where the next line that is a command begins.
    pub(super) fn next_command(&mut self) -> Option<usize> {
        while self.at < self.cell.len() {
            let rest = &self.cell[self.at..];
            let line_starts = self.at == 0 || self.cell[..self.at].ends_with('\n');
            if line_starts && self.depth == 0 && self.is_command(rest) {
                self.statement = Statement::default();
                return Some(self.at);
            }
            let (kind, Range { end: mut len, .. }) = tokens(rest).next()?;
            if kind == TokenKind::Whitespace {
                // Up to the end of the line, so that the next one is looked at from its start.
                len = rest[..len].find('\n').map_or(len, |newline| newline + 1);
            } else {
                self.take(kind, &rest[..len]);
            }
            self.at += len;
        }
        None
    }

    fn take(&mut self, kind: TokenKind, text: &'a str) {
        let statement = &mut self.statement;
        let (mut ends_value, mut ends_block) = (false, false);
        match kind {
            TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => return,
            TokenKind::Pound if self.depth == 0 && statement.head.is_none() => {
                statement.in_attribute = true;
                return;
            }
            TokenKind::OpenParen | TokenKind::OpenBrace | TokenKind::OpenBracket => {
                self.depth += 1;
                if self.depth == 1 && !statement.in_attribute {
                    statement.head.get_or_insert(Head::Expression);
                }
            }
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 && statement.in_attribute {
                    statement.in_attribute = false;
                    return;
                }
                ends_value = true;
                ends_block =
                    kind == TokenKind::CloseBrace && !matches!(statement.head, Some(Head::ToSemicolon | Head::Const));
            }
            TokenKind::Semi if self.depth == 0 => {
                *statement = Statement::default();
                return;
            }
            TokenKind::Ident | TokenKind::RawIdent => {
                self.own.insert(text.trim_start_matches("r#"));
                ends_value = true;
                // The next statement after a block, or the head of this one.
                if self.depth == 0 && (statement.head.is_none() || (statement.ends_block && text != "else")) {
                    if text == "pub" {
                        statement.in_attribute = true;
                        return;
                    }
                    statement.in_attribute = false;
                    statement.head = Some(Head::of(text));
                } else if statement.head == Some(Head::Const) && matches!(text, "fn" | "unsafe" | "async" | "extern") {
                    statement.head = Some(Head::Keyword);
                }
            }
            TokenKind::Literal { .. } => {
                ends_value = true;
                statement.head.get_or_insert(Head::Expression);
            }
            TokenKind::Question => ends_value = true,
            _ => {
                if self.depth == 0 && !statement.in_attribute {
                    statement.head.get_or_insert(Head::Expression);
                }
            }
        }
        (self.statement.ends_value, self.statement.ends_block) = (ends_value, ends_block);
    }

    /// Whether the first line of the rest of the cell is a command.
    fn is_command(&self, rest: &str) -> bool {
        let line = rest.split('\n').next().unwrap_or(rest);
        let text = line.trim_start();
        let Statement { head, ends_value, ends_block, in_attribute } = self.statement;
        let fresh = head.is_none() && !in_attribute;
        let behind_value = ends_value && matches!(head, Some(Head::Expression));
        let named = |prefix: &str| {
            let name = first_name(text.trim_start_matches(prefix));
            Some(name).filter(|name| name.starts_with(|char: char| char.is_alphabetic() || char == '_'))
        };
        match text.chars().next() {
            Some(':') if !text.starts_with("::") => fresh || ((ends_block || behind_value) && named(":").is_some()),
            Some('%') => match named("%") {
                Some(name) => {
                    let known = || catalogue::find(name).is_some() && !self.knows(name);
                    fresh || ends_block || (behind_value && known())
                }
                None => false,
            },
            Some('?') => (fresh || ends_block) && named("?").is_some(),
            Some('!') => (fresh || ends_block || behind_value) && !self.is_negation(&rest.trim_start()[1..]),
            _ => false,
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.own.contains(name) || (self.is_name)(name)
    }

    /// Whether what stands behind a `!` makes it Rust's.
    fn is_negation(&self, text: &str) -> bool {
        // `!!x`, any number of them: not by calling itself, for the stack has an end.
        let text = text.trim_start_matches('!');
        let Some((first, Range { end, .. })) = tokens(text).next() else { return false };
        let after = &text[end..];
        match first {
            TokenKind::OpenParen => is_expression_in_parentheses(text),
            TokenKind::Star | TokenKind::And | TokenKind::Minus | TokenKind::Eq => true,
            // `!0u8`, but not `!7z`.
            TokenKind::Literal { kind: LiteralKind::Int { .. }, suffix_start } => {
                let suffix = &text[suffix_start as usize..end];
                suffix.is_empty() || suffix.starts_with(['u', 'i'])
            }
            TokenKind::Ident => {
                let name = &text[..end];
                let called = after.starts_with(['(', '!']) || after.starts_with("::");
                called || matches!(name, "true" | "false" | "self") || (self.knows(name) && goes_on_as_rust(after))
            }
            _ => false,
        }
    }
}

/// Whether the parentheses that a text begins with hold an expression of Rust's, `(a && b)`, and not what a subshell
/// runs: `(sleep 1; echo x) &`, `(cd data && ls)`.
fn is_expression_in_parentheses(text: &str) -> bool {
    let mut depth = 0usize;
    let mut end = 0;
    for (kind, range) in tokens(text) {
        end = range.end;
        match kind {
            TokenKind::OpenParen => depth += 1,
            TokenKind::CloseParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    if depth > 0 {
        // Whoever is still typing, or has forgotten a bracket, is told so by the compiler.
        return true;
    }
    let behind = text[end..].split('\n').next().unwrap_or_default();
    let is_in_background = behind.split("//").next().is_some_and(|behind| behind.trim() == "&");
    let inside = &text[..end];
    let parses = || nesting::read(<syn::Expr as syn::parse::Parse>::parse, inside, |parsed| parsed.is_ok());
    // What is too deep to be read here is too deep for any shell's user.
    !is_in_background && parses().unwrap_or(true)
}

/// Whether what stands behind a name may go on an expression: `!v.is_empty()`, and not `!git status`.
fn goes_on_as_rust(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty()
        || text.starts_with("as ")
        || text.starts_with("//")
        || text.starts_with(['.', '[', ';', '?', '&', '|', '^', '=', '<', '>', '!', '+', '*', '%'])
}
