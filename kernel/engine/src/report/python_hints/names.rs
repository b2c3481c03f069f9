//! Functions, modules and types of Python's, and what stands for them here.

use crate::diagnostic::Diagnostic;
use crate::names as foreign;
use crate::report::hints::Advice;
use crate::report::python_hints::{Spot, begins_with_assignment, keyword_arguments, write};
use crate::source::words::in_name;

/// Functions of Python's, and the Rust for them.
const FUNCTIONS: [(&str, &str); 53] = [
    ("len", "`list.len()`, also of a data set and a loader; of a tensor `x.size()[0]`"),
    (
        "grad",
        "`autograd::grad(&loss, [&x])`; with a graph, for second derivatives, `autograd::Grad::of(&loss).create_graph().by([&x])`",
    ),
    ("range", "a range is `0..10`; `(0..10).step_by(2)` goes in steps, `(0..10).rev()` backwards"),
    ("enumerate", "`list.iter().enumerate()`"),
    (
        "zip",
        "`a.iter().zip(&b)`, or `a.iter_mut().zip(&b)` to change those of `a`: `for (x, y) in a.iter_mut().zip(&b) { *x += y; }`",
    ),
    ("sum", "`list.iter().sum::<f64>()`; of a tensor `x.sum(Kind::Float)`"),
    ("max", "`a.max(b)`; for a list `list.iter().max()`; of a tensor `x.clamp_min(0.0)`, of two `x.maximum(&y)`"),
    ("min", "`a.min(b)`; for a list `list.iter().min()`; of a tensor `x.clamp_max(1.0)`, of two `x.minimum(&y)`"),
    ("abs", "`x.abs()`"),
    ("sqrt", "`x.sqrt()`"),
    ("exp", "`x.exp()`"),
    ("log", "`x.log()` of a tensor, `x.ln()` of a number"),
    ("sin", "`x.sin()`"),
    ("cos", "`x.cos()`"),
    ("tanh", "`x.tanh()`"),
    (
        "pow",
        "`x.powi(3)` or `x.powf(0.5)` for a float, `x.pow(3)` for an integer, `x.pow_tensor_scalar(3)` for a tensor",
    ),
    ("round", "`x.round()`; to two places in a text `format!(\"{x:.2}\")`"),
    ("relu", "`x.relu()`"),
    ("sigmoid", "`x.sigmoid()`"),
    ("softmax", "`x.softmax(-1, Kind::Float)`"),
    ("log_softmax", "`x.log_softmax(-1, Kind::Float)`"),
    ("matmul", "`a.matmul(&b)`"),
    ("mean", "`x.mean(Kind::Float)` of a tensor, `list.iter().sum::<f64>() / list.len() as f64` of a list"),
    ("argmax", "`x.argmax(1, false)`"),
    ("zeros", MADE),
    ("ones", MADE),
    ("randn", MADE),
    ("rand", MADE),
    ("tensor", MADE),
    ("sorted", "`list.sort()` sorts in place; floats by `list.sort_by(f64::total_cmp)`"),
    ("reversed", "`list.iter().rev()`, of a range `(0..10).rev()`"),
    ("map", "`list.iter().map(|x| x * 2).collect::<Vec<_>>()`"),
    ("filter", "`list.iter().filter(|x| **x > 2).collect::<Vec<_>>()`"),
    ("any", "`list.iter().any(|x| *x > 2)`"),
    ("all", "`list.iter().all(|x| *x > 2)`"),
    ("str", "`x.to_string()`, or `format!(\"{x}\")`"),
    ("int", "`x as i64`, of a tensor `x.int64_value(&[])`; for text `text.parse::<i64>()?`"),
    ("float", "`x as f64`, of a tensor `x.double_value(&[])`; for text `text.parse::<f64>()?`"),
    ("bool", "a comparison is a `bool`: `x != 0`, `!list.is_empty()`"),
    ("list", "`vec![1, 2]`; for an iterator `.collect::<Vec<_>>()`"),
    ("dict", "`std::collections::HashMap::from([(\"lr\", 0.1)])`; for a fixed set of names define a `struct`"),
    ("set", "`std::collections::HashSet::from([1, 2])`"),
    ("tuple", "`(1, 2)`"),
    ("open", "`std::fs::read_to_string(path)?`"),
    ("isinstance", "a value has one type, which the compiler knows; an `enum` stands for one of several"),
    ("help", "the command `:doc Tensor::matmul` tells of a name; so does Shift-Tab"),
    ("dir", "Tab behind `x.` lists the methods"),
    ("id", "`std::ptr::from_ref(&x)` is the address"),
    ("ord", "`'a' as u32`"),
    ("chr", "`char::from_u32(97)`, which is an `Option`"),
    ("exit", "a cell ends early with `return;` or `bail!(\"why\")`; the kernel is restarted from the menu"),
    ("super", "a `struct` has its fields and no base: hold the layers in fields, and `impl Module for Net`"),
    ("tqdm", "`for x in progress(&list)` shows a bar"),
];
const MADE: &str = "a tensor is made by `Tensor::zeros([2, 3], (Kind::Float, device()))`, `Tensor::randn` and others, or from numbers: \
                    `Tensor::from_slice(&[1.0_f32, 2.0])`";

