//! What names of other libraries are called here: of PyTorch, NumPy, Keras, scikit-learn, matplotlib and others.
//!
//! The tables are the `.toml` files beside this one, a part for each module of the other library. An entry is one of:
//!
//! - `abs = 'x.abs()'`: what one writes here. Its first name is the one that has documentation.
//! - `size = ['x.size()', 'a remark']`.
//! - `fit = { is = 'Trainer::fit', write = '...', note = '...' }`, where the first name is not the one that counts, or
//!   there is nothing to write.
//!
//! [`GIVEN`] has the variables of what one writes. A test compiles all of it, and another one finds all names in the
//! index of documentation.

pub mod tensor_methods;

use std::sync::LazyLock;

use toml_edit::{DocumentMut, Item, TableLike, Value};

/// A name of another library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In full: `torch.nn.CrossEntropyLoss`.
    pub foreign: String,
    /// The part of the table that it is in: `torch.nn`.
    pub module: String,
    /// The name here, as `:doc` takes it; `None` where there is no counterpart.
    pub ours: Option<String>,
    /// What one writes here.
    pub write: Option<String>,
    /// What else there is to say.
    pub note: Option<String>,
}

/// The variables that the entries use, with a type for each.
pub const GIVEN: [(&str, &[&str]); 10] = [
    (
        "Tensor",
        &[
            "x", "y", "z", "p", "q", "logits", "labels", "targets", "images", "mask", "index", "loss", "weight",
            "bias", "boxes", "scores", "mean", "std",
        ],
    ),
    ("f64", &["number"]),
    ("nn::VarStore", &["vs"]),
    ("nn::SequentialT", &["net"]),
    ("optim::Optimizer", &["opt"]),
    ("TensorDataset", &["set"]),
    ("Trainer", &["trainer"]),
    ("distributions::Normal", &["normal"]),
    ("rl::TimeLimit<rl::CartPole>", &["env"]),
    ("Vec<(String, f64)>", &["rows"]),
];

const TABLES: [&str; 6] = [
    include_str!("torch.toml"),
    include_str!("tensor.toml"),
    include_str!("nn.toml"),
    include_str!("training.toml"),
    include_str!("others.toml"),
    include_str!("python.toml"),
];

/// Short names that programs give to modules.
const ALIASES: [(&str, &str); 13] = [
    ("tf.keras", "keras"),
    ("F", "torch.nn.functional"),
    ("nn", "torch.nn"),
    ("optim", "torch.optim"),
    ("Tensor", "torch.Tensor"),
    ("np", "numpy"),
    ("plt", "matplotlib.pyplot"),
    ("sns", "seaborn"),
    ("pd", "pandas"),
    ("gym", "gymnasium"),
    ("T", "torchvision.transforms"),
    ("transforms", "torchvision.transforms"),
    ("lr_scheduler", "torch.optim.lr_scheduler"),
];

/// Short names that are ours as well.
pub const SHARED: [&str; 3] = ["nn", "optim", "Tensor"];

/// Two modules of PyTorch that have the same functions, as methods and as functions.
const TWINS: [[&str; 2]; 2] = [["torch.Tensor.", "torch."], ["torch.", "torch.Tensor."]];

/// All names, library by library.
pub fn all() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| TABLES.iter().copied().flat_map(entries).collect());
    &ENTRIES
}

/// What a name of another library is here, by its path, as Python or Rust writes paths, or by the end of it.
pub fn find(path: &str) -> Option<&'static Entry> {
    let wanted = in_full(path);
    let named = |name: &str| all().iter().find(|entry| entry.foreign == name);
    let twin = || TWINS.iter().find_map(|[from, to]| named(&format!("{to}{}", wanted.strip_prefix(from)?)));
    let end = format!(".{wanted}");
    named(&wanted).or_else(twin).or_else(|| all().iter().find(|entry| entry.foreign.ends_with(&end)))
}

/// The names of a module of another library.
pub fn of_module(path: &str) -> Vec<&'static Entry> {
    let module = in_full(path);
    all().iter().filter(|entry| entry.module == module).collect()
}

/// Whether an entry is no name of a library, but a term such as `teacher forcing`.
pub fn is_term(foreign: &str) -> bool {
    foreign.starts_with("deep learning.")
}

/// Whether a path begins with the name of another library, or with the short name that programs give it.
pub fn is_foreign(path: &str) -> bool {
    let plain = dotted(path);
    let root = plain.split('.').next().unwrap_or_default();
    let is_root = |entry: &Entry| entry.foreign.split('.').next() == Some(root);
    let is_alias = |(short, _): &(&str, &str)| *short == root && !SHARED.contains(short);
    root == "tf" || all().iter().any(is_root) || ALIASES.iter().any(is_alias)
}

/// The names of other libraries for one of ours.
pub fn of_ours(name: &str) -> impl Iterator<Item = &'static Entry> {
    all().iter().filter(move |entry| entry.ours.as_deref() == Some(name))
}

impl Entry {
    /// Its name in its module: `CrossEntropyLoss`.
    pub fn name(&self) -> &str {
        self.foreign[self.module.len()..].trim_start_matches('.')
    }

    /// What to write for it, and what else there is to say.
    pub fn usage(&self) -> String {
        let written = self.write.as_ref().map(|write| format!("`{write}`"));
        written.into_iter().chain(self.note.clone()).collect::<Vec<_>>().join("; ")
    }

    /// What to write for it, in a sentence; `name` is how the user has written it.
    pub fn told(&self, name: &str) -> String {
        let note = self.note.as_deref();
        let Some(write) = self.write.as_deref().or(self.ours.as_deref()) else {
            return format!("`{name}` has no counterpart here: {}", note.unwrap_or("it is not needed"));
        };
        let note = note.map(|note| format!(". {}", capitalised(note))).unwrap_or_default();
        format!("`{name}` is here `{write}`{note}")
    }
}

