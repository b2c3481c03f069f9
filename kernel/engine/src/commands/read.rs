//! Reads one command: its name, and what stands behind it.

use std::ops::Range;

use ra_ap_rustc_lexer::TokenKind;

use crate::commands::segments::segments_within;
use crate::commands::{Command, Env, Optimise, Segment, Shell, Timeit, catalogue};
use crate::source::words::{closes, closing, first_name, tokens};

/// As many as other kernels make.
const REPEATS: u32 = 7;

/// Reads the command that begins at an offset of the cell. Returns it with where it ends.
pub(super) fn read(cell: &str, at: usize, is_name: &dyn Fn(&str) -> bool, within_time: bool) -> (Command, usize) {
    let line_end = line_end(cell, at);
    let line = cell[at..line_end].trim_start();
    let start = line_end - line.len();
    if line.starts_with('!') {
        let end = continued(cell, start);
        let script = cell[start..end].trim_start_matches('!').trim().to_owned();
        return (shell(script), end);
    }
    if let Some(name) = line.strip_prefix('?') {
        return (doc(name.trim_matches('?')), line_end);
    }
    let sigil = if line.starts_with("%%") { "%%" } else { &line[..1] };
    let rest = &line[sigil.len()..];
    let name = first_name(rest);
    let arguments = start + sigil.len() + name.len();
    let line = Line { cell, arguments, end: line_end, takes_rest: sigil == "%%", is_name, within_time };
    line.command(name).unwrap_or_else(|| {
        if let Some(text) = catalogue::remark(name) {
            return (Command::Remark(text), line_end);
        }
        let nearest = catalogue::nearest(name).map(|entry| entry.usage);
        let end = if line.takes_rest { cell.len() } else { line_end };
        (Command::Unknown { name: format!("{sigil}{name}"), nearest }, end)
    })
}

/// A line that names a command.
struct Line<'a> {
    cell: &'a str,
    /// Where its arguments begin.
    arguments: usize,
    /// Where it ends.
    end: usize,
    /// Whether what follows belongs to it, `%%`.
    takes_rest: bool,
    is_name: &'a dyn Fn(&str) -> bool,
    /// Whether the time of what it does is taken already.
    within_time: bool,
}

