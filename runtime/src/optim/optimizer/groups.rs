//! The groups of an optimiser's parameters, and their settings.

use std::collections::BTreeMap;
use std::fmt;

use super::{Algorithm, Optimizer, OptimizerConfig};

/// What holds for the parameters of a group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) lr: f64,
    pub(super) maximize: bool,
    pub(super) algorithm: Box<dyn Algorithm>,
}

impl Clone for Group {
    fn clone(&self) -> Self {
        Self { algorithm: self.algorithm.boxed(), ..*self }
    }
}

/// What the learning rate is called in what is saved and shown.
const LR: &str = "lr";
const MAXIMIZE: &str = "maximize";

impl Group {
    /// All settings with their values; flags are 0 or 1.
    pub(super) fn settings(&self) -> Vec<(&'static str, f64)> {
        let mut algorithm = self.algorithm.boxed();
        let own = algorithm.settings();
        let own = own.iter().map(|(name, setting)| (*name, setting.get()));
        [(LR, self.lr), (MAXIMIZE, f64::from(u8::from(self.maximize)))].into_iter().chain(own).collect()
    }

    /// Sets what is there by that name, and says whether it is.
    pub(super) fn set(&mut self, name: &str, value: f64) -> bool {
        match name {
            LR => self.lr = value,
            MAXIMIZE => self.maximize = value != 0.0,
            _ => match self.algorithm.settings().iter_mut().find(|(known, _)| *known == name) {
                Some((_, setting)) => setting.set(value),
                None => return false,
            },
        }
        true
    }

    fn set_known(&mut self, name: &str, value: f64) {
        assert!(self.set(name, value), "{} has no {name}", self.algorithm.name());
    }

    /// Changes settings, unless they could not be used.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let mut changed = self.clone();
        change(&mut changed);
        if let Err(why) = changed.check() {
            panic!("{why}");
        }
        *self = changed;
    }

    /// Why the settings cannot be used.
    fn check(&self) -> Result<(), String> {
        let algorithm = self.algorithm.name();
        for (name, value) in self.settings() {
            let (fits, range) = match name {
                "beta1" | "beta2" => ((0.0..1.0).contains(&value), "at least 0 and below 1"),
                "rho" => ((0.0..=1.0).contains(&value), "between 0 and 1"),
                "dampening" => (value.is_finite(), "finite"),
                _ => (value >= 0.0, "at least 0"),
            };
            if !fits {
                return Err(format!("{algorithm}: {name} is {value}; it must be {range}"));
            }
        }
        self.algorithm.check()
    }
}

/// The groups that have parameters, and what the next one is going to begin with.
pub(super) struct Groups {
    usual: Group,
    groups: BTreeMap<usize, Group>,
}

impl Groups {
    pub(super) fn new(algorithm: Box<dyn Algorithm>, lr: f64) -> Result<Self, String> {
        let usual = Group { lr, maximize: false, algorithm };
        usual.check()?;
        Ok(Self { usual, groups: BTreeMap::new() })
    }

    /// Makes a group that parameters are in.
    pub(super) fn open(&mut self, number: usize) {
        if !self.groups.contains_key(&number) {
            self.groups.insert(number, self.usual.clone());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Group)> {
        self.groups.iter().map(|(number, group)| (*number, group))
    }

    pub(super) fn name(&self) -> &'static str {
        self.usual.algorithm.name()
    }

    pub(super) fn usual(&self) -> &Group {
        &self.usual
    }

    /// Those that are there, to be replaced by what was saved.
    pub(super) fn replace(&mut self, groups: BTreeMap<usize, Group>) {
        self.groups = groups;
    }

    /// All groups, and what later ones are going to begin with.
    fn all(&mut self) -> impl Iterator<Item = &mut Group> {
        self.groups.values_mut().chain([&mut self.usual])
    }

    fn get(&self, number: usize) -> &Group {
        self.groups.get(&number).unwrap_or_else(|| self.refuse(number))
    }

    fn get_mut(&mut self, number: usize) -> &mut Group {
        if !self.groups.contains_key(&number) {
            self.refuse(number);
        }
        self.groups.get_mut(&number).expect("it was there just now")
    }

    fn refuse(&self, number: usize) -> ! {
        let numbers: Vec<usize> = self.groups.keys().copied().collect();
        let count = numbers.len();
        let counted = if numbers.iter().copied().eq(0..count) {
            format!("{count}, counted from 0")
        } else {
            format!("parameters in {}", numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
        };
        panic!(
            "there is no group {number} of parameters: the optimiser has {counted}. Make groups before it, with \
             `path.set_group({number})` for the layers or `optim::group_by`"
        )
    }
}

/// As PyTorch writes an optimizer.
impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (", self.name())?;
        for (number, group) in self.iter() {
            writeln!(f, "Parameter Group {number}")?;
            for (name, value) in group.settings() {
                writeln!(f, "    {name}: {value}")?;
            }
        }
        write!(f, ")")
    }
}

