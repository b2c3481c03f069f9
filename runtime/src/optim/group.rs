//! Parameter groups: which parameters an optimiser treats in another way.

use std::collections::HashMap;

use tch::Tensor;
use tch::nn::VarStore;

use crate::lock::lock;

/// Puts each trainable variable into the group that a function names, before the optimiser is built: group 0 has what
/// the optimiser is built with, the others what is then set for them.
///
/// The function gets the variable's name, `layer1.weight`, and the variable. While a store is made,
/// `let path = path.set_group(1)` gives a path whose layers are in that group from the start.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let net = nn::seq()
///     .add(nn::linear(vs.root() / "hidden", 4, 8, Default::default()))
///     .add(nn::layer_norm(vs.root() / "norm", vec![8], Default::default()));
/// // No weight decay for biases and norms: whatever has one dimension.
/// optim::group_by(&vs, |_, variable| if variable.dim() == 1 { 1 } else { 0 });
/// let mut optimizer = nn::AdamW::default().wd(0.1).build(&vs, 1e-3)?;
/// optimizer.set_weight_decay_group(1, 0.0);
/// // And a lower rate for them.
/// optimizer.set_lr_group(1, 1e-4);
/// ```
pub fn group_by(vs: &VarStore, group: impl Fn(&str, &Tensor) -> usize) {
    let mut variables = lock(&vs.variables_);
    let names: HashMap<_, _> =
        variables.named_variables.iter().map(|(name, tensor)| (tensor.data_ptr(), name.clone())).collect();
    for variable in &mut variables.trainable_variables {
        if let Some(name) = names.get(&variable.tensor.data_ptr()) {
            variable.group = group(name, &variable.tensor);
        }
    }
}

/// The number of trainable parameters: elements, not tensors.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let net = nn::linear(vs.root(), 784, 10, Default::default());
/// assert_eq!(optim::parameters(&vs), 7850);
/// ```
pub fn parameters(vs: &VarStore) -> usize {
    vs.trainable_variables().iter().map(Tensor::numel).sum()
}
