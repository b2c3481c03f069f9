//! The loop over epochs and batches.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tch::nn::{ModuleT, Optimizer, OptimizerConfig, VarStore, Variables};
use tch::{Device, Tensor};

use super::checkpoint::{Checkpoint, read_weights};
use super::history::VALIDATION;
use super::report::Report;
use super::stopping::Watch;
use super::work::{Batches, Evaluation, Means, Outcome, Work, evaluate};
use super::{Epoch, History, Loader, LossScaler, TrainError, anomaly, autocast};
use crate::checkpoint::checkpoint;
use crate::io::StateDict;
use crate::lock::lock;
use crate::metrics;
use crate::modes::no_grad;
use crate::nn;
use crate::optim::{Better, Ema, ReduceLROnPlateau, Schedule};

/// The mean loss of a batch from outputs and targets.
type Loss = Rc<dyn Fn(&Tensor, &Tensor) -> Tensor>;
type Metrics = Vec<(String, fn(&Tensor, &Tensor) -> f64)>;

/// When a schedule moves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Epoch,
    Step,
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
    schedule: Option<(Pace, Box<dyn Schedule>)>,
    plateau: Option<ReduceLROnPlateau>,
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
        Self { ema: Ema::of(named(variables), decay), is_in: false }
    }
}

/// Variables as [`Ema`] takes them.
fn named(variables: &[(String, Tensor)]) -> impl Iterator<Item = (&str, &Tensor)> {
    variables.iter().map(|(name, variable)| (name.as_str(), variable))
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
        let mut variables: Vec<_> = vs.variables().into_iter().collect();
        variables.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            optimizer,
            variables,
            store: vs.variables_.clone(),
            device: vs.device(),
            loss: Rc::new(nn::cross_entropy),
            metrics: vec![("accuracy".to_owned(), metrics::accuracy)],
            has_usual_metric: true,
            epochs: 1,
            lr,
            schedule: None,
            plateau: None,
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
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.expect_no_schedule();
        (self.schedule, self.plateau) = (None, None);
        self.schedule = Some((Pace::Epoch, Box::new(schedule)));
        self
    }

    /// The learning rate of each step of the optimiser, from 0.
    ///
    /// # Panics
    ///
    /// As [`Trainer::schedule`].
    pub fn schedule_steps(mut self, schedule: impl Schedule + 'static) -> Self {
        self.expect_no_schedule();
        (self.schedule, self.plateau) = (None, None);
        self.schedule = Some((Pace::Step, Box::new(schedule)));
        self
    }

    /// Lowers the learning rate when what is watched (see [`Trainer::monitor`]) gets no better.
    ///
    /// # Panics
    ///
    /// As [`Trainer::schedule`].
    pub fn reduce_lr_on_plateau(mut self, plateau: ReduceLROnPlateau) -> Self {
        self.expect_no_schedule();
        (self.schedule, self.plateau) = (None, None);
        self.plateau = Some(plateau);
        self
    }

    #[track_caller]
    fn expect_no_schedule(&self) {
        assert!(
            self.steps > 0 || (self.schedule.is_none() && self.plateau.is_none()),
            "Trainer: the learning rate follows one of `schedule`, `schedule_steps` and `reduce_lr_on_plateau`, given once: each sets it anew, so \
             another would have no effect"
        );
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

    /// Mixed precision with a scaled loss (see [`autocast`] and [`LossScaler`]), in float16, which GPUs are faster
    /// with. A network that is on the CPU is trained in float32 all the same, and a note says so.
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

    /// Writes the weights after each epoch into a folder, as `last.safetensors`, and those of the best epoch, as
    /// `best.safetensors`. [`Trainer::resume`] goes on from there.
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

    /// Takes weights, history and learning-rate schedule up from the folder of [`Trainer::checkpoint`], and says how
    /// many epochs were done. Where there is nothing in it yet, it is 0. What the optimiser keeps for itself, such as a
    /// momentum, begins anew: libtorch has no way to save it from here.
    ///
    /// # Errors
    ///
    /// Where no folder was given, or a file cannot be read or is of another network.
    pub fn resume(&mut self) -> Result<usize, TrainError> {
        let checkpoint = self.folder("history.json")?;
        if checkpoint.last().exists() {
            let (history, steps) = checkpoint.read()?;
            self.read(&checkpoint.last())?;
            (self.history, self.steps) = (history, steps);
            if let Some(epoch) = self.history.epochs().last() {
                self.set_lr(epoch.lr);
            }
            self.look_back()?;
            if self.watch.patience.is_some() && checkpoint.best().exists() {
                let best = StateDict::read(checkpoint.best())?;
                self.watch.keep(self.variables.iter().filter_map(|(name, _)| best.get(name)));
            }
        }
        Ok(self.history.len())
    }

    /// Takes the weights of the best epoch from the folder of [`Trainer::checkpoint`].
    ///
    /// # Errors
    ///
    /// Where there are none, or they are of another network.
    pub fn load_best(&mut self) -> Result<(), TrainError> {
        let checkpoint = self.folder("best.safetensors")?;
        self.read(&checkpoint.best())
    }

    /// The folder to read a file from.
    fn folder(&self, file: &str) -> Result<Checkpoint, TrainError> {
        self.checkpoint.clone().ok_or_else(|| TrainError::Checkpoint {
            action: "read",
            path: PathBuf::from(file),
            source: std::io::Error::other(
                "no folder was given: say it by `.checkpoint(\"folder\")` where the trainer is made",
            ),
        })
    }

    /// Takes weights from a file. Averages begin anew with them.
    fn read(&mut self, path: &Path) -> Result<(), TrainError> {
        self.is_still_of_the_store()?;
        read_weights(&self.variables, path)?;
        if let Some(averages) = &mut self.averages {
            *averages = Averages::new(&self.variables, averages.ema.decay);
        }
        Ok(())
    }

    /// What the epochs measured so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The learning rate of the next step.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Runs the epochs on inputs and targets. Returns the history, which a cell that ends with this call shows.
    ///
    /// # Errors
    ///
    /// Where the loss is no longer finite, a batch cannot be read, there is none, or a checkpoint cannot be written.
    /// What was learned before stays.
    pub fn fit(
        &mut self,
        net: &dyn ModuleT,
        train: &dyn Loader<(Tensor, Tensor)>,
        validation: Option<&dyn Loader<(Tensor, Tensor)>>,
    ) -> Result<&History, TrainError> {
        let mut step = self.step(net);
        self.run(&mut Batches { train, validation, step: &mut step, epoch: None })?;
        Ok(&self.history)
    }

    /// Runs the epochs on batches of any kind: a function makes an [`Outcome`] of each, and is told whether this is
    /// training.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let images = DataLoader::new(digits(), 64);
    /// let vs = nn::VarStore::new(device());
    /// let encode = nn::linear(&vs.root() / "encode", 64, 8, Default::default());
    /// let decode = nn::linear(&vs.root() / "decode", 8, 64, Default::default());
    /// let mut trainer = Trainer::new(&vs, nn::Adam::default(), 1e-2)?.epochs(2);
    /// trainer.fit_with(&images, None, |(x, _), _training| {
    ///     let x = x.to_device(device()).flatten(1, -1);
    ///     train::Outcome::new(decode.forward(&encode.forward(&x).relu()).mse_loss(&x, Reduction::Mean))
    /// })?;
    /// assert_eq!(trainer.history().len(), 2);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Trainer::fit`].
    pub fn fit_with<S>(
        &mut self,
        train: &dyn Loader<S>,
        validation: Option<&dyn Loader<S>>,
        mut step: impl FnMut(&S, bool) -> Outcome,
    ) -> Result<&History, TrainError> {
        self.run(&mut Batches { train, validation, step: &mut step, epoch: None })?;
        Ok(&self.history)
    }

    /// The mean loss and metrics over a data set, outside training and without gradients.
    ///
    /// # Errors
    ///
    /// Where a batch cannot be read, or there is none.
    pub fn evaluate(&self, net: &dyn ModuleT, loader: &dyn Loader<(Tensor, Tensor)>) -> Result<Evaluation, TrainError> {
        evaluate(loader, &mut self.step(net))
    }

    /// The outputs for all inputs of a data set, one after the other along the first dimension, on the CPU; outside
    /// training and without gradients.
    ///
    /// # Errors
    ///
    /// As [`Trainer::evaluate`].
    pub fn predict(&self, net: &dyn ModuleT, loader: &dyn Loader<(Tensor, Tensor)>) -> Result<Tensor, TrainError> {
        let mut outputs = Vec::new();
        for (index, batch) in loader.epoch(None).enumerate() {
            checkpoint();
            let (xs, _) = batch.map_err(|source| TrainError::Batch { batch: index + 1, source })?;
            outputs.push(no_grad(|| net.forward_t(&xs.to_device(self.device), false)).to_device(Device::Cpu));
        }
        if outputs.is_empty() {
            return Err(TrainError::Empty);
        }
        Ok(Tensor::f_cat(&outputs, 0)?)
    }

    /// What is done with a batch of inputs and targets.
    fn step<'a>(&self, net: &'a dyn ModuleT) -> impl FnMut(&(Tensor, Tensor), bool) -> Outcome + 'a {
        let (loss, metrics, device) = (Rc::clone(&self.loss), self.metrics.clone(), self.device);
        move |(xs, targets), training| {
            let (xs, targets) = (xs.to_device(device), targets.to_device(device));
            let outputs = net.forward_t(&xs, training);
            let samples = targets.size().first().map_or(1, |samples| *samples as usize);
            let mut outcome = Outcome::new(loss(&outputs, &targets)).samples(samples);
            for (name, metric) in &metrics {
                outcome = outcome.metric(name.clone(), metric(&outputs, &targets));
            }
            outcome
        }
    }

    /// Brings what watches the epochs to where it was when the last one of the history ended.
    fn look_back(&mut self) -> Result<(), TrainError> {
        for epoch in 0..self.history.len() {
            let watched = self.watched(&self.history.epochs()[epoch].values)?;
            self.watch.see(watched);
            if let Some(plateau) = &mut self.plateau {
                let lr = plateau.step(watched);
                self.set_lr(lr);
            }
        }
        Ok(())
    }

    fn run(&mut self, work: &mut dyn Work) -> Result<(), TrainError> {
        let batches = work.batches();
        if batches == 0 {
            return Err(TrainError::Empty);
        }
        self.is_still_of_the_store()?;
        self.watch.begin();
        self.average(false);
        let mut report = Report::new(self.epochs, self.quiet, self.live);
        for _ in 0..self.epochs {
            let (epoch, begun) = (self.history.len() + 1, Instant::now());
            if let Some((Pace::Epoch, schedule)) = &self.schedule {
                self.set_lr(schedule.lr(epoch - 1));
            }
            report.begin(epoch, batches);
            let mut values = self.run_epoch(epoch, work, &report)?;
            self.average(true);
            if let Some(evaluation) = work.validate()? {
                values
                    .extend(evaluation.values.into_iter().map(|(name, value)| (format!("{VALIDATION}{name}"), value)));
            }
            let watched = self.watched(&values)?;
            report.end(epoch, &values);
            self.history.push(Epoch { epoch, values, lr: self.lr, seconds: begun.elapsed().as_secs_f64() });
            let is_best = self.watch.see(watched);
            if is_best {
                self.watch.keep(self.variables.iter().map(|(_, variable)| variable));
            }
            if let Some(checkpoint) = &self.checkpoint {
                checkpoint.write(&self.variables, &self.history, self.steps, is_best)?;
            }
            if let Some(plateau) = &mut self.plateau {
                let lr = plateau.step(watched);
                self.set_lr(lr);
            }
            if self.watch.is_over() {
                report.stop("no more progress");
                break;
            }
            self.average(false);
        }
        self.average(true);
        self.watch.restore(&mut self.variables);
        Ok(())
    }

    fn is_still_of_the_store(&self) -> Result<(), TrainError> {
        let store = lock(&self.store);
        let is_there = |name: &String, variable: &Tensor| {
            store.named_variables.get(name).is_some_and(|there| there.data_ptr() == variable.data_ptr())
        };
        match self.variables.iter().find(|(name, variable)| !is_there(name, variable)) {
            Some((name, _)) => {
                let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer);
                Err(TrainError::Renewed { layer: layer.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// Puts the averages into the network, or the trained weights. An epoch that was cut short may have left either.
    fn average(&mut self, is_in: bool) {
        if let Some(averages) = &mut self.averages
            && averages.is_in != is_in
        {
            averages.ema.exchange(named(&self.variables));
            averages.is_in = is_in;
        }
    }

    /// The means over an epoch of training.
    fn run_epoch(
        &mut self,
        epoch: usize,
        work: &mut dyn Work,
        report: &Report,
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let batches = work.batches();
        let mut means = Means::default();
        work.begin(epoch as u64 - 1);
        for batch in 0..batches {
            checkpoint();
            let statistics = self.statistics();
            let outcome = if self.scaler.is_some() { autocast(true, || work.next()) } else { work.next() };
            let Some(outcome) = outcome else { break };
            let outcome = outcome.map_err(|source| TrainError::Batch { batch: batch + 1, source })?;
            let value = outcome.loss.detach().double_value(&[]);
            if !value.is_finite() {
                no_grad(|| statistics.into_iter().for_each(|(mut variable, before)| variable.copy_(&before)));
                let cause = anomaly::in_variables(&self.variables).err();
                return Err(TrainError::NotFinite { epoch, batch: batch + 1, value, cause });
            }
            let place = batch % self.accumulate;
            // The last group of an epoch may be smaller.
            let group = self.accumulate.min(batches - (batch - place));
            self.learn(&outcome.loss, place, group);
            if self.scaler.as_ref().is_some_and(LossScaler::is_spent) {
                // A further `fit` begins with a new one.
                self.scaler = Some(LossScaler::new());
                return Err(TrainError::Gradients { epoch, batch: batch + 1 });
            }
            means.add(value, &outcome);
            report.batch(&means);
        }
        Ok(means.values())
    }

    /// What a forward pass changes, the statistics of batch norms, each with a copy of what it is now.
    fn statistics(&self) -> Vec<(Tensor, Tensor)> {
        let is_one = |name: &str| name.ends_with("running_mean") || name.ends_with("running_var");
        let all = self.variables.iter().filter(|(name, _)| is_one(name));
        all.map(|(_, variable)| (variable.shallow_clone(), variable.detach().copy())).collect()
    }

    /// Takes the gradients of one batch of a group, and with those of the last one a step.
    fn learn(&mut self, loss: &Tensor, place: usize, group: usize) {
        if place == 0 {
            self.optimizer.zero_grad();
        }
        let loss = if group > 1 { loss / group as f64 } else { loss.shallow_clone() };
        match &self.scaler {
            Some(scaler) => scaler.scale(&loss).backward(),
            None => loss.backward(),
        }
        if place + 1 < group {
            return;
        }
        if let Some((Pace::Step, schedule)) = &self.schedule {
            self.set_lr(schedule.lr(self.steps));
        }
        self.steps += 1;
        if let Some(scaler) = &mut self.scaler
            && !scaler.unscale(&self.optimizer.trainable_variables())
        {
            return;
        }
        if let Some(max) = self.clip_value {
            self.optimizer.clip_grad_value(max);
        }
        if let Some(max) = self.clip_norm {
            self.optimizer.clip_grad_norm(max);
        }
        self.optimizer.step();
        if let Some(averages) = &mut self.averages {
            averages.ema.take(named(&self.variables));
        }
    }

    /// The value that decides which epoch is the best.
    fn watched(&self, values: &[(String, f64)]) -> Result<f64, TrainError> {
        let get = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let found = match &self.watch.name {
            Some(name) => get(name),
            None => get(&format!("{VALIDATION}loss")).or_else(|| get("loss")),
        };
        found.ok_or_else(|| TrainError::NoSuchValue {
            name: self.watch.name.clone().unwrap_or_default(),
            known: values.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", "),
        })
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
        self.optimizer.set_lr(lr);
    }
}

/// How far it is.
impl Debug for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: usize = self.optimizer.trainable_variables().iter().map(Tensor::numel).sum();
        write!(f, "<trainer of {parameters} parameters on {:?}, {} epochs done>", self.device, self.history.len())
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::{self, Module};
    use tch::{Kind, Reduction};

    use super::*;
    use crate::data::{DataLoader, TensorDataset};
    use crate::nn::{Chain, seq};
    use crate::optim::{CosineAnnealingLR, StepLR};
    use crate::reference::Reference;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/train.json"))
    }

    /// The store of the script's network, with its first weights, and its data.
    struct Case {
        reference: Reference,
        vs: VarStore,
    }

    fn network(vs: &VarStore) -> crate::nn::Sequential {
        let root = vs.root();
        seq().add(nn::linear(&root / "hidden", 5, 8, Default::default())).tanh().add(nn::linear(
            &root / "out",
            8,
            3,
            Default::default(),
        ))
    }

    impl Case {
        fn new() -> (Self, crate::nn::Sequential) {
            let (reference, vs) = (reference(), VarStore::new(Device::Cpu));
            let net = network(&vs);
            reference.load("/weights", &vs);
            (Self { reference, vs }, net)
        }

        fn loader(&self, part: &str, batch_size: usize) -> DataLoader<TensorDataset> {
            let (xs, ys) = (self.reference.tensor(&format!("/{part}/x")), self.reference.tensor(&format!("/{part}/y")));
            DataLoader::new(TensorDataset::new(&xs, &ys).expect("pairs"), batch_size)
        }

        fn trainer(&self, config: impl OptimizerConfig, lr: f64) -> Trainer {
            Trainer::new(&self.vs, config, lr).expect("a trainer").quiet()
        }

        fn check(&self, pointer: &str, history: &History) {
            for (name, _) in &history.epochs().last().expect("an epoch").values {
                let expected = self.reference.numbers(&format!("{pointer}/{}", name.replace(' ', "_")));
                let actual = history.values(name);
                assert_eq!(actual.len(), expected.len(), "{pointer} {name}");
                for (actual, expected) in actual.iter().zip(&expected) {
                    assert!((actual - expected).abs() < 1e-4, "{pointer} {name}: {actual} instead of {expected}");
                }
            }
        }
    }

    fn weights(vs: &VarStore) -> Tensor {
        let mut variables: Vec<_> = vs.variables().into_iter().collect();
        variables.sort_by(|(a, _), (b, _)| a.cmp(b));
        Tensor::cat(&variables.iter().map(|(_, variable)| variable.detach().flatten(0, -1)).collect::<Vec<_>>(), 0)
    }

    #[test]
    fn losses_and_accuracies_are_those_of_the_same_loop_in_pytorch() {
        let (case, net) = Case::new();
        let mut trainer = case
            .trainer(nn::Sgd { momentum: 0.9, ..Default::default() }, 0.2)
            .epochs(6)
            .schedule(StepLR::new(0.2, 2, 0.5));
        trainer.fit(&net, &case.loader("train", 16), Some(&case.loader("test", 8))).expect("trains");
        case.check("/sgd", trainer.history());
        assert_eq!(
            trainer.history().epochs().iter().map(|epoch| epoch.lr).collect::<Vec<_>>(),
            [0.2, 0.2, 0.1, 0.1, 0.05, 0.05]
        );
    }

    #[test]
    fn schedules_of_steps_and_clipped_gradients_are_pytorchs() {
        let (case, net) = Case::new();
        let mut trainer = case
            .trainer(nn::Adam::default(), 0.05)
            .epochs(4)
            .schedule_steps(CosineAnnealingLR::new(0.05, 16))
            .clip_grad_norm(0.1);
        trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
        case.check("/adam", trainer.history());
    }

    #[test]
    fn gradients_that_stay_infinite_end_a_mixed_precision_run_and_not_the_next_one() {
        let (case, net) = Case::new();
        let train = case.loader("train", 15);
        // The slope of a root at 0 is infinite, the loss is not.
        let at_zero = |outputs: &Tensor, targets: &Tensor| {
            outputs.cross_entropy_for_logits(targets) + (outputs - outputs.detach()).abs().sqrt().sum(Kind::Float)
        };
        let before = weights(&case.vs);
        let mut trainer = case.trainer(nn::Sgd::default(), 0.1).epochs(10).loss(at_zero);
        // On the CPU nothing is scaled unless a test says so.
        trainer.scaler = Some(LossScaler::new());
        let error = trainer.fit(&net, &train, None).expect_err("no step can be taken");
        assert!(matches!(error, TrainError::Gradients { epoch: 7, batch: 3 }), "{error}");
        assert_eq!(weights(&case.vs), before);
        let mut trainer = trainer.epochs(1).loss(|outputs, targets| outputs.cross_entropy_for_logits(targets));
        trainer.fit(&net, &train, None).expect("trains");
        assert_ne!(weights(&case.vs), before);
    }

    #[test]
    fn averages_are_validated_and_kept_and_training_goes_on_from_the_trained_weights() {
        // What a plain run has after each of its steps.
        let (case, net) = Case::new();
        let train = case.loader("train", 60);
        let mut plain = case.trainer(nn::Sgd::default(), 0.3);
        let mut expected = weights(&case.vs);
        let mut trained = Vec::new();
        for _ in 0..4 {
            plain.fit(&net, &train, None).expect("trains");
            trained.push(weights(&case.vs));
            expected = expected * 0.5 + trained.last().expect("just pushed") * 0.5;
        }
        let (case, net) = Case::new();
        let mut averaged = case.trainer(nn::Sgd::default(), 0.3).epochs(2).ema(0.5);
        for _ in 0..2 {
            averaged.fit(&net, &train, Some(&case.loader("test", 21))).expect("trains");
        }
        assert!(weights(&case.vs).allclose(&expected, 1e-5, 1e-6, false));
        let validated = averaged.history().last("validation loss").expect("was validated");
        let seen = averaged.evaluate(&net, &case.loader("test", 21)).expect("evaluates").values[0].1;
        assert!((validated - seen).abs() < 1e-9, "{validated} instead of {seen}");
        averaged.average(false);
        assert!(weights(&case.vs).allclose(&trained[3], 1e-5, 1e-6, false));
    }

    #[test]
    fn averages_begin_anew_with_the_weights_of_a_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let averaged = |case: &Case| case.trainer(nn::Sgd::default(), 0.3).ema(0.5).checkpoint(folder.path());
        let (case, net) = Case::new();
        averaged(&case).fit(&net, &case.loader("train", 60), None).expect("trains");
        let written = weights(&case.vs);
        let (case, net) = Case::new();
        let mut resumed = averaged(&case);
        assert_eq!(resumed.resume().expect("reads"), 1);
        assert_eq!(weights(&case.vs), written);
        // Steps of a rate of 0 leave both as they are.
        resumed.set_lr(0.0);
        resumed.fit(&net, &case.loader("train", 60), None).expect("trains");
        assert!(weights(&case.vs).allclose(&written, 1e-6, 1e-7, false));
    }

    #[test]
    fn gradients_of_several_batches_are_those_of_a_larger_one() {
        let after = |batch_size, accumulate| {
            let (case, net) = Case::new();
            let mut trainer = case.trainer(nn::Sgd::default(), 0.3).epochs(2).accumulate(accumulate);
            trainer.fit(&net, &case.loader("train", batch_size), None).expect("trains");
            weights(&case.vs)
        };
        assert!(after(15, 2).allclose(&after(30, 1), 1e-5, 1e-6, false));
        assert!(!after(15, 1).allclose(&after(30, 1), 1e-3, 1e-3, false));
        // Four batches in groups of three: the last one stands alone.
        assert!(after(15, 3).isfinite().all().int64_value(&[]) == 1);
    }

    #[test]
    fn early_stopping_ends_the_training_and_brings_the_best_weights_back() {
        let (case, net) = Case::new();
        let valid = case.loader("test", 8);
        // A rate so high that it only gets worse after some time.
        let mut trainer = case.trainer(nn::Sgd::default(), 3.0).epochs(100).early_stopping(3);
        trainer.fit(&net, &case.loader("train", 16), Some(&valid)).expect("trains");
        let losses = trainer.history().values("validation loss");
        let (best, lowest) = losses
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(at, loss)| (at, *loss))
            .expect("losses");
        assert_eq!(losses.len(), best + 1 + 3, "{losses:?}");
        assert!(losses.len() < 100, "it should have become worse: {losses:?}");
        let now = trainer.evaluate(&net, &valid).expect("evaluates").get("loss").expect("a loss");
        assert!((now - lowest).abs() < 1e-6, "{now} instead of {lowest}");
    }

    #[test]
    fn a_training_that_is_taken_up_goes_on_as_if_it_had_not_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let train = |epochs: usize, resume: bool, folder: &std::path::Path| {
            let (case, net) = Case::new();
            let mut trainer = case
                .trainer(nn::Sgd::default(), 0.2)
                .schedule_steps(CosineAnnealingLR::new(0.2, 24))
                .checkpoint(folder);
            let done = if resume { trainer.resume().expect("resumes") } else { 0 };
            let mut trainer = trainer.epochs(epochs - done);
            trainer.fit(&net, &case.loader("train", 16).shuffle(1), None).expect("trains");
            (weights(&case.vs), trainer.history().values("loss"))
        };
        let whole = train(6, false, &folder.path().join("whole"));
        let _ = train(2, true, &folder.path().join("parts"));
        let parts = train(6, true, &folder.path().join("parts"));
        assert!(parts.0.equal(&whole.0));
        // What is written as JSON may differ in the last digit.
        assert_eq!(parts.1.len(), whole.1.len());
        assert!(parts.1.iter().zip(&whole.1).all(|(part, whole)| (part - whole).abs() < 1e-12), "{:?}", parts.1);
    }

    #[test]
    fn a_checkpoint_that_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (case, net) = Case::new();
        let mut trainer = case.trainer(nn::Sgd::default(), 0.2).checkpoint(folder.path());
        trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
        let before = weights(&case.vs);
        let _ = no_grad(|| case.vs.variables()["out.bias"].shallow_clone().fill_(9.0));
        trainer.load_best().expect("loads");
        assert!(weights(&case.vs).equal(&before));

        let vs = VarStore::new(Device::Cpu);
        let _other = nn::linear(&vs.root() / "hidden", 4, 8, Default::default());
        let error = |trainer: &mut Trainer| trainer.load_best().expect_err("another network").to_string();
        let mut other = Trainer::new(&vs, nn::Sgd::default(), 0.1).expect("a trainer").checkpoint(folder.path());
        assert!(error(&mut other).contains("hidden.weight: [8, 5] there, [8, 4] here"), "{}", error(&mut other));
        std::fs::write(folder.path().join("best.safetensors"), b"short").expect("writes");
        assert!(error(&mut trainer).contains("best.safetensors cannot be used"), "{}", error(&mut trainer));
        std::fs::remove_file(folder.path().join("best.safetensors")).expect("removes");
        assert!(error(&mut trainer).contains("cannot read"), "{}", error(&mut trainer));
    }

    #[test]
    fn a_loss_that_is_no_number_ends_the_training_before_it_is_learned() {
        let (case, net) = Case::new();
        let mut batches = 0;
        let mut trainer = case.trainer(nn::Sgd::default(), 0.1);
        let before = weights(&case.vs);
        let error = trainer
            .fit_with(&case.loader("train", 16), None, |(xs, _), _| {
                batches += 1;
                Outcome::new(net.forward(xs).mean(Kind::Float) * if batches == 1 { f64::NAN } else { 1.0 })
            })
            .expect_err("a NaN");
        assert!(error.to_string().starts_with("the loss of batch 1 in epoch 1 is NaN"), "{error}");
        assert!(error.to_string().contains("All weights are finite"), "{error}");
        assert!(weights(&case.vs).equal(&before) && trainer.history().is_empty());
    }

    #[test]
    fn outputs_come_in_the_order_of_the_inputs() {
        let (case, net) = Case::new();
        let trainer = case.trainer(nn::Sgd::default(), 0.1);
        let outputs = trainer.predict(&net, &case.loader("test", 5)).expect("predicts");
        assert!(outputs.allclose(&net.forward(&case.reference.tensor("/test/x")), 1e-6, 1e-6, false));
        assert!(!outputs.requires_grad());
        let empty = DataLoader::new(
            TensorDataset::new(
                &Tensor::zeros([0, 5], (Kind::Float, Device::Cpu)),
                &Tensor::zeros([0], (Kind::Int64, Device::Cpu)),
            )
            .expect("pairs"),
            4,
        );
        assert!(matches!(trainer.predict(&net, &empty), Err(TrainError::Empty)));
    }

    #[test]
    fn what_is_watched_must_be_measured() {
        let (case, net) = Case::new();
        let mut trainer = case
            .trainer(nn::Sgd::default(), 0.1)
            .loss(|outputs, targets| outputs.cross_entropy_loss(targets, None::<Tensor>, Reduction::Mean, -100, 0.0))
            .monitor("validation accuracy", Better::Higher);
        let error = trainer.fit(&net, &case.loader("train", 16), None).expect_err("not measured").to_string();
        assert_eq!(error, "there is no \"validation accuracy\" among what an epoch measures: \"loss\"");
    }

    #[test]
    fn the_best_checkpoint_stays_when_a_training_that_is_taken_up_gets_worse() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (case, net) = Case::new();
        let (train, valid) = (case.loader("train", 16), case.loader("test", 8));
        let mut trainer = case.trainer(nn::Sgd::default(), 0.2).epochs(6).checkpoint(folder.path());
        trainer.fit(&net, &train, Some(&valid)).expect("trains");
        let lowest = trainer.history().values("validation loss").into_iter().fold(f64::INFINITY, f64::min);

        let mut trainer = case.trainer(nn::Sgd::default(), 0.2).epochs(1).early_stopping(1).checkpoint(folder.path());
        assert_eq!(trainer.resume().expect("resumes"), 6);
        trainer.set_lr(50.0);
        trainer.fit(&net, &train, Some(&valid)).expect("trains");
        let loss = |trainer: &Trainer| trainer.evaluate(&net, &valid).expect("evaluates").get("loss").expect("a loss");
        assert!((loss(&trainer) - lowest).abs() < 1e-6, "the best weights come back: {}", loss(&trainer));
        trainer.load_best().expect("loads");
        assert!((loss(&trainer) - lowest).abs() < 1e-6, "and are in the file: {}", loss(&trainer));
    }

    #[test]
    fn a_further_fit_brings_the_best_weights_of_all_back() {
        let (case, net) = Case::new();
        let valid = case.loader("test", 8);
        let mut trainer = case.trainer(nn::Sgd::default(), 0.2).epochs(6).early_stopping(3);
        trainer.fit(&net, &case.loader("train", 16), Some(&valid)).expect("trains");
        trainer.set_lr(50.0);
        trainer.fit(&net, &case.loader("train", 16), Some(&valid)).expect("trains");
        let lowest = trainer.history().values("validation loss").into_iter().fold(f64::INFINITY, f64::min);
        let now = trainer.evaluate(&net, &valid).expect("evaluates").get("loss").expect("a loss");
        assert!((now - lowest).abs() < 1e-6, "{now} instead of {lowest}");
    }

    #[test]
    fn a_rate_that_fell_on_a_plateau_stays_low_when_the_training_is_taken_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rates = || {
            let (case, net) = Case::new();
            let plateau = ReduceLROnPlateau::new(1e-6).patience(0).threshold(0.5);
            let mut trainer = case
                .trainer(nn::Sgd::default(), 1e-6)
                .epochs(3)
                .reduce_lr_on_plateau(plateau)
                .checkpoint(folder.path());
            trainer.resume().expect("resumes");
            trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
            trainer.history().epochs().iter().map(|epoch| epoch.lr).collect::<Vec<_>>()
        };
        let first = rates();
        let all = rates();
        assert_eq!((&all[..3], all.len()), (&first[..], 6));
        assert!(all.windows(2).all(|pair| pair[1] <= pair[0]) && all[5] < all[2], "{all:?}");
    }

    #[test]
    fn settings_do_not_undo_each_other() {
        let (case, net) = Case::new();
        let own = |_: &Tensor, _: &Tensor| 7.0;
        let squares = |outputs: &Tensor, _: &Tensor| outputs.square().mean(Kind::Float);
        for trainer in [
            case.trainer(nn::Sgd::default(), 0.1).metric("own", own).loss(squares),
            case.trainer(nn::Sgd::default(), 0.1).loss(squares).metric("own", own),
        ] {
            let mut trainer = trainer;
            trainer.fit(&net, &case.loader("train", 16), None).expect("trains");
            let names = trainer.history().epochs()[0].values.iter().map(|(name, _)| name.as_str());
            assert_eq!(names.collect::<Vec<_>>(), ["loss", "own"]);
        }
        let twice = |add: fn(Trainer) -> Trainer| {
            let trainer = Case::new().0.trainer(nn::Sgd::default(), 0.1).schedule(StepLR::new(0.2, 2, 0.5));
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| add(trainer))).expect_err("two rates");
            panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()))
        };
        for add in [
            |trainer: Trainer| trainer.schedule(StepLR::new(0.1, 2, 0.5)),
            |trainer: Trainer| trainer.schedule_steps(StepLR::new(0.1, 2, 0.5)),
            |trainer: Trainer| trainer.reduce_lr_on_plateau(ReduceLROnPlateau::new(0.1)),
        ] {
            assert!(twice(add).is_some_and(|text| text.contains("follows one of")));
        }
        let mut trained = case.trainer(nn::Sgd::default(), 0.1).schedule(StepLR::new(0.2, 2, 0.5));
        trained.fit(&net, &case.loader("train", 16), None).expect("trains");
        assert!(trained.schedule_steps(StepLR::new(0.1, 2, 0.5)).plateau.is_none());
        let error = case.trainer(nn::Sgd::default(), 0.1).resume().expect_err("no folder").to_string();
        assert!(error.contains("no folder was given"), "{error}");
    }

    #[test]
    fn a_batch_that_is_no_number_leaves_the_statistics_of_a_batch_norm_alone() {
        let vs = VarStore::new(Device::Cpu);
        let net = nn::seq_t().add(nn::batch_norm1d(&vs.root() / "norm", 5, Default::default())).add(nn::linear(
            &vs.root() / "out",
            5,
            3,
            Default::default(),
        ));
        let xs = Tensor::full([16, 5], f64::NAN, (Kind::Float, Device::Cpu));
        let data = TensorDataset::new(&xs, &Tensor::zeros([16], (Kind::Int64, Device::Cpu))).expect("pairs");
        let mut trainer = Trainer::new(&vs, nn::Sgd::default(), 0.1).expect("a trainer").quiet();
        let before = weights(&vs);
        let error = trainer.fit(&net, &DataLoader::new(data, 8), None).expect_err("a NaN").to_string();
        assert!(weights(&vs).equal(&before) && error.contains("All weights are finite"), "{error}");
    }
}