impl Line<'_> {
    /// The command of that name, and where it ends; `None` where there is none.
    fn command(&self, name: &str) -> Option<(Command, usize)> {
        if catalogue::SHELL_ALIASES.contains(&name) {
            let command = if name == "ll" { "ls -l" } else { name };
            return Some((shell(format!("{command} {}", self.raw())), self.end));
        }
        match name {
            "pip" | "conda" | "mamba" => {
                let program = if name == "pip" { "python3 -m pip" } else { name };
                return Some((shell(format!("{program} {}", self.raw())), self.end));
            }
            "sh" | "bash" | "script" if self.takes_rest => {
                let script = self.below().to_owned();
                let program = if name == "sh" { "sh" } else { "bash" };
                return Some((Command::Shell(Shell { program, script, strict: true }), self.cell.len()));
            }
            _ => {}
        }
        let entry = catalogue::find(name)?;
        let misused = |problem: String| Command::Misused { problem, usage: entry.usage };
        let words: Vec<&str> = self.plain().split_whitespace().collect();
        let command = match (entry.name(), words.as_slice()) {
            ("time", _) => return Some(self.time(misused)),
            ("timeit", _) => return Some(self.timeit(misused)),
            ("type", _) => return Some(self.type_of(misused)),
            ("help", []) => Command::Help(None),
            ("help", [topic, ..]) => Command::Help(Some(topic.trim_start_matches([':', '%', '!']).to_owned())),
            ("vars", []) => Command::Vars,
            ("items", []) => Command::Items,
            ("pwd", []) => Command::Pwd,
            ("deps", []) => Command::Deps,
            ("check", []) => Command::Check(None),
            ("check", _) => Command::Check(Some(unquoted(self.plain()).to_owned())),
            ("version", []) => Command::Version,
            ("reset", [] | ["-f"]) => Command::Reset { keep_items: false },
            ("reset", ["vars" | "variables"]) => Command::Reset { keep_items: true },
            ("doc", [_, ..]) => doc(self.plain()),
            // An operator of Python's is a comment here.
            ("doc", []) if !self.raw().is_empty() => doc(self.raw()),
            ("find", [_, ..]) => Command::Find(self.plain().to_owned()),
            ("opt", []) => Command::Opt(None),
            ("opt", ["auto"]) => Command::Opt(Some(Optimise::Auto)),
            ("opt", [level @ ("0" | "1" | "2" | "3")]) => Command::Opt(level.parse().ok().map(Optimise::Level)),
            ("cache", []) => Command::Cache { clear: false },
            ("cache", ["clear"]) => Command::Cache { clear: true },
            ("cd", []) => Command::Cd(None),
            ("cd", _) => Command::Cd(Some(unquoted(self.plain()).to_owned())),
            ("dep", _) => Command::Dep(vec![self.raw().to_owned()]),
            ("env", _) => env(self.raw()).map_or_else(misused, Command::Env),
            ("writefile", _) if self.takes_rest => {
                self.write_file().unwrap_or_else(|| misused("no file is named".to_owned()))
            }
            ("sx" | "bash", [_, ..]) => shell(self.raw().to_owned()),
            (_, []) => misused(format!("there is nothing after `{name}`")),
            (_, _) => misused(format!("`{name}` does not take `{}`", self.plain())),
        };
        Some((command, if self.takes_rest { self.cell.len() } else { self.end }))
    }

    fn write_file(&self) -> Option<Command> {
        let arguments = self.raw();
        let (append, path) = match arguments.strip_prefix("-a ").or_else(|| arguments.strip_prefix("--append ")) {
            Some(path) => (true, path),
            None => (false, arguments),
        };
        let path = unquoted(path.trim()).to_owned();
        (!path.is_empty()).then(|| Command::WriteFile { path, append, text: self.below().to_owned() })
    }

    /// The rest of the cell, below the line.
    fn below(&self) -> &str {
        &self.cell[(self.end + 1).min(self.cell.len())..]
    }

    /// What stands behind the name, as it is.
    fn raw(&self) -> &str {
        self.cell[self.arguments..self.end].trim()
    }

    /// What stands behind the name, without a comment.
    fn plain(&self) -> &str {
        let raw = self.raw();
        if raw.starts_with("//") {
            return "";
        }
        raw.find(" //").map_or(raw, |at| raw[..at].trim_end())
    }

    fn time(&self, misused: impl Fn(String) -> Command) -> (Command, usize) {
        let alone = self.plain().is_empty();
        let end = if self.takes_rest || alone { self.cell.len() } else { code_end(self.cell, self.arguments) };
        if self.within_time {
            // As deep as there are lines, it would take a stack as deep.
            return (misused("`time` cannot be used inside `time`".to_owned()), end);
        }
        let script = self.raw().strip_prefix('!');
        let body = match script {
            Some(script) if !self.takes_rest => vec![Segment::Command(shell(script.trim().to_owned()))],
            _ => segments_within(&only(self.cell, self.arguments..end), self.is_name, true),
        };
        let empty = body.iter().all(|part| matches!(part, Segment::Code(code) if code.trim().is_empty()));
        let problem = || misused("there is nothing to run".to_owned());
        (if empty { problem() } else { Command::Time(body) }, end)
    }

    fn timeit(&self, misused: impl Fn(String) -> Command) -> (Command, usize) {
        let Options { loops, repeats, end: start } = match options(self.cell, self.arguments..self.end) {
            Ok(options) => options,
            Err(problem) => return (misused(problem), if self.takes_rest { self.cell.len() } else { self.end }),
        };
        let (measured, end) =
            if self.takes_rest { (self.end, self.cell.len()) } else { (start, code_end(self.cell, start)) };
        let code = only(self.cell, start..end);
        if code[measured..].trim().is_empty() {
            return (misused("there is nothing to run".to_owned()), end);
        }
        (Command::Timeit(Timeit { code, measured, loops, repeats }), end)
    }

    fn type_of(&self, misused: impl Fn(String) -> Command) -> (Command, usize) {
        let end = if self.takes_rest { self.cell.len() } else { code_end(self.cell, self.arguments) };
        let code = only(self.cell, self.arguments..end);
        if code.trim().is_empty() {
            return (misused("there is no expression after it".to_owned()), end);
        }
        (Command::Type(code), end)
    }
}

fn shell(script: String) -> Command {
    Command::Shell(Shell { program: "sh", script, strict: false })
}

