//! Which variables of a store go when a later run of a cell makes a layer anew: those of the layer that had the name
//! before, and of no other.
//!
//! A variable belongs to the layers that its path has passed through, [`Layer`]: `enc.layers.0.linear1.weight` to the
//! encoder at `enc`, to its first layer and to that one's linear layer. A run that makes a variable of a name anew has
//! made the layers anew to which both belong, and what else they had goes, until the same run makes it as well.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use tch::nn::Variables;
use tch::{Device, Kind, Tensor};

use super::var_store::SEPARATOR;
use crate::lock::lock;

const RENEWED: &str = "made again. The store, and what is saved of it, has the new layer under the name; an optimiser built before \
                       trains it too. A layer that you keep from before is no longer in the store: to have both, give them paths of \
                       their own";

const LEFT_OUT: &str =
    "no longer in the store: the layer was made again without it. An optimiser built before leaves it as it is";

/// A layer that was made at a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Layer {
    place: String,
    maker: Maker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Maker {
    /// A function of the runtime: the number of the call.
    Call(u64),
    /// What else puts variables directly under a place in one run of a cell makes one layer.
    Run(u64),
}

impl Layer {
    pub(super) fn new(place: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { place, maker: Maker::Call(NEXT.fetch_add(1, Ordering::Relaxed)) }
    }
}

/// How a variable was made.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// In which run of a cell.
    run: u64,
    /// The group that its path had.
    group: usize,
    /// From the outermost on.
    layers: Vec<Layer>,
}

impl Made {
    /// A variable of a name by a path that has passed through layers.
    pub(super) fn new(name: &str, of_path: &[Layer], group: usize, run: u64) -> Self {
        let mut layers = of_path.to_vec();
        // What is made directly at the root is as a rule several things that have nothing in common.
        if let Some((place, _)) = name.rsplit_once(SEPARATOR)
            && of_path.iter().all(|layer| layer.place != place)
        {
            layers.push(Layer { place: place.to_owned(), maker: Maker::Run(run) });
        }
        Self { run, group, layers }
    }

    /// Whether a layer is made anew with this variable.
    fn renews(&self, old: &Layer) -> bool {
        self.layers.iter().any(|layer| layer.place == old.place)
    }
}

/// What went together with what was made anew, and was not made again itself.
#[derive(Debug)]
struct Left {
    run: u64,
    /// The group into which it was put after it was made.
    group: Option<usize>,
    /// What the note calls it when it is made again.
    layer: String,
}

/// How the variables of a store were made, by name. Each cell that drops a store would compile how the tables are
/// dropped; for an `Arc` it calls that.
#[derive(Debug)]
pub(super) struct Register(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    made: HashMap<String, Made>,
    left: HashMap<String, Left>,
    /// The run in which what tch's functions have put into the store was made, where nobody has looked yet.
    run: u64,
}

impl Register {
    pub(super) fn new(run: u64) -> Self {
        Self(Arc::new(Mutex::new(State { made: HashMap::new(), left: HashMap::new(), run })))
    }

    /// Puts a variable into the store under a name that is free in this run of a cell, or numbered as in tch. A later
    /// run takes the name over.
    pub(super) fn add(
        &self,
        variables: &Mutex<Variables>,
        name: &str,
        made: Made,
        add: impl FnOnce() -> Tensor,
    ) -> Tensor {
        let mut state = lock(&self.0);
        let later = state.give_up(&mut lock(variables), name, &made);
        let (before, count, is_taken) = {
            let variables = lock(variables);
            let named = &variables.named_variables;
            (variables.trainable_variables.len(), named.len(), named.contains_key(name))
        };
        let variable = add();
        let name = if is_taken { format!("{name}{NUMBERED}{count}") } else { name.to_owned() };
        state.made.insert(name, made);
        if let (Some(variable), Some(group)) = (lock(variables).trainable_variables.get_mut(before), later) {
            variable.group = group;
        }
        variable
    }

    /// Looks at what functions of tch's have put into the store since the last call, and gives what they have numbered
    /// the name of what an earlier run had made. To be called before a run of a cell can make something.
    pub(super) fn settle(&self, variables: &Mutex<Variables>, run: u64) {
        let mut state = lock(&self.0);
        // Whoever holds the lock is going to put nothing into the store by a layer.
        let mut variables = match variables.try_lock() {
            Ok(variables) => variables,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let of_run = std::mem::replace(&mut state.run, run);
        if variables.named_variables.keys().any(|name| !state.made.contains_key(name)) {
            state.take_up(&mut variables, of_run);
        }
    }
}

/// Between a name and the number that tch gives a second variable of that name: how many there were.
const NUMBERED: &str = "__";

fn without_number(name: &str) -> Option<(&str, usize)> {
    let (name, number) = name.rsplit_once(NUMBERED)?;
    Some((name, number.parse().ok()?))
}

impl State {
    /// Takes up what is in the store and was made by other functions than those of the runtime.
    fn take_up(&mut self, variables: &mut Variables, run: u64) {
        let mut names: Vec<String> =
            variables.named_variables.keys().filter(|name| !self.made.contains_key(*name)).cloned().collect();
        // In the order in which they were made.
        names.sort_by_key(|name| without_number(name).map(|(_, number)| number));
        let mut went = 0;
        for name in names {
            let Some(variable) = variables.named_variables.remove(&name) else { continue };
            let slot = slot_of(variables, &variable);
            let group = slot.map_or(0, |slot| variables.trainable_variables[slot].group);
            let is_known = |base: &str| self.made.contains_key(base) || self.left.contains_key(base);
            let (base, number) = without_number(&name).filter(|(base, _)| is_known(base)).unwrap_or((&name, 0));
            let made = Made::new(base, &[], group, run);
            let before = variables.named_variables.len();
            let later = self.give_up(variables, base, &made);
            went += before - variables.named_variables.len();
            if let (Some(slot), Some(later)) = (slot, later) {
                variables.trainable_variables[slot].group = later;
            }
            // The number is what it would be without what went.
            let numbered = format!("{base}{NUMBERED}{}", number.saturating_sub(went));
            let is_free = |name: &&String| !variables.named_variables.contains_key(*name);
            let base = base.to_owned();
            let name = [&base, &numbered].into_iter().find(is_free).unwrap_or(&name).clone();
            self.made.insert(name.clone(), made);
            variables.named_variables.insert(name, variable);
        }
    }

