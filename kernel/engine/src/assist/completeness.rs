//! Says whether a cell is ready to run, for frontends that ask on Enter.

use oxtorch_session::Completeness;
use ra_ap_rustc_lexer::{LiteralKind, TokenKind};
use syn::Block;

use crate::commands::{Command, Segment, Shell, Timeit, segments};
use crate::source::nesting::read;
use crate::source::words::{closes, closing, tokens};

const INDENT: &str = "    ";

/// Whether the text is a whole cell. `is_name` says whether the session knows a name.
pub fn is_complete(cell: &str, is_name: &dyn Fn(&str) -> bool) -> Completeness {
    let mut complete = Completeness::Complete;
    for segment in segments(cell, is_name) {
        complete = match segment {
            Segment::Code(code) => is_complete_code(&code),
            Segment::Command(Command::Time(body)) => match body.last() {
                Some(Segment::Code(code)) => is_complete_code(code),
                _ => Completeness::Complete,
            },
            Segment::Command(Command::Type(code) | Command::Timeit(Timeit { code, .. })) => is_complete_code(&code),
            // What `%%bash` is to run is still to be typed.
            Segment::Command(Command::Shell(Shell { script, strict: true, .. })) if script.is_empty() => incomplete(0),
            Segment::Command(Command::Misused { .. }) if cell.trim_start().starts_with("%%") => incomplete(0),
            Segment::Command(_) => Completeness::Complete,
        };
        if complete == Completeness::Invalid {
            break;
        }
    }
    complete
}

fn is_complete_code(code: &str) -> Completeness {
    let mut open = Vec::new();
    let mut closes_what_is_open = true;
    for (kind, _) in tokens(code) {
        open.extend(closing(kind));
        match kind {
            kind if closes(kind) => closes_what_is_open &= open.pop() == Some(kind),
            TokenKind::BlockComment { terminated: false, .. } => return incomplete(0),
            TokenKind::Literal { kind, .. } if !terminated(kind) => return incomplete(0),
            _ => {}
        }
    }
    if !closes_what_is_open {
        return Completeness::Invalid;
    }
    if !open.is_empty() {
        return incomplete(open.len());
    }
    // Where a statement could go on, an empty line ends it.
    let could_go_on = if ends_with_an_empty_line(code) { Completeness::Complete } else { incomplete(0) };
    let parsed = read(Block::parse_within, code, |parsed| match parsed {
        Ok(_) => Completeness::Complete,
        Err(error) if error.to_string().starts_with("unexpected end of input") => could_go_on.clone(),
        // Two statements in a row lack a semicolon between them; at the very end one may still be typed.
        Err(_) => Completeness::Invalid,
    });
    let ended = || read(Block::parse_within, &format!("{code}\n;"), |parsed| parsed.is_ok()) == Ok(true);
    if parsed == Ok(Completeness::Invalid) && ended() {
        return could_go_on;
    }
    // What is wrong is said when it runs.
    parsed.unwrap_or(Completeness::Complete)
}

fn ends_with_an_empty_line(code: &str) -> bool {
    code.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty())
}

fn incomplete(depth: usize) -> Completeness {
    Completeness::Incomplete { indent: INDENT.repeat(depth) }
}

fn terminated(kind: LiteralKind) -> bool {
    match kind {
        LiteralKind::Char { terminated }
        | LiteralKind::Byte { terminated }
        | LiteralKind::Str { terminated }
        | LiteralKind::ByteStr { terminated }
        | LiteralKind::CStr { terminated } => terminated,
        LiteralKind::RawStr { n_hashes } | LiteralKind::RawByteStr { n_hashes } | LiteralKind::RawCStr { n_hashes } => {
            n_hashes.is_some()
        }
        LiteralKind::Int { .. } | LiteralKind::Float { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: Completeness) {
        assert_eq!(is_complete(code, &|_| false), expected, "{code:?}");
    }

    #[test]
    fn whole_cells_are_complete() {
        check("let x = 1;", Completeness::Complete);
        check("1 + 1", Completeness::Complete);
        check("struct A { x: i32 }\nimpl A {}", Completeness::Complete);
        check("", Completeness::Complete);
        check("// a comment", Completeness::Complete);
    }

    #[test]
    fn open_braces_strings_and_comments_go_on() {
        check("fn f() {", Completeness::Incomplete { indent: "    ".into() });
        check("fn f() {\n    if a {", Completeness::Incomplete { indent: "        ".into() });
        check("let s = \"abc", Completeness::Incomplete { indent: String::new() });
        check("let s = r#\"abc\"", Completeness::Incomplete { indent: String::new() });
        check("/* open", Completeness::Incomplete { indent: String::new() });
        check("let x =", Completeness::Incomplete { indent: String::new() });
        check("let x = 5", Completeness::Incomplete { indent: String::new() });
        check("use std::fmt", Completeness::Incomplete { indent: String::new() });
        check("let x = 5 // five", Completeness::Incomplete { indent: String::new() });
    }

    #[test]
    fn an_empty_line_ends_a_statement_but_no_block() {
        check("let x = 5\n", Completeness::Complete);
        check("let x =\n    ", Completeness::Complete);
        check("let x = 5\n+ 1", Completeness::Incomplete { indent: String::new() });
        check("for i in 0..3 {\n", Completeness::Incomplete { indent: "    ".into() });
        check("for i in 0..3 {\n    println!(\"{i}\");\n}", Completeness::Complete);
        check("let s = \"abc\n", Completeness::Incomplete { indent: String::new() });
    }

    #[test]
    fn commands_are_complete_and_cell_magics_wait_for_their_cell() {
        check(":vars", Completeness::Complete);
        check("!echo \"(", Completeness::Complete);
        check("let x = 1;\n!ls (\nx", Completeness::Complete);
        check("%%time", Completeness::Incomplete { indent: String::new() });
        check("%%bash", Completeness::Incomplete { indent: String::new() });
        check("%%time\nf(", Completeness::Incomplete { indent: "    ".into() });
        check("%timeit f(x)", Completeness::Complete);
        check("fn f() }\n:vars", Completeness::Invalid);
    }

    #[test]
    fn what_nothing_can_mend_is_invalid() {
        check("fn f() }", Completeness::Invalid);
        check("let = 3;", Completeness::Invalid);
        check("let x = 5 let y = 6", Completeness::Invalid);
        check("(]", Completeness::Invalid);
    }
}
