//! The names that a piece of code mentions: what it may use of earlier cells.
//!
//! This reads tokens, not meaning, so that arguments of macros and inline format arguments count too. A name too many
//! costs an import; a name too few would be an error, so in doubt a name is mentioned.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

/// A set of names, without `r#`.
pub type Names = BTreeSet<String>;

/// All identifiers in the tokens, and the inline arguments of their string literals.
pub fn mentions(tokens: TokenStream) -> Names {
    let mut names = Names::new();
    collect(tokens, &mut names);
    names
}

fn collect(tokens: TokenStream, names: &mut Names) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), names),
            TokenTree::Ident(ident) => {
                names.insert(unraw(&ident.to_string()));
            }
            TokenTree::Literal(literal) => {
                let literal = literal.to_string();
                if literal.contains('"') {
                    names.extend(inline_arguments(&literal));
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
}

/// A name without the `r#` of a raw identifier.
pub fn unraw(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

/// `x`, `width` and `p` of `"{x:>width$.p$} {{not}} {0}"`.
fn inline_arguments(literal: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = literal;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        if let Some(escaped) = rest.strip_prefix('{') {
            rest = escaped;
            continue;
        }
        let Some(close) = rest.find('}') else { break };
        let (name, format) = rest[..close].split_once(':').unwrap_or((&rest[..close], ""));
        names.extend(is_name(name.trim()).then(|| name.trim().to_owned()));
        // `width$` and `.precision$` name variables too.
        for part in format.split_inclusive('$').filter_map(|part| part.strip_suffix('$')) {
            let start = part
                .rfind(|char: char| !is_name_char(char))
                .map_or(0, |at| at + part[at..].chars().next().map_or(1, char::len_utf8));
            names.extend(is_name(&part[start..]).then(|| part[start..].to_owned()));
        }
        rest = &rest[close + 1..];
    }
    names
}

fn is_name_char(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn is_name(text: &str) -> bool {
    text.chars().all(is_name_char) && text.chars().next().is_some_and(|first| !first.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[&str]) {
        let tokens = code.parse().expect("the test's code has balanced tokens");
        let names = mentions(tokens);
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{code}");
    }

    #[test]
    fn macro_arguments_and_inline_format_arguments_count() {
        check("println!(\"{loss:.3} {a:>width$.p$} {{no}} {0}\", b)", &["a", "b", "loss", "p", "println", "width"]);
        check("assert_eq!(r#type, x.y)", &["assert_eq", "type", "x", "y"]);
        check("print!(\"{数据}\")", &["print", "数据"]);
    }

    #[test]
    fn plain_numbers_and_lifetimes_are_no_variables() {
        check("1 + 2.5", &[]);
    }
}
