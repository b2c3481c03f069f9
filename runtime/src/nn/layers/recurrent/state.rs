//! What can be done with the states of recurrent layers, which are tch's types.

use tch::Tensor;
use tch::nn::{GRUState, LSTMState};

/// The state of an LSTM, a GRU or a plain recurrent network as a whole. In the prelude.
///
/// A text that is longer than a batch is read in pieces, each from the state behind the one before. Gradients end
/// between two pieces (truncated backpropagation through time):
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let lstm = nn::lstm(vs.root(), 8, 32, Default::default());
/// let text = Tensor::randn([4, 60, 8], (Kind::Float, device()));
/// let mut state = lstm.zero_state(4);
/// for piece in text.split(20, 1) {
///     let (output, next) = lstm.seq_init(&piece, &state);
///     output.square().mean(Kind::Float).backward();
///     state = next.detach();
/// }
/// assert!(!state.h().requires_grad());
/// ```
pub trait RNNState: Sized {
    /// The state with a function of each tensor in the place of it.
    #[doc(hidden)]
    fn map(&self, function: impl Fn(&Tensor) -> Tensor) -> Self;

    /// The same numbers, through which no gradient flows.
    fn detach(&self) -> Self {
        self.map(Tensor::detach)
    }

    /// The same tensors once more, as [`Tensor::shallow_clone`]; gradients flow through them. No layer changes a state,
    /// so that both can go on by themselves.
    fn shallow_clone(&self) -> Self {
        self.map(Tensor::shallow_clone)
    }
}

impl RNNState for LSTMState {
    fn map(&self, function: impl Fn(&Tensor) -> Tensor) -> Self {
        let (h, c) = &self.0;
        Self((function(h), function(c)))
    }
}

impl RNNState for GRUState {
    fn map(&self, function: impl Fn(&Tensor) -> Tensor) -> Self {
        Self(function(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::nn::{RNN, VarStore, gru, lstm};

    #[test]
    fn gradients_end_at_a_detached_state_only() {
        let vs = VarStore::new(Device::Cpu);
        let xs = Tensor::randn([2, 3, 4], (Kind::Float, Device::Cpu));
        let (of_lstm, of_gru) =
            (lstm(&vs.root() / "a", 4, 5, Default::default()), gru(&vs.root() / "b", 4, 5, Default::default()));
        let (memory, hidden) = (of_lstm.seq(&xs).1, of_gru.seq(&xs).1);
        assert!(memory.shallow_clone().c().requires_grad() && hidden.shallow_clone().value().requires_grad());
        let (cut, ended) = (memory.detach(), hidden.detach());
        assert!(!cut.h().requires_grad() && !cut.c().requires_grad() && !ended.value().requires_grad());
        assert!(cut.h().equal(&memory.h()) && cut.c().equal(&memory.c()) && ended.value().equal(&hidden.value()));
    }
}
