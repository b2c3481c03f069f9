//! Recurrent layers over whole sequences: LSTM, GRU and the plain recurrent network. One step at a time, for loops that
//! do something in between, are [`lstm_cell`](crate::nn::lstm_cell) and its kin.
//!
//! Variables are named as in PyTorch's `LSTM`, `GRU` and `RNN`, and begin as theirs: all uniform from `-1/sqrt(hidden)`
//! to `1/sqrt(hidden)`.

use std::borrow::Borrow;

use tch::nn::init::NonLinearity;
use tch::nn::{GRUState, Init, LSTMState};
use tch::{Device, Tensor};

use crate::modes::no_grad;
use crate::nn::Path;
use crate::nn::check_probability;
use crate::nn::init::{PYTORCH_UNIFORM, in_layer_of};

mod lengths;
mod state;

pub use state::RNNState;

/// How a recurrent layer is made.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::RNNConfig { num_layers: 2, dropout: 0.3, bidirectional: true, ..Default::default() };
/// let gru = nn::gru(vs.root() / "gru", 8, 32, config);
/// let (output, _) = gru.seq_t(&Tensor::randn([16, 30, 8], (Kind::Float, device())), true);
/// assert_eq!(output.size(), [16, 30, 64]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RNNConfig {
    /// Whether there are biases. Default true.
    pub has_biases: bool,
    /// How many layers stand one above the other. Default 1.
    pub num_layers: i64,
    /// What part of the numbers that go from one layer to the next is dropped in training. Default 0.
    pub dropout: f64,
    /// Whether there is a training at all: with false nothing is ever dropped. Default true.
    pub train: bool,
    /// Whether a second network reads from the end, whose output stands beside the first one's. Default false.
    pub bidirectional: bool,
    /// Whether sequences are `[N, L, inputs]`, and not `[L, N, inputs]`. Default true.
    pub batch_first: bool,
    /// Of the weights for the input. Default [`init::PYTORCH_UNIFORM`](crate::nn::init::PYTORCH_UNIFORM), whose fan is
    /// `hidden` in all four.
    pub w_ih_init: Init,
    /// Of the weights for the state. The default is the same.
    pub w_hh_init: Init,
    /// Of the biases beside the first. Default `None`, which stands for the same.
    pub b_ih_init: Option<Init>,
    /// Of the biases beside the second. Default `None`, which stands for the same.
    pub b_hh_init: Option<Init>,
}

impl Default for RNNConfig {
    fn default() -> Self {
        Self {
            has_biases: true,
            num_layers: 1,
            dropout: 0.0,
            train: true,
            bidirectional: false,
            batch_first: true,
            w_ih_init: PYTORCH_UNIFORM,
            w_hh_init: PYTORCH_UNIFORM,
            b_ih_init: None,
            b_hh_init: None,
        }
    }
}

/// Which network it is, by what cuDNN calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Plain = 1,
    Lstm = 2,
    Gru = 3,
}

