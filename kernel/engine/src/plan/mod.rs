//! Finds what the crate of a cell has to hold: its own items, and those of earlier cells that have to move here.
//!
//! What is compiled names the very crates that it was compiled against. So the rule is that of one crate of the newest
//! definitions: **whatever depends on something that has a new home gets a new home itself.** One thing depends on
//! another
//! - that it mentions by its name, or by one that a `use` or a `type` gives it;
//! - whose members it mentions: a trait's methods, an enum's variants, what a module holds;
//! - that has to live with it: an impl is of a type or of a trait of its own crate, by the orphan rule. So a type
//!   follows its impls, which follow what their methods mention.
//!
//! A name too many costs the compilation of what did not need it; one too few would leave old code in force.

pub(crate) mod expand;
pub(crate) mod opaque;
pub(crate) mod prelude;
#[cfg(test)]
pub(crate) mod random_programs;
pub(crate) mod scope;
pub(crate) mod teacher;
pub(crate) mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::plan::scope::{CrateName, LiveItem, Scope, stale_impl_name};
use crate::source::fragment::{Author, Edit, Fragment};
use crate::source::identifiers::{Names, in_pattern};
use crate::source::parse::{Impl, ImplHead, Item, ItemKind, ParsedCell, UseLeaf};
use crate::source::words::in_name;

/// What a cell's crate holds, and what that changes for the session.
#[derive(Debug, Default)]
pub struct Plan {
    /// The cell's own items that are new or changed.
    pub new_items: Vec<Arc<Item>>,
    /// The cell's own impls that are new or changed.
    pub new_impls: Vec<Arc<Impl>>,
    /// Items of earlier cells that move here.
    pub moved_items: Vec<Arc<Item>>,
    /// Impls of earlier cells that move here.
    pub moved_impls: Vec<Arc<Impl>>,
    /// Names of redefined items whose definition, or that of something in it, is another one now.
    pub changed: Names,
    /// Names of types whose associated constants or types are others now: what holds `<Net as Shape>::Output` is
    /// another type.
    pub associated: Names,
    /// Former homes of moved and redefined items.
    pub former_homes: BTreeMap<String, CrateName>,
    /// Live items that are gone after this cell: replaced, moved, or stale.
    pub(super) replaced: BTreeSet<usize>,
    pub(super) replaced_impls: BTreeSet<usize>,
}

impl Plan {
    /// All items that the crate holds.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.new_items.iter().chain(&self.moved_items)
    }

    /// All impls that the crate holds.
    pub fn impls(&self) -> impl Iterator<Item = &Arc<Impl>> {
        self.new_impls.iter().chain(&self.moved_impls)
    }

    /// Whether the crate would hold no items and no impls.
    pub fn is_empty(&self) -> bool {
        self.items().next().is_none() && self.impls().next().is_none()
    }
}

impl Scope {
    /// Finds what the crate of a cell has to hold. Items of earlier cells in `stale` are left behind: they no longer
    /// fit what the cell redefines.
    pub fn plan(&self, cell: &ParsedCell, stale: &Names) -> Plan {
        let mut plan = Plan::default();
        for item in &cell.items {
            let same = |live: &LiveItem| !live.hidden && live.item.tokens == item.tokens && !item.names.is_empty();
            if !self.items.iter().any(same) {
                plan.new_items.push(Arc::new(item.clone()));
            }
        }
        for block in &cell.impls {
            if !self.impls.iter().any(|live| live.tokens == block.tokens) {
                plan.new_impls.push(Arc::new(block.clone()));
            }
        }
        let mut affected = Affected::new(self, cell, &mut plan, stale);
        affected.close();
        let Affected { items, impls, uses, withdrawn, .. } = affected;
        // What the cell has written again unchanged is its own: whether it still fits is for the user to know.
        let mut own_items = Vec::new();
        for index in &items {
            let live = &self.items[*index];
            if let Some(own) = cell.items.iter().find(|own| own.tokens == live.item.tokens && !own.names.is_empty()) {
                own_items.push(Arc::new(own.clone()));
            } else if !is_in(&live.item.names, stale) {
                plan.moved_items.push(Arc::clone(&live.item));
            }
            plan.former_homes.extend(live.item.names.iter().map(|name| (name.clone(), live.home.clone())));
        }
        self.find_changed(&mut plan, &items, &impls, &uses, stale);
        plan.replaced.extend(items);
        let mut own_impls = Vec::new();
        for index in &impls {
            let live = &self.impls[*index];
            if let Some(own) = cell.impls.iter().find(|own| own.tokens == live.tokens) {
                own_impls.push(Arc::new(own.clone()));
            } else if !withdrawn.contains(index) {
                plan.moved_impls.extend(carried(live, &plan.new_impls, stale));
            }
        }
        plan.new_items.extend(own_items);
        plan.new_impls.extend(own_impls);
        plan.replaced_impls = impls;
        plan
    }

