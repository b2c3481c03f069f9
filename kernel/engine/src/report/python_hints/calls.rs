//! Arguments as Python's libraries take them, and as they are taken here.

use crate::crate_names::{hashed_name, readable};
use crate::diagnostic::{Diagnostic, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::expressions::open_parenthesis;
use crate::report::python_hints::members::{FROM_LIST, is_told_of_training};
use crate::report::python_hints::{Spot, write};
use crate::source::words::in_name;

const LIST_OF_SIZES: &str = "sizes and dimensions are one list, of `i64`: `x.view([-1, 2])`, `x.permute([0, 2, 1])`; \
                             `[n as i64, 3]` for a `usize`";
const MADE: &str = "sizes are one list of `i64`, and kind and device a pair: `Tensor::zeros([2, 3], (Kind::Float, device()))`; \
                    `[n as i64, 3]` for a `usize`";
const NUMBERS: &str = "kind and device come last, as a pair: `Tensor::arange(10, (Kind::Float, device()))`, \
                       `Tensor::linspace(0.0, 1.0, 11, (Kind::Float, device()))`, `Tensor::eye(3, (Kind::Float, device()))`";
const LARGEST: &str = "`x.max()` is over all; over one dimension `let (values, indices) = x.max_dim(0, false);`; of two \
                       tensors `x.maximum(&y)`";
const SMALLEST: &str = "`x.min()` is over all; over one dimension `let (values, indices) = x.min_dim(0, false);`; of two \
                        tensors `x.minimum(&y)`";
const SPREAD: &str = "`x.std(true)` is over all; over one dimension `x.std_dim(0, true, false)`, unbiased and not kept";
const VARIANCE: &str =
    "`x.var(true)` is over all; over one dimension `x.var_dim(0, true, false)`, unbiased and not kept";
/// Also what is said where another argument stands there.
pub(in crate::report) const MEAN: &str = "the argument is the kind of the result, as in `x.mean(Kind::Float)`, where \
                                          `None` keeps that of `x`; over one dimension it is \
                                          `x.mean_dim(0, false, Kind::Float)`";
const WHERE: &str =
    "dimension, and whether it is kept: `x.argmax(1, false)`; over all elements `x.argmax(None, false)`";
const KEPT: &str = "dimension, and whether it is kept: `x.amax(1, false)`";
const ORDER: &str = "dimension, and whether it descends: `let (values, indices) = x.sort(-1, false);`";
const JOINED: &str = "the tensors are a slice: `Tensor::cat(&[&a, &b], 1)`, `Tensor::stack(&[&a, &b], 0)`";
const LAYER: &str = "a layer is made at a path of a `VarStore`, with its settings last: \
                     `nn::linear(vs.root() / \"fc\", 3, 4, Default::default())`";
const REDUCED: &str = "`x.mse_loss(&target, Reduction::Mean)`";

/// Functions of tensors and layers, by name, and how they are called.
pub(super) const CALLS: [(&str, &str); 75] = [
    ("Tensor::new", FROM_LIST),
    ("requires_grad_", "`let x = x.set_requires_grad(true);`"),
    ("no_grad", "`no_grad(|| net.forward(&x))`: what is to run without a graph is a closure"),
    ("pow", "`x.square()`, or `x.pow_tensor_scalar(3)` for any number; `x.pow(&y)` has a tensor as exponent"),
    ("view", LIST_OF_SIZES),
    ("reshape", LIST_OF_SIZES),
    ("permute", LIST_OF_SIZES),
    ("repeat", LIST_OF_SIZES),
    ("flip", LIST_OF_SIZES),
    ("tile", LIST_OF_SIZES),
    ("expand", "the sizes are one list: `x.expand([4, 3], false)`"),
    ("zeros", MADE),
    ("ones", MADE),
    ("rand", MADE),
    ("randn", MADE),
    ("empty", MADE),
    ("full", "`Tensor::full([2, 3], 0.5, (Kind::Float, device()))`"),
    ("randint", "`Tensor::randint(10, [2, 3], (Kind::Int64, device()))` draws from 0 to 9"),
    ("arange", NUMBERS),
    ("linspace", NUMBERS),
    ("eye", NUMBERS),
    ("randperm", NUMBERS),
    (
        "sum",
        "the argument is the kind of the result, as in `x.sum(Kind::Float)`, where `None` keeps that of `x`; over one \
         dimension it is `x.sum_dim_intlist(-1, false, Kind::Float)`",
    ),
    ("mean", MEAN),
    ("prod", "`x.prod(Kind::Float)`; over one dimension `x.prod_dim_int(0, false, Kind::Float)`"),
    ("mean_dim", DIMENSIONS),
    ("sum_dim_intlist", DIMENSIONS),
    ("std_dim", DIMENSIONS),
    ("var_dim", DIMENSIONS),
    ("max", LARGEST),
    ("min", SMALLEST),
    ("std", SPREAD),
    ("var", VARIANCE),
    ("amax", KEPT),
    ("amin", KEPT),
    ("argmax", WHERE),
    ("argmin", WHERE),
    ("sort", ORDER),
    ("argsort", ORDER),
    ("topk", "`let (values, indices) = x.topk(3, -1, true, true);`: how many, the dimension, the largest ones, sorted"),
    ("softmax", "the dimension comes with a kind: `x.softmax(-1, Kind::Float)`"),
    ("log_softmax", "the dimension comes with a kind: `x.log_softmax(-1, Kind::Float)`"),
    ("cumsum", "the dimension comes with a kind: `x.cumsum(0, Kind::Float)`"),
    ("flatten", "from which dimension to which: `x.flatten(0, -1)`, or `x.flatten(1, -1)` for all but the batch"),
    ("size", "`x.size()` is the whole shape, `x.size()[0]` one of its sizes"),
    ("to", "`x.to_device(device())` or `x.to_kind(Kind::Float)`"),
    (
        "to_device",
        "`x.to_device(device())`, which is the GPU if there is one; `Device::Cpu` and `Device::Cuda(0)` name one",
    ),
    ("to_kind", "the kinds are `Kind::Float`, `Kind::Double`, `Kind::Int64`, `Kind::Bool`..."),
    ("any", "`x.any()` is over all; over one dimension `x.any_dim(0, false)`"),
    ("all", "`x.all()` is over all; over one dimension `x.all_dim(0, false)`"),
    ("norm", "`x.norm()` is over all; over one dimension `x.norm_scalaropt_dim(2, 1, false)`"),
    ("median", "`x.median()` is over all; over one dimension `let (values, indices) = x.median_dim(0, false);`"),
    ("split", "size of a part, and the dimension: `x.split(2, 0)`"),
    ("chunk", "number of parts, and the dimension: `x.chunk(2, 0)`"),
    ("gather", "`x.gather(1, &index, false)`: dimension, indices, and whether the gradient is sparse"),
    (
        "clamp",
        "both bounds are numbers of one type: `x.clamp(0.0, 1.0)`; for one bound `x.clamp_min(0.0)` or `x.clamp_max(1.0)`",
    ),
    ("squeeze", "`x.squeeze()` drops all sizes of 1, `x.squeeze_dim(1)` that of one dimension"),
    ("unsqueeze", "`x.unsqueeze(0)` adds a dimension in front, `x.unsqueeze(-1)` at the end"),
    ("transpose", "`x.transpose(0, 1)` swaps two dimensions"),
    ("dropout", "the share, and whether it is training: `x.dropout(0.5, true)`"),
    ("mse_loss", REDUCED),
    ("l1_loss", REDUCED),
    ("cat", JOINED),
    ("stack", JOINED),
    (
        "meshgrid",
        "the tensors are a slice, and the order of the axes is the argument of another function: \
         `Tensor::meshgrid_indexing(&[&x, &y], \"ij\")`",
    ),
    ("linear", LAYER),
    ("conv1d", CONV),
    ("conv2d", CONV),
    ("embedding", "`nn::embedding(vs.root() / \"embedding\", 1000, 64, Default::default())`"),
    ("lstm", RECURRENT),
    ("gru", RECURRENT),
    ("build", VARIABLES),
    ("slider", CONTROL),
    ("interact", CONTROLS),
    ("batch_norm2d", "`nn::batch_norm2d(vs.root() / \"norm\", 16, Default::default())`"),
];
const VARIABLES: &str = "an optimizer moves the variables of a `VarStore`: `nn::Adam::default().build(&vs, 1e-3)?`. A tensor of \
                         your own is one of a store, `let own = nn::VarStore::new(device());` and \
                         `let log_alpha = own.root().zeros(\"log_alpha\", &[1]);`";
const CONTROL: &str = "`widgets::slider(\"k\", 1..=9)`: a name, and a range with its end; of floats `0.0..=1.0`";
const CONTROLS: &str = "first the control, then a closure: `interact(widgets::slider(\"k\", 1..=9), |k| k * k)`; of several controls a \
                        tuple, `interact((a, b), |(a, b)| ...)`";
const DIMENSIONS: &str =
    "dimensions are one of `i64`, or a slice: `x.mean_dim([0, 2, 3].as_slice(), false, Kind::Float)`";
const CONV: &str = "`nn::conv2d(vs.root() / \"conv\", 3, 16, 5, Default::default())`; with padding \
                    `nn::ConvConfig { padding: 2, ..Default::default() }` as the last argument";
const RECURRENT: &str =
    "`nn::lstm(vs.root() / \"lstm\", 32, 64, Default::default())`: sizes of an input and of the state";

/// Help for arguments that a function of tensors or layers does not take.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    if is_about_no_tensor(error) {
        return Some(Advice::instead("no tensor is `None::<Tensor>` for an argument that may be left out"));
    }
    if error.code() == "E0277"
        && let Some(ty) = applied(&readable(&error.message))
    {
        return applied_otherwise(ty, error);
    }
    if error.code() == "E0063" && error.message.contains("Config") {
        return Some(Advice::instead("`..Default::default()` behind the last setting gives those that you do not set"));
    }
    let path = match error.code() {
        "E0061" => spot.word,
        "E0308" | "E0277" | "E0283" => called(spot.before)?,
        _ => return None,
    };
    if error.code() == "E0061" && path == "pop" && is_of_a_list(error) {
        return Some(Advice::instead(
            "`list.remove(0)` takes out what is at a place, `list.pop()` the last element, as an `Option`",
        ));
    }
    if !is_of_a_tensor(error) {
        return None;
    }
    // A reference that was left out is what rustc says best.
    let offers_reference = error.children.iter().any(|child| child.message.contains("consider borrowing"));
    let is_it = |function: &str| function == path || function == last_name(path);
    let (_, rust) = CALLS.iter().find(|(function, _)| is_it(function) && !offers_reference)?;
    Some(Advice::instead(write(rust)))
}

