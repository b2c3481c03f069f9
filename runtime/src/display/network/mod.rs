//! A network as the layers that it consists of, with the shapes of their weights and how many numbers they learn: how a
//! cell shows one. It is read from the `Debug` form, which a type of the user's derives.
//!
//! `Debug` says neither which weights are kept from training nor that a weight stands in two places;
//! [`summary`](crate::summary::summary) knows both.

use std::fmt::Debug;

use super::table::layers::{LayerTable, Row};
use super::table::writer::thousands;
use super::{MimeBundle, RichDisplay};

mod outline;

use outline::{Bracket, Part};

/// How the weights of layers are called. A value with a tensor of such a name is a network.
const WEIGHTS: [&str; 4] = ["ws", "weight", "weight_ih", "weights"];

/// The table of a layer or of what consists of layers; `None` where the `Debug` form of the type names no parts.
pub(crate) fn of_module(value: &dyn Debug) -> Option<MimeBundle> {
    Part::of(value).filter(Part::is_named).map(|root| table(&root))
}

/// The table of a value that may be a network: one with weights, in a struct with a name.
pub(crate) fn of_value(value: &dyn Debug) -> Option<MimeBundle> {
    Part::of(value).filter(|root| root.is_named() && root.has_weights()).map(|root| table(&root))
}

/// Whether a `Debug` form can be that of a network: every layer has a weight of two dimensions or more, or is a part of
/// a network that has one.
pub(crate) fn may_be_in(text: &str) -> bool {
    text.starts_with(|char: char| char.is_alphabetic()) && text.contains("Tensor[[")
}

fn table(root: &Part) -> MimeBundle {
    let mut table = Layers::default();
    table.add(root.kind(), root, 0);
    let mut totals = vec![format!("Total parameters: {}", thousands(table.parameters))];
    if table.statistics > 0 {
        totals.push(format!("Statistics, not trained: {}", thousands(table.statistics)));
    }
    LayerTable { head: ["Layer", "Variables", "Parameters"], rows: table.rows, totals }.mime_bundle()
}

#[derive(Default)]
struct Layers {
    rows: Vec<Row>,
    parameters: i64,
    statistics: i64,
}

impl Layers {
    fn add(&mut self, label: String, part: &Part, depth: usize) {
        let (mut told, mut parameters) = (Vec::new(), 0);
        for (name, shapes) in part.tensors() {
            let count: i64 = shapes.iter().map(|shape| shape.iter().product::<i64>()).sum();
            // Of a batch norm.
            if name.starts_with("running_") {
                self.statistics += count;
                continue;
            }
            parameters += count;
            let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
            told.push(format!("{} {}", pytorch_name(name), shapes.join(", ")));
        }
        self.parameters += parameters;
        if told.is_empty() && part.layers().is_empty() {
            told = part.settings();
        }
        let number = if parameters > 0 { thousands(parameters) } else { String::new() };
        self.rows.push((depth, [label, told.join(", "), number]));
        for (name, layer) in part.layers() {
            self.add(format!("{name} ({})", layer.kind()), layer, depth + 1);
        }
    }
}

/// `tch` calls its variables otherwise in the code than in a store.
fn pytorch_name(name: &str) -> &str {
    match name {
        "ws" => "weight",
        "bs" => "bias",
        name => name,
    }
}

impl Part {
    fn is_named(&self) -> bool {
        self.bracket.is_some() && !self.name.is_empty()
    }

    fn has_weights(&self) -> bool {
        self.tensors().iter().any(|(name, _)| WEIGHTS.contains(name))
            || self.layers().iter().any(|(_, layer)| layer.has_weights())
    }

    /// As its type is called; those of convolutions have one name for all numbers of dimensions.
    fn kind(&self) -> String {
        let dimensions = self.tensors().iter().find(|(name, _)| *name == "ws").map(|(_, shapes)| shapes[0].len());
        match (self.name.as_str(), dimensions) {
            ("Conv", Some(dimensions)) => format!("Conv{}D", dimensions.saturating_sub(2)),
            ("ConvTransposeND", Some(dimensions)) => format!("ConvTranspose{}D", dimensions.saturating_sub(2)),
            // A function in a chain.
            (name, _) => name.trim_end_matches("()").to_owned(),
        }
    }

    /// The fields that are tensors or lists of them, with their shapes.
    fn tensors(&self) -> Vec<(&str, Vec<Vec<i64>>)> {
        let shapes = |part: &Self| match part.shape() {
            Some(shape) => Some(vec![shape]),
            None if part.name.is_empty() => part.fields.iter().map(|(_, item)| item.shape()).collect(),
            None => None,
        };
        let fields = self.fields.iter().filter_map(|(name, part)| Some((name.as_str(), shapes(part)?)));
        fields.filter(|(_, shapes)| !shapes.is_empty()).collect()
    }

    /// `Tensor[[8, 4], Float]`, or the numbers of a short tensor in one line; those of a list stand in a line each.
    fn shape(&self) -> Option<Vec<i64>> {
        if self.bracket.is_some() {
            return None;
        }
        if let Some(rest) = self.name.strip_prefix("Tensor[[") {
            let (sizes, _) = rest.split_once(']')?;
            return sizes.split(", ").filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect();
        }
        let numbers = self.name.strip_prefix('[')?.strip_suffix(']')?;
        numbers
            .split(", ")
            .map(|number| number.parse::<f64>().ok())
            .collect::<Option<Vec<_>>>()
            .map(|numbers| vec![numbers.len() as i64])
    }

    /// The parts that are layers, also those in lists, with their names.
    fn layers(&self) -> Vec<(String, &Self)> {
        let mut layers = Vec::new();
        for (name, part) in &self.fields {
            if part.is_layer() {
                layers.push((name.clone(), part));
            } else if part.name.is_empty()
                && part.fields.iter().any(|(_, item)| item.is_layer() || item.name.is_empty())
            {
                let inner = part.layers().into_iter().map(|(place, layer)| (format!("{name}.{place}"), layer));
                layers.extend(inner);
            }
        }
        layers
    }

    /// Structs, unless they say how to make a layer, types that consist of layers, and functions.
    fn is_layer(&self) -> bool {
        let is_setting = self.name.contains("Config") || self.name.is_empty();
        match self.bracket {
            Some(_) if is_setting => false,
            Some(Bracket::Brace) => true,
            Some(_) => self.tensors().len() + self.layers().len() > 0,
            None => self.name.ends_with("()") || ["func", "funcT"].contains(&self.name.as_str()),
        }
    }

    /// The numbers that a layer without weights has, such as the share of a dropout.
    fn settings(&self) -> Vec<String> {
        let numbers = self.fields.iter().filter(|(_, part)| part.name.parse::<f64>().is_ok());
        numbers.map(|(name, part)| format!("{name} {}", part.name)).collect()
    }
}

#[cfg(test)]
mod tests;
