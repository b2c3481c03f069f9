//! A learning rate that falls when what is watched no longer gets better.

use super::optimizer::{Reader, Writer};
use crate::io::{StateDict, StateDictError};

const NAME: &str = "ReduceLROnPlateau";

/// What counts as better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Better {
    /// A loss.
    #[default]
    Lower,
    /// An accuracy.
    Higher,
}

/// Multiplies the rate by a factor once a value has not become better for more than `patience` epochs; as
/// `torch.optim.lr_scheduler.ReduceLROnPlateau` with a relative threshold.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut plateau = optim::ReduceLROnPlateau::new(0.1).patience(1);
/// assert_eq!(plateau.step(2.0), 0.1);
/// assert_eq!(plateau.step(2.0), 0.1);
/// // The second epoch without progress: in a loop, `optimizer.set_lr(plateau.step(loss))`.
/// assert!((plateau.step(2.0) - 0.01).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ReduceLROnPlateau {
    lr: f64,
    better: Better,
    factor: f64,
    patience: usize,
    threshold: f64,
    cooldown: usize,
    min_lr: f64,
    best: Option<f64>,
    bad_epochs: usize,
    cooling: usize,
}

impl ReduceLROnPlateau {
    /// Watches a loss: patience 10, factor 0.1.
    pub fn new(lr: f64) -> Self {
        Self {
            lr,
            better: Better::Lower,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min_lr: 0.0,
            best: None,
            bad_epochs: 0,
            cooling: 0,
        }
    }

    /// Whether lower or higher values are better. Default: lower.
    pub fn better(mut self, better: Better) -> Self {
        self.better = better;
        self
    }

    /// What the rate is multiplied by. Default 0.1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// How many epochs without progress are let pass. Default 10.
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// By what part a value must be better to count. Default 0.0001.
    pub fn threshold(mut self, part: f64) -> Self {
        self.threshold = part;
        self
    }

    /// How many epochs are not counted after the rate fell. Default 0.
    pub fn cooldown(mut self, epochs: usize) -> Self {
        self.cooldown = epochs;
        self
    }

    /// The rate does not fall below that. Default 0.
    pub fn min_lr(mut self, lr: f64) -> Self {
        self.min_lr = lr;
        self
    }

    /// Takes the value of an epoch and gives the rate for the next one.
    pub fn step(&mut self, value: f64) -> f64 {
        if self.best.is_none_or(|best| self.is_better(value, best)) {
            self.best = Some(value);
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad_epochs = 0;
        }
        if self.bad_epochs > self.patience {
            self.cooling = self.cooldown;
            self.bad_epochs = 0;
            self.lr = (self.lr * self.factor).max(self.min_lr);
        }
        self.lr
    }

    /// Where it is, to be saved beside the weights and the state of the optimiser. Its settings are not in it.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let mut plateau = optim::ReduceLROnPlateau::new(0.1).patience(1);
    /// plateau.step(2.0);
    /// let state = plateau.state_dict();
    /// let mut other = optim::ReduceLROnPlateau::new(0.1).patience(1);
    /// other.load_state_dict(&state)?;
    /// assert_eq!(other, plateau);
    /// # anyhow::Ok(())
    /// ```
    pub fn state_dict(&self) -> StateDict {
        let mut writer = Writer::new(NAME, 0);
        let numbers = [
            ("lr", self.lr),
            // No number stands for none.
            ("best", self.best.unwrap_or(f64::NAN)),
            ("num_bad_epochs", self.bad_epochs as f64),
            ("cooldown_counter", self.cooling as f64),
        ];
        numbers.into_iter().for_each(|(name, value)| writer.number(name, value));
        writer.finish()
    }

    /// Goes on from where [`ReduceLROnPlateau::state_dict`] was taken.
    ///
    /// # Errors
    ///
    /// Where it is the state of something else.
    pub fn load_state_dict(&mut self, dict: &StateDict) -> Result<(), StateDictError> {
        let (reader, _) = Reader::of(dict, NAME)?;
        let (lr, best) = (reader.number("lr")?, reader.number("best")?);
        let (bad_epochs, cooling) = (reader.number("num_bad_epochs")?, reader.number("cooldown_counter")?);
        self.lr = lr;
        self.best = Some(best).filter(|best| !best.is_nan());
        (self.bad_epochs, self.cooling) = (bad_epochs as usize, cooling as usize);
        Ok(())
    }

    /// The present rate.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    fn is_better(&self, value: f64, best: f64) -> bool {
        match self.better {
            Better::Lower => value < best * (1.0 - self.threshold),
            Better::Higher => value > best * (1.0 + self.threshold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn the_rate_falls_when_pytorchs_does() {
        let reference = Reference::parse(include_str!("../../../tests/reference/optim.json"));
        let losses = reference.numbers("/plateau/losses");
        let check = |name: &str, mut plateau: ReduceLROnPlateau| {
            let fresh = plateau.clone();
            let mut step = |loss: &f64| {
                // Saved and taken up again after each step.
                let state = plateau.state_dict();
                plateau = fresh.clone();
                plateau.load_state_dict(&state).expect("its own");
                plateau.step(*loss)
            };
            let actual: Vec<f64> = losses.iter().map(&mut step).collect();
            let expected = reference.numbers(&format!("/plateau/{name}"));
            assert!(expected.iter().any(|lr| *lr < 0.1), "{name}");
            assert_eq!(actual.len(), expected.len());
            let near = actual.iter().zip(&expected).all(|(actual, expected)| (actual - expected).abs() < 1e-9);
            assert!(near, "{name}: {actual:?} instead of {expected:?}");
        };
        check("plain", ReduceLROnPlateau::new(0.1).factor(0.5).patience(2));
        let cooled = ReduceLROnPlateau::new(0.1).factor(0.5).patience(1).cooldown(3).min_lr(0.03).threshold(0.05);
        check("cooled", cooled.clone());
        check("higher", cooled.better(Better::Higher));
    }
}
