//! Tests of the layers over a list of edges against their formulas.

use tch::nn::Module;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::nn::{Chain, VarStore, linear, seq};
use crate::reference::Reference;
use crate::tests::panic_message;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../../../tests/reference/edge_graphs.json"))
}

/// Checks an output, its gradients for the nodes and for one variable.
fn check(reference: &Reference, name: &str, vs: &VarStore, variable: &str, run: impl Fn(&Tensor) -> Tensor) {
    let xs = reference.tensor("/input").set_requires_grad(true);
    reference.load(&format!("/{name}/parameters"), vs);
    let output = run(&xs);
    reference.check(&format!("/{name}/output"), &output, 1e-5);
    output.pow_tensor_scalar(3).sum(Kind::Float).backward();
    reference.check(&format!("/{name}/gradient"), &xs.grad(), 1e-4);
    reference.check(&format!("/{name}/gradients/{variable}"), &vs.variables()[variable].grad(), 1e-4);
}

#[test]
fn a_gcn_is_as_defined() {
    let reference = reference();
    let (edges, weights) = (reference.tensor("/edges"), reference.tensor("/weights"));
    let sums = GCNConfig { normalize: false, ..Default::default() };
    let bare = GCNConfig { add_self_loops: false, ..Default::default() };
    let cases = [("gcn", GCNConfig::default(), false), ("gcn_weighted", GCNConfig::default(), true)];
    for (name, config, is_weighted) in cases.into_iter().chain([("gcn_bare", bare, true), ("gcn_sums", sums, true)]) {
        let vs = VarStore::new(Device::Cpu);
        let layer = gcn_conv(vs.root(), 3, 4, config);
        check(&reference, name, &vs, "lin.weight", |xs| {
            if is_weighted { layer.forward_weighted(xs, &edges, &weights) } else { layer.forward_edges(xs, &edges) }
        });
    }
}

#[test]
fn a_gcn_of_an_undirected_graph_is_that_of_its_adjacency_matrix() {
    let pairs = Tensor::from_slice2(&[[0i64, 1], [1, 2], [2, 0], [3, 1]]);
    let both = to_undirected(&pairs.tr());
    let vs = VarStore::new(Device::Cpu);
    let dense = graph_conv(&vs.root() / "dense", 3, 4);
    let sparse = gcn_conv(&vs.root() / "sparse", 3, 4, GCNConfig::default());
    crate::modes::no_grad(|| sparse.lin.ws.shallow_clone().copy_(&dense.weight.tr()));
    let xs = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));
    let expected = dense.forward_graph(&xs, &normalized_adjacency(&adjacency(&pairs, 5)));
    assert!(sparse.forward_edges(&xs, &both).allclose(&expected, 1e-5, 1e-6, false));
    // Weights of edges are learned where they are asked to be, also at a node that nothing comes to.
    let bare = gcn_conv(&vs.root() / "bare", 3, 4, GCNConfig { add_self_loops: false, ..Default::default() });
    let weights = Tensor::ones([8], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    bare.forward_weighted(&xs, &both, &weights).square().sum(Kind::Float).backward();
    assert!(
        weights.grad().isfinite().all().int64_value(&[]) == 1 && weights.grad().abs().max().double_value(&[]) > 0.0
    );
}

#[test]
fn graphsage_is_as_defined() {
    let reference = reference();
    let edges = reference.tensor("/edges");
    let unit = SAGEConfig { normalize: true, root_weight: false, ..Default::default() };
    for (name, config) in [("sage", SAGEConfig::default()), ("sage_unit", unit)] {
        let vs = VarStore::new(Device::Cpu);
        let layer = sage_conv(vs.root(), 3, 4, config);
        check(&reference, name, &vs, "lin_l.weight", |xs| layer.forward_edges(xs, &edges));
    }
}

#[test]
fn graph_attention_is_as_defined() {
    let reference = reference();
    let edges = reference.tensor("/edges");
    let heads = GATConfig { heads: 2, ..Default::default() };
    let mean = GATConfig { concat: false, add_self_loops: false, negative_slope: 0.1, ..heads };
    for (name, config) in [("gat", heads), ("gat_mean", mean)] {
        let vs = VarStore::new(Device::Cpu);
        let layer = gat_conv(vs.root(), 3, 2, config);
        check(&reference, name, &vs, "att_src", |xs| layer.forward_edges(xs, &edges, true));
        let (of_weights, weights) = layer.weights(&reference.tensor("/input"), &edges);
        reference.check(&format!("/{name}/edges"), &of_weights, 0.0);
        reference.check(&format!("/{name}/weights"), &weights, 1e-5);
    }
}

#[test]
fn the_weights_of_graph_attention_are_dropped_in_training_only() {
    let (reference, vs) = (reference(), VarStore::new(Device::Cpu));
    let layer = gat_conv(vs.root(), 3, 2, GATConfig { dropout: 0.5, ..Default::default() });
    let run = |train| layer.forward_edges(&reference.tensor("/input"), &reference.tensor("/edges"), train);
    assert!(run(false).equal(&run(false)) && (0..20).any(|_| !run(true).equal(&run(false))));
}

#[test]
fn a_softmax_of_great_scores_is_finite() {
    let vs = VarStore::new(Device::Cpu);
    let layer = gat_conv(vs.root(), 3, 2, GATConfig::default());
    let xs = Tensor::ones([3, 3], (Kind::Float, Device::Cpu)) * 1e4;
    let output = layer.forward_edges(&xs, &Tensor::from_slice2(&[[0i64, 1], [1, 2]]), false);
    assert_eq!(output.isfinite().all().int64_value(&[]), 1);
}

