//! L-BFGS, which takes many evaluations of a loss for each step.

mod saved;
mod strong_wolfe;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use tch::nn::VarStore;
use tch::{TchError, Tensor};

use self::strong_wolfe::{Point, strong_wolfe};
use super::optimizer::{Flat, forget_gradients};
use crate::modes::no_grad;

/// L-BFGS: Newton's method with a curvature that is estimated from the last gradients (J. Nocedal, Updating
/// quasi-Newton matrices with limited storage, 1980), as `torch.optim.LBFGS`. For losses that are the same at each
/// evaluation, such as of all data at once: least squares, physics-informed networks, style transfer. There is one
/// group of parameters.
///
/// A step is given a closure that computes the loss, and calls it several times. It forgets the gradients before and
/// calls `backward` after it.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let xy = vs.root().var_copy("xy", &Tensor::from_slice(&[-1.5f32, 2.0]));
/// let mut optimizer = optim::LBFGS::default().strong_wolfe(true).build(&vs, 1.0)?;
/// for _ in 0..5 {
///     optimizer.step(|| {
///         let (x, y) = (xy.get(0), xy.get(1));
///         (&x - 1.0).square() + (y - x.square()).square() * 100.0 // Rosenbrock's valley.
///     });
/// }
/// assert!((xy - 1.0).abs().max().double_value(&[]) < 1e-3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LBFGS {
    /// How many iterations a step has at most. Default 20.
    pub max_iter: usize,
    /// How many evaluations of the loss a step has at most. Default `max_iter * 5 / 4`.
    pub max_eval: Option<usize>,
    /// A step ends when no element of the gradient is greater. Default 1e-7.
    pub tolerance_grad: f64,
    /// A step ends when neither the loss nor the parameters change by more. Default 1e-9.
    pub tolerance_change: f64,
    /// How many gradients are kept for the curvature, each as large as all parameters. Default 100.
    pub history_size: usize,
    /// Whether to search for a length of each iteration that meets the strong Wolfe conditions (`line_search_fn`).
    /// Without it, it is the learning rate. Default false.
    pub strong_wolfe: bool,
}

impl Default for LBFGS {
    fn default() -> Self {
        Self {
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            strong_wolfe: false,
        }
    }
}

impl LBFGS {
    /// How many iterations a step has at most. Default 20.
    pub fn max_iter(self, max_iter: usize) -> Self {
        Self { max_iter, ..self }
    }

    /// How many evaluations of the loss a step has at most. Default `max_iter * 5 / 4`.
    pub fn max_eval(self, max_eval: usize) -> Self {
        Self { max_eval: Some(max_eval), ..self }
    }

    /// A step ends when no element of the gradient is greater. Default 1e-7.
    pub fn tolerance_grad(self, tolerance_grad: f64) -> Self {
        Self { tolerance_grad, ..self }
    }

    /// A step ends when neither the loss nor the parameters change by more. Default 1e-9.
    pub fn tolerance_change(self, tolerance_change: f64) -> Self {
        Self { tolerance_change, ..self }
    }

    /// How many gradients are kept for the curvature, each as large as all parameters. Default 100.
    pub fn history_size(self, history_size: usize) -> Self {
        Self { history_size, ..self }
    }

    /// Whether to search for a length of each iteration that meets the strong Wolfe conditions. Default false.
    pub fn strong_wolfe(self, strong_wolfe: bool) -> Self {
        Self { strong_wolfe, ..self }
    }

    /// An optimiser for the variables of a store, with a learning rate, which is 1 as a rule.
    ///
    /// # Errors
    ///
    /// Where a setting is out of its range.
    pub fn build(self, vs: &VarStore, lr: f64) -> Result<LBFGSOptimizer, TchError> {
        let numbers =
            [("lr", lr), ("tolerance_grad", self.tolerance_grad), ("tolerance_change", self.tolerance_change)];
        if let Some((name, value)) = numbers.into_iter().find(|(_, value)| value.is_nan() || *value < 0.0) {
            return Err(TchError::Torch(format!("LBFGS: {name} is {value}; it must be at least 0")));
        }
        if self.history_size == 0 {
            return Err(TchError::Torch("LBFGS: history_size is 0; it must be at least 1".to_owned()));
        }
        Ok(LBFGSOptimizer { config: self, lr, parameters: Flat::of(vs), memory: Memory::default(), steps: 0 })
    }

    fn most_evaluations(&self) -> usize {
        self.max_eval.unwrap_or(self.max_iter * 5 / 4)
    }
}

/// What [`LBFGS`] builds: an optimiser whose step is given the loss as a closure.
pub struct LBFGSOptimizer {
    config: LBFGS,
    lr: f64,
    parameters: Flat,
    memory: Memory,
    steps: usize,
}

/// What is kept from iteration to iteration, of all parameters as one vector.
#[derive(Debug, Default)]
struct Memory {
    iterations: usize,
    evaluations: usize,
    /// In which the last iteration went, and how far.
    direction: Option<Tensor>,
    length: f64,
    gradient: Option<Tensor>,
    pairs: VecDeque<Pair>,
    /// The scale of the curvature at the beginning.
    scale: f64,
}

/// By how much the gradient and the parameters changed in an iteration.
#[derive(Debug)]
struct Pair {
    gradient: Tensor,
    parameters: Tensor,
    /// Over their product.
    rho: f64,
}

