//! The items, impls and `use` declarations that are live in a session, and where each has its home.
//!
//! An item lives in the crate of the cell that defined it, and later cells import it, until it has to move to a new
//! home (see [`crate::plan`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::plan::prelude::OF_RUST;
use crate::plan::teacher::UsesByAuthor;
use crate::plan::{Plan, is_in};
use crate::source::fragment::{Author, CellText};
use crate::source::identifiers::Names;
use crate::source::macro_items::ItemMacros;
use crate::source::parse::{Impl, Item, ItemKind, ParsedCell, UseLeaf};

/// The name of a cell's crate, `cell_<hash>`.
pub type CrateName = String;

/// An item that later cells can use.
#[derive(Debug, Clone)]
pub struct LiveItem {
    /// The item as the user wrote it.
    pub item: Arc<Item>,
    /// The crate that holds it.
    pub home: CrateName,
    /// Whether a later `use` has taken its name, or it is not for the cell that is compiled.
    pub(super) hidden: bool,
    /// Whether it is only a student who has taken the name of an item of the teacher's.
    pub(super) hidden_by_student: bool,
}

/// Everything with a name that later cells can use, but for variables.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub(super) items: Vec<LiveItem>,
    /// Less the members that later impls have replaced.
    pub(super) impls: Vec<Arc<Impl>>,
    pub(super) uses: Vec<UseLeaf>,
    /// What the teacher's cells see in place of that, where homework is graded.
    pub(super) uses_by_author: UsesByAuthor,
}

/// An import at the head of a cell's crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The item's name.
    pub name: String,
    /// Its home.
    pub home: CrateName,
    /// Whether only a trait's methods are wanted, not its name.
    pub anonymous: bool,
    /// Whether the modules of the crate are to have it as well: a macro, which they would have below its definition.
    pub in_modules: bool,
}

impl Scope {
    /// What the crate of a plan imports: every live item that something in it mentions, and every trait's methods.
    pub fn imports(&self, plan: &Plan, cell: &ParsedCell) -> Vec<Import> {
        let of_items = plan.items().map(|item| &item.mentions).chain(plan.impls().map(|block| &block.mentions));
        let of_uses = cell.leaves().chain(&self.uses).map(|leaf| &leaf.mentions);
        let mut wanted: Names = of_items.chain(of_uses).chain([&cell.mentions]).flatten().cloned().collect();
        self.close_over_macros(&mut wanted);
        let own_uses: BTreeSet<&String> = cell.leaves().filter_map(|leaf| leaf.name.as_ref()).collect();
        let has_modules = plan.items().any(|item| item.kind == ItemKind::Module);
        let mut imports = Vec::new();
        for (index, live) in self.items.iter().enumerate() {
            if plan.replaced.contains(&index) || live.hidden {
                continue;
            }
            for name in &live.item.names {
                let named = wanted.contains(name) && !own_uses.contains(name);
                if named || live.item.kind == ItemKind::Trait {
                    let in_modules =
                        has_modules && live.item.kind == ItemKind::Macro && !OF_RUST.contains(&name.as_str());
                    imports.push(Import { name: name.clone(), home: live.home.clone(), anonymous: !named, in_modules });
                }
            }
        }
        imports
    }

    /// The `use` declarations of earlier cells, less those whose name the cell takes for itself.
    pub fn uses(&self, plan: &Plan, cell: &ParsedCell) -> Vec<UseLeaf> {
        let items = plan.new_items.iter().flat_map(|item| &item.names);
        let own: BTreeSet<&String> = items.chain(cell.leaves().filter_map(|leaf| leaf.name.as_ref())).collect();
        let kept = self.uses.iter().filter(|leaf| leaf.name.as_ref().is_none_or(|name| !own.contains(name)));
        kept.cloned().collect()
    }

    /// Adds what mentioned macros mention: their names are looked up where the macro is used.
    pub fn close_over_macros(&self, wanted: &mut Names) {
        loop {
            let macros = self.items.iter().map(|live| &live.item).filter(|item| item.kind == ItemKind::Macro);
            let mentions = macros.filter(|item| is_in(&item.names, wanted)).flat_map(|item| &item.mentions);
            let more: Names = mentions.filter(|name| !wanted.contains(*name)).cloned().collect();
            if more.is_empty() {
                return;
            }
            wanted.extend(more);
        }
    }

