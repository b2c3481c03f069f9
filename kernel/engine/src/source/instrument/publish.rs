//! Visibility: what a cell defines is for later cells as well, and these are other crates.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{Attribute, Block, Field, Item, VisRestricted, Visibility};

use crate::source::instrument::{Edits, after_attributes};
use crate::source::{items, macro_items};

impl Edits {
    /// Makes an item of a cell visible to later cells: the item, its fields, and the methods of an inherent impl.
    pub fn publish(&mut self, item: &Item) {
        if let Some(named) = items::named(item) {
            self.make_public(named.visibility, item.to_token_stream());
        }
        match item {
            Item::Mod(it) => WithinSession { edits: self, depth: 0 }.visit_item_mod(it),
            Item::Struct(it) => self.publish_fields(&it.fields),
            Item::Union(it) => self.publish_fields(&it.fields.named),
            Item::ForeignMod(it) => {
                for foreign in &it.items {
                    if let Some((_, visibility)) = items::foreign(foreign) {
                        self.make_public(visibility, foreign.to_token_stream());
                    }
                }
            }
            Item::Impl(it) if it.trait_.is_none() => {
                for member in &it.items {
                    match member {
                        syn::ImplItem::Fn(it) => self.make_public(&it.vis, it.to_token_stream()),
                        syn::ImplItem::Const(it) => self.make_public(&it.vis, it.to_token_stream()),
                        _ => {}
                    }
                }
            }
            Item::Macro(it) if it.ident.is_some() => {
                if !has_attribute(&it.attrs, "macro_export") {
                    self.insert(after_attributes(it.to_token_stream()), "#[macro_export] ");
                }
                macro_items::publish(it.mac.tokens.clone(), self);
            }
            Item::Macro(it) if makes_statics(&it.mac.path) => self.publish_statics(it.mac.tokens.clone()),
            _ => {}
        }
    }

    /// Makes the statics of a `thread_local!` visible.
    fn publish_statics(&mut self, tokens: TokenStream) {
        let mut is_public = false;
        for token in tokens {
            if let TokenTree::Ident(ident) = &token {
                if ident == "static" && !is_public {
                    self.insert(Some(ident.span().byte_range().start), "pub ");
                }
                is_public = ident == "pub";
            }
        }
    }

    fn publish_fields<'a>(&mut self, fields: impl IntoIterator<Item = &'a Field>) {
        for field in fields {
            self.make_public(&field.vis, field.to_token_stream());
        }
    }

    fn make_public(&mut self, visibility: &Visibility, tokens: TokenStream) {
        match visibility {
            Visibility::Public(_) => {}
            Visibility::Inherited => self.insert(after_attributes(tokens), "pub "),
            Visibility::Restricted(restricted) => self.lift_restriction(restricted),
        }
    }

    /// Another cell is another crate, so `pub(crate)` has to become `pub`, with the columns kept.
    fn lift_restriction(&mut self, restricted: &VisRestricted) {
        self.replace(restricted.span().byte_range(), "pub");
    }
}

/// Finds what a module shows to all of its crate: that is the session.
struct WithinSession<'a> {
    edits: &'a mut Edits,
    /// How many modules enclose the place.
    depth: usize,
}

impl<'ast> Visit<'ast> for WithinSession<'_> {
    fn visit_item_mod(&mut self, it: &'ast syn::ItemMod) {
        if self.depth > 0 {
            self.visit_visibility(&it.vis);
        }
        self.depth += 1;
        it.content.iter().flat_map(|(_, items)| items).for_each(|item| self.visit_item(item));
        self.depth -= 1;
    }

    fn visit_visibility(&mut self, it: &'ast Visibility) {
        if let Visibility::Restricted(restricted) = it
            && (restricted.path.is_ident("crate") || (self.depth == 1 && restricted.path.is_ident("super")))
        {
            self.edits.lift_restriction(restricted);
        }
    }

    fn visit_block(&mut self, _: &'ast Block) {}
}

/// Whether a macro is `thread_local!`, by whatever path.
pub fn makes_statics(path: &syn::Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "thread_local")
}

fn has_attribute(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}
