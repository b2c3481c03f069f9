//! What an item looks like from outside: its head without its body, and its documentation.

use syn::spanned::Spanned;
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem};

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
    let (attributes, start, end) = match item {
        Item::Fn(it) => (&it.attrs, it.vis.span().byte_range().start, it.block.span().byte_range().start),
        Item::Struct(it) => (&it.attrs, it.vis.span().byte_range().start, it.span().byte_range().end),
        Item::Enum(it) => (&it.attrs, it.vis.span().byte_range().start, it.span().byte_range().end),
        Item::Union(it) => (&it.attrs, it.vis.span().byte_range().start, it.span().byte_range().end),
        Item::Type(it) => (&it.attrs, it.vis.span().byte_range().start, it.span().byte_range().end),
        Item::Trait(it) => (&it.attrs, it.vis.span().byte_range().start, it.brace_token.span.open().byte_range().start),
        Item::Const(it) => (&it.attrs, it.vis.span().byte_range().start, it.eq_token.span().byte_range().start),
        Item::Static(it) => (&it.attrs, it.vis.span().byte_range().start, it.eq_token.span().byte_range().start),
        Item::Mod(it) => {
            let end = it.content.as_ref().map_or(it.span().byte_range().end, |it| it.0.span.open().byte_range().start);
            (&it.attrs, it.vis.span().byte_range().start, end)
        }
        Item::Macro(it) => {
            let name = it.ident.as_ref()?;
            return Some(Signature { text: format!("macro_rules! {name}"), doc: doc(&it.attrs) });
        }
        _ => return None,
    };
    let start = if start == 0 { first_word(source, item) } else { start };
    let text = source.get(start..end)?;
    let is_type = matches!(item, Item::Struct(_) | Item::Enum(_) | Item::Union(_));
    let text = if is_type { text.trim_end().to_owned() } else { one_line(text) };
    Some(Signature { text, doc: doc(attributes) })
}

/// An item without `pub` begins behind its attributes.
fn first_word(source: &str, item: &Item) -> usize {
    let range = item.span().byte_range();
    let attributes = match item {
        Item::Fn(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Const(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        _ => return range.start,
    };
    let behind = attributes.last().map_or(range.start, |attribute| attribute.span().byte_range().end);
    behind + (source[behind..].len() - source[behind..].trim_start().len())
}

/// The signature of a member of an impl.
pub(super) fn of_member(source: &str, member: &ImplItem) -> Option<(String, Signature)> {
    match member {
        ImplItem::Fn(it) => {
            let start = start(&it.vis, it.sig.span());
            let text = one_line(source.get(start..it.sig.span().byte_range().end)?);
            Some((it.sig.ident.to_string(), Signature { text, doc: doc(&it.attrs) }))
        }
        ImplItem::Const(it) => {
            let text =
                one_line(source.get(start(&it.vis, it.const_token.span)..it.eq_token.span().byte_range().start)?);
            Some((it.ident.to_string(), Signature { text, doc: doc(&it.attrs) }))
        }
        _ => None,
    }
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

fn start(visibility: &syn::Visibility, behind: proc_macro2::Span) -> usize {
    match visibility {
        syn::Visibility::Inherited => behind.byte_range().start,
        visible => visible.span().byte_range().start,
    }
}

/// The text of doc comments and `#[doc = "..."]`.
pub(super) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(it) if it.path.is_ident("doc") => match &it.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
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
        check("mod inner { pub fn f() {} }", "mod inner", "");
    }
}
