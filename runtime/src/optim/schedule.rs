//! Learning rates as functions of time: the schedules of `torch.optim.lr_scheduler`, in closed form.
//!
//! A schedule has no state. Ask it for the rate of an epoch (or of a step, if it counts steps) and set that:
//!
//! ```
//! use oxtorch::prelude::*;
//! let vs = nn::VarStore::new(device());
//! let net = nn::linear(vs.root(), 4, 2, Default::default());
//! let mut optimizer = nn::Sgd::default().build(&vs, 0.1)?;
//! let schedule = optim::CosineAnnealingLR::new(0.1, 20);
//! for epoch in 0..20 {
//!     optimizer.set_lr(schedule.lr(epoch));
//! }
//! assert_eq!(schedule.lr(0), 0.1);
//! assert!(schedule.lr(20) < 1e-12);
//! ```
//!
//! So a run that goes on from a checkpoint goes on with the right rate. With several parameter groups, set that of
//! each: `optimizer.set_lr_group(1, 0.1 * schedule.lr(epoch))`.

use std::f64::consts::PI;
use std::fmt;

/// A learning rate for each epoch or step, counted from 0.
pub trait Schedule {
    /// The learning rate at a time.
    fn lr(&self, time: usize) -> f64;
}

/// `lr * gamma^(time / step_size)`, the quotient rounded down: the rate falls by `gamma` each `step_size` epochs.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::StepLR::new(0.5, 30, 0.1);
/// assert_eq!(schedule.lr(29), 0.5);
/// assert_eq!(schedule.lr(30), 0.05);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StepLR {
    lr: f64,
    step_size: usize,
    gamma: f64,
}

impl StepLR {
    /// From a first rate.
    ///
    /// # Panics
    ///
    /// Where `step_size` is 0.
    pub fn new(lr: f64, step_size: usize, gamma: f64) -> Self {
        assert!(step_size > 0, "StepLR: a step_size of 0 epochs; give at least 1");
        Self { lr, step_size, gamma }
    }
}

impl Schedule for StepLR {
    fn lr(&self, time: usize) -> f64 {
        self.lr * self.gamma.powi((time / self.step_size) as i32)
    }
}

/// The rate falls by `gamma` at each of some milestones.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::MultiStepLR::new(1.0, &[30, 80], 0.5);
/// assert_eq!((schedule.lr(29), schedule.lr(30), schedule.lr(80)), (1.0, 0.5, 0.25));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiStepLR {
    lr: f64,
    milestones: Vec<usize>,
    gamma: f64,
}

impl MultiStepLR {
    /// From a first rate; the milestones may be in any order.
    pub fn new(lr: f64, milestones: &[usize], gamma: f64) -> Self {
        Self { lr, milestones: milestones.to_vec(), gamma }
    }
}

impl Schedule for MultiStepLR {
    fn lr(&self, time: usize) -> f64 {
        let passed = self.milestones.iter().filter(|milestone| **milestone <= time).count();
        self.lr * self.gamma.powi(passed as i32)
    }
}

/// `lr * gamma^time`.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(optim::ExponentialLR::new(1.0, 0.5).lr(3), 0.125);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ExponentialLR {
    lr: f64,
    gamma: f64,
}

impl ExponentialLR {
    /// From a first rate.
    pub fn new(lr: f64, gamma: f64) -> Self {
        Self { lr, gamma }
    }
}

impl Schedule for ExponentialLR {
    fn lr(&self, time: usize) -> f64 {
        self.lr * self.gamma.powi(time as i32)
    }
}

/// `lr * factor` for the first `total` epochs, then `lr`.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::ConstantLR::new(1.0, 0.5, 4);
/// assert_eq!((schedule.lr(3), schedule.lr(4)), (0.5, 1.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConstantLR {
    lr: f64,
    factor: f64,
    total: usize,
}

impl ConstantLR {
    /// With the rate that comes after.
    pub fn new(lr: f64, factor: f64, total: usize) -> Self {
        Self { lr, factor, total }
    }
}

impl Schedule for ConstantLR {
    fn lr(&self, time: usize) -> f64 {
        if time < self.total { self.lr * self.factor } else { self.lr }
    }
}

