//! Sorts a cell's text into items, impls, `use` declarations and statements.

mod parsed;

use std::sync::Arc;

pub use parsed::{
    Binding, Impl, ImplHead, Item, ItemKind, LetValue, ParseError, ParsedCell, Statement, StatementKind,
    UseDeclaration, UseLeaf,
};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, Block, Expr, Item as SynItem, Pat, Stmt, UseTree};

use crate::source::awaits::awaits;
use crate::source::fragment::{CellText, Edit, Fragment};
use crate::source::identifiers::{Names, mentions, open_patterns, unraw};
use crate::source::infallible::is_sure;
use crate::source::instrument::{Edits, after_attributes, makes_statics};
use crate::source::items;
use crate::source::macro_items::{ItemMacros, makes_items, publish_call};
use crate::source::members::{Contents, associated};
use crate::source::nesting::{self, TooDeep};
use crate::source::words::brackets;

/// Sorts a cell; the error is syn's, for the rare text that rustc accepts and syn does not. Calls of `item_macros`, and
/// of such macros in the cell itself, are put aside.
pub fn parse(cell: &Arc<CellText>, item_macros: &ItemMacros) -> Result<ParsedCell, ParseError> {
    read(cell, |parsed| Ok(sort(cell, parsed?, item_macros)))
}

/// Reads a cell as one statement: its items stay within it, its variables end with it. Puts code of ours at offsets of
/// the text, such as around the whole.
pub fn parse_as_one(cell: &Arc<CellText>, ours: &[(usize, String)]) -> Result<ParsedCell, ParseError> {
    read(cell, |parsed| Ok(as_one(cell, parsed?, ours)))
}

/// Has syn read a cell, with as much stack as that takes.
fn read(
    cell: &CellText,
    sort: impl FnOnce(syn::Result<(Vec<Attribute>, Vec<Stmt>)>) -> syn::Result<ParsedCell> + Send,
) -> Result<ParsedCell, ParseError> {
    let parsed = nesting::read(cell_parser, &cell.text, |parsed| {
        sort(parsed).map_err(|error| {
            let range = error.span().byte_range();
            let (start, end) = (range.start.min(cell.text.len()), range.end.min(cell.text.len()));
            ParseError { message: error.to_string(), range: start..end }
        })
    });
    parsed.unwrap_or_else(|TooDeep| {
        let message = "this cell nests too deeply; split it into functions or smaller expressions".to_owned();
        Err(ParseError { message, range: 0..0 })
    })
}

fn sort(
    cell: &Arc<CellText>,
    (attributes, statements): (Vec<Attribute>, Vec<Stmt>),
    item_macros: &ItemMacros,
) -> ParsedCell {
    let mut sorter = Sorter { cell, item_macros: item_macros.clone(), parsed: ParsedCell::default() };
    for attribute in &attributes {
        if let syn::Meta::List(list) = &attribute.meta
            && list.path.is_ident("cfg")
        {
            let parentheses = list.delimiter.span().join().byte_range();
            let within = parentheses.start + 1..parentheses.end.saturating_sub(1);
            sorter.parsed.conditions.push(cell.text.get(within).unwrap_or_default().to_owned());
            continue;
        }
        let fragment = sorter.fragment(attribute, Edits::default());
        sorter.parsed.attributes.push(fragment);
    }
    let last = statements.len().saturating_sub(1);
    for (index, statement) in statements.iter().enumerate() {
        match statement {
            Stmt::Item(item) => sorter.item(item),
            other => sorter.statement(other, index == last),
        }
    }
    let mut parsed = sorter.parsed;
    // `use square;` behind `macro_rules! square` gives the macro a path, which it has: all macros of cells are
    // exported.
    let macros = parsed.items.iter().filter(|item| item.kind == ItemKind::Macro).flat_map(|item| &item.names);
    let macros: Names = macros.map(|name| format!("use {};", crate::source::identifiers::raw(name))).collect();
    parsed.uses.retain(|declaration| !declaration.leaves.iter().all(|leaf| macros.contains(&leaf.code)));
    parsed.asynchronous =
        parsed.mentions.contains("tokio") || parsed.statements.iter().any(|statement| statement.awaits);
    parsed
}

