//! Adam and AdamW.

use tch::Tensor;

use super::{EXP_AVG, EXP_AVG_SQ};
use crate::optim::optimizer::{FusedAdam, STEP, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

const MAX_EXP_AVG_SQ: &str = "max_exp_avg_sq";

optimizer_config! {
    /// Adam: steps of about the learning rate, whatever the scale of the gradients (D. Kingma and J. Ba, Adam: a method
    /// for stochastic optimization, 2015), as `torch.optim.Adam(fused=True)`.
    ///
    /// ```text
    /// g = g + wd * p
    /// m = beta1 * m + (1 - beta1) * g
    /// v = beta2 * v + (1 - beta2) * g * g
    /// p = p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = nn::Adam::default().build(&vs, 0.25)?;
    /// optimizer.backward_step(&(&w * 7.0).sum(Kind::Float));
    /// assert!((w.double_value(&[0]) - 0.75).abs() < 1e-6);
    /// ```
    pub struct Adam {
        /// The decay rate of the average of the gradients. Default 0.9.
        beta1: f64 = 0.9 => "beta1",
        /// The decay rate of the average of their squares. Default 0.999.
        beta2: f64 = 0.999 => "beta2",
        /// The weight decay, which is part of the gradient here; see [`AdamW`] for one that is not. Default 0.
        wd: f64 = 0.0 => "weight_decay",
        /// Keeps the divisor from 0. Default 1e-8.
        eps: f64 = 1e-8 => "eps",
        /// Whether to divide by the largest of the averages so far (S. Reddi et al., On the convergence of Adam and
        /// beyond, 2018). Default false.
        amsgrad: bool = false => "amsgrad",
    }
}

optimizer_config! {
    /// Adam with a weight decay apart from the gradient (I. Loshchilov and F. Hutter, Decoupled weight decay
    /// regularization, 2019), as `torch.optim.AdamW(fused=True)`: `p = p * (1 - lr * wd)` before a step of [`Adam`]
    /// without weight decay.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let net = nn::linear(vs.root(), 4, 2, Default::default());
    /// let mut optimizer = nn::AdamW::default().wd(0.1).beta2(0.95).build(&vs, 1e-3)?;
    /// let loss = net.forward(&Tensor::randn([8, 4], (Kind::Float, device()))).square().mean(Kind::Float);
    /// optimizer.backward_step(&loss);
    /// ```
    pub struct AdamW {
        /// The decay rate of the average of the gradients. Default 0.9.
        beta1: f64 = 0.9 => "beta1",
        /// The decay rate of the average of their squares. Default 0.999.
        beta2: f64 = 0.999 => "beta2",
        /// The weight decay. Default 0.01.
        wd: f64 = 0.01 => "weight_decay",
        /// Keeps the divisor from 0. Default 1e-8.
        eps: f64 = 1e-8 => "eps",
        /// Whether to divide by the largest of the averages so far. Default false.
        amsgrad: bool = false => "amsgrad",
    }
}

/// [`Adam`] by its most used settings.
pub fn adam(beta1: f64, beta2: f64, wd: f64) -> Adam {
    Adam { beta1, beta2, wd, ..Default::default() }
}

/// [`AdamW`] by its most used settings.
pub fn adamw(beta1: f64, beta2: f64, wd: f64) -> AdamW {
    AdamW { beta1, beta2, wd, ..Default::default() }
}

macro_rules! algorithm {
    ($config:ident, decoupled: $decoupled:literal) => {
        impl Algorithm for $config {
            fn name(&self) -> &'static str {
                stringify!($config)
            }

            fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
                let Self { beta1, beta2, wd: weight_decay, eps, amsgrad } = *self;
                let state: Vec<Vec<Tensor>> = parameters.iter_mut().map(|parameter| kept(parameter, amsgrad)).collect();
                FusedAdam { decoupled: $decoupled, lr, beta1, beta2, weight_decay, eps }.step(parameters, &state);
            }

            fn state(&self) -> &'static [&'static str] {
                &[EXP_AVG, EXP_AVG_SQ, MAX_EXP_AVG_SQ, STEP]
            }

            fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
                self.settings()
            }
        }
    };
}

algorithm!(Adam, decoupled: false);
algorithm!(AdamW, decoupled: true);

/// In the order that the kernel takes.
fn kept(parameter: &mut Parameter<'_>, amsgrad: bool) -> Vec<Tensor> {
    let Parameter { value, state, .. } = parameter;
    let mut kept = vec![
        state.zeros_like(EXP_AVG, value),
        state.zeros_like(EXP_AVG_SQ, value),
        state.number(STEP, 0.0, value.device()),
    ];
    if amsgrad {
        kept.push(state.zeros_like(MAX_EXP_AVG_SQ, value));
    }
    kept
}
