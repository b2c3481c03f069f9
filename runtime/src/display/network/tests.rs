use tch::nn::{Module, ModuleT};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::nn::{self, Chain, ChainT, VarStore};

fn text(bundle: Option<MimeBundle>) -> String {
    bundle.expect("a network").plain().to_owned()
}

#[derive(Debug)]
#[expect(dead_code, reason = "they are read by `Debug`")]
struct Net {
    conv: nn::Conv2D,
    norm: nn::BatchNorm,
    blocks: Vec<nn::Sequential>,
    head: Option<nn::Watched<nn::Linear>>,
    hidden: i64,
}

fn net(vs: &VarStore) -> Net {
    let root = vs.root();
    let no_bias = nn::LinearConfig { bias: false, ..Default::default() };
    let block = |at: i64| nn::seq().add_named("in", nn::linear(&root / "block" / at, 8, 8, no_bias)).relu();
    Net {
        conv: nn::conv2d(&root / "conv", 1, 8, 3, Default::default()),
        norm: nn::batch_norm2d(&root / "norm", 8, Default::default()),
        blocks: vec![block(0), block(1)],
        head: Some(nn::watch(nn::linear(&root / "head", 8, 2, Default::default()))),
        hidden: 8,
    }
}

#[test]
fn a_layer_is_its_weights() {
    let vs = VarStore::new(Device::Cpu);
    let shown = text(of_module(&nn::linear(vs.root(), 64, 10, Default::default())));
    let expected = "\
Layer   Variables                      Parameters
-------------------------------------------------
Linear  weight [10, 64], bias [10]            650
-------------------------------------------------
Total parameters: 650";
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace('-', "");
    assert_eq!(squeezed(&shown), squeezed(expected), "{shown}");
}

#[test]
fn a_struct_of_ones_own_is_a_tree_of_its_layers() {
    let vs = VarStore::new(Device::Cpu);
    let net = net(&vs);
    let shown = text(of_value(&net));
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let expected = [
        "Net",
        "  conv (Conv2D)            weight [8, 1, 3, 3], bias [8]          80",
        "  norm (BatchNorm)         weight [8], bias [8]                   16",
        "  blocks.0 (Sequential)",
        "    in (Linear)            weight [8, 8]                          64",
        "    1 (ReLU)",
        "  blocks.1 (Sequential)",
        "    in (Linear)            weight [8, 8]                          64",
        "    1 (ReLU)",
        "  head (Linear)            weight [2, 8], bias [2]                18",
    ];
    assert_eq!(lines[2..12].iter().map(|line| words(line)).collect::<Vec<_>>(), expected.map(words), "{shown}");
    assert!(lines[2..12].iter().zip(expected).all(|(line, expected)| indent(line) == indent(expected)), "{shown}");
    assert_eq!(lines[13..], ["Total parameters: 242", "Statistics, not trained: 16"]);
    let counted: i64 = vs.trainable_variables().iter().map(|weight| weight.numel() as i64).sum();
    assert_eq!(counted, 242);
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[test]
fn what_the_store_holds_is_what_is_counted() {
    let vs = VarStore::new(Device::Cpu);
    let root = vs.root();
    let networks: Vec<(&str, Box<dyn Debug>)> = vec![
        ("resnet", Box::new(nn::resnet18(&root / "resnet", 10))),
        ("unet", Box::new(nn::unet(&root / "unet", 1, 1, Default::default()))),
        ("lstm", Box::new(nn::lstm(&root / "lstm", 4, 8, Default::default()))),
        ("cell", Box::new(nn::gru_cell(&root / "cell", 4, 8, Default::default()))),
        ("attention", Box::new(nn::multihead_attention(&root / "attention", 8, 2, Default::default()))),
        (
            "normed",
            Box::new(nn::weight_norm(
                &root / "normed",
                |path| nn::linear(path, 4, 3, Default::default()),
                Default::default(),
            )),
        ),
        ("shared", Box::new(nn::shared(nn::linear(&root / "shared", 4, 3, Default::default())))),
        (
            "boxed",
            Box::new(vec![nn::seq_t().add(nn::conv1d(&root / "boxed", 2, 3, 3, Default::default())).dropout(0.5)]),
        ),
    ];
    for (name, network) in &networks {
        let beginning = format!("{name}.");
        let variables = vs.variables();
        let learned = variables.iter().filter(|(path, weight)| path.starts_with(&beginning) && weight.requires_grad());
        let expected: i64 = learned.map(|(_, weight)| weight.numel() as i64).sum();
        let shown = Part::of(&**network).map(|part| table(&part).plain().to_owned()).expect("a tree");
        let total = format!("Total parameters: {}", thousands(expected));
        assert!(expected > 0 && shown.lines().any(|line| line == total), "{name}: {total}\n{shown}");
    }
}

#[test]
fn a_value_without_weights_is_no_network() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "they are read by `Debug`")]
    struct Batch {
        images: Tensor,
        labels: Vec<Tensor>,
    }
    let images = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
    let batch = Batch { labels: vec![images.shallow_clone()], images };
    assert!(may_be_in(&format!("{batch:?}")) && of_value(&batch).is_none());
    for text in ["[Tensor[[2, 3], Float]]", "Net { a: 1 }", ""] {
        assert!(!may_be_in(text), "{text}");
    }
}

#[test]
fn a_layer_of_ones_own_has_the_tensors_that_it_keeps() {
    #[derive(Debug)]
    struct Scale {
        scale: Tensor,
    }
    impl Module for Scale {
        fn forward(&self, xs: &Tensor) -> Tensor {
            xs * &self.scale
        }
    }
    let layer = Scale { scale: Tensor::ones([3], (Kind::Float, Device::Cpu)) };
    assert_eq!(layer.forward_t(&layer.scale, false).size(), [3]);
    let shown = text(of_module(&layer));
    assert!(shown.contains("scale [3]") && shown.contains("Total parameters: 3"), "{shown}");
}

#[test]
fn a_dropout_shows_its_share() {
    let shown = text(of_module(&nn::seq_t().add(nn::dropout(0.25)).relu()));
    assert!(shown.contains("0 (Dropout)") && shown.contains("p 0.25") && shown.contains("1 (ReLU)"), "{shown}");
}
