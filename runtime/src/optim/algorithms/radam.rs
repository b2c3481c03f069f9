//! RAdam.

use crate::optim::optimizer::{STEP, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

use super::{EXP_AVG, EXP_AVG_SQ, averages, decayed};

optimizer_config! {
    /// Adam that needs no warm-up: while too few gradients were seen to know their variance, it steps as SGD with
    /// momentum (L. Liu et al., On the variance of the adaptive learning rate and beyond, 2020), as
    /// `torch.optim.RAdam`:
    ///
    /// ```text
    /// m = beta1 * m + (1 - beta1) * g
    /// v = beta2 * v + (1 - beta2) * g * g
    /// rho = r - 2 * t * beta2^t / (1 - beta2^t), with r = 2 / (1 - beta2) - 1
    /// p = p - lr * m / (1 - beta1^t), where rho is at most 5; otherwise
    /// p = p - lr * m / (1 - beta1^t) * sqrt(1 - beta2^t) / (sqrt(v) + eps)
    ///           * sqrt((rho - 4) * (rho - 2) * r / ((r - 4) * (r - 2) * rho))
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = optim::RAdam::default().build(&vs, 1e-3)?;
    /// optimizer.backward_step(&w.square().sum(Kind::Float));
    /// assert!(w.double_value(&[0]) < 1.0);
    /// ```
    pub struct RAdam {
        /// The decay rate of the average of the gradients. Default 0.9.
        beta1: f64 = 0.9 => "beta1",
        /// The decay rate of the average of their squares. Default 0.999.
        beta2: f64 = 0.999 => "beta2",
        /// Keeps the divisor from 0. Default 1e-8.
        eps: f64 = 1e-8 => "eps",
        /// The weight decay. Default 0.
        wd: f64 = 0.0 => "weight_decay",
        /// Whether the weight decay is apart from the gradient, as that of [`AdamW`](crate::nn::AdamW). Default false.
        decoupled_weight_decay: bool = false => "decoupled_weight_decay",
    }
}

impl RAdam {
    /// What a step is multiplied by after so many, where their variance is known.
    fn rectification(&self, step: f64) -> Option<f64> {
        let most = 2.0 / (1.0 - self.beta2) - 1.0;
        let decay = self.beta2.powf(step);
        let rho = most - 2.0 * step * decay / (1.0 - decay);
        let part = |rho: f64| (rho - 4.0) * (rho - 2.0) / rho;
        (rho > 5.0).then(|| (part(rho) / part(most)).sqrt() * (1.0 - decay).sqrt())
    }
}

impl Algorithm for RAdam {
    fn name(&self) -> &'static str {
        "RAdam"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        let Self { beta1, beta2, eps, .. } = *self;
        for Parameter { value, grad, state } in parameters {
            let step = state.count();
            let grad = decayed(grad, value, lr, self.wd, self.decoupled_weight_decay);
            let (mean, squares) = averages(state, value, &grad, beta1, beta2);
            let update = mean * (lr / (1.0 - beta1.powf(step)));
            *value -= match self.rectification(step) {
                Some(factor) => update / (squares.sqrt() + eps) * factor,
                None => update,
            };
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[EXP_AVG, EXP_AVG_SQ, STEP]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }
}
