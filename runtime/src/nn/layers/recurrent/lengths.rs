//! Sequences of several lengths in one batch: each is read to its own end only, and what it is filled up with is not
//! read. In PyTorch these are `pack_padded_sequence` and `pad_packed_sequence`.

use tch::{Device, Kind, Tensor};

use super::{Layers, Network};

impl Layers {
    /// As `run`, where sequence `i` has `lengths[i]` steps: the outputs behind its end are 0, and the states are those
    /// at its end.
    pub(super) fn run_lengths(
        &self,
        xs: &Tensor,
        lengths: &Tensor,
        states: &[&Tensor],
        dropout: f64,
    ) -> (Tensor, Tensor, Tensor) {
        let batch_first = self.config.batch_first;
        let (of_batch, of_steps) = if batch_first { (0, 1) } else { (1, 0) };
        let (batch, steps) = (self.batch(xs), xs.size()[of_steps]);
        // libtorch takes the longest first.
        let (lengths, order) = self.checked(lengths, batch, steps).sort(0, true);
        let (order, back) = (order.to_device(xs.device()), order.argsort(0, false).to_device(xs.device()));
        let sorted = xs.index_select(of_batch as i64, &order);
        let (data, batch_sizes) = sorted.internal_pack_padded_sequence(&lengths, batch_first);
        let states: Vec<Tensor> = states.iter().map(|state| state.index_select(1, &order)).collect();
        let (output, h, c) = self.run_packed(&data, &batch_sizes, &states, dropout);
        let (output, _) = Tensor::internal_pad_packed_sequence(&output, &batch_sizes, batch_first, 0.0, steps);
        let c = if c.defined() { c.index_select(1, &back) } else { c };
        (output.index_select(of_batch as i64, &back), h.index_select(1, &back), c)
    }

    fn run_packed(
        &self,
        data: &Tensor,
        batch_sizes: &Tensor,
        states: &[Tensor],
        dropout: f64,
    ) -> (Tensor, Tensor, Tensor) {
        let super::RNNConfig { has_biases, num_layers: layers, bidirectional, .. } = self.config;
        // As in `run`.
        let train = true;
        let weights = &self.weights;
        let of_one_state = match self.network {
            Network::Lstm => {
                return Tensor::lstm_data(
                    data,
                    batch_sizes,
                    states,
                    weights,
                    has_biases,
                    layers,
                    dropout,
                    train,
                    bidirectional,
                );
            }
            Network::Gru => Tensor::gru_data,
            Network::Plain => Tensor::rnn_tanh_data,
        };
        let (output, h) =
            of_one_state(data, batch_sizes, &states[0], weights, has_biases, layers, dropout, train, bidirectional);
        (output, h, Tensor::new())
    }

    /// The lengths, `[batch]`, int64 on the CPU, where libtorch takes them.
    fn checked(&self, lengths: &Tensor, batch: i64, steps: i64) -> Tensor {
        let (name, size) = (self.network.name(), lengths.size());
        assert!(
            size == [batch] && !lengths.is_floating_point(),
            "{name}: lengths of {size:?} {:?} for {batch} sequences; they are [{batch}], whole numbers",
            lengths.kind()
        );
        let lengths = lengths.to_device(Device::Cpu).to_kind(Kind::Int64);
        let outside = lengths.lt(1).logical_or(&lengths.gt(steps)).nonzero();
        assert!(
            outside.size()[0] == 0,
            "{name}: a length of {} in a batch of {steps} steps; each sequence has 1 at least and {steps} at most",
            lengths.int64_value(&[outside.int64_value(&[0, 0])])
        );
        lengths
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::nn::VarStore;
    use crate::reference::Reference;
    use crate::tests::panic_message;
    use tch::Kind;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../../../tests/reference/packed.json"))
    }

