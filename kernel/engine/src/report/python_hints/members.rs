//! Fields and methods of Python's libraries, and the ones here.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, quoted};
use crate::names as foreign;
use crate::report::hints::Advice;
use crate::report::python_hints::expressions::base;
use crate::report::python_hints::names::CLASS_MODULES;
use crate::report::python_hints::{Spot, write};

/// A name, and what to write for it.
type Names = &'static [(&'static str, &'static str)];

const NUMBER: &str = "`x.double_value(&[])` or `x.int64_value(&[])`";
const POWER: &str = "`x.square()`, or `x.pow_tensor_scalar(3)` for any number; `x.pow(&y)` has a tensor as exponent";
const TRANSPOSE: &str = "`x.tr()` transposes a matrix, `x.transpose(0, 1)` swaps two dimensions";
const TO_DEVICE: &str = "`x.to_device(device())`; for a network `nn::VarStore::new(device())` has its weights there";
const TO_INT64: &str = "`x.to_kind(Kind::Int64)`";
const WEIGHTS: &str = "the `VarStore` has the weights: `vs.trainable_variables()`, `vs.variables()` with their names, `vs.save(path)?` and \
                       `vs.load(path)?`";
const MODE: &str = "a network has no mode: `net.forward_t(&x, true)` trains (with dropout), `net.forward_t(&x, false)` \
                    evaluates; `no_grad(|| ...)` around it saves memory";

const TENSOR: Names = &[
    ("shape", "`x.size()`; one of them is `x.size()[0]`"),
    ("dtype", "`x.kind()`"),
    ("ndim", "`x.dim()`"),
    ("nelement", "`x.numel()`"),
    ("item", NUMBER),
    ("ln", "`x.log()`"),
    ("accuracy", "`metrics::accuracy(&logits, &labels)`"),
    ("numpy", "`Vec::<f32>::try_from(&x.flatten(0, -1))?`"),
    ("tolist", "`Vec::<f32>::try_from(&x)?`"),
    ("T", TRANSPOSE),
    ("t", TRANSPOSE),
    ("H", TRANSPOSE),
    ("mT", "`x.transpose(-2, -1)`"),
    ("long", TO_INT64),
    ("int", "`x.to_kind(Kind::Int)`"),
    ("float", "`x.to_kind(Kind::Float)`"),
    ("double", "`x.to_kind(Kind::Double)`"),
    ("half", "`x.to_kind(Kind::Half)`"),
    ("bool", "`x.to_kind(Kind::Bool)`"),
    ("type", "`x.kind()`; `x.to_kind(Kind::Float)` converts"),
    ("astype", "`x.to_kind(Kind::Float)`"),
    ("cpu", "`x.to_device(Device::Cpu)`"),
    ("cuda", TO_DEVICE),
    ("powf", POWER),
    ("powi", POWER),
    ("requires_grad_", "`let x = x.set_requires_grad(true);`"),
    ("requires_grad", "`let x = x.set_requires_grad(true);`; `x.requires_grad()` tells whether it is so"),
    ("unique", "`let (values, _, _) = x.unique_dim(0, true, false, false);`"),
    ("add", "`&x + &y`"),
    ("sub", "`&x - &y`"),
    ("mul", "`&x * &y`"),
    ("div", "`&x / &y`"),
    ("ne", "`x.ne(0.5)` with a number, `x.ne_tensor(&y)` with a tensor"),
    ("len", "`x.size()[0]`"),
    ("iter", "`x.unbind(0)` is a list of the rows, as in `for row in x.unbind(0) { ... }`"),
    ("into_iter", "`x.unbind(0)` is a list of the rows, as in `for row in x.unbind(0) { ... }`"),
    ("copy_from", "`x.copy_(&y)`"),
    ("masked_fill_", "`x.masked_fill_(&mask, 0.0)`"),
    ("sum_dim", "`x.sum_dim_intlist(1, false, Kind::Float)`"),
    ("cross_entropy", "`nn::cross_entropy(&logits, &labels)`"),
    ("zip", "`x.unbind(0)`, a list of the rows, as in `for (row, y) in x.unbind(0).iter().zip(&list) { ... }`"),
];

/// What is called on the type itself, as in `Tensor::tensor([1.0])`.
const TENSOR_TYPE: Names = &[
    ("tensor", FROM_LIST),
    ("new", FROM_LIST),
    ("from", FROM_LIST),
    ("array", FROM_LIST),
    ("from_numpy", FROM_LIST),
    ("of_slice", FROM_LIST),
    ("of_data", FROM_LIST),
    ("from_vec", FROM_LIST),
    ("manual_seed", "`seed(1)`"),
    ("no_grad", "`no_grad(|| { ... })`"),
    ("save", "`vs.save(path)?` for a network, `x.save(path)?` for a tensor"),
    ("randperm", "`Tensor::randperm(10, (Kind::Int64, Device::Cpu))`"),
];
pub(super) const FROM_LIST: &str =
    "`Tensor::from_slice(&[1.0_f32, 2.0])`; for rows `Tensor::from_slice2(&[[1.0_f32, 2.0], [3.0, 4.0]])`";