    /// Makes room for a name that an earlier run of a cell has given. Gives the group of an optimiser into which the
    /// variable was put after it was made, by [`optim::group_by`](crate::optim::group_by).
    fn give_up(&mut self, variables: &mut Variables, name: &str, new: &Made) -> Option<usize> {
        let run = new.run;
        self.left.retain(|_, left| left.run == run);
        let Some(made) = self.made.get(name).filter(|made| made.run != run) else {
            let Left { group, layer, .. } = self.left.remove(name)?;
            crate::cell::take_back_each(LEFT_OUT, name);
            crate::cell::note_each(RENEWED, &layer);
            return group;
        };
        let outermost = made
            .layers
            .iter()
            .filter(|layer| new.renews(layer))
            .map(|layer| &layer.place)
            .find(|place| !place.is_empty());
        let layer = outermost.map_or(name, String::as_str).to_owned();
        crate::cell::note_each(RENEWED, &layer);
        let mut group = None;
        for other in self.with_it(name, new) {
            let Some(made) = self.made.remove(&other) else { continue };
            let Some(old) = variables.named_variables.remove(&other) else { continue };
            let later = take_from_trainable(variables, &old).filter(|group| *group != made.group);
            if other == name {
                group = later;
                continue;
            }
            crate::cell::note_each(LEFT_OUT, &other);
            let layer = if layer == name { other.clone() } else { layer.clone() };
            self.left.insert(other, Left { run, group: later, layer });
        }
        group
    }

    /// A variable of an earlier run with those that go when it is made anew: what else belongs to it, and what tch has
    /// numbered, where one run made several of one name.
    fn with_it(&self, name: &str, new: &Made) -> Vec<String> {
        let (mut going, mut seen) = (vec![name.to_owned()], HashSet::from([name]));
        let mut next = 0;
        while let Some(name) = going.get(next).cloned() {
            next += 1;
            let of_name = self.made.get(&name).map_or(&[][..], |made| &made.layers);
            let anew: HashSet<&Layer> = of_name.iter().filter(|layer| new.renews(layer)).collect();
            for (other, made) in self.made.iter().filter(|(_, made)| made.run != new.run) {
                let is_numbered = without_number(other).is_some_and(|(base, _)| base == name);
                if (is_numbered || made.layers.iter().any(|layer| anew.contains(layer))) && seen.insert(other.as_str())
                {
                    going.push(other.clone());
                }
            }
        }
        going.sort_unstable();
        going
    }

    /// As a later run of a cell would see what is there.
    #[cfg(test)]
    fn age(&mut self) {
        self.made.values_mut().for_each(|made| made.run = u64::MAX);
        self.left.clear();
    }
}

/// Optimisers know how many of the trainable variables they have taken, from the first on, and take what comes behind:
/// the place of one that goes stays, with nothing in it. Gives the variable's group.
fn take_from_trainable(variables: &mut Variables, old: &Tensor) -> Option<usize> {
    let at = slot_of(variables, old)?;
    let slot = &mut variables.trainable_variables[at];
    slot.tensor = Tensor::zeros([0], (Kind::Float, Device::Cpu));
    Some(slot.group)
}

/// Which of the trainable variables a tensor is.
fn slot_of(variables: &Variables, tensor: &Tensor) -> Option<usize> {
    // Not of what has no memory, such as an undefined tensor.
    let has_memory = |tensor: &Tensor| tensor.defined() && !tensor.is_sparse() && tensor.numel() > 0;
    let is_it = |other: &Tensor| has_memory(other) && other.data_ptr() == tensor.data_ptr();
    let slots = &variables.trainable_variables;
    has_memory(tensor).then(|| slots.iter().position(|slot| is_it(&slot.tensor))).flatten()
}

#[cfg(test)]
impl Register {
    /// As a later run of a cell would see what is there.
    pub(super) fn age(&self, variables: &Mutex<Variables>) {
        self.settle(variables, 0);
        lock(&self.0).age();
    }

    /// What went and was not made again.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut names: Vec<String> = lock(&self.0).left.keys().cloned().collect();
        names.sort();
        names
    }
}
