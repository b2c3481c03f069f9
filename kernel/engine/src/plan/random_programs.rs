//! Arbitrary programs, cut into cells in any order and redefined: whatever is compiled is compiled against the newest
//! definitions of all that it means. `tests/orders.rs` has rustc say the same of fewer programs; see
//! [`oxtorch_testing`] for long runs.

use std::collections::{BTreeMap, BTreeSet};

use arbtest::arbitrary::{Result, Unstructured};
use oxtorch_testing::fuzz;

use crate::plan::Plan;
use crate::plan::scope::Scope;
use crate::source::fragment::CellText;
use crate::source::identifiers::Names;
use crate::source::parse::{Impl, ParsedCell, parse};

#[path = "../../../../tests/programs/mod.rs"]
mod programs;

use programs::{Definition, Program};

/// What the session knows a definition by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Item(String),
    Impl { header: String, member: Option<String> },
}

impl Key {
    fn of_impl(block: &Impl) -> Vec<Self> {
        let key = |member| Self::Impl { header: block.header.clone(), member };
        if block.is_whole() {
            return vec![key(None)];
        }
        block.members.iter().map(|(name, _)| key(Some(name.clone()))).collect()
    }
}

fn parsed(text: &str, scope: &Scope) -> ParsedCell {
    parse(&CellText::new(1, text), &scope.item_macros(std::iter::empty()))
        .unwrap_or_else(|error| panic!("{error:?} in\n{text}"))
}

/// The keys of what definitions define, by their codes; none for a `use`.
#[derive(Default)]
struct Keys(BTreeMap<String, Option<Key>>);

impl Keys {
    fn of(&mut self, definition: &Definition) -> Option<Key> {
        let read = || {
            let cell = parsed(&definition.code, &Scope::default());
            let items = cell.items.iter().map(|item| Key::Item(item.names[0].clone()));
            items.chain(cell.impls.iter().flat_map(Key::of_impl)).next()
        };
        self.0.entry(definition.code.clone()).or_insert_with(read).clone()
    }
}

/// What a plan compiles.
fn compiled(plan: &Plan) -> Vec<Key> {
    let items = plan.items().flat_map(|item| item.names.iter().cloned().map(Key::Item));
    items.chain(plan.impls().flat_map(|block| Key::of_impl(block))).collect()
}

/// The slots that a definition means, also through macros and `use`.
fn meant(definition: &Definition, newest: &[Option<&Definition>]) -> BTreeSet<usize> {
    let mut meant = BTreeSet::new();
    let mut left: Vec<usize> = definition.needs.iter().copied().collect();
    while let Some(slot) = left.pop() {
        if meant.insert(slot)
            && let Some(other) = newest[slot].filter(|other| other.transparent)
        {
            left.extend(&other.needs);
        }
    }
    meant
}

fn check(u: &mut Unstructured<'_>) -> Result<usize> {
    let program = Program::arbitrary("p", u)?;
    let (mut scope, mut keys) = (Scope::default(), Keys::default());
    // The crate that each thing was compiled in, and where everything else was then.
    let mut homes: BTreeMap<Key, usize> = BTreeMap::new();
    let mut seen: BTreeMap<Key, BTreeMap<Key, usize>> = BTreeMap::new();
    for number in 0..program.cells.len() {
        let text = program.code(number);
        let cell = parsed(&text, &scope);
        let plan = scope.plan(&cell, &Names::new());
        scope.commit(&plan, &cell, &format!("cell_{number}"));
        let here = compiled(&plan);
        homes.extend(here.iter().map(|key| (key.clone(), number)));
        seen.extend(here.iter().map(|key| (key.clone(), homes.clone())));

        let story = || (0..=number).map(|at| format!("[{at}]\n{}", program.code(at))).collect::<String>();
        let newest = program.newest(number + 1);
        for definition in newest.iter().copied().flatten() {
            let Some(key) = keys.of(definition) else { continue };
            let seen = seen.get(&key).unwrap_or_else(|| panic!("{key:?} was never compiled\n{}", story()));
            for slot in meant(definition, &newest) {
                let Some(other) = newest[slot].and_then(|other| keys.of(other)) else { continue };
                let (now, then) = (homes.get(&other), seen.get(&other));
                assert!(now == then, "{key:?} was compiled against {other:?} of {then:?}, now {now:?}\n{}", story());
            }
        }
        // The orphan rule.
        for block in scope.impls() {
            let home = Key::of_impl(block).first().and_then(|key| homes.get(key)).copied();
            let head = &block.heads[0];
            let owners = [&head.self_name, &head.trait_name].into_iter().flatten();
            let owners = owners.map(|name| program.behind(name)).map(|name| homes.get(&Key::Item(name)).copied());
            assert!(owners.into_iter().any(|owner| owner == home), "{} is an orphan\n{}", block.header, story());
        }
    }
    Ok(program.cells.len())
}

#[test]
fn whatever_depends_on_what_moved_has_moved_as_well() {
    let (mut programs, mut cells) = (0u64, 0);
    let property = |u: &mut Unstructured<'_>| {
        programs += 1;
        cells += check(u)?;
        Ok(())
    };
    fuzz(property).size_min(1 << 9).size_max(1 << 12).run();
    println!("{programs} programs tried, {cells} cells planned");
    assert!(cells as u64 > programs, "a program has several cells");
}
