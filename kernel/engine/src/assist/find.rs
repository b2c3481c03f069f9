//! `:find`: names by words, of ours, of what other libraries call them, and of the first sentences of documentation.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::assist::library::in_python::in_python;
use crate::assist::library::public_names;
use crate::assist::runtime_index;
use crate::names::{self, tensor_methods};
use crate::source::words::words;

/// Of what the best name has of the words, so much has to be in another one.
const COVERED: f64 = 0.6;

/// Something that can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Our name, or what another library calls what has none here.
    pub path: String,
    /// What it is, in a sentence, or what one writes.
    pub about: String,
    /// What other libraries call it.
    pub in_python: Vec<&'static str>,
}

/// The names that words are found in, the best first.
pub(crate) fn find(text: &str, most: usize) -> Vec<Hit> {
    let wanted = telling(words(text));
    let weights: Vec<Vec<f64>> = HITS.iter().map(|hit| hit.weights(&wanted)).collect();
    // A word that few names have says more than one that many have.
    let rarity: Vec<f64> = (0..wanted.len())
        .map(|at| weights.iter().filter(|weights| weights[at] > 0.0).count())
        .map(|count| (1.0 + HITS.len() as f64 / count.max(1) as f64).ln())
        .collect();
    let sum = |of: &dyn Fn(usize) -> f64| (0..wanted.len()).map(|at| of(at) * rarity[at]).sum::<f64>();
    let rated = HITS.iter().zip(&weights).map(|(hit, weights)| {
        let covered = sum(&|at| f64::from(u8::from(weights[at] > 0.0)));
        (covered, sum(&|at| weights[at]) * hit.concise(&wanted), hit)
    });
    let mut rated: Vec<(f64, f64, &Hit)> = rated.filter(|(covered, ..)| *covered > 0.0).collect();
    let best = rated.iter().map(|(covered, ..)| *covered).fold(0.0, f64::max);
    rated.retain(|(covered, ..)| *covered >= COVERED * best);
    let length = |hit: &Hit| (hit.path.len(), hit.path.clone());
    rated.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| length(one.2).cmp(&length(other.2))));
    rated.into_iter().take(most).map(|(.., hit)| hit.clone()).collect()
}

/// The words that say what is looked for: all but those of any sentence, unless there are no others.
fn telling(words: Vec<String>) -> Vec<String> {
    const OF_ANY: [&str; 15] =
        ["a", "an", "and", "as", "at", "by", "for", "from", "how", "in", "into", "of", "on", "the", "to"];
    let telling: Vec<String> = words.iter().filter(|word| !OF_ANY.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() { words } else { telling }
}

static HITS: LazyLock<Vec<Hit>> = LazyLock::new(|| {
    let named = public_names::shortest().map(|name| (name.path.clone(), name.about.clone()));
    let members = public_names::members().map(|(path, about)| (path, about.to_owned()));
    let methods = runtime_index::members("Tensor").into_iter().filter(|(name, _)| is_for_users(name));
    let methods = methods.map(|(name, _)| {
        let path = format!("Tensor::{name}");
        let about = tensor_methods::find(&path).map(|method| method.about.clone()).unwrap_or_default();
        (path, about)
    });
    let mut seen = BTreeSet::new();
    let ours = named.chain(methods).chain(members).filter(|(path, _)| seen.insert(path.clone()));
    let ours: Vec<Hit> = ours.map(|(path, about)| Hit::new(path, about)).collect();
    // What stands for a name of Python's is in the standard library, or is more than one name.
    let is_found = |path: &String| seen.contains(path) || public_names::find(path).is_some();
    let elsewhere = names::all().iter().filter(|entry| !entry.ours.as_ref().is_some_and(is_found));
    let mut others: Vec<Hit> = Vec::new();
    for entry in elsewhere {
        let in_python = entry.ours.as_deref().map(|ours| in_python(ours).to_vec()).unwrap_or_default();
        let path = entry.ours.as_ref().unwrap_or(&entry.foreign).clone();
        if !others.iter().any(|other| other.path == path) {
            others.push(Hit { path, about: entry.usage(), in_python });
        }
    }
    ours.into_iter().chain(others).collect()
});

/// Whether a method of a tensor is no variant of another one, and no part of libtorch's own works.
fn is_for_users(name: &str) -> bool {
    const OWN: [&str; 7] = ["cudnn_", "fbgemm_", "miopen_", "mkldnn_", "native_", "quantized_", "slow_"];
    let is_own = OWN.iter().any(|prefix| name.starts_with(prefix)) || name.contains("_backward");
    !is_own && !runtime_index::is_variant(name)
}

impl Hit {
    fn new(path: String, about: String) -> Self {
        let in_python = in_python(&path).to_vec();
        let written = || names::of_ours(&path).find_map(|entry| entry.write.clone()).map(|write| format!("`{write}`"));
        let about = if about.is_empty() { written().unwrap_or_default() } else { about };
        Self { path, about, in_python }
    }

    /// How much each word counts: in a name more than in a sentence, as a whole word more than as a part of one.
    fn weights(&self, wanted: &[String]) -> Vec<f64> {
        let fields = [
            Field::new(self.name(), 12.0),
            Field::new(&self.path, 5.0),
            Field::new(&self.in_python.join(" "), 6.0),
            Field::new(&self.about, 2.0),
        ];
        wanted.iter().map(|word| fields.iter().map(|field| field.weight_of(word)).fold(0.0, f64::max)).collect()
    }

    /// Of two names that have all words, the one that has few others is meant.
    fn concise(&self, wanted: &[String]) -> f64 {
        let own = words(self.name());
        let meant = own.iter().filter(|word| wanted.contains(word)).count();
        1.0 + meant as f64 / own.len().max(1) as f64
    }

    fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }
}

