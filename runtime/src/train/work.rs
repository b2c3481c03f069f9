//! What a training does with each batch, apart from how the batch looks.

use std::fmt::{self, Debug};

use tch::Tensor;

use super::{Loader, TrainError};
use crate::checkpoint::checkpoint;
use crate::metrics::Mean;
use crate::modes::no_grad;

/// What the network made of a batch.
#[derive(Debug)]
pub struct Outcome {
    pub(super) loss: Tensor,
    pub(super) metrics: Vec<(String, f64)>,
    pub(super) samples: usize,
}

impl Outcome {
    /// A loss of one element, the mean over the batch.
    pub fn new(loss: Tensor) -> Self {
        Self { loss, metrics: Vec::new(), samples: 1 }
    }

    /// Adds a value to be shown, the mean over the batch.
    pub fn metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.push((name.into(), value));
        self
    }

    /// How many samples the batch has, for means over an epoch; every batch counts the same otherwise.
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = samples;
        self
    }
}

/// Means over a whole data set.
#[derive(Clone, PartialEq)]
pub struct Evaluation {
    /// `loss` first, then the metrics.
    pub values: Vec<(String, f64)>,
}

impl Evaluation {
    /// A value by its name.
    pub fn get(&self, name: &str) -> Option<f64> {
        value_of(&self.values, name)
    }
}

/// `loss 0.0812, accuracy 0.9733`
impl Debug for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        f.write_str(&values.join(", "))
    }
}

/// A value by its name.
pub(super) fn value_of(values: &[(String, f64)], name: &str) -> Option<f64> {
    values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

/// Means that grow batch by batch.
#[derive(Default)]
pub(super) struct Means(Vec<(String, Mean)>);

impl Means {
    pub(super) fn add(&mut self, loss: f64, outcome: &Outcome) {
        self.add_one("loss", loss, outcome.samples);
        for (name, value) in &outcome.metrics {
            self.add_one(name, *value, outcome.samples);
        }
    }

    fn add_one(&mut self, name: &str, value: f64, samples: usize) {
        let at = self.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), Mean::new()));
            self.0.len() - 1
        });
        self.0[at].1.add(value, samples);
    }

    pub(super) fn values(&self) -> Vec<(String, f64)> {
        self.0.iter().map(|(name, mean)| (name.clone(), mean.value())).collect()
    }
}

/// A data set to train on and one to validate with, and what is done with a batch of them. It hides what a batch is, so
/// that the loop around it is compiled once.
pub(super) trait Work {
    /// How many batches there are to train on.
    fn batches(&self) -> usize;

    /// Whether there is something to validate with, but no batch of it.
    fn lacks_validation(&self) -> bool;

    /// Begins an epoch of training, by its number from 0.
    fn begin(&mut self, epoch: u64);

    /// The next batch's outcome, with gradients.
    fn next(&mut self) -> Option<Result<Outcome, anyhow::Error>>;

    /// The means over the validation data, if there are any.
    fn validate(&mut self) -> Result<Option<Evaluation>, TrainError>;
}

/// What is done with a batch; the second argument says whether this is training.
pub(super) type Step<'a, S> = &'a mut dyn FnMut(&S, bool) -> Outcome;

pub(super) struct Batches<'a, S> {
    pub(super) train: &'a dyn Loader<S>,
    pub(super) validation: Option<&'a dyn Loader<S>>,
    pub(super) step: Step<'a, S>,
    pub(super) epoch: Option<Box<dyn Iterator<Item = anyhow::Result<S>> + 'a>>,
}

impl<S> Work for Batches<'_, S> {
    fn batches(&self) -> usize {
        self.train.batches()
    }

    fn lacks_validation(&self) -> bool {
        self.validation.is_some_and(|loader| loader.batches() == 0)
    }

    fn begin(&mut self, epoch: u64) {
        self.epoch = Some(self.train.epoch(Some(epoch)));
    }

    fn next(&mut self) -> Option<Result<Outcome, anyhow::Error>> {
        let batch = self.epoch.as_mut()?.next()?;
        Some(batch.map(|batch| (self.step)(&batch, true)))
    }

    fn validate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        self.validation.map(|loader| evaluate(loader, self.step)).transpose()
    }
}

/// The means over all batches, without gradients.
pub(super) fn evaluate<S>(loader: &dyn Loader<S>, step: Step<'_, S>) -> Result<Evaluation, TrainError> {
    let mut means = Means::default();
    for (index, batch) in loader.epoch(None).enumerate() {
        checkpoint();
        let batch = batch.map_err(|source| TrainError::Batch { batch: index + 1, source })?;
        let outcome = no_grad(|| step(&batch, false));
        means.add(outcome.loss.double_value(&[]), &outcome);
    }
    if means.0.is_empty() {
        return Err(TrainError::Empty);
    }
    Ok(Evaluation { values: means.values() })
}
