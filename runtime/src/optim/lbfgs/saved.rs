//! The state of L-BFGS in files.

use std::path::Path;

use tch::Tensor;

use super::{LBFGSOptimizer, Memory, Pair};
use crate::io::{FileError, StateDict, StateDictError};
use crate::optim::optimizer::{Reader, Writer};

const NAME: &str = "LBFGS";
const LR: &str = "group.0.lr";
const ITERATIONS: &str = "state.n_iter";
const EVALUATIONS: &str = "state.func_evals";
const LENGTH: &str = "state.t";
const SCALE: &str = "state.H_diag";
const DIRECTION: &str = "state.d";
const GRADIENT: &str = "state.prev_flat_grad";
const PAIRS: &str = "state.pairs";
const RHOS: &str = "state.ro";
const GRADIENTS: &str = "state.old_dirs";
const PARAMETERS: &str = "state.old_stps";

impl LBFGSOptimizer {
    /// All that the optimiser has besides the weights, as a copy on the CPU.
    pub fn state_dict(&self) -> StateDict {
        let (memory, mut writer) = (&self.memory, Writer::new(NAME, self.steps));
        let numbers = [
            (LR, self.lr),
            (ITERATIONS, memory.iterations as f64),
            (EVALUATIONS, memory.evaluations as f64),
            (LENGTH, memory.length),
            (SCALE, memory.scale),
            (PAIRS, memory.pairs.len() as f64),
        ];
        numbers.into_iter().for_each(|(name, value)| writer.number(name, value));
        for (name, vector) in [(DIRECTION, &memory.direction), (GRADIENT, &memory.gradient)] {
            if let Some(vector) = vector {
                writer.add(name, vector);
            }
        }
        for (at, pair) in memory.pairs.iter().enumerate() {
            writer.number(format!("{RHOS}.{at}"), pair.rho);
            writer.add(format!("{GRADIENTS}.{at}"), &pair.gradient);
            writer.add(format!("{PARAMETERS}.{at}"), &pair.parameters);
        }
        writer.finish()
    }

    /// Writes [`LBFGSOptimizer::state_dict`] to a file, `.safetensors` or `.npz`.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written, or has another ending.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        self.state_dict().save(path)
    }

    /// Takes up what [`LBFGSOptimizer::save`] has written; load the weights too.
    ///
    /// # Errors
    ///
    /// As [`LBFGSOptimizer::load_state_dict`], or where the file cannot be read.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), StateDictError> {
        self.load_state_dict(&StateDict::read(path)?)
    }

    /// Takes up what [`LBFGSOptimizer::state_dict`] gave, for a network of the same layers made in the same order.
    ///
    /// # Errors
    ///
    /// Where it is of another algorithm, or for another number of parameters. Then nothing is changed.
    pub fn load_state_dict(&mut self, dict: &StateDict) -> Result<(), StateDictError> {
        self.parameters.take_up();
        let (reader, steps) = Reader::of(dict, NAME)?;
        let size = self.parameters.len();
        let vector = |name: &str| -> Result<Tensor, StateDictError> {
            let vector = reader.tensor(name)?;
            if vector.size() != [size] {
                return Err(reader.refuse(format!("it is for {} parameters, and this has {size}", vector.numel())));
            }
            Ok(self.parameters.like(vector))
        };
        let optional = |name: &str| if dict.get(name).is_some() { vector(name).map(Some) } else { Ok(None) };
        let pair = |at: usize| -> Result<Pair, StateDictError> {
            Ok(Pair {
                rho: reader.number(&format!("{RHOS}.{at}"))?,
                gradient: vector(&format!("{GRADIENTS}.{at}"))?,
                parameters: vector(&format!("{PARAMETERS}.{at}"))?,
            })
        };
        let memory = Memory {
            iterations: reader.number(ITERATIONS)? as usize,
            evaluations: reader.number(EVALUATIONS)? as usize,
            direction: optional(DIRECTION)?,
            length: reader.number(LENGTH)?,
            gradient: optional(GRADIENT)?,
            pairs: (0..reader.number(PAIRS)? as usize).map(pair).collect::<Result<_, _>>()?,
            scale: reader.number(SCALE)?,
        };
        let lr = reader.number(LR)?;
        (self.memory, self.lr, self.steps) = (memory, lr, steps);
        Ok(())
    }
}
