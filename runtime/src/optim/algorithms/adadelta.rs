//! Adadelta.

use crate::optim::optimizer::{STEP, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

use super::{average_squares, coupled};

const SQUARE_AVG: &str = "square_avg";
const ACC_DELTA: &str = "acc_delta";

optimizer_config! {
    /// Adadelta: steps in the unit of the parameters (M. Zeiler, ADADELTA: an adaptive learning rate method, 2012), as
    /// `torch.optim.Adadelta`, whose learning rate is 1 if nothing else is said:
    ///
    /// ```text
    /// g = g + wd * p
    /// v = rho * v + (1 - rho) * g * g
    /// d = sqrt(u + eps) / sqrt(v + eps) * g
    /// u = rho * u + (1 - rho) * d * d
    /// p = p - lr * d
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = optim::Adadelta::default().build(&vs, 1.0)?;
    /// optimizer.backward_step(&w.square().sum(Kind::Float));
    /// assert!(w.double_value(&[0]) < 1.0);
    /// ```
    pub struct Adadelta {
        /// The decay rate of both averages of squares. Default 0.9.
        rho: f64 = 0.9 => "rho",
        /// Keeps the divisor from 0, and the first step from being 0. Default 1e-6.
        eps: f64 = 1e-6 => "eps",
        /// The weight decay, which is part of the gradient. Default 0.
        wd: f64 = 0.0 => "weight_decay",
    }
}

impl Algorithm for Adadelta {
    fn name(&self) -> &'static str {
        "Adadelta"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        for Parameter { value, grad, state } in parameters {
            let _ = state.count();
            let grad = coupled(grad, value, self.wd);
            let mut squares = state.zeros_like(SQUARE_AVG, value);
            average_squares(&mut squares, &grad, self.rho);
            let mut deltas = state.zeros_like(ACC_DELTA, value);
            let delta = (&deltas + self.eps).sqrt() / (squares + self.eps).sqrt() * grad;
            average_squares(&mut deltas, &delta, self.rho);
            *value -= delta * lr;
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[SQUARE_AVG, ACC_DELTA, STEP]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }
}
