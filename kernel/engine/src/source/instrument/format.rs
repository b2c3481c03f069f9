//! Tensors in formatted text: `println!("{loss:.3}")` writes the number, as Python's f-strings do.
//!
//! What `tch` writes of a tensor is the whole of it, on several lines, whatever the precision is. So a value that is
//! written with a precision passes through a macro of the runtime, which gives a tensor of one element as its number,
//! and everything else as it is. Where that does not compile, the text is left as the user wrote it.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::{Expr, Lit};

use crate::source::fragment::Edit;
use crate::source::identifiers::{raw, unraw};

/// The macro of the runtime.
const MACRO: &str = "::oxtorch::number!(";

/// Whether an edit is such an insertion, or the end of one.
pub fn is_one(edit: &Edit) -> bool {
    edit.replaces == 0 && (edit.insert.contains(MACRO) || edit.insert == END)
}

/// What ends it. No other insertion is this text.
const END: &str = "/**/)";

/// What to insert where in the call of a macro of that name with these arguments.
pub fn insertions(name: &str, tokens: &TokenStream, arguments: &[Expr]) -> Vec<(usize, String)> {
    let at = match name {
        "print" | "println" | "eprint" | "eprintln" | "format" | "panic" | "anyhow" | "bail" => 0,
        "write" | "writeln" => 1,
        _ => return Vec::new(),
    };
    let Some((text, arguments)) = arguments.get(at).and_then(text_of).zip(arguments.get(at + 1..)) else {
        return Vec::new();
    };
    let Some(precise) = precise(&text) else { return Vec::new() };
    let (mut found, mut inline) = (Vec::new(), Vec::<String>::new());
    for argument in precise {
        match value_of(&argument, arguments) {
            Some(value) => {
                let range = value.span().byte_range();
                found.extend([(range.start, MACRO.to_owned()), (range.end, END.to_owned())]);
            }
            None => match argument {
                Argument::Named(name) if !inline.contains(&name) => inline.push(name),
                Argument::Named(_) | Argument::At(_) => {}
            },
        }
    }
    let Some((end, ends_with_comma)) = end_of(tokens) else { return found };
    if !inline.is_empty() {
        let named = inline.iter().map(|name| format!("{} = {MACRO}{}{END}", raw(name), raw(name)));
        let named = Vec::from_iter(named).join(", ");
        found.push((end, if ends_with_comma { format!(" {named}") } else { format!(", {named}") }));
    }
    found
}

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Argument {
    /// The argument of that number.
    At(usize),
    /// An argument of that name, or else a variable.
    Named(String),
}

/// The literal that says how to format.
fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// The expression that is given for a placeholder.
fn value_of<'a>(argument: &Argument, arguments: &'a [Expr]) -> Option<&'a Expr> {
    let named = |it: &'a Expr| match it {
        Expr::Assign(assign) => match &*assign.left {
            Expr::Path(path) => Some((unraw(&path.path.get_ident()?.to_string()), &*assign.right)),
            _ => None,
        },
        _ => None,
    };
    match argument {
        Argument::At(index) => arguments.get(*index).map(|it| named(it).map_or(it, |(_, value)| value)),
        Argument::Named(name) => arguments.iter().find_map(|it| named(it).filter(|(of, _)| of == name)).map(|it| it.1),
    }
}

/// What the placeholders with a precision, and nothing that asks for another form, stand for; each once. `None` where
/// an argument is a width or a precision itself.
fn precise(text: &str) -> Option<Vec<Argument>> {
    let text = text.replace("{{", "").replace("}}", "");
    let (mut next, mut found) = (0, Vec::new());
    for placeholder in text.split('{').skip(1) {
        let (placeholder, _) = placeholder.split_once('}')?;
        let (argument, form) = placeholder.split_once(':').unwrap_or((placeholder, ""));
        if form.contains(['$', '*']) {
            return None;
        }
        let argument = match argument.trim() {
            "" => {
                next += 1;
                Argument::At(next - 1)
            }
            index if index.starts_with(|first: char| first.is_ascii_digit()) => Argument::At(index.parse().ok()?),
            name => Argument::Named(unraw(name)),
        };
        let precision = form.rsplit_once('.').map(|(_, precision)| precision.trim_end());
        let is_precise = precision.is_some_and(|it| !it.is_empty() && it.chars().all(|char| char.is_ascii_digit()));
        if is_precise && !found.contains(&argument) {
            found.push(argument);
        }
    }
    Some(found)
}

/// Where a macro's arguments end, and whether a comma is their last token.
fn end_of(tokens: &TokenStream) -> Option<(usize, bool)> {
    Some(match tokens.clone().into_iter().last()? {
        TokenTree::Group(group) => (group.span_close().byte_range().end, false),
        token => (token.span().byte_range().end, token.to_string() == ","),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_with_a_precision_are_found() {
        let named = |name: &str| Argument::Named(name.to_owned());
        for (text, expected) in [
            ("{} {:.3} {:8.2} {0:.1}", Some(vec![Argument::At(1), Argument::At(2), Argument::At(0)])),
            ("{loss:.3} {loss:.4} {{x:.1}} {n} {e:.2e} {d:.2?}", Some(vec![named("loss")])),
            ("{:>8.1} {a:+.0}", Some(vec![Argument::At(0), named("a")])),
            ("{:.*}", None),
            ("{:.p$}", None),
            ("no placeholder", Some(vec![])),
        ] {
            assert_eq!(precise(text), expected, "{text}");
        }
    }
}
