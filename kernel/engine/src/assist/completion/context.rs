//! What the cursor stands in, by the text ahead of it.

use std::ops::Range;

use ra_ap_rustc_lexer::{LiteralKind, TokenKind};

use crate::commands::catalogue::{self, Argument, Entry};
use crate::commands::{End, end_of};
use crate::source::words::{in_name, tokens};

/// What could stand at the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Context<'a> {
    /// The name of a command.
    Command,
    /// A file or folder in this folder, as written: ends in `/` or is empty.
    File(&'a str),
    /// A field or method of a variable, or of its fields; of something else where there are no names.
    Member(Vec<&'a str>),
    /// What a type or module of this name holds; of something else where it is empty, as in `Vec::<f64>::`.
    Path(&'a str),
    /// Any name.
    Name,
    /// Nothing that is known already: a comment, a number, a name that is just being made.
    Nothing,
}

/// Words behind which a new name stands.
const MAKE_NAMES: [&str; 9] = ["let", "mut", "fn", "struct", "enum", "trait", "mod", "type", "macro_rules"];

/// What the end of the text stands in, and what of it is typed already. `is_name` says which names the session knows.
pub(super) fn at_end_of<'a>(text: &'a str, is_name: &dyn Fn(&str) -> bool) -> (Context<'a>, &'a str) {
    let mut text = text;
    loop {
        let command = match end_of(text, is_name) {
            End::Code(start) => return in_code(&text[start..]),
            End::Command(start) => text[start..].trim_start(),
        };
        let name = command.trim_start_matches(['%', ':', '!', '?']);
        if command.starts_with('!') {
            return file(last_word(name));
        }
        if command.starts_with('?') {
            return in_code(name);
        }
        let Some(behind) = name.find(char::is_whitespace) else { return (Context::Command, name) };
        let (name, arguments) = name.split_at(behind);
        match (catalogue::find(name).map_or(Argument::Other, Entry::takes), arguments.split_once('\n')) {
            (Argument::Command, _) => return (Context::Command, last_word(arguments)),
            (Argument::Code, None) => return in_code(arguments),
            // The cell goes on below.
            (Argument::Code, Some((_, below))) => text = below,
            (Argument::Other, _) => return file(last_word(arguments)),
        }
    }
}

fn in_code(text: &str) -> (Context<'_>, &str) {
    let mut tokens: Vec<(TokenKind, Range<usize>)> = tokens(text).collect();
    let end = &text[text.len()..];
    let mut prefix = end;
    if let Some((kind, range)) = tokens.last() {
        match kind {
            TokenKind::LineComment { .. } | TokenKind::BlockComment { terminated: false, .. } => {
                return (Context::Nothing, end);
            }
            TokenKind::Literal { kind, .. } => return in_literal(*kind, &text[range.clone()], end),
            TokenKind::Lifetime { .. } => return (Context::Nothing, end),
            TokenKind::Ident | TokenKind::RawIdent => {
                prefix = &text[range.clone()];
                tokens.pop();
            }
            _ => {}
        }
    }
    tokens.retain(|(kind, _)| *kind != TokenKind::Whitespace);
    let name = |back: usize| {
        let (kind, range) = tokens.get(tokens.len().checked_sub(back)?)?;
        (*kind == TokenKind::Ident).then(|| &text[range.clone()])
    };
    let kind = |back: usize| tokens.len().checked_sub(back).map(|at| tokens[at].0);
    let context = match (kind(2), kind(1)) {
        (Some(TokenKind::Dot), Some(TokenKind::Dot)) => Context::Name,
        (_, Some(TokenKind::Dot)) => {
            let mut names = Vec::new();
            let mut back = 2;
            while let Some(found) = name(back) {
                names.insert(0, found);
                if kind(back + 1) != Some(TokenKind::Dot) {
                    break;
                }
                back += 2;
            }
            // `f(x).y.` begins with no name.
            if name(back).is_none() || kind(back + 1) == Some(TokenKind::Colon) {
                names.clear();
            }
            Context::Member(names)
        }
        (Some(TokenKind::Colon), Some(TokenKind::Colon)) => Context::Path(name(3).unwrap_or_default()),
        _ if name(1).is_some_and(|word| MAKE_NAMES.contains(&word)) => Context::Nothing,
        _ => Context::Name,
    };
    (context, prefix)
}

/// A string that is still open may be a path, or name a variable in braces.
fn in_literal<'a>(kind: LiteralKind, literal: &'a str, end: &'a str) -> (Context<'a>, &'a str) {
    let is_open = match kind {
        LiteralKind::Str { terminated } => !terminated,
        LiteralKind::RawStr { n_hashes } => n_hashes.is_none(),
        _ => false,
    };
    let Some((_, content)) = literal.split_once('"').filter(|_| is_open) else { return (Context::Nothing, end) };
    match content.rsplit_once('{') {
        Some((_, name)) if name.chars().all(in_name) => (Context::Name, name),
        _ => file(content),
    }
}