/// The type that is applied and is no `Module`: "the trait bound `SequentialT: Module` is not satisfied".
fn applied(message: &str) -> Option<&str> {
    let (ty, bound) = quoted(message).next()?.rsplit_once(": ")?;
    bound.ends_with("Module").then_some(ty)
}

/// Help for applying what has this type.
fn applied_otherwise(ty: &str, error: &Diagnostic) -> Option<Advice> {
    if is_told_of_training(ty) {
        return Some(Advice::instead(
            "what is to know whether it trains is applied by `x.apply_t(&layer, false)`, or with `true` in training",
        ));
    }
    // rustc shows the definition of the type.
    let mut shown = error.children.iter().flat_map(|child| &child.spans);
    let is_of_a_cell = shown.any(|span| hashed_name(&span.file_name).is_some());
    is_of_a_cell.then(|| {
        Advice::instead(format!(
            "a layer of your own has `#[derive(Debug)]`, and \
             `impl nn::Module for {ty} {{ fn forward(&self, x: &Tensor) -> Tensor {{ .. }} }}`"
        ))
    })
}

/// Whether rustc shows a function of the standard library's lists as what was called.
fn is_of_a_list(error: &Diagnostic) -> bool {
    let files = error.children.iter().flat_map(|child| &child.spans).map(|span| span.file_name.as_str());
    files.into_iter().any(|file| file.contains("/vec/") || file.contains("vec_deque"))
}

