//! What each epoch of a training measured.

use std::fmt::{self, Debug};

use serde_json::{Value, json};

use super::work::value_of;

/// What stands ahead of the name of a value that was measured on the validation data.
pub(crate) const VALIDATION: &str = "validation ";

/// One epoch.
#[derive(Clone, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Values by name, in the order of the table: `loss`, metrics, `validation loss`, validation metrics.
    pub values: Vec<(String, f64)>,
    /// The learning rate of its last step.
    pub lr: f64,
    /// How long it took, validation included.
    pub seconds: f64,
}

impl Epoch {
    /// A value by its name, such as `validation loss`.
    pub fn get(&self, name: &str) -> Option<f64> {
        value_of(&self.values, name)
    }

    /// The names and values as they are shown.
    pub(crate) fn columns(&self) -> Vec<(&str, String)> {
        let measured = self.values.iter().map(|(name, value)| (name.as_str(), rounded(*value)));
        let mut columns = vec![("epoch", self.epoch.to_string())];
        columns.extend(measured);
        columns.extend([("lr", format!("{:?}", self.lr)), ("seconds", format!("{:.1}", self.seconds))]);
        columns
    }
}

/// The values by their names, rounded.
impl Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = f.debug_struct("Epoch");
        for (name, value) in self.columns() {
            row.field(name, &format_args!("{value}"));
        }
        row.finish()
    }
}

fn rounded(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 { format!("{value:.3e}") } else { format!("{value:.4}") }
}

/// The epochs of a training so far. Shown as a table; [`History::figures`] draws the curves.
#[derive(Clone, Default, PartialEq)]
pub struct History {
    epochs: Vec<Epoch>,
}

impl History {
    /// All epochs in order.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// How many epochs there are.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Whether no epoch has ended yet.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// A value of each epoch; NaN where one did not measure it.
    pub fn values(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.get(name).unwrap_or(f64::NAN)).collect()
    }

    /// A value of the last epoch.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last()?.get(name)
    }

    pub(super) fn push(&mut self, epoch: Epoch) {
        self.epochs.push(epoch);
    }

    pub(super) fn to_json(&self) -> Value {
        let epoch = |epoch: &Epoch| {
            let values: Vec<Value> = epoch.values.iter().map(|(name, value)| json!([name, value])).collect();
            json!({ "epoch": epoch.epoch, "values": values, "lr": epoch.lr, "seconds": epoch.seconds })
        };
        self.epochs.iter().map(epoch).collect()
    }

    pub(super) fn from_json(json: &Value) -> Option<Self> {
        let epoch = |json: &Value| {
            let values = json["values"].as_array()?.iter();
            Some(Epoch {
                epoch: usize::try_from(json["epoch"].as_u64()?).ok()?,
                // JSON has no NaN: it was written as null.
                values: values
                    .map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_f64().unwrap_or(f64::NAN))))
                    .collect::<Option<_>>()?,
                lr: json["lr"].as_f64()?,
                seconds: json["seconds"].as_f64()?,
            })
        };
        Some(Self { epochs: json.as_array()?.iter().map(epoch).collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::table;

    fn history() -> History {
        let epoch = |epoch: usize| Epoch {
            epoch,
            values: vec![("loss".into(), 1.0 / epoch as f64), ("validation loss".into(), 2e-4)],
            lr: 1e-3,
            seconds: 0.25,
        };
        History { epochs: vec![epoch(1), epoch(2)] }
    }

    #[test]
    fn epochs_are_rows_and_values_are_columns() {
        let expected = "   epoch    loss  validation loss     lr  seconds
0      1  1.0000         2.000e-4  0.001      0.2
1      2  0.5000         2.000e-4  0.001      0.2";
        assert_eq!(format!("{:?}", history()), expected);
        // Values as a table rounds them, in the columns of the same names.
        let epochs = table(&history().epochs().to_vec()).to_string();
        assert_eq!(epochs.lines().next(), expected.lines().next());
        assert_eq!(history().values("loss"), [1.0, 0.5]);
        assert_eq!((history().last("loss"), history().last("accuracy")), (Some(0.5), None));
        assert_eq!(format!("{:?}", History::default()), "no epoch has ended yet");
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(History::from_json(&history().to_json()), Some(history()));
        assert_eq!(History::from_json(&json!([{ "epoch": "one" }])), None);
    }
}
