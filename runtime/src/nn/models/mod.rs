//! Networks that are made of the layers. [`nn`](super) has their names.

pub(super) mod resnet;
pub(super) mod transformer;
pub(super) mod unet;
