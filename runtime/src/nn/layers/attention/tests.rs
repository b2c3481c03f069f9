//! Tests of attention against PyTorch's values.

use crate::nn::VarStore;
use tch::{Device, Kind};

use super::*;
use crate::nn::{Path, RMSNorm, SwiGLU, rms_norm, swiglu};
use crate::reference::Reference;
use crate::tests::panic_message;

fn case() -> (Reference, VarStore, MultiheadAttention) {
    let reference = Reference::parse(include_str!("../../../../../tests/reference/attention.json"));
    let vs = VarStore::new(Device::Cpu);
    let attention = multihead_attention(vs.root(), 8, 2, AttentionConfig::default());
    reference.load("/attention/parameters", &vs);
    (reference, vs, attention)
}

#[test]
fn outputs_weights_and_gradients_are_pytorchs() {
    let (reference, vs, attention) = case();
    let (query, memory) = (reference.tensor("/attention/query"), reference.tensor("/attention/memory"));
    let padding = reference.tensor("/attention/padding");
    let masks = [
        ("none", Mask::none()),
        ("padding", Mask::none().padding(&padding)),
        ("bool", Mask::none().attention(&reference.tensor("/attention/hidden"))),
        ("float", Mask::none().padding(&padding).attention(&reference.tensor("/attention/added"))),
        ("heads", Mask::none().attention(&reference.tensor("/attention/by_head"))),
    ];
    for (name, mask) in masks {
        let output = attention.forward_masked(&query, &memory, &memory, &mask, false);
        reference.check(&format!("/attention/outputs/{name}"), &output, 1e-5);
        let (output, weights) = attention.weights(&query, &memory, &memory, &mask);
        reference.check(&format!("/attention/outputs/{name}"), &output, 1e-5);
        reference.check(&format!("/attention/weights/{name}"), &weights, 1e-5);
    }
    let output = attention.forward_masked(&query, &query, &query, &Mask::causal(), true);
    reference.check("/attention/outputs/causal", &output, 1e-5);
    output.square().sum(Kind::Float).backward();
    reference.check("/attention/gradient", &vs.variables()["in_proj_weight"].grad(), 1e-4);
}

#[test]
fn what_does_not_fit_is_named() {
    let (reference, _, attention) = case();
    let query = reference.tensor("/attention/query");
    let narrow = query.narrow(2, 0, 4);
    let text = panic_message(|| drop(attention.forward(&narrow)));
    assert!(text.contains("the query is [2, 4, 4]; it is [batch, length, 8] here"), "{text}");
    let mask = Mask::none().attention(&Tensor::zeros([3, 3], (Kind::Bool, Device::Cpu)));
    let text = panic_message(|| drop(attention.forward_masked(&query, &query, &query, &mask, false)));
    assert!(text.contains("a mask of [3, 3]") && text.contains("[4, 4] or [4, 4, 4]"), "{text}");
    let mask = Mask::none().padding(&Tensor::zeros([2, 5], (Kind::Bool, Device::Cpu)));
    let text = panic_message(|| drop(attention.forward_masked(&query, &query, &query, &mask, false)));
    assert!(text.contains("[N, S] = [2, 4]"), "{text}");
}

#[test]
fn a_query_sees_the_keys_of_a_cache() {
    let (reference, _, attention) = case();
    let xs = reference.tensor("/attention/query");
    let run = |from: i64, mask: &Mask| attention.forward_masked(&xs.narrow(1, from, 4 - from), &xs, &xs, mask, false);
    let all = run(0, &Mask::causal());
    for from in 1..4 {
        let rest = all.narrow(1, from, 4 - from);
        assert!(run(from, &Mask::causal()).allclose(&rest, 1e-5, 1e-6, false), "from {from}");
        assert!(run(from, &Mask::causal_at(from)).allclose(&rest, 1e-5, 1e-6, false), "from {from}");
    }
    // Two keys of room behind the last place hold anything.
    let longer = Tensor::cat(&[&xs, &xs.narrow(1, 0, 2).full_like(7.0)], 1);
    let one = attention.forward_masked(&xs.narrow(1, 3, 1), &longer, &longer, &Mask::causal_at(3), false);
    assert!(one.allclose(&all.narrow(1, 3, 1), 1e-5, 1e-6, false));
    // The first query at the first key, which it alone sees.
    let (_, weights) = attention.weights(&xs.narrow(1, 0, 2), &xs, &xs, &Mask::causal_at(0));
    assert_eq!(weights.select(2, 0).select(2, 0).min().double_value(&[]), 1.0);
    let few = || attention.forward_masked(&xs, &xs.narrow(1, 0, 3), &xs.narrow(1, 0, 3), &Mask::causal(), false);
    let text = panic_message(few);
    assert!(text.contains("4 queries and 3 keys") && text.contains("causal_at(0)"), "{text}");
}

