//! Tests: with the same seed, layers begin with the weights of PyTorch's and learn as they do.
//! `tests/reference/initial_weights.py` ran there.

use tch::nn::EmbeddingConfig;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::reference::Reference;
use crate::tests::panic_message;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../tests/reference/initial_weights.json"))
}

/// What a function makes after a seed, with its store. Random numbers are the process's, and another test may draw some
/// in between: what is not as expected is made again a few times. What is drawn otherwise than in PyTorch never is.
fn seeded<T>(of_seed: u64, make: impl Fn(&Path) -> T, is_expected: impl Fn(&VarStore, &T) -> bool) -> (VarStore, T) {
    let attempt = || {
        let vs = VarStore::new(Device::Cpu);
        seed(of_seed);
        let made = make(&vs.root());
        (vs, made)
    };
    (0..100).map(|_| attempt()).find(|(vs, made)| is_expected(vs, made)).unwrap_or_else(attempt)
}

fn alone<T>(make: impl FnOnce(&Path) -> T) -> (VarStore, T) {
    let vs = VarStore::new(Device::Cpu);
    let made = make(&vs.root());
    (vs, made)
}

#[test]
fn each_layer_draws_what_pytorchs_draws() {
    let reference = reference();
    type Make = fn(&Path);
    let layers: [(&str, Make); 22] = [
        ("linear", |p| drop(linear(p, 5, 4, Default::default()))),
        ("linear_without_bias", |p| drop(linear(p, 5, 4, LinearConfig { bias: false, ..Default::default() }))),
        ("bilinear", |p| drop(bilinear(p, [3, 4], 2, Default::default()))),
        ("conv1d", |p| drop(conv1d(p, 4, 6, 3, ConvConfig { groups: 2, ..Default::default() }))),
        ("conv2d", |p| drop(conv2d(p, 2, 3, 3, Default::default()))),
        ("conv3d", |p| drop(conv3d(p, 1, 2, 2, Default::default()))),
        ("conv_transpose1d", |p| {
            drop(conv_transpose1d(p, 4, 6, 3, ConvTransposeConfig { groups: 2, ..Default::default() }));
        }),
        ("conv_transpose2d", |p| drop(conv_transpose2d(p, 2, 3, 3, Default::default()))),
        ("conv_transpose3d", |p| drop(conv_transpose3d(p, 1, 2, 2, Default::default()))),
        ("batch_norm", |p| drop(batch_norm2d(p, 3, Default::default()))),
        ("layer_norm", |p| drop(layer_norm(p, vec![2, 3], Default::default()))),
        ("group_norm", |p| drop(group_norm(p, 2, 4, Default::default()))),
        ("embedding", |p| drop(embedding(p, 5, 3, EmbeddingConfig { padding_idx: 1, ..Default::default() }))),
        ("lstm", |p| drop(lstm(p, 3, 4, RNNConfig { num_layers: 2, bidirectional: true, ..Default::default() }))),
        ("gru", |p| drop(gru(p, 3, 4, Default::default()))),
        ("gru_without_bias", |p| drop(gru(p, 3, 4, RNNConfig { has_biases: false, ..Default::default() }))),
        ("rnn", |p| drop(rnn(p, 3, 4, Default::default()))),
        ("lstm_cell", |p| drop(lstm_cell(p, 3, 4, Default::default()))),
        ("multihead_attention", |p| drop(multihead_attention(p, 4, 2, Default::default()))),
        ("multihead_attention_without_bias", |p| {
            drop(multihead_attention(p, 4, 2, AttentionConfig { bias: false, ..Default::default() }));
        }),
        ("transformer_encoder_layer", |p| {
            drop(transformer_encoder_layer(p, 4, 2, TransformerConfig { dim_feedforward: 6, ..Default::default() }));
        }),
        ("transformer_decoder_layer", |p| {
            drop(transformer_decoder_layer(p, 4, 2, TransformerConfig { dim_feedforward: 6, ..Default::default() }));
        }),
    ];
    for (name, make) in layers {
        let at = |variable: &str| format!("/layers/{name}/{variable}");
        let expected = reference.value(&format!("/layers/{name}")).as_object().expect("variables by name");
        let fits = |vs: &VarStore| {
            let drawn = vs.variables();
            drawn.len() == expected.len()
                && drawn
                    .iter()
                    .all(|(name, value)| expected.contains_key(name) && reference.fits(&at(name), value, 1e-7))
        };
        let (vs, ()) = seeded(7, make, |vs, ()| fits(vs));
        let drawn = vs.variables();
        assert_eq!(drawn.len(), expected.len(), "{name}: {:?}", drawn.keys());
        for (variable, value) in &drawn {
            reference.check(&at(variable), value, 1e-7);
        }
    }
}

