//! Tables in CSV files: numeric columns as tensors, columns of text as classes.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use oxtorch_boundary::Row;
use tch::{Kind, Tensor};
use thiserror::Error;

use crate::checkpoint::checkpoint;
use crate::support::support;

/// What stands for a value that is not known, in any case of letters.
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "null", "?"];

/// Why a CSV file could not be read, or a column of it is not what was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The file could not be read, or its lines have different numbers of fields.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong, with the line.
        reason: String,
    },
    /// There is no such column.
    #[error("{} has no column {name:?}; it has {}", path.display(), columns.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// As it was asked for.
        name: String,
        /// Those that there are.
        columns: Vec<String>,
    },
    /// A value of a column of numbers is no number.
    #[error("{}, line {line}, column {column:?}: {value:?} is not a number", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// Counted from 1, with the header.
        line: u64,
        /// The column's name.
        column: String,
        /// What stands there.
        value: String,
    },
    /// A value is missing where none may be.
    #[error("{}, line {line}, column {column:?}: the value is missing. `drop_missing()` leaves such rows out", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Counted from 1, with the header.
        line: u64,
        /// The column's name.
        column: String,
    },
    /// No column holds numbers alone.
    #[error("{} has no column of numbers", .0.display())]
    NoNumbers(PathBuf),
}

/// How a CSV file is written. The default: a header, and commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line names the columns. Without, they are named `0`, `1`, `2`...
    pub header: bool,
    /// What stands between fields: `b','`, `b';'`, `b'\t'`.
    pub delimiter: u8,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { header: true, delimiter: b',' }
    }
}

/// The rows of a CSV file, as text until a tensor is asked for.
///
/// A value is missing where the field is empty or `NA`, `N/A`, `NaN`, `null` or `?`. Spaces around fields do not count.
#[derive(Clone)]
pub struct Csv {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// Reads a CSV file whose first line names the columns.
///
/// ```
/// use oxtorch::prelude::*;
/// std::fs::write("iris.csv", "length,width,species\n5.1,3.5,setosa\n7.0,?,versicolor\n6.3,3.3,virginica\n")?;
/// let iris = read_csv("iris.csv")?.drop_missing();
/// let x = iris.tensor()?;
/// let (y, classes) = iris.labels("species")?;
/// assert_eq!((x.size(), y.size()), (vec![2, 2], vec![2]));
/// assert_eq!(classes, ["setosa", "virginica"]);
/// # std::fs::remove_file("iris.csv")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the file cannot be read, is not UTF-8, or a line has more or fewer fields than the first.
pub fn read_csv(path: impl AsRef<Path>) -> Result<Csv, CsvError> {
    read(path.as_ref(), CsvOptions::default())
}

/// Reads a CSV file without a header, or with another delimiter.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::{CsvOptions, read_csv_with};
/// std::fs::write("points.csv", "1;2\n3;4\n")?;
/// let points = read_csv_with("points.csv", CsvOptions { header: false, delimiter: b';' })?;
/// assert_eq!(points.select(&["1", "0"])?, Tensor::from_slice2(&[[2.0f32, 1.0], [4.0, 3.0]]));
/// # std::fs::remove_file("points.csv")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// As for [`read_csv`].
pub fn read_csv_with(path: impl AsRef<Path>, options: CsvOptions) -> Result<Csv, CsvError> {
    read(path.as_ref(), options)
}

fn read(path: &Path, options: CsvOptions) -> Result<Csv, CsvError> {
    let failed = |reason: String| CsvError::Read { path: path.to_owned(), reason };
    let mut file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let read = support().and_then(|support| (support.read_csv)(&mut file, options.delimiter, &checkpoint));
    let mut rows = read.map_err(failed)?;
    let header = if options.header && !rows.is_empty() { Some(rows.remove(0)) } else { None };
    let columns = match (header, rows.first()) {
        (Some(header), _) => fields(&header).map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect(),
        (None, Some(first)) => (0..first.fields.len()).map(|column| column.to_string()).collect(),
        (None, None) => Vec::new(),
    };
    Ok(Csv { path: path.to_owned(), columns, rows })
}

impl Csv {
    /// The number of rows, without the header.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The names of the columns that hold numbers, missing values and nothing else, at least one number among them.
    pub fn numeric_columns(&self) -> Vec<&str> {
        let is_numeric = |column: &usize| {
            let mut values = self.rows.iter().map(|row| number(field(row, *column)));
            let has_number =
                self.rows.iter().any(|row| number(field(row, *column)).is_some_and(|value| !value.is_nan()));
            has_number && values.all(|value| value.is_some())
        };
        (0..self.columns.len()).filter(is_numeric).map(|column| self.columns[column].as_str()).collect()
    }

