//! Weights of Python, and what does not fit.

use tch::{Device, Kind};

use super::super::npy::tests::{file, reference};
use super::*;
use crate::nn::{
    self, Chain, Module, ModuleT, RNN, TransformerConfig, VarStore, seq, seq_t, transformer_encoder_layer,
};
use crate::reference::Reference;
use crate::tests::panic_message;

/// A file that a script in Python saved.
fn saved(reference: &Reference, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.safetensors"));
    std::fs::write(&path, file(reference, &format!("/models/{name}/file"))).expect("writes");
    path
}

#[test]
fn networks_with_weights_of_python_give_what_they_gave_there() {
    let (folder, reference) = (tempfile::tempdir().expect("a temporary folder"), reference());
    let load = |name: &str, vs: &VarStore| {
        load_state_dict(vs, saved(&reference, folder.path(), name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        reference.tensor(&format!("/models/{name}/input"))
    };
    let check = |name: &str, output: Tensor| reference.check(&format!("/models/{name}/output"), &output, 1e-5);

    let vs = VarStore::new(Device::Cpu);
    let root = vs.root();
    let mlp = seq().add(nn::linear(&root / "0", 6, 8, Default::default())).relu().add(nn::linear(
        &root / "2",
        8,
        3,
        Default::default(),
    ));
    let input = load("mlp", &vs);
    check("mlp", mlp.forward(&input));

    let vs = VarStore::new(Device::Cpu);
    let root = vs.root();
    let cnn = seq_t()
        .add(nn::conv2d(&root / "conv", 1, 4, 3, Default::default()))
        .add(nn::batch_norm2d(&root / "norm", 4, Default::default()))
        .relu()
        .flatten()
        .add(nn::linear(&root / "out", 4 * 16, 3, Default::default()));
    let input = load("cnn", &vs);
    check("cnn", cnn.forward_t(&input, false));

    let vs = VarStore::new(Device::Cpu);
    let config = nn::RNNConfig { num_layers: 2, bidirectional: true, ..Default::default() };
    let lstm = nn::lstm(&vs.root() / "lstm", 5, 4, config);
    let input = load("lstm", &vs);
    check("lstm", lstm.seq(&input).0);

    let vs = VarStore::new(Device::Cpu);
    let config = TransformerConfig { dim_feedforward: 16, dropout: 0.0, ..Default::default() };
    let encoder = transformer_encoder_layer(vs.root(), 8, 2, config);
    let input = load("transformer", &vs);
    check("transformer", encoder.forward_t(&input, false));
}

fn network(hidden: i64) -> VarStore {
    let vs = VarStore::new(Device::Cpu);
    let root = vs.root();
    let _ = (
        nn::linear(&root / "a", 2, hidden, Default::default()),
        nn::linear(&root / "b", hidden, 1, Default::default()),
    );
    vs
}

#[test]
fn what_does_not_fit_is_listed_and_nothing_is_changed() {
    let (from, to) = (network(3), network(4));
    let before = to.variables()["a.weight"].copy();
    let dict = StateDict::of(&from).rename("b.", "c.");
    let error = dict.load(&to).expect_err("another network").to_string();
    for part in
        ["missing: b.bias, b.weight", "unexpected: c.bias, c.weight", "a.weight: [3, 2] there, [4, 2] here", "rename"]
    {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(to.variables()["a.weight"].equal(&before));
    assert!(dict.load_partial(&to).is_err());
    let loaded = dict.load_partial(&network(3)).expect("the shapes are the same");
    assert_eq!((loaded.missing.len(), loaded.unexpected.len()), (2, 2));
}

#[test]
fn files_of_both_formats_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["w.safetensors", "w.npz"] {
        let (from, to) = (network(3), network(3));
        let path = folder.path().join(name);
        StateDict::of(&from).save(&path).expect("writes");
        load_state_dict(&to, &path).expect("loads");
        assert!(from.variables().iter().all(|(name, variable)| variable.equal(&to.variables()[name])), "{name}");
    }
    let whole = std::fs::read(folder.path().join("w.safetensors")).expect("reads");
    std::fs::write(folder.path().join("cut.safetensors"), &whole[..whole.len() - 4]).expect("writes");
    let read = |name: &str| StateDict::read(folder.path().join(name)).expect_err("damaged").to_string();
    let cut = read("cut.safetensors");
    assert!(cut.contains("cut.safetensors ends too early, 304 bytes instead of 308"), "{cut}");
    std::fs::write(folder.path().join("w.pt"), b"PK").expect("writes");
    assert!(read("w.pt").contains("save_file"));
    std::fs::write(folder.path().join("dict.pt"), file(&reference(), "/dict")).expect("writes");
    let dict = StateDict::read(folder.path().join("dict.pt")).expect("a plain dictionary");
    assert_eq!(dict.get("w"), Some(&Tensor::from_slice(&[1f32, 2.0])));
    assert!(read("none.npz").starts_with("cannot read"));
    let vs = VarStore::new(Device::Cpu);
    let _weight = vs.root().zeros("w", &[2]);
    assert!(StateDict::of(&vs).save(folder.path().join("w.txt")).is_err());
    let strided = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]).tr();
    let dict = StateDict { origin: String::new(), tensors: [("x".to_owned(), strided.shallow_clone())].into() };
    dict.save(folder.path().join("x.safetensors")).expect("writes");
    let again = StateDict::read(folder.path().join("x.safetensors")).expect("reads");
    assert!(again.get("x").is_some_and(|x| x.equal(&strided)));
}

