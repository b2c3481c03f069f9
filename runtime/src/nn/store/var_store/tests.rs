//! Tests: a store in notebooks, where cells are run again and fail.

use tch::nn::OptimizerConfig;

use super::*;
use crate::nn::{Module, linear};
use crate::optim;

fn names(vs: &VarStore) -> Vec<String> {
    let mut names: Vec<String> = vs.variables().into_keys().collect();
    names.sort();
    names
}

/// As a later run of a cell would see what is there.
fn a_later_run(vs: &VarStore) {
    vs.register.age(&vs.store.variables_);
}

fn ones(size: [i64; 2]) -> Tensor {
    Tensor::ones(size, (Kind::Float, Device::Cpu))
}

#[test]
fn a_later_run_takes_a_name_over_and_the_optimiser_goes_on_with_the_new_layer() {
    let vs = VarStore::new(Device::Cpu);
    let make = || linear(vs.root() / "fc", 3, 2, Default::default());
    let old = make();
    optim::group_by(&vs, |name, _| if name == "fc.bias" { 1 } else { 0 });
    let mut optimizer = tch::nn::Sgd::default().build(&vs, 0.1).expect("builds");
    optimizer.set_lr_group(1, 0.0);
    a_later_run(&vs);
    let new = make();
    assert_eq!(names(&vs), ["fc.bias", "fc.weight"]);
    assert!(vs.variables()["fc.weight"].equal(&new.ws) && !new.ws.equal(&old.ws));
    assert_eq!((optim::parameters(&vs), vs.trainable_variables().len()), (8, 2));
    let before = [&old.ws, &new.ws].map(Tensor::copy);
    let bias = new.bs.as_ref().map(Tensor::copy).expect("a bias");
    optimizer.backward_step(&new.forward(&ones([1, 3])).square().sum(Kind::Float));
    assert!(old.ws.equal(&before[0]) && !new.ws.equal(&before[1]));
    // In the group that the variable before it was put into.
    assert!(new.bs.as_ref().expect("a bias").equal(&bias));
}

#[test]
fn layers_of_one_path_within_a_run_are_numbered_and_made_again_together() {
    let vs = VarStore::new(Device::Cpu);
    let make = || [linear(vs.root(), 3, 4, Default::default()), linear(vs.root(), 4, 2, Default::default())];
    let _first = make();
    let before = names(&vs);
    assert_eq!(before, ["bias", "bias__3", "weight", "weight__2"]);
    a_later_run(&vs);
    let [_, second] = make();
    assert_eq!(names(&vs), before);
    assert!(vs.variables()["weight__2"].equal(&second.ws));
}

/// What stands in a store after a network was made, and after another was made in its place by a later run.
fn made_again(first: &dyn Fn(&Path), second: &dyn Fn(&Path)) -> (VarStore, Vec<String>) {
    let vs = VarStore::new(Device::Cpu);
    first(&vs.root());
    let _elsewhere = linear(vs.root() / "elsewhere", 2, 2, Default::default());
    a_later_run(&vs);
    second(&vs.root());
    let mut there = names(&vs);
    there.retain(|name| !name.starts_with("elsewhere."));
    assert_eq!(vs.len(), there.len() + 2, "nothing of another layer goes");
    (vs, there)
}

/// A layer as a user writes it.
fn of_a_user(path: &Path, bias: bool) {
    let _ = path.ones("scale", &[2]);
    if bias {
        let _ = path.zeros("shift", &[2]);
    }
}