const TORCH: &str = "tensors are made by `Tensor::zeros`, `Tensor::randn`, `Tensor::from_slice`...; layers are in `nn`; numbers have methods, \
                     as in `x.sqrt()`";
const FIGURES: &str = "`Figure::new().line(\"loss\", &losses)` as the last line of a cell shows a curve; `scatter`, `bar`, `histogram` and others are \
                       methods too";
const IMAGES: &str = "`load_image(path)?` is a picture as a tensor, `image(&x)?` shows one";
const ENVIRONMENTS: &str =
    "environments are in `rl`: `let mut env = rl::cart_pole();`, then `env.reset(1)` and `env.step(action)`";
const RANDOM: &str = "`rand::random::<f64>()` is between 0 and 1, `rand::random_range(0..10)` an integer";
const SYSTEM: &str = "files and folders are in `std::fs`, paths in `std::path::Path`, variables in `std::env`";

/// Modules of Python's.
const MODULES: [(&str, &str); 27] = [
    ("torch", TORCH),
    ("np", TORCH),
    ("numpy", TORCH),
    (
        "F",
        "what is in `F` are methods of tensors: `x.relu()`, `x.softmax(-1, Kind::Float)`; a loss is `nn::cross_entropy(&logits, &labels)`",
    ),
    ("math", "numbers have methods, as in `x.sqrt()`; `std::f64::consts::PI`"),
    ("plt", FIGURES),
    ("matplotlib", FIGURES),
    ("sns", FIGURES),
    ("pd", "`read_csv(path)?` reads a table of numbers, `table(&rows)` shows one"),
    ("pandas", "`read_csv(path)?` reads a table of numbers, `table(&rows)` shows one"),
    ("gym", ENVIRONMENTS),
    ("gymnasium", ENVIRONMENTS),
    ("random", RANDOM),
    ("kind", "a kind and a device are a pair: `(Kind::Float, Device::Cpu)`, or `(Kind::Float, device())`"),
    (
        "time",
        "`let start = std::time::Instant::now();`, then `start.elapsed()`; the command `%%time` on the first line times a cell",
    ),
    ("os", SYSTEM),
    ("sys", SYSTEM),
    ("pathlib", SYSTEM),
    ("json", "`json!({\"lr\": 0.1})` makes a value; `:dep serde_json = \"1\"` brings `serde_json::from_str`"),
    (
        "re",
        "`text.split(\",\")`, `text.replace(\"a\", \"b\")`; for patterns the line `:dep regex = \"1\"` brings a crate",
    ),
    ("copy", "`x.clone()`; of a tensor `x.copy()`"),
    (
        "torchvision",
        "data sets are `mnist(Split::Train)?`, `cifar10(Split::Train)?`...; augmentation is in `data::augment`",
    ),
    ("transforms", "augmentation is in `data::augment`"),
    ("sklearn", "measures are in `metrics`, `train_test_split` and `k_fold` are in scope"),
    ("PIL", IMAGES),
    ("cv2", IMAGES),
    ("collections", "maps and sets are in `std::collections`: `HashMap`, `HashSet`, `VecDeque`"),
];