/// From `lr * start` to `lr * end` in a straight line over `total` epochs, then constant: a warm-up, for one.
///
/// ```
/// use oxtorch::prelude::*;
/// let warmup = optim::LinearLR::new(1.0, 0.5, 1.0, 4);
/// assert_eq!((warmup.lr(0), warmup.lr(2), warmup.lr(4), warmup.lr(9)), (0.5, 0.75, 1.0, 1.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinearLR {
    lr: f64,
    start: f64,
    end: f64,
    total: usize,
}

impl LinearLR {
    /// `start` and `end` are factors of `lr`.
    pub fn new(lr: f64, start: f64, end: f64, total: usize) -> Self {
        Self { lr, start, end, total }
    }
}

impl Schedule for LinearLR {
    fn lr(&self, time: usize) -> f64 {
        self.lr * (self.start + (self.end - self.start) * progress(time, self.total))
    }
}

/// `lr * (1 - time / total)^power`, then 0.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::PolynomialLR::new(1.0, 4, 2.0);
/// assert_eq!((schedule.lr(0), schedule.lr(2), schedule.lr(4)), (1.0, 0.25, 0.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PolynomialLR {
    lr: f64,
    total: usize,
    power: f64,
}

impl PolynomialLR {
    /// From a first rate.
    pub fn new(lr: f64, total: usize, power: f64) -> Self {
        Self { lr, total, power }
    }
}

impl Schedule for PolynomialLR {
    fn lr(&self, time: usize) -> f64 {
        self.lr * (1.0 - progress(time, self.total)).powf(self.power)
    }
}

/// `eta_min + (lr - eta_min) * (1 + cos(pi * time / t_max)) / 2`: half a wave from `lr` down to `eta_min` in `t_max`
/// epochs (I. Loshchilov and F. Hutter, SGDR, 2017). Beyond `t_max` the wave rises again.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::CosineAnnealingLR::new(1.0, 10).eta_min(0.2);
/// assert!((schedule.lr(5) - 0.6).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CosineAnnealingLR {
    lr: f64,
    t_max: usize,
    eta_min: f64,
}

impl CosineAnnealingLR {
    /// Down to 0 in `t_max` epochs.
    pub fn new(lr: f64, t_max: usize) -> Self {
        Self { lr, t_max, eta_min: 0.0 }
    }

    /// The lowest rate.
    pub fn eta_min(mut self, eta_min: f64) -> Self {
        self.eta_min = eta_min;
        self
    }
}

impl Schedule for CosineAnnealingLR {
    fn lr(&self, time: usize) -> f64 {
        between(self.lr, self.eta_min, time as f64 / self.t_max.max(1) as f64)
    }
}

/// Cosine annealing that begins anew after `t_0` epochs, then after `t_0 * t_mult`, and so on (SGDR).
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::CosineAnnealingWarmRestarts::new(1.0, 10, 2);
/// assert_eq!((schedule.lr(10), schedule.lr(30)), (1.0, 1.0));
/// assert!((schedule.lr(20) - 0.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    lr: f64,
    t_0: usize,
    t_mult: usize,
    eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// Down to 0 each time.
    ///
    /// # Panics
    ///
    /// Where `t_0` or `t_mult` is 0.
    pub fn new(lr: f64, t_0: usize, t_mult: usize) -> Self {
        assert!(t_0 > 0 && t_mult > 0, "CosineAnnealingWarmRestarts: t_0 and t_mult must be at least 1");
        Self { lr, t_0, t_mult, eta_min: 0.0 }
    }

    /// The lowest rate.
    pub fn eta_min(mut self, eta_min: f64) -> Self {
        self.eta_min = eta_min;
        self
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn lr(&self, time: usize) -> f64 {
        let (mut since, mut period) = (time, self.t_0);
        if self.t_mult == 1 {
            since %= period;
        }
        while since >= period {
            since -= period;
            period *= self.t_mult;
        }
        between(self.lr, self.eta_min, since as f64 / period as f64)
    }
}

