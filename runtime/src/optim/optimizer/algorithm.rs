//! What makes one optimiser another than the next: its rule for a step and its settings.

use std::fmt::Debug;

use tch::TchError;
use tch::nn::VarStore;

use super::{Optimizer, Parameter};

/// The rule of an optimiser with its settings, as a group of parameters has it.
///
/// For a rule of your own, implement it for a type with the settings:
///
/// ```
/// use oxtorch::prelude::*;
/// #[derive(Debug, Clone)]
/// struct SignSgd;
/// impl optim::Algorithm for SignSgd {
///     fn name(&self) -> &'static str { "SignSgd" }
///     fn step(&self, lr: f64, parameters: &mut [optim::Parameter]) {
///         for p in parameters {
///             p.value -= p.grad.sign() * lr;
///         }
///     }
/// }
/// let vs = nn::VarStore::new(Device::Cpu);
/// let w = vs.root().ones("w", &[2]);
/// let mut optimizer = SignSgd.build(&vs, 0.25)?;
/// optimizer.backward_step(&(&w * 7.0).sum(Kind::Float));
/// assert_eq!(w.double_value(&[0]), 0.75);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the configuration of an optimizer of Oxtorch's",
    note = "those of `optim` and of the `nn` that every cell has are; after `use tch::nn;`, `nn::Adam` is tch's"
)]
pub trait Algorithm: Debug + Send + Boxed {
    /// Its name, which is saved with the state.
    fn name(&self) -> &'static str;

    /// Changes parameters that have gradients, by a learning rate. No gradients are recorded meanwhile.
    fn step(&self, lr: f64, parameters: &mut [Parameter<'_>]);

    /// The names of the tensors that it keeps for a parameter: those that are saved.
    fn state(&self) -> &'static [&'static str] {
        &[]
    }

    /// The settings by PyTorch's names, to be read and changed for a group, and saved.
    fn settings(&mut self) -> Vec<(&'static str, Setting<'_>)> {
        Vec::new()
    }

    /// Why settings do not go together.
    ///
    /// # Errors
    ///
    /// Where they do not.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether it takes sparse gradients, which it gets as dense ones. Otherwise they are refused.
    fn takes_sparse(&self) -> bool {
        false
    }
}

/// Copies of an [`Algorithm`], one for each group: of every one that is `Clone`.
pub trait Boxed {
    /// A copy, for another group.
    fn boxed(&self) -> Box<dyn Algorithm>;
}

impl<T: Algorithm + Clone + 'static> Boxed for T {
    fn boxed(&self) -> Box<dyn Algorithm> {
        Box::new(self.clone())
    }
}

/// A setting of an [`Algorithm`].
#[derive(Debug)]
pub enum Setting<'a> {
    /// Such as a weight decay.
    Number(&'a mut f64),
    /// Such as whether a momentum is Nesterov's.
    Flag(&'a mut bool),
}

impl Setting<'_> {
    /// As a number; a flag is 0 or 1.
    pub(super) fn get(&self) -> f64 {
        match self {
            Self::Number(number) => **number,
            Self::Flag(flag) => f64::from(u8::from(**flag)),
        }
    }

    pub(super) fn set(&mut self, value: f64) {
        match self {
            Self::Number(number) => **number = value,
            Self::Flag(flag) => **flag = value != 0.0,
        }
    }
}

impl<'a> From<&'a mut f64> for Setting<'a> {
    fn from(number: &'a mut f64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a mut bool> for Setting<'a> {
    fn from(flag: &'a mut bool) -> Self {
        Self::Flag(flag)
    }
}

/// What an [`Optimizer`] is built from: `nn::AdamW::default().wd(0.1).build(&vs, 1e-3)?`.
pub trait OptimizerConfig: Algorithm + Sized + 'static {
    /// An optimiser for the variables of a store, with a learning rate.
    ///
    /// # Errors
    ///
    /// Where the learning rate or a setting is out of its range.
    fn build(self, vs: &VarStore, lr: f64) -> Result<Optimizer, TchError> {
        Optimizer::new(Box::new(self), vs, lr)
    }
}

impl<T: Algorithm + 'static> OptimizerConfig for T {}

/// Defines a configuration: its fields with their defaults and PyTorch's names, methods that set them, and what goes
/// with every [`OptimizerConfig`].
macro_rules! optimizer_config {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty = $default:expr => $setting:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            $(
                $(#[$field_doc])*
                pub fn $field(self, $field: $ty) -> Self {
                    Self { $field, ..self }
                }
            )*

            /// An optimiser for the variables of a store, with a learning rate.
            ///
            /// # Errors
            ///
            /// Where the learning rate or a setting is out of its range.
            pub fn build(self, vs: &tch::nn::VarStore, lr: f64) -> Result<$crate::optim::Optimizer, tch::TchError> {
                $crate::optim::OptimizerConfig::build(self, vs, lr)
            }

            fn settings(&mut self) -> Vec<(&'static str, $crate::optim::Setting<'_>)> {
                vec![$(($setting, (&mut self.$field).into()),)*]
            }
        }
    };
}
pub(in crate::optim) use optimizer_config;
