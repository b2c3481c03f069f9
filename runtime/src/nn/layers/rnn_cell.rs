//! Recurrent layers one step at a time, for loops over time that do something in between: a decoder, an agent,
//! attention. For whole sequences, [`crate::nn::lstm`] and [`crate::nn::gru`] are faster. Variables are named as in
//! PyTorch's `LSTMCell`, `GRUCell` and `RNNCell`, so weights trained there fit.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::Init;

use crate::nn::Path;

/// How a cell is made.
#[derive(Debug, Clone, Copy)]
pub struct CellConfig {
    /// Whether there are biases. Default true.
    pub bias: bool,
}

impl Default for CellConfig {
    fn default() -> Self {
        Self { bias: true }
    }
}

/// What all of them are made of: the gates of a step are computed from `x @ weight_ih.T + bias_ih` and
/// `h @ weight_hh.T + bias_hh`.
#[derive(Debug)]
pub struct CellWeights {
    /// `[gates * hidden, inputs]`.
    pub weight_ih: Tensor,
    /// `[gates * hidden, hidden]`.
    pub weight_hh: Tensor,
    /// `[gates * hidden]`.
    pub bias_ih: Option<Tensor>,
    /// `[gates * hidden]`.
    pub bias_hh: Option<Tensor>,
    hidden: i64,
}

impl CellWeights {
    /// Uniform between `-1/sqrt(hidden)` and `1/sqrt(hidden)`, as in PyTorch.
    fn new(path: &Path, inputs: i64, hidden: i64, gates: i64, config: CellConfig) -> Self {
        let bound = 1.0 / (hidden as f64).sqrt();
        let variable = |name: &str, size: &[i64]| path.var(name, size, Init::Uniform { lo: -bound, up: bound });
        let rows = gates * hidden;
        Self {
            weight_ih: variable("weight_ih", &[rows, inputs]),
            weight_hh: variable("weight_hh", &[rows, hidden]),
            bias_ih: config.bias.then(|| variable("bias_ih", &[rows])),
            bias_hh: config.bias.then(|| variable("bias_hh", &[rows])),
            hidden,
        }
    }

    fn zeros(&self, batch: i64) -> Tensor {
        Tensor::zeros([batch, self.hidden], (self.weight_hh.kind(), self.weight_hh.device()))
    }
}

/// One step of an LSTM (S. Hochreiter and J. Schmidhuber, Long short-term memory, 1997):
/// `i, f, o = sigmoid(...)`, `g = tanh(...)`, `c' = f * c + i * g`, `h' = o * tanh(c')`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let cell = nn::lstm_cell(vs.root(), 8, 32, Default::default());
/// let sequence = Tensor::randn([30, 16, 8], (Kind::Float, device()));
/// let (mut h, mut c) = cell.zero_state(16);
/// for time in 0..30 {
///     (h, c) = cell.step(&sequence.get(time), (&h, &c));
/// }
/// assert_eq!(h.size(), [16, 32]);
/// ```
#[derive(Debug)]
pub struct LSTMCell(pub CellWeights);

/// Makes the step of an LSTM from `inputs` to `hidden` numbers.
pub fn lstm_cell<'a>(path: impl Borrow<Path<'a>>, inputs: i64, hidden: i64, config: CellConfig) -> LSTMCell {
    LSTMCell(CellWeights::new(&path.borrow().layer(), inputs, hidden, 4, config))
}

impl LSTMCell {
    /// `h` and `c` to begin with: zeros, `[batch, hidden]` each.
    pub fn zero_state(&self, batch: i64) -> (Tensor, Tensor) {
        (self.0.zeros(batch), self.0.zeros(batch))
    }

    /// Inputs `[batch, inputs]` and `h`, `c` of `[batch, hidden]` to the next `h` and `c`.
    pub fn step(&self, xs: &Tensor, (h, c): (&Tensor, &Tensor)) -> (Tensor, Tensor) {
        let weights = &self.0;
        xs.lstm_cell(
            &[h, c],
            &weights.weight_ih,
            &weights.weight_hh,
            weights.bias_ih.as_ref(),
            weights.bias_hh.as_ref(),
        )
    }
}