    /// Puts down which types are others than before, so that no value of theirs may be read as what they are now.
    fn find_changed(
        &self,
        plan: &mut Plan,
        items: &BTreeSet<usize>,
        impls: &BTreeSet<usize>,
        uses: &[&UseLeaf],
        stale: &Names,
    ) {
        let of_types = |index: &usize| Some(&*self.items[*index].item).filter(|item| item.kind.is_part_of_types());
        let moved = || items.iter().filter_map(of_types);
        let old_impls = || impls.iter().map(|index| &*self.impls[*index]);
        let gone = moved().filter(|item| is_in(&item.names, stale)).chain(plan.replaced.iter().filter_map(of_types));
        plan.changed.extend(gone.flat_map(|item| item.names.iter().cloned()));
        for old in old_impls() {
            let new = plan.new_impls.iter().filter(|new| new.header == old.header);
            if new.into_iter().any(|new| old.associated.iter().any(|it| new.replaces(it))) {
                plan.associated.extend(old.owners());
            }
        }
        loop {
            let before = (plan.changed.len(), plan.associated.len());
            let differs = |tokens: &str, mentions: &Names| {
                let in_path = tokens.contains("::");
                mentions.iter().any(|name| {
                    (plan.changed.contains(name) && is_more_than_a_field(name, tokens))
                        || (in_path && plan.associated.contains(name))
                })
            };
            let used = uses.iter().filter(|leaf| leaf.mentions.iter().any(|name| plan.changed.contains(name)));
            let used: Names = used.filter_map(|leaf| leaf.name.clone()).collect();
            let changed = moved().filter(|item| differs(&item.tokens, &item.mentions));
            let changed: Names = changed.flat_map(|item| item.names.iter().cloned()).collect();
            let associated: Names = old_impls()
                .filter(|block| block.associated.iter().any(|it| differs(&it.tokens, &it.mentions)))
                .flat_map(Impl::owners)
                .collect();
            plan.changed.extend(changed);
            plan.changed.extend(used);
            plan.associated.extend(associated);
            if (plan.changed.len(), plan.associated.len()) == before {
                return;
            }
        }
    }
}

/// Grows what a cell's crate holds until nothing outside depends on anything inside.
struct Affected<'a> {
    scope: &'a Scope,
    stale: &'a Names,
    /// The cell's own items.
    new_items: Vec<Arc<Item>>,
    /// The `use` declarations that decide what a name means: the cell's own, then those of the session.
    uses: Vec<&'a UseLeaf>,
    /// Names that the cell's own `use` declarations take from items.
    own_uses: Names,
    /// The live items that the cell redefines.
    replaced: BTreeSet<usize>,
    /// What the crate defines.
    local: Names,
    /// What is to be defined here, by the orphan rule.
    wanted: Names,
    /// Names that lead to something with a new home.
    reached: Names,
    /// Those of them that are members of something, such as a trait's methods.
    members: Names,
    /// Live items and impls that move here.
    items: BTreeSet<usize>,
    impls: BTreeSet<usize>,
    /// Those that their cell no longer has: it was edited and is run again.
    withdrawn: BTreeSet<usize>,
    /// Who has written the cell.
    author: Author,
}

