//! Tells the commands of a cell (`:dep`, `%cd`, `!ls`) from its code.
//!
//! A command is a line that begins with `:`, `%` or `!` where a statement may begin. What stands between commands is
//! code; the cell runs segment after segment, each code segment with blanks in place of the rest, so that lines and
//! columns stay the user's own.

use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// A part of a cell that runs as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Code: the cell's text with blanks in place of everything else.
    Code(String),
    /// A command.
    Command(Command),
}

/// A command of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Crates to build: what follows each `:dep` of lines that follow each other.
    Dep {
        /// In order.
        lines: Vec<String>,
    },
    /// No command that we know.
    Unknown {
        /// The line.
        text: String,
    },
}

/// Splits a cell. One without commands is a single segment, the cell as it is.
pub fn segments(cell: &str) -> Vec<Segment> {
    let lines = command_lines(cell);
    if lines.is_empty() {
        return vec![Segment::Code(cell.to_owned())];
    }
    let mut segments = Vec::new();
    let mut start = 0;
    for line in lines {
        segments.extend(code(cell, start..line.start));
        let text = cell[line.clone()].trim();
        match (text.strip_prefix(":dep").filter(|rest| !rest.starts_with(is_word)), segments.last_mut()) {
            // Lines that follow each other are built together.
            (Some(spec), Some(Segment::Command(Command::Dep { lines }))) => lines.push(spec.trim().to_owned()),
            (Some(spec), _) => {
                segments.push(Segment::Command(Command::Dep { lines: vec![spec.trim().to_owned()] }));
            }
            (None, _) => segments.push(Segment::Command(Command::Unknown { text: text.to_owned() })),
        }
        start = line.end;
    }
    segments.extend(code(cell, start..cell.len()));
    segments
}

fn code(cell: &str, range: Range<usize>) -> Option<Segment> {
    if cell[range.clone()].trim().is_empty() {
        return None;
    }
    let blank = |text: &str| -> String { text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect() };
    Some(Segment::Code(format!("{}{}{}", blank(&cell[..range.start]), &cell[range.clone()], blank(&cell[range.end..]))))
}

/// The lines that are commands.
fn command_lines(cell: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut at = 0;
    let mut depth = 0usize;
    // Whether a statement may begin here: at the start, behind `;` and `}`, and behind a command.
    let mut fresh = true;
    while at < cell.len() {
        let rest = &cell[at..];
        let line = rest.split('\n').next().unwrap_or(rest);
        let line_starts = at == 0 || cell[..at].ends_with('\n');
        if line_starts && depth == 0 && fresh && is_command(line) {
            lines.push(at..at + line.len());
            at += line.len();
            continue;
        }
        let Some(token) = tokenize(rest, FrontmatterAllowed::No).next() else { break };
        let len = token.len as usize;
        match token.kind {
            TokenKind::Whitespace => {
                // Up to the end of the line, so that the next one is looked at from its start.
                let newline = rest[..len].find('\n').map_or(len, |newline| newline + 1);
                at += newline;
                continue;
            }
            TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => {}
            TokenKind::OpenParen | TokenKind::OpenBrace | TokenKind::OpenBracket => {
                depth += 1;
                fresh = false;
            }
            TokenKind::CloseParen | TokenKind::CloseBracket => {
                depth = depth.saturating_sub(1);
                fresh = false;
            }
            TokenKind::CloseBrace => {
                depth = depth.saturating_sub(1);
                fresh = true;
            }
            TokenKind::Semi => fresh = true,
            _ => fresh = false,
        }
        at += len;
    }
    lines
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with([':', '%']) && !line.starts_with("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_keeps_its_lines_and_columns() {
        let cell = ":vars\nlet x = 1;\n%cd /\nx";
        let found = segments(cell);
        assert_eq!(found[1], Segment::Code("     \nlet x = 1;\n     \n ".into()));
        assert_eq!(found[3], Segment::Code("     \n          \n     \nx".into()));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn dependencies_that_follow_each_other_are_one_command() {
        let found = segments(":dep a\n:dep b = \"1\"\n\nlet x = 1;\n:dep c\n:deps");
        let dep = |lines: &[&str]| {
            Segment::Command(Command::Dep { lines: lines.iter().map(|line| line.to_string()).collect() })
        };
        assert_eq!(found[0], dep(&["a", "b = \"1\""]));
        assert_eq!(found[2..], [dep(&["c"]), Segment::Command(Command::Unknown { text: ":deps".into() })]);
    }

    #[test]
    fn a_line_within_a_statement_is_no_command() {
        for cell in
            ["let x\n: i32 = 5;", "let y = 7\n% 4;", "let s = \"\n:vars\n\";", "fn f(\n:x) {}", "::std::mem::drop(1)"]
        {
            assert_eq!(segments(cell), [Segment::Code(cell.into())], "{cell}");
        }
    }
}
