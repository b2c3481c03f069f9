//! Adagrad.

use crate::optim::optimizer::{STEP, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

use super::coupled;

const SUM: &str = "sum";

optimizer_config! {
    /// Adagrad: gradients over the root of the sum of all their squares so far, for gradients that are rare (J. Duchi
    /// et al., Adaptive subgradient methods for online learning and stochastic optimization, 2011), as
    /// `torch.optim.Adagrad`, whose learning rate is 0.01 if nothing else is said:
    ///
    /// ```text
    /// g = g + wd * p
    /// s = s + g * g
    /// p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = optim::Adagrad::default().build(&vs, 0.25)?;
    /// optimizer.backward_step(&(&w * 7.0).sum(Kind::Float));
    /// assert!((w.double_value(&[0]) - 0.75).abs() < 1e-6);
    /// ```
    pub struct Adagrad {
        /// By how much the learning rate falls with the steps. Default 0.
        lr_decay: f64 = 0.0 => "lr_decay",
        /// The weight decay, which is part of the gradient. Default 0.
        wd: f64 = 0.0 => "weight_decay",
        /// Where the sum of squares begins. Default 0.
        initial_accumulator_value: f64 = 0.0 => "initial_accumulator_value",
        /// Keeps the divisor from 0. Default 1e-10.
        eps: f64 = 1e-10 => "eps",
    }
}

impl Algorithm for Adagrad {
    fn name(&self) -> &'static str {
        "Adagrad"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        for Parameter { value, grad, state } in parameters {
            let rate = lr / (1.0 + (state.count() - 1.0) * self.lr_decay);
            let grad = coupled(grad, value, self.wd);
            let mut sum = state.like(SUM, value, |value| value.full_like(self.initial_accumulator_value));
            sum += grad.square();
            *value -= grad / (sum.sqrt() + self.eps) * rate;
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[SUM, STEP]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }

    fn takes_sparse(&self) -> bool {
        true
    }
}