fn doc(name: &str) -> Command {
    let name = name.trim().trim_start_matches('&').trim_end_matches(['?', ';']).trim_end_matches("()");
    Command::Doc(name.to_owned())
}

/// A path may stand in quotes, for its blanks.
fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

fn env(text: &str) -> Result<Env, String> {
    if text.is_empty() {
        return Ok(Env::List);
    }
    let (name, value) = match text.split_once('=').or_else(|| text.split_once(char::is_whitespace)) {
        Some((name, value)) => (name.trim_end(), Some(value.trim().to_owned())),
        None => (text, None),
    };
    if name.is_empty() || name.contains(char::is_whitespace) || text.contains('\0') {
        return Err(format!("`{name}` is not the name of a variable"));
    }
    let name = name.to_owned();
    Ok(match value {
        Some(value) => Env::Set { name, value },
        None => Env::Get(name),
    })
}

/// What `%timeit` was asked for ahead of the code.
struct Options {
    loops: u64,
    repeats: u32,
    /// Where the code begins.
    end: usize,
}

/// Reads `-n 100 -r5`.
fn options(cell: &str, range: Range<usize>) -> Result<Options, String> {
    let (mut loops, mut repeats) = (0, REPEATS);
    let mut rest = cell[range.clone()].trim_start();
    while let Some(option @ ("-n" | "-r")) = rest.get(..2) {
        let value = rest[2..].trim_start();
        let behind = value.trim_start_matches(|char: char| char.is_ascii_digit());
        let number = value[..value.len() - behind.len()].parse().ok().filter(|number: &u32| *number > 0);
        let number = number.ok_or_else(|| format!("`{option}` needs a number, at least 1"))?;
        if option == "-n" {
            loops = number.into();
        } else {
            repeats = number;
        }
        rest = behind.trim_start();
    }
    Ok(Options { loops, repeats, end: range.end - rest.len() })
}

/// The text with blanks in place of all but a range, so that lines and columns stay.
pub(super) fn only(cell: &str, range: Range<usize>) -> String {
    let blank = |text: &str| -> String { text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect() };
    format!("{}{}{}", blank(&cell[..range.start]), &cell[range.clone()], blank(&cell[range.end..]))
}

fn line_end(cell: &str, at: usize) -> usize {
    cell[at..].find('\n').map_or(cell.len(), |end| at + end)
}

/// The end of a shell command, whose lines go on behind a backslash.
fn continued(cell: &str, at: usize) -> usize {
    let mut end = line_end(cell, at);
    while cell[..end].ends_with('\\') && end < cell.len() {
        end = line_end(cell, end + 1);
    }
    end
}