impl Memory {
    /// Takes the last iteration into the history, and gives the direction of the next one.
    fn next_direction(&mut self, gradient: &Tensor, history_size: usize) -> Tensor {
        let (Some(direction), Some(before)) = (&self.direction, &self.gradient) else {
            self.scale = 1.0;
            return gradient.neg();
        };
        let (change, step) = (gradient - before, direction * self.length);
        let product = dot(&change, &step);
        if product > 1e-10 {
            if self.pairs.len() >= history_size {
                self.pairs.pop_front();
            }
            self.scale = product / dot(&change, &change);
            self.pairs.push_back(Pair { gradient: change, parameters: step, rho: 1.0 / product });
        }
        self.newton(gradient)
    }

    /// The estimated inverse of the curvature times the gradient, downwards: the two loops of Nocedal's paper.
    fn newton(&self, gradient: &Tensor) -> Tensor {
        let mut direction = gradient.neg();
        let mut factors = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let factor = dot(&pair.parameters, &direction) * pair.rho;
            direction -= &pair.gradient * factor;
            factors.push(factor);
        }
        direction *= self.scale;
        for (pair, factor) in self.pairs.iter().zip(factors.into_iter().rev()) {
            let back = dot(&pair.gradient, &direction) * pair.rho;
            direction += &pair.parameters * (factor - back);
        }
        direction
    }
}

/// A product of two vectors.
fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.dot(b).double_value(&[])
}

/// The largest element, whatever its sign.
fn largest(vector: &Tensor) -> f64 {
    vector.abs().max().double_value(&[])
}

impl LBFGSOptimizer {
    /// Changes the parameters so that the loss that a closure computes falls. Gives the loss before the step.
    ///
    /// The closure may call `backward` itself. It should not depend on chance, such as dropout or another batch at each
    /// call.
    ///
    /// # Panics
    ///
    /// Where the loss does not depend on the parameters.
    pub fn step(&mut self, mut loss: impl FnMut() -> Tensor) -> f64 {
        self.steps += 1;
        if self.parameters.take_up() {
            // The history is of a shorter vector.
            self.memory = Memory::default();
        }
        let (first, gradient) = self.evaluate(&mut loss);
        if gradient.numel() > 0 && largest(&gradient) > self.config.tolerance_grad {
            no_grad(|| self.iterate(&mut loss, first, gradient));
        }
        first
    }

    fn iterate(&mut self, loss: &mut dyn FnMut() -> Tensor, first: f64, mut gradient: Tensor) {
        let LBFGS { max_iter, tolerance_grad, tolerance_change, history_size, .. } = self.config;
        let most_evaluations = self.config.most_evaluations();
        let (mut value, mut evaluations) = (first, 1);
        for iteration in 1..=max_iter {
            self.memory.iterations += 1;
            let direction = self.memory.next_direction(&gradient, history_size);
            let is_first = self.memory.iterations == 1;
            let mut length = self.lr;
            if is_first {
                length *= (1.0 / gradient.abs().sum(None).double_value(&[])).min(1.0);
            }
            let slope = dot(&gradient, &direction);
            self.memory.gradient = Some(gradient.shallow_clone());
            self.memory.direction = Some(direction.shallow_clone());
            self.memory.length = length;
            if slope > -tolerance_change {
                break;
            }
            let before = value;
            let evaluated = if self.config.strong_wolfe {
                let start = Point { length: 0.0, value, gradient: gradient.shallow_clone(), slope };
                let most = most_evaluations.saturating_sub(evaluations);
                let (found, count) = self.search(loss, start, length, &direction, most);
                (value, gradient, length) = (found.value, found.gradient, found.length);
                self.parameters.add(length, &direction);
                count
            } else {
                self.parameters.add(length, &direction);
                // Nobody would use that of the last iteration.
                if iteration < max_iter {
                    (value, gradient) = self.evaluate(loss);
                    1
                } else {
                    0
                }
            };
            self.memory.length = length;
            evaluations += evaluated;
            let is_over = evaluations >= most_evaluations
                || largest(&gradient) <= tolerance_grad
                || largest(&direction) * length.abs() <= tolerance_change
                || (value - before).abs() < tolerance_change;
            if is_over {
                break;
            }
        }
    }

    /// A length of a step in a direction by strong Wolfe conditions. The parameters are afterwards as they were.
    fn search(
        &mut self,
        loss: &mut dyn FnMut() -> Tensor,
        start: Point,
        length: f64,
        direction: &Tensor,
        most: usize,
    ) -> (Point, usize) {
        let origin = self.parameters.copy();
        let smallest = self.config.tolerance_change / largest(direction);
        let mut at = |length: f64| {
            self.parameters.add(length, direction);
            let (value, gradient) = self.evaluate(loss);
            self.parameters.set(&origin);
            Point { length, value, slope: dot(&gradient, direction), gradient }
        };
        strong_wolfe(&mut at, start, length, smallest, most)
    }

    /// The loss, and the gradient of all parameters.
    fn evaluate(&mut self, loss: &mut dyn FnMut() -> Tensor) -> (f64, Tensor) {
        self.memory.evaluations += 1;
        forget_gradients(&self.parameters.variables());
        let value = tch::with_grad(&mut *loss);
        // As in Python, the closure may have called it.
        if self.parameters.has_no_gradients() {
            value.backward();
        }
        (value.double_value(&[]), no_grad(|| self.parameters.gradient()))
    }

    /// How many steps were taken, also before the state was saved and loaded.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// How often the loss was evaluated in all steps.
    pub fn evaluations(&self) -> usize {
        self.memory.evaluations
    }

    /// The learning rate.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Sets the learning rate.
    pub fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    /// Forgets all gradients; a step does so itself.
    pub fn zero_grad(&mut self) {
        self.parameters.take_up();
        forget_gradients(&self.parameters.variables());
    }
}

/// The settings.
impl fmt::Debug for LBFGSOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with lr {}", self.config, self.lr)
    }
}
