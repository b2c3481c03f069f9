//! Arguments by name, as Python has them: `x.mean(dim=1, keepdim=True)`.

use std::ops::Range;

use crate::names as foreign;
use crate::report::hints::Advice;
use crate::report::python_hints::calls::CALLS;
use crate::report::python_hints::expressions::{arguments, open_parenthesis};
use crate::report::python_hints::{Spot, write};
use crate::source::source_map::Place;
use crate::source::words::in_name;

/// Arguments that are no arguments here, and what to write for them.
const NAMES: [(&str, &str); 16] = [
    ("create_graph", GRAPH),
    ("retain_graph", "`autograd::Grad::of(&loss).retain_graph().by([&x])`; `loss.backward()` keeps no graph"),
    ("allow_unused", "`autograd::Grad::of(&loss).by_used([&x])`"),
    ("grad_outputs", "`autograd::Grad::of(&y).grad_output(&gradient).by([&x])`"),
    ("requires_grad", "`Tensor::zeros([3], (Kind::Float, device())).set_requires_grad(true)`"),
    ("dtype", KIND),
    ("device", KIND),
    ("batch_size", LOADER),
    ("shuffle", LOADER),
    ("drop_last", LOADER),
    ("num_workers", LOADER),
    (
        "bias",
        "`nn::LinearConfig { bias: false, ..Default::default() }` as the last argument of `nn::linear`, and so of other \
         layers",
    ),
    ("padding", SETTINGS),
    ("stride", SETTINGS),
    ("momentum", "`nn::Sgd { momentum: 0.9, ..Default::default() }.build(&vs, 0.01)?`"),
    ("weight_decay", "`nn::AdamW { wd: 0.01, ..Default::default() }.build(&vs, 1e-3)?`"),
];
const GRAPH: &str = "`autograd::Grad::of(&loss).create_graph().by([&x])` gives gradients that can be differentiated; \
                     `loss.backward()` does not";
const KIND: &str = "kind and device come last, as a pair: `Tensor::zeros([2, 3], (Kind::Float, device()))`; \
                    `x.to_kind(Kind::Int64)` converts";
const LOADER: &str = "`DataLoader::new(&train, 64).shuffle(42)`, with `.drop_last()` behind it";
const SETTINGS: &str =
    "`nn::ConvConfig { stride: 2, padding: 1, ..Default::default() }` as the last argument of a convolution";

/// Help for the name of an argument.
pub(super) fn advice(spot: &Spot<'_>) -> Advice {
    let setting = NAMES.iter().find(|(name, _)| *name == spot.word).map(|(_, rust)| write(rust));
    let told = setting.or_else(|| of_function(Call::around(spot)?));
    Advice::instead(match told {
        Some(told) => format!("arguments have no names here. {}", foreign::capitalised(&told)),
        None => "arguments have no names: write their values in the order of the function's parameters".to_owned(),
    })
}

/// A call that a line has not closed.
struct Call<'a> {
    /// The function, as Rust or Python writes its path: `torch.cat`, `x.mean` or `DataLoader::new`.
    path: &'a str,
    /// Where its arguments begin in the line.
    open: usize,
}

impl<'a> Call<'a> {
    fn around(spot: &Spot<'a>) -> Option<Self> {
        let open = open_parenthesis(spot.before)?;
        let ahead = &spot.before[..open];
        let start = ahead.trim_end_matches(|char| in_name(char) || matches!(char, ':' | '.')).len();
        Some(Self { path: &ahead[start..], open }).filter(|call| !call.path.is_empty())
    }

    /// Its last name.
    fn name(&self) -> &'a str {
        self.path.rsplit([':', '.']).next().unwrap_or(self.path)
    }

    /// Whether it may be a function of the user's own: one that is no method, and in no module.
    fn may_be_own(&self) -> bool {
        self.name() == self.path && self.path.starts_with(|char: char| !char.is_uppercase())
    }
}

/// How a function is called here.
fn of_function(call: Call<'_>) -> Option<String> {
    if call.may_be_own() {
        return None;
    }
    let (path, name) = (call.path, call.name());
    let ours = || CALLS.iter().find(|(function, _)| *function == name).map(|(_, rust)| write(rust));
    let method = || foreign::find(&format!("torch.Tensor.{name}")).map(|entry| entry.told(name));
    let path = path.trim_end_matches("::new");
    ours().or_else(|| foreign::find(path).map(|entry| entry.told(path))).or_else(method)
}

/// The call that an argument with a name is in, where a place is that of the name: from the function on, unless that is
/// the user's own.
pub(super) fn call_around(place: &Place) -> Option<Range<usize>> {
    let (text, at) = (place.cell.text.as_str(), place.range.start);
    let spot = Spot::new(text, place.range.clone());
    let call = Call::around(&spot).filter(|_| spot.is_assigned())?;
    let open = at - spot.before.len() + call.open;
    let of_function = match call.path {
        path if foreign::is_foreign(path) => path.len(),
        _ if call.may_be_own() => 0,
        _ => call.name().len(),
    };
    Some(open - of_function..open + arguments(&text[open..])?.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::CellText;

    #[test]
    fn a_call_reaches_from_its_function_to_its_last_argument() {
        let text = "let y = 1;\nlet m = x.mean(dim=f(1), keepdim=True) + 1;";
        let at = text.find("dim").expect("it is there");
        let place = Place { cell: CellText::new(1, text), range: at..at + 3 };
        assert_eq!(&text[call_around(&place).expect("a call")], "mean(dim=f(1), keepdim=True)");
        let text = "torch.cat([x, x], dim=0)";
        let place = Place { cell: CellText::new(1, text), range: 18..21 };
        assert_eq!(&text[call_around(&place).expect("a call")], text);
        let other = Place { cell: CellText::new(1, "f(x)"), range: 2..3 };
        assert_eq!(call_around(&other), None);
    }
}
