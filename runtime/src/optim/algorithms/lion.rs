//! Lion.

use crate::optim::optimizer::optimizer_config;
use crate::optim::{Algorithm, Parameter, Setting};

use super::{EXP_AVG, decayed};

optimizer_config! {
    /// Lion: steps of the learning rate in the direction of the sign of a momentum, which keeps half as much as Adam
    /// (X. Chen et al., Symbolic discovery of optimization algorithms, 2023). The paper takes a learning rate 3 to 10
    /// times smaller than that of AdamW, and a weight decay as much larger:
    ///
    /// ```text
    /// u = sign(beta1 * m + (1 - beta1) * g)
    /// p = p * (1 - lr * wd) - lr * u
    /// m = beta2 * m + (1 - beta2) * g
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = optim::Lion::default().build(&vs, 0.25)?;
    /// optimizer.backward_step(&(&w * 7.0).sum(Kind::Float));
    /// assert_eq!(w.double_value(&[0]), 0.75);
    /// ```
    pub struct Lion {
        /// How much of the momentum is in a step. Default 0.9.
        beta1: f64 = 0.9 => "beta1",
        /// How much of the momentum is kept. Default 0.99.
        beta2: f64 = 0.99 => "beta2",
        /// The weight decay, apart from the gradient. Default 0.
        wd: f64 = 0.0 => "weight_decay",
    }
}

impl Algorithm for Lion {
    fn name(&self) -> &'static str {
        "Lion"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        for Parameter { value, grad, state } in parameters {
            let grad = decayed(grad, value, lr, self.wd, true);
            let mut momentum = state.zeros_like(EXP_AVG, value);
            *value -= momentum.lerp(&grad, 1.0 - self.beta1).sign() * lr;
            let _ = momentum.lerp_(&grad, 1.0 - self.beta2);
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[EXP_AVG]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }
}
