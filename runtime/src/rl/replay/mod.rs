//! A memory of transitions that a network learns from, again and again.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::{Device, Tensor};

use crate::elements::{elements, first_beyond};

mod action;
mod prioritized;
mod rows;
mod transitions;
mod tree;

pub use action::IntoAction;
pub use prioritized::{PrioritizedBatch, PrioritizedReplayBuffer};
use transitions::Transitions;

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
///
/// Actions may be of any shape and dtype (see [`IntoAction`]):
///
/// ```
/// use oxtorch::prelude::*;
/// let mut memory = rl::ReplayBuffer::new(1000, 0);
/// let state = Tensor::zeros([3], (Kind::Float, Device::Cpu));
/// memory.push(&state, [0.5, -1.0], 0.0, &state, false);
/// assert_eq!(memory.sample(8, Device::Cpu).actions.size(), [8, 2]);
/// ```
#[derive(Debug, Clone)]
pub struct ReplayBuffer {
    transitions: Transitions,
    rng: StdRng,
}

/// Transitions drawn from a [`ReplayBuffer`].
#[derive(Debug)]
pub struct Batch {
    /// float32 `[N, ...]`.
    pub states: Tensor,
    /// int64 `[N, 1]` where an action is one of a few, for `gather` of the values `[N, actions]`; else `[N, ...]` (see
    /// [`IntoAction`]).
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
        Self { transitions: Transitions::new(capacity), rng: StdRng::seed_from_u64(seed) }
    }

    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a transition, in place of the oldest where the buffer is full. States are kept in float32. `done` says
    /// that nothing follows: give `step.terminated`, for an episode that was only cut off goes on in truth.
    ///
    /// # Panics
    ///
    /// Where a state or an action is of another shape or kind than the first.
    #[track_caller]
    pub fn push(&mut self, state: &Tensor, action: impl IntoAction, reward: f64, next_state: &Tensor, done: bool) {
        self.transitions.push(state, action, reward, next_state, done);
    }

    /// Draws `count` transitions, each with the same probability, on a device. One may be drawn twice.
    ///
    /// # Panics
    ///
    /// Where the buffer is empty, or `count` is 0.
    pub fn sample(&mut self, count: usize, device: Device) -> Batch {
        self.transitions.check_draw(count);
        let drawn: Vec<usize> = (0..count).map(|_| self.rng.random_range(0..self.transitions.len())).collect();
        self.transitions.gather(&drawn, device)
    }

    /// The transitions of these rows, int64 `[N]`, which count from 0 to [`len`](Self::len) - 1 in no order of time:
    /// for a draw of one's own, such as `Tensor::randint(memory.len() as i64, [64], (Kind::Int64, device()))`.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    pub fn get(&self, rows: &Tensor, device: Device) -> Batch {
        if let Some(row) = first_beyond(rows, self.len() as i64) {
            panic!("there is no row {row} in a buffer of {} transitions, which count from 0", self.len());
        }
        let rows: Vec<usize> = elements::<i64>(rows).into_iter().map(|row| row as usize).collect();
        self.transitions.gather(&rows, device)
    }
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
    fn rows_are_those_that_are_asked_for() {
        let memory = filled(4, 6);
        let batch = memory.get(&Tensor::from_slice(&[3i64, 0, 0]), Device::Cpu);
        assert_eq!(batch.rewards, Tensor::from_slice(&[3f32, 4.0, 4.0]));
        assert_eq!(batch.actions, Tensor::from_slice(&[3i64, 4, 4]).unsqueeze(1));
        let message = crate::tests::panic_message(|| memory.get(&Tensor::from_slice(&[0i64, 4]), Device::Cpu));
        assert!(message.contains("no row 4 in a buffer of 4"), "{message}");
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

    #[test]
    fn actions_have_any_shape_and_kind() {
        fn batch(action: impl IntoAction) -> Tensor {
            let mut memory = ReplayBuffer::new(3, 0);
            let state = Tensor::from_slice(&[0f32; 3]);
            memory.push(&state, action, 0.0, &state, false);
            memory.sample(2, Device::Cpu).actions
        }
        let of = |actions: Tensor| (actions.size(), actions.kind());
        assert_eq!(of(batch(1)), (vec![2, 1], Kind::Int64));
        assert_eq!(of(batch(0.5)), (vec![2, 1], Kind::Float));
        assert_eq!(of(batch([0usize, 2, 1])), (vec![2, 3], Kind::Int64));
        assert_eq!(batch([0.5, -1.0]), Tensor::from_slice2(&[[0.5f32, -1.0], [0.5, -1.0]]));
        assert_eq!(of(batch(Tensor::from(0.5))), (vec![2, 1], Kind::Double));
        let agents = Tensor::arange(6, (Kind::Half, Device::Cpu)).view([2, 3]);
        assert_eq!(batch(&agents), Tensor::stack(&[&agents, &agents], 0));
    }

    #[test]
    fn actions_are_alike() {
        let push = |first: f64, second: Tensor| {
            let (mut memory, state) = (ReplayBuffer::new(3, 0), Tensor::from_slice(&[0f32; 3]));
            memory.push(&state, first, 0.0, &state, false);
            memory.push(&state, second, 0.0, &state, false);
        };
        let said = |second: Tensor| crate::tests::panic_message(|| push(0.5, second));
        assert_eq!(said(Tensor::from_slice(&[1f32, 2.0])), "an action of [2] in a buffer of actions of [1]");
        assert_eq!(said(Tensor::from_slice(&[1i64])), "an action of Int64 in a buffer of actions of Float");
    }
}
