//! Finds out what a call of the user's macro makes: rustc expands it, and the items are those of the cell.
//!
//! Only calls of macros that may make items come here (see [`crate::source::macro_items`]), so other cells pay nothing.
//! The call is emitted as the user wrote it; what it makes tells the names that later cells can import, and where its
//! impls may stand. So do items with derives of other crates, which may make types beside them.
//!
//! The macro of another crate may not take the `pub` that later cells need, so its calls are tried with and without.

use std::fmt::Write;

use quote::ToTokens;
use syn::Item as SynItem;
use syn::parse::Parse;
use syn::visit::Visit;

use crate::plan::scope::Scope;
use crate::source::fragment::{Edit, Fragment};
use crate::source::identifiers::{Names, mentions};
use crate::source::instrument::Edits;
use crate::source::items::named;
use crate::source::macro_items::ItemMacros;
use crate::source::members::{Contents, associated};
use crate::source::nesting::{TooDeep, read};
use crate::source::parse::{Impl, Item, ItemKind, ParsedCell, Statement, canonical, item_names};
use crate::source::source_map::CrateSource;

/// The modules that hold the calls, by number.
const CALL: &str = "oxtorch_call_";
/// Those that hold them as the user wrote them.
const AS_WRITTEN: &str = "oxtorch_as_written_";
/// Those that hold items with derives, by their place among the cell's.
const ITEM: &str = "oxtorch_item_";

/// The source of a crate that holds the calls of a cell, and the macros that they need.
pub fn source(cell: &ParsedCell, scope: &Scope, macros_of_crates: &ItemMacros) -> String {
    let names: Names = cell.calls.iter().flat_map(|call| call.reads.iter().cloned()).collect();
    let own = cell.items.iter().filter(|item| item.kind == ItemKind::Macro);
    // A macro of the cell stands behind an earlier one of its name, and wins.
    let macros = scope.macros(names).chain(own);
    let mut source = CrateSource::default();
    source.glue("#![allow(warnings)]\n");
    for item in macros {
        source.fragment(&item.fragment);
        source.glue("\n");
    }
    for leaf in scope.declared_uses().iter().chain(cell.leaves()).filter(|leaf| macros_of_crates.is_of_crates(leaf)) {
        source.glue(&format!("{}\n", leaf.code));
    }
    let mut module = |name: String, fragment: &Fragment| {
        source.glue(&format!("mod {name} {{ {OUTSIDE} "));
        source.fragment(fragment);
        source.glue("\n}\n");
    };
    for (number, call) in cell.calls.iter().enumerate() {
        module(format!("{CALL}{number}"), &item_position(&call.fragment));
        if !call.fragment.edits.is_empty() {
            module(format!("{AS_WRITTEN}{number}"), &item_position(&as_written(&call.fragment)));
        }
    }
    for number in &cell.derived {
        module(format!("{ITEM}{number}"), &cell.items[*number].fragment);
    }
    source.text
}

/// What a module has in scope of what stands around it.
const OUTSIDE: &str = "use super::*;";

fn as_written(fragment: &Fragment) -> Fragment {
    Fragment { edits: Vec::new(), ..fragment.clone() }
}

/// Makes items and impls of the calls, from what rustc made of [`source`]; statements of those that it made nothing of.
pub fn resolve(cell: &mut ParsedCell, expanded: &str) {
    let calls = std::mem::take(&mut cell.calls);
    let settled = read(<syn::File as Parse>::parse, expanded, |file| settle(cell, calls.clone(), file.ok()));
    if let Err(TooDeep) = settled {
        calls.into_iter().for_each(|call| put_back(cell, call));
    }
}

fn settle(cell: &mut ParsedCell, calls: Vec<Statement>, file: Option<syn::File>) {
    let items_of = |name: String| {
        let module = file.iter().flat_map(|file| &file.items).find_map(|item| match item {
            SynItem::Mod(module) if module.ident == name => module.content.as_ref().map(|(_, items)| items),
            _ => None,
        });
        // The first says what is in scope.
        module.and_then(|items| items.get(1..)).filter(|items| !items.is_empty())
    };
    for (number, mut call) in calls.into_iter().enumerate() {
        if let Some(items) = items_of(format!("{CALL}{number}")) {
            take_items(cell, call, items);
        } else if let Some(items) = items_of(format!("{AS_WRITTEN}{number}")) {
            call.fragment = as_written(&call.fragment);
            take_items(cell, call, items);
        } else {
            put_back(cell, call);
        }
    }
    for number in std::mem::take(&mut cell.derived) {
        let item = &mut cell.items[number];
        for derived in items_of(format!("{ITEM}{number}")).unwrap_or_default().iter().filter(|item| is_public(item)) {
            add_names(&mut item.names, item_names(derived).0);
        }
    }
}

fn take_items(cell: &mut ParsedCell, call: Statement, items: &[SynItem]) {
    let mut kind = ItemKind::Other;
    let mut names = Vec::new();
    let mut contents = Contents::default();
    let mut impls = Vec::new();
    let mut tokens = String::new();
    // Its own macro is mentioned by the call, others by what it made.
    let mut mentioned = call.reads;
    let mut edits = Edits::default();
    for item in items {
        let all = item.to_token_stream();
        mentioned.extend(mentions(all.clone()));
        // A definition is another one if the tokens differ, so all of them count.
        let _ = write!(tokens, "{} ", canonical(all));
        edits.visit_item(item);
        contents.add(item);
        match item {
            SynItem::Impl(it) => impls.extend(associated(it)),
            _ if is_public(item) => {
                let (defined, its_kind) = item_names(item);
                add_names(&mut names, defined);
                // The kind whose change matters most to those that hold it.
                if kind == ItemKind::Other || matches!(its_kind, ItemKind::Type | ItemKind::Alias) {
                    kind = its_kind;
                }
            }
            _ => {}
        }
    }
    cell.heavy |= edits.heavy;
    let fragment = item_position(&call.fragment);
    // What the macro makes is decided by all that the call mentions.
    impls.iter_mut().for_each(|it| it.mentions.extend(mentioned.iter().cloned()));
    let (heads, members) = (contents.heads(), contents.members);
    if names.is_empty() {
        let header = tokens.clone();
        let (members, mentions) = (Vec::new(), mentioned);
        cell.impls.push(Impl { heads, header, members, associated: impls, fragment, tokens, mentions });
    } else {
        let (makes_items, mentions) = (false, mentioned);
        cell.items.push(Item { names, kind, fragment, tokens, mentions, members, makes_items, heads });
    }
}

/// Adds names, each once: a macro may make a type and a static of one name.
fn add_names(names: &mut Vec<String>, more: Vec<String>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

fn put_back(cell: &mut ParsedCell, call: Statement) {
    let at = cell.statements.partition_point(|other| other.fragment.range.start < call.fragment.range.start);
    cell.statements.insert(at, call);
}

/// `call!(...)` at a cell's end has no semicolon, which an item needs.
fn item_position(fragment: &Fragment) -> Fragment {
    let mut fragment = fragment.clone();
    if !fragment.text().ends_with([';', '}']) {
        fragment.edits.push(Edit { at: fragment.range.end, replaces: 0, insert: ";".to_owned() });
    }
    fragment
}

/// Whether later cells can name it: what a macro takes its visibility from is the caller's matter.
fn is_public(item: &SynItem) -> bool {
    match item {
        // Exported, as all macros of cells are.
        SynItem::Macro(it) => it.ident.is_some(),
        _ => named(item).is_some_and(|named| named.is_public()),
    }
}
