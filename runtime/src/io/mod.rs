//! Tensors and weights in files, and how they come from Python: safetensors, NumPy's `.npy` and `.npz`, TorchScript,
//! llama.cpp's GGUF; and what a network in PyTorch learned, by the names of its `state_dict`.
//!
//! In Python:
//!
//! ```python
//! from safetensors.torch import save_file
//! save_file(model.state_dict(), "model.safetensors")
//! ```
//!
//! and here, with layers of the same names:
//!
//! ```
//! use oxtorch::prelude::*;
//! # let made = nn::VarStore::new(Device::Cpu);
//! # let _layer = nn::linear(made.root() / "fc", 4, 2, Default::default());
//! # io::StateDict::of(&made).save("model.safetensors")?;
//! let vs = nn::VarStore::new(device());
//! let net = nn::linear(vs.root() / "fc", 4, 2, Default::default());
//! io::load_state_dict(&vs, "model.safetensors")?;
//! # std::fs::remove_file("model.safetensors")?;
//! ```
//!
//! The layers of `tch` and of [`nn`](crate::nn) call their variables as PyTorch's do:
//!
//! | layer | variables |
//! | --- | --- |
//! | linear, convolutions | `weight` as in PyTorch (`[out, in]`, `[out, in / groups, H, W]`), `bias` |
//! | batch norm | `weight`, `bias`, `running_mean`, `running_var`; PyTorch's `num_batches_tracked` is left out |
//! | layer norm, group norm | `weight`, `bias` |
//! | embedding | `weight` |
//! | LSTM, GRU | `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, then `_l1`..., and `..._reverse` |
//! | attention, transformer layers | `self_attn.in_proj_weight`, `linear1.weight`, `norm1.weight`... |
//!
//! What differs is how a network calls its layers: `nn.Sequential` numbers them (`0.weight`, `2.weight`), which
//! `vs.root() / "0"` and `/ "2"` do as well; a `self.features` of a class is a path ahead of its layers' names.
//! [`StateDict::rename`] brings other names together.

mod error;
mod gguf;
mod images;
mod mapped;
mod npy;
mod npz;
pub(crate) mod replace;
mod safetensors;
mod script;
mod state_dict;

pub use error::FileError;
pub use gguf::Gguf;
pub use images::{image_to_tensor, tensor_to_image};
pub use npy::{load_npy, save_npy};
pub use npz::{load_npz, save_npz};
pub use script::load_script;
pub use state_dict::{Loaded, StateDict, StateDictError, load_state_dict};
