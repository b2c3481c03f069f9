//! What the libraries' own macros write, as text: items that no file has as such, as `nn::conv2d` and `nn::seq_t`.
//!
//! `macro_rules!` is followed as far as items go: fragments that end at a comma, a semicolon or an arrow, and
//! repetitions that take all they can. A call that does not fit is left out.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::Item;

use crate::source::nesting::parsed;
use crate::source::words::{brackets, in_name};

/// The macros that a file defines, by their names, as they are written there.
pub(in crate::assist) fn definitions(text: &str) -> Vec<(String, String)> {
    if !text.contains("macro_rules!") {
        return Vec::new();
    }
    let found = parsed(text, |file: syn::File| {
        let macros = file.items.iter().filter_map(|item| match item {
            Item::Macro(it) => {
                let (name, rules) = (it.ident.as_ref()?, slice(text, &tokens(&it.mac.tokens))?);
                Some((name.to_string(), format!("macro_rules! {name} {{\n{rules}\n}}\n")))
            }
            _ => None,
        });
        macros.collect()
    });
    found.unwrap_or_default()
}

/// The items that a file has by calls of macros, its own or one of `known`.
pub(in crate::assist) fn made(text: &str, known: &HashMap<String, String>) -> String {
    let called = text.lines().filter_map(|line| {
        let end = line.find(|char| !in_name(char))?;
        line[end..].starts_with('!').then_some(&line[..end])
    });
    let mut called: Vec<&str> = called.filter(|name| known.contains_key(*name)).collect();
    called.sort_unstable();
    called.dedup();
    if called.is_empty() {
        return String::new();
    }
    let is_own = |name: &str| text.contains(&format!("macro_rules! {name} "));
    let others: String = called.iter().filter(|name| !is_own(name)).map(|name| known[*name].as_str()).collect();
    // Behind the file, which may begin with what can stand nowhere else.
    let source = format!("{text}\n{others}");
    let made = parsed(&source, |file: syn::File| {
        let macros = file.items.iter().filter_map(|item| match item {
            Item::Macro(it) => Some(it),
            _ => None,
        });
        let (rules, calls): (Vec<_>, Vec<_>) = macros.partition(|it| it.ident.is_some());
        let rules: HashMap<String, Vec<TokenTree>> =
            rules.iter().filter_map(|it| Some((it.ident.as_ref()?.to_string(), tokens(&it.mac.tokens)))).collect();
        let made = calls.iter().filter_map(|it| {
            let name = it.mac.path.segments.last()?.ident.to_string();
            Call { source: &source }.made_by(rules.get(&name)?, &tokens(&it.mac.tokens))
        });
        made.collect::<Vec<String>>()
    });
    let is_code = |made: &String| parsed(made, |_: syn::File| ()).is_some();
    let made = made.unwrap_or_default().into_iter().map(|made| with_doc_comments(&dedented(&made)));
    made.filter(is_code).map(|made| format!("\n{made}\n")).collect()
}

fn tokens(stream: &TokenStream) -> Vec<TokenTree> {
    stream.clone().into_iter().collect()
}

/// What stands where the tokens stand.
fn slice<'a>(source: &'a str, tokens: &[TokenTree]) -> Option<&'a str> {
    source.get(tokens.first()?.span().byte_range().start..tokens.last()?.span().byte_range().end)
}

/// A text without the blanks that all its lines begin with.
fn dedented(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let least = text.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let lines: Vec<&str> = text.lines().map(|line| line.get(least..).unwrap_or("")).collect();
    lines.join("\n")
}

/// Text whose documentation stands in comments, on lines of their own, as people write it.
fn with_doc_comments(text: &str) -> String {
    const OPEN: &str = "#[doc = \"";
    let mut written = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let behind = &rest[at + OPEN.len()..];
        let Some(end) = end_of_literal(behind).filter(|end| behind[*end..].starts_with("\"]")) else { break };
        written.push_str(&rest[..at]);
        let line = written.rsplit('\n').next().unwrap_or_default();
        let indent = line[..line.len() - line.trim_start().len()].to_owned();
        if !line.trim().is_empty() {
            written.push_str(&format!("\n{indent}"));
        }
        let doc = behind[..end].replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\");
        written.push_str(&format!("///{doc}\n{indent}"));
        rest = behind[end + 2..].trim_start();
    }
    written + rest
}

/// Where a literal ends whose opening quote stands ahead of the text.
fn end_of_literal(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, char)| {
        let ends = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

/// What a name of a pattern stands for.
type Bindings = HashMap<String, Bound>;

#[derive(Debug, Clone)]
enum Bound {
    Text(String),
    /// Once for each time that a repetition was taken.
    Each(Vec<Bindings>),
}

/// A call of a macro in a source.
struct Call<'a> {
    source: &'a str,
}