const LOADER: Names = &[
    ("dataset", "`loader.samples()` is how many samples its data set has; the set itself is what it was made from"),
    ("enumerate", "`for (i, (x, y)) in loader.iter().enumerate() { ... }`"),
];

const LIST: Names = &[
    ("append", "`list.push(x)`"),
    ("add", "`list.push(x)`"),
    ("length", "`list.len()`"),
    ("size", "`list.len()`"),
    ("shape", "`list.len()`"),
    ("count", "`list.iter().filter(|x| **x == 3).count()`"),
    ("index", "`list.iter().position(|x| *x == 3)`, which is an `Option`"),
    ("map", "`list.iter().map(|x| x * 2).collect::<Vec<_>>()`"),
    ("filter", "`list.iter().filter(|x| **x > 2).collect::<Vec<_>>()`"),
    ("sum", "`list.iter().sum::<f64>()`"),
    ("mean", "`list.iter().sum::<f64>() / list.len() as f64`"),
    ("max", "`list.iter().max()`; of floats `list.iter().copied().fold(f64::MIN, f64::max)`"),
    ("min", "`list.iter().min()`; of floats `list.iter().copied().fold(f64::MAX, f64::min)`"),
    ("enumerate", "`list.iter().enumerate()`"),
    ("argmax", "`(0..list.len()).max_by(|&a, &b| list[a].total_cmp(&list[b]))`, which is an `Option`"),
    ("argmin", "`(0..list.len()).min_by(|&a, &b| list[a].total_cmp(&list[b]))`, which is an `Option`"),
    ("abs", "`list.iter().map(|x| x.abs()).collect::<Vec<_>>()`"),
    (
        "zip",
        "`a.iter().zip(&b)`, or `a.iter_mut().zip(&b)` to change those of `a`: `for (x, y) in a.iter_mut().zip(&b) { *x += y; }`",
    ),
    ("copy", "`list.clone()`"),
    ("to_list", "`list.clone()`"),
    ("sorted", "`list.sort()` sorts in place"),
    ("items", "`list.iter()`"),
];

const TEXT: Names = &[
    ("upper", "`text.to_uppercase()`"),
    ("lower", "`text.to_lowercase()`"),
    ("strip", "`text.trim()`"),
    ("lstrip", "`text.trim_start()`"),
    ("rstrip", "`text.trim_end()`"),
    ("startswith", "`text.starts_with(\"a\")`"),
    ("endswith", "`text.ends_with(\"a\")`"),
    ("format", "`format!(\"{x} and {y:.3}\")`"),
    ("join", "`words.join(\", \")`: the list has the method"),
    ("splitlines", "`text.lines()`"),
    ("isdigit", "`text.chars().all(|c| c.is_ascii_digit())`"),
    ("isalpha", "`text.chars().all(char::is_alphabetic)`"),
    ("count", "`text.matches(\"a\").count()`"),
    ("title", "Rust's `str` has `to_uppercase()` and `to_lowercase()` alone"),
    ("encode", "`text.as_bytes()`"),
    ("append", "`text.push_str(\"more\")`"),
    ("length", "`text.len()` is in bytes, `text.chars().count()` in characters"),
];

const MAP: Names = &[
    ("items", "`map.iter()`, or `for (key, value) in &map { ... }`"),
    ("has_key", "`map.contains_key(\"a\")`"),
    ("update", "`map.extend(other)`"),
    ("pop", "`map.remove(\"a\")`"),
    ("setdefault", "`map.entry(key).or_insert(value)`"),
];

/// Of what an environment takes, or shows.
const SPACE: Names = &[
    ("shape", ELEMENTS),
    ("n", ELEMENTS),
    ("size", ELEMENTS),
    ("nvec", ELEMENTS),
    ("low", BOUNDS),
    ("high", BOUNDS),
    ("sample", "`rand::random_range(0..space.len())` of a discrete space"),
    ("contains", "`(0..space.len()).contains(&action)` of a discrete space"),
    ("seed", "`seed(1)`"),
];
const ELEMENTS: &str =
    "`space.len()`: how many elements a vector has, or how many values there are of a discrete space";
const BOUNDS: &str = "`if let rl::Space::Box { low, high } = &space { ... }`: the bounds, each a `Vec<f64>`";

/// Of whatever a user may call a model.
const ANY: Names = &[
    ("parameters", WEIGHTS),
    ("state_dict", WEIGHTS),
    ("load_state_dict", WEIGHTS),
    ("named_parameters", WEIGHTS),
    ("train", MODE),
    ("eval", MODE),
    ("cuda", TO_DEVICE),
    ("to", TO_DEVICE),
    ("zero_grad", "`opt.zero_grad()`; `opt.backward_step(&loss)` does that, the gradients and the step"),
    ("param_groups", "`opt.set_lr(1e-4)` sets the rate, `opt.set_lr_group(0, 1e-4)` that of a group"),
    ("append", "`list.push(x)`"),
    ("weight", "`layer.ws` of a linear layer, a convolution or an embedding; `layer.weight` of a norm"),
    ("bias", "`layer.bs`, which is an `Option` of a linear layer or a convolution; `layer.bias` of a norm"),
    (
        "backward",
        "a number has no graph: keep the loss as a tensor. A sum of losses begins with `Tensor::from(0_f32)`, and \
         `total = total + loss`",
    ),
];

