//! Which classes are taken for which.

use tch::{Kind, Tensor};

use super::{pairs, share};
use crate::elements::{elements, first_beyond};

/// How values of several classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Each class counts the same.
    Macro,
    /// Each sample counts the same: all classes are counted together.
    Micro,
    /// Each class counts as often as it is in the targets.
    Weighted,
}

/// How often each class was taken for each: row the true class, column the predicted one, as in scikit-learn. Shown as
/// a report with precision, recall and F1 of each class; [`ConfusionMatrix::figure`] draws it.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut confusion = metrics::ConfusionMatrix::new(3).names(&["setosa", "versicolor", "virginica"]);
/// for (predictions, labels) in [([0i64, 1, 1], [0i64, 1, 2]), ([2, 2, 0], [2, 2, 0])] {
///     confusion.update(&Tensor::from_slice(&predictions), &Tensor::from_slice(&labels));
/// }
/// assert_eq!(confusion.get(2, 1), 1);
/// assert_eq!(confusion.accuracy(), 5.0 / 6.0);
/// confusion
/// # ;
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    pub(crate) names: Vec<String>,
    /// Row by row.
    counts: Vec<u64>,
}

/// Counts scores `[N, C]` or classes `[N]` against targets `[N]`.
///
/// ```
/// use oxtorch::prelude::*;
/// let (predictions, labels) = (Tensor::from_slice(&[0i64, 1, 1]), Tensor::from_slice(&[0i64, 1, 0]));
/// assert_eq!(metrics::confusion_matrix(&predictions, &labels, 2).counts(), Tensor::from_slice2(&[[1i64, 1], [0, 1]]));
/// ```
///
/// # Panics
///
/// As [`ConfusionMatrix::update`].
pub fn confusion_matrix(predictions: &Tensor, targets: &Tensor, classes: usize) -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new(classes);
    matrix.update(predictions, targets);
    matrix
}

impl ConfusionMatrix {
    /// Of so many classes, and no samples yet.
    pub fn new(classes: usize) -> Self {
        let names = (0..classes).map(|class| class.to_string()).collect();
        Self { names, counts: vec![0; classes * classes] }
    }

    /// What the classes are called; their numbers otherwise.
    ///
    /// # Panics
    ///
    /// Where there are more or fewer names than classes.
    pub fn names<S: ToString>(mut self, names: &[S]) -> Self {
        let (given, classes) = (names.len(), self.names.len());
        assert!(given == classes, "a confusion matrix of {classes} classes with {given} names; each class needs one");
        self.names = names.iter().map(S::to_string).collect();
        self
    }

