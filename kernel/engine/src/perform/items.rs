//! `:items`: what the session has defined and imported.

use crate::assist::signature::{one_line, signature};
use crate::compile::state::State;
use crate::perform::Shown;
use crate::perform::table::table;
use crate::source::parse::{Item, ItemKind};

/// A type with a longer definition shows its name alone.
const MOST_CHARS: usize = 80;

/// The items of the session in the order of their kinds, then their names; then impls and `use` declarations.
pub(super) fn items(state: &State) -> Shown {
    let mut rows: Vec<(u8, [String; 3])> = Vec::new();
    for item in state.scope.items() {
        let (order, kind) = kind(item);
        rows.push((order, [kind.to_owned(), head(item), format!("[{}]", item.fragment.cell.number())]));
    }
    for block in state.scope.impls() {
        let members: Vec<&str> = block.members.iter().map(|(name, _)| name.as_str()).collect();
        let header = block.fragment.text().split('{').next().unwrap_or_default();
        let members = if members.is_empty() { String::new() } else { format!(": {}", members.join(", ")) };
        let cell = format!("[{}]", block.fragment.cell.number());
        rows.push((7, ["impl".to_owned(), format!("{}{members}", one_line(header)), cell]));
    }
    for leaf in state.scope.declared_uses() {
        rows.push((8, ["use".to_owned(), leaf.code.trim_end_matches(';').to_owned(), String::new()]));
    }
    if rows.is_empty() {
        return Shown::text("Nothing is defined yet.");
    }
    rows.sort();
    let rows: Vec<[String; 3]> = rows.into_iter().map(|(_, row)| row).collect();
    table(["Kind", "Item", "Cell"], &rows)
}

fn kind(item: &Item) -> (u8, &'static str) {
    match item.kind {
        ItemKind::Type | ItemKind::Alias => (1, "type"),
        ItemKind::Trait => (2, "trait"),
        ItemKind::Const => (3, "constant"),
        ItemKind::Macro => (5, "macro"),
        ItemKind::Module => (6, "module"),
        ItemKind::Static => (4, "static"),
        ItemKind::ConstFunction | ItemKind::Other => (0, "function"),
    }
}

fn head(item: &Item) -> String {
    let text = item.fragment.text();
    let Some(signature) = signature(text) else { return item.names.join(", ") };
    let line = one_line(&signature.text);
    if line.chars().count() <= MOST_CHARS || !matches!(item.kind, ItemKind::Type | ItemKind::Alias) {
        return line;
    }
    line.split(['{', '(']).next().unwrap_or(&line).trim_end().to_owned()
}
