//! The items that the session knows and those of the cell being typed, which come first.

use std::collections::HashMap;

use parking_lot::Mutex;
use quote::ToTokens;
use ra_ap_rustc_lexer::TokenKind;
use syn::Item;

use crate::assist::signature::{Signature, of_impl, signature};
use crate::assist::types::{Bindings, Type};
use crate::compile::state::State;
use crate::source::items::name_of;
use crate::source::nesting::parsed;
use crate::source::parse::{ImplHead, ItemKind};
use crate::source::words::{closes, closing, tokens};

/// Items by name, and impls by type.
#[derive(Debug)]
pub(crate) struct Definitions<'a> {
    pub state: &'a State,
    items: Vec<(String, &'a str)>,
    impls: Vec<(ImplHead, &'a str)>,
    /// What names of the cell are at a place that is so far into it. Each is looked for once: a name may be used often
    /// in the declaration of another one, which may be used often in that of a third.
    pub(super) locals: Mutex<HashMap<(String, usize), Option<Type>>>,
}

/// What an impl gives a type.
pub(super) struct Given {
    pub members: Vec<(String, Signature)>,
    /// The trait.
    pub of_trait: Option<String>,
}

impl<'a> Definitions<'a> {
    /// Those of the session, and those of a cell that can be read: whole items outside of what is being typed.
    pub fn new(state: &'a State, cell: &'a str) -> Self {
        let mut found = Self { state, items: Vec::new(), impls: Vec::new(), locals: Mutex::default() };
        for text in pieces(cell).into_iter().filter(|text| may_be_item(text)) {
            let read = parsed(text, |item: Item| match &item {
                Item::Impl(block) => Some(Err(ImplHead::of(block))),
                item => Some(Ok(name_of(item)?.to_string())),
            });
            match read.flatten() {
                Some(Ok(name)) => found.items.push((name, text)),
                Some(Err(head)) => found.impls.push((head, text)),
                None => {}
            }
        }
        found
    }

    /// The text of an item.
    pub fn item(&self, name: &str) -> Option<&str> {
        let own = self.items.iter().find(|(other, _)| other == name).map(|(_, text)| *text);
        own.or_else(|| Some(self.state.scope.find(name)?.item.fragment.text()))
    }

    /// The names of all types.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        let own = self.items.iter().filter(|(_, text)| is_type(text)).map(|(name, _)| name.as_str());
        let kinds = self.state.scope.names();
        own.chain(kinds.filter(|(_, kind)| matches!(kind, ItemKind::Type | ItemKind::Alias)).map(|(name, _)| name))
    }

    /// What the impls of a type give it.
    pub(super) fn impls_of(&self, ty: &str) -> Vec<Given> {
        let own = self.impls.iter().filter(|(head, _)| head.self_name.as_deref() == Some(ty));
        let own = own.map(|(head, text)| (head.trait_name.clone(), *text));
        let earlier = self.state.scope.impls_of(ty).flat_map(|block| {
            let of_trait = block.heads.iter().find(|head| head.self_name.as_deref() == Some(ty));
            of_trait.map(|head| (head.trait_name.clone(), block.fragment.text()))
        });
        own.chain(earlier).map(|(of_trait, text)| Given { members: of_impl(text), of_trait }).collect()
    }

    /// The text of the impls of a type.
    pub(super) fn texts_of_impls(&self, ty: &str) -> Vec<&str> {
        let own = self.impls.iter().filter(|(head, _)| head.self_name.as_deref() == Some(ty)).map(|(_, text)| *text);
        own.chain(self.state.scope.impls_of(ty).map(|block| block.fragment.text())).collect()
    }

    /// The type of a constant, static or variable of the session.
    pub(super) fn value(&self, name: &str) -> Option<Type> {
        let bound = Bindings::new();
        if let Some(variable) = self.state.variables.live.get(name) {
            return Some(Type::of_code(variable.spelled(), &bound));
        }
        parsed(self.item(name)?, |item: Item| match item {
            Item::Const(it) => Some(Type::of_code(&it.ty.to_token_stream().to_string(), &bound)),
            Item::Static(it) => Some(Type::of_code(&it.ty.to_token_stream().to_string(), &bound)),
            Item::Struct(it) if it.fields.is_empty() => Some(Type::simple(name)),
            _ => None,
        })?
    }

    /// The declaration of a function.
    pub(super) fn function(&self, name: &str) -> Option<String> {
        let text = self.item(name)?;
        signature(text).map(|signature| signature.text).filter(|text| text.contains("fn "))
    }
}

fn is_type(text: &str) -> bool {
    parsed(text, |item: Item| matches!(item, Item::Enum(_) | Item::Struct(_) | Item::Type(_) | Item::Union(_)))
        .unwrap_or(false)
}

/// Statements are many, and few begin as items do.
fn may_be_item(text: &str) -> bool {
    let words = ["const", "enum", "fn", "impl", "mod", "pub", "static", "struct", "trait", "type", "unsafe", "async"];
    text.starts_with(['#', '/'])
        || text.split(|char: char| !char.is_alphanumeric()).next().is_some_and(|first| words.contains(&first))
}

/// The pieces of a text that end in a semicolon or a closing brace outside of all brackets.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut open) = (0, 0_usize);
    for (kind, range) in tokens(text) {
        if closing(kind).is_some() {
            open += 1;
        } else if closes(kind) {
            open = open.saturating_sub(1);
        }
        if open == 0 && matches!(kind, TokenKind::CloseBrace | TokenKind::Semi) {
            pieces.push(text[start..range.end].trim_start());
            start = range.end;
        }
    }
    pieces
}