/// A note as a sentence of its own.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `nn.Linear` of `nn::Linear()`.
fn dotted(path: &str) -> String {
    path.trim().trim_end_matches("()").replace("::", ".")
}

/// A path without short names.
fn in_full(path: &str) -> String {
    let plain = dotted(path);
    let full = ALIASES.iter().find_map(|(short, full)| {
        let rest = plain.strip_prefix(short)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{full}{rest}"))
    });
    full.unwrap_or(plain)
}

fn entries(table: &str) -> Vec<Entry> {
    let table: DocumentMut = table.parse().unwrap_or_default();
    let parts = table.iter().filter_map(|(module, part)| Some((module, part.as_table()?)));
    parts.flat_map(|(module, part)| part.iter().filter_map(move |(name, item)| entry(module, name, item))).collect()
}

fn entry(module: &str, name: &str, item: &Item) -> Option<Entry> {
    let (foreign, module) = (format!("{module}.{name}"), module.to_owned());
    let text = |table: &dyn TableLike, key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
    if let Some(table) = item.as_table_like() {
        let [ours, write, note] = ["is", "write", "note"].map(|key| text(table, key));
        return Some(Entry { foreign, module, ours, write, note });
    }
    let (write, note) = match item.as_array() {
        Some(pair) => (pair.get(0).and_then(Value::as_str)?, pair.get(1).and_then(Value::as_str)),
        None => (item.as_str()?, None),
    };
    // An operator has no name.
    let ours = Some(documented_name(write)).filter(|name| name != "Tensor");
    Some(Entry { foreign, module, ours, write: Some(write.to_owned()), note: note.map(str::to_owned) })
}

/// The name that documentation is there of: `Tensor::abs` of `x.abs()`, `nn::Sgd` of `nn::Sgd { .. }.build(&vs, 0.1)`.
fn documented_name(code: &str) -> String {
    let code = code.trim_start_matches(['&', '-', '(']);
    let end = code.find(|char: char| !(char.is_alphanumeric() || "_:.".contains(char))).unwrap_or(code.len());
    let path = code[..end].trim_end_matches([':', '.']);
    let (variable, method) = path.split_once('.').unwrap_or((path, ""));
    let Some((ty, _)) = GIVEN.iter().find(|(_, variables)| variables.contains(&variable)) else {
        let made = ["::new", "::default"].iter().find_map(|end| path.strip_suffix(end));
        return made.unwrap_or(path).to_owned();
    };
    let ty = ty.split('<').next().unwrap_or(ty);
    // An operator, where there is no method.
    if method.is_empty() { ty.to_owned() } else { format!("{ty}::{method}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_whole() {
        let lines = TABLES.iter().flat_map(|table| table.lines());
        let count = lines.filter(|line| line.contains(" = ") && !line.starts_with('#')).count();
        assert_eq!(all().len(), count);
        assert!(count >= 500, "{count}");
        let is_empty = |entry: &&Entry| entry.ours.is_none() && entry.write.is_none() && entry.note.is_none();
        let without: Vec<&Entry> = all().iter().filter(is_empty).collect();
        assert!(without.is_empty(), "{without:?}");
        let mut names: Vec<&str> = all().iter().map(|entry| entry.foreign.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names.windows(2).find(|pair| pair[0] == pair[1]), None);
    }

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let check = |path: &str, foreign: &str| assert_eq!(find(path).expect(path).foreign, foreign, "{path}");
        check("torch.nn.CrossEntropyLoss", "torch.nn.CrossEntropyLoss");
        check("torch::nn::CrossEntropyLoss()", "torch.nn.CrossEntropyLoss");
        check("nn.CrossEntropyLoss", "torch.nn.CrossEntropyLoss");
        check("CrossEntropyLoss", "torch.nn.CrossEntropyLoss");
        check("F.softmax", "torch.nn.functional.softmax");
        check("np::argmax", "numpy.argmax");
        check("tf.keras.layers.Dense", "keras.layers.Dense");
        check("Tensor::item", "torch.Tensor.item");
        check("Tensor.gather", "torch.gather");
        check("torch.view", "torch.Tensor.view");
        check("//", "python.//");
        check("math.pi", "math.pi");
        check("optim.lr_scheduler.StepLR", "torch.optim.lr_scheduler.StepLR");
        assert_eq!(find("torch.no_such_name"), None);
        assert!(of_module("F").iter().any(|entry| entry.name() == "softmax"));
        assert!(of_module("torch::nn").len() > 50 && of_module("no_such_module").is_empty());
    }

    #[test]
    fn our_name_is_the_one_that_is_documented() {
        let check = |code: &str, name: &str| assert_eq!(documented_name(code), name);
        check("x.abs()", "Tensor::abs");
        check("-&x", "Tensor");
        check("&mean + &std", "Tensor");
        check("nn::Sgd { momentum: 0.9, ..Default::default() }.build(&vs, 0.01)?", "nn::Sgd");
        check("nn::Adam::default().build(&vs, 1e-3)?", "nn::Adam");
        check("Tensor::zeros([2], options)", "Tensor::zeros");
        check("index.bincount::<Tensor>(None, 10)", "Tensor::bincount");
        check("env.step(1)", "rl::TimeLimit::step");
        check("Kind::Float", "Kind::Float");
    }

    #[test]
    fn a_library_is_known_by_its_short_name() {
        assert!(is_foreign("torch::cat") && is_foreign("np.argmax") && is_foreign("tf.keras.Model"));
        assert!(!is_foreign("nn::Linear") && !is_foreign("Tensor::cat") && !is_foreign("digits"));
    }
}