#[test]
fn a_store_has_of_a_layer_that_is_made_anew_what_the_new_one_has() {
    use crate::nn::*;
    type Make = fn(&Path);
    let pairs: [(&str, Make, Make); 13] = [
        (
            "linear",
            |p| drop(linear(p / "fc", 3, 2, Default::default())),
            |p| {
                drop(linear(p / "fc", 3, 2, LinearConfig { bias: false, ..Default::default() }));
            },
        ),
        (
            "linear at the root",
            |p| drop(linear(p, 3, 2, Default::default())),
            |p| {
                drop(linear(p, 3, 2, LinearConfig { bias: false, ..Default::default() }));
            },
        ),
        (
            "conv2d",
            |p| drop(conv2d(p / "conv", 1, 2, 3, Default::default())),
            |p| {
                drop(conv2d(p / "conv", 1, 2, 3, no_bias()));
            },
        ),
        (
            "batch_norm2d",
            |p| drop(batch_norm2d(p / "norm", 2, Default::default())),
            |p| {
                let _ = (p / "norm").zeros_no_train("running_mean", &[2]);
            },
        ),
        (
            "lstm",
            |p| drop(lstm(p / "lstm", 3, 2, RNNConfig { num_layers: 2, ..Default::default() })),
            |p| {
                drop(lstm(p / "lstm", 3, 2, RNNConfig { has_biases: false, ..Default::default() }));
            },
        ),
        (
            "transformer_encoder",
            |p| drop(transformer_encoder(p / "enc", 3, 4, 2, Default::default())),
            |p| {
                drop(transformer_encoder(p / "enc", 1, 4, 2, Default::default()));
            },
        ),
        (
            "resnet",
            |p| drop(resnet(p, 3, 10, ResNetConfig::default())),
            |p| {
                drop(resnet(p, 3, 10, ResNetConfig { widths: vec![8], blocks: vec![1], ..Default::default() }));
            },
        ),
        ("of a user", |p| of_a_user(&(p / "own"), true), |p| of_a_user(&(p / "own"), false)),
        (
            "of tch",
            |p| drop(tch::nn::linear(p / "fc", 3, 2, Default::default())),
            |p| {
                let config = tch::nn::LinearConfig { bias: false, ..Default::default() };
                drop(tch::nn::linear(p / "fc", 3, 2, config));
            },
        ),
        (
            "of tch at the root",
            |p| drop(tch::nn::linear(p, 3, 2, Default::default())),
            |p| drop(tch::nn::linear(p, 3, 2, Default::default())),
        ),
        (
            "tch's lstm",
            |p| drop(tch::nn::lstm(p / "lstm", 3, 2, Default::default())),
            |p| {
                drop(tch::nn::lstm(p / "lstm", 3, 2, tch::nn::RNNConfig { has_biases: false, ..Default::default() }));
            },
        ),
        (
            "tch's after ours",
            |p| drop(linear(p / "fc", 3, 2, Default::default())),
            |p| {
                drop(tch::nn::linear(p / "fc", 3, 4, Default::default()));
            },
        ),
        (
            "ours after tch's",
            |p| drop(tch::nn::linear(p / "fc", 3, 2, Default::default())),
            |p| {
                drop(linear(p / "fc", 3, 4, LinearConfig { bias: false, ..Default::default() }));
            },
        ),
    ];
    for (name, first, second) in pairs {
        let (_, expected) = made_again(&|_| (), &second);
        let (vs, there) = made_again(&first, &second);
        assert_eq!(there, expected, "{name}");
        // An optimiser that is built now trains what is there.
        let trained = vs.variables().into_values().filter(Tensor::requires_grad).count();
        assert_eq!(vs.trainable_variables().len(), trained, "{name}");
        // And a network that is made with all again has all.
        a_later_run(&vs);
        first(&vs.root());
        let (_, whole) = made_again(&|_| (), &first);
        assert_eq!(vs.len(), whole.len() + 2, "{name}");
        assert!(vs.register.left_out().is_empty(), "{name}: {:?}", vs.register.left_out());
    }
}

