//! What a network consists of: its layers, what they give, and how many numbers they learn.
//!
//! ```
//! use oxtorch::prelude::*;
//! let vs = nn::VarStore::new(device());
//! let root = vs.root();
//! let net = nn::seq()
//!     .add(nn::conv2d(&root / "conv", 1, 8, 3, Default::default()))
//!     .relu()
//!     .flatten()
//!     .add(nn::linear(&root / "out", 8 * 6 * 6, 10, Default::default()));
//! summary(&vs).forward(&net, [1, 1, 8, 8])
//! # ;
//! ```

use std::any::type_name;
use std::collections::{HashMap, HashSet};
use std::fmt;

use tch::nn::{ModuleT, VarStore};
use tch::{Device, Kind, Tensor};

use crate::display::table::layers::{LayerTable, Row};
use crate::display::table::writer::thousands;
use crate::display::{MimeBundle, RichDisplay};
use crate::modes::no_grad;
use crate::nn::by_name;
use crate::nn::watch::{self, Call};

/// What [`summary`] makes: a table as HTML, with aligned text for terminals.
#[derive(Clone)]
#[must_use = "a summary is shown if the cell ends with it; elsewhere write `display(&summary)`"]
pub struct Summary {
    variables: Vec<Variable>,
    /// Of what the network is run on.
    options: (Kind, Device),
    /// What [`Summary::forward`] saw; without it the variables are shown.
    rows: Option<Vec<Row>>,
}

#[derive(Clone)]
struct Variable {
    /// The path of its layer, and its name there.
    layer: String,
    name: String,
    size: Vec<i64>,
    bytes: usize,
    role: Role,
    tensor: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Trained,
    /// It could be trained, and is kept from it.
    Frozen,
    /// It is no parameter: the statistics of a batch norm.
    Buffer,
}

/// Shows the variables of a network, layer by layer, with the number of parameters in all, of those that are trained,
/// and their size. [`Summary::forward`] adds what each layer gives.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let net = nn::linear(&vs.root() / "out", 4, 2, Default::default());
/// let summary = summary(&vs);
/// assert_eq!(summary.parameters(), 10);
/// assert!(summary.to_string().contains("weight [2, 4], bias [2]"));
/// ```
pub fn summary(vs: &VarStore) -> Summary {
    Summary { variables: variables(vs), options: (vs.kind(), vs.device()), rows: None }
}

/// Layers in the order in which they were made.
fn variables(vs: &VarStore) -> Vec<Variable> {
    let address = |tensor: &Tensor| tensor.data_ptr() as usize;
    let made: HashMap<usize, usize> =
        vs.trainable_variables().iter().enumerate().map(|(at, tensor)| (address(tensor), at)).collect();
    let mut variables = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (full, tensor) in &by_name(vs) {
        let (layer, name) = full.rsplit_once('.').unwrap_or(("", full));
        let at = made.get(&address(tensor)).copied();
        let role = match at {
            None => Role::Buffer,
            Some(_) if tensor.requires_grad() => Role::Trained,
            Some(_) => Role::Frozen,
        };
        let place = places.entry(layer.to_owned()).or_insert(usize::MAX);
        *place = (*place).min(at.unwrap_or(usize::MAX));
        let variable = Variable {
            layer: layer.to_owned(),
            name: name.to_owned(),
            size: tensor.size(),
            bytes: tensor.numel() * tensor.kind().elt_size_in_bytes(),
            role,
            tensor: address(tensor),
        };
        variables.push((at.unwrap_or(usize::MAX), variable));
    }
    variables.sort_by(|(a_at, a), (b_at, b)| {
        // A convolution of tch makes its bias first; it is read behind the weight.
        let key = |at: &usize, variable: &Variable| (variable.role == Role::Buffer, variable.name != "weight", *at);
        (places[&a.layer], &a.layer, key(a_at, a), &a.name).cmp(&(places[&b.layer], &b.layer, key(b_at, b), &b.name))
    });
    variables.into_iter().map(|(_, variable)| variable).collect()
}

/// What a network is run on: the shape of a batch, or the batch itself.
pub trait Example {
    /// On the store's device.
    #[doc(hidden)]
    fn batch(&self, options: (Kind, Device)) -> Tensor;
}

impl<const N: usize> Example for [i64; N] {
    fn batch(&self, options: (Kind, Device)) -> Tensor {
        // Random numbers would change those of the program.
        Tensor::zeros(self, options)
    }
}

impl Example for &Tensor {
    fn batch(&self, (_, device): (Kind, Device)) -> Tensor {
        self.to_device(device)
    }
}