/// What does not depend on the order in which numbers are drawn.
#[test]
fn large_layers_spread_as_far_as_pytorchs() {
    let reference = reference();
    type Make = fn(&Path);
    let layers: [(&str, Make); 9] = [
        ("linear", |p| drop(linear(p, 64, 64, Default::default()))),
        ("conv2d", |p| drop(conv2d(p, 16, 32, 3, Default::default()))),
        ("conv_transpose2d", |p| drop(conv_transpose2d(p, 16, 32, 3, Default::default()))),
        ("lstm", |p| drop(lstm(p, 20, 64, Default::default()))),
        ("gru", |p| drop(gru(p, 20, 64, Default::default()))),
        ("rnn", |p| drop(rnn(p, 20, 64, Default::default()))),
        ("embedding", |p| drop(embedding(p, 100, 50, Default::default()))),
        ("multihead_attention", |p| drop(multihead_attention(p, 64, 4, Default::default()))),
        ("transformer_encoder_layer", |p| {
            let config = TransformerConfig { dim_feedforward: 128, ..Default::default() };
            drop(transformer_encoder_layer(p, 64, 4, config));
        }),
    ];
    for (name, make) in layers {
        let (vs, ()) = alone(make);
        for (variable, value) in vs.variables() {
            let expected = |what: &str| reference.number(&format!("/large/{name}/{variable}/{what}"));
            let value = value.detach();
            let (std, most) = (value.std(true).double_value(&[]), value.abs().max().double_value(&[]));
            let is_near = |value: f64, expected: f64| (value - expected).abs() <= 0.4 * expected;
            assert!(is_near(std, expected("std")), "{name}.{variable}: a deviation of {std}");
            assert!(is_near(most, expected("most")), "{name}.{variable}: up to {most}");
        }
    }
}

