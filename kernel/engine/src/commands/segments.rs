//! Tells the commands of a cell from its code.
//!
//! A command is a line that begins with `:`, `%`, `!` or `?` where a statement may begin, or behind an expression that
//! nothing could follow in that way. What stands between commands is code; the cell runs segment after segment, each
//! code segment with blanks in place of the rest, so that lines and columns stay the user's own.

use std::collections::BTreeSet;
use std::ops::Range;

use ra_ap_rustc_lexer::{LiteralKind, TokenKind};

use crate::commands::read::{only, read};
use crate::commands::{Command, catalogue};
use crate::source::nesting;
use crate::source::words::{first_name, tokens};

/// A part of a cell that runs as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Code: the cell's text with blanks in place of everything else.
    Code(String),
    /// A command.
    Command(Command),
}

/// Splits a cell. One without commands is a single segment, the cell as it is.
///
/// `is_name` says whether a session knows a name, so that `!flag` can be told from `!ls`.
pub fn segments(cell: &str, is_name: &dyn Fn(&str) -> bool) -> Vec<Segment> {
    segments_within(cell, is_name, false)
}

/// Splits what may be the code behind `%%time`.
pub(super) fn segments_within(cell: &str, is_name: &dyn Fn(&str) -> bool, within_time: bool) -> Vec<Segment> {
    let mut reader = Reader::new(cell, is_name);
    let mut segments = Vec::new();
    let mut start = 0;
    while let Some(line) = reader.next_command() {
        segments.extend(code(cell, start..line));
        let (command, end) = read(cell, line, is_name, within_time);
        match (segments.last_mut(), command) {
            (Some(Segment::Command(Command::Dep(lines))), Command::Dep(more)) => lines.extend(more),
            (_, command) => segments.push(Segment::Command(command)),
        }
        start = end;
        reader.at = end;
    }
    if segments.is_empty() {
        return vec![Segment::Code(cell.to_owned())];
    }
    segments.extend(code(cell, start..cell.len()));
    segments
}

/// What the end of a text that is being typed stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Code, which goes on from there.
    Code(usize),
    /// A command, which begins there.
    Command(usize),
}

/// Tells whether a text ends in code or in a command.
pub fn end_of(text: &str, is_name: &dyn Fn(&str) -> bool) -> End {
    let mut reader = Reader::new(text, is_name);
    let mut code = 0;
    while let Some(line) = reader.next_command() {
        (_, code) = read(text, line, is_name, false);
        if code == text.len() {
            return End::Command(line);
        }
        reader.at = code;
    }
    End::Code(code)
}

/// The code of a cell, what commands take of it included, with blanks in place of the rest.
pub fn code_of(cell: &str, is_name: &dyn Fn(&str) -> bool) -> String {
    let mut code = only(cell, 0..0).into_bytes();
    let mut todo = segments(cell, is_name);
    while let Some(segment) = todo.pop() {
        let part = match segment {
            Segment::Code(part) | Segment::Command(Command::Type(part)) => part,
            Segment::Command(Command::Timeit(timeit)) => timeit.code,
            Segment::Command(Command::Time(body)) => {
                todo.extend(body);
                continue;
            }
            Segment::Command(_) => continue,
        };
        for (to, from) in code.iter_mut().zip(part.bytes()) {
            if *to == b' ' {
                *to = from;
            }
        }
    }
    // Each part has whole characters at their own places.
    String::from_utf8(code).unwrap_or_else(|_| only(cell, 0..0))
}

/// Nothing for blanks and comments between commands, which say nothing to the compiler.
fn code(cell: &str, range: Range<usize>) -> Option<Segment> {
    let blank = |kind| {
        matches!(
            kind,
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { terminated: true, .. }
        )
    };
    let text = &cell[range.clone()];
    let says_nothing = tokens(text).all(|(kind, _)| blank(kind));
    (!says_nothing).then(|| Segment::Code(only(cell, range)))
}

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