/// A text that words are looked for in.
struct Field {
    words: Vec<String>,
    joined: String,
    weight: f64,
}

impl Field {
    fn new(text: &str, weight: f64) -> Self {
        let words = words(text);
        Self { joined: words.concat(), words, weight }
    }

    fn weight_of(&self, word: &str) -> f64 {
        let singular = word.strip_suffix('s').filter(|rest| rest.len() > 2);
        let is_word = |word: &str| self.words.iter().any(|other| other == word);
        if is_word(word) || singular.is_some_and(is_word) {
            self.weight
        } else if word.len() > 2 && (self.joined.contains(word) || singular.is_some_and(|it| self.joined.contains(it)))
        {
            self.weight / 2.0
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found: Vec<String> = find(text, 5).into_iter().map(|hit| hit.path).collect();
        assert!(found.iter().any(|path| path == expected), "{text}: {found:?}");
    }

    #[test]
    fn names_are_found_by_words() {
        check("conv transpose", "nn::conv_transpose2d");
        check("cross entropy", "nn::cross_entropy");
        check("crossentropy", "nn::cross_entropy");
        check("CrossEntropyLoss", "nn::cross_entropy");
        check("argmax", "Tensor::argmax");
        check("histogram", "Figure::histogram");
        check("cart pole", "rl::cart_pole");
        check("cosine annealing", "optim::CosineAnnealingLR");
        check("load_state_dict", "io::load_state_dict");
        check("batch norm", "nn::batch_norm2d");
        assert_eq!(find("zzqx", 5), Vec::new());
    }

    #[test]
    fn tasks_are_found_by_words() {
        let check = |text: &str, expected: &str| {
            let found: Vec<String> = find(text, 3).into_iter().map(|hit| hit.path).collect();
            assert!(found.iter().any(|path| path == expected), "{text}: {found:?}");
        };
        check("iterate over tensor", "Tensor::iter");
        check("numbers of a tensor as Vec", "Vec");
        check("split into three tensors", "Tensor::split");
        check("sum of a list of tensors", "python.sum");
        check("integer division", "python.//");
        check("format precision", "python.format");
        check("layer norm without bias", "Tensor::layer_norm");
        check("episode return statistics", "gymnasium.wrappers.RecordEpisodeStatistics");
        check("closure in later cell", "python.lambda");
        check("pi", "std::f64::consts::PI");
        assert!(!find("how to", 3).is_empty());
    }
}
