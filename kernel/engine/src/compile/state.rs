//! What later cells can see of earlier ones: items, variables, and what became of those that are gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::Optimise;
use crate::compile::CompiledCell;
use crate::compile::deps::Dependencies;
use crate::emit::VariableId;
use crate::plan::scope::Scope;
use crate::plan::teacher::taken_as;
use crate::plan::variables::{Gone, Unnamed, Variables};
use crate::report::hints::Known;
use crate::source::fragment::CellText;
use crate::source::identifiers::Names;
use crate::source::macro_items::ItemMacros;
use crate::source::parse::ParsedCell;
use crate::source::source_map::Place;
use crate::source::words::declared_names;

/// The longest statement that is quoted, in bytes.
const LONGEST_QUOTE: usize = 80;

/// The state of a session as its cells see it. A copy of it foretells what a cell that has not ended yet will leave.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Items, impls and `use` declarations.
    pub scope: Scope,
    /// Variables, and losses.
    pub variables: Variables,
    /// Items that no longer fit what a later cell redefined: the cell that they were in, and the one that redefined.
    pub stale: BTreeMap<String, (u32, u32)>,
    /// Names that cells would define which did not compile, those of members behind their type's (`Net::forward`): the
    /// last such cell.
    pub failed: BTreeMap<String, u32>,
    /// Crates of other people.
    pub dependencies: Dependencies,
    /// How cells are optimised.
    pub optimise: Optimise,
}

/// What a change of the state means for others.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// For the user.
    pub notes: Vec<String>,
    /// Variables that the host shall drop.
    pub forget: Vec<String>,
}

impl State {
    /// Whether a name means something to the cells of the session.
    pub fn knows(&self, name: &str) -> bool {
        let is_imported = || self.scope.declared_uses().iter().any(|leaf| leaf.name.as_deref() == Some(name));
        self.variables.live.contains_key(name) || self.scope.find(name).is_some() || is_imported()
    }

    /// The names that mean something to the cells of the session because a cell says so; a trait's as `trait Name`.
    pub fn names(&self) -> BTreeSet<String> {
        let items = self.scope.names().map(|(name, kind)| taken_as(name, kind));
        let uses = self.scope.declared_uses().iter().filter_map(|leaf| leaf.name.clone());
        items.chain(uses).chain(self.variables.live.keys().cloned()).collect()
    }

    /// The macros whose calls may stand for items.
    pub fn item_macros(&self) -> ItemMacros {
        self.scope.item_macros(self.dependencies.links_for_rustc().externs.iter().map(|(name, _)| name))
    }

    /// How far a cell is optimised, 0 to 3.
    pub fn opt_level(&self, cell: &ParsedCell) -> u8 {
        let level = match self.optimise {
            Optimise::Auto if cell.heavy => 2,
            Optimise::Auto => 0,
            Optimise::Level(level) => level,
        };
        if cell.measured { level.max(2) } else { level }
    }

    /// Puts down what a cell would have defined that did not compile, among that the members of its impls.
    pub fn fail(&mut self, text: &CellText, members: Vec<String>) {
        let names = declared_names(&text.text).into_iter().chain(members);
        self.failed.extend(names.map(|name| (name, text.number())));
    }

    /// What is said of names that a cell uses and that a later cell would have defined anew, had it compiled: once.
    fn older_than_failed(&mut self, ready: &CompiledCell, cell: &ParsedCell) -> Vec<String> {
        let is_own = |name: &String| {
            ready.plan.items().any(|item| item.names.contains(name)) || ready.emission.variable(name).is_some()
        };
        let mut notes = Vec::new();
        for name in cell.mentions.iter().filter(|name| !is_own(name)) {
            let Some(failed) = self.failed.get(name) else { continue };
            let item = self.scope.find(name).map(|live| live.item.fragment.cell.number());
            let variable = self.variables.live.get(name).map(|variable| variable.declared.cell.number());
            if let Some(from) = item.or(variable).filter(|from| from < failed) {
                notes.push(format!(
                    "`{name}` is still that of cell [{from}]: cell [{failed}], which would define it anew, did not compile."
                ));
                self.failed.remove(name);
            }
        }
        notes
    }