    /// Counts a batch: scores `[N, C]` or classes `[N]`, and targets `[N]`.
    ///
    /// # Panics
    ///
    /// Where there is not one prediction for each target, or one of them is no class.
    pub fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let (predicted, targets) = pairs("confusion matrix", predictions, targets);
        let classes = self.names.len() as i64;
        if targets.numel() == 0 {
            return;
        }
        for (what, tensor) in [("prediction", &predicted), ("target", &targets)] {
            if let Some(class) = first_beyond(tensor, classes) {
                panic!("confusion matrix: a {what} of class {class}; there are {classes} classes, from 0");
            }
        }
        let counted = (targets * classes + predicted).bincount(None::<&Tensor>, classes * classes);
        for (count, more) in self.counts.iter_mut().zip(elements::<i64>(&counted)) {
            *count += more as u64;
        }
    }

    /// How many samples of class `target` were taken for class `prediction`.
    ///
    /// # Panics
    ///
    /// Where one of them is no class.
    pub fn get(&self, target: usize, prediction: usize) -> u64 {
        let classes = self.names.len();
        assert!(
            target < classes && prediction < classes,
            "confusion matrix: no entry [{target}, {prediction}]; there are {classes} classes, from 0"
        );
        self.counts[target * classes + prediction]
    }

    /// All counts, `[C, C]` int64.
    pub fn counts(&self) -> Tensor {
        let (classes, counts) = (self.names.len() as i64, self.counts.iter().map(|count| *count as i64));
        Tensor::from_slice(&counts.collect::<Vec<_>>()).view([classes, classes])
    }

    /// What became of each class, `[C, C]` float32: counts as shares of their row.
    pub fn shares(&self) -> Tensor {
        let counts = self.counts().to_kind(Kind::Float);
        let rows = counts.sum_dim_intlist(1i64, true, Kind::Float).clamp_min(1.0);
        counts / rows
    }

    /// The share of right predictions.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.right().iter().sum();
        share(right as f64, self.total() as f64)
    }

    /// `TP / (TP + FP)` of each class; 0 for one that was never predicted.
    pub fn precision(&self) -> Vec<f64> {
        self.of_each(|right, _, predicted| share(right, predicted))
    }

    /// `TP / (TP + FN)` of each class; 0 for one that is not in the targets.
    pub fn recall(&self) -> Vec<f64> {
        self.of_each(|right, support, _| share(right, support))
    }

    /// `2 TP / (2 TP + FP + FN)` of each class.
    pub fn f1(&self) -> Vec<f64> {
        self.of_each(|right, support, predicted| share(2.0 * right, support + predicted))
    }

    /// `TP / (TP + FP + FN)` of each class, its intersection over union (the Jaccard index); NaN for one that is
    /// neither in the targets nor predicted.
    pub fn iou(&self) -> Vec<f64> {
        self.of_each(|right, support, predicted| right / (support + predicted - right))
    }

    /// How many targets each class has.
    pub fn support(&self) -> Vec<u64> {
        let classes = self.names.len();
        (0..classes).map(|row| self.counts[row * classes..(row + 1) * classes].iter().sum()).collect()
    }

    /// Values of the classes as one. Counted together, precision, recall and F1 are all the accuracy.
    pub(crate) fn averaged(&self, values: &[f64], average: Average) -> f64 {
        let support = self.support();
        // scikit-learn leaves out what is neither a target nor a prediction.
        let present: Vec<usize> =
            (0..values.len()).filter(|class| support[*class] + self.predicted()[*class] > 0).collect();
        match average {
            Average::Micro => self.accuracy(),
            Average::Macro => share(present.iter().map(|class| values[*class]).sum(), present.len() as f64),
            Average::Weighted => {
                let sum = values.iter().zip(&support).map(|(value, support)| value * *support as f64).sum();
                share(sum, self.total() as f64)
            }
        }
    }

    fn of_each(&self, value: fn(f64, f64, f64) -> f64) -> Vec<f64> {
        let parts = self.right().into_iter().zip(self.support()).zip(self.predicted());
        parts.map(|((right, support), predicted)| value(right as f64, support as f64, predicted as f64)).collect()
    }

    fn right(&self) -> Vec<u64> {
        let classes = self.names.len();
        (0..classes).map(|class| self.counts[class * classes + class]).collect()
    }

    fn predicted(&self) -> Vec<u64> {
        let classes = self.names.len();
        (0..classes).map(|column| (0..classes).map(|row| self.counts[row * classes + column]).sum()).collect()
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::RichDisplay;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    fn reference() -> (Reference, ConfusionMatrix) {
        let reference = Reference::parse(include_str!("../../../tests/reference/metrics.json"));
        let (scores, targets) = (reference.tensor("/scores"), reference.tensor("/targets"));
        let mut matrix = ConfusionMatrix::new(4);
        for (scores, targets) in scores.split(7, 0).iter().zip(targets.split(7, 0)) {
            matrix.update(scores, &targets);
        }
        (reference, matrix)
    }

    #[test]
    fn batches_add_up_to_scikit_learns_matrix() {
        let (reference, matrix) = reference();
        reference.check("/confusion", &matrix.counts(), 0.0);
        reference.check("/shares", &matrix.shares(), 1e-6);
        for (name, values) in [("precision", matrix.precision()), ("recall", matrix.recall()), ("f1", matrix.f1())] {
            reference.check(&format!("/each/{name}"), &Tensor::from_slice(&values), 1e-9);
        }
        assert_eq!(matrix.support().iter().sum::<u64>(), 40);
    }

    #[test]
    fn the_report_has_a_line_for_each_class_and_average() {
        let matrix = reference().1.names(&["ant", "bee", "cat", "dog"]);
        let text = format!("{matrix:?}");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
        let cells = |line: &[&str]| line.iter().filter(|cell| !cell.is_empty()).map(ToString::to_string).collect();
        let lines: Vec<Vec<String>> = lines.iter().map(|line| cells(line)).collect();
        assert_eq!(lines[0], ["class", "precision", "recall", "f1", "support"]);
        let expected = |name: &str, value: f64| assert!(text.contains(&format!("{value:.4}")), "{name} in\n{text}");
        expected("precision", matrix.precision()[0]);
        // The accuracy is no precision and no recall: those cells are empty.
        assert_eq!(lines[5], ["4", "accuracy", &format!("{:.4}", matrix.accuracy()), "40"]);
        for (line, name) in lines[1..].iter().zip(["ant", "bee", "cat", "dog", "accuracy", "macro average"]) {
            assert_eq!(line[1], name, "{text}");
        }
        assert_eq!(lines.len(), 8);
        assert!(matrix.mime_bundle().get("text/html").is_some());
        assert!(matrix.figure().svg().is_ok());
    }

    #[test]
    fn what_is_no_class_is_named() {
        let run = || confusion_matrix(&Tensor::from_slice(&[0i64, 3]), &Tensor::from_slice(&[0i64, 1]), 3);
        let message = panic_message(run);
        assert!(message.contains("a prediction of class 3; there are 3 classes"), "{message}");
    }
}
