//! Layers on graphs: what a node knows is mixed with what its neighbours know. `dense.rs` has those that take an
//! adjacency matrix, the other files those that take a list of edges, as PyTorch Geometric's do: for graphs of many
//! nodes, with directions, and for several graphs at once.

mod attention;
mod convolution;
mod dense;
mod edges;
mod pool;
#[cfg(test)]
mod tests;

use tch::Tensor;
use tch::nn::Init;

pub use attention::{GATConfig, GATConv, gat_conv};
pub use convolution::{GCNConfig, GCNConv, GINConfig, GINConv, SAGEConfig, SAGEConv, gcn_conv, gin_conv, sage_conv};
pub use dense::{GraphAttention, GraphConv, adjacency, graph_attention, graph_conv, normalized_adjacency};
pub use edges::to_undirected;
pub use pool::{global_add_pool, global_mean_pool};

fn xavier(fan_in: i64, fan_out: i64) -> Init {
    let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

fn with_bias(output: Tensor, bias: Option<&Tensor>) -> Tensor {
    match bias {
        Some(bias) => output + bias,
        None => output,
    }
}
