//! From the nodes of several graphs to a vector for each graph.

use tch::{Kind, Tensor};

use super::edges::{mean_by, sum_by};
use crate::elements::first_beyond;

/// The sum of each graph's nodes: `[N, features]`, the number of each node's graph, `[N]`, and how many graphs there
/// are to `[graphs, features]`. PyTorch Geometric's `global_add_pool`.
///
/// ```
/// use oxtorch::prelude::*;
/// let nodes = Tensor::from_slice2(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// let batch = Tensor::from_slice(&[0i64, 0, 1]);  // the first two are of graph 0
/// assert_eq!(nn::global_add_pool(&nodes, &batch, 2), Tensor::from_slice2(&[[4f32, 6.0], [5.0, 6.0]]));
/// ```
///
/// # Panics
///
/// Where not each node has a graph, or that is none of the graphs.
pub fn global_add_pool(xs: &Tensor, batch: &Tensor, graphs: i64) -> Tensor {
    sum_by(xs, &checked("global_add_pool", xs, batch, graphs), graphs)
}

/// The mean of each graph's nodes, as [`global_add_pool`]; 0 where a graph has none.
///
/// # Panics
///
/// As [`global_add_pool`].
pub fn global_mean_pool(xs: &Tensor, batch: &Tensor, graphs: i64) -> Tensor {
    mean_by(xs, &checked("global_mean_pool", xs, batch, graphs), graphs)
}

fn checked(what: &str, xs: &Tensor, batch: &Tensor, graphs: i64) -> Tensor {
    let (size, of_batch) = (xs.size(), batch.size());
    assert!(
        size.len() == 2 && of_batch == size[..1],
        "{what}: graphs of {of_batch:?} for nodes of {size:?}; the nodes are [N, features], and their graphs [N]"
    );
    let batch = batch.to_kind(Kind::Int64);
    if let Some(graph) = first_beyond(&batch, graphs) {
        panic!("{what}: a node is of graph {graph}; there are {graphs}, from 0");
    }
    batch
}
