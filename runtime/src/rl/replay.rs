//! A memory of transitions that a network learns from, again and again.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::{Device, Tensor};

use crate::elements::elements;

/// The last transitions, up to a capacity, in memory of one piece (Lin, "Self-improving reactive agents", 1992).
///
/// ```
/// use oxtorch::prelude::*;
/// let mut memory = rl::ReplayBuffer::new(1000, 0);
/// let mut env = rl::cart_pole();
/// let mut state = env.reset(0);
/// for i in 0..8 {
///     let step = env.step(i % 2);
///     memory.push(&state, i % 2, step.reward, &step.observation, step.terminated);
///     state = step.observation;
/// }
/// let batch = memory.sample(4, Device::Cpu);
/// assert_eq!((batch.states.size(), batch.actions.size()), (vec![4, 4], vec![4, 1]));
/// ```
#[derive(Debug, Clone)]
pub struct ReplayBuffer {
    capacity: usize,
    shape: Vec<i64>,
    states: Vec<f32>,
    next_states: Vec<f32>,
    actions: Vec<i64>,
    rewards: Vec<f32>,
    dones: Vec<f32>,
    /// Where the next one goes once the buffer is full.
    oldest: usize,
    rng: StdRng,
}

/// Transitions drawn from a [`ReplayBuffer`].
#[derive(Debug)]
pub struct Batch {
    /// float32 `[N, ...]`.
    pub states: Tensor,
    /// int64 `[N, 1]`, for `gather` of the values `[N, actions]`.
    pub actions: Tensor,
    /// float32 `[N]`.
    pub rewards: Tensor,
    /// float32 `[N, ...]`.
    pub next_states: Tensor,
    /// float32 `[N]`, 1 where nothing follows.
    pub dones: Tensor,
}

impl ReplayBuffer {
    /// Empty. The same seed draws the same batches.
    ///
    /// # Panics
    ///
    /// Where the capacity is 0.
    pub fn new(capacity: usize, seed: u64) -> Self {
        assert!(capacity > 0, "a buffer of capacity 0 keeps nothing");
        Self {
            capacity,
            shape: Vec::new(),
            states: Vec::new(),
            next_states: Vec::new(),
            actions: Vec::new(),
            rewards: Vec::new(),
            dones: Vec::new(),
            oldest: 0,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Keeps a transition, in place of the oldest where the buffer is full. `done` says that nothing follows: give
    /// `step.terminated`, for an episode that was only cut off goes on in truth.
    ///
    /// # Panics
    ///
    /// Where a state is of another shape than the first.
    pub fn push(&mut self, state: &Tensor, action: usize, reward: f64, next_state: &Tensor, done: bool) {
        if self.is_empty() {
            self.shape = state.size();
        }
        for tensor in [state, next_state] {
            let shape = tensor.size();
            assert!(shape == self.shape, "a state of {shape:?} in a buffer of states of {:?}", self.shape);
        }
        let (state, next_state) = (elements(state), elements(next_state));
        let mut at = self.len();
        if at == self.capacity {
            at = self.oldest;
            self.oldest = (at + 1) % self.capacity;
        }
        put(&mut self.states, at, &state);
        put(&mut self.next_states, at, &next_state);
        put(&mut self.actions, at, &[action as i64]);
        put(&mut self.rewards, at, &[reward as f32]);
        put(&mut self.dones, at, &[f32::from(u8::from(done))]);
    }

    /// Draws `count` transitions, each with the same probability, on a device. One may be drawn twice.
    ///
    /// # Panics
    ///
    /// Where the buffer is empty, or `count` is 0.
    pub fn sample(&mut self, count: usize, device: Device) -> Batch {
        assert!(!self.is_empty(), "nothing to draw from: push transitions first");
        assert!(count > 0, "a batch of 0 transitions");
        let drawn: Vec<usize> = (0..count).map(|_| self.rng.random_range(0..self.actions.len())).collect();
        let size = self.states.len() / self.actions.len();
        let mut shape = self.shape.clone();
        shape.insert(0, count as i64);
        let states = |from: &[f32]| {
            let rows: Vec<f32> = drawn.iter().flat_map(|at| &from[at * size..(at + 1) * size]).copied().collect();
            Tensor::from_slice(&rows).reshape(&shape).to_device(device)
        };
        let floats =
            |from: &[f32]| Tensor::from_slice(&drawn.iter().map(|at| from[*at]).collect::<Vec<_>>()).to_device(device);
        let actions: Vec<i64> = drawn.iter().map(|at| self.actions[*at]).collect();
        Batch {
            states: states(&self.states),
            actions: Tensor::from_slice(&actions).unsqueeze(1).to_device(device),
            rewards: floats(&self.rewards),
            next_states: states(&self.next_states),
            dones: floats(&self.dones),
        }
    }
}

/// Writes a row in place of that number, or behind the last one.
fn put<T: Copy>(rows: &mut Vec<T>, at: usize, row: &[T]) {
    let start = at * row.len();
    let end = rows.len().min(start + row.len());
    rows.splice(start..end, row.iter().copied());
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn filled(capacity: usize, count: usize) -> ReplayBuffer {
        let mut memory = ReplayBuffer::new(capacity, 5);
        for i in 0..count {
            let state = Tensor::from_slice(&[i as f32, -(i as f32)]);
            memory.push(&state, i, i as f64, &(&state + 1.0), i % 2 == 0);
        }
        memory
    }

    #[test]
    fn the_oldest_are_overwritten() {
        let mut memory = filled(4, 10);
        assert_eq!(memory.len(), 4);
        let batch = memory.sample(200, Device::Cpu);
        assert_eq!(batch.rewards.min().double_value(&[]), 6.0);
        assert_eq!(batch.rewards.max().double_value(&[]), 9.0);
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let batch = filled(50, 30).sample(40, Device::Cpu);
        let rewards = &batch.rewards;
        assert!(batch.states.select(1, 0).equal(rewards));
        assert!(batch.next_states.equal(&(&batch.states + 1.0)));
        assert!(batch.actions.squeeze().to_kind(Kind::Float).equal(rewards));
        assert!(batch.dones.equal(&(1.0 - rewards.remainder(2.0))));
    }

    #[test]
    fn a_seed_draws_the_same_batches() {
        let (mut a, mut b) = (filled(50, 30), filled(50, 30));
        assert!(a.sample(8, Device::Cpu).states.equal(&b.sample(8, Device::Cpu).states));
    }

    #[test]
    #[should_panic(expected = "a state of [3] in a buffer of states of [2]")]
    fn states_have_one_shape() {
        let state = Tensor::from_slice(&[0f32; 3]);
        filled(3, 1).push(&state, 0, 0.0, &state, false);
    }

    #[test]
    #[should_panic(expected = "push transitions first")]
    fn nothing_is_drawn_from_nothing() {
        ReplayBuffer::new(3, 0).sample(1, Device::Cpu);
    }
}