/// Settings of Python's layers and optimizers: what the name of our type ends with, the setting, and what to write.
const SETTINGS: [(&str, &str, &str); 5] = [
    (
        "LayerNormConfig",
        "bias",
        "without a bias it is a weight of your own, `let weight = (vs.root() / \"ln\").ones(\"weight\", &[64]);`, and \
         `x.layer_norm([64], Some(&weight), None, 1e-5, true)`",
    ),
    ("", "lr", "the rate is an argument: `nn::Adam::default().build(&vs, 1e-3)?`"),
    ("", "weight_decay", "`wd: 0.01`"),
    ("", "betas", "`beta1: 0.9, beta2: 0.999`"),
    ("", "kernel_size", "the size is an argument: `nn::conv2d(vs.root() / \"conv\", 3, 16, 5, Default::default())`"),
];

/// Help for a setting that a struct of settings does not have.
pub(super) fn of_setting(error: &Diagnostic) -> Option<Advice> {
    let message = readable(&error.message);
    let (ty, name) = message.strip_prefix("struct `")?.split_once("` has no field named `")?;
    let name = name.trim_end_matches('`');
    let (.., rust) = SETTINGS.iter().find(|(end, setting, _)| ty.ends_with(end) && *setting == name)?;
    Some(Advice::instead(write(rust)))
}

/// Help for a field or a method that is not there.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let message = readable(&error.message);
    let ty = quoted(&message).last()?.trim_start_matches(['&', ' ']).trim_start_matches("mut ");
    let name = spot.word.trim_end_matches("()").trim_start_matches("r#");
    let is_of_type = error.message.starts_with("no function or associated item");
    if is_of_type && name == "new" {
        return made_otherwise(ty);
    }
    if let Some(advice) = of_a_field(error, spot, name).or_else(|| of_training(ty, name)) {
        return Some(advice);
    }
    if ty.starts_with('[') && ["push", "extend", "insert", "pop"].contains(&name) {
        return Some(Advice::instead("arrays and slices have a fixed length: a list that grows is a `Vec`, `vec![]`"));
    }
    if ty.ends_with("Figure") {
        return Some(Advice::instead(foreign::find(&format!("matplotlib.pyplot.{name}"))?.told(name)));
    }
    let own = match ty {
        _ if ty.ends_with("Tensor") && is_of_type => TENSOR_TYPE,
        _ if ty.ends_with("Tensor") => TENSOR,
        _ if ty.starts_with(['[']) || ty.contains("Vec<") || ty.ends_with("Vec") => LIST,
        "String" | "str" | "&'static str" | "'static str" => TEXT,
        _ if ty.contains("Map<") => MAP,
        _ if ty.ends_with("rl::Space") => SPACE,
        _ if ty.contains("DataLoader<") => LOADER,
        _ => &[],
    };
    let (_, rust) = own.iter().chain(ANY).find(|(other, _)| *other == name)?;
    Some(Advice::instead(write(rust)))
}

/// Help for a field that is called, as `self.fc(x)` is in PyTorch.
fn of_a_field(error: &Diagnostic, spot: &Spot<'_>, name: &str) -> Option<Advice> {
    let tells = |text: &str| error.children.iter().any(|child| child.message.contains(text));
    let is_called = error.labels().any(|label| label == "field, not a method");
    (is_called && !tells("closure") && !tells("stored in")).then(|| {
        let field = format!("{}.{name}", base(spot.before));
        Advice::instead(format!("`{name}` is a field: a layer is called by `{field}.forward(&x)`"))
    })
}

/// Help for what has to be told whether it is in training.
fn of_training(ty: &str, name: &str) -> Option<Advice> {
    (is_told_of_training(ty) && name == "forward").then(|| {
        Advice::instead(
            "write `net.forward_t(&x, false)`, or with `true` in training; a layer alone `x.apply_t(&layer, false)`",
        )
    })
}

/// Whether what has this type behaves otherwise in training, and is told so.
pub(super) fn is_told_of_training(ty: &str) -> bool {
    ty.contains("ModuleT") || ty.ends_with("SequentialT") || ty.ends_with("BatchNorm")
}

/// `nn::Adam::new(..)`: how what Python makes by a class is made here.
fn made_otherwise(ty: &str) -> Option<Advice> {
    let name = ty.rsplit("::").next()?;
    let entry = CLASS_MODULES.iter().find_map(|module| foreign::find(&format!("{module}.{name}")))?;
    Some(Advice::instead(entry.told(&format!("{name}::new"))))
}
