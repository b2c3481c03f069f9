//! The names that a piece of code mentions: what it may use of earlier cells.
//!
//! This reads tokens, not meaning, so that arguments of macros and inline format arguments count too. A name too many
//! costs an import; a name too few would be an error, so in doubt a name is mentioned.

use std::borrow::Cow;
use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use ra_ap_rustc_lexer::TokenKind;
use syn::parse::{ParseStream, Parser};
use syn::visit::{self, Visit};
use syn::{Expr, Pat, Token};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::source::words::{in_name, tokens};

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

/// The names in patterns that need not match, which are paths where there is a constant, unit struct or variant of that
/// name: `N` of `match n { N => .. }`. Each is put down as [`in_pattern`] calls it.
pub fn open_patterns(item: &syn::Item) -> Names {
    let mut found = OpenPatterns::default();
    found.visit_item(item);
    found.names
}

/// What a name in such a pattern is mentioned as; no identifier looks like this.
pub fn in_pattern(name: &str) -> String {
    format!("{name} in a pattern")
}

#[derive(Default)]
struct OpenPatterns {
    names: Names,
    within: bool,
}

impl OpenPatterns {
    fn open(&mut self, pattern: &Pat) {
        let outer = std::mem::replace(&mut self.within, true);
        self.visit_pat(pattern);
        self.within = outer;
    }
}

impl<'ast> Visit<'ast> for OpenPatterns {
    fn visit_arm(&mut self, it: &'ast syn::Arm) {
        self.open(&it.pat);
        visit::visit_arm(self, it);
    }

    fn visit_expr_let(&mut self, it: &'ast syn::ExprLet) {
        self.open(&it.pat);
        visit::visit_expr_let(self, it);
    }

    fn visit_local(&mut self, it: &'ast syn::Local) {
        if it.init.as_ref().is_some_and(|init| init.diverge.is_some()) {
            self.open(&it.pat);
        }
        visit::visit_local(self, it);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        if it.path.is_ident("matches") {
            let pattern = |input: ParseStream<'_>| {
                let (_, _) = (input.parse::<Expr>()?, input.parse::<Token![,]>()?);
                let pattern = Pat::parse_multi_with_leading_vert(input)?;
                input.parse::<TokenStream>()?;
                Ok(pattern)
            };
            if let Ok(pattern) = pattern.parse2(it.tokens.clone()) {
                self.open(&pattern);
            }
        }
    }

    fn visit_pat_ident(&mut self, it: &'ast syn::PatIdent) {
        if self.within && it.by_ref.is_none() && it.mutability.is_none() && it.subpat.is_none() {
            self.names.insert(in_pattern(&unraw(&it.ident.to_string())));
        }
        visit::visit_pat_ident(self, it);
    }
}

/// A cell with each name in the one form that rustc takes it in: an `é` may be one character or two, and looks the
/// same.
pub fn one_form_of_names(code: &str) -> Cow<'_, str> {
    if is_nfc(code) {
        return Cow::Borrowed(code);
    }
    let mut one_form = String::with_capacity(code.len());
    for (kind, range) in tokens(code) {
        match kind {
            TokenKind::Ident | TokenKind::RawIdent | TokenKind::InvalidIdent => one_form.extend(code[range].nfc()),
            _ => one_form.push_str(&code[range]),
        }
    }
    Cow::Owned(one_form)
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
            let name = &part[part.trim_end_matches(in_name).len()..];
            names.extend(is_name(name).then(|| name.to_owned()));
        }
        rest = &rest[close + 1..];
    }
    names
}

fn is_name(text: &str) -> bool {
    text.chars().all(in_name) && text.chars().next().is_some_and(|first| !first.is_numeric())
}

/// A name as code; keywords need their `r#`.
pub fn raw(name: &str) -> String {
    if crate::source::nesting::parsed(name, |_: syn::Ident| ()).is_some() {
        name.to_owned()
    } else {
        format!("r#{name}")
    }
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
    fn a_name_has_one_form_and_a_text_keeps_its_own() {
        assert_eq!(one_form_of_names("let cafe\u{301} = \"e\u{301}\";"), "let caf\u{e9} = \"e\u{301}\";");
        assert_eq!(one_form_of_names("let \u{1112}\u{1161}\u{11ab} = 1; // e\u{301}"), "let \u{d55c} = 1; // e\u{301}");
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