    /// The macros whose calls may stand for items, where the session has asked for these crates.
    pub fn item_macros<'a>(&self, crates: impl Iterator<Item = &'a String>) -> ItemMacros {
        let makes = self.items.iter().filter(|live| live.item.makes_items && !live.hidden);
        let own = makes.flat_map(|live| live.item.names.iter().cloned()).collect();
        let mut macros = ItemMacros { own, crates: crates.cloned().collect(), ..ItemMacros::default() };
        self.uses.iter().for_each(|leaf| macros.learn_use(leaf));
        macros
    }

    /// The macros of those names, and those that they use, in the order in which they were defined.
    pub fn macros(&self, mut names: Names) -> impl Iterator<Item = &Item> {
        self.close_over_macros(&mut names);
        let macros = self.items.iter().filter(|live| live.item.kind == ItemKind::Macro && !live.hidden);
        macros.filter(move |live| is_in(&live.item.names, &names)).map(|live| &*live.item)
    }

    /// Makes a compiled plan the session's state.
    pub fn commit(&mut self, plan: &Plan, cell: &ParsedCell, home: &CrateName) {
        let author = cell.text().map(|text| text.author).unwrap_or_default();
        let gone = self.shadow(plan, author);
        remove_indices(&mut self.items, &gone);
        remove_indices(&mut self.impls, &plan.replaced_impls);
        for item in plan.items() {
            self.uses.retain(|leaf| leaf.name.as_ref().is_none_or(|name| !item.names.contains(name)));
            self.items.push(LiveItem {
                item: Arc::clone(item),
                home: home.clone(),
                hidden: false,
                hidden_by_student: false,
            });
        }
        self.impls.extend(plan.impls().cloned());
        for leaf in cell.leaves() {
            if let Some(name) = &leaf.name {
                self.uses.retain(|other| other.name.as_ref() != Some(name));
                for live in &mut self.items {
                    let takes = live.home != *home && live.item.names.contains(name) && !live.hidden;
                    live.hidden |= takes;
                    live.hidden_by_student |= takes && author == Author::Student;
                }
            } else {
                self.uses.retain(|other| other != leaf);
            }
            self.uses.push(leaf.clone());
            self.uses_by_author.learn(leaf, author);
        }
    }

    /// Items that are defined again unchanged stay where they are, and their cell has another number now.
    pub fn renumber(&self, cell: &CellText) {
        let items = self.items.iter().map(|live| &live.item.fragment.cell);
        let cells = items.chain(self.impls.iter().map(|block| &block.fragment.cell));
        cells.filter(|other| other.text == cell.text).for_each(|other| other.renumber(cell.number()));
    }

    /// Forgets a `use` declaration that no longer compiles.
    pub fn drop_use(&mut self, leaf: &UseLeaf) {
        self.uses.retain(|other| other != leaf);
    }

    /// The impl that went stale under that name.
    pub fn find_impl(&self, name: &str) -> Option<&Impl> {
        self.impls.iter().map(|block| &**block).find(|block| stale_impl_name(block) == name)
    }

    /// The items that later cells can use, but for those whose names a `use` has taken.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.items.iter().filter(|live| !live.hidden).map(|live| &live.item)
    }

    /// The impls in force.
    pub fn impls(&self) -> impl Iterator<Item = &Arc<Impl>> {
        self.impls.iter()
    }

    /// The impls in force of the type of that name.
    pub fn impls_of(&self, name: &str) -> impl Iterator<Item = &Arc<Impl>> {
        self.impls.iter().filter(move |block| block.heads.iter().any(|head| head.self_name.as_deref() == Some(name)))
    }

    /// The `use` declarations in force, one a name.
    pub fn declared_uses(&self) -> &[UseLeaf] {
        &self.uses
    }

    /// The names of all live items.
    pub fn names(&self) -> impl Iterator<Item = (&str, ItemKind)> {
        self.items().flat_map(|item| item.names.iter().map(|name| (name.as_str(), item.kind)))
    }

    /// The live item of that name.
    pub fn find(&self, name: &str) -> Option<&LiveItem> {
        self.items.iter().find(|live| !live.hidden && live.item.names.iter().any(|other| other == name))
    }
}

