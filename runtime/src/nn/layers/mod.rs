//! Layers, one family a file or folder. [`nn`](super) has their names.

pub(super) mod attention;
pub(super) mod conv;
pub(super) mod dropout;
pub(super) mod embedding;
pub(super) mod feed_forward;
pub(super) mod graph;
pub(super) mod linear;
pub(super) mod norm;
pub(super) mod parametrizations;
pub(super) mod position;
pub(super) mod prelu;
pub(super) mod recurrent;
pub(super) mod rnn_cell;
