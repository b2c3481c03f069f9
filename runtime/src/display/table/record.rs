//! A row of a table: the fields of a value, each as it stands in a cell.

use std::fmt::Debug;

use super::cells::presentable;
use super::structure::{Key, Structure, is_name};

/// The column of values that have no fields.
const VALUE: &str = "value";
/// The column that tells which variant of an enum a row is.
const VARIANT: &str = "variant";

/// The fields of one row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The type or variant.
    name: String,
    /// Column and cell.
    pub(super) fields: Vec<(String, String)>,
}

impl Record {
    /// A row of columns and their cells.
    pub(crate) fn new(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { name: String::new(), fields: fields.into_iter().collect() }
    }

    /// The row that a value is.
    pub(super) fn of(value: &dyn Debug) -> Self {
        let (name, fields) = match Structure::of(value) {
            Structure::Fields(name, fields) => (name, fields),
            Structure::Value(text) if text == "None" => return Self::new([]),
            Structure::Value(text) => {
                let name = if is_name(&text) { text.clone() } else { String::new() };
                return Self { name, fields: vec![(VALUE.to_owned(), presentable(&text))] };
            }
        };
        let column = |key: Key| match key {
            Key::Name(name) => name,
            Key::Value(key) => presentable(&key),
            Key::Place(place) => place.to_string(),
        };
        let fields = fields.into_iter().map(|field| (column(field.key), presentable(&field.value))).collect();
        Self { name, fields }
    }

    /// The same row with one column more, ahead of the others.
    pub(super) fn behind(mut self, column: &str, cell: String) -> Self {
        self.fields.insert(0, (column.to_owned(), cell));
        self
    }

    /// The cell of a column; empty where the row has none.
    pub(super) fn get(&self, column: &str) -> String {
        self.fields.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.clone()).unwrap_or_default()
    }
}

/// Gives rows that are different variants of an enum a column that says which.
pub(super) fn name_variants(records: &mut [Record]) {
    let named = |record: &&Record| !record.name.is_empty();
    let Some(first) = records.iter().find(named).map(|record| record.name.clone()) else { return };
    if records.iter().filter(named).all(|record| record.name == first) {
        return;
    }
    for record in records.iter_mut() {
        // A variant without fields is its name already.
        if record.fields.first().is_some_and(|(column, cell)| column == VALUE && *cell == record.name) {
            record.fields.clear();
        }
        let name = record.name.clone();
        record.fields.insert(0, (VARIANT.to_owned(), name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "read by their Debug form")]
    enum Layer {
        Linear { size: i64, label: &'static str },
        Relu,
        Dropout(f64),
    }

    #[track_caller]
    fn check(value: impl Debug, fields: &[(&str, &str)]) {
        let read: Vec<_> = Record::of(&value).fields;
        let read: Vec<_> = read.iter().map(|(name, cell)| (name.as_str(), cell.as_str())).collect();
        assert_eq!(read, fields, "{value:?}");
    }

    #[test]
    fn fields_are_columns_and_other_values_are_one() {
        check(Layer::Linear { size: 1, label: "a, b: {c}" }, &[("size", "1"), ("label", "a, b: {c}")]);
        check(Layer::Dropout(0.1 + 0.2), &[("0", "0.3")]);
        check(Layer::Relu, &[("value", "Relu")]);
        check(3, &[("value", "3")]);
        check("text {", &[("value", "text {")]);
        check(Some("x"), &[("value", "x")]);
        check(None::<Layer>, &[]);
        check(std::collections::BTreeMap::from([("a b", Some(1)), ("c", None)]), &[("a b", "1"), ("c", "")]);
    }

    #[test]
    fn variants_of_an_enum_are_named() {
        let rows = [Layer::Linear { size: 3, label: "" }, Layer::Relu, Layer::Dropout(0.5)];
        let mut records = rows.each_ref().map(|row| Record::of(row));
        name_variants(&mut records);
        assert_eq!(records.each_ref().map(|record| record.get("variant")), ["Linear", "Relu", "Dropout"]);
        assert_eq!(records[1].fields.len(), 1);
        let mut same = [Layer::Dropout(0.1), Layer::Dropout(0.2)].map(|row| Record::of(&row));
        name_variants(&mut same);
        assert_eq!(same[0].get("variant"), "");
    }
}
