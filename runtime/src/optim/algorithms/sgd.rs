//! Stochastic gradient descent.

use tch::Tensor;

use crate::optim::optimizer::{FusedSgd, optimizer_config};
use crate::optim::{Algorithm, Parameter, Setting};

const BUFFER: &str = "momentum_buffer";

optimizer_config! {
    /// Stochastic gradient descent, with momentum if wanted (I. Sutskever et al., On the importance of initialization
    /// and momentum in deep learning, 2013), as `torch.optim.SGD(fused=True)`:
    ///
    /// ```text
    /// g = g + wd * p
    /// b = momentum * b + (1 - dampening) * g, at the first step b = g
    /// p = p - lr * b, with nesterov p = p - lr * (g + momentum * b)
    /// ```
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let w = vs.root().ones("w", &[2]);
    /// let mut optimizer = nn::Sgd { momentum: 0.9, ..Default::default() }.build(&vs, 0.25)?;
    /// optimizer.backward_step(&w.sum(Kind::Float));
    /// assert_eq!(w.double_value(&[0]), 0.75);
    /// ```
    pub struct Sgd {
        /// How much of the last step goes into the next one. Default 0.
        momentum: f64 = 0.0 => "momentum",
        /// How much less a gradient counts in the momentum. Default 0.
        dampening: f64 = 0.0 => "dampening",
        /// The weight decay, which is part of the gradient. Default 0.
        wd: f64 = 0.0 => "weight_decay",
        /// Nesterov's momentum. Default false.
        nesterov: bool = false => "nesterov",
    }
}

/// [`Sgd`] by its settings.
pub fn sgd(momentum: f64, dampening: f64, wd: f64, nesterov: bool) -> Sgd {
    Sgd { momentum, dampening, wd, nesterov }
}

impl Algorithm for Sgd {
    fn name(&self) -> &'static str {
        "SGD"
    }

    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]) {
        let Self { momentum, dampening, wd: weight_decay, nesterov } = *self;
        let fused = FusedSgd { nesterov, lr, momentum, dampening, weight_decay };
        if momentum == 0.0 {
            let state: Vec<Vec<Tensor>> = parameters.iter().map(|_| Vec::new()).collect();
            fused.step(false, parameters, &state);
            return;
        }
        let (first, later) = partition(parameters, |parameter| !parameter.state.has(BUFFER));
        for (is_first, parameters) in [(true, first), (false, later)] {
            let buffer = |parameter: &mut Parameter<'_>| vec![parameter.state.zeros_like(BUFFER, &parameter.value)];
            let state: Vec<Vec<Tensor>> = parameters.iter_mut().map(buffer).collect();
            fused.step(is_first, parameters, &state);
        }
    }

    fn state(&self) -> &'static [&'static str] {
        &[BUFFER]
    }

    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        self.settings()
    }

    fn check(&self) -> Result<(), String> {
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            return Err("SGD: nesterov needs a momentum above 0 and no dampening".to_owned());
        }
        Ok(())
    }

    fn takes_sparse(&self) -> bool {
        true
    }
}

/// Those for which it is true, then the others.
fn partition<'p, 's>(
    parameters: &'p mut [Parameter<'s>],
    is_first: impl Fn(&Parameter<'s>) -> bool,
) -> (&'p mut [Parameter<'s>], &'p mut [Parameter<'s>]) {
    parameters.sort_by_key(|parameter| !is_first(parameter));
    let count = parameters.partition_point(&is_first);
    parameters.split_at_mut(count)
}