/// What a stale impl is known by; no identifier looks like this.
pub fn stale_impl_name(block: &Impl) -> String {
    block.tokens.clone()
}

fn remove_indices<T>(list: &mut Vec<T>, indices: &BTreeSet<usize>) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !indices.contains(&(index - 1))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::CellText;
    use crate::source::macro_items::ItemMacros;
    use crate::source::parse::parse;

    fn cell(text: &str) -> ParsedCell {
        parse(&CellText::new(1, text), &ItemMacros::default()).expect("the test's cell parses")
    }

    fn scope(cells: &[&str]) -> Scope {
        let mut scope = Scope::default();
        for (index, text) in cells.iter().enumerate() {
            let parsed = cell(text);
            let plan = scope.plan(&parsed, &Names::new());
            scope.commit(&plan, &parsed, &format!("cell_{index}"));
        }
        scope
    }

    fn moved(plan: &Plan) -> Vec<&str> {
        plan.moved_items.iter().flat_map(|item| item.names.iter().map(String::as_str)).collect()
    }

    #[test]
    fn an_impl_for_an_earlier_type_moves_the_type_and_what_uses_it() {
        let scope = scope(&["struct Net;", "fn train(net: &Net) {}", "fn other() {}"]);
        let plan = scope.plan(&cell("impl Net { fn f(&self) {} }"), &Names::new());
        assert_eq!(moved(&plan), ["Net", "train"]);
        assert!(plan.changed.is_empty());
        assert_eq!(plan.former_homes["Net"], "cell_0");
    }

    #[test]
    fn callers_of_a_redefined_function_move() {
        let scope = scope(&["fn a() {}", "fn b() { a() }", "fn c() { b() }", "static S: i32 = 1;"]);
        let plan = scope.plan(&cell("fn a() { S; }"), &Names::new());
        assert_eq!(moved(&plan), ["b", "c"]);
        let imports = scope.imports(&plan, &cell("fn a() { S; }"));
        assert_eq!(imports, [Import { name: "S".into(), home: "cell_3".into(), anonymous: false, in_modules: false }]);
    }

    #[test]
    fn a_changed_type_changes_the_types_that_hold_it_but_no_functions() {
        let scope = scope(&["struct A;", "struct B(A);", "fn f(b: &B) {}"]);
        let plan = scope.plan(&cell("struct A(i32);"), &Names::new());
        assert_eq!(plan.changed.iter().map(String::as_str).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(moved(&plan), ["B", "f"]);
    }

    #[test]
    fn a_function_that_no_longer_fits_changes_no_type_with_a_field_of_its_name() {
        let scope = scope(&["fn loss() {}", "struct Run { loss: f64 }"]);
        let plan = scope.plan(&cell("fn other() {}"), &Names::from(["loss".to_owned()]));
        assert!(plan.changed.is_empty(), "{:?}", plan.changed);
    }

    #[test]
    fn the_same_definition_again_changes_nothing() {
        let scope = scope(&["struct A { x: i32 }\nimpl A { fn f() {} }"]);
        let plan = scope.plan(&cell("struct A {\n    x: i32 // comment\n}\nimpl A { fn f() {} }"), &Names::new());
        assert!(plan.new_items.is_empty() && plan.new_impls.is_empty() && plan.moved_items.is_empty());
    }

    #[test]
    fn a_method_defined_again_replaces_only_itself() {
        let scope = scope(&["struct A;\nimpl A { fn f() -> i32 { 1 } fn g() {} }"]);
        let plan = scope.plan(&cell("impl A { fn f() -> i32 { 2 } }"), &Names::new());
        assert_eq!(moved(&plan), ["A"]);
        assert_eq!(plan.moved_impls[0].members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["g"]);
    }

    #[test]
    fn a_later_use_hides_an_item_and_a_later_item_removes_a_use() {
        let mut scope = scope(&["struct HashMap;", "use std::collections::HashMap;"]);
        assert!(scope.find("HashMap").is_none());
        let parsed = cell("struct HashMap(i32);");
        let plan = scope.plan(&parsed, &Names::new());
        scope.commit(&plan, &parsed, &"cell_2".to_owned());
        assert!(scope.find("HashMap").is_some());
        assert!(scope.uses(&Plan::default(), &cell("")).is_empty());
    }
}
