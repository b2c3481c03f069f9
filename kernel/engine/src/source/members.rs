//! What stands inside an item or an impl and matters to others: members, impls, associated constants and types.

use quote::ToTokens;
use syn::visit::Visit;
use syn::{Item as SynItem, Visibility};

use crate::source::identifiers::{Names, mentions, unraw};
use crate::source::parse::{ImplHead, canonical, item_names, leaves};

/// What an item holds that reaches out of it.
#[derive(Debug, Default)]
pub struct Contents {
    /// Names that lead to the item without its own: a trait's methods, an enum's variants, what a module holds.
    pub members: Names,
    heads: Vec<ImplHead>,
    /// What is defined within it.
    defined: Names,
    /// Whether this is the body of a function: nothing outside can name what it defines.
    in_body: bool,
}

impl Contents {
    /// Adds what an item holds.
    pub fn add(&mut self, item: &SynItem) {
        self.visit_item(item);
    }

    /// The impls within it that are of types and traits outside.
    pub fn heads(&self) -> Vec<ImplHead> {
        let is_outside = |name: &Option<String>| name.as_ref().is_none_or(|name| !self.defined.contains(name));
        self.heads.iter().filter(|head| is_outside(&head.self_name) && is_outside(&head.trait_name)).cloned().collect()
    }

    fn member(&mut self, name: &syn::Ident) {
        if !self.in_body {
            self.members.insert(unraw(&name.to_string()));
        }
    }
}

impl<'ast> Visit<'ast> for Contents {
    fn visit_item(&mut self, it: &'ast SynItem) {
        self.defined.extend(item_names(it).0);
        syn::visit::visit_item(self, it);
    }

    fn visit_item_trait(&mut self, it: &'ast syn::ItemTrait) {
        for member in &it.items {
            match member {
                syn::TraitItem::Fn(it) => self.member(&it.sig.ident),
                syn::TraitItem::Const(it) => self.member(&it.ident),
                syn::TraitItem::Type(it) => self.member(&it.ident),
                _ => {}
            }
        }
        syn::visit::visit_item_trait(self, it);
    }

    fn visit_item_enum(&mut self, it: &'ast syn::ItemEnum) {
        it.variants.iter().for_each(|variant| self.member(&variant.ident));
    }

    fn visit_item_mod(&mut self, it: &'ast syn::ItemMod) {
        let names = it.content.iter().flat_map(|(_, items)| items).flat_map(|item| item_names(item).0);
        if !self.in_body {
            self.members.extend(names);
        }
        syn::visit::visit_item_mod(self, it);
    }

    // What a module passes on is found in it under a name that may be its own: `pub use deep::layer as dense`.
    fn visit_item_use(&mut self, it: &'ast syn::ItemUse) {
        if !self.in_body && !matches!(it.vis, Visibility::Inherited) {
            self.members.extend(leaves(it).into_iter().filter_map(|leaf| leaf.name));
        }
    }

    fn visit_item_extern_crate(&mut self, it: &'ast syn::ItemExternCrate) {
        if !matches!(it.vis, Visibility::Inherited) {
            self.member(it.rename.as_ref().map_or(&it.ident, |(_, name)| name));
        }
    }

    fn visit_item_impl(&mut self, it: &'ast syn::ItemImpl) {
        self.heads.push(ImplHead::of(it));
        syn::visit::visit_item_impl(self, it);
    }

    fn visit_block(&mut self, it: &'ast syn::Block) {
        let outside = std::mem::replace(&mut self.in_body, true);
        syn::visit::visit_block(self, it);
        self.in_body = outside;
    }
}

/// A constant or a type in an impl: it may decide the layout of what names it by a path, `[f32; Net::WIDTH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Associated {
    /// Its name.
    pub name: String,
    /// Its tokens, as of an item.
    pub tokens: String,
    /// What it mentions.
    pub mentions: Names,
}

/// The constants and types of an impl.
pub fn associated(it: &syn::ItemImpl) -> Vec<Associated> {
    let members = it.items.iter().filter_map(|member| {
        let name = match member {
            syn::ImplItem::Const(it) => &it.ident,
            syn::ImplItem::Type(it) => &it.ident,
            _ => return None,
        };
        let tokens = member.to_token_stream();
        let (name, mentions) = (unraw(&name.to_string()), mentions(tokens.clone()));
        Some(Associated { name, tokens: canonical(tokens), mentions })
    });
    members.collect()
}