#[test]
fn variables_become_the_tensors_themselves() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("w.safetensors");
    let made = VarStore::with_kind(Device::Cpu, Kind::BFloat16);
    let trained = nn::linear(made.root() / "fc", 4, 2, Default::default());
    StateDict::of(&made).insert("count", Tensor::from(3i64)).save(&path).expect("writes");
    let dict = StateDict::read(&path).expect("reads");
    let vs = VarStore::new(Device::Cpu);
    let layer = nn::linear(vs.root() / "fc", 4, 2, Default::default());
    let count = vs.root().zeros_no_train("count", &[]);
    dict.assign(&vs).expect("fits");
    assert_eq!(layer.ws.data_ptr(), dict.get("fc.weight").expect("is there").data_ptr());
    assert_eq!((layer.ws.kind(), layer.ws.requires_grad(), layer.ws.is_leaf()), (Kind::BFloat16, true, true));
    assert_eq!((count.kind(), count.int64_value(&[])), (Kind::Int64, 3));
    assert_eq!(layer.ws, trained.ws);
    // They train, and the file stays.
    let mut optimizer = nn::Sgd::default().build(&vs, 0.5).expect("has variables");
    let x = Tensor::ones([1, 4], (Kind::BFloat16, Device::Cpu));
    optimizer.backward_step(&layer.forward(&x).sum(Kind::BFloat16));
    assert_ne!(layer.ws, trained.ws);
    assert_eq!(StateDict::read(&path).expect("reads").get("fc.weight"), Some(&trained.ws));
    let (other, before) = (network(4), network(4).variables()["a.weight"].data_ptr());
    assert!(dict.assign(&other).expect_err("another network").to_string().contains("missing: a.bias"));
    assert_ne!(other.variables()["a.weight"].data_ptr(), before);
}

#[test]
fn whole_numbers_are_copied_into_variables_that_are_trained() {
    let vs = VarStore::new(Device::Cpu);
    let w = vs.root().zeros("w", &[2]);
    let dict: StateDict = [("w", Tensor::from_slice(&[1i64, 2]))].into_iter().collect();
    dict.assign(&vs).expect("fits");
    assert_eq!((w.kind(), w.double_value(&[1])), (Kind::Float, 2.0));
}

#[test]
fn layers_of_a_store_of_bfloat16_are_never_float32() {
    let vs = VarStore::with_kind(Device::Cpu, Kind::BFloat16);
    let root = vs.root();
    let _ = nn::lstm(&root / "lstm", 3, 2, Default::default());
    let _ = nn::batch_norm2d(&root / "norm", 2, Default::default());
    let _ = nn::embedding(&root / "embedding", 3, 2, Default::default());
    let _ = transformer_encoder_layer(&root / "transformer", 8, 2, TransformerConfig::default());
    let kinds = vs.variables().into_iter().filter(|(_, variable)| variable.kind() != Kind::BFloat16);
    assert_eq!(kinds.map(|(name, _)| name).collect::<Vec<_>>(), [""; 0]);
}

fn dict(tensors: &[(&str, &[i64])]) -> StateDict {
    let counted = |size: &[i64]| Tensor::arange(size.iter().product::<i64>(), (Kind::Float, Device::Cpu)).view(size);
    tensors.iter().map(|(name, size)| (*name, counted(size))).collect()
}