/// Up from `max_lr / 25` to `max_lr` in the first 30 % of the steps, then down to a 10,000th of the start, along
/// cosines (L. N. Smith and N. Topin, Super-Convergence, 2018). Counts steps, one for each batch.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::OneCycleLR::new(0.1, 100);
/// assert!((schedule.lr(0) - 0.004).abs() < 1e-12);
/// assert!((schedule.lr(29) - 0.1).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OneCycleLR {
    max_lr: f64,
    total: usize,
    pct_start: f64,
    div_factor: f64,
    final_div_factor: f64,
}

impl OneCycleLR {
    /// A cycle of so many steps in all: epochs times batches.
    pub fn new(max_lr: f64, total_steps: usize) -> Self {
        Self { max_lr, total: total_steps, pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }

    /// The part of the steps in which the rate rises, 0 to 1. Default 0.3.
    pub fn pct_start(mut self, part: f64) -> Self {
        self.pct_start = part;
        self
    }

    /// The first rate is `max_lr / div_factor`. Default 25.
    pub fn div_factor(mut self, factor: f64) -> Self {
        self.div_factor = factor;
        self
    }

    /// The last rate is the first one divided by that. Default 10,000.
    pub fn final_div_factor(mut self, factor: f64) -> Self {
        self.final_div_factor = factor;
        self
    }
}

impl Schedule for OneCycleLR {
    fn lr(&self, time: usize) -> f64 {
        let first = self.max_lr / self.div_factor;
        let peak = self.pct_start * self.total as f64 - 1.0;
        let last = self.total as f64 - 1.0;
        let time = (time as f64).min(last.max(0.0));
        if time <= peak {
            between(first, self.max_lr, if peak > 0.0 { time / peak } else { 1.0 })
        } else {
            between(self.max_lr, first / self.final_div_factor, (time - peak) / (last - peak))
        }
    }
}

/// `lr * factor(time)`, for any function.
///
/// ```
/// use oxtorch::prelude::*;
/// // The schedule of "Attention is all you need", for a model of 512 and 4,000 steps of warm-up.
/// let schedule = optim::LambdaLR::new(1.0, |step| {
///     let step = (step + 1) as f64;
///     512f64.powf(-0.5) * step.powf(-0.5).min(step * 4000f64.powf(-1.5))
/// });
/// assert!(schedule.lr(3999) > schedule.lr(100) && schedule.lr(3999) > schedule.lr(9000));
/// ```
pub struct LambdaLR {
    lr: f64,
    factor: Box<dyn Fn(usize) -> f64 + Send>,
}

impl LambdaLR {
    /// A rate, and its factor for each time.
    pub fn new(lr: f64, factor: impl Fn(usize) -> f64 + Send + 'static) -> Self {
        Self { lr, factor: Box::new(factor) }
    }
}

impl fmt::Debug for LambdaLR {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaLR").field("lr", &self.lr).finish_non_exhaustive()
    }
}

impl Schedule for LambdaLR {
    fn lr(&self, time: usize) -> f64 {
        self.lr * (self.factor)(time)
    }
}

/// One schedule after the other; each counts from 0 where it begins.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::SequentialLR::new(optim::LinearLR::new(1.0, 0.1, 1.0, 5))
///     .then(5, optim::ExponentialLR::new(1.0, 0.5));
/// assert_eq!((schedule.lr(5), schedule.lr(6)), (1.0, 0.5));
/// ```
pub struct SequentialLR {
    parts: Vec<(usize, Box<dyn Schedule + Send>)>,
}

impl SequentialLR {
    /// The first one.
    pub fn new(first: impl Schedule + Send + 'static) -> Self {
        Self { parts: vec![(0, Box::new(first))] }
    }

    /// The one that follows from a time on.
    ///
    /// # Panics
    ///
    /// Where that is not after the start of the one before.
    pub fn then(mut self, from: usize, next: impl Schedule + Send + 'static) -> Self {
        let before = self.parts.last().map_or(0, |(from, _)| *from);
        assert!(from > before, "SequentialLR: a schedule from {from} on cannot follow one that begins at {before}");
        self.parts.push((from, Box::new(next)));
        self
    }
}