    /// All numeric columns: `[N, columns]` float32 in their order. Missing values are NaN.
    ///
    /// # Errors
    ///
    /// Where no column is numeric.
    pub fn tensor(&self) -> Result<Tensor, CsvError> {
        match &self.numeric_columns()[..] {
            [] => Err(CsvError::NoNumbers(self.path.clone())),
            names => self.select(names),
        }
    }

    /// The columns of these names: `[N, columns]` float32 in that order. Missing values are NaN.
    ///
    /// # Errors
    ///
    /// Where there is no such column, or a value is no number (the message names the line).
    pub fn select(&self, names: &[&str]) -> Result<Tensor, CsvError> {
        let columns = names.iter().map(|name| self.index(name)).collect::<Result<Vec<_>, _>>()?;
        let mut values = Vec::with_capacity(self.rows.len() * columns.len());
        for row in &self.rows {
            checkpoint();
            for column in &columns {
                values.push(number(field(row, *column)).ok_or_else(|| CsvError::Number {
                    path: self.path.clone(),
                    line: row.line,
                    column: self.columns[*column].clone(),
                    value: field(row, *column).to_owned(),
                })? as f32);
            }
        }
        Ok(Tensor::from_slice(&values).view([self.rows.len() as i64, columns.len() as i64]))
    }

    /// One column of numbers: `[N]` float32. Missing values are NaN.
    ///
    /// # Errors
    ///
    /// As for [`Csv::select`].
    pub fn column(&self, name: &str) -> Result<Tensor, CsvError> {
        Ok(self.select(&[name])?.view([-1]))
    }

    /// One column as text, as it stands in the file but for the spaces around it.
    ///
    /// # Errors
    ///
    /// Where there is no such column.
    pub fn text(&self, name: &str) -> Result<Vec<&str>, CsvError> {
        let column = self.index(name)?;
        Ok(self.rows.iter().map(|row| field(row, column)).collect())
    }

    /// A column of names as class indices: `[N]` int64, and the classes by index. They are sorted, by value where all
    /// are numbers and as text otherwise.
    ///
    /// # Errors
    ///
    /// Where there is no such column or a value is missing.
    pub fn labels(&self, name: &str) -> Result<(Tensor, Vec<String>), CsvError> {
        let column = self.index(name)?;
        self.require(&[column])?;
        let mut classes: Vec<&str> = self.rows.iter().map(|row| field(row, column)).collect();
        classes.sort_unstable();
        classes.dedup();
        if classes.iter().all(|class| number(class).is_some()) {
            classes.sort_by(|a, b| number(a).unwrap_or(f64::NAN).total_cmp(&number(b).unwrap_or(f64::NAN)));
        }
        let by_name: std::collections::HashMap<&str, i64> = classes.iter().copied().zip(0..).collect();
        let labels: Vec<i64> = self.rows.iter().map(|row| by_name[field(row, column)]).collect();
        Ok((Tensor::from_slice(&labels).to_kind(Kind::Int64), classes.into_iter().map(str::to_owned).collect()))
    }

    /// The same table without the rows in which a value is missing, in whatever column.
    pub fn drop_missing(mut self) -> Self {
        self.rows.retain(|row| !fields(row).any(is_missing));
        self
    }

    /// The same table, or an error that names the first missing value.
    ///
    /// # Errors
    ///
    /// Where a value is missing, in whatever column.
    pub fn complete(self) -> Result<Self, CsvError> {
        self.require(&(0..self.columns.len()).collect::<Vec<_>>())?;
        Ok(self)
    }

    fn require(&self, columns: &[usize]) -> Result<(), CsvError> {
        for row in &self.rows {
            if let Some(column) = columns.iter().find(|column| is_missing(field(row, **column))) {
                let column = self.columns[*column].clone();
                return Err(CsvError::Missing { path: self.path.clone(), line: row.line, column });
            }
        }
        Ok(())
    }

