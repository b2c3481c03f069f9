//! Data that comes with the runtime: no network, no waiting. Sources and licences: `runtime/data/README.md`.

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use tch::{Kind, Tensor};

use crate::data::LabelledImages;

static MNIST: &[u8] = include_bytes!("../../../data/mnist_10k.gz");
static MOBY_DICK: &[u8] = include_bytes!("../../../data/moby_dick.txt.gz");
static NAMES: &[u8] = include_bytes!("../../../data/names.txt.gz");
static IRIS: &[u8] = include_bytes!("../../../data/iris.csv.gz");

fn unpacked(file: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect("the shipped file is whole: a test reads it");
    bytes
}

pub(crate) fn unpacked_text(file: &[u8]) -> String {
    String::from_utf8(unpacked(file)).expect("the shipped file is text: a test reads it")
}

/// 10,000 images of MNIST's training set, in a mixed order: images `[10000, 1, 28, 28]` float32 in 0 to 1, labels
/// `[10000]` int64 (Y. LeCun et al., Gradient-based learning applied to document recognition, 1998). All of MNIST:
/// [`mnist`](crate::data::mnist()).
///
/// ```
/// use oxtorch::prelude::*;
/// let (train, test) = mnist_10k().split(0.2, 42)?;
/// assert_eq!(train.images.size(), [8000, 1, 28, 28]);
/// ```
pub fn mnist_10k() -> LabelledImages {
    const COUNT: usize = 10_000;
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let (labels, pixels) = BYTES.get_or_init(|| unpacked(MNIST)).split_at(COUNT);
    LabelledImages {
        images: Tensor::from_slice(pixels).view([COUNT as i64, 1, 28, 28]).to_kind(Kind::Float) / 255.0,
        labels: Tensor::from_slice(labels).to_kind(Kind::Int64),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    }
}

/// A table of numbers with a class for each row. A clone shares the tensors.
#[derive(Debug)]
pub struct LabelledTable {
    /// `[N, features]`, float32.
    pub features: Tensor,
    /// `[N]`, int64: the index of each row's class.
    pub labels: Tensor,
    /// The names of the columns.
    pub feature_names: Vec<String>,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

impl Clone for LabelledTable {
    fn clone(&self) -> Self {
        Self {
            features: self.features.shallow_clone(),
            labels: self.labels.shallow_clone(),
            feature_names: self.feature_names.clone(),
            classes: self.classes.clone(),
        }
    }
}

/// 150 irises of three kinds, 50 of each: length and width of sepals and petals in centimetres (R. A. Fisher, The use
/// of multiple measurements in taxonomic problems, 1936).
///
/// ```
/// use oxtorch::prelude::*;
/// let iris = iris();
/// assert_eq!(iris.features.size(), [150, 4]);
/// assert_eq!(iris.classes, ["setosa", "versicolor", "virginica"]);
/// ```
pub fn iris() -> LabelledTable {
    let text = unpacked_text(IRIS);
    let fields = |line: &str| -> Vec<f32> {
        line.split(',').map(|field| field.parse().expect("the shipped file holds numbers")).collect()
    };
    let numbers: Vec<f32> = text.lines().flat_map(fields).collect();
    let table = Tensor::from_slice(&numbers).view([150, 5]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    LabelledTable {
        features: table.narrow(1, 0, 4).contiguous(),
        labels: table.select(1, 4).to_kind(Kind::Int64),
        feature_names: names(&["sepal length", "sepal width", "petal length", "petal width"]),
        classes: names(&["setosa", "versicolor", "virginica"]),
    }
}

/// Moby-Dick by Herman Melville (1851), 135 chapters, 1.2 MB of English: for language models.
///
/// ```
/// use oxtorch::prelude::*;
/// assert!(moby_dick().contains("Call me Ishmael."));
/// ```
pub fn moby_dick() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| unpacked_text(MOBY_DICK))
}

/// 8,403 English first names in the order of the alphabet: for character-level language models.
///
/// ```
/// use oxtorch::prelude::*;
/// assert!(names().contains(&"Olivia"));
/// ```
pub fn names() -> Vec<&'static str> {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| unpacked_text(NAMES)).lines().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnist_holds_ten_thousand_digits_of_each_kind() {
        let set = mnist_10k();
        assert_eq!((set.images.size(), set.images.kind()), (vec![10_000, 1, 28, 28], Kind::Float));
        assert_eq!((set.images.min().double_value(&[]), set.images.max().double_value(&[])), (0.0, 1.0));
        let counts = Vec::<i64>::try_from(set.labels.bincount(None::<Tensor>, 10)).expect("ten numbers");
        // As the package counts them.
        assert_eq!(counts, [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
        let means =
            |digit: i64| set.images.index_select(0, &set.labels.eq(digit).nonzero().squeeze_dim(1)).mean(Kind::Float);
        // Ones have the least ink: the labels belong to the images.
        assert!(
            (0..10).all(|digit| digit == 1 || means(1).double_value(&[]) < 0.6 * means(digit).double_value(&[]) + 0.02)
        );
        // The order is mixed: the first hundred hold every digit.
        let first = set.labels.narrow(0, 0, 100).bincount(None::<Tensor>, 10);
        assert!(first.min().int64_value(&[]) > 0);
    }

    #[test]
    fn the_other_files_are_whole() {
        let iris = iris();
        assert_eq!(iris.labels.bincount(None::<Tensor>, 3), Tensor::from_slice(&[50i64, 50, 50]));
        // The means that scikit-learn's description of the set has.
        let means = Vec::<f32>::try_from(iris.features.mean_dim([0i64].as_slice(), false, Kind::Float)).expect("four");
        let known = [5.843333, 3.057333, 3.758, 1.199333];
        assert!(means.iter().zip(known).all(|(mean, known)| (mean - known).abs() < 1e-4), "{means:?}");
        assert_eq!(moby_dick().len(), 1_192_884);
        assert_eq!(moby_dick().lines().filter(|line| line.starts_with("CHAPTER ")).count(), 135);
        let names = names();
        assert_eq!(names.len(), 8403);
        assert!(names.is_sorted() && names.iter().all(|name| name.chars().all(|char| char.is_ascii_alphabetic())));
    }
}