#[test]
fn layers_of_tch_are_made_again_together_and_keep_their_groups() {
    let vs = VarStore::new(Device::Cpu);
    let make = || {
        let root = vs.root();
        [0, 1].map(|_| tch::nn::linear(&root, 3, 3, Default::default()))
    };
    let _first = make();
    let before = names(&vs);
    let numbered = before.iter().find(|name| name.starts_with("weight__")).expect("the second layer");
    optim::group_by(&vs, |name, _| usize::from(name.starts_with("bias")));
    a_later_run(&vs);
    let [first, second] = make();
    assert_eq!(names(&vs), before);
    let there = vs.variables();
    assert!(there["weight"].equal(&first.ws) && there[numbered].equal(&second.ws));
    let groups = |tensor: &Tensor| {
        let variables = vs.variables_.lock().expect("no test panics here");
        variables
            .trainable_variables
            .iter()
            .find(|slot| slot.tensor.data_ptr() == tensor.data_ptr())
            .map(|slot| slot.group)
    };
    assert_eq!([&there["weight"], &there["bias"]].map(groups), [Some(0), Some(1)]);
}

#[test]
fn what_fails_leaves_a_store_as_it_was_and_useable() {
    let mut vs = network(3);
    let numbers = vs.root().add("numbers", Tensor::from_slice(&[1_i64, 2]), false);
    let before = names(&vs);
    let fc = vs.root() / "fc";
    a_later_run(&vs);
    let refused: [(&str, &dyn Fn()); 7] = [
        ("a name", &|| drop(fc.zeros("a.b", &[2]))),
        ("a size", &|| drop(fc.zeros("weight", &[-1]))),
        ("a layer's size", &|| drop(linear(&fc, 2, -1, Default::default()))),
        ("whole numbers", &|| drop(fc.add("weight", Tensor::from_slice(&[1_i64]), true))),
        ("a kind", &|| fc.clone().set_kind(Kind::Int64)),
        ("a kind of a place", &|| vs.root().set_kind(Kind::Bool)),
        ("no gradients", &|| tch::nn::Sgd::default().build(&vs, 0.1).expect("builds").clip_grad_norm(1.0)),
    ];
    for (name, refused) in refused {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(refused)).is_err(), "{name}");
        assert_eq!(names(&vs), before, "{name}");
        assert!(vs.variables()["fc.weight"].kind() == Kind::Float, "{name}");
    }
    let mut optimizer = tch::nn::Sgd::default().build(&vs, 0.1).expect("builds");
    let clip = std::panic::AssertUnwindSafe(|| optimizer.clip_grad_norm(1.0));
    assert!(std::panic::catch_unwind(clip).is_err());
    forget_panics();
    optimizer.zero_grad();
    let other = network(3);
    let _ = other.root().add("numbers", Tensor::from_slice(&[3_i64, 4]), false);
    vs.copy(&other).expect("the same names and shapes");
    assert_eq!(Vec::<i64>::try_from(&numbers).expect("whole numbers"), [3, 4]);
    assert_eq!(vs.variables()["fc.weight"].kind(), Kind::Float);
    assert!(vs.copy(&VarStore::new(Device::Cpu)).is_err());
    // libtorch trains no whole numbers: they become what the variable has.
    let weights = vec![("fc.bias".to_owned(), Tensor::from_slice(&[1_i64, 2, 3]))];
    vs.take_over(&StateDict::new("a file", weights), true).expect("fits");
    let bias = &vs.variables()["fc.bias"];
    assert_eq!((bias.kind(), bias.sum(Kind::Float).double_value(&[])), (Kind::Float, 6.0));
}

#[test]
fn a_kind_holds_for_what_is_made_later_and_for_what_is_below_a_path() {
    let mut vs = VarStore::new(Device::Cpu);
    vs.half();
    let layer = linear(vs.root() / "fc", 2, 2, Default::default());
    let norm = crate::nn::batch_norm1d(vs.root() / "fc2", 2, Default::default());
    assert_eq!([layer.ws.kind(), norm.running_var.kind(), vs.kind()], [Kind::Half; 3]);
    (vs.root() / "fc").float();
    assert_eq!([layer.ws.kind(), norm.running_var.kind()], [Kind::Float, Kind::Half]);
}