    /// Checks outputs, states and gradients of a layer with PyTorch's weights.
    fn check<L: RNN>(name: &str, vs: &VarStore, layer: &L, states: impl Fn(&L::State) -> Vec<Tensor>) {
        let reference = reference();
        reference.load(&format!("/{name}/parameters"), vs);
        let xs = reference.tensor(&format!("/{name}/input")).set_requires_grad(true);
        let lengths = reference.tensor("/lengths");
        let (output, state) = layer.seq_lengths(&xs, &lengths);
        reference.check(&format!("/{name}/output"), &output, 1e-5);
        let states = states(&state);
        for (index, state) in states.iter().enumerate() {
            reference.check(&format!("/{name}/states/{index}"), state, 1e-5);
        }
        let loss = states.iter().fold(output.square().sum(Kind::Float), |loss, state| loss + state.sum(Kind::Float));
        loss.backward();
        reference.check(&format!("/{name}/gradient"), &xs.grad(), 1e-4);
        reference.check(&format!("/{name}/weight_gradient"), &vs.variables()["weight_hh_l0"].grad(), 1e-4);
    }

    #[test]
    fn outputs_and_states_of_several_lengths_are_those_of_pytorchs_packed_sequences() {
        let one = RNNConfig::default();
        let both = RNNConfig { num_layers: 2, bidirectional: true, ..one };
        let steps_first = RNNConfig { batch_first: false, ..both };
        for (name, config) in [("one", one), ("both", both), ("steps_first", steps_first)] {
            let vs = VarStore::new(Device::Cpu);
            let layer = lstm(vs.root(), 3, 4, config);
            check(&format!("lstm/{name}"), &vs, &layer, |state| vec![state.h(), state.c()]);
            let vs = VarStore::new(Device::Cpu);
            let layer = gru(vs.root(), 3, 4, config);
            check(&format!("gru/{name}"), &vs, &layer, |state| vec![state.value()]);
            let vs = VarStore::new(Device::Cpu);
            let layer = rnn(vs.root(), 3, 4, config);
            check(&format!("rnn/{name}"), &vs, &layer, |state| vec![state.value()]);
        }
    }

    #[test]
    fn each_sequence_goes_on_from_its_own_state() {
        let vs = VarStore::new(Device::Cpu);
        let layer = lstm(vs.root(), 3, 4, RNNConfig::default());
        let xs = Tensor::randn([3, 6, 3], (Kind::Float, Device::Cpu));
        let (_, begun) = layer.seq_lengths_t(&xs, &Tensor::from_slice(&[2i32, 5, 3]), true);
        let (output, state) = layer.seq_lengths_init_t(&xs, &Tensor::from_slice(&[1i64, 4, 6]), &begun, false);
        for (index, (first, second)) in [(2, 1), (5, 4), (3, 6)].into_iter().enumerate() {
            let own = xs.narrow(0, index as i64, 1);
            let (_, begun) = layer.seq(&own.narrow(1, 0, first));
            let (expected, ended) = layer.seq_init(&own.narrow(1, 0, second), &begun);
            let output = output.narrow(0, index as i64, 1);
            assert!(output.narrow(1, 0, second).allclose(&expected, 1e-5, 1e-6, false), "{index}");
            assert_eq!(output.narrow(1, second, 6 - second).abs().sum(Kind::Float).double_value(&[]), 0.0, "{index}");
            let state = state.h().narrow(1, index as i64, 1);
            assert!(state.allclose(&ended.h(), 1e-5, 1e-6, false), "{index}");
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_named() {
        let vs = VarStore::new(Device::Cpu);
        let layer = gru(vs.root(), 3, 4, RNNConfig::default());
        let xs = Tensor::zeros([2, 5, 3], (Kind::Float, Device::Cpu));
        let message = |lengths: &[i64]| {
            let run = || drop(layer.seq_lengths(&xs, &Tensor::from_slice(lengths)));
            panic_message(run)
        };
        assert!(message(&[5, 0]).contains("a length of 0 in a batch of 5 steps"));
        assert!(message(&[6, 1]).contains("a length of 6 in a batch of 5 steps"));
        assert!(message(&[5]).contains("lengths of [1] Int64 for 2 sequences; they are [2]"));
    }
}
