//! What a training has measured, as a table and as curves.

use super::table::{Grid, Limits, Record, Tabular, table};
use super::{MimeBundle, RichDisplay, debug_as_shown};
use crate::plot::{Figure, Figures};
use crate::train::{History, VALIDATION};

impl History {
    /// The curves: a figure for the loss and one for each metric, each with training and validation.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let net = nn::seq().flatten().add(nn::linear(vs.root(), 64, 10, Default::default()));
    /// let mut trainer = Trainer::new(&vs, nn::Adam::default(), 1e-2)?.epochs(2).quiet();
    /// trainer.fit(&net, &DataLoader::new(digits(), 128), None)?;
    /// assert!(trainer.history().figures().svg().is_ok());
    /// ```
    pub fn figures(&self) -> Figures {
        let figure = |name: &str| {
            let validation = format!("{VALIDATION}{name}");
            let figure = Figure::new().x_label("epoch").y_label(name);
            // An epoch that did not measure a value has no point, and is no gap.
            let line = |figure: Figure, label: &str, name: &str| {
                let measured = self.epochs().iter().filter_map(|epoch| Some((epoch.epoch as f64, epoch.get(name)?)));
                let (xs, ys): (Vec<f64>, Vec<f64>) = measured.unzip();
                if xs.is_empty() { figure } else { figure.line_xy(label, &xs, &ys) }
            };
            line(line(figure, "training", name), "validation", &validation)
        };
        let values = self.epochs().last().map_or(&[][..], |epoch| &epoch.values);
        let names = values.iter().map(|(name, _)| name).filter(|name| !name.starts_with(VALIDATION));
        Figures::row(names.map(|name| figure(name)).collect::<Vec<_>>())
    }
}

/// A row for each epoch.
impl Tabular for History {
    fn grid(&self, limits: Limits) -> Result<Grid, String> {
        let mut measured: Vec<&str> = Vec::new();
        for (name, _) in self.epochs().iter().flat_map(|epoch| &epoch.values) {
            if !measured.contains(&name.as_str()) {
                measured.push(name);
            }
        }
        // All rows have all columns in one order, also where some epochs measured more than others.
        let names: Vec<&str> = ["epoch"].into_iter().chain(measured).chain(["lr", "seconds"]).collect();
        let row = |row: usize| {
            let cells = self.epochs()[row].columns();
            let cell = |name: &str| cells.iter().find(|(known, _)| *known == name).map(|(_, cell)| cell.clone());
            Record::new(names.iter().map(|name| ((*name).to_owned(), cell(name).unwrap_or_default())))
        };
        Ok(Grid::of_records(self.len(), limits, row))
    }
}

impl RichDisplay for History {
    fn mime_bundle(&self) -> MimeBundle {
        if self.is_empty() { MimeBundle::text("no epoch has ended yet") } else { table(self).mime_bundle() }
    }
}

debug_as_shown!(History);