impl Optimizer {
    /// The learning rate of the first group, or what it is going to begin with.
    pub fn lr(&self) -> f64 {
        self.groups.groups.values().next().unwrap_or(&self.groups.usual).lr
    }

    /// The learning rate of a group.
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group.
    pub fn lr_group(&self, group: usize) -> f64 {
        self.groups.get(group).lr
    }

    /// Sets the learning rate of all groups, as a schedule gives it: `optimizer.set_lr(schedule.lr(step))`.
    pub fn set_lr(&mut self, lr: f64) {
        self.set(LR, lr);
    }

    /// Sets the learning rate of a group; groups can follow schedules of their own.
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group.
    pub fn set_lr_group(&mut self, group: usize, lr: f64) {
        self.set_group(group, LR, lr);
    }

    /// Sets the weight decay of all groups.
    ///
    /// # Panics
    ///
    /// Where the algorithm has none.
    pub fn set_weight_decay(&mut self, weight_decay: f64) {
        self.set("weight_decay", weight_decay);
    }

    /// Sets the weight decay of a group.
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group, or the algorithm has no weight decay.
    pub fn set_weight_decay_group(&mut self, group: usize, weight_decay: f64) {
        self.set_group(group, "weight_decay", weight_decay);
    }

    /// Sets the momentum of all groups, or `beta1` of an algorithm such as Adam.
    ///
    /// # Panics
    ///
    /// Where the algorithm has neither.
    pub fn set_momentum(&mut self, momentum: f64) {
        self.set(self.momentum(), momentum);
    }

    /// Sets the momentum of a group, or `beta1` of an algorithm such as Adam.
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group, or the algorithm has neither.
    pub fn set_momentum_group(&mut self, group: usize, momentum: f64) {
        self.set_group(group, self.momentum(), momentum);
    }

    /// Sets both decay rates of the averages of all groups.
    ///
    /// # Panics
    ///
    /// Where the algorithm has none.
    pub fn set_betas(&mut self, beta1: f64, beta2: f64) {
        self.set("beta1", beta1);
        self.set("beta2", beta2);
    }

    /// Sets both decay rates of the averages of a group.
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group, or the algorithm has none.
    pub fn set_betas_group(&mut self, group: usize, beta1: f64, beta2: f64) {
        self.set_group(group, "beta1", beta1);
        self.set_group(group, "beta2", beta2);
    }

    /// Gives a group all settings of a configuration, besides the learning rate.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let body = nn::linear(vs.root() / "body", 4, 8, Default::default());
    /// let head = nn::linear((vs.root() / "head").set_group(1), 8, 2, Default::default());
    /// let mut optimizer = nn::AdamW::default().build(&vs, 1e-4)?;
    /// optimizer.configure_group(1, nn::AdamW::default().wd(0.0).beta2(0.95));
    /// optimizer.set_lr_group(1, 1e-3);
    /// assert_eq!((optimizer.lr(), optimizer.lr_group(1)), (1e-4, 1e-3));
    /// ```
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group, the configuration is of another algorithm, or a setting is out of its range.
    pub fn configure_group(&mut self, group: usize, config: impl OptimizerConfig) {
        let name = self.groups.name();
        assert!(
            config.name() == name,
            "group {group} cannot follow {}: the optimiser is {name}, and all of its groups are. Build one \
             optimiser for each algorithm, with a store for each",
            config.name()
        );
        self.change(group, |of_group| of_group.algorithm = Box::new(config));
    }

    /// Climbs instead of descending: maximises what `backward` was called on. PyTorch's `maximize=True`.
    pub fn set_maximize(&mut self, maximize: bool) {
        self.groups.all().for_each(|group| group.maximize = maximize);
    }

    /// As [`Optimizer::set_maximize`], for a group.
    ///
    /// # Panics
    ///
    /// Where no parameter is in the group.
    pub fn set_maximize_group(&mut self, group: usize, maximize: bool) {
        self.change(group, |of_group| of_group.maximize = maximize);
    }

    fn momentum(&self) -> &'static str {
        let has_beta = self.groups.usual.settings().iter().any(|(name, _)| *name == "beta1");
        if has_beta { "beta1" } else { "momentum" }
    }

    fn set(&mut self, name: &str, value: f64) {
        self.take_up();
        self.groups.all().for_each(|group| group.change(|group| group.set_known(name, value)));
    }

    fn set_group(&mut self, number: usize, name: &str, value: f64) {
        self.change(number, |group| group.set_known(name, value));
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut Group)) {
        self.take_up();
        self.groups.get_mut(number).change(change);
    }
}