fn network(outputs: i64) -> VarStore {
    let vs = VarStore::new(Device::Cpu);
    let _layer = linear(vs.root() / "fc", 2, outputs, Default::default());
    vs
}

#[test]
fn variables_read_back_from_files_of_every_ending() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["w.ot", "w.safetensors", "w.npz", "w.pt", "w.pth", "w.bin", "w"] {
        let (from, mut to) = (network(3), network(3));
        let path = folder.path().join(name);
        std::fs::write(&path, "old").expect("writes");
        from.save(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        to.load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_same = |(name, variable): (String, Tensor)| variable.equal(&to.variables()[&name]);
        assert!(from.variables().into_iter().all(is_same), "{name}");
        assert!(to.trainable_variables().iter().all(Tensor::requires_grad), "{name}");
    }
    // Nothing is left beside them.
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 7);
    let mut stream = std::io::Cursor::new(Vec::new());
    let (from, mut to) = (network(3), network(3));
    from.save_to_stream(&mut stream).expect("writes");
    stream.set_position(0);
    to.load_from_stream(stream).expect("reads");
    assert!(from.variables()["fc.weight"].equal(&to.variables()["fc.weight"]));
}

#[test]
fn a_file_that_does_not_fit_changes_nothing_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    // Broadcast, the one number of each would fill three.
    network(1).save(path("one.ot")).expect("writes");
    let partial = VarStore::new(Device::Cpu);
    let weight = (partial.root() / "fc").ones("weight", &[3, 2]);
    let _other = partial.root().ones("other", &[1]);
    partial.save(path("partial.ot")).expect("writes");
    let mut vs = network(3);
    let before = vs.variables()["fc.weight"].copy();
    for name in ["one.ot", "partial.ot", "none.ot", "one.safetensors"] {
        let error = vs.load(path(name)).expect_err("does not fit").to_string();
        assert!(error.contains(&path(name).display().to_string()), "{error}");
        assert!(vs.variables()["fc.weight"].equal(&before), "{name}");
    }
    let error = vs.load(path("one.ot")).expect_err("another shape").to_string();
    assert!(error.contains("shape of fc.weight: [1, 2] there, [3, 2] here"), "{error}");
    let error = vs.load(path("partial.ot")).expect_err("lacks the bias").to_string();
    assert!(error.contains("missing: fc.bias\n  unexpected: other"), "{error}");
    assert!(vs.load_partial(path("one.ot")).is_err());
    assert_eq!(vs.load_partial(path("partial.ot")).expect("reads"), ["fc.bias"]);
    assert!(vs.variables()["fc.weight"].equal(&weight));
}

#[test]
fn a_save_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.ot");
    network(3).save(&path).expect("writes");
    let before = std::fs::read(&path).expect("reads");
    let undefined = VarStore::new(Device::Cpu);
    undefined.variables_.lock().expect("nobody panicked").named_variables.insert("none".to_owned(), Tensor::new());
    assert!(undefined.save(&path).is_err());
    assert_eq!(std::fs::read(&path).expect("reads"), before);
    let nowhere = folder.path().join("none").join("w.ot");
    let error = network(3).save(&nowhere).expect_err("there is no such folder").to_string();
    assert!(error.starts_with(&format!("cannot write {}: ", nowhere.display())), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 1);
}

#[test]
fn layers_of_tch_take_the_paths_and_the_store() {
    let mut vs = VarStore::new(Device::Cpu);
    let _layer = tch::nn::linear(vs.root() / "fc", 2, 2, Default::default());
    let root = vs.root();
    let _other = tch::nn::linear(&root / "out", 2, 2, Default::default());
    let by_value = |path: tch::nn::Path| path.components().count();
    assert_eq!(by_value((&root / "fc").into()), 1);
    let of_tch: &tch::nn::Path = &root;
    assert_eq!(of_tch.components().count(), 0);
    assert_eq!(vs.len(), 4);
    vs.freeze();
    assert!(vs.trainable_variables().iter().all(|variable| !variable.requires_grad()));
}
