//! What an item looks like from outside: its head without its body, and its documentation.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, ImplItem, Item, ItemMod, Lit, Meta, MetaNameValue, TraitItem};

use crate::source::instrument::after_attributes;
use crate::source::items::named;
use crate::source::nesting::parsed;

/// An item as a reader wants to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// On one line, but for the fields of a type.
    pub text: String,
    /// The doc comment, without its marks.
    pub doc: String,
}

/// The signature of an item whose text is given. `None` for text that is none.
pub(crate) fn signature(text: &str) -> Option<Signature> {
    parsed(text, |item: Item| of_item(text, &item)).flatten()
}

/// The signature of an item in a source that was parsed with spans.
pub(super) fn of_item(source: &str, item: &Item) -> Option<Signature> {
    if let Item::Macro(it) = item {
        let text = format!("macro_rules! {}", it.ident.as_ref()?);
        return Some(Signature { text, doc: doc(&it.attrs) });
    }
    let attributes = named(item)?.attributes;
    let end = match item {
        Item::Fn(it) => it.block.span().byte_range().start,
        Item::Trait(it) => it.brace_token.span.open().byte_range().start,
        Item::Const(it) => it.eq_token.span().byte_range().start,
        Item::Static(it) => it.eq_token.span().byte_range().start,
        Item::Mod(ItemMod { content: Some((braces, _)), .. }) => braces.span.open().byte_range().start,
        _ => item.span().byte_range().end,
    };
    let text = source.get(after_attributes(item.to_token_stream())?..end)?;
    let is_type = matches!(item, Item::Struct(_) | Item::Enum(_) | Item::Union(_));
    let text = if is_type { text.trim_end().to_owned() } else { one_line(text) };
    Some(Signature { text, doc: doc(attributes) })
}

/// The signature of a member of an impl.
pub(super) fn of_member(source: &str, member: &ImplItem) -> Option<(String, Signature)> {
    let (name, attributes, end) = match member {
        ImplItem::Fn(it) => (&it.sig.ident, &it.attrs, it.sig.span().byte_range().end),
        ImplItem::Const(it) => (&it.ident, &it.attrs, it.eq_token.span().byte_range().start),
        _ => return None,
    };
    let start = after_attributes(member.to_token_stream())?;
    Some((name.to_string(), Signature { text: one_line(source.get(start..end)?), doc: doc(attributes) }))
}

/// The members of an impl whose text is given, by their names. None for text that is no impl.
pub(crate) fn of_impl(text: &str) -> Vec<(String, Signature)> {
    let members =
        parsed(text, |block: syn::ItemImpl| block.items.iter().filter_map(|member| of_member(text, member)).collect());
    members.unwrap_or_default()
}

/// The signature of a method that a trait declares.
pub(super) fn of_trait_member(source: &str, member: &TraitItem) -> Option<(String, Signature)> {
    let TraitItem::Fn(it) = member else { return None };
    let text = one_line(source.get(it.sig.span().byte_range())?);
    Some((it.sig.ident.to_string(), Signature { text, doc: doc(&it.attrs) }))
}

/// A variant of an enum with its fields: `Cuda(usize)`.
pub(super) fn of_variant(source: &str, variant: &syn::Variant) -> String {
    let code = |field: &syn::Field| source.get(field.ty.span().byte_range()).unwrap_or("_").to_owned();
    let name = &variant.ident;
    let fields: Vec<String> = match &variant.fields {
        syn::Fields::Unit => return name.to_string(),
        syn::Fields::Unnamed(fields) => fields.unnamed.iter().map(code).collect(),
        syn::Fields::Named(fields) => {
            let named = |field: &syn::Field| Some(format!("{}: {}", field.ident.as_ref()?, code(field)));
            let fields: Vec<String> = fields.named.iter().filter_map(named).collect();
            return one_line(&format!("{name} {{ {} }}", fields.join(", ")));
        }
    };
    one_line(&format!("{name}({})", fields.join(", ")))
}

/// The text of doc comments and `#[doc = "..."]`, also of such as a macro puts together.
pub(super) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(MetaNameValue { path, value, .. }) if path.is_ident("doc") => match value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            Expr::Macro(it) if it.mac.path.is_ident("concat") => Some(joined(&it.mac.tokens)),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}

/// The text of the literals in the arguments of `concat!`.
fn joined(tokens: &TokenStream) -> String {
    let literals = tokens.clone().into_iter().filter_map(|token| match token {
        TokenTree::Literal(it) => Some(match Lit::new(it) {
            Lit::Str(text) => text.value(),
            other => other.to_token_stream().to_string(),
        }),
        _ => None,
    });
    literals.collect()
}

/// Text in which every run of white space is a blank.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("( ", "(").replace(", )", ")").replace(" )", ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(item: &str, text: &str, doc: &str) {
        let found = signature(item).expect("has a signature");
        assert_eq!((found.text.as_str(), found.doc.as_str()), (text, doc));
    }

    #[test]
    fn an_item_shows_its_head_and_its_documentation() {
        check(
            "/// Trains.\n/// Long.\n#[inline]\nfn train(\n    net: &Net,\n    epochs: usize,\n) -> f64 { 1.0 }",
            "fn train(net: &Net, epochs: usize) -> f64",
            "Trains.\nLong.",
        );
        check("pub struct Net {\n    rate: f64,\n}", "pub struct Net {\n    rate: f64,\n}", "");
        check("trait Layer: Clone { fn f(&self); }", "trait Layer: Clone", "");
        check("const N: usize = 3;", "const N: usize", "");
        check("macro_rules! twice { ($x:expr) => { $x } }", "macro_rules! twice", "");
        check("#[derive(Debug)]\nenum Kind { A, B }", "enum Kind { A, B }", "");
        check("#[doc = concat!(\"Of \", \"[N]\", '.')]\nfn f() {}", "fn f()", "Of [N]'.'");
        check("mod inner { pub fn f() {} }", "mod inner", "");
    }
}