/// Types of Python's.
const TYPES: [(&str, &str); 9] = [
    ("int", "integers are `i64`, or `usize` for lengths and indices"),
    ("float", "floats are `f64`, or `f32`"),
    ("str", "text that a variable owns is a `String`, a part of one or a literal a `&str`"),
    ("string", "text that a variable owns is a `String`, a part of one or a literal a `&str`"),
    ("list", "a list of floats is a `Vec<f64>`"),
    ("List", "a list of floats is a `Vec<f64>`"),
    ("dict", "`std::collections::HashMap<String, f64>`"),
    ("Dict", "`std::collections::HashMap<String, f64>`"),
    ("tensor", "the type is `Tensor`, and `&Tensor` for an argument"),
];

const LAYERS: &str = "layers are functions in small letters that take a path of a `VarStore`: \
                      `nn::linear(vs.root() / \"fc\", 3, 4, Default::default())`, `nn::conv2d`, `nn::lstm`";
const ACTIVATIONS: &str =
    "an activation is a method of tensors, `x.relu()`; in a chain `nn::seq().add_fn(|x| x.relu())`";
const LOSSES: &str = "a loss is a function of the outputs: `nn::cross_entropy(&logits, &labels)`, `x.mse_loss(&target, Reduction::Mean)`";
const DROPOUT: &str = "`nn::dropout(0.5)` in a chain `nn::seq_t().add(...)`; or the method `x.dropout(0.5, train)`";
const CHAIN: &str =
    "a chain is `nn::seq().add(nn::linear(vs.root() / \"fc\", 3, 4, Default::default())).add_fn(|x| x.relu())`";

/// What is a value of a class in `torch.nn`, by what its name ends with.
const CLASSES: [(&str, &str); 12] = [
    ("Loss", LOSSES),
    ("ReLU", ACTIVATIONS),
    ("GELU", ACTIVATIONS),
    ("SiLU", ACTIVATIONS),
    ("Tanh", ACTIVATIONS),
    ("Sigmoid", ACTIVATIONS),
    ("Softmax", ACTIVATIONS),
    ("Flatten", "`.add_fn(|x| x.flatten(1, -1))`"),
    ("MaxPool2d", "`.add_fn(|x| x.max_pool2d_default(2))`"),
    ("Dropout", DROPOUT),
    ("Sequential", CHAIN),
    ("ModuleList", "a `Vec` of layers, as a field of a `struct`"),
];

