//! What the cursor stands in, by the text ahead of it.

use ra_ap_rustc_lexer::{Base, LiteralKind, TokenKind};

use crate::assist::types::receiver::{Token, angle, expression_of, significant};

use crate::commands::catalogue::{self, Argument, Entry};
use crate::commands::{End, end_of};
use crate::source::words::{in_name, tokens};

/// What could stand at the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Context<'a> {
    /// The name of a command.
    Command,
    /// A file or folder in this folder, as written: ends in `/` or is empty.
    File(&'a str),
    /// A field or method of this expression; it is empty where no expression can be made out.
    Member(&'a str),
    /// What the type or module of this path holds; of something else where it is empty, as in `<T as Trait>::`.
    Path(Vec<&'a str>),
    /// A type that this method makes: of `collect` between `::<` and `>`.
    Made(&'a str),
    /// Any name.
    Name,
    /// Nothing that is known already: a comment, a number, a name that is just being made.
    Nothing,
}

/// Words behind which a new name stands.
const MAKE_NAMES: [&str; 9] = ["let", "mut", "fn", "struct", "enum", "trait", "mod", "type", "macro_rules"];

/// That of a field of a tuple.
const NUMBER: LiteralKind = LiteralKind::Int { base: Base::Decimal, empty_int: false };

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
    let mut found = significant(text);
    let end = &text[text.len()..];
    let mut prefix = end;
    match tokens(text).last() {
        Some((TokenKind::LineComment { .. } | TokenKind::BlockComment { terminated: false, .. }, _)) => {
            return (Context::Nothing, end);
        }
        // The dot of `pair.0.` is read as that of a number.
        Some((TokenKind::Literal { kind: LiteralKind::Float { .. }, .. }, range)) if is_field(&found) => {
            found.pop();
            found.push((TokenKind::Literal { kind: NUMBER, suffix_start: 0 }, range.start..range.end - 1));
            found.push((TokenKind::Dot, range.end - 1..range.end));
        }
        Some((TokenKind::Literal { kind, .. }, range)) => return in_literal(kind, &text[range], end),
        Some((TokenKind::Lifetime { .. }, _)) => return (Context::Nothing, end),
        Some((TokenKind::Ident | TokenKind::RawIdent, range)) => {
            prefix = &text[range];
            found.pop();
        }
        _ => {}
    }
    let kind = |back: usize| found.len().checked_sub(back).map(|at| found[at].0);
    let word = |back: usize| found.len().checked_sub(back).map_or("", |at| &text[found[at].1.clone()]);
    let context = match (kind(2), kind(1)) {
        (Some(TokenKind::Dot), Some(TokenKind::Dot)) => Context::Name,
        (_, Some(TokenKind::Dot)) => Context::Member(expression_of(text, &found[..found.len() - 1])),
        (Some(TokenKind::Colon), Some(TokenKind::Colon)) => Context::Path(path_of(text, &found)),
        (Some(TokenKind::Colon), Some(TokenKind::Lt)) if kind(5) == Some(TokenKind::Dot) => Context::Made(word(4)),
        _ if MAKE_NAMES.contains(&word(1)) => Context::Nothing,
        (_, Some(TokenKind::Comma | TokenKind::OpenBrace)) => in_braces(text, &found),
        _ => Context::Name,
    };
    (context, prefix)
}

/// Whether a dot stands ahead of the last token.
fn is_field(found: &[Token]) -> bool {
    let before = found.len().checked_sub(2).map(|at| found[at].0);
    let last = found.last();
    before == Some(TokenKind::Dot)
        && last.is_some_and(|(_, range)| range.len() > 1)
        && matches!(last, Some((TokenKind::Literal { .. }, _)))
}

fn is_path(found: &[Token]) -> bool {
    found.len() >= 2 && found[found.len() - 2..].iter().all(|(kind, _)| *kind == TokenKind::Colon)
}

/// The names of the path that ends in two colons here.
fn path_of<'a>(text: &'a str, found: &[Token]) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut end = found.len();
    while end >= 3 && is_path(&found[..end]) {
        let mut last = end - 3;
        if found[last].0 == TokenKind::Gt {
            // `Vec::<f64>::`
            match angle(found, last) {
                Some(open) if open >= 3 => last = open - 3,
                _ => return Vec::new(),
            }
        }
        if found[last].0 != TokenKind::Ident {
            return Vec::new();
        }
        names.insert(0, &text[found[last].1.clone()]);
        end = last;
    }
    names
}

/// What is imported by `use path::{a, b` is in that path; in other braces and behind other commas stand any names.
fn in_braces<'a>(text: &'a str, found: &[Token]) -> Context<'a> {
    let is_list = |kind| matches!(kind, TokenKind::Ident | TokenKind::Comma);
    let open = found.iter().rposition(|(kind, _)| !is_list(*kind));
    match open {
        Some(open) if found[open].0 == TokenKind::OpenBrace && is_path(&found[..open]) => {
            Context::Path(path_of(text, &found[..open]))
        }
        _ => Context::Name,
    }
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
        check("a + b.le", Context::Member("b"), "le");
        check("net.conv1.", Context::Member("net.conv1"), "");
        check("net\n    .conv1\n    .", Context::Member("net\n    .conv1"), "");
        check("f(x).y.z", Context::Member("f(x).y"), "z");
        check("v[0].", Context::Member("v[0]"), "");
        check("nn::lin", Context::Path(vec!["nn"]), "lin");
        check("tch::nn::", Context::Path(vec!["tch", "nn"]), "");
        check("0..n", Context::Name, "n");
        check("x.0.a", Context::Member("x.0"), "a");
        check("x.0.", Context::Member("x.0"), "");
        check("f(1.", Context::Nothing, "");
    }

    #[test]
    fn what_is_imported_from_a_path_is_in_it() {
        check("use std::collections::{HashMap, Ha", Context::Path(vec!["std", "collections"]), "Ha");
        check("use std::{", Context::Path(vec!["std"]), "");
        check("if ok {\n    le", Context::Name, "le");
        check("f(a, b", Context::Name, "b");
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
        check("f(\"done\").", Context::Member("f(\"done\")"), "");
    }

    #[test]
    fn a_line_that_only_looks_like_a_command_is_code() {
        check("fn f(done: bool) -> bool {\n    !do", Context::Name, "do");
        check("let x\n    : Vec", Context::Name, "Vec");
        check("let y = 7\n    % mod", Context::Name, "mod");
        check("!flag.is", Context::Member("flag"), "is");
        check("Vec::<f64>::wi", Context::Path(vec!["Vec"]), "wi");
    }

    #[test]
    fn commands_take_commands_code_or_files() {
        check(":va", Context::Command, "va");
        check("%%ti", Context::Command, "ti");
        check("x;\n%tim", Context::Command, "tim");
        check(":doc nn::li", Context::Path(vec!["nn"]), "li");
        check("%cd ../no", Context::File("../"), "no");
        check("!cat da", Context::File(""), "da");
        check("!it's\nle", Context::Name, "le");
        check(":whatis b.le", Context::Member("b"), "le");
        check("?Tens", Context::Name, "Tens");
        check("%%time\n// first\nx.", Context::Member("x"), "");
        check("%%timeit\n:va", Context::Command, "va");
        check("%%bash\ncat da", Context::File(""), "da");
    }
}
