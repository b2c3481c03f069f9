//! Layers that come in a box: Rust cannot make `Box<dyn Module>` a `Module` outside the crate of the trait.

use std::fmt::{self, Debug};

use tch::Tensor;
use tch::nn::{Module, ModuleT};

pub(super) struct Boxed<M: ?Sized> {
    pub(super) kind: String,
    layer: Box<M>,
}

impl<M: Debug + ?Sized> Boxed<M> {
    pub(super) fn new(layer: Box<M>) -> Self {
        // Its type is known to its own methods alone.
        let text = format!("{layer:?}");
        let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
        Self { kind: text[..end].to_owned(), layer }
    }
}

impl<M: Debug + ?Sized> Debug for Boxed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layer.fmt(f)
    }
}

impl Module for Boxed<dyn Module> {
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.layer.forward(xs)
    }
}

impl ModuleT for Boxed<dyn ModuleT> {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        self.layer.forward_t(xs, train)
    }
}