impl Call<'_> {
    /// What the first of the rules that fits writes.
    fn made_by(&self, rules: &[TokenTree], input: &[TokenTree]) -> Option<String> {
        // `(pattern) => { body }`, with a semicolon between two.
        let groups: Vec<&Group> = rules.iter().filter_map(group).collect();
        groups.chunks_exact(2).find_map(|rule| {
            let mut input = Input { tokens: input, at: 0 };
            let bindings = self.fit(&tokens(&rule[0].stream()), &mut input)?;
            let body = tokens(&rule[1].stream());
            let start = rule[1].span_open().byte_range().end;
            let end = rule[1].span_close().byte_range().start;
            let written = input.is_at_end().then(|| self.written(&body, &bindings, start..end))??;
            Some(written.trim_start_matches('\n').to_owned())
        })
    }

    /// What the names of a pattern stand for, where the input begins as it says.
    fn fit(&self, pattern: &[TokenTree], input: &mut Input<'_>) -> Option<Bindings> {
        let mut found = Bindings::new();
        let mut rest = pattern;
        while let Some(first) = rest.first() {
            rest = match rest {
                [
                    TokenTree::Punct(sign),
                    TokenTree::Ident(name),
                    TokenTree::Punct(_),
                    TokenTree::Ident(kind),
                    rest @ ..,
                ] if sign.as_char() == '$' => {
                    found.insert(name.to_string(), Bound::Text(self.fragment(&kind.to_string(), input)?));
                    rest
                }
                [TokenTree::Punct(sign), TokenTree::Group(repeated), behind @ ..] if sign.as_char() == '$' => {
                    let (separator, rest) = separator(behind);
                    let repeated = tokens(&repeated.stream());
                    let mut each = Vec::new();
                    loop {
                        let mut ahead = Input { ..*input };
                        let separated = each.is_empty() || separator.is_none_or(|sign| ahead.takes(sign));
                        match self.fit(&repeated, &mut ahead) {
                            Some(bindings) if separated && ahead.at > input.at => {
                                each.push(bindings);
                                *input = ahead;
                            }
                            _ => break,
                        }
                    }
                    for name in names(&repeated) {
                        found.insert(name, Bound::Each(each.clone()));
                    }
                    rest
                }
                [TokenTree::Group(group), rest @ ..] => {
                    let TokenTree::Group(other) = input.next()? else { return None };
                    let inner = tokens(&other.stream());
                    let mut inside = Input { tokens: &inner, at: 0 };
                    found.extend(self.fit(&tokens(&group.stream()), &mut inside)?);
                    (group.delimiter() == other.delimiter() && inside.is_at_end()).then_some(rest)?
                }
                [_, rest @ ..] => input.takes(first).then_some(rest)?,
                [] => break,
            };
        }
        Some(found)
    }

    /// The text of a fragment of this kind.
    fn fragment(&self, kind: &str, input: &mut Input<'_>) -> Option<String> {
        let start = input.at;
        match kind {
            "ident" | "literal" | "tt" | "block" | "lifetime" => {
                let next = input.next()?;
                let fits = match kind {
                    "ident" => matches!(next, TokenTree::Ident(_)),
                    "literal" => matches!(next, TokenTree::Literal(_)),
                    "block" => group(next).is_some_and(|group| group.delimiter() == Delimiter::Brace),
                    _ => true,
                };
                fits.then_some(())?;
            }
            // A doc comment stands where its text stands, not where its attribute would.
            "meta" => {
                let text = input.tokens[start..].iter().cloned().collect::<TokenStream>().to_string();
                input.at = input.tokens.len();
                return Some(text);
            }
            _ => {
                while let Some(TokenTree::Punct(_)) | Some(_) = input.peek().filter(|next| !ends_fragment(next)) {
                    input.at += 1;
                }
            }
        }
        slice(self.source, &input.tokens[start..input.at]).map(str::to_owned)
    }

    /// A body with what its names stand for; `range` is where it is written.
    fn written(&self, body: &[TokenTree], bindings: &Bindings, range: std::ops::Range<usize>) -> Option<String> {
        let mut text = String::new();
        let mut copied = range.start;
        let mut rest = body;
        while let Some(first) = rest.first() {
            let span = first.span().byte_range();
            // The tokens of a doc comment all stand where it does.
            if span.start < copied {
                rest = &rest[1..];
                continue;
            }
            text.push_str(self.source.get(copied..span.start)?);
            match rest {
                [TokenTree::Punct(sign), TokenTree::Ident(name), behind @ ..] if sign.as_char() == '$' => {
                    match bindings.get(&name.to_string()) {
                        Some(Bound::Text(bound)) => text.push_str(bound),
                        None if name == "crate" => text.push_str("crate"),
                        _ => return None,
                    }
                    (copied, rest) = (name.span().byte_range().end, behind);
                }
                [TokenTree::Punct(sign), TokenTree::Group(repeated), behind @ ..] if sign.as_char() == '$' => {
                    let inner = tokens(&repeated.stream());
                    let (sign, after) = separator(behind);
                    let range = repeated.span_open().byte_range().end..repeated.span_close().byte_range().start;
                    let each = names(&inner).into_iter().find_map(|name| match bindings.get(&name) {
                        Some(Bound::Each(each)) => Some(each),
                        _ => None,
                    })?;
                    let separator = sign.map(ToString::to_string).unwrap_or_default();
                    let written = each.iter().map(|own| {
                        let all: Bindings = bindings.clone().into_iter().chain(own.clone()).collect();
                        self.written(&inner, &all, range.clone())
                    });
                    let written = written.collect::<Option<Vec<String>>>()?.join(&separator);
                    // What is repeated on lines of its own stands further to the right.
                    let on_lines = self.source[range.start..].starts_with('\n');
                    text.push_str(&if on_lines { written.replace("\n    ", "\n") } else { written });
                    let taken = &rest[..rest.len() - after.len()];
                    (copied, rest) = (taken.last()?.span().byte_range().end, after);
                }
                [TokenTree::Group(group), behind @ ..] => {
                    let range = group.span_open().byte_range().end..group.span_close().byte_range().start;
                    let (open, close) = brackets(group);
                    text.push_str(open);
                    text.push_str(&self.written(&tokens(&group.stream()), bindings, range)?);
                    text.push_str(close);
                    (copied, rest) = (span.end, behind);
                }
                [_, behind @ ..] => {
                    text.push_str(self.source.get(span.clone())?);
                    (copied, rest) = (span.end, behind);
                }
                [] => break,
            }
        }
        text.push_str(self.source.get(copied..range.end.max(copied))?);
        Some(text)
    }
}