/// The Rust for a name of Python's, by how it is used.
pub(super) fn meant(spot: &Spot<'_>) -> Option<&'static str> {
    let (name, behind) = name_and_behind(spot);
    let find = |table: &[(&str, &'static str)]| table.iter().find(|(other, _)| *other == name).map(|(_, rust)| *rust);
    let is_type = spot.before.trim_end().ends_with([':', '>', '<', '&']) && !spot.before.ends_with("::");
    match behind.chars().next() {
        Some('(') => find(&FUNCTIONS),
        Some('.') => find(&MODULES),
        _ if behind.starts_with("::") || spot.first == "use" => find(&MODULES),
        _ if is_type => find(&TYPES),
        _ => None,
    }
}

/// The Rust for a value of Python's.
pub(super) fn constant(spot: &Spot<'_>) -> Option<&'static str> {
    let (name, _) = name_and_behind(spot);
    CONSTANTS.iter().find(|(other, _)| *other == name).map(|(_, rust)| *rust)
}

/// What a function or a class of another library is here, which Python has imported by its name.
fn imported(spot: &Spot<'_>) -> Option<Advice> {
    let (name, behind) = name_and_behind(spot);
    let entry = behind.starts_with('(').then(|| foreign::find(name))??;
    Some(Advice::instead(entry.told(name)))
}

/// The name that an error is about, which may be all of a call, and what follows it.
fn name_and_behind<'a>(spot: &Spot<'a>) -> (&'a str, &'a str) {
    let end = spot.word.find(|char| !(in_name(char) || char == ':')).unwrap_or(spot.word.len());
    let (name, rest) = spot.word.split_at(end);
    (name, if rest.is_empty() { spot.after.trim_start() } else { rest })
}

/// The modules whose classes are functions here, or are made otherwise.
pub(super) const CLASS_MODULES: [&str; 4] = ["torch.optim", "torch.nn", "torch_geometric.nn", "torch.distributions"];

/// Help for a class of `torch.nn` that is called as a function.
fn of_a_class(spot: &Spot<'_>) -> Option<Advice> {
    let (name, behind) = name_and_behind(spot);
    let name = name.strip_prefix("nn::").or_else(|| spot.before.ends_with("nn::").then_some(name))?;
    if !name.starts_with(char::is_uppercase) || !behind.starts_with('(') {
        return None;
    }
    let class = CLASSES.iter().find(|(end, _)| name.ends_with(end)).map(|(_, rust)| write(rust));
    let entry = || CLASS_MODULES.iter().find_map(|module| foreign::find(&format!("{module}.{name}")));
    let told = class.or_else(|| entry().map(|entry| entry.told(&format!("nn::{name}"))));
    Some(Advice::instead(told.unwrap_or_else(|| write(LAYERS))))
}

/// Help for a name that is not there, or is none of a value.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>, text: &str) -> Option<Advice> {
    if let Some(advice) = of_a_class(spot).or_else(|| of_a_block(error)) {
        return Some(advice);
    }
    let (name, behind) = name_and_behind(spot);
    let called = behind.starts_with('(');
    let is_other = |what: &str| error.message.contains(what) && error.code() == "E0423";
    let assigned_above = || text.lines().any(|line| begins_with_assignment(line, name));
    let is_value = matches!(error.code(), "E0423" | "E0425") && !error.message.starts_with("cannot find type");
    let rust = if name == "print" {
        "write `println!(\"{x}\")`, or `println!(\"{x:?}\")` for values with no text form"
    } else if name == "Tensor" && called {
        MADE
    } else if name == "DataLoader" && called {
        "`DataLoader::new(&train, 64).shuffle(42)`"
    } else if name.starts_with("optim::") && called {
        "`nn::Adam::default().build(&vs, 1e-3)?`, with `nn::AdamW`, `nn::Sgd` and others in its place"
    } else if name == "Image" && behind.starts_with(".open") {
        IMAGES
    } else if error.code() == "E0424" && error.labels().any(|label| label.contains("doesn't have a `self` parameter")) {
        "a method has `&self` as its first argument, `fn forward(&self, x: &Tensor) -> Tensor`, and is called by `net.forward(&x)`; \
         what makes the `struct` has none: `Self { fc: nn::linear(...) }`"
    } else if error.code() == "E0424" {
        "a `struct` is made as a whole, `Self { fc: nn::linear(...) }`; `self` is the first argument of a method, `fn forward(&self, x: \
         &Tensor)`"
    } else if error.code() == "E0423" && !is_other("found macro") && !is_other("found builtin type") {
        return None;
    } else if is_value && spot.is_assigned() && spot.in_arguments() {
        return Some(keyword_arguments::advice(spot));
    } else if is_value && (spot.is_assigned() || assigned_above()) {
        return Some(Advice::instead(format!(
            "a new variable begins with `let`: `let {name} = ...;`, or `let mut {name} = ...;` to change it later"
        )));
    } else if let Some(rust) = meant(spot).or_else(|| constant(spot).filter(|_| is_a_value(error))) {
        rust
    } else {
        return imported(spot);
    };
    Some(Advice::instead(write(rust)))
}

/// Help for a variable that has ended with its block, as Python's do not.
fn of_a_block(error: &Diagnostic) -> Option<Advice> {
    let is_of_one = error.children.iter().any(|child| child.message.contains("is available in a different scope"));
    is_of_one.then(|| {
        Advice::instead(
            "a variable ends with the block that it is made in: make it ahead of that, `let mut x = 0;`, and assign to it \
             inside; or let the block be its value, `let x = if ready { 1 } else { 2 };`",
        )
    })
}

/// Whether it is a value that there is none of, and not a type or a function.
fn is_a_value(error: &Diagnostic) -> bool {
    error.message.starts_with("cannot find value")
}

/// Values of Python's that are no names here, or are in a module.
const CONSTANTS: [(&str, &str); 14] = [
    ("nil", NONE),
    ("null", NONE),
    ("NULL", NONE),
    ("nan", "`f64::NAN`"),
    ("NaN", "`f64::NAN`"),
    ("NAN", "`f64::NAN`"),
    ("inf", "`f64::INFINITY`"),
    ("Inf", "`f64::INFINITY`"),
    ("INFINITY", "`f64::INFINITY`"),
    ("pi", "`std::f64::consts::PI`"),
    ("PI", "`std::f64::consts::PI`"),
    ("tau", "`std::f64::consts::TAU`"),
    ("TAU", "`std::f64::consts::TAU`"),
    ("E", "`std::f64::consts::E`"),
];
const NONE: &str = "nothing is `None`, a value `Some(x)`: both are an `Option`";