impl<'a> Affected<'a> {
    fn new(scope: &'a Scope, cell: &'a ParsedCell, plan: &mut Plan, stale: &'a Names) -> Self {
        let mut affected = Self {
            scope,
            stale,
            new_items: plan.new_items.clone(),
            own_uses: cell.leaves().filter_map(|leaf| leaf.name.clone()).collect(),
            uses: cell.leaves().chain(&scope.uses).collect(),
            replaced: BTreeSet::new(),
            local: plan.new_items.iter().flat_map(|item| item.names.iter().cloned()).collect(),
            wanted: Names::new(),
            reached: Names::new(),
            members: Names::new(),
            items: BTreeSet::new(),
            impls: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            author: cell.text().map(|text| text.author).unwrap_or_default(),
        };
        for (index, live) in scope.items.iter().enumerate() {
            if is_in(&live.item.names, &affected.local) {
                affected.replaced.insert(index);
                affected.reach(&live.item);
                plan.former_homes.extend(live.item.names.iter().map(|name| (name.clone(), live.home.clone())));
            }
        }
        // Names that had a meaning and get another one.
        for item in &plan.new_items {
            let used = |leaf: &UseLeaf| leaf.name.as_ref().is_some_and(|name| item.names.contains(name));
            if scope.uses.iter().any(used) || prelude::has(item) {
                affected.reach(item);
                if item.kind.is_part_of_types() {
                    plan.changed.extend(item.names.iter().cloned());
                }
            }
            // A pattern's name binds a value as long as nothing is called so.
            if matches!(item.kind, ItemKind::Const | ItemKind::Static | ItemKind::Type) {
                affected.reached.extend(item.names.iter().map(|name| in_pattern(name)));
            }
        }
        for leaf in cell.leaves() {
            let other = |earlier: &UseLeaf| earlier.name == leaf.name && earlier.code != leaf.code;
            let Some(name) = &leaf.name else { continue };
            if scope.uses.iter().any(other) || scope.find(name).is_some() {
                affected.reached.insert(name.clone());
                // What was stored is not what the name means now.
                plan.changed.insert(name.clone());
            }
            if !scope.uses.iter().any(|earlier| earlier.name == leaf.name) {
                affected.reached.insert(in_pattern(name));
            }
        }
        let heads = plan.new_impls.iter().flat_map(|block| &block.heads);
        for head in heads.chain(plan.new_items.iter().flat_map(|item| &item.heads)) {
            affected.house(head);
        }
        let earlier = |block: &Impl| cell.text().is_some_and(|text| block.fragment.cell.is_earlier_run_of(text));
        for (index, block) in scope.impls.iter().enumerate() {
            if earlier(block) && !cell.impls.iter().any(|own| own.tokens == block.tokens) {
                affected.withdrawn.insert(index);
                affected.impls.insert(index);
                block.heads.iter().for_each(|head| affected.house(head));
            }
        }
        plan.replaced.clone_from(&affected.replaced);
        affected
    }

    /// Whatever leads to the item leads to something with a new home.
    fn reach(&mut self, item: &Item) {
        self.reached.extend(item.names.iter().cloned());
        self.members.extend(item.members.iter().cloned());
    }

    fn close(&mut self) {
        loop {
            let before = (self.items.len(), self.impls.len(), self.reached.len(), self.wanted.len());
            for leaf in &self.uses {
                if leaf.mentions.iter().any(|name| self.reached.contains(name)) {
                    self.reached.extend(leaf.name.clone());
                }
            }
            for (index, live) in self.scope.items.iter().enumerate() {
                if self.stays(index, live) {
                    continue;
                }
                self.items.insert(index);
                if !is_in(&live.item.names, self.stale) {
                    self.local.extend(live.item.names.iter().cloned());
                }
                self.reach(&live.item);
                live.item.heads.iter().for_each(|head| self.house(head));
            }
            for (index, block) in self.scope.impls.iter().enumerate() {
                let is_others = self.author.is_teacher() && block.fragment.cell.author == Author::Student;
                if !is_others && !self.impls.contains(&index) && self.depends(&block.mentions, &[], true) {
                    self.impls.insert(index);
                    block.heads.iter().for_each(|head| self.house(head));
                }
            }
            if (self.items.len(), self.impls.len(), self.reached.len(), self.wanted.len()) == before {
                return;
            }
        }
    }

    fn stays(&self, index: usize, live: &LiveItem) -> bool {
        let item = &live.item;
        // What a `use` has hidden can be named by nothing that is compiled from now on.
        let hidden = live.hidden || is_in(&item.names, &self.own_uses);
        if hidden || self.replaced.contains(&index) || self.items.contains(&index) {
            return true;
        }
        // What a student has written never lives among what the teacher's crate has for itself.
        if self.author.is_teacher() && item.fragment.cell.author == Author::Student {
            return true;
        }
        // A static would lose its state; its initial value is a constant, which can call no method of a trait.
        let by_members = item.kind != ItemKind::Static;
        let moves = is_in(&item.names, self.stale)
            || is_in(&item.names, &self.wanted)
            || self.depends(&item.mentions, &item.names, by_members);
        !moves
            || (self.author == Author::Student && item.fragment.cell.author.is_teacher() && !self.is_moved_along(item))
    }

    /// Whether one of the teacher's items has to follow something that moves. What a student defines under a name that
    /// it mentions is not what it means.
    fn is_moved_along(&self, item: &Item) -> bool {
        let moved = self.items.iter().map(|index| &self.scope.items[*index].item);
        let has_moved = |name: &String| moved.clone().any(|other| other.names.contains(name));
        is_in(&item.names, &self.wanted) || item.mentions.iter().any(has_moved)
    }