/// Uniform up to `1/sqrt(fan)`, and norms of 1.
#[test]
fn networks_are_made_of_these_layers() {
    let (of_resnet, _net) = alone(|p| resnet(p, 3, 10, ResNetConfig::default()));
    let (of_unet, _net) = alone(|p| unet(p, 3, 3, UNetConfig { time: true, ..Default::default() }));
    let mut seen = [0, 0];
    for (name, value) in of_resnet.variables().into_iter().chain(of_unet.variables()) {
        let (value, size) = (value.detach().abs(), value.size());
        let most = value.max().double_value(&[]);
        if name.ends_with("weight") && size.len() == 1 {
            assert_eq!((most, value.min().double_value(&[])), (1.0, 1.0), "{name}");
            seen[0] += 1;
        } else if name.ends_with("weight") {
            let bound = 1.0 / (size[1..].iter().product::<i64>() as f64).sqrt();
            assert!(most <= bound * 1.0001 && most > 0.9 * bound, "{name}: up to {most} instead of {bound}");
            seen[1] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn recurrent_layers_give_what_pytorchs_give() {
    let reference = reference();
    let xs = (Tensor::arange(30, (Kind::Float, Device::Cpu)).view([2, 5, 3]) * 0.7).sin();
    let two = RNNConfig { num_layers: 2, bidirectional: true, dropout: 0.5, ..Default::default() };
    let no_bias = RNNConfig { has_biases: false, ..Default::default() };
    type Make<'a> = &'a dyn Fn(&Path) -> Tensor;
    let cases: [(&str, Make); 4] = [
        ("lstm", &|p| lstm(p, 3, 4, two).seq_t(&xs, false).0),
        ("gru", &|p| gru(p, 3, 4, Default::default()).seq(&xs).0),
        ("gru_without_bias", &|p| gru(p, 3, 4, no_bias).seq(&xs).0),
        ("rnn", &|p| rnn(p, 3, 4, Default::default()).seq(&xs).0),
    ];
    for (name, make) in cases {
        let at = format!("/outputs/{name}");
        let (_vs, output) = seeded(7, make, |_, output| reference.fits(&at, output, 1e-6));
        reference.check(&at, &output, 1e-6);
    }
}

/// The losses of five layers in 20 steps of SGD, for each of five seeds.
#[test]
fn a_network_learns_as_pytorchs_does() {
    let reference = reference();
    let xs = (Tensor::arange(64 * 20, (Kind::Float, Device::Cpu)).view([64, 20]) * 0.37).sin();
    let ys = xs.narrow(1, 0, 10).argmax(1, false);
    let mut after_ten = Vec::new();
    for of_seed in 0..5 {
        let expected = reference.numbers(&format!("/curve/losses/{of_seed}"));
        let network = |root: &Path| {
            let widths = [20, 64, 64, 64, 64, 10];
            widths.windows(2).enumerate().fold(seq(), |net, (layer, width)| {
                let net = net.add(linear(root / layer, width[0], width[1], Default::default()));
                if layer < 4 { net.relu() } else { net }
            })
        };
        let loss = |net: &Sequential| net.forward(&xs).cross_entropy_for_logits(&ys);
        let begins = |_: &VarStore, net: &Sequential| (loss(net).double_value(&[]) - expected[0]).abs() < 1e-4;
        let (vs, net) = seeded(of_seed, network, begins);
        let mut optimizer = sgd(0.9, 0.0, 0.0, false).build(&vs, 0.1).expect("builds");
        for (step, expected) in expected.iter().enumerate() {
            let loss = loss(&net);
            optimizer.backward_step(&loss);
            let loss = loss.double_value(&[]);
            assert!((loss - expected).abs() < 1e-3, "seed {of_seed}, step {step}: {loss} instead of {expected}");
            if step == 10 {
                after_ten.push(loss);
            }
        }
    }
    let mean = after_ten.iter().sum::<f64>() / 5.0;
    let expected = reference.number("/curve/after_ten/mean");
    assert!((mean - expected).abs() < 1e-3, "{mean} instead of {expected}");
}

/// A user's own values, in each place that takes some.
#[test]
fn what_a_configuration_says_counts() {
    let vs = VarStore::new(Device::Cpu);
    let all = |tensor: &Tensor, value: f64| tensor.eq(value).all().int64_value(&[]) == 1;
    let (one, two) = (Init::Const(1.0), Init::Const(2.0));
    let config = LinearConfig { ws_init: one, bs_init: Some(two), bias: true };
    let layer = linear(vs.root() / "linear", 3, 2, config);
    assert!(all(&layer.ws, 1.0) && all(layer.bs.as_ref().expect("a bias"), 2.0));
    let layer = conv2d(vs.root() / "conv", 3, 2, 3, ConvConfig { ws_init: one, bs_init: two, ..Default::default() });
    assert!(all(&layer.ws, 1.0) && all(layer.bs.as_ref().expect("a bias"), 2.0));
    let config = ConvTransposeConfig { ws_init: one, bs_init: two, ..Default::default() };
    let layer = conv_transpose2d(vs.root() / "transposed", 3, 2, 3, config);
    assert!(all(&layer.ws, 1.0) && all(layer.bs.as_ref().expect("a bias"), 2.0));
    let config = BatchNormConfig { ws_init: two, bs_init: one, ..Default::default() };
    let layer = batch_norm1d(vs.root() / "norm", 3, config);
    assert!(all(layer.ws.as_ref().expect("a weight"), 2.0) && all(layer.bs.as_ref().expect("a bias"), 1.0));
    let config =
        RNNConfig { w_ih_init: one, w_hh_init: two, b_ih_init: Some(one), b_hh_init: Some(two), ..Default::default() };
    let _lstm = lstm(vs.root() / "lstm", 3, 2, config);
    let variables = vs.variables();
    for (name, value) in [("weight_ih", 1.0), ("weight_hh", 2.0), ("bias_ih", 1.0), ("bias_hh", 2.0)] {
        assert!(all(&variables[&format!("lstm.{name}_l0")], value), "{name}");
    }
    // A fan is the weight's own, in a recurrent layer too, where it is not PyTorch's beginning that is asked for.
    let config = RNNConfig { w_ih_init: init::DEFAULT_KAIMING_UNIFORM, ..Default::default() };
    let _gru = gru(vs.root() / "gru", 600, 2, config);
    let most = vs.variables()["gru.weight_ih_l0"].abs().max().double_value(&[]);
    assert!(most <= 0.1 && most > 0.09, "{most}");
}

#[test]
fn dropout_between_recurrent_layers_is_for_training_and_is_never_a_guess() {
    let xs = Tensor::randn([2, 5, 3], (Kind::Float, Device::Cpu));
    let config = RNNConfig { num_layers: 2, dropout: 0.5, ..Default::default() };
    let (_vs, (lstm, gru, rnn)) =
        alone(|p| (lstm(p / "lstm", 3, 4, config), gru(p / "gru", 3, 4, config), rnn(p / "rnn", 3, 4, config)));
    let run = |train| [lstm.seq_t(&xs, train).0, gru.seq_t(&xs, train).0, rnn.seq_t(&xs, train).0];
    for ((off, again), (on, other)) in run(false).iter().zip(&run(false)).zip(run(true).iter().zip(&run(true))) {
        assert!(off.equal(again));
        assert!(!on.equal(other) && !on.equal(off));
    }
    let text = panic_message(|| lstm.seq(&xs));
    assert!(text.contains("a dropout of 0.5") && text.contains("seq_t(&xs, false)"), "{text}");
    // Where it cannot matter, nothing need be said.
    let never = RNNConfig { train: false, ..config };
    let (_vs, quiet) = alone(|p| super::lstm(p / "lstm", 3, 4, never));
    assert!(quiet.seq(&xs).0.equal(&quiet.seq_t(&xs, true).0));
}

#[test]
fn sequences_may_come_time_first() {
    let xs = Tensor::randn([2, 5, 3], (Kind::Float, Device::Cpu));
    let (first, by_row) = alone(|p| gru(p, 3, 4, Default::default()));
    let (mut second, by_time) = alone(|p| gru(p, 3, 4, RNNConfig { batch_first: false, ..Default::default() }));
    second.copy(&first).expect("the same variables");
    let rows = by_row.seq(&xs).0;
    let columns = by_time.seq(&xs.transpose(0, 1)).0;
    assert!(columns.transpose(0, 1).allclose(&rows, 1e-6, 1e-6, false));
    for gru in [&by_row, &by_time] {
        let state = (0..5).fold(gru.zero_state(2), |state, time| gru.step(&xs.select(1, time), &state));
        assert!(state.value().get(0).allclose(&rows.select(1, 4), 1e-6, 1e-6, false));
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let vs = VarStore::new(Device::Cpu);
    let norm = batch_norm1d(vs.root() / "norm", 3, Default::default());
    let one = Tensor::ones([1, 3], (Kind::Float, Device::Cpu));
    let text = panic_message(|| drop(norm.forward_t(&one, true)));
    assert!(text.contains("more than 1 value of each channel, and [1, 3] has one"), "{text}");
    assert_eq!(norm.forward_t(&one, false).size(), [1, 3]);
    assert_eq!(norm.forward_t(&one.view([1, 3, 1]).repeat([1, 1, 2]), true).size(), [1, 3, 2]);
    let text = panic_message(|| drop(norm.forward_t(&Tensor::ones([2, 4], (Kind::Float, Device::Cpu)), true)));
    assert!(text.contains("[2, 4], with 4 channels; it takes [N, C] or [N, C, L] with C = 3"), "{text}");
    let text = panic_message(|| drop(conv2d(vs.root(), 3, 8, 3, ConvConfig { groups: 2, ..Default::default() })));
    assert!(text.contains("3 and 8 channels cannot be divided into 2 groups"), "{text}");
    let text =
        panic_message(|| drop(embedding(vs.root(), 5, 3, EmbeddingConfig { padding_idx: 5, ..Default::default() })));
    assert!(text.contains("a padding_idx of 5 for 5 rows"), "{text}");
    let text = panic_message(|| drop(lstm(vs.root(), 3, 2, RNNConfig { num_layers: 0, ..Default::default() })));
    assert!(text.contains("lstm: 0 layers"), "{text}");
}