impl Summary {
    /// Runs the network once, outside training and without gradients, and shows the layers that are called with the
    /// shape of what they give: the layers of `nn::seq()` and `nn::seq_t()`, wherever these are, the blocks of
    /// [`nn`](crate::nn), and what is made with [`nn::watch`](crate::nn::watch). Layers that nobody watches follow with
    /// their names alone.
    ///
    /// The input is a shape, such as `[1, 3, 32, 32]`, of zeros, or a tensor: for a network that takes tokens.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let net = nn::seq()
    ///     .add(nn::embedding(&vs.root() / "tokens", 20, 8, Default::default()))
    ///     .add(nn::linear(&vs.root() / "out", 8, 20, Default::default()));
    /// let text = summary(&vs).forward(&net, &Tensor::from_slice2(&[[3i64, 1, 4]])).to_string();
    /// assert!(text.contains("tokens (Embedding)  [1, 3, 8]"), "{text}");
    /// ```
    ///
    /// # Panics
    ///
    /// Where the network does, such as for an input of a shape that it does not take.
    pub fn forward<M: ModuleT>(self, net: &M, input: impl Example) -> Self {
        let input = input.batch(self.options);
        self.noted(type_name::<M>(), &mut || net.forward_t(&input, false))
    }

    /// The same for a network that takes more than one tensor: runs what a function runs.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let config = nn::UNetConfig { channels: vec![8, 16], time: true, ..Default::default() };
    /// let net = nn::unet(vs.root(), 1, 1, config);
    /// let x = Tensor::zeros([1, 1, 8, 8], (Kind::Float, device()));
    /// let t = Tensor::zeros([1], (Kind::Float, device()));
    /// let text = summary(&vs).run(|| net.forward_at(&x, Some(&t), None, false)).to_string();
    /// assert!(text.contains("down.1 (UNetBlock)"), "{text}");
    /// ```
    pub fn run(self, network: impl FnOnce() -> Tensor) -> Self {
        let mut network = Some(network);
        self.noted("Network", &mut || network.take().map_or_else(Tensor::new, |network| network()))
    }

    fn noted(mut self, kind: &str, network: &mut dyn FnMut() -> Tensor) -> Self {
        let mut output = Vec::new();
        let calls = no_grad(|| watch::calls(|| output = network().size()));
        self.rows = Some(self.rows_of(&watch::short(kind), output, &calls));
        self
    }

    fn rows_of(&self, kind: &str, output: Vec<i64>, calls: &[Call]) -> Vec<Row> {
        let by_tensor: HashMap<usize, &Variable> =
            self.variables.iter().rev().map(|variable| (variable.tensor, variable)).collect();
        let of = |call: &Call| -> Vec<&Variable> {
            call.weights.iter().filter_map(|tensor| by_tensor.get(&(tensor.data_ptr() as usize)).copied()).collect()
        };
        let mut seen: HashSet<usize> = HashSet::new();
        let mut rows: Vec<Row> = vec![(0, [kind.to_owned(), format!("{output:?}"), String::new()])];
        for (at, call) in calls.iter().enumerate() {
            let within = calls[at + 1..].iter().take_while(|inner| inner.depth > call.depth);
            let (own, inner): (Vec<&Variable>, Vec<&Variable>) = (of(call), within.flat_map(of).collect());
            let path = common_path(own.iter().chain(&inner).map(|variable| variable.layer.as_str()));
            let layer = if path.is_empty() { call.kind.clone() } else { format!("{path} ({})", call.kind) };
            let is_new = own.iter().all(|variable| !seen.contains(&variable.tensor));
            let note = if is_new { frozen(own.iter().copied()) } else { "(shared)" };
            let has_new = is_new && !own.is_empty();
            let parameters = if has_new { number(count(own.iter().copied()), note) } else { note.to_owned() };
            seen.extend(own.iter().map(|variable| variable.tensor));
            rows.push((call.depth + 1, [layer, format!("{:?}", call.output), parameters]));
        }
        let rest: Vec<&Variable> = self.variables.iter().filter(|variable| !seen.contains(&variable.tensor)).collect();
        rows.extend(rest.chunk_by(|a, b| a.layer == b.layer).map(|layer| {
            let name = if layer[0].layer.is_empty() { &layer[0].name } else { &layer[0].layer };
            let parameters = number(count(layer.iter().copied()), frozen(layer.iter().copied()));
            (1, [name.clone(), String::new(), parameters])
        }));
        rows
    }