fn as_one(cell: &Arc<CellText>, (_, statements): (Vec<Attribute>, Vec<Stmt>), ours: &[(usize, String)]) -> ParsedCell {
    let mut edits = Edits::of(cell);
    let mut names = Names::new();
    for (index, statement) in statements.iter().enumerate() {
        if index > 0 {
            edits.checkpoint_ahead_of(statement);
        }
        edits.visit_stmt(statement);
        names.extend(mentions(statement.to_token_stream()));
    }
    let heavy = edits.heavy;
    // At one offset the ends of ours stand behind what the statements get, and the rest ahead of it.
    let ours = ours.iter().map(|(at, code)| Edit { at: *at, replaces: 0, insert: code.clone() });
    let (ends, begins): (Vec<_>, Vec<_>) = ours.partition(|edit| edit.at == cell.text.len());
    let mut edits: Vec<Edit> = begins.into_iter().chain(edits.finish()).chain(ends).collect();
    edits.sort_by_key(|edit| edit.at);
    let fragment = Fragment { cell: Arc::clone(cell), range: 0..cell.text.len(), edits };
    ParsedCell { heavy, ..ParsedCell::of_one(fragment, names) }
}

fn cell_parser(input: ParseStream) -> syn::Result<(Vec<Attribute>, Vec<Stmt>)> {
    Ok((input.call(Attribute::parse_inner)?, input.call(Block::parse_within)?))
}

struct Sorter<'a> {
    cell: &'a Arc<CellText>,
    item_macros: ItemMacros,
    parsed: ParsedCell,
}