struct Reader<'a> {
    cell: &'a str,
    is_name: &'a dyn Fn(&str) -> bool,
    /// The identifiers of the code so far.
    own: BTreeSet<&'a str>,
    at: usize,
    depth: usize,
    statement: Statement,
}

impl<'a> Reader<'a> {
    fn new(cell: &'a str, is_name: &'a dyn Fn(&str) -> bool) -> Self {
        Self { cell, is_name, own: BTreeSet::new(), at: 0, depth: 0, statement: Statement::default() }
    }

    /// Where the next line that is a command begins.
    fn next_command(&mut self) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Shell;

    fn parts(cell: &str) -> Vec<String> {
        let known = |name: &str| matches!(name, "flag" | "v");
        let describe = |segment: &Segment| match segment {
            Segment::Code(code) => code.trim().to_owned(),
            Segment::Command(Command::Shell(Shell { script, .. })) => format!("! {script}"),
            Segment::Command(command) => format!("{command:?}"),
        };
        segments(cell, &known).iter().map(describe).collect()
    }

    #[track_caller]
    fn is_code(cell: &str) {
        assert_eq!(segments(cell, &|name| matches!(name, "flag" | "v")), [Segment::Code(cell.into())], "{cell}");
    }

    #[test]
    fn code_keeps_its_lines_and_columns() {
        let found = segments(":vars\nlet x = 1;\n%cd /\nx", &|_| false);
        assert_eq!(found[1], Segment::Code("     \nlet x = 1;\n     \n ".into()));
        assert_eq!(found[3], Segment::Code("     \n          \n     \nx".into()));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_line_within_a_statement_is_no_command() {
        is_code("let x\n: i32 = 5;");
        is_code("let y = 7\n% 4;");
        is_code("y\n% x");
        is_code("let s = \"\n:vars\n\";");
        is_code("/*\n:vars\n*/");
        is_code("// :vars\n1");
        is_code("fn f(\n:x) {}");
        is_code("::std::mem::drop(1)");
        is_code("let a = if b { 1 } else { 2 }\n% 3;");
        is_code("static S: T = T {}\n;");
        is_code("fn f<T>(t: T) where T\n: Copy {}");
        is_code("a\n!= b");
    }

    #[test]
    fn a_negation_stays_rust_and_a_shell_command_is_one() {
        for code in
            ["!flag", "!v.is_empty()", "!(a && b)", "!0u8", "!true", "!matches!(x, 1)", "!f(x)", "!*p", "!!flag"]
        {
            is_code(code);
            is_code(&format!("f();\n{code}"));
        }
        is_code("let own = true;\n!own");
        is_code("!(a\n    && b)");
        is_code("!(f(x) > 1) &&\nb");
        // Not closed: what is missing is Rust's to say.
        is_code("!(a && (b");
        assert_eq!(parts("!(sleep 0.5; echo x) &"), ["! (sleep 0.5; echo x) &"]);
        assert_eq!(parts("f();\n!(cd data && ls -l)\nx"), ["f();", "! (cd data && ls -l)", "x"]);
        assert_eq!(parts("!(server) & // in the background"), ["! (server) & // in the background"]);
        assert_eq!(parts("!(echo a\\\n  b) | cat"), ["! (echo a\\\n  b) | cat"]);
        assert_eq!(parts("!ls"), ["! ls"]);
        assert_eq!(parts("!ls -l; echo {}"), ["! ls -l; echo {}"]);
        assert_eq!(parts("!flag --version"), ["! flag --version"]);
        assert_eq!(parts("!7z x a.7z"), ["! 7z x a.7z"]);
        assert_eq!(parts("!./run 'it"), ["! ./run 'it"]);
        assert_eq!(parts("let x = 1;\n  !echo (\nx"), ["let x = 1;", "! echo (", "x"]);
    }

    #[test]
    fn a_command_may_follow_an_expression_without_semicolon() {
        assert_eq!(parts("x + 1\n:vars"), ["x + 1", "Vars"]);
        assert_eq!(parts("f()\n!ls\ng()"), ["f()", "! ls", "g()"]);
        assert_eq!(parts("f()?\n%pwd"), ["f()?", "Pwd"]);
        assert_eq!(parts("fn f() {}\n%pwd"), ["fn f() {}", "Pwd"]);
        assert_eq!(parts("#[inline]\npub fn f() {}\n:vars"), ["#[inline]\npub fn f() {}", "Vars"]);
        assert_eq!(parts("for i in 0..3 { f(i) }\n!ls"), ["for i in 0..3 { f(i) }", "! ls"]);
    }

    #[test]
    fn the_code_of_a_cell_stands_where_it_stood() {
        let code = |cell: &str| code_of(cell, &|_| false);
        assert_eq!(code("%cd é\nlet y = 变;\n!ls\n"), "      \nlet y = 变;\n   \n");
        assert_eq!(code(":type x.\n1"), "      x.\n1");
        assert_eq!(code("%%time\n:vars\nf()"), "      \n     \nf()");
    }

    #[test]
    fn the_end_of_a_text_is_code_or_a_command() {
        let end = |text: &str| end_of(text, &|name| name == "flag");
        assert_eq!(end("1;\n:va"), End::Command(3));
        assert_eq!(end(":vars\n"), End::Code(5));
        assert_eq!(end("fn f() {\n    !f"), End::Code(0));
        assert_eq!(end("let x\n: i3"), End::Code(0));
        assert_eq!(end("!flag.clo"), End::Code(0));
        assert_eq!(end("%%bash\nls"), End::Command(0));
    }

    #[test]
    fn dependencies_are_handed_over_together() {
        let found = segments(":dep a = \"1\"\n// and\n:dep b = \"2\"\n1", &|_| false);
        let lines = vec!["a = \"1\"".to_owned(), "b = \"2\"".to_owned()];
        assert_eq!(found[0], Segment::Command(Command::Dep(lines)));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn cell_magics_take_the_rest() {
        assert_eq!(parts("%%bash\nls\n:vars"), ["! ls\n:vars"]);
        assert_eq!(parts("// first\n%%time\nlet x = 1;").len(), 1);
    }

    #[test]
    fn any_text_is_split_and_its_code_keeps_its_offsets() {
        let parts = [
            ":vars",
            "%time ",
            "%%time",
            "!ls",
            "!",
            "?x",
            ":",
            "%",
            "\n",
            "\n",
            "\n",
            " ",
            "let x = ",
            "1;",
            "{",
            "}",
            "(",
            ")",
            "\"",
            "'",
            "//",
            "/*",
            "*/",
            "#[a]",
            "pub fn f",
            "f()",
            "x",
            "é",
            "\u{3000}",
            "\\",
            "%timeit -n",
            "%%bash",
            ":dep a",
            "r#\"",
            "=",
            "数据",
            "\r",
            ":type ",
            "-r 3",
            "0",
        ];
        // A fixed sequence that looks random: Knuth's linear congruential generator.
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for _ in 0..20_000 {
            let cell: String = (0..next() % 12).map(|_| parts[next() % parts.len()]).collect();
            for segment in segments(&cell, &|name| name == "x") {
                if let Segment::Code(code) | Segment::Command(Command::Type(code)) = segment {
                    let kept = code.bytes().zip(cell.bytes()).all(|(kept, byte)| kept == byte || kept == b' ');
                    assert!(code.len() == cell.len() && kept, "{cell:?} gives {code:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_lost_of_any_text() {
        for cell in [
            "",
            ":",
            "%",
            "!",
            "?",
            "%%",
            "!\\",
            "%%time",
            ":timeit -n",
            "é\n!é",
            "\u{3000}:vars",
            "\u{3000}!ls",
            "%é",
            ":timeit é",
            "%timeit -é",
            "\"",
            "'\n:vars",
            "r#\"\n%cd",
        ] {
            let found = segments(cell, &|_| false);
            assert!(!found.is_empty(), "{cell}");
        }
    }
}