#[test]
fn a_gin_is_as_defined() {
    let (reference, vs) = (reference(), VarStore::new(Device::Cpu));
    let edges = reference.tensor("/edges");
    let net = seq().add(linear(&vs.root() / "nn" / 0, 3, 4, Default::default())).relu();
    let layer = gin_conv(vs.root(), net, GINConfig { eps: 0.3, train_eps: true });
    check(&reference, "gin", &vs, "eps", |xs| layer.forward_edges(xs, &edges));
    let fixed = gin_conv(&vs.root() / "fixed", seq(), GINConfig { eps: 0.3, train_eps: false });
    assert!(!fixed.eps.requires_grad());
}

#[test]
fn graphs_one_below_the_other_are_as_by_themselves() {
    let (reference, vs) = (reference(), VarStore::new(Device::Cpu));
    let (xs, edges) = (reference.tensor("/input"), reference.tensor("/edges"));
    let nodes = xs.size()[0];
    let (twice, both) = (Tensor::cat(&[&xs, &(&xs * 2.0)], 0), Tensor::cat(&[&edges, &(&edges + nodes)], 1));
    let layer = sage_conv(vs.root(), 3, 4, Default::default());
    let output = layer.forward_edges(&twice, &both);
    assert!(output.narrow(0, nodes, nodes).allclose(&layer.forward_edges(&(&xs * 2.0), &edges), 1e-5, 1e-6, false));
    let batch = Tensor::arange(2, (Kind::Int64, Device::Cpu)).repeat_interleave_self_int(nodes, 0, None);
    let means = global_mean_pool(&twice, &batch, 3);
    assert!(means.get(1).allclose(&(xs.mean_dim(0i64, false, Kind::Float) * 2.0), 1e-5, 1e-6, false));
    assert_eq!(means.get(2).abs().max().double_value(&[]), 0.0);
    let sums = global_add_pool(&twice, &batch, 2).get(0);
    assert!(sums.allclose(&xs.sum_dim_intlist(0i64, false, Kind::Float), 1e-5, 1e-5, false));
    // Several sets of values on one graph.
    let stacked = layer.forward_edges(&Tensor::stack(&[&xs, &(&xs * 2.0)], 0), &edges);
    assert!(stacked.flatten(0, 1).allclose(&output, 1e-5, 1e-6, false));
}

#[test]
fn a_graph_without_edges_has_nothing_to_add() {
    let vs = VarStore::new(Device::Cpu);
    let (xs, none) =
        (Tensor::randn([3, 2], (Kind::Double, Device::Cpu)), Tensor::zeros([2, 0], (Kind::Int64, Device::Cpu)));
    let layer = gin_conv(vs.root(), seq(), Default::default());
    assert!(layer.forward_edges(&xs, &none).allclose(&xs, 1e-6, 1e-6, false));
    let gat = gat_conv(&vs.root() / "gat", 2, 2, Default::default());
    let float = xs.to_kind(Kind::Float);
    assert!(gat.forward_edges(&float, &none, false).allclose(&gat.lin.forward(&float), 1e-5, 1e-6, false));
}

#[test]
fn the_split_of_the_karate_club_is_learned_from_its_two_heads() {
    let club = crate::data::karate_club();
    let (vs, edges) = (VarStore::new(Device::Cpu), club.edge_index());
    let root = vs.root();
    let (first, second) =
        (gcn_conv(&root / 1, 34, 8, Default::default()), gcn_conv(&root / 2, 8, 2, Default::default()));
    let xs = Tensor::eye(34, (Kind::Float, Device::Cpu));
    let net = || second.forward_edges(&first.forward_edges(&xs, &edges).relu(), &edges);
    let heads = Tensor::from_slice(&[0i64, 33]);
    let mut optimizer = crate::nn::OptimizerConfig::build(crate::nn::Adam::default(), &vs, 0.02).expect("an optimizer");
    for _ in 0..100 {
        let loss = net().index_select(0, &heads).cross_entropy_for_logits(&club.labels.index_select(0, &heads));
        optimizer.backward_step(&loss);
    }
    let right = net().argmax(1, false).eq_tensor(&club.labels).sum(Kind::Int64).int64_value(&[]);
    assert!(right >= 28, "{right} of 34");
}

#[test]
fn edges_that_cannot_be_are_named() {
    let vs = VarStore::new(Device::Cpu);
    let layer = gcn_conv(vs.root(), 3, 4, GCNConfig::default());
    let xs = Tensor::ones([5, 3], (Kind::Float, Device::Cpu));
    let pairs = Tensor::from_slice2(&[[0i64, 1], [1, 2], [2, 7]]);
    let text = panic_message(|| layer.forward_edges(&xs, &pairs));
    assert!(text.contains("an edge_index of [3, 2]; it is [2, edges]"), "{text}");
    let text = panic_message(|| layer.forward_edges(&xs, &pairs.tr()));
    assert!(text.contains("an edge names node 7; there are 5"), "{text}");
    let text = panic_message(|| layer.forward_weighted(&xs, &pairs.narrow(0, 0, 2).tr(), &xs.narrow(1, 0, 1)));
    assert!(text.contains("weights of [5, 1] for 2 edges"), "{text}");
    let text = panic_message(|| global_add_pool(&xs, &pairs.select(1, 0), 2));
    assert!(text.contains("graphs of [3] for nodes of [5, 3]"), "{text}");
}
