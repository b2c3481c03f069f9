//! Layers and what belongs to them: all of [`tch::nn`], and what PyTorch's `torch.nn` has beyond it.
//!
//! ```
//! use oxtorch::prelude::*;
//! let vs = nn::VarStore::new(device());
//! let net = nn::seq().add(nn::linear(&vs.root() / "hidden", 4, 8, Default::default())).relu();
//! assert_eq!(net.forward(&Tensor::zeros([2, 4], (Kind::Float, device()))).size(), [2, 8]);
//! ```

mod attention;
mod cell;
mod chain;
mod dropout;
mod graph;
pub mod init;
mod loss;
mod position;
mod resnet;
mod seed;
mod sequential;
mod transformer;
mod unet;
pub(crate) mod watch;

pub use attention::{AttentionConfig, Mask, MultiheadAttention, multihead_attention};
pub use cell::{CellConfig, CellWeights, GRUCell, LSTMCell, RNNCell, gru_cell, lstm_cell, rnn_cell};
pub use chain::{Chain, ChainT};
pub use dropout::{AlphaDropout, DropPath, Dropout, Dropout2d, alpha_dropout, drop_path, dropout, dropout2d};
pub use graph::{GraphAttention, GraphConv, adjacency, graph_attention, graph_conv, normalised_adjacency};
pub use loss::{focal_loss, info_nce, kl_to_standard_normal, smoothed_cross_entropy, triplet_loss};
pub use position::{LearnedPositions, learned_positions, rotary, sinusoidal_positions};
pub use resnet::{BasicBlock, Bottleneck, ResNet, ResNetBlock, ResNetConfig, basic_block, bottleneck, resnet};
pub use seed::seed;
pub use sequential::{Sequential, SequentialT, seq, seq_t};
pub use tch::nn::*;
pub use transformer::{
    Activation, TransformerConfig, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, transformer_decoder, transformer_decoder_layer, transformer_encoder,
    transformer_encoder_layer,
};
pub use unet::{UNet, UNetBlock, UNetConfig, timestep_embedding, unet, unet_block};
pub use watch::{Watched, WatchedT, watch, watch_t};