#[test]
fn weights_are_put_in_another_form() {
    let weights = dict(&[("q", &[2, 3]), ("k", &[1, 3]), ("v", &[1, 3]), ("old.b", &[2])]);
    let q = weights.get("q").expect("is there").shallow_clone();
    let whole = Tensor::from_slice(&[1i64]);
    let edited = weights
        .concat(&["q", "k", "v"], "qkv", 0)
        .transpose("qkv", 0, -1)
        .rename("old.", "new.")
        .insert("step", whole.shallow_clone())
        .to_kind(Kind::Half);
    assert_eq!(edited.names().collect::<Vec<_>>(), ["new.b", "qkv", "step"]);
    let qkv = edited.get("qkv").expect("is there");
    assert_eq!((qkv.size(), qkv.kind()), (vec![3, 4], Kind::Half));
    assert_eq!(qkv.narrow(1, 0, 2).tr().to_kind(Kind::Float), q);
    assert_eq!(edited.get("step"), Some(&whole));
    let edited = edited.remove("qkv").remove("new.b");
    assert_eq!((edited.len(), edited.is_empty(), edited.iter().count()), (1, false, 1));
    assert_eq!(edited.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["step"]);
}

#[test]
fn what_cannot_be_edited_says_why() {
    let weights = || dict(&[("a", &[2, 3]), ("b", &[2, 2])]);
    let refused = |edit: &dyn Fn(StateDict) -> StateDict| panic_message(|| edit(weights()));
    let says = [
        (refused(&|dict| dict.remove("c")), "no tensor \"c\" in the state dict, which has \"a\", \"b\""),
        (refused(&|dict| dict.transpose("a", 0, 2)), "\"a\" has the shape [2, 3], without the dimensions 0 and 2"),
        (
            refused(&|dict| dict.concat(&["a", "b"], "c", 0)),
            "\"a\" [2, 3], \"b\" [2, 2] cannot be joined along dimension 0",
        ),
        (
            refused(&|dict| dict.concat(&["a", "c"], "d", 0)),
            "no tensor \"c\" in the state dict, which has \"a\", \"b\"",
        ),
        (refused(&|dict| dict.concat(&["a"], "b", 0)), "there is a tensor \"b\" already"),
        (refused(&|dict| dict.to_kind(Kind::Int)), "Int has no floating-point numbers"),
        (refused(&|dict| dict.rename("a", "b")), "would both be \"b\""),
    ];
    for (said, part) in says {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn an_index_gathers_its_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    dict(&[("a", &[2]), ("more", &[1])]).save(at("m-1.safetensors")).expect("writes");
    dict(&[("b", &[3])]).save(at("m-2.safetensors")).expect("writes");
    let read = |map: &str| {
        std::fs::write(at("m.safetensors.index.json"), format!("{{\"metadata\": {{}}, {map}}}")).expect("writes");
        StateDict::read(at("m.safetensors.index.json"))
    };
    let whole = read(r#""weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}"#).expect("reads");
    assert_eq!(
        whole.iter().map(|(name, tensor)| (name.as_str(), tensor.numel())).collect::<Vec<_>>(),
        [("a", 2), ("b", 3)]
    );
    let refused = [
        (
            r#""weight_map": {"a": "m-3.safetensors", "b": "m-4.safetensors"}"#,
            "not beside it: m-3.safetensors, m-4.safetensors",
        ),
        (r#""weight_map": {"c": "m-1.safetensors"}"#, "\"c\" is in m-1.safetensors, where it is not"),
        (r#""weight_map": {"a": "../m-1.safetensors"}"#, "\"a\" is in \"../m-1.safetensors\", which is no name"),
        (r#""weight_map": {"a": "/m-1.safetensors"}"#, "no name of a file of weights beside it"),
        (r#""weight_map": {"a": "m.safetensors.index.json"}"#, "no name of a file of weights beside it"),
        (r#""weight_map": {"a": 1}"#, "\"a\" is in 1"),
        (r#""weights": {}"#, "it has no weight_map"),
        (r#"""#, "is no JSON"),
    ];
    for (map, part) in refused {
        let error = read(map).expect_err(part).to_string();
        assert!(error.contains(part) && error.contains("index.json"), "{part} in {error}");
    }
}

#[test]
fn a_folder_is_no_file_of_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for ending in ["pt", "bin", "safetensors", "npz", "gguf"] {
        let path = folder.path().join(format!("weights.{ending}"));
        std::fs::create_dir(&path).expect("makes a folder");
        let error = StateDict::read(&path).expect_err("no file").to_string();
        assert!(error.contains("is a folder: give the file of weights in it"), "{error}");
    }
}