impl Sorter<'_> {
    fn fragment(&self, node: &impl ToTokens, edits: Edits) -> Fragment {
        Fragment { cell: Arc::clone(self.cell), range: node.span().byte_range(), edits: edits.finish() }
    }

    fn item(&mut self, item: &SynItem) {
        let mut edits = Edits::of(self.cell);
        edits.publish(item);
        edits.visit_item(item);
        self.parsed.heavy |= edits.heavy;
        let (stamps, in_files) = (std::mem::take(&mut edits.stamps), std::mem::take(&mut edits.mentions_in_files));
        let fragment = self.fragment(item, edits);
        let tokens = item.to_token_stream();
        let mut names = mentions(tokens.clone());
        names.extend(open_patterns(item));
        names.extend(in_files);
        match item {
            SynItem::Use(it) => {
                let leaves = leaves(it);
                leaves.iter().for_each(|leaf| self.item_macros.learn_use(leaf));
                self.parsed.uses.push(UseDeclaration { fragment, leaves });
            }
            SynItem::ExternCrate(it) => {
                self.item_macros.anything |= self.item_macros.crates.contains(&unraw(&it.ident.to_string()));
                let name = it.rename.as_ref().map_or(&it.ident, |(_, name)| name).to_string();
                let leaf = UseLeaf { name: Some(name), code: fragment.text().to_owned(), mentions: names };
                self.parsed.uses.push(UseDeclaration { fragment, leaves: vec![leaf] });
            }
            SynItem::Impl(it) => {
                let header = {
                    let mut header = it.clone();
                    header.items.clear();
                    header.attrs.clear();
                    header.to_token_stream().to_string()
                };
                let members = it.items.iter().filter_map(|member| {
                    Some((unraw(&items::member_name(member)?.to_string()), member.span().byte_range()))
                });
                self.parsed.impls.push(Impl {
                    heads: vec![ImplHead::of(it)],
                    header,
                    members: members.collect(),
                    associated: associated(it),
                    fragment,
                    tokens: canonical(tokens) + &stamps,
                    mentions: names,
                });
            }
            _ => {
                let mentions = names;
                let (names, kind) = match item {
                    // `thread_local! { ... }` and the like: an item whose names only its expansion knows.
                    SynItem::Macro(it) if it.ident.is_none() => (defined_by_macro(it), ItemKind::Static),
                    _ => item_names(item),
                };
                let makes_items = match item {
                    SynItem::Macro(it) if kind == ItemKind::Macro => {
                        makes_items(it.mac.tokens.clone(), &self.item_macros.own)
                    }
                    _ => false,
                };
                if kind == ItemKind::Macro {
                    // What a call further down means is decided by this definition.
                    self.item_macros.own.retain(|other| !names.contains(other));
                    self.item_macros.own.extend(names.iter().filter(|_| makes_items).cloned());
                }
                let tokens = canonical(tokens) + &stamps;
                let mut contents = Contents::default();
                contents.add(item);
                let (heads, members) = (contents.heads(), contents.members);
                let attributes = items::named(item).map_or(&[][..], |named| named.attributes);
                if self.item_macros.may_derive_items(attributes) {
                    self.parsed.derived.push(self.parsed.items.len());
                }
                self.parsed.items.push(Item { names, kind, fragment, tokens, mentions, members, makes_items, heads });
            }
        }
    }

    fn statement(&mut self, statement: &Stmt, is_last: bool) {
        if let Stmt::Macro(it) = statement
            && is_item_macro_of_std(&it.mac.path)
        {
            let item =
                syn::ItemMacro { attrs: it.attrs.clone(), ident: None, mac: it.mac.clone(), semi_token: it.semi_token };
            return self.item(&SynItem::Macro(item));
        }
        let mut edits = Edits::of_statement(statement, self.cell);
        self.parsed.heavy |= edits.heavy;
        let call = self.item_call(statement);
        if let Some(call) = call.filter(|call| self.item_macros.is_foreign(&call.path)) {
            publish_call(call.tokens.clone(), &mut edits);
        }
        self.parsed.mentions.append(&mut edits.mentions_in_files);
        let fragment = self.fragment(statement, edits);
        self.parsed.mentions.extend(mentions(statement.to_token_stream()));
        let reads = match statement {
            Stmt::Local(local) => local.init.as_ref().map_or_else(Names::new, |init| {
                let mut tokens = init.expr.to_token_stream();
                tokens.extend(init.diverge.as_ref().map(|(_, expr)| expr.to_token_stream()));
                mentions(tokens)
            }),
            other => mentions(other.to_token_stream()),
        };
        let kind = match statement {
            Stmt::Local(local) => {
                let mut bindings = Bindings(Vec::new());
                bindings.visit_pat(&local.pat);
                // One that is not compiled must not fix an earlier one of its name.
                let conditional = local.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
                bindings.0.iter_mut().for_each(|binding| binding.mutable |= conditional);
                let (deferred, value) = (local.init.is_none(), LetValue::of(local));
                StatementKind::Let { bindings: bindings.0, deferred, value }
            }
            Stmt::Expr(expr, None) if is_last && has_value(expr) => tail(statement),
            Stmt::Macro(it) if is_last && it.semi_token.is_none() => tail(statement),
            _ => StatementKind::Other,
        };
        let awaits = awaits(statement);
        let sorted = Statement { fragment, kind, reads, sure: is_sure(statement), awaits };
        if call.is_some() {
            self.parsed.calls.push(sorted);
        } else {
            self.parsed.statements.push(sorted);
        }
    }

    /// The call that may stand for items.
    fn item_call<'s>(&self, statement: &'s Stmt) -> Option<&'s syn::Macro> {
        let Stmt::Macro(call) = statement else { return None };
        self.item_macros.may_make_items(&call.mac.path).then_some(&call.mac)
    }
}

fn tail(statement: &Stmt) -> StatementKind {
    let start = statement.span().byte_range().start;
    StatementKind::Tail { behind_attributes: after_attributes(statement.to_token_stream()).unwrap_or(start) }
}

