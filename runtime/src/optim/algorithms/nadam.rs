//! NAdam.

use tch::Device;

use crate::optim::optimizer::{STEP, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

use super::{EXP_AVG, EXP_AVG_SQ, averages, decayed};

const MU_PRODUCT: &str = "mu_product";

optimizer_config! {
    /// Adam with Nesterov's momentum (T. Dozat, Incorporating Nesterov momentum into Adam, 2016), as
    /// `torch.optim.NAdam`, whose learning rate is 0.002 if nothing else is said:
    ///
    /// ```text
    /// mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)
    /// m = beta1 * m + (1 - beta1) * g
    /// v = beta2 * v + (1 - beta2) * g * g
    /// h = mu_(t+1) * m / (1 - mu_1 * .. * mu_(t+1)) + (1 - mu_t) * g / (1 - mu_1 * .. * mu_t)
    /// p = p - lr * h / (sqrt(v / (1 - beta2^t)) + eps)
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = optim::NAdam::default().build(&vs, 0.002)?;
    /// optimizer.backward_step(&w.square().sum(Kind::Float));
    /// assert!(w.double_value(&[0]) < 1.0);
    /// ```
    pub struct NAdam {
        /// The decay rate of the average of the gradients. Default 0.9.
        beta1: f64 = 0.9 => "beta1",
        /// The decay rate of the average of their squares. Default 0.999.
        beta2: f64 = 0.999 => "beta2",
        /// Keeps the divisor from 0. Default 1e-8.
        eps: f64 = 1e-8 => "eps",
        /// The weight decay. Default 0.
        wd: f64 = 0.0 => "weight_decay",
        /// How fast the momentum grows to `beta1`. Default 0.004.
        momentum_decay: f64 = 4e-3 => "momentum_decay",
        /// Whether the weight decay is apart from the gradient, as that of [`AdamW`](crate::nn::AdamW). Default false.
        decoupled_weight_decay: bool = false => "decoupled_weight_decay",
    }
}

impl Algorithm for NAdam {
    fn name(&self) -> &'static str {
        "NAdam"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        let Self { beta1, beta2, eps, .. } = *self;
        let mu = |step: f64| beta1 * (1.0 - 0.5 * 0.96_f64.powf(step * self.momentum_decay));
        for Parameter { value, grad, state } in parameters {
            let step = state.count();
            let grad = decayed(grad, value, lr, self.wd, self.decoupled_weight_decay);
            let (mean, squares) = averages(state, value, &grad, beta1, beta2);
            let mut product = state.number(MU_PRODUCT, 1.0, Device::Cpu);
            product *= mu(step);
            let product = product.double_value(&[]);
            let (now, next) = (mu(step), mu(step + 1.0));
            let divisor = (squares / (1.0 - beta2.powf(step))).sqrt() + eps;
            *value -= grad / &divisor * (lr * (1.0 - now) / (1.0 - product));
            *value -= mean / divisor * (lr * next / (1.0 - product * next));
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[EXP_AVG, EXP_AVG_SQ, MU_PRODUCT, STEP]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }
}
