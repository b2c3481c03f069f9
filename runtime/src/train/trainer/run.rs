//! How a trainer runs: its epochs, their batches, and what it takes up from a checkpoint.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use tch::nn::ModuleT;
use tch::{Device, Tensor};

use super::{Averages, Rate, Trainer};
use crate::checkpoint::checkpoint;
use crate::io::StateDict;
use crate::lock::lock;
use crate::modes::no_grad;
use crate::train::checkpoint::{Checkpoint, read_weights};
use crate::train::report::Report;
use crate::train::work::{Batches, Means, Work, evaluate, value_of};
use crate::train::{
    Epoch, Evaluation, History, Loader, LossScaler, Outcome, TrainError, VALIDATION, anomaly, autocast,
};

impl Trainer {
    /// Takes weights, history, learning-rate schedule and the state of the optimiser, such as a momentum, up from the
    /// folder of [`Trainer::checkpoint`], and says how many epochs were done. Where there is nothing in it yet, it is
    /// 0.
    ///
    /// # Errors
    ///
    /// Where no folder was given, or a file cannot be read or is of another network or optimiser.
    pub fn resume(&mut self) -> Result<usize, TrainError> {
        let checkpoint = self.folder("history.json")?;
        if checkpoint.last().exists() {
            let (history, steps) = checkpoint.read()?;
            self.read(&checkpoint.last())?;
            // A folder of an earlier version has none.
            if checkpoint.optimizer().exists() {
                self.optimizer.load(checkpoint.optimizer())?;
            }
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
                "no folder was given: give one with `.checkpoint(\"folder\")` when you make the trainer",
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

    /// Runs the epochs on inputs and targets. Returns the history, which a cell that ends with this call shows.
    ///
    /// The batches come from a [`DataLoader`](crate::data::DataLoader), or from a data set: then they have
    /// [`BATCH_SIZE`](crate::train::BATCH_SIZE) samples, 32, which are mixed anew for each epoch of training.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let (train, test) = digits().split(0.2, 42)?;
    /// let vs = nn::VarStore::new(device());
    /// let net = nn::seq().flatten().add(nn::linear(vs.root(), 64, 10, Default::default()));
    /// let mut trainer = Trainer::new(&vs, nn::Adam::default(), 1e-2)?.epochs(2);
    /// trainer.fit(&net, &train, Some(&test))?;
    /// assert!(trainer.evaluate(&net, &test)?.get("accuracy").is_some_and(|accuracy| accuracy > 0.8));
    /// ```
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
        self.fit_with(train, validation, self.step(net))
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
            self.see(watched);
        }
        Ok(())
    }

    /// Tells what watches the epochs of one that has ended, and says whether it is the best so far.
    fn see(&mut self, watched: f64) -> bool {
        if let Rate::Plateau(plateau) = &mut self.rate {
            let lr = plateau.step(watched);
            self.set_lr(lr);
        }
        self.watch.see(watched)
    }

    fn run(&mut self, work: &mut dyn Work) -> Result<(), TrainError> {
        let batches = work.batches();
        if batches == 0 {
            return Err(TrainError::Empty);
        }
        if work.lacks_validation() {
            return Err(TrainError::EmptyValidation);
        }
        self.is_still_of_the_store()?;
        self.watch.begin();
        self.average(false);
        let mut report = Report::new(self.epochs, self.quiet, self.live);
        for _ in 0..self.epochs {
            let (epoch, begun) = (self.history.len() + 1, Instant::now());
            if let Rate::OfEpochs(schedule) = &self.rate {
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
            let is_best = self.see(watched);
            if is_best {
                self.watch.keep(self.variables.iter().map(|(_, variable)| variable));
            }
            if let Some(checkpoint) = &self.checkpoint {
                checkpoint.write(&self.variables, &self.optimizer, &self.history, self.steps, is_best)?;
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
    pub(super) fn average(&mut self, is_in: bool) {
        if let Some(averages) = &mut self.averages
            && averages.is_in != is_in
        {
            averages.ema.exchange(&self.variables);
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
        if let Rate::OfSteps(schedule) = &self.rate {
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
            averages.ema.take(&self.variables);
        }
    }

    /// The value that decides which epoch is the best.
    fn watched(&self, values: &[(String, f64)]) -> Result<f64, TrainError> {
        let get = |name: &str| value_of(values, name);
        let found = match &self.watch.name {
            Some(name) => get(name),
            None => get(&format!("{VALIDATION}loss")).or_else(|| get("loss")),
        };
        found.ok_or_else(|| TrainError::NoSuchValue {
            name: self.watch.name.clone().unwrap_or_default(),
            known: values.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", "),
        })
    }

    pub(super) fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
        self.optimizer.set_lr(lr);
    }
}