/// Tokens as a string in which layout, doc comments and trailing commas make no difference.
pub fn canonical(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is = |token: &TokenTree, char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == char);
        match &token {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group);
                text.push_str(open);
                text.push_str(&canonical(group.stream()));
                text.push_str(close);
            }
            punct if is(punct, '#') && tokens.peek().is_some_and(is_doc) => {
                tokens.next();
            }
            // `(T,)` is a tuple and `(T)` is not, but no definition differs from another in that alone.
            punct if is(punct, ',') && tokens.peek().is_none() => {}
            TokenTree::Punct(punct) => text.push(punct.as_char()),
            other => {
                text.push(' ');
                text.push_str(&other.to_string());
            }
        }
    }
    text
}

fn is_doc(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(ident)) if ident == "doc")
}

/// The names that an item defines.
pub fn item_names(item: &SynItem) -> (Vec<String>, ItemKind) {
    let kind = match item {
        SynItem::Const(_) => ItemKind::Const,
        SynItem::Enum(_) | SynItem::Struct(_) | SynItem::Union(_) => ItemKind::Type,
        SynItem::Type(_) => ItemKind::Alias,
        SynItem::Trait(_) | SynItem::TraitAlias(_) => ItemKind::Trait,
        SynItem::Mod(_) => ItemKind::Module,
        SynItem::Fn(it) if it.sig.constness.is_some() => ItemKind::ConstFunction,
        SynItem::Static(_) => ItemKind::Static,
        SynItem::Macro(it) if it.ident.is_some() => ItemKind::Macro,
        _ => ItemKind::Other,
    };
    let foreign = match item {
        SynItem::ForeignMod(it) => &it.items[..],
        _ => &[],
    };
    let foreign = foreign.iter().filter_map(|item| items::foreign(item)).map(|(name, _)| name);
    // `const _: () = ...;` has no name to import.
    let names = items::name_of(item).into_iter().chain(foreign).filter(|name| *name != "_");
    (names.map(|name| unraw(&name.to_string())).collect(), kind)
}

/// Whether a macro of the standard library stands for items: `thread_local!`, `std::arch::global_asm!`.
fn is_item_macro_of_std(path: &syn::Path) -> bool {
    makes_statics(path) || path.segments.last().is_some_and(|last| last.ident == "global_asm")
}

/// The statics that a `thread_local!` defines.
fn defined_by_macro(item: &syn::ItemMacro) -> Vec<String> {
    if !makes_statics(&item.mac.path) {
        return Vec::new();
    }
    let mut names = Vec::new();
    let mut after_static = false;
    for token in item.mac.tokens.clone() {
        if let TokenTree::Ident(ident) = token {
            if after_static {
                names.push(unraw(&ident.to_string()));
            }
            after_static = ident == "static";
        }
    }
    names
}

/// Loops without a value and `if` without `else` are `()` whatever happens, and need no parentheses around them.
fn has_value(expr: &Expr) -> bool {
    match expr {
        Expr::ForLoop(_) | Expr::While(_) => false,
        Expr::If(it) => it.else_branch.is_some(),
        _ => true,
    }
}

/// The names that a `use` declaration brings.
pub fn leaves(it: &syn::ItemUse) -> Vec<UseLeaf> {
    let leading = if it.leading_colon.is_some() { "::" } else { "" };
    let mut leaves = Vec::new();
    use_leaves(&it.tree, leading.to_owned(), &Names::new(), &mut leaves);
    leaves
}

