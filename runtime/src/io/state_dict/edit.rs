//! How weights of another network become those of one's own: names, shapes and kinds.

use std::borrow::Borrow;

use tch::{Kind, Tensor};

use super::StateDict;
use crate::cell::first_sentence;
use crate::modes::no_grad;

/// Each gives the weights back, so that one follows the other:
///
/// ```
/// use oxtorch::prelude::*;
/// let of = |rows: i64| Tensor::ones([rows, 4], (Kind::Float, Device::Cpu));
/// let theirs: io::StateDict = [("q", of(4)), ("k", of(2)), ("v", of(2)), ("scale", of(1))].into_iter().collect();
/// let ours = theirs.concat(&["q", "k", "v"], "attn.qkv", 0).transpose("attn.qkv", 0, 1).remove("scale");
/// let ours = ours.insert("norm.weight", of(1).view(4)).to_kind(Kind::BFloat16);
/// assert_eq!(ours.names().collect::<Vec<_>>(), ["attn.qkv", "norm.weight"]);
/// assert_eq!(ours.get("attn.qkv").map(Tensor::size), Some(vec![4, 8]));
/// ```
impl StateDict {
    /// Calls what begins with `from` by a name that begins with `to` instead.
    ///
    /// # Panics
    ///
    /// As [`StateDict::map_names`].
    pub fn rename(self, from: &str, to: &str) -> Self {
        self.map_names(|name| {
            Some(name.strip_prefix(from).map_or_else(|| name.to_owned(), |rest| format!("{to}{rest}")))
        })
    }

    /// Calls each tensor by the name that a function gives, and leaves out those for which it gives none.
    ///
    /// # Panics
    ///
    /// Where two tensors would have one name.
    pub fn map_names(mut self, mut map: impl FnMut(&str) -> Option<String>) -> Self {
        for (old, tensor) in std::mem::take(&mut self.tensors) {
            if let Some(name) = map(&old) {
                assert!(
                    !self.tensors.contains_key(&name),
                    "StateDict: {old:?} and another tensor would both be {name:?}"
                );
                self.tensors.insert(name, tensor);
            }
        }
        self
    }

    /// Puts a tensor under a name, in place of one that has it.
    pub fn insert(mut self, name: impl Into<String>, tensor: Tensor) -> Self {
        self.tensors.insert(name.into(), tensor);
        self
    }

    /// Leaves a tensor out; [`StateDict::get`] gives it before.
    ///
    /// # Panics
    ///
    /// Where there is none of the name.
    pub fn remove(mut self, name: &str) -> Self {
        let _ = self.take(name);
        self
    }

    /// Exchanges two dimensions of a tensor, which are counted from the last one if they are negative. Linear layers
    /// have `[out, in]`; GPT-2's and TensorFlow's weights are `[in, out]`: `dict.transpose("fc.weight", 0, 1)`.
    ///
    /// # Panics
    ///
    /// Where there is no tensor of the name, or no such dimension.
    pub fn transpose(mut self, name: &str, dim0: i64, dim1: i64) -> Self {
        let tensor = self.take(name);
        let turned = tensor.f_transpose(dim0, dim1).unwrap_or_else(|_| {
            panic!("StateDict: {name:?} has the shape {:?}, without the dimensions {dim0} and {dim1}", tensor.size())
        });
        self.insert(name, turned)
    }

    /// Puts tensors behind each other along a dimension, into one that takes their place: the weights of queries, keys
    /// and values of a network that has them apart, for one that has `in_proj_weight`.
    ///
    /// # Panics
    ///
    /// Where there is no tensor of a name, where their shapes differ in another dimension, or where another tensor has
    /// the new name.
    pub fn concat<S: Borrow<str>>(mut self, names: &[S], to: &str, dim: i64) -> Self {
        names.iter().for_each(|name| self.expect(name.borrow()));
        let tensors: Vec<Tensor> = names.iter().map(|name| self.take(name.borrow())).collect();
        assert!(
            !self.tensors.contains_key(to),
            "StateDict: there is a tensor {to:?} already; remove or rename it first"
        );
        let joined = no_grad(|| Tensor::f_cat(&tensors, dim)).unwrap_or_else(|error| {
            let named = names.iter().map(|name| format!("{:?}", name.borrow())).zip(tensors.iter().map(Tensor::size));
            let named: Vec<String> = named.map(|(name, size)| format!("{name} {size:?}")).collect();
            let why = first_sentence(&error.to_string());
            panic!("StateDict: {} cannot be joined along dimension {dim}: {why}", named.join(", "))
        });
        self.insert(to, joined)
    }

    /// Casts the tensors of floating-point numbers to another kind, such as `Kind::BFloat16`; those of whole numbers
    /// stay as they are.
    ///
    /// # Panics
    ///
    /// Where the kind is none of floating-point numbers.
    pub fn to_kind(mut self, kind: Kind) -> Self {
        let is_float = Tensor::zeros([0], (kind, tch::Device::Cpu)).is_floating_point();
        assert!(is_float, "StateDict: {kind:?} has no floating-point numbers; cast one tensor by `insert`");
        let floats = self.tensors.values_mut().filter(|tensor| tensor.is_floating_point());
        no_grad(|| floats.for_each(|tensor| *tensor = tensor.to_kind(kind)));
        self
    }

    /// A tensor, which is no longer there.
    fn take(&mut self, name: &str) -> Tensor {
        self.expect(name);
        self.tensors.remove(name).expect("it is there")
    }

    /// Panics where there is no tensor of a name.
    fn expect(&self, name: &str) {
        /// So many names tell how they are built.
        const MOST: usize = 10;
        if !self.tensors.contains_key(name) {
            let names: Vec<String> = self.names().take(MOST).map(|name| format!("{name:?}")).collect();
            let more = if self.len() > MOST { ", ..." } else { "" };
            panic!("StateDict: there is no tensor {name:?} in {}, which has {}{more}", self.origin, names.join(", "))
        }
    }
}
