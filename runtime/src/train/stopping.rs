//! Whether an epoch was the best so far, and when there is no more to be gained.

use tch::Tensor;

use crate::modes::no_grad;
use crate::optim::Better;

/// Watches one value of the epochs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Its name; the validation loss otherwise, or the loss where nothing is validated.
    pub(super) name: Option<String>,
    pub(super) better: Better,
    /// What counts as progress must be better by more than this.
    pub(super) min_delta: f64,
    /// After so many epochs without progress the training ends.
    pub(super) patience: Option<usize>,
    best: Option<f64>,
    waited: usize,
    weights: Vec<Tensor>,
}

impl Watch {
    /// Takes an epoch's value, and says whether it is the best so far.
    pub(super) fn see(&mut self, value: f64) -> bool {
        let is_best = match (self.best, self.better) {
            (None, _) => !value.is_nan(),
            (Some(best), Better::Lower) => value < best - self.min_delta,
            (Some(best), Better::Higher) => value > best + self.min_delta,
        };
        if is_best {
            self.best = Some(value);
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        is_best
    }

    /// Keeps the weights of the best epoch, where they are to come back.
    pub(super) fn keep<'a>(&mut self, variables: impl Iterator<Item = &'a Tensor>) {
        if self.patience.is_some() {
            self.weights = variables.map(|variable| variable.detach().copy()).collect();
        }
    }

    /// Whether it is time to end.
    pub(super) fn is_over(&self) -> bool {
        self.patience.is_some_and(|patience| self.waited >= patience)
    }

    /// Brings the weights of the best epoch back.
    pub(super) fn restore(&self, variables: &mut [(String, Tensor)]) {
        no_grad(|| {
            for ((_, variable), best) in variables.iter_mut().zip(&self.weights) {
                variable.copy_(best);
            }
        });
    }

    /// A new training begins: what it was before does not count against it.
    pub(super) fn begin(&mut self) {
        self.waited = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(better: Better) -> Watch {
        Watch { better, min_delta: 0.1, patience: Some(2), ..Watch::default() }
    }

    #[test]
    fn only_more_than_the_least_step_is_progress() {
        let mut loss = watch(Better::Lower);
        assert_eq!([1.0, 0.95, 0.85, 0.8].map(|value| loss.see(value)), [true, false, true, false]);
        assert!(!loss.is_over());
        assert!(!loss.see(f64::NAN) && loss.is_over());
        let mut accuracy = watch(Better::Higher);
        assert_eq!([0.5, 0.55, 0.7].map(|value| accuracy.see(value)), [true, false, true]);
    }

    #[test]
    fn the_best_weights_come_back() {
        let mut variables = [("w".to_owned(), Tensor::from_slice(&[1f32]))];
        let mut watch = watch(Better::Lower);
        watch.keep(variables.iter().map(|(_, variable)| variable));
        for _ in 0..2 {
            let _ = variables[0].1.fill_(2.0);
            watch.restore(&mut variables);
            assert_eq!(variables[0].1, Tensor::from_slice(&[1f32]));
        }
    }
}