/// The end of code that begins on a line: of the line, or of a later one where brackets are still open.
fn code_end(cell: &str, start: usize) -> usize {
    let code = &cell[start..];
    let mut depth = 0usize;
    for (kind, range) in tokens(code) {
        match kind {
            kind if closing(kind).is_some() => depth += 1,
            kind if closes(kind) => depth = depth.saturating_sub(1),
            TokenKind::Whitespace if depth == 0 => {
                if let Some(newline) = code[range.clone()].find('\n') {
                    return start + range.start + newline;
                }
            }
            _ => {}
        }
    }
    cell.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Command {
        let (command, end) = read(line, 0, &|_| false, false);
        assert_eq!(end, line.len(), "{line}");
        command
    }

    fn script(line: &str) -> String {
        match one(line) {
            Command::Shell(Shell { script, .. }) => script,
            other => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn a_command_goes_by_any_of_its_names() {
        for line in [":vars", "%vars", "%whos", "%who", ":vars // what is there?", "  :vars  "] {
            assert_eq!(one(line), Command::Vars, "{line}");
        }
        assert_eq!(one(":reset"), Command::Reset { keep_items: false });
        assert_eq!(one("%reset -f"), Command::Reset { keep_items: false });
        assert_eq!(one(":reset vars"), Command::Reset { keep_items: true });
        assert_eq!(one(":opt 3"), Command::Opt(Some(Optimise::Level(3))));
        assert_eq!(one("?Tensor"), Command::Doc("Tensor".into()));
        assert_eq!(one(":doc println!"), Command::Doc("println!".into()));
        assert_eq!(one(":doc x.sum()?"), Command::Doc("x.sum".into()));
        assert_eq!(one(":doc //"), Command::Doc("//".into()));
        assert_eq!(one("%find conv transpose // 2d"), Command::Find("conv transpose".into()));
        assert_eq!(one(":help %env"), Command::Help(Some("env".into())));
        assert!(matches!(one("%matplotlib inline"), Command::Remark(..)));
        assert!(matches!(one(":quit"), Command::Remark(..)));
    }

    #[test]
    fn an_unknown_command_names_the_nearest() {
        assert_eq!(one(":vras"), Command::Unknown { name: ":vras".into(), nearest: Some(":vars") });
        assert_eq!(one("%frobnicate"), Command::Unknown { name: "%frobnicate".into(), nearest: None });
        assert!(matches!(one(":opt 7"), Command::Misused { .. }));
        assert!(matches!(one(":doc"), Command::Misused { .. }));
    }

    #[test]
    fn shell_commands_hold_any_text() {
        assert_eq!(script("!echo '(\"[' // {x}"), "echo '(\"[' // {x}");
        assert_eq!(script("!pip install \\\n  numpy"), "pip install \\\n  numpy");
        assert_eq!(script("%ls -l"), "ls -l");
        assert_eq!(script("%pip install numpy"), "python3 -m pip install numpy");
        let body = Command::Shell(Shell { program: "bash", script: "a\n:b\n".into(), strict: true });
        assert_eq!(one("%%bash\na\n:b\n"), body);
    }

    #[test]
    fn the_environment_is_listed_shown_and_set() {
        let set = |value: &str| Command::Env(Env::Set { name: "A".into(), value: value.into() });
        assert_eq!(one("%env"), Command::Env(Env::List));
        assert_eq!(one("%env A"), Command::Env(Env::Get("A".into())));
        assert_eq!(one("%env A=b = c"), set("b = c"));
        assert_eq!(one("%env A b c"), set("b c"));
        assert_eq!(one("%env A="), set(""));
        assert_eq!(one("%cd \"my folder\""), Command::Cd(Some("my folder".into())));
    }

    #[test]
    fn a_file_takes_the_rest_of_the_cell() {
        let file = |append, text: &str| Command::WriteFile { path: "my file".into(), append, text: text.into() };
        assert_eq!(one("%%writefile 'my file'\n:vars\n"), file(false, ":vars\n"));
        assert_eq!(one("%%writefile -a my file"), file(true, ""));
        assert!(matches!(one("%%writefile"), Command::Misused { .. }));
        assert!(matches!(one("%writefile x"), Command::Misused { .. }));
    }

    #[test]
    fn code_behind_a_command_goes_on_while_brackets_are_open() {
        let (command, end) = read(":type f(\n  1,\n)\nlet x = 2;", 0, &|_| false, false);
        assert_eq!(end, 15);
        assert_eq!(command, Command::Type("      f(\n  1,\n)\n          ".into()));
    }

    #[test]
    fn timeit_takes_options_and_a_setup() {
        let Command::Timeit(timeit) = one("%timeit -n 10 -r3 f(x)") else { panic!("is timeit") };
        assert_eq!((timeit.loops, timeit.repeats, timeit.code.trim()), (10, 3, "f(x)"));
        let Command::Timeit(timeit) = one("%%timeit let x = 1;\nf(x)") else { panic!("is timeit") };
        assert_eq!(&timeit.code[timeit.measured..], "\nf(x)");
        assert_eq!(timeit.code[..timeit.measured].trim(), "let x = 1;");
        let Command::Timeit(timeit) = one("%timeit -x.abs()") else { panic!("is timeit") };
        assert_eq!((timeit.repeats, timeit.code.trim()), (REPEATS, "-x.abs()"));
        assert!(matches!(one("%timeit -n"), Command::Misused { .. }));
        assert!(matches!(one("%timeit"), Command::Misused { .. }));
    }

    #[test]
    fn time_alone_on_its_line_takes_the_rest() {
        let Command::Time(body) = one("%%time\nlet x = 1;\n!ls\nx") else { panic!("is time") };
        assert_eq!(body.len(), 3);
        assert!(matches!(one(":time\nf()"), Command::Time(..)));
        let (command, end) = read("%time f()\ng()", 0, &|_| false, false);
        assert_eq!(end, 9);
        assert_eq!(command, Command::Time(vec![Segment::Code("      f()\n   ".into())]));
        assert_eq!(one("%time !ls"), Command::Time(vec![Segment::Command(shell("ls".into()))]));
    }
}