/// One step of a GRU (K. Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; in PyTorch's
/// form): `r, z = sigmoid(...)`, `n = tanh(W x + b + r * (U h + d))`, `h' = (1 - z) * n + z * h`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let cell = nn::gru_cell(vs.root(), 8, 32, Default::default());
/// let h = cell.step(&Tensor::randn([16, 8], (Kind::Float, device())), &cell.zero_state(16));
/// assert_eq!(h.size(), [16, 32]);
/// ```
#[derive(Debug)]
pub struct GRUCell(pub CellWeights);

/// Makes the step of a GRU from `inputs` to `hidden` numbers.
pub fn gru_cell<'a>(path: impl Borrow<Path<'a>>, inputs: i64, hidden: i64, config: CellConfig) -> GRUCell {
    GRUCell(CellWeights::new(&path.borrow().layer(), inputs, hidden, 3, config))
}

impl GRUCell {
    /// `h` to begin with: zeros, `[batch, hidden]`.
    pub fn zero_state(&self, batch: i64) -> Tensor {
        self.0.zeros(batch)
    }

    /// Inputs `[batch, inputs]` and `h` of `[batch, hidden]` to the next `h`.
    pub fn step(&self, xs: &Tensor, h: &Tensor) -> Tensor {
        let weights = &self.0;
        xs.gru_cell(h, &weights.weight_ih, &weights.weight_hh, weights.bias_ih.as_ref(), weights.bias_hh.as_ref())
    }
}

/// One step of a plain recurrent network (J. Elman, Finding structure in time, 1990): `h' = tanh(W x + b + U h + d)`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let cell = nn::rnn_cell(vs.root(), 8, 32, nn::CellConfig { bias: false });
/// let h = cell.step(&Tensor::randn([16, 8], (Kind::Float, device())), &cell.zero_state(16));
/// assert_eq!(h.size(), [16, 32]);
/// ```
#[derive(Debug)]
pub struct RNNCell(pub CellWeights);

/// Makes the step of a plain recurrent network from `inputs` to `hidden` numbers.
pub fn rnn_cell<'a>(path: impl Borrow<Path<'a>>, inputs: i64, hidden: i64, config: CellConfig) -> RNNCell {
    RNNCell(CellWeights::new(&path.borrow().layer(), inputs, hidden, 1, config))
}

impl RNNCell {
    /// `h` to begin with: zeros, `[batch, hidden]`.
    pub fn zero_state(&self, batch: i64) -> Tensor {
        self.0.zeros(batch)
    }

    /// Inputs `[batch, inputs]` and `h` of `[batch, hidden]` to the next `h`.
    pub fn step(&self, xs: &Tensor, h: &Tensor) -> Tensor {
        let weights = &self.0;
        xs.rnn_tanh_cell(h, &weights.weight_ih, &weights.weight_hh, weights.bias_ih.as_ref(), weights.bias_hh.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use crate::modes::no_grad;
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn steps_are_those_of_pytorchs_cells() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/cells.json"));
        for bias in [true, false] {
            let stores = [(); 3].map(|()| VarStore::new(Device::Cpu));
            let config = CellConfig { bias };
            let lstm = lstm_cell(stores[0].root(), 3, 4, config);
            let gru = gru_cell(stores[1].root(), 3, 4, config);
            let rnn = rnn_cell(stores[2].root(), 3, 4, config);
            let name = if bias { "bias" } else { "no_bias" };
            for (kind, store) in ["lstm", "gru", "rnn"].iter().zip(&stores) {
                reference.load(&format!("/{name}/{kind}/weights"), store);
            }
            let xs = reference.tensor("/xs");
            let ((mut h, mut c), mut of_gru, mut of_rnn) = (lstm.zero_state(2), gru.zero_state(2), rnn.zero_state(2));
            no_grad(|| {
                for time in 0..5 {
                    let x = xs.get(time);
                    (h, c) = lstm.step(&x, (&h, &c));
                    of_gru = gru.step(&x, &of_gru);
                    of_rnn = rnn.step(&x, &of_rnn);
                }
            });
            for (pointer, value) in [("lstm/h", &h), ("lstm/c", &c), ("gru/h", &of_gru), ("rnn/h", &of_rnn)] {
                reference.check(&format!("/{name}/{pointer}"), value, 1e-6);
            }
        }
    }
}