impl Network {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }

    /// How many matrices there are for each of input and state.
    fn gates(self) -> i64 {
        match self {
            Self::Plain => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

/// What all of them are made of.
#[derive(Debug)]
struct Layers {
    network: Network,
    weights: Vec<Tensor>,
    hidden: i64,
    config: RNNConfig,
    device: Device,
}

impl Layers {
    fn new(network: Network, path: &Path, inputs: i64, hidden: i64, config: RNNConfig) -> Self {
        let name = network.name();
        check_probability(name, config.dropout);
        assert!(config.num_layers > 0, "{name}: {} layers; there is one at least", config.num_layers);
        if config.dropout > 0.0 && config.num_layers == 1 {
            crate::cell::note(format!(
                "nn::{name}: a dropout of {} does nothing here: it works between layers, and there is one (num_layers: 1)",
                config.dropout
            ));
        }
        let directions = if config.bidirectional { 2 } else { 1 };
        let rows = network.gates() * hidden;
        let state = [rows, hidden];
        let begins = |own: &[i64], init: Init| in_layer_of(if is_pytorchs(init) { &state } else { own }, init);
        let mut weights = Vec::new();
        for layer in 0..config.num_layers {
            for suffix in ["", "_reverse"].iter().take(directions) {
                let from = if layer == 0 { inputs } else { hidden * directions as i64 };
                let variable =
                    |name: &str, size: &[i64], init| path.var(&format!("{name}_l{layer}{suffix}"), size, init);
                weights.push(variable("weight_ih", &[rows, from], begins(&[rows, from], config.w_ih_init)));
                weights.push(variable("weight_hh", &state, begins(&state, config.w_hh_init)));
                if config.has_biases {
                    // A bias has no fan of its own.
                    for (name, init) in [("bias_ih", config.b_ih_init), ("bias_hh", config.b_hh_init)] {
                        weights.push(variable(name, &[rows], begins(&state, init.unwrap_or(PYTORCH_UNIFORM))));
                    }
                }
            }
        }
        let layers = Self { network, weights, hidden, config, device: path.device() };
        layers.flatten_for_cudnn(inputs);
        layers
    }

    /// cuDNN wants all weights in one piece of memory.
    fn flatten_for_cudnn(&self, inputs: i64) {
        if !self.device.is_cuda() || !tch::Cuda::cudnn_is_available() {
            return;
        }
        let of_a_layer = if self.config.has_biases { 4 } else { 2 };
        let _ = no_grad(|| {
            Tensor::internal_cudnn_rnn_flatten_weight(
                &self.weights,
                of_a_layer,
                inputs,
                self.network as i64,
                self.hidden,
                0,
                self.config.num_layers,
                self.config.batch_first,
                self.config.bidirectional,
            )
        });
    }

    fn zeros(&self, batch: i64) -> Tensor {
        let directions = if self.config.bidirectional { 2 } else { 1 };
        let size = [self.config.num_layers * directions, batch, self.hidden];
        Tensor::zeros(size, (self.weights[0].kind(), self.device))
    }

    fn batch(&self, xs: &Tensor) -> i64 {
        let size = xs.size();
        assert!(
            size.len() == 3,
            "{}: a sequence of {size:?}; it is {}",
            self.network.name(),
            if self.config.batch_first { "[N, L, inputs]" } else { "[L, N, inputs]" }
        );
        size[if self.config.batch_first { 0 } else { 1 }]
    }

    fn one_step(&self, xs: &Tensor) -> Tensor {
        xs.unsqueeze(if self.config.batch_first { 1 } else { 0 })
    }

    /// What is dropped, where somebody says whether this is training.
    fn dropout(&self, train: bool) -> f64 {
        if train && self.config.train { self.config.dropout } else { 0.0 }
    }

    /// What is dropped, where nobody says so.
    ///
    /// # Panics
    ///
    /// Where it would matter: neither training without dropout nor evaluation with it may come about unseen.
    fn no_dropout(&self) -> f64 {
        let RNNConfig { dropout, num_layers, train, .. } = self.config;
        let name = self.network.name();
        assert!(
            !(train && dropout > 0.0 && num_layers > 1),
            "{name}: it is made with a dropout of {dropout}, which is for training only: call seq_t(&xs, true) in training and \
             seq_t(&xs, false) outside it (seq_init_t where there is a state to begin with, \
             seq_lengths_t where there are lengths)"
        );
        0.0
    }

    /// The output, and the states behind the last step; the second is an LSTM's alone.
    fn run(&self, xs: &Tensor, states: &[&Tensor], dropout: f64) -> (Tensor, Tensor, Tensor) {
        let RNNConfig { has_biases, num_layers, bidirectional, batch_first, .. } = self.config;
        // Told that this is training, cuDNN keeps what `backward` needs; without dropout it makes no other difference.
        let train = true;
        let weights: Vec<&Tensor> = self.weights.iter().collect();
        let (output, h) = match self.network {
            Network::Lstm => {
                return xs.lstm(states, &weights, has_biases, num_layers, dropout, train, bidirectional, batch_first);
            }
            Network::Gru => {
                xs.gru(states[0], &weights, has_biases, num_layers, dropout, train, bidirectional, batch_first)
            }
            Network::Plain => {
                xs.rnn_tanh(states[0], &weights, has_biases, num_layers, dropout, train, bidirectional, batch_first)
            }
        };
        (output, h, Tensor::new())
    }
}

fn is_pytorchs(init: Init) -> bool {
    let gain = |init| match init {
        Init::Kaiming { non_linearity: NonLinearity::ExplicitGain(gain), .. } => Some(gain),
        _ => None,
    };
    gain(init).is_some() && gain(init) == gain(PYTORCH_UNIFORM)
}

/// A recurrent layer over sequences, as [`tch::nn::RNN`], that is told whether this is training. In the prelude.
pub trait RNN {
    /// What it hands from one step to the next.
    type State;

    /// The state to begin with: zeros, `[layers * directions, batch, hidden]`.
    fn zero_state(&self, batch: i64) -> Self::State;

    /// One step: inputs `[N, inputs]` and a state to the next state.
    ///
    /// # Panics
    ///
    /// Where there is dropout, as [`RNN::seq`].
    fn step(&self, xs: &Tensor, state: &Self::State) -> Self::State;

    /// As [`RNN::seq`], from a state on.
    ///
    /// # Panics
    ///
    /// Where there is dropout, as [`RNN::seq`].
    fn seq_init(&self, xs: &Tensor, state: &Self::State) -> (Tensor, Self::State);

    /// As [`RNN::seq_t`], from a state on.
    fn seq_init_t(&self, xs: &Tensor, state: &Self::State, train: bool) -> (Tensor, Self::State) {
        let _ = train;
        self.seq_init(xs, state)
    }

    /// Sequences `[N, L, inputs]` to the output of each step, `[N, L, hidden * directions]`, and the state behind the
    /// last one. For a layer without dropout.
    ///
    /// # Panics
    ///
    /// Where there is dropout: only [`RNN::seq_t`] can know whether this is training.
    fn seq(&self, xs: &Tensor) -> (Tensor, Self::State) {
        self.seq_init(xs, &self.zero_state(self.batch(xs)))
    }

    /// As [`RNN::seq`], and told whether this is training: only then numbers are dropped between layers.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let lstm = nn::lstm(vs.root(), 8, 32, nn::RNNConfig { num_layers: 2, dropout: 0.5, ..Default::default() });
    /// let x = Tensor::randn([16, 30, 8], (Kind::Float, device()));
    /// let evaluated = lstm.seq_t(&x, false).0;
    /// assert_eq!(evaluated, lstm.seq_t(&x, false).0);
    /// ```
    fn seq_t(&self, xs: &Tensor, train: bool) -> (Tensor, Self::State) {
        self.seq_init_t(xs, &self.zero_state(self.batch(xs)), train)
    }

    /// As [`RNN::seq`], for sequences of several lengths: sequence `i` has `lengths[i]` steps, and what it is filled up
    /// with behind them is not read. Its outputs there are 0, its state is that at its own end, and a second network
    /// reads from there. `lengths` is `[N]`, whole numbers, in any order and on any device. The outputs have as many
    /// steps as `xs`.
    ///
    /// It gives what `pack_padded_sequence`, the layer and `pad_packed_sequence` give in PyTorch.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let gru = nn::gru(vs.root(), 8, 32, Default::default());
    /// let x = Tensor::randn([3, 10, 8], (Kind::Float, device()));
    /// let (output, state) = gru.seq_lengths(&x, &Tensor::from_slice(&[10i64, 4, 7]));
    /// assert_eq!(output.i((1, 4..)).abs().max().double_value(&[]), 0.0);
    /// assert!(state.value().i((0, 1)).allclose(&output.i((1, 3)), 1e-5, 1e-6, false));
    /// ```
    ///
    /// # Panics
    ///
    /// Where there is dropout, as [`RNN::seq`], where there is not a length for each sequence, and where one is below 1
    /// or above the steps there are.
    fn seq_lengths(&self, xs: &Tensor, lengths: &Tensor) -> (Tensor, Self::State);

    /// As [`RNN::seq_lengths`], and told whether this is training.
    fn seq_lengths_t(&self, xs: &Tensor, lengths: &Tensor, train: bool) -> (Tensor, Self::State) {
        self.seq_lengths_init_t(xs, lengths, &self.zero_state(self.batch(xs)), train)
    }

    /// As [`RNN::seq_lengths_t`], from a state on.
    fn seq_lengths_init_t(
        &self,
        xs: &Tensor,
        lengths: &Tensor,
        state: &Self::State,
        train: bool,
    ) -> (Tensor, Self::State);

    /// How many sequences there are.
    #[doc(hidden)]
    fn batch(&self, xs: &Tensor) -> i64 {
        xs.size()[0]
    }
}

/// A long short-term memory (S. Hochreiter and J. Schmidhuber, 1997). Its state has the output `h` and the memory `c`;
/// see [`RNN`] for what it does.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let lstm: nn::LSTM = nn::lstm(vs.root() / "lstm", 8, 32, Default::default());
/// let (output, state) = lstm.seq(&Tensor::randn([16, 30, 8], (Kind::Float, device())));
/// assert_eq!((output.size(), state.h().size()), (vec![16, 30, 32], vec![1, 16, 32]));
/// ```
#[derive(Debug)]
#[allow(clippy::upper_case_acronyms, reason = "named as PyTorch names it")]
pub struct LSTM(Layers);

/// Makes an [`LSTM`] from `inputs` to `hidden` numbers.
///
/// # Panics
///
/// Where there is no layer, or the dropout is not in 0 to 1.
pub fn lstm<'a>(path: impl Borrow<Path<'a>>, inputs: i64, hidden: i64, config: RNNConfig) -> LSTM {
    LSTM(Layers::new(Network::Lstm, &path.borrow().layer(), inputs, hidden, config))
}

/// A gated recurrent unit (K. Cho et al., 2014; in PyTorch's form). Its state is the output of the last step; see
/// [`RNN`] for what it does.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let gru: nn::GRU = nn::gru(vs.root() / "gru", 8, 32, Default::default());
/// let (output, state) = gru.seq(&Tensor::randn([16, 30, 8], (Kind::Float, device())));
/// assert_eq!((output.size(), state.value().size()), (vec![16, 30, 32], vec![1, 16, 32]));
/// ```
#[derive(Debug)]
#[allow(clippy::upper_case_acronyms, reason = "named as PyTorch names it")]
pub struct GRU(Layers);

/// Makes a [`GRU`] from `inputs` to `hidden` numbers.
///
/// # Panics
///
/// Where there is no layer, or the dropout is not in 0 to 1.
pub fn gru<'a>(path: impl Borrow<Path<'a>>, inputs: i64, hidden: i64, config: RNNConfig) -> GRU {
    GRU(Layers::new(Network::Gru, &path.borrow().layer(), inputs, hidden, config))
}