#[test]
fn dropout_is_for_training_only() {
    let vs = VarStore::new(Device::Cpu);
    let attention = multihead_attention(vs.root(), 8, 2, AttentionConfig { dropout: 0.5, bias: false });
    let xs = Tensor::randn([2, 6, 8], (Kind::Float, Device::Cpu));
    let run = |train| attention.forward_masked(&xs, &xs, &xs, &Mask::none(), train);
    assert!(run(false).equal(&run(false)));
    assert!(!run(true).equal(&run(true)));
}

/// Attention with each number of heads of keys and values, with and without rotary positions.
fn kinds() -> Vec<(String, MultiheadAttention)> {
    let kind = |(num_kv_heads, rotary): (i64, Option<Rotary>)| {
        let vs = VarStore::new(Device::Cpu);
        let made = grouped_query_attention(vs.root(), 16, 4, num_kv_heads, AttentionConfig::default());
        (format!("{num_kv_heads} {rotary:?}"), MultiheadAttention { rotary, ..made })
    };
    let rotary = [None, Some(Rotary::default()), Some(Rotary { base: 100.0 })];
    [1, 2, 4].into_iter().flat_map(|heads| rotary.map(|rotary| (heads, rotary))).map(kind).collect()
}

#[test]
fn groups_and_rotary_positions_give_pytorchs_values() {
    let reference = Reference::parse(include_str!("../../../../../tests/reference/grouped_attention.json"));
    for (name, rotary) in [("plain", None), ("rotary", Some(Rotary { base: 500.0 }))] {
        let vs = VarStore::new(Device::Cpu);
        let made = grouped_query_attention(vs.root(), 8, 4, 2, AttentionConfig::default());
        let attention = MultiheadAttention { rotary, ..made };
        reference.load("/grouped/parameters", &vs);
        let xs = reference.tensor("/grouped/input");
        let output = attention.forward_masked(&xs, &xs, &xs, &Mask::causal(), true);
        reference.check(&format!("/grouped/{name}/output"), &output, 1e-5);
        reference.check(&format!("/grouped/{name}/output"), &attention.weights(&xs, &xs, &xs, &Mask::causal()).0, 1e-5);
        output.square().sum(Kind::Float).backward();
        reference.check(&format!("/grouped/{name}/gradient"), &vs.variables()["in_proj_weight"].grad(), 1e-4);
    }
}

#[test]
fn token_by_token_a_cache_gives_what_the_whole_sequence_gives() {
    let xs = Tensor::randn([3, 7, 16], (Kind::Float, Device::Cpu));
    for (kind, attention) in kinds() {
        let whole = attention.forward_masked(&xs, &xs, &xs, &Mask::causal(), false);
        // A token a time, a prompt and then tokens, parts, and all at once.
        for parts in [vec![1; 7], vec![4, 1, 1, 1], vec![3, 4], vec![7]] {
            let mut cache = LayerCache::new();
            let outputs: Vec<Tensor> = parts
                .iter()
                .map(|&length| {
                    let part = xs.narrow(1, cache.len(), length);
                    attention.forward_cached(&part, &Mask::causal(), &mut cache)
                })
                .collect();
            assert!(Tensor::cat(&outputs, 1).allclose(&whole, 1e-5, 1e-5, false), "{kind} in {parts:?}");
            let kept = cache.keys_and_values().map(|(keys, _)| keys.size());
            assert_eq!(kept, Some(vec![3, attention.num_kv_heads, 7, 4]));
        }
        let last = attention.forward_masked(&xs.narrow(1, 5, 2), &xs, &xs, &Mask::causal(), false);
        assert!(last.allclose(&whole.narrow(1, 5, 2), 1e-5, 1e-5, false), "{kind}");
    }
}

#[test]
fn prompts_that_are_filled_up_on_the_left_are_as_by_themselves() {
    let xs = Tensor::randn([2, 6, 16], (Kind::Float, Device::Cpu));
    // The second has two places of padding.
    let padding = Tensor::from_slice2(&[[false; 6], [true, true, false, false, false, false]]);
    for (kind, attention) in kinds() {
        let mut cache = LayerCache::new();
        let mut step = |from: i64, length: i64| {
            let mask = Mask::causal().padding(&padding.narrow(1, 0, from + length));
            attention.forward_cached(&xs.narrow(1, from, length), &mask, &mut cache)
        };
        let outputs = [step(0, 4), step(4, 1), step(5, 1)].map(|output| output.get(1));
        let (filled, zeros) = (outputs[0].get(0), Tensor::zeros([16], (Kind::Float, Device::Cpu)));
        assert!(filled.allclose(&attention.out_proj.forward(&zeros), 1e-6, 1e-6, false), "{kind}");
        let short = xs.narrow(0, 1, 1).narrow(1, 2, 4);
        let alone = attention.forward_masked(&short, &short, &short, &Mask::causal(), false).get(0);
        let output = Tensor::cat(&outputs, 0).narrow(0, 2, 4);
        assert!(output.allclose(&alone, 1e-5, 1e-5, false), "{kind}");
    }
}

