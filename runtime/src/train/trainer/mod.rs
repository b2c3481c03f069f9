//! What a training is told: the loop over epochs and batches is in `run`.

use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use tch::nn::{VarStore, Variables};
use tch::{Device, Tensor};

use super::checkpoint::Checkpoint;
use super::stopping::Watch;
use super::{History, LossScaler, TrainError};
use crate::optim::{Better, Ema, Optimizer, OptimizerConfig, ReduceLROnPlateau, Schedule};
use crate::{metrics, nn};

mod run;
#[cfg(test)]
mod tests;

/// The mean loss of a batch from outputs and targets.
type Loss = Rc<dyn Fn(&Tensor, &Tensor) -> Tensor>;
type Metrics = Vec<(String, fn(&Tensor, &Tensor) -> f64)>;

/// What the learning rate follows.
enum Rate {
    Constant,
    OfEpochs(Box<dyn Schedule>),
    OfSteps(Box<dyn Schedule>),
    Plateau(ReduceLROnPlateau),
}

/// Trains a network: epochs over batches, validation, learning rates, early stopping, checkpoints and progress. What it
/// learns lies in the variables of the `VarStore`; what it measured in its [`History`]. Both stay when a cell is
/// interrupted, and a further `fit` goes on from there.
///
/// Without [`Trainer::loss`] the network classifies: [`nn::cross_entropy`] of its logits, which may be those of tokens
/// `[B, T, V]` or of pixels `[N, C, H, W]`, and the accuracy.
///
/// ```
/// use oxtorch::prelude::*;
/// let (train, test) = digits().split(0.2, 42)?;
/// let (train, test) = (DataLoader::new(train, 64).shuffle(42), DataLoader::new(test, 256));
/// let vs = nn::VarStore::new(device());
/// let net = nn::seq().flatten().add(nn::linear(vs.root(), 64, 10, Default::default()));
/// let mut trainer = Trainer::new(&vs, nn::AdamW::default(), 1e-2)?
///     .epochs(5)
///     .schedule_steps(optim::OneCycleLR::new(1e-2, 5 * train.len()))
///     .clip_grad_norm(1.0)
///     .early_stopping(2);
/// trainer.fit(&net, &train, Some(&test))?;
/// trainer.history()
/// # ;
/// ```
pub struct Trainer {
    optimizer: Optimizer,
    /// All variables by name, in the order of the names.
    variables: Vec<(String, Tensor)>,
    /// Where they are by name, unless another layer has taken the name over.
    store: Arc<Mutex<Variables>>,
    device: Device,
    loss: Loss,
    metrics: Metrics,
    /// The first metric is the accuracy, which nobody has asked for.
    has_usual_metric: bool,
    epochs: usize,
    lr: f64,
    rate: Rate,
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
    accumulate: usize,
    scaler: Option<LossScaler>,
    averages: Option<Averages>,
    watch: Watch,
    checkpoint: Option<Checkpoint>,
    quiet: bool,
    live: bool,
    history: History,
    /// Of the optimiser, so far.
    steps: usize,
}

/// Averaged weights, and whether they are in the network now, in exchange for the trained ones.
struct Averages {
    ema: Ema,
    is_in: bool,
}

impl Averages {
    fn new(variables: &[(String, Tensor)], decay: f64) -> Self {
        Self { ema: Ema::of(variables, decay), is_in: false }
    }
}

impl Trainer {
    /// Trains the variables of a store by an optimiser at a learning rate:
    /// `Trainer::new(&vs, nn::Adam::default(), 1e-3)?`. The network is to be made before. One epoch, if
    /// [`Trainer::epochs`] says nothing else.
    ///
    /// # Errors
    ///
    /// Where the optimiser cannot be made.
    pub fn new(vs: &VarStore, optimizer: impl OptimizerConfig, lr: f64) -> Result<Self, TrainError> {
        Ok(Self::of(optimizer.build(vs, lr)?, vs, lr))
    }

    fn of(optimizer: Optimizer, vs: &VarStore, lr: f64) -> Self {
        Self {
            optimizer,
            variables: nn::by_name(vs),
            store: vs.variables_.clone(),
            device: vs.device(),
            loss: Rc::new(nn::cross_entropy),
            metrics: vec![("accuracy".to_owned(), metrics::accuracy)],
            has_usual_metric: true,
            epochs: 1,
            lr,
            rate: Rate::Constant,
            clip_norm: None,
            clip_value: None,
            accumulate: 1,
            scaler: None,
            averages: None,
            watch: Watch::default(),
            checkpoint: None,
            quiet: false,
            live: false,
            history: History::default(),
            steps: 0,
        }
    }

    /// How many epochs a call of `fit` runs.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Another loss, from outputs and targets, the mean over the batch. The accuracy is not measured then, unless
    /// [`Trainer::metric`] asks for it.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::randn([256, 1], (Kind::Float, device()));
    /// let train = DataLoader::new(TensorDataset::new(&x, &(&x * 3.0 + 1.0))?, 32);
    /// let vs = nn::VarStore::new(device());
    /// let net = nn::linear(vs.root(), 1, 1, Default::default());
    /// let mut trainer = Trainer::new(&vs, nn::Sgd::default(), 0.1)?
    ///     .loss(|outputs, targets| outputs.mse_loss(targets, Reduction::Mean))
    ///     .metric("mae", metrics::mae)
    ///     .epochs(10);
    /// trainer.fit(&net, &train, None)?;
    /// assert!(trainer.history().last("mae").is_some_and(|mae| mae < 0.1));
    /// ```
    pub fn loss(mut self, loss: impl Fn(&Tensor, &Tensor) -> Tensor + 'static) -> Self {
        self.loss = Rc::new(loss);
        if std::mem::take(&mut self.has_usual_metric) {
            self.metrics.remove(0);
        }
        self
    }