/// What is left of a macro's input.
struct Input<'a> {
    tokens: &'a [TokenTree],
    at: usize,
}

impl<'a> Input<'a> {
    fn peek(&self) -> Option<&'a TokenTree> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a TokenTree> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn takes(&mut self, token: &TokenTree) -> bool {
        self.next().is_some_and(|next| next.to_string() == token.to_string())
    }

    fn is_at_end(&self) -> bool {
        self.at == self.tokens.len()
    }
}

fn group(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    }
}

/// Whether an expression or a type ends ahead of this.
fn ends_fragment(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(sign) if [',', ';', '='].contains(&sign.as_char()))
}

/// What stands between two of a repetition, and what stands behind it.
fn separator(behind: &[TokenTree]) -> (Option<&TokenTree>, &[TokenTree]) {
    let is_count = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if "*+?".contains(sign.as_char()));
    match behind {
        [count, rest @ ..] if is_count(count) => (None, rest),
        [sign, _, rest @ ..] => (Some(sign), rest),
        _ => (None, behind),
    }
}

/// The names with a `$` in a pattern or a body.
fn names(tokens: &[TokenTree]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => found.extend(names(&self::tokens(&group.stream()))),
            TokenTree::Ident(name) if at > 0 && tokens[at - 1].to_string() == "$" => found.push(name.to_string()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_made(text: &str) -> String {
        made(text, &definitions(text).into_iter().collect())
    }

    #[test]
    fn a_call_is_what_its_macro_writes() {
        let text = r#"
macro_rules! layer {
    ($(#[$doc:meta])* $name:ident, $size:literal $(, $extra:ident)?) => {
        $(#[$doc])*
        pub fn $name<'a>(path: &'a str) -> [i64; $size] {
            make(path)
        }
    };
}
layer!(conv1d, 1);
layer! {
    /// Two.
    conv2d, 2
}
"#;
        let made = all_made(text);
        assert!(made.contains("\npub fn conv1d<'a>(path: &'a str) -> [i64; 1] {\n    make(path)\n}"), "{made}");
        assert!(made.contains("\n/// Two.\npub fn conv2d<'a>"), "{made}");
    }

    #[test]
    fn repetitions_are_written_each_time() {
        let text = r#"
macro_rules! settings {
    (pub struct $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty = $value:expr => $text:literal,)* }) => {
        pub struct $name {
            $($(#[$doc])* pub $field: $ty,)*
        }
        impl $name {
            $(
                /// Sets it.
                pub fn $field(self, $field: $ty) -> Self { self }
            )*
        }
    };
}
settings! {
    pub struct Sgd {
        /// How far.
        lr: f64 = 0.1 => "lr",
        nesterov: bool = f(1, 2) => "n",
    }
}
"#;
        let made = all_made(text);
        assert!(made.contains("    /// How far.\n    pub lr: f64, pub nesterov: bool,"), "{made}");
        assert!(made.contains("\n    /// Sets it.\n    pub fn nesterov(self, nesterov: bool) -> Self"), "{made}");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let text = "macro_rules! f { ($name:ident) => { fn $name() {} } }\nf!(1);\nf!(a b);\nf!(c);\n";
        assert_eq!(all_made(text).trim(), "fn c() {}");
    }
}