#[test]
fn gradients_flow_through_a_cache() {
    for (kind, attention) in kinds() {
        let xs = Tensor::randn([2, 4, 16], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let gradient = |loss: Tensor| Tensor::run_backward(&[loss], &[&xs], false, false).remove(0);
        let whole = attention.forward_masked(&xs, &xs, &xs, &Mask::causal(), false);
        let mut cache = LayerCache::new();
        let parts: Vec<Tensor> =
            (0..4).map(|at| attention.forward_cached(&xs.narrow(1, at, 1), &Mask::causal(), &mut cache)).collect();
        let expected = gradient(whole.square().sum(Kind::Float));
        let found = gradient(Tensor::cat(&parts, 1).square().sum(Kind::Float));
        assert!(found.allclose(&expected, 1e-4, 1e-5, false), "{kind}");
    }
}

#[test]
fn heads_that_do_not_divide_are_refused() {
    let refused = |heads: i64, num_kv_heads: i64, width: i64| {
        let vs = VarStore::new(Device::Cpu);
        let make = || {
            let made = grouped_query_attention(vs.root(), width, heads, num_kv_heads, Default::default());
            drop(made.with_rotary(Rotary::default()));
        };
        panic_message(make)
    };
    assert!(refused(4, 3, 16).contains("4 heads cannot share 3 heads of keys and values evenly"));
    assert!(refused(3, 1, 16).contains("16 numbers cannot be divided among 3 heads"));
    assert!(refused(4, 2, 12).contains("each of 4 heads has 3 of 12 numbers"));
}

/// A block of a small Llama.
#[derive(Debug)]
struct Block {
    norms: [RMSNorm; 2],
    attention: MultiheadAttention,
    feed_forward: SwiGLU,
}

impl Block {
    fn new(path: &Path, width: i64) -> Self {
        let norm = |name: &str| rms_norm(path / name, vec![width], Default::default());
        let config = AttentionConfig { bias: false, ..Default::default() };
        Self {
            norms: [norm("attention_norm"), norm("ffn_norm")],
            attention: grouped_query_attention(path / "attention", width, 4, 2, config).with_rotary(Rotary::default()),
            feed_forward: swiglu(path / "feed_forward", width, 2 * width),
        }
    }

    fn forward(&self, xs: &Tensor, cache: Option<&mut LayerCache>) -> Tensor {
        let normed = self.norms[0].forward(xs);
        let seen = match cache {
            Some(cache) => self.attention.forward_cached(&normed, &Mask::causal(), cache),
            None => self.attention.forward_masked(&normed, &normed, &normed, &Mask::causal(), true),
        };
        let xs = xs + seen;
        &xs + self.feed_forward.forward(&self.norms[1].forward(&xs))
    }
}

#[test]
fn a_small_llama_learns_to_count_and_counts_on_with_a_cache() {
    let vs = VarStore::new(Device::Cpu);
    let root = &vs.root();
    let embedding = crate::nn::embedding(root / "embedding", 10, 16, Default::default());
    let blocks: Vec<Block> = (0..2).map(|index| Block::new(&(root / "layers" / index), 16)).collect();
    let head = linear(root / "head", 16, 10, Default::default());
    let logits = |tokens: &Tensor, cache: Option<&mut KvCache>| {
        let xs = embedding.forward(tokens);
        let xs = match cache {
            Some(cache) => {
                blocks.iter().zip(cache.iter_mut()).fold(xs, |xs, (block, cache)| block.forward(&xs, Some(cache)))
            }
            None => blocks.iter().fold(xs, |xs, block| block.forward(&xs, None)),
        };
        head.forward(&xs)
    };
    let counted = |from: i64| Tensor::arange_start(from, from + 13, (Kind::Int64, Device::Cpu)).remainder(10);
    let texts = Tensor::stack(&(0..10).map(counted).collect::<Vec<_>>(), 0);
    let mut optimizer =
        crate::nn::OptimizerConfig::build(crate::nn::AdamW::default(), &vs, 1e-2).expect("an optimizer");
    for _ in 0..60 {
        let outputs = logits(&texts.narrow(1, 0, 12), None).flatten(0, 1);
        optimizer.backward_step(&outputs.cross_entropy_for_logits(&texts.narrow(1, 1, 12).flatten(0, 1)));
    }

    let mut cache = KvCache::new(2);
    let mut tokens = texts.narrow(1, 0, 4);
    let mut next = tokens.shallow_clone();
    for _ in 0..9 {
        let all = logits(&tokens, None).select(1, -1);
        let last = logits(&next, Some(&mut cache)).select(1, -1);
        assert!(last.allclose(&all, 1e-5, 1e-5, false));
        next = last.argmax(-1, true);
        tokens = Tensor::cat(&[&tokens, &next], 1);
    }
    assert!(tokens.equal(&texts), "{tokens}");
}