    /// How many parameters there are.
    pub fn parameters(&self) -> i64 {
        count(&self.variables)
    }

    /// How many of them are trained: all but those of a store that is frozen, or that [`Tensor::set_requires_grad`]
    /// kept from it.
    pub fn trainable(&self) -> i64 {
        count(self.variables.iter().filter(|variable| variable.role == Role::Trained))
    }

    /// What the variables take in memory, in bytes: the statistics of batch norms too.
    pub fn bytes(&self) -> usize {
        self.variables.iter().map(|variable| variable.bytes).sum()
    }

    fn table(&self) -> LayerTable {
        let head = ["Layer", if self.rows.is_some() { "Output shape" } else { "Variables" }, "Parameters"];
        LayerTable { head, rows: self.lines(), totals: self.totals() }
    }

    fn lines(&self) -> Vec<Row> {
        let line = |layer: &[Variable]| {
            let shapes: Vec<String> =
                layer.iter().map(|variable| format!("{} {:?}", variable.name, variable.size)).collect();
            (0, [layer[0].layer.clone(), shapes.join(", "), number(count(layer), frozen(layer))])
        };
        let of_layers = || self.variables.chunk_by(|a, b| a.layer == b.layer).map(line).collect();
        self.rows.clone().unwrap_or_else(of_layers)
    }

    fn totals(&self) -> Vec<String> {
        let (all, trained) = (self.parameters(), self.trainable());
        let mut totals =
            vec![format!("Total parameters: {}", thousands(all)), format!("Trainable: {}", thousands(trained))];
        if all != trained {
            totals.push(format!("Frozen: {}", thousands(all - trained)));
        }
        let buffers: i64 =
            self.variables.iter().filter(|variable| variable.role == Role::Buffer).map(Variable::numel).sum();
        if buffers > 0 {
            totals.push(format!("Statistics, not trained: {}", thousands(buffers)));
        }
        // As PyTorch's tools count them, of a million bytes.
        totals.push(format!("Size: {:.2} MB", self.bytes() as f64 / 1e6));
        totals
    }
}

impl Variable {
    fn numel(&self) -> i64 {
        self.size.iter().product()
    }
}

fn count<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> i64 {
    variables.into_iter().filter(|variable| variable.role != Role::Buffer).map(Variable::numel).sum()
}

/// A number of parameters, with what there is to say of them.
fn number(parameters: i64, note: &str) -> String {
    format!("{} {note}", thousands(parameters)).trim_end().to_owned()
}

fn frozen<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> &'static str {
    if variables.into_iter().any(|variable| variable.role == Role::Frozen) { "(frozen)" } else { "" }
}

/// What the paths of some layers begin with: `layer1.0` of `layer1.0.conv` and `layer1.0.norm`.
fn common_path<'a>(paths: impl IntoIterator<Item = &'a str>) -> String {
    let mut paths = paths.into_iter().map(|path| path.split('.').collect::<Vec<_>>());
    let first = paths.next().unwrap_or_default();
    let common = paths.fold(first, |common, path| {
        common.iter().zip(&path).take_while(|(a, b)| a == b).map(|(part, _)| *part).collect()
    });
    common.join(".")
}

impl RichDisplay for Summary {
    fn mime_bundle(&self) -> MimeBundle {
        self.table().mime_bundle()
    }
}

