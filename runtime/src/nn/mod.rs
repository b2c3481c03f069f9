//! Layers and what belongs to them: all of [`tch::nn`], and what PyTorch's `torch.nn` has beyond it.
//!
//! Layers begin with the weights that PyTorch's begin with, so that a network learns here as it does there:
//! `nn::linear`, `nn::conv2d`, `nn::batch_norm2d`, `nn::lstm` and their kin stand before those of tch, whose weights
//! are drawn wider. What a configuration says counts, and its default is PyTorch's; `tch::nn::linear` is tch's own. So
//! it is with the optimizers, which are those of [`optim`](crate::optim).
//!
//! ```
//! use oxtorch::prelude::*;
//! let vs = nn::VarStore::new(device());
//! let net = nn::seq().add(nn::linear(&vs.root() / "hidden", 4, 8, Default::default())).relu();
//! assert_eq!(net.forward(&Tensor::zeros([2, 4], (Kind::Float, device()))).size(), [2, 8]);
//! ```

mod chain;
mod cross_entropy;
mod gumbel_softmax;
pub mod init;
#[cfg(test)]
mod initial_weights_tests;
mod interpolate;
mod layers;
mod loss;
mod models;
mod seed;
mod sequential;
mod store;
pub mod summary;
pub mod utils;
pub(crate) mod watch;

pub use crate::optim::{Adam, AdamW, Optimizer, OptimizerConfig, RmsProp, Sgd, adam, adamw, rms_prop, sgd};
pub(crate) use chain::check_probability;
pub use chain::{Chain, ChainT};
pub use cross_entropy::cross_entropy;
pub(crate) use cross_entropy::rows;
pub use gumbel_softmax::gumbel_softmax;
pub use interpolate::{InterpolateConfig, InterpolateMode, interpolate};
pub use layers::attention::{
    AttentionConfig, KvCache, LayerCache, Mask, MultiheadAttention, grouped_query_attention, multihead_attention,
};
pub use layers::conv::{
    ConvConfig, ConvConfigND, ConvTransposeConfig, conv, conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d,
    conv2d, conv3d, no_bias,
};
pub use layers::dropout::{AlphaDropout, DropPath, Dropout, Dropout2d, alpha_dropout, drop_path, dropout, dropout2d};
pub use layers::embedding::embedding;
pub use layers::feed_forward::{SwiGLU, swiglu};
pub use layers::graph::{
    GATConfig, GATConv, GCNConfig, GCNConv, GINConfig, GINConv, GraphAttention, GraphConv, SAGEConfig, SAGEConv,
    adjacency, gat_conv, gcn_conv, gin_conv, global_add_pool, global_mean_pool, graph_attention, graph_conv,
    normalized_adjacency, sage_conv, to_undirected,
};
pub use layers::linear::{Bilinear, LinearConfig, bilinear, linear};
pub use layers::norm::{
    BatchNorm, BatchNormConfig, InstanceNorm, InstanceNormConfig, RMSNorm, RMSNormConfig, batch_norm1d, batch_norm2d,
    batch_norm3d, group_norm, instance_norm1d, instance_norm2d, instance_norm3d, layer_norm, rms_norm,
};
pub use layers::parametrizations::{
    SpectralNorm, SpectralNormConfig, WeightNorm, WeightNormConfig, Weighted, spectral_norm, weight_norm,
};
pub use layers::position::{LearnedPositions, Rotary, learned_positions, rotary, rotary_from, sinusoidal_positions};
pub use layers::prelu::{PReLU, PReLUConfig, prelu};
pub use layers::recurrent::{GRU, LSTM, PlainRNN, RNN, RNNConfig, RNNState, gru, lstm, rnn};
pub use layers::rnn_cell::{CellConfig, CellWeights, GRUCell, LSTMCell, RNNCell, gru_cell, lstm_cell, rnn_cell};
pub use loss::{focal_loss, info_nce, kl_to_standard_normal, smoothed_cross_entropy, triplet_loss};
pub use models::resnet::{
    BasicBlock, Bottleneck, ResNet, ResNetBlock, ResNetConfig, basic_block, bottleneck, resnet, resnet18, resnet34,
    resnet50, resnet101, resnet152,
};
pub use models::transformer::{
    Activation, TransformerConfig, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, transformer_decoder, transformer_decoder_layer, transformer_encoder,
    transformer_encoder_layer,
};
pub use models::unet::{UNet, UNetBlock, UNetConfig, timestep_embedding, unet, unet_block};
pub use seed::seed;
pub use sequential::{LayerKey, Sequential, SequentialT, Shared, seq, seq_t, shared};
pub use store::{Entry, Path, VarStore, functional_call};
pub(crate) use store::{by_name, forget_panics, is_trainable};
pub use tch::nn::*;
pub use watch::{Watched, WatchedT, watch, watch_t};
