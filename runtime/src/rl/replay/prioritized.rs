//! A memory of transitions in which those are drawn more often that there is more to learn from.

use std::ops::Deref;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::{Device, Kind, Tensor};

use super::Batch;
use super::action::IntoAction;
use super::transitions::Transitions;
use super::tree::Tree;
use crate::elements::elements;

/// Added to each error, so that a transition with an error of 0 is drawn as well.
const LEAST_ERROR: f64 = 1e-6;

/// Prioritised experience replay (Schaul et al., "Prioritized experience replay", 2016, the proportional variant): the
/// last transitions, up to a capacity, each drawn with the probability `P(i) = pᵢ^α / Σ pⱼ^α`, where `pᵢ` is its last
/// temporal-difference error, `|δᵢ| + 10⁻⁶`. A transition that was not learned from yet has the highest priority so
/// far.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut memory = rl::PrioritizedReplayBuffer::new(1000, 0.6, 0);
/// let state = Tensor::from_slice(&[0f32, 1.0]);
/// for i in 0..100usize {
///     memory.push(&state, i % 2, i as f64, &state, false);
/// }
/// let batch = memory.sample(32, 0.4, Device::Cpu);
/// // What an agent learns from: here the rewards are the values.
/// let errors = &batch.rewards - 50.0;
/// let loss = (&batch.weights * errors.square()).mean(Kind::Float);
/// memory.update_priorities(&batch.indices, &errors);
/// assert!(loss.double_value(&[]) > 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct PrioritizedReplayBuffer {
    transitions: Transitions,
    alpha: f64,
    /// `pᵢ^α`, 0 where there is no transition yet.
    sums: Tree,
    least: Tree,
    /// `pᵢ`, of all so far.
    highest: f64,
    rng: StdRng,
}

/// Transitions drawn from a [`PrioritizedReplayBuffer`]: a [`Batch`], with what belongs to the priorities.
#[derive(Debug)]
pub struct PrioritizedBatch {
    batch: Batch,
    /// float32 `[N]`, importance-sampling weights for the losses: `wᵢ = (n P(i))^-β` of `n` transitions in the buffer,
    /// divided by the greatest that any of them has.
    pub weights: Tensor,
    /// Where the transitions are, for [`PrioritizedReplayBuffer::update_priorities`].
    pub indices: Vec<usize>,
}