fn file(path: &str) -> (Context<'_>, &str) {
    let (folder, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    (Context::File(folder), name)
}

fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, context: Context, prefix: &str) {
        assert_eq!(at_end_of(text, &|name| name == "flag"), (context, prefix), "{text}");
    }

    #[test]
    fn names_members_and_paths_are_told_apart() {
        check("let y = me", Context::Name, "me");
        check("", Context::Name, "");
        check("a + b.le", Context::Member(vec!["b"]), "le");
        check("net.conv1.", Context::Member(vec!["net", "conv1"]), "");
        check("net\n    .conv1\n    .", Context::Member(vec!["net", "conv1"]), "");
        check("f(x).y.z", Context::Member(vec![]), "z");
        check("v[0].", Context::Member(vec![]), "");
        check("nn::lin", Context::Path("nn"), "lin");
        check("tch::nn::", Context::Path("nn"), "");
        check("0..n", Context::Name, "n");
        check("x.0.a", Context::Member(vec![]), "a");
    }

    #[test]
    fn what_is_just_being_made_is_not_known() {
        check("let mut cou", Context::Nothing, "cou");
        check("fn ", Context::Nothing, "");
        check("let x = 12", Context::Nothing, "");
        check("x // see ne", Context::Nothing, "");
    }

    #[test]
    fn strings_hold_paths_and_names() {
        check("open(\"data/tr", Context::File("data/"), "tr");
        check("open(\"", Context::File(""), "");
        check("println!(\"{los", Context::Name, "los");
        check("println!(\"{loss} in da", Context::File(""), "{loss} in da");
        check("f(\"done\").", Context::Member(vec![]), "");
    }

    #[test]
    fn a_line_that_only_looks_like_a_command_is_code() {
        check("fn f(done: bool) -> bool {\n    !do", Context::Name, "do");
        check("let x\n    : Vec", Context::Name, "Vec");
        check("let y = 7\n    % mod", Context::Name, "mod");
        check("!flag.is", Context::Member(vec!["flag"]), "is");
        check("Vec::<f64>::wi", Context::Path(""), "wi");
    }

    #[test]
    fn commands_take_commands_code_or_files() {
        check(":va", Context::Command, "va");
        check("%%ti", Context::Command, "ti");
        check("x;\n%tim", Context::Command, "tim");
        check(":doc nn::li", Context::Path("nn"), "li");
        check("%cd ../no", Context::File("../"), "no");
        check("!cat da", Context::File(""), "da");
        check("!it's\nle", Context::Name, "le");
        check(":whatis b.le", Context::Member(vec!["b"]), "le");
        check("?Tens", Context::Name, "Tens");
        check("%%time\n// first\nx.", Context::Member(vec!["x"]), "");
        check("%%timeit\n:va", Context::Command, "va");
        check("%%bash\ncat da", Context::File(""), "da");
    }
}