    fn depends(&self, mentions: &Names, own: &[String], by_members: bool) -> bool {
        mentions.iter().any(|name| {
            (self.reached.contains(name) && !own.contains(name)) || (by_members && self.members.contains(name))
        })
    }

    /// Has the earlier item come here that must live with an impl, by the orphan rule.
    fn house(&mut self, head: &ImplHead) {
        let own = [&head.self_name, &head.trait_name].into_iter().flatten();
        let homes: Vec<Names> = own.map(|name| self.homes(name, &mut Names::new())).collect();
        if homes.iter().flatten().any(|name| self.local.contains(name)) {
            return;
        }
        let homes = homes.into_iter().find(|homes| !homes.is_empty()).unwrap_or_else(|| {
            // `impl From<Net> for f64` and `impl Sum<Net> for Vec<f64>` are allowed because of a type argument.
            head.arguments.iter().flat_map(|name| self.homes(name, &mut Names::new())).collect()
        });
        self.wanted.extend(homes);
    }

    /// The items that a name in the head of an impl stands for, through `type` and `use`.
    fn homes(&self, name: &str, seen: &mut Names) -> Names {
        if !seen.insert(name.to_owned()) {
            return Names::new();
        }
        let item = self.new_items.iter().find(|item| item.names.iter().any(|own| own == name));
        let leaf = self.uses.iter().find(|leaf| leaf.name.as_deref() == Some(name));
        match (item.or_else(|| self.scope.find(name).map(|live| &live.item)), leaf) {
            (Some(item), _) if item.kind == ItemKind::Alias => {
                let mentions = item.mentions.iter().filter(|name| !item.names.contains(name));
                mentions.flat_map(|name| self.homes(name, seen)).collect()
            }
            (Some(item), _) if item.kind.is_home() => Names::from([name.to_owned()]),
            (_, Some(leaf)) => leaf.mentions.iter().flat_map(|name| self.homes(name, seen)).collect(),
            _ => Names::new(),
        }
    }
}

/// Whether the tokens of a type have a name elsewhere than as that of a field, `loss: f64`.
fn is_more_than_a_field(name: &str, tokens: &str) -> bool {
    let mut uses = tokens.match_indices(name).filter_map(|(at, _)| {
        let behind = &tokens[at + name.len()..];
        let whole = !tokens[..at].ends_with(in_name) && !behind.starts_with(in_name);
        whole.then(|| behind.trim_start())
    });
    uses.any(|behind| !behind.starts_with(':') || behind.starts_with("::"))
}

fn is_in(names: &[String], set: &Names) -> bool {
    names.iter().any(|name| set.contains(name))
}

/// An impl less what the cell's own impls replace; `None` where nothing is left.
fn carried(block: &Arc<Impl>, new_impls: &[Arc<Impl>], stale: &Names) -> Option<Arc<Impl>> {
    if stale.contains(&stale_impl_name(block)) {
        return None;
    }
    let same = |other: &&Arc<Impl>| other.header == block.header;
    if block.is_whole() {
        return (!new_impls.iter().any(|other| same(&other))).then(|| Arc::clone(block));
    }
    let members = new_impls.iter().filter(same).flat_map(|other| &other.members);
    without_members(block, &members.map(|(name, _)| name).collect())
}

/// An inherent impl less some of its members; `None` when nothing is left.
fn without_members(block: &Arc<Impl>, overridden: &BTreeSet<&String>) -> Option<Arc<Impl>> {
    let (gone, left): (Vec<_>, Vec<_>) = block.members.iter().cloned().partition(|(name, _)| overridden.contains(name));
    if gone.is_empty() {
        return Some(Arc::clone(block));
    }
    if left.is_empty() {
        return None;
    }
    let mut edits: Vec<Edit> = block.fragment.edits.clone();
    for (_, range) in &gone {
        edits.retain(|edit| !(range.start..=range.end).contains(&edit.at));
        edits.push(Edit { at: range.start, replaces: range.len(), insert: String::new() });
    }
    edits.sort_by_key(|edit| edit.at);
    let fragment = Fragment { edits, ..block.fragment.clone() };
    let associated = block.associated.iter().filter(|it| !overridden.contains(&it.name)).cloned().collect();
    // The tokens no longer say what is in force, so the impl as first written counts as another one.
    let tokens = format!("{} less {gone:?}", block.tokens);
    Some(Arc::new(Impl { members: left, fragment, tokens, associated, ..Impl::clone(block) }))
}