impl Deref for PrioritizedBatch {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl PrioritizedReplayBuffer {
    /// Empty. With an `alpha` of 0 all transitions are drawn alike, with 1 in proportion to their errors; 0.6 in the
    /// paper. The same seed draws the same batches.
    ///
    /// # Panics
    ///
    /// Where the capacity is 0, or `alpha` is below 0 or not finite.
    pub fn new(capacity: usize, alpha: f64, seed: u64) -> Self {
        assert!(alpha.is_finite() && alpha >= 0.0, "an alpha of {alpha}: give 0 (all alike) to 1 (in proportion)");
        Self {
            transitions: Transitions::new(capacity),
            alpha,
            sums: Tree::new(capacity, 0.0, |a, b| a + b),
            least: Tree::new(capacity, f64::INFINITY, f64::min),
            highest: 1.0,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a transition, as [`ReplayBuffer::push`](super::ReplayBuffer::push) does, with the highest priority so far.
    ///
    /// # Panics
    ///
    /// Where a state or an action is of another shape or kind than the first.
    #[track_caller]
    pub fn push(&mut self, state: &Tensor, action: impl IntoAction, reward: f64, next_state: &Tensor, done: bool) {
        let at = self.transitions.push(state, action, reward, next_state, done);
        self.prioritize(at, self.highest);
    }

    fn prioritize(&mut self, at: usize, priority: f64) {
        self.highest = self.highest.max(priority);
        let scaled = priority.powf(self.alpha);
        self.sums.set(at, scaled);
        self.least.set(at, scaled);
    }

    /// Draws `count` transitions by their priorities, one from each of `count` equal parts of their sum, on a device.
    /// One may be drawn twice. `beta` says how much the weights make up for the priorities: 0 not at all, 1 in full. In
    /// the paper it grows from 0.4 to 1 during training.
    ///
    /// # Panics
    ///
    /// Where the buffer is empty, `count` is 0, or `beta` is below 0 or not finite.
    pub fn sample(&mut self, count: usize, beta: f64, device: Device) -> PrioritizedBatch {
        self.transitions.check_draw(count);
        assert!(beta.is_finite() && beta >= 0.0, "a beta of {beta}: give 0 (no correction) to 1 (a full one)");
        let part = self.sums.all() / count as f64;
        let draw = |at: usize| self.sums.find((at as f64 + self.rng.random::<f64>()) * part);
        let indices: Vec<usize> = (0..count).map(draw).collect();
        // The least probable transition has the greatest weight of all.
        let weight = |at: &usize| (self.sums.get(*at) / self.least.all()).powf(-beta) as f32;
        let weights = Tensor::from_slice(&indices.iter().map(weight).collect::<Vec<_>>()).to_device(device);
        PrioritizedBatch { batch: self.transitions.gather(&indices, device), weights, indices }
    }

    /// Sets the priorities of transitions by their temporal-difference errors `[N]`, of any sign, from any device.
    ///
    /// # Panics
    ///
    /// Where there is not one error for each index, an error is not finite, or there is no such transition.
    pub fn update_priorities(&mut self, indices: &[usize], errors: &Tensor) {
        let (given, count, len) = (errors.numel(), indices.len(), self.len());
        assert!(given == count, "errors of {:?} for {count} transitions: each has one", errors.size());
        for (at, error) in indices.iter().zip(elements::<f64>(&errors.to_kind(Kind::Double))) {
            assert!(*at < len, "there is no transition {at} among {len}, which count from 0");
            assert!(error.is_finite(), "an error of {error} is no priority: has the training diverged?");
            self.prioritize(*at, error.abs() + LEAST_ERROR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    fn filled(capacity: usize, count: usize, alpha: f64) -> PrioritizedReplayBuffer {
        let mut memory = PrioritizedReplayBuffer::new(capacity, alpha, 5);
        for i in 0..count {
            let state = Tensor::from_slice(&[i as f32]);
            memory.push(&state, i, i as f64, &state, false);
        }
        memory
    }

    #[test]
    fn probabilities_and_weights_are_those_of_the_paper() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/prioritized_replay.json"));
        let errors = reference.tensor("/errors");
        let count = errors.numel();
        let mut memory = filled(16, count, reference.number("/alpha"));
        memory.update_priorities(&(0..count).collect::<Vec<_>>(), &errors);
        let (draws, rounds) = (50, 400);
        let mut counts = vec![0.0; count];
        let weights = reference.numbers("/weights");
        for _ in 0..rounds {
            let batch = memory.sample(draws, reference.number("/beta"), Device::Cpu);
            let drawn: Vec<f64> = elements(&batch.weights);
            for (at, weight) in batch.indices.iter().zip(drawn) {
                counts[*at] += 1.0 / f64::from(draws as u32 * rounds);
                assert!((weight - weights[*at]).abs() < 1e-5);
            }
            assert_eq!(elements::<f64>(&batch.rewards), batch.indices.iter().map(|at| *at as f64).collect::<Vec<_>>());
        }
        for (count, probability) in counts.iter().zip(reference.numbers("/probabilities")) {
            assert!((count - probability).abs() < 0.01, "{counts:?}");
        }
    }

    #[test]
    fn what_is_new_comes_before_what_is_learned() {
        let mut memory = filled(4, 4, 1.0);
        memory.update_priorities(&[0, 1, 2, 3], &Tensor::from_slice(&[0.0, 0.0, -7.0, 0.0]));
        let state = Tensor::from_slice(&[9f32]);
        // In place of the oldest, with the priority of the error of 7.
        memory.push(&state, 9usize, 9.0, &state, true);
        let drawn = memory.sample(100, 1.0, Device::Cpu);
        let of = |index| drawn.indices.iter().filter(|at| **at == index).count();
        assert_eq!((memory.len(), of(0) + of(2)), (4, 100));
        assert!(of(0).abs_diff(of(2)) <= 2);
        assert_eq!(drawn.rewards.max().double_value(&[]), 9.0);
    }

    #[test]
    fn without_an_alpha_all_are_alike_and_a_seed_draws_the_same() {
        let (mut a, mut b) = (filled(50, 30, 0.0), filled(50, 30, 0.0));
        a.update_priorities(&[3], &Tensor::from_slice(&[1000f32]));
        let (batch, same) = (a.sample(30, 0.4, Device::Cpu), b.sample(30, 0.4, Device::Cpu));
        assert_eq!(batch.indices, same.indices);
        assert_eq!(batch.indices, (0..30).collect::<Vec<_>>());
        assert_eq!(batch.weights, Tensor::ones([30], (Kind::Float, Device::Cpu)));
    }

    #[test]
    fn what_is_no_priority_is_refused() {
        let error = |indices: &[usize], errors: &[f64]| {
            panic_message(|| filled(4, 2, 0.5).update_priorities(indices, &Tensor::from_slice(errors)))
        };
        assert!(error(&[0], &[1.0, 2.0]).contains("errors of [2] for 1 transitions"));
        assert!(error(&[2], &[1.0]).contains("no transition 2 among 2"));
        assert!(error(&[1], &[f64::NAN]).contains("an error of NaN is no priority"));
        assert!(panic_message(|| PrioritizedReplayBuffer::new(4, -1.0, 0)).contains("an alpha of -1"));
        assert!(panic_message(|| filled(4, 0, 0.5).sample(1, 0.4, Device::Cpu)).contains("push transitions first"));
        assert!(panic_message(|| filled(4, 1, 0.5).sample(1, f64::NAN, Device::Cpu)).contains("a beta of NaN"));
    }
}