/// The aligned text.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{self, Chain, ChainT, Module, VarStore};

    fn cnn(vs: &VarStore) -> nn::SequentialT {
        let root = vs.root();
        nn::seq_t()
            .add(nn::conv2d(&root / "conv", 1, 8, 3, Default::default()))
            .add(nn::batch_norm2d(&root / "norm", 8, Default::default()))
            .relu()
            .max_pool2d(2)
            .flatten()
            .dropout(0.5)
            .add(nn::linear(&root / "out", 72, 10, Default::default()))
    }

    #[test]
    fn a_chain_shows_each_layer_with_what_it_gives() {
        let vs = VarStore::new(Device::Cpu);
        let net = cnn(&vs);
        let expected = "\
Layer               Output shape  Parameters
--------------------------------------------
SequentialT         [2, 10]
  conv (Conv2D)     [2, 8, 6, 6]          80
  norm (BatchNorm)  [2, 8, 6, 6]          16
  ReLU              [2, 8, 6, 6]
  MaxPool2d         [2, 8, 3, 3]
  Flatten           [2, 72]
  Dropout           [2, 72]
  out (Linear)      [2, 10]              730
--------------------------------------------
Total parameters: 826
Trainable: 826
Statistics, not trained: 16
Size: 0.00 MB";
        let summary = summary(&vs).forward(&net, [2, 1, 8, 8]);
        assert_eq!(summary.to_string(), expected);
        assert_eq!((summary.parameters(), summary.trainable(), summary.bytes()), (826, 826, 4 * 842));
        let html = summary.mime_bundle();
        let html = html.get("text/html").and_then(|html| html.as_str()).expect("is HTML");
        assert!(html.contains("<td style=\"text-align: left; padding-left: 1.7em\">conv (Conv2D)</td>"), "{html}");
        assert_eq!(html.matches("<tr>").count(), 9);
    }

    #[test]
    fn a_store_alone_shows_its_variables_in_the_order_in_which_they_were_made() {
        let mut vs = VarStore::new(Device::Cpu);
        let _net = cnn(&vs);
        let text = summary(&vs).to_string();
        let expected = "\
Layer  Variables                                                Parameters
--------------------------------------------------------------------------
conv   weight [8, 1, 3, 3], bias [8]                                    80
norm   weight [8], bias [8], running_mean [8], running_var [8]          16
out    weight [10, 72], bias [10]                                      730
";
        assert!(text.starts_with(expected), "{text}");
        vs.freeze();
        let frozen = summary(&vs);
        assert_eq!((frozen.parameters(), frozen.trainable()), (826, 0));
        assert!(frozen.to_string().contains("730 (frozen)") && frozen.to_string().contains("Frozen: 826"));
    }

    /// A layer that is watched, one that is not, a chain, and a layer that is used twice.
    #[derive(Debug)]
    struct Net {
        first: nn::Watched<nn::Linear>,
        hidden: nn::Linear,
        twice: nn::Sequential,
    }

    impl Module for Net {
        fn forward(&self, xs: &Tensor) -> Tensor {
            let xs = self.hidden.forward(&self.first.forward(xs));
            self.twice.forward(&self.twice.forward(&xs))
        }
    }

    #[test]
    fn a_struct_shows_what_is_watched_and_names_the_rest() {
        let vs = VarStore::new(Device::Cpu);
        let linear = |name: &str| nn::linear(&vs.root() / name, 3, 3, Default::default());
        let net = Net {
            first: nn::watch(linear("first")),
            hidden: linear("hidden"),
            twice: nn::seq().add(nn::seq().add(linear("twice")).tanh()),
        };
        let expected = "\
Layer                 Output shape  Parameters
----------------------------------------------
Net                   [5, 3]
  first (Linear)      [5, 3]                12
  twice (Sequential)  [5, 3]
    twice (Linear)    [5, 3]                12
    Tanh              [5, 3]
  twice (Sequential)  [5, 3]
    twice (Linear)    [5, 3]          (shared)
    Tanh              [5, 3]
  hidden                                    12
----------------------------------------------
Total parameters: 36
";
        let text = summary(&vs).forward(&net, [5, 3]).to_string();
        assert!(text.starts_with(expected), "{text}");
        assert!(first_output_requires_grad(&net), "gradients are back after it");
    }

    fn first_output_requires_grad(net: &Net) -> bool {
        net.forward(&Tensor::ones([1, 3], (Kind::Float, Device::Cpu))).requires_grad()
    }

    #[test]
    fn blocks_show_the_layers_within_them() {
        let vs = VarStore::new(Device::Cpu);
        let net = nn::resnet(
            vs.root(),
            1,
            10,
            nn::ResNetConfig { widths: vec![4, 8], blocks: vec![1, 1], ..Default::default() },
        );
        let text = summary(&vs).forward(&net, [1, 1, 8, 8]).to_string();
        for line in [
            "ResNet                               [1, 10]",
            "  conv1 (Conv2D)                     [1, 4, 8, 8]          36",
            "    layer2.0 (BasicBlock)            [1, 8, 4, 4]",
            "      layer2.0.downsample.0 (Conv2D) [1, 8, 4, 4]",
        ] {
            let spaces = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.lines().any(|actual| spaces(actual).starts_with(&spaces(line))), "{line}\n{text}");
        }
    }

    #[test]
    fn a_network_that_panics_leaves_nothing_behind() {
        let vs = VarStore::new(Device::Cpu);
        let net = cnn(&vs);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| summary(&vs).forward(&net, [2, 3, 8, 8])));
        assert!(panic.is_err());
        let again = summary(&vs).forward(&net, [1, 1, 8, 8]).to_string();
        assert_eq!(again.lines().count(), 15, "{again}");
    }
}
