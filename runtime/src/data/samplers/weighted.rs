//! Samples with probabilities of their own, so that rare classes are seen as often as others.

use anyhow::{Result, ensure};
use rand::distr::weighted::WeightedIndex;
use rand::distr::{Distribution, Open01};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::Tensor;

use super::Sampler;
use crate::elements::elements;

/// Draws samples with probabilities in proportion to weights, with or without replacement. PyTorch's
/// `WeightedRandomSampler`.
///
/// ```
/// use oxtorch::prelude::*;
/// let labels = Tensor::from_slice(&[0i64, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// let weights = labels.bincount(None::<Tensor>, 2).to_kind(Kind::Float).reciprocal().index_select(0, &labels);
/// let sampler = data::WeightedRandomSampler::new(&weights, 1000, true, 42)?;
/// let loader = DataLoader::new(TensorDataset::of(&labels)?, 1000).sampler(sampler);
/// let ones = loader.iter().next().context("a batch")?.sum(Kind::Int64).int64_value(&[]);
/// assert!((400..600).contains(&ones));
/// ```
#[derive(Debug, Clone)]
pub struct WeightedRandomSampler {
    weights: Vec<f64>,
    num_samples: usize,
    replacement: bool,
    seed: u64,
}

impl WeightedRandomSampler {
    /// Draws `num_samples` in each epoch, where `weights` `[N]` has a number for each sample, not below 0; they need
    /// not sum to 1. Without `replacement` no sample is drawn twice in an epoch, and each is drawn from those that are
    /// left.
    ///
    /// # Errors
    ///
    /// Where a weight is below 0 or not finite, all are 0, or fewer than `num_samples` can be drawn without
    /// replacement.
    pub fn new(weights: &Tensor, num_samples: usize, replacement: bool, seed: u64) -> Result<Self> {
        ensure!(weights.dim() == 1, "weights of shape {:?}: give one for each sample, [N]", weights.size());
        let weights: Vec<f64> = elements(weights);
        if let Some(weight) = weights.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
            anyhow::bail!("a weight of {weight}: weights are finite, and not below 0");
        }
        let drawable = weights.iter().filter(|weight| **weight > 0.0).count();
        ensure!(drawable > 0, "{} weights, of which none is above 0: there is no sample to draw", weights.len());
        ensure!(
            replacement || num_samples <= drawable,
            "{num_samples} samples cannot be drawn without replacement from {drawable} with a weight above 0"
        );
        Ok(Self { weights, num_samples, replacement, seed })
    }
}

impl Sampler for WeightedRandomSampler {
    fn len(&self) -> usize {
        self.num_samples
    }

    fn indices(&self, epoch: u64) -> Vec<usize> {
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(epoch));
        if self.replacement {
            let index = WeightedIndex::new(&self.weights).expect("weights are checked");
            return index.sample_iter(rng).take(self.num_samples).collect();
        }
        // The least of exponential variables with these rates first: Efraimidis and Spirakis, 2006.
        let mut keys: Vec<(f64, usize)> = Vec::new();
        for (index, weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let uniform: f64 = rng.sample(Open01);
            keys.push((-uniform.ln() / weight, index));
        }
        keys.sort_by(|a, b| a.0.total_cmp(&b.0));
        keys.into_iter().take(self.num_samples).map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(weights: &[f32], num_samples: usize, replacement: bool) -> WeightedRandomSampler {
        WeightedRandomSampler::new(&Tensor::from_slice(weights), num_samples, replacement, 7).expect("weights")
    }

    #[test]
    fn samples_are_drawn_as_often_as_their_weights_say() {
        let mut counts = [0; 4];
        sampler(&[1.0, 0.0, 2.0, 5.0], 8000, true).indices(0).into_iter().for_each(|index| counts[index] += 1);
        // The deviations are below 45.
        assert!(counts[1] == 0 && (counts[0] - 1000i32).abs() < 200 && (counts[2] - 2000).abs() < 200, "{counts:?}");
    }

    #[test]
    fn without_replacement_each_is_drawn_once_and_the_heaviest_first() {
        let sampler = sampler(&[1.0, 0.0, 2.0, 5.0], 3, false);
        let mut firsts = [0; 4];
        for epoch in 0..8000 {
            let mut drawn = sampler.indices(epoch);
            firsts[drawn[0]] += 1;
            drawn.sort_unstable();
            assert_eq!(drawn, [0, 2, 3]);
        }
        assert!((firsts[0] - 1000i32).abs() < 200 && (firsts[2] - 2000).abs() < 200, "{firsts:?}");
    }

    #[test]
    fn a_seed_and_an_epoch_give_the_same_samples() {
        for replacement in [true, false] {
            let sampler = sampler(&[1.0; 50], 50, replacement);
            assert_eq!(sampler.indices(3), sampler.indices(3));
            assert_ne!(sampler.indices(3), sampler.indices(4));
        }
    }

    #[test]
    fn weights_that_are_none_are_refused() {
        let said = |weights: &Tensor, num_samples| {
            WeightedRandomSampler::new(weights, num_samples, false, 0).expect_err("no sampler").to_string()
        };
        assert!(said(&Tensor::from_slice(&[1.0, -0.5]), 1).contains("a weight of -0.5"));
        assert!(said(&Tensor::from_slice(&[1.0, f64::NAN]), 1).contains("a weight of NaN"));
        assert!(said(&Tensor::from_slice(&[0.0, 0.0]), 1).contains("2 weights, of which none is above 0"));
        assert!(
            said(&Tensor::from_slice(&[1.0, 0.0]), 2).contains("2 samples cannot be drawn without replacement from 1")
        );
        assert!(said(&Tensor::from(1.0), 1).contains("weights of shape []"));
    }
}
