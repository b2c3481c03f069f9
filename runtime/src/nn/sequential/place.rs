//! Which layer of a chain is meant: by index or name, and in the message of a panic.

use std::fmt::Debug;

use tch::Tensor;

use crate::cell;
use crate::nn::watch;

/// What finds a layer in a chain: its index, from 0, or its name.
pub trait LayerKey: Debug {
    /// The index among layers of these names.
    ///
    /// # Panics
    ///
    /// Where there is no such layer.
    fn index(&self, names: &[String]) -> usize;
}

impl LayerKey for usize {
    #[track_caller]
    fn index(&self, names: &[String]) -> usize {
        assert!(
            *self < names.len(),
            "layer: there is no layer {self} in a chain of {}; they count from 0",
            names.len()
        );
        *self
    }
}

impl LayerKey for &str {
    #[track_caller]
    fn index(&self, names: &[String]) -> usize {
        let found = names.iter().position(|name| name == self);
        found.unwrap_or_else(|| {
            let named: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
            panic!("layer: there is no layer {self:?} in the chain; `add_named` gave the names {named:?}")
        })
    }
}

/// Where a chain is while one of its layers runs. A panic of the layer says so.
pub(super) struct Place<'a> {
    pub(super) chain: &'static str,
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) input: &'a Tensor,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Self { chain, index, name, kind, input } = self;
        let kind = watch::short(kind);
        let layer = if name.is_empty() { kind } else { format!("{name:?}, {kind}") };
        cell::panicked_within(format!(
            "in layer {index} ({layer}) of {chain}, input {:?} {:?}",
            input.kind(),
            input.size()
        ));
    }
}