/// When each schedule begins.
impl fmt::Debug for SequentialLR {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins: Vec<usize> = self.parts.iter().map(|(from, _)| *from).collect();
        f.debug_struct("SequentialLR").field("from", &begins).finish_non_exhaustive()
    }
}

impl Schedule for SequentialLR {
    fn lr(&self, time: usize) -> f64 {
        let part = self.parts.iter().rev().find(|(from, _)| *from <= time);
        part.map_or(0.0, |(from, schedule)| schedule.lr(time - from))
    }
}

/// A warm-up in a straight line from `lr / warmup` over `warmup` steps, then a cosine down to 0 at `total`: what most
/// language models are trained with.
///
/// ```
/// use oxtorch::prelude::*;
/// let schedule = optim::warmup_cosine(1e-3, 10, 100);
/// assert!((schedule.lr(0) - 1e-4).abs() < 1e-12 && (schedule.lr(10) - 1e-3).abs() < 1e-12);
/// assert!(schedule.lr(100) < 1e-12);
/// ```
///
/// # Panics
///
/// Where `warmup` is 0 or does not end before `total`.
pub fn warmup_cosine(lr: f64, warmup: usize, total: usize) -> SequentialLR {
    assert!(0 < warmup && warmup < total, "warmup_cosine: a warm-up of {warmup} steps does not fit into {total}");
    let first = LinearLR::new(lr, 1.0 / warmup as f64, 1.0, warmup);
    SequentialLR::new(first).then(warmup, CosineAnnealingLR::new(lr, total - warmup))
}

fn progress(time: usize, total: usize) -> f64 {
    if total == 0 { 1.0 } else { time.min(total) as f64 / total as f64 }
}

/// Along half a cosine from one value to the other.
fn between(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * part).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn the_rates_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../tests/reference/optim.json"));
        let schedules: Vec<(&str, Box<dyn Schedule>)> = vec![
            ("StepLR", Box::new(StepLR::new(0.1, 7, 0.5))),
            ("MultiStepLR", Box::new(MultiStepLR::new(0.1, &[5, 20, 21], 0.3))),
            ("ExponentialLR", Box::new(ExponentialLR::new(0.1, 0.9))),
            ("ConstantLR", Box::new(ConstantLR::new(0.1, 0.25, 6))),
            ("LinearLR", Box::new(LinearLR::new(0.1, 0.2, 0.9, 8))),
            ("PolynomialLR", Box::new(PolynomialLR::new(0.1, 25, 1.7))),
            ("CosineAnnealingLR", Box::new(CosineAnnealingLR::new(0.1, 15).eta_min(0.01))),
            ("CosineAnnealingWarmRestarts", Box::new(CosineAnnealingWarmRestarts::new(0.1, 5, 2).eta_min(0.001))),
            ("EqualRestarts", Box::new(CosineAnnealingWarmRestarts::new(0.1, 6, 1))),
            ("OneCycleLR", Box::new(OneCycleLR::new(0.1, 40))),
            (
                "OneCycleOther",
                Box::new(OneCycleLR::new(0.1, 40).pct_start(0.5).div_factor(10.0).final_div_factor(100.0)),
            ),
            ("LambdaLR", Box::new(LambdaLR::new(0.1, |time| 1.0 / (1.0 + time as f64)))),
            (
                "SequentialLR",
                Box::new(SequentialLR::new(LinearLR::new(0.1, 0.1, 1.0, 10)).then(10, ExponentialLR::new(0.1, 0.8))),
            ),
        ];
        for (name, schedule) in schedules {
            let expected = reference.numbers(&format!("/schedules/{name}"));
            assert_eq!(expected.len(), 40);
            for (time, expected) in expected.into_iter().enumerate() {
                let actual = schedule.lr(time);
                assert!((actual - expected).abs() < 1e-9, "{name} at {time}: {actual} instead of {expected}");
            }
        }
    }

    #[test]
    fn a_warm_up_that_does_not_end_is_refused() {
        let message = std::panic::catch_unwind(|| warmup_cosine(0.1, 10, 10)).expect_err("a panic");
        assert!(message.downcast_ref::<String>().is_some_and(|text| text.contains("10 steps does not fit into 10")));
    }
}