    /// One more value of each batch, from outputs and targets: a function of [`metrics`], or one of one's own.
    pub fn metric(mut self, name: impl Into<String>, metric: fn(&Tensor, &Tensor) -> f64) -> Self {
        self.metrics.push((name.into(), metric));
        self
    }

    /// The learning rate of each epoch, from 0.
    ///
    /// # Panics
    ///
    /// Where the learning rate is to follow something else already: of two, one would have no effect. After a training
    /// another one may follow for the next.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Self {
        self.follow(Rate::OfEpochs(Box::new(schedule)))
    }

    /// The learning rate of each step of the optimiser, from 0.
    ///
    /// # Panics
    ///
    /// As [`Trainer::schedule`].
    pub fn schedule_steps(self, schedule: impl Schedule + 'static) -> Self {
        self.follow(Rate::OfSteps(Box::new(schedule)))
    }

    /// Lowers the learning rate when what is watched (see [`Trainer::monitor`]) gets no better.
    ///
    /// # Panics
    ///
    /// As [`Trainer::schedule`].
    pub fn reduce_lr_on_plateau(self, plateau: ReduceLROnPlateau) -> Self {
        self.follow(Rate::Plateau(plateau))
    }

    fn follow(mut self, rate: Rate) -> Self {
        assert!(
            self.steps > 0 || matches!(self.rate, Rate::Constant),
            "Trainer: the learning rate follows one of `schedule`, `schedule_steps` and `reduce_lr_on_plateau`, given once: each replaces it, so \
             another would have no effect"
        );
        self.rate = rate;
        self
    }

    /// Scales gradients whose L2 norm together is greater than `max`.
    pub fn clip_grad_norm(mut self, max: f64) -> Self {
        self.clip_norm = Some(max);
        self
    }

    /// Cuts each element of each gradient to `-max` to `max`.
    pub fn clip_grad_value(mut self, max: f64) -> Self {
        self.clip_value = Some(max);
        self
    }

    /// One step of the optimiser for so many batches, whose gradients are averaged: a larger batch than fits into
    /// memory.
    ///
    /// # Panics
    ///
    /// Where it is 0.
    pub fn accumulate(mut self, batches: usize) -> Self {
        assert!(batches > 0, "Trainer: gradients of 0 batches make no step; give at least 1");
        self.accumulate = batches;
        self
    }

    /// Averages the weights over the steps (see [`Ema`]). Epochs are validated with the averages, checkpoints and the
    /// best epoch hold them, and after `fit` the network has them. A further `fit` trains on from the weights that were
    /// averaged.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let (train, test) = digits().split(0.2, 42)?;
    /// let (train, test) = (DataLoader::new(train, 64).shuffle(42), DataLoader::new(test, 256));
    /// let vs = nn::VarStore::new(device());
    /// let net = nn::seq().flatten().add(nn::linear(vs.root(), 64, 10, Default::default()));
    /// let mut trainer = Trainer::new(&vs, nn::AdamW::default(), 1e-2)?.epochs(3).ema(0.95);
    /// trainer.fit(&net, &train, Some(&test))?;
    /// assert!(trainer.history().last("validation accuracy").is_some_and(|accuracy| accuracy > 0.85));
    /// ```
    ///
    /// # Panics
    ///
    /// Where the decay is not in 0 to 1.
    pub fn ema(mut self, decay: f64) -> Self {
        self.averages = Some(Averages::new(&self.variables, decay));
        self
    }

    /// Mixed precision with a scaled loss (see [`autocast`](super::autocast) and [`LossScaler`]), in float16, which
    /// GPUs are faster with. A network that is on the CPU is trained in float32 all the same, and a note says so.
    pub fn mixed_precision(mut self) -> Self {
        self.scaler = self.device.is_cuda().then(LossScaler::new);
        if self.scaler.is_none() {
            crate::cell::note("mixed_precision: the network is not on a GPU, and is trained in float32".to_owned());
        }
        self
    }

    /// Ends the training after so many epochs without progress in what is watched, and brings the weights of the best
    /// epoch back.
    ///
    /// # Panics
    ///
    /// Where it is 0.
    pub fn early_stopping(mut self, patience: usize) -> Self {
        assert!(patience > 0, "Trainer: a patience of 0 would end the training at once; give at least 1");
        self.watch.patience = Some(patience);
        self
    }

    /// What decides which epoch is the best, such as `monitor("validation accuracy", optim::Better::Higher)`. The
    /// validation loss otherwise, or the loss where nothing is validated.
    pub fn monitor(mut self, name: impl Into<String>, better: Better) -> Self {
        self.watch.name = Some(name.into());
        self.watch.better = better;
        self
    }

    /// By how much a value must be better to count as progress. Default 0.
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.watch.min_delta = delta;
        self
    }

    /// Writes the weights after each epoch into a folder, as `last.safetensors`, those of the best epoch, as
    /// `best.safetensors`, and the state of the optimiser, as `optimizer.safetensors`. [`Trainer::resume`] goes on from
    /// there.
    pub fn checkpoint(mut self, folder: impl Into<PathBuf>) -> Self {
        self.checkpoint = Some(Checkpoint(folder.into()));
        self
    }

    /// No progress bar.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Draws the curves of the losses while it trains.
    pub fn live_plot(mut self) -> Self {
        self.live = true;
        self
    }

    /// What the epochs measured so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The learning rate of the next step.
    pub fn lr(&self) -> f64 {
        self.lr
    }
}

/// How far it is.
impl Debug for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: usize = self.optimizer.trainable_variables().iter().map(Tensor::numel).sum();
        write!(f, "<trainer of {parameters} parameters on {:?}, {} epochs done>", self.device, self.history.len())
    }
}