/// Whether nothing tells the type of a `None` that stands for a tensor.
fn is_about_no_tensor(error: &Diagnostic) -> bool {
    let mut notes = error.children.iter().map(|child| child.message.as_str());
    matches!(error.code(), "E0282" | "E0283" | "E0284")
        && notes.any(|note| note.contains("Borrow<") && note.contains("Tensor>"))
}

/// Whether rustc shows a function of the runtime's, or of tch's, as what was called.
fn is_of_a_tensor(error: &Diagnostic) -> bool {
    error.children.iter().any(|child| {
        let shows = child.message.contains("defined here") || child.message.contains("required by a bound in");
        let files = child.spans.iter().map(|span| span.file_name.as_str());
        shows && files.into_iter().any(|file| file.contains("tch") || file.contains("runtime"))
    })
}

/// The last name of a path.
fn last_name(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// The function whose arguments a text ends in.
pub(in crate::report) fn called(before: &str) -> Option<&str> {
    let open = open_parenthesis(before)?;
    let path = before[..open].trim_end();
    let start = path.trim_end_matches(|char| in_name(char) || char == ':').len();
    Some(&path[start..]).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_around_an_argument_is_found() {
        assert_eq!(called("let y = x.pow("), Some("pow"));
        assert_eq!(called("Tensor::cat(&[f(a), b], "), Some("Tensor::cat"));
        assert_eq!(called("x.mean_dim(["), Some("mean_dim"));
        assert_eq!(called("let y = (x + 1) * "), None);
    }
}