    /// Makes the items of a compiled cell the session's, whatever becomes of its statements.
    pub fn commit_items(&mut self, ready: &CompiledCell, cell: &ParsedCell, number: u32) -> Committed {
        let mut notes = self.older_than_failed(ready, cell);
        for name in &ready.lessons.decisions.stale {
            let (what, from) = if let Some(live) = self.scope.find(name) {
                let from = live.item.fragment.cell.number();
                self.stale.insert(name.clone(), (from, number));
                (name.as_str(), from)
            } else if let Some(block) = self.scope.find_impl(name) {
                (block.fragment.text().split('{').next().unwrap_or("impl").trim(), block.fragment.cell.number())
            } else {
                continue;
            };
            notes.push(format!(
                "`{what}` of cell [{from}] no longer fits what this cell defines. Run cell [{from}] again."
            ));
        }
        for leaf in &ready.lessons.decisions.dropped_uses {
            notes.push(format!("`{}` of an earlier cell is no longer valid and was dropped.", leaf.code));
            self.scope.drop_use(leaf);
        }
        for item in ready.plan.moved_items.iter().filter(|item| item.has_state()) {
            let (names, from) = (item.names.join("`, `"), item.fragment.cell.number());
            notes
                .push(format!("`{names}` of cell [{from}] has its first value again: it uses what this cell defines."));
        }
        self.scope.commit(&ready.plan, cell, &ready.name);
        self.dependencies.remember_use(&ready.emission.source.text);
        for name in ready.plan.items().flat_map(|item| &item.names) {
            self.stale.remove(name);
            self.failed.remove(name);
        }
        for path in ready.plan.impls().flat_map(|block| block.member_paths()) {
            self.failed.remove(&path);
        }
        for variable in &ready.emission.variables {
            self.failed.remove(&variable.name);
        }
        let dropped = self.variables.rehome(&ready.plan, Some(&ready.name), number);
        // Who runs the cell that makes it again is not told to.
        let made =
            |name: &str| ready.emission.variable(name).is_some_and(|id| ready.emission.variables[id].taken.is_none());
        for (name, ty) in dropped.iter().filter(|(name, _)| !made(name)) {
            notes.push(format!(
                "`{name}` was dropped: its type `{ty}` has been redefined. Run the cell that makes it again."
            ));
        }
        // A function or constant defined now takes the name from an older variable.
        let values = ready.plan.new_items.iter().flat_map(|item| &item.names);
        let mut forget: Vec<String> =
            values.filter(|name| self.variables.live.remove(*name).is_some()).cloned().collect();
        forget.extend(dropped.into_iter().map(|(name, _)| name));
        Committed { notes, forget }
    }

    /// Puts down which variables a cell that was run has left in the store, and why others are not there: who names one
    /// of those is told. Returns the variables that the host shall drop.
    pub fn commit_variables(&mut self, ready: &CompiledCell, kept_ids: &[VariableId], number: u32) -> Vec<String> {
        let decisions = &ready.lessons.decisions;
        let mut forget = Vec::new();
        let mut kept = Names::new();
        self.variables.learn_aliases(decisions.naming.values(), &ready.name);
        for id in kept_ids {
            let Some(variable) = ready.emission.variables.get(*id) else { continue };
            let stored = match &variable.taken {
                // Its type may have moved to this cell's crate; `rehome` has followed it there.
                Some(taken) => {
                    let live = self.variables.live.get(&variable.name);
                    live.map(|live| live.ty.clone()).ok_or_else(|| Unnamed::Other(taken.ty.clone()))
                }
                None => ready.lessons.types.get(id).cloned().unwrap_or(Err(Unnamed::Untold)),
            };
            match stored {
                Ok(ty) => {
                    self.variables.keep(&variable.name, variable.mutable, ty, variable.declared.clone());
                    kept.insert(variable.name.clone());
                }
                Err(ty) => {
                    self.variables.lose(&variable.name, number, Gone::Unnamed(ty));
                    forget.push(variable.name.clone());
                }
            }
        }
        for (id, variable) in ready.emission.variables.iter().enumerate() {
            let name = &variable.name;
            if kept.contains(name) || forget.contains(name) {
                continue;
            }
            // A later one of that name is what the user means by it.
            if ready.emission.variables[id + 1..].iter().any(|later| later.name == *name) {
                continue;
            }
            if decisions.moved.contains(&id) {
                self.variables.lose(name, number, Gone::Moved);
            } else if decisions.not_kept.contains(&id) {
                let why = match decisions.lenders.get(&id) {
                    Some(lender) if self.is_in_store(lender, &kept) => Gone::BorrowsFrom {
                        lender: lender.clone(),
                        made_by: short_statement(&variable.declared),
                        is_closure: variable.is_closure(),
                    },
                    _ => Gone::Borrows,
                };
                self.variables.lose(name, number, why);
            } else if variable.taken.is_none() && !self.variables.live.contains_key(name) {
                self.variables.lose(name, number, Gone::NotReached);
            }
        }
        forget
    }

    /// Loses what a cell has declared: the host process ended while it ran.
    pub fn lose_variables_of(&mut self, ready: &CompiledCell, number: u32) {
        for variable in ready.emission.variables.iter().filter(|variable| variable.taken.is_none()) {
            self.variables.lose(&variable.name, number, Gone::HostLost);
        }
    }

    /// What the errors of a later cell can be explained by.
    pub fn known(&self) -> Known<'_> {
        Known { scope: &self.scope, variables: &self.variables, stale: &self.stale, failed: &self.failed }
    }

    /// Whether a variable is there once a cell is over that keeps these.
    fn is_in_store(&self, name: &str, kept: &Names) -> bool {
        kept.contains(name) || self.variables.live.contains_key(name)
    }
}

/// The line that a variable is declared on, where that is a whole statement that can be quoted.
fn short_statement(declared: &Place) -> Option<String> {
    let text = &declared.cell.text;
    let start = text[..declared.range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next()?.trim();
    (line.starts_with("let ") && line.ends_with(';') && line.len() <= LONGEST_QUOTE).then(|| line.to_owned())
}