    fn index(&self, name: &str) -> Result<usize, CsvError> {
        self.columns.iter().position(|column| column == name).ok_or_else(|| CsvError::Column {
            path: self.path.clone(),
            name: name.to_owned(),
            columns: self.columns.clone(),
        })
    }
}

/// The number of rows and the names of the columns: the rows would fill pages.
impl fmt::Debug for Csv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} rows: {}>", self.rows.len(), self.columns.join(", "))
    }
}

fn is_missing(field: &str) -> bool {
    MISSING.iter().any(|missing| field.eq_ignore_ascii_case(missing))
}

/// The number in a field; NaN where it is missing.
fn number(field: &str) -> Option<f64> {
    if is_missing(field) { Some(f64::NAN) } else { field.parse().ok() }
}

fn fields(row: &Row) -> impl Iterator<Item = &str> {
    row.fields.iter().map(|field| &row.text[field.clone()])
}

fn field(row: &Row, column: usize) -> &str {
    &row.text[row.fields[column].clone()]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::reference::Reference;

    fn csv(text: &str) -> Result<Csv, CsvError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.csv");
        fs::write(&path, text).expect("writes");
        read_csv(&path)
    }

    fn people() -> Csv {
        csv("name,age,height,city\nAda,36, 1.65 ,London\n\"Gauß, C. F.\",NA,1.7e0,Göttingen\nEmmy,53,,Erlangen\n")
            .expect("reads")
    }

    #[test]
    fn numbers_are_those_that_numpy_reads() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/csv_table.json"));
        let table = csv(reference.value("/text").as_str().expect("text")).expect("reads");
        let tensor = table.tensor().expect("numbers");
        assert!(tensor.isnan().equal(&reference.tensor("/tensor").isnan()));
        reference.check("/known", &tensor.nan_to_num(-1.0, None, None), 1e-7);
        let (labels, classes) = table.labels("species").expect("labels");
        reference.check("/labels", &labels, 0.0);
        assert_eq!(serde_json::json!(classes), *reference.value("/classes"));
    }

    #[test]
    fn columns_are_found_by_name_and_missing_values_are_nan() {
        let people = people();
        assert_eq!((people.len(), format!("{people:?}")), (3, "<3 rows: name, age, height, city>".to_owned()));
        assert_eq!(people.numeric_columns(), ["age", "height"]);
        assert_eq!(people.text("name").expect("text"), ["Ada", "Gauß, C. F.", "Emmy"]);
        let ages = people.column("age").expect("numbers");
        assert_eq!(ages.nan_to_num(-1.0, None, None), Tensor::from_slice(&[36.0f32, -1.0, 53.0]));
        assert_eq!(
            people.clone().drop_missing().select(&["height", "age"]).expect("numbers"),
            Tensor::from_slice2(&[[1.65f32, 36.0]])
        );
    }

    #[test]
    fn classes_that_are_numbers_are_sorted_as_numbers() {
        let (labels, classes) = csv("class\n10\n9\n10\n-1\n").expect("reads").labels("class").expect("labels");
        assert_eq!(labels, Tensor::from_slice(&[2i64, 1, 2, 0]));
        assert_eq!(classes, ["-1", "9", "10"]);
    }

    #[test]
    fn errors_name_line_and_column() {
        let cases = [
            (people().select(&["age", "city"]).map(drop), "line 2, column \"city\": \"London\" is not a number"),
            (people().complete().map(drop), "line 3, column \"age\": the value is missing"),
            (people().column("weight").map(drop), "has no column \"weight\"; it has name, age, height, city"),
            (csv("a,b\n1,2\n3\n").map(drop), "line: 3"),
            (csv("a\nx\n").and_then(|table| table.tensor()).map(drop), "has no column of numbers"),
            (
                csv("a,b\nx,1\n,2\n").and_then(|table| table.labels("a").map(drop)),
                "line 3, column \"a\": the value is missing",
            ),
            (read_csv("/none/table.csv").map(drop), "cannot read /none/table.csv"),
        ];
        for (result, expected) in cases {
            let error = result.expect_err(expected).to_string();
            assert!(error.contains(expected) && error.contains("table.csv"), "{error}");
        }
    }

    #[test]
    fn an_empty_table_has_no_rows() {
        let table = csv("a,b\n").expect("reads");
        assert!(table.is_empty() && table.numeric_columns().is_empty());
        assert_eq!(table.select(&["a", "b"]).expect("nothing is wrong").size(), [0, 2]);
    }
}