fn use_leaves(tree: &UseTree, prefix: String, path: &Names, leaves: &mut Vec<UseLeaf>) {
    let mut mentions = path.clone();
    let (ident, rename) = match tree {
        UseTree::Path(it) => {
            mentions.insert(unraw(&it.ident.to_string()));
            return use_leaves(&it.tree, format!("{prefix}{}::", it.ident), &mentions, leaves);
        }
        UseTree::Group(it) => return it.items.iter().for_each(|tree| use_leaves(tree, prefix.clone(), path, leaves)),
        UseTree::Glob(_) => return leaves.push(UseLeaf { name: None, code: format!("use {prefix}*;"), mentions }),
        UseTree::Name(it) => (&it.ident, None),
        UseTree::Rename(it) => (&it.ident, Some(it.rename.to_string())),
    };
    let mut code = format!("use {prefix}{ident}");
    match code.strip_suffix("::self").map(str::len) {
        Some(parent) => code.truncate(parent),
        None => drop(mentions.insert(unraw(&ident.to_string()))),
    }
    let name = match &rename {
        Some(rename) => Some(unraw(rename)).filter(|name| name != "_"),
        None => code.rsplit([':', ' ']).next().map(unraw),
    };
    let renamed = rename.map(|rename| format!(" as {rename}")).unwrap_or_default();
    leaves.push(UseLeaf { name, code: format!("{code}{renamed};"), mentions });
}

struct Bindings(Vec<Binding>);

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat(&mut self, pat: &'ast Pat) {
        if let Pat::Ident(it) = pat {
            let name = unraw(&it.ident.to_string());
            self.0.push(Binding { name, mutable: it.mutability.is_some(), range: it.ident.span().byte_range() });
        }
        syn::visit::visit_pat(self, pat);
    }

    // Blocks inside patterns (`const { ... }`) bind nothing outside.
    fn visit_expr(&mut self, _: &'ast Expr) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ParsedCell {
        parse(&CellText::new(1, text), &ItemMacros::default()).expect("the test's cell parses")
    }

    #[test]
    fn a_cell_is_sorted_into_items_statements_and_a_tail() {
        let cell = parsed("use std::fmt;\nstruct A;\nimpl A { fn f(&self) {} }\nlet a = A;\na.f();\n1 + 1");
        assert_eq!(cell.uses[0].leaves[0].code, "use std::fmt;");
        assert_eq!(cell.items[0].names, ["A"]);
        assert_eq!(cell.impls[0].heads[0].self_name.as_deref(), Some("A"));
        assert_eq!(cell.impls[0].members[0].0, "f");
        assert_eq!(cell.statements.len(), 3);
        assert_eq!(
            cell.statements[2].kind,
            StatementKind::Tail { behind_attributes: cell.statements[2].fragment.range.start }
        );
    }

    #[test]
    fn use_groups_are_split_into_one_declaration_a_name() {
        let cell = parsed("use std::{collections::{self, HashMap as Map}, fmt::*, io::Write as _};");
        let leaves: Vec<_> =
            cell.uses[0].leaves.iter().map(|leaf| (leaf.name.as_deref(), leaf.code.as_str())).collect();
        assert_eq!(
            leaves,
            [
                (Some("collections"), "use std::collections;"),
                (Some("Map"), "use std::collections::HashMap as Map;"),
                (None, "use std::fmt::*;"),
                (None, "use std::io::Write as _;"),
            ]
        );
    }

    #[test]
    fn every_pattern_gives_its_bindings() {
        let cell = parsed(
            "let (mut a, P { x, y: b, .. }, [c, .., d @ 1], Some(e)) = t else { return };\nlet None = n else { panic!() };",
        );
        let StatementKind::Let { bindings, .. } = &cell.statements[0].kind else { panic!("a let") };
        let names: Vec<_> = bindings.iter().map(|binding| (binding.name.as_str(), binding.mutable)).collect();
        assert_eq!(names, [("a", true), ("x", false), ("b", false), ("c", false), ("d", false), ("e", false)]);
        let StatementKind::Let { bindings, .. } = &cell.statements[1].kind else { panic!("a let") };
        assert_eq!(bindings[0].name, "None", "what it is, rustc decides");
    }

    #[test]
    fn thread_local_is_an_item() {
        let cell = parsed("thread_local! { static A: i32 = 1; }\nA.with(|a| *a)");
        assert_eq!(cell.items[0].names, ["A"]);
    }
}
