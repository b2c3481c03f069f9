//! A confusion matrix as a table of what it says of each class, and as a figure.

use super::table::{Grid, Limits, Record, Tabular, table};
use super::{MimeBundle, RichDisplay, debug_as_shown};
use crate::metrics::{Average, ConfusionMatrix};
use crate::plot::Figure;

impl ConfusionMatrix {
    /// The matrix as colors and counts.
    pub fn figure(&self) -> Figure {
        Figure::new().confusion(&self.counts(), &self.names)
    }

    fn report(&self) -> Vec<[String; 5]> {
        let values = [self.precision(), self.recall(), self.f1()];
        let support = self.support();
        let total = support.iter().sum();
        let classes = self.names.iter().enumerate();
        let classes = classes.map(|(at, name)| line(name, values.each_ref().map(|of| Some(of[at])), support[at]));
        let average = |name, average| line(name, values.each_ref().map(|of| Some(self.averaged(of, average))), total);
        let averages = [
            line("accuracy", [None, None, Some(self.accuracy())], total),
            average("macro average", Average::Macro),
            average("weighted average", Average::Weighted),
        ];
        classes.chain(averages).collect()
    }
}

/// A line of the report; the values are precision, recall and F1.
fn line(name: &str, values: [Option<f64>; 3], support: u64) -> [String; 5] {
    let [precision, recall, f1] = values.map(|value| value.map_or_else(String::new, |value| format!("{value:.4}")));
    [name.to_owned(), precision, recall, f1, support.to_string()]
}

/// The report: a row for each class, then the averages.
impl Tabular for ConfusionMatrix {
    fn grid(&self, limits: Limits) -> Result<Grid, String> {
        let (names, lines) = (["class", "precision", "recall", "f1", "support"], self.report());
        let record = |row: usize| Record::new(names.map(str::to_owned).into_iter().zip(lines[row].clone()));
        Ok(Grid::of_records(lines.len(), limits, record))
    }
}

impl RichDisplay for ConfusionMatrix {
    fn mime_bundle(&self) -> MimeBundle {
        // All classes, and the three lines below them.
        table(self).rows(self.names.len() + 3).mime_bundle()
    }
}

debug_as_shown!(ConfusionMatrix);
