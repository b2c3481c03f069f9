//! Tells the commands of a cell from its code.
//!
//! A command is a line that begins with `:`, `%`, `!` or `?` where a statement may begin, or behind an expression that
//! nothing could follow in that way. What stands between commands is code; the cell runs segment after segment, each
//! code segment with blanks in place of the rest, so that lines and columns stay the user's own.

use std::ops::Range;

use ra_ap_rustc_lexer::TokenKind;

use crate::commands::Command;
use crate::commands::lines::Reader;
use crate::commands::read::{only, read};
use crate::source::words::tokens;

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
