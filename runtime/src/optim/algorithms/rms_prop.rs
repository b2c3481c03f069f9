//! RMSprop.

use crate::optim::optimizer::{STEP, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

use super::{average_squares, coupled};

const SQUARE_AVG: &str = "square_avg";
const GRAD_AVG: &str = "grad_avg";
const BUFFER: &str = "momentum_buffer";

optimizer_config! {
    /// RMSprop: gradients over the root of an average of their squares (G. Hinton, lecture 6e of Neural networks for
    /// machine learning, 2012), as `torch.optim.RMSprop`:
    ///
    /// ```text
    /// g = g + wd * p
    /// v = alpha * v + (1 - alpha) * g * g
    /// p = p - lr * g / (sqrt(v) + eps)
    /// ```
    ///
    /// With a momentum, `b = momentum * b + g / (sqrt(v) + eps)` and `p = p - lr * b`. If it is centered, the square of
    /// an average of the gradients is taken from `v` below the root (A. Graves, Generating sequences with recurrent
    /// neural networks, 2013).
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = nn::RmsProp::default().build(&vs, 0.05)?;
    /// optimizer.backward_step(&(&w * 7.0).sum(Kind::Float));
    /// assert!((w.double_value(&[0]) - 0.5).abs() < 1e-5);
    /// ```
    pub struct RmsProp {
        /// The decay rate of the average of squares. Default 0.99.
        alpha: f64 = 0.99 => "alpha",
        /// Keeps the divisor from 0. Default 1e-8.
        eps: f64 = 1e-8 => "eps",
        /// The weight decay, which is part of the gradient. Default 0.
        wd: f64 = 0.0 => "weight_decay",
        /// How much of the last step goes into the next one. Default 0.
        momentum: f64 = 0.0 => "momentum",
        /// Whether to divide by the deviation of the gradients. Default false.
        centered: bool = false => "centered",
    }
}

/// [`RmsProp`] by its settings.
pub fn rms_prop(alpha: f64, eps: f64, wd: f64, momentum: f64, centered: bool) -> RmsProp {
    RmsProp { alpha, eps, wd, momentum, centered }
}

impl Algorithm for RmsProp {
    fn name(&self) -> &'static str {
        "RMSprop"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        for Parameter { value, grad, state } in parameters {
            let _ = state.count();
            let grad = coupled(grad, value, self.wd);
            let mut squares = state.zeros_like(SQUARE_AVG, value);
            average_squares(&mut squares, &grad, self.alpha);
            let variance = if self.centered {
                let mut mean = state.zeros_like(GRAD_AVG, value);
                let _ = mean.lerp_(&grad, 1.0 - self.alpha);
                squares - mean.square()
            } else {
                squares
            };
            let update = grad / (variance.sqrt() + self.eps);
            if self.momentum > 0.0 {
                let mut buffer = state.zeros_like(BUFFER, value);
                buffer *= self.momentum;
                buffer += update;
                *value -= buffer * lr;
            } else {
                *value -= update * lr;
            }
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[SQUARE_AVG, GRAD_AVG, BUFFER, STEP]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }
}