/// The plain recurrent network, `h' = tanh(W x + b + U h + d)` (J. Elman, 1990): PyTorch's `nn.RNN`. Its state is of
/// the type of a GRU's; see [`RNN`] for what it does.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let rnn: nn::PlainRNN = nn::rnn(vs.root() / "rnn", 8, 32, Default::default());
/// let (output, _) = rnn.seq(&Tensor::randn([16, 30, 8], (Kind::Float, device())));
/// assert_eq!(output.size(), [16, 30, 32]);
/// ```
#[derive(Debug)]
pub struct PlainRNN(Layers);

/// Makes a [`PlainRNN`] from `inputs` to `hidden` numbers.
///
/// # Panics
///
/// Where there is no layer, or the dropout is not in 0 to 1.
pub fn rnn<'a>(path: impl Borrow<Path<'a>>, inputs: i64, hidden: i64, config: RNNConfig) -> PlainRNN {
    PlainRNN(Layers::new(Network::Plain, &path.borrow().layer(), inputs, hidden, config))
}

macro_rules! recurrent {
    ($layer:ident, $state:ident, |$from:ident| $states:expr, |$h:ident, $c:ident| $to:expr) => {
        impl RNN for $layer {
            type State = $state;

            fn zero_state(&self, batch: i64) -> $state {
                let ($h, $c) = (self.0.zeros(batch), self.0.zeros(batch));
                $to
            }

            fn step(&self, xs: &Tensor, state: &$state) -> $state {
                self.seq_init(&self.0.one_step(xs), state).1
            }

            fn seq_init(&self, xs: &Tensor, $from: &$state) -> (Tensor, $state) {
                let (output, $h, $c) = self.0.run(xs, &$states, self.0.no_dropout());
                (output, $to)
            }

            fn seq_init_t(&self, xs: &Tensor, $from: &$state, train: bool) -> (Tensor, $state) {
                let (output, $h, $c) = self.0.run(xs, &$states, self.0.dropout(train));
                (output, $to)
            }

            fn seq_lengths(&self, xs: &Tensor, lengths: &Tensor) -> (Tensor, $state) {
                let $from = &self.zero_state(self.batch(xs));
                let (output, $h, $c) = self.0.run_lengths(xs, lengths, &$states, self.0.no_dropout());
                (output, $to)
            }

            fn seq_lengths_init_t(
                &self,
                xs: &Tensor,
                lengths: &Tensor,
                $from: &$state,
                train: bool,
            ) -> (Tensor, $state) {
                let (output, $h, $c) = self.0.run_lengths(xs, lengths, &$states, self.0.dropout(train));
                (output, $to)
            }

            fn batch(&self, xs: &Tensor) -> i64 {
                self.0.batch(xs)
            }
        }
    };
}

recurrent!(LSTM, LSTMState, |state| [&state.0.0, &state.0.1], |h, c| LSTMState((h, c)));
recurrent!(GRU, GRUState, |state| [&state.0], |h, _c| GRUState(h));
recurrent!(PlainRNN, GRUState, |state| [&state.0], |h, _c| GRUState(h));
