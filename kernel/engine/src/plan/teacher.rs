//! Where homework is graded: what the teacher's cells see of a student's, and what a student's cells may not change.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::plan::scope::{LiveItem, Scope};
use crate::plan::{Plan, prelude};
use crate::source::fragment::Author;
use crate::source::identifiers::Names;
use crate::source::parse::{Impl, Item, ItemKind, UseLeaf};

/// What is to be known of `use` declarations.
#[derive(Debug, Clone, Default)]
pub(super) struct UsesByAuthor {
    /// The teacher's, one a name.
    of_teacher: Vec<UseLeaf>,
    /// The student's, as code.
    of_student: BTreeSet<String>,
}

impl UsesByAuthor {
    /// Puts down a declaration.
    pub(super) fn learn(&mut self, leaf: &UseLeaf, author: Author) {
        match author {
            Author::User => {}
            Author::Student => drop(self.of_student.insert(leaf.code.clone())),
            Author::Teacher | Author::Test => {
                self.of_teacher.retain(|other| other.name.is_none() || other.name != leaf.name);
                self.of_teacher.push(leaf.clone());
            }
        }
    }
}

/// What an item is known by among the names that a teacher's cell takes from a student. A trait is known as one: it
/// brings methods, whatever it is called.
pub fn taken_as(name: &str, kind: ItemKind) -> String {
    if kind == ItemKind::Trait { format!("trait {name}") } else { name.to_owned() }
}

impl LiveItem {
    fn author(&self) -> Author {
        self.item.fragment.cell.author
    }
}

fn has_name(item: &Item, names: &BTreeSet<String>) -> bool {
    item.names.iter().any(|name| names.contains(name))
}

fn is_taken(item: &Item, takes: &BTreeSet<String>) -> bool {
    item.names.iter().any(|name| takes.contains(&taken_as(name, item.kind)))
}

impl Scope {
    /// Hides the teacher's items that a student has defined again, and returns what is gone for good.
    pub(super) fn shadow(&mut self, plan: &Plan, author: Author) -> BTreeSet<usize> {
        if author != Author::Student {
            return plan.replaced.clone();
        }
        let defined: BTreeSet<String> = plan.new_items.iter().flat_map(|item| item.names.iter().cloned()).collect();
        let is_shadowed = |live: &LiveItem| live.author().is_teacher() && has_name(&live.item, &defined);
        let (shadowed, gone): (BTreeSet<usize>, _) =
            plan.replaced.iter().partition(|index| is_shadowed(&self.items[**index]));
        for index in shadowed {
            let live = &mut self.items[index];
            live.hidden_by_student |= !live.hidden;
            live.hidden = true;
        }
        gone
    }

    /// Leaves what a cell of the teacher's sees: its own items and declarations whatever a student has made of their
    /// names, and of the student's those with these names alone. No item gets another place in the list.
    pub fn show_to_teacher(&mut self, takes: &BTreeSet<String>) {
        let own = self.items.iter().filter(|live| live.author().is_teacher());
        let own: BTreeSet<String> = own.flat_map(|live| live.item.names.clone()).collect();
        let UsesByAuthor { of_teacher, of_student } = &self.uses_by_author;
        let is_taken_use =
            |leaf: &UseLeaf| leaf.name.as_ref().is_some_and(|name| takes.contains(name) && !own.contains(name));
        self.uses.retain(|leaf| {
            let is_seen = !of_student.contains(&leaf.code) || is_taken_use(leaf);
            is_seen && !of_teacher.iter().any(|own| own.name == leaf.name)
        });
        // A module is seen through what a declaration takes out of it.
        let through: Names = self.uses.iter().flat_map(|leaf| leaf.mentions.iter().cloned()).collect();
        self.uses.extend(of_teacher.iter().cloned());
        for live in &mut self.items {
            let is_path =
                live.item.kind == ItemKind::Module && live.item.names.iter().any(|name| through.contains(name));
            live.hidden = match live.author() {
                Author::Student => {
                    live.hidden || !(is_taken(&live.item, takes) || is_path) || has_name(&live.item, &own)
                }
                Author::Teacher | Author::Test | Author::User => live.hidden && !live.hidden_by_student,
            };
        }
    }

    /// Why a student's cell would change what the teacher's items mean, if it would.
    pub fn changed_for_teacher(&self, plan: &Plan) -> Option<String> {
        let replaced = plan.new_impls.iter().find_map(|block| self.replaced_member(block));
        if let Some(name) = replaced {
            return Some(format!("`{name}` is given: it cannot be defined again"));
        }
        if let Some(name) = self.trait_with_name_of_another(plan) {
            // Whoever imports the one has the methods of the other.
            return Some(format!("`{name}` is a trait and something else: choose another name for the trait"));
        }
        let moved = plan.moved_items.iter().filter(|item| item.fragment.cell.author.is_teacher());
        let moved = moved.map(|item| &item.mentions);
        let impls = plan.moved_impls.iter().filter(|block| block.fragment.cell.author.is_teacher());
        let mentions: Vec<&Names> = moved.chain(impls.map(|block| &block.mentions)).collect();
        if mentions.is_empty() {
            return None;
        }
        let students = self.items.iter().filter(|live| !live.hidden).map(|live| &live.item).chain(&plan.new_items);
        let students = students.filter(|item| item.fragment.cell.author == Author::Student);
        let mut names = students.flat_map(|item| self.taken_from_teacher(item));
        let name = names.find(|name| mentions.iter().any(|mentions| mentions.contains(*name)))?;
        Some(format!("`{name}` has a meaning in the given cells that this would change: choose another name"))
    }

    fn trait_with_name_of_another<'a>(&'a self, plan: &'a Plan) -> Option<&'a String> {
        let live = self.items.iter().filter(|live| !live.hidden).map(|live| &live.item);
        let all: Vec<&Arc<Item>> = live.chain(&plan.new_items).collect();
        let students =
            |item: &&&Arc<Item>| item.kind == ItemKind::Trait && item.fragment.cell.author == Author::Student;
        let is_others =
            |name: &&String| all.iter().any(|item| item.kind != ItemKind::Trait && item.names.contains(name));
        all.iter().filter(students).flat_map(|item| &item.names).find(is_others)
    }

    /// The names by which an item of a student's could change what is compiled together with it.
    fn taken_from_teacher<'a>(&'a self, item: &'a Arc<Item>) -> impl Iterator<Item = &'a String> {
        let is_teachers = |live: &LiveItem| {
            live.author().is_teacher() && item.names.iter().any(|name| live.item.names.contains(name))
        };
        let takes_name = prelude::has(item) || self.items.iter().any(is_teachers);
        let names = item.names.iter().filter(move |_| takes_name);
        names.chain(item.members.iter().filter(|_| item.kind == ItemKind::Trait))
    }

    /// A member of an impl of the teacher's that this one of a student's would take the place of.
    fn replaced_member(&self, block: &Impl) -> Option<String> {
        if block.fragment.cell.author != Author::Student {
            return None;
        }
        let mut given =
            self.impls.iter().filter(|other| other.fragment.cell.author.is_teacher() && other.header == block.header);
        given.find_map(|other| {
            if other.is_whole() {
                return Some(other.header.clone());
            }
            let is_there = |name: &String| other.members.iter().any(|(member, _)| member == name);
            block.members.iter().map(|(name, _)| name).find(|name| is_there(name)).cloned()
        })
    }
}
