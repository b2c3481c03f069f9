//! Transitions up to a capacity, of which the oldest make room for new ones.

use tch::{Device, Kind, Tensor};

use super::Batch;
use super::action::IntoAction;
use super::rows::Rows;

#[derive(Debug, Clone)]
pub(super) struct Transitions {
    capacity: usize,
    len: usize,
    states: Rows,
    next_states: Rows,
    actions: Rows,
    rewards: Rows,
    dones: Rows,
    /// Where the next one goes once the buffer is full.
    oldest: usize,
}

impl Transitions {
    pub(super) fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a buffer of capacity 0 keeps nothing");
        Self {
            capacity,
            len: 0,
            states: Rows::of("a state", "states"),
            next_states: Rows::of("a state", "states"),
            actions: Rows::of("an action", "actions"),
            rewards: Rows::of("a reward", "rewards"),
            dones: Rows::of("an end", "ends"),
            oldest: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Keeps a transition and says where.
    #[track_caller]
    pub(super) fn push(
        &mut self,
        state: &Tensor,
        action: impl IntoAction,
        reward: f64,
        next_state: &Tensor,
        done: bool,
    ) -> usize {
        let (state, next_state) = (state.to_kind(Kind::Float), next_state.to_kind(Kind::Float));
        let action = action.into_action();
        self.states.check(&state);
        self.actions.check(&action);
        let (shape, of_state) = (next_state.size(), state.size());
        assert!(shape == of_state, "a state of {shape:?} in a buffer of states of {of_state:?}");
        let at = self.make_room();
        self.states.put(at, &state);
        self.next_states.put(at, &next_state);
        self.actions.put(at, &action);
        self.rewards.put(at, &Tensor::from(reward as f32));
        self.dones.put(at, &Tensor::from(f32::from(u8::from(done))));
        at
    }

    /// Where the next transition goes.
    fn make_room(&mut self) -> usize {
        if self.len < self.capacity {
            self.len += 1;
            return self.len - 1;
        }
        let oldest = self.oldest;
        self.oldest = (oldest + 1) % self.capacity;
        oldest
    }

    pub(super) fn gather(&self, drawn: &[usize], device: Device) -> Batch {
        Batch {
            states: self.states.gather(drawn, device),
            actions: self.actions.gather(drawn, device),
            rewards: self.rewards.gather(drawn, device),
            next_states: self.next_states.gather(drawn, device),
            dones: self.dones.gather(drawn, device),
        }
    }

    /// Complains where nothing can be drawn.
    #[track_caller]
    pub(super) fn check_draw(&self, count: usize) {
        assert!(self.len > 0, "nothing to draw from: push transitions first");
        assert!(count > 0, "a batch of 0 transitions");
    }
}
