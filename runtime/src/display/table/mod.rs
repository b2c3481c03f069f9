//! Tables: slices of structs, maps, and two-dimensional arrays and tensors, as HTML and as aligned text.
//!
//! ```
//! use oxtorch::prelude::*;
//!
//! #[derive(Debug)]
//! struct Run { model: &'static str, layers: usize, accuracy: f64 }
//!
//! let runs = [
//!     Run { model: "linear", layers: 1, accuracy: 0.912 },
//!     Run { model: "CNN", layers: 4, accuracy: 0.987 },
//! ];
//! table(&runs)
//! # ;
//! ```
//!
//! A row is read from what its `Debug` implementation writes, so `#[derive(Debug)]` is all that a struct needs: its
//! fields are the columns. So are those of tuples, of `Vec`s and of maps; anything else is one column. A long table
//! loses rows and columns from its middle and says how many.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::{self, Debug};

use ndarray::{ArrayBase, Data, Ix1, Ix2};
use tch::{Device, Kind, Tensor};

use crate::display::{MimeBundle, RichDisplay, debug_as_shown};
use crate::modes::no_grad;

mod cells;
pub(crate) mod layers;
mod record;
mod structure;
pub(crate) mod writer;

use cells::{is_number, presentable};
pub(crate) use record::Record;
use writer::{aligned, html_cell, html_table};

const MOST_ROWS: usize = 40;
const MOST_COLUMNS: usize = 20;
/// What stands for the rows and columns that are left out.
const GAP: &str = "...";

/// What [`table`] makes. Shown as HTML, with aligned text for terminals.
#[derive(Clone, Copy)]
#[must_use = "a table is shown if the cell ends with it; elsewhere write `display(&table)`"]
pub struct Table<'a> {
    source: &'a dyn Tabular,
    limits: Limits,
}

/// Shows rows as a table.
///
/// Takes slices, arrays, `Vec`s and `VecDeque`s of anything with a `Debug` form, maps, `ndarray` arrays of one or two
/// dimensions, tensors of one or two, the history of a training and a confusion matrix.
///
/// ```
/// use oxtorch::prelude::*;
/// let confusion = Tensor::from_slice(&[50i64, 2, 3, 45]).view([2, 2]);
/// display(&table(&confusion));
/// display(&table(&vec![("cat", 12), ("dog", 30)]));
/// display(&table(&(0..1000).map(|n| (n, n * n)).collect::<Vec<_>>()).rows(10)); // the first and the last five
/// ```
pub fn table<T: Tabular>(rows: &T) -> Table<'_> {
    Table { source: rows, limits: Limits { rows: MOST_ROWS, columns: MOST_COLUMNS } }
}

impl Table<'_> {
    /// Shows at most that many rows, one at least, half of them from either end; 40 otherwise.
    pub fn rows(mut self, most: usize) -> Self {
        self.limits.rows = most.max(1);
        self
    }

    /// Shows at most that many columns, one at least, half of them from either end; 20 otherwise.
    pub fn columns(mut self, most: usize) -> Self {
        self.limits.columns = most.max(1);
        self
    }
}

impl RichDisplay for Table<'_> {
    fn mime_bundle(&self) -> MimeBundle {
        match self.source.grid(self.limits) {
            Ok(grid) => MimeBundle::html(grid.html()).with("text/plain", grid.text()),
            Err(reason) => MimeBundle::text(reason),
        }
    }
}

/// The aligned text.
impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mime_bundle().plain())
    }
}

debug_as_shown!(Table<'_>);

/// How much of a table is shown.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    rows: usize,
    columns: usize,
}

/// What has rows and columns.
pub trait Tabular {
    /// The rows and columns that are shown, or why there are none.
    #[doc(hidden)]
    fn grid(&self, limits: Limits) -> Result<Grid, String>;
}

/// What has rows and columns, and how they are found; a type's parameters stand in brackets ahead of it.
macro_rules! tabular {
    ($([$($parameters:tt)*] $ty:ty => |$rows:ident, $limits:ident| $grid:expr;)*) => {
        $(impl<$($parameters)*> Tabular for $ty {
            fn grid(&self, $limits: Limits) -> Result<Grid, String> {
                let $rows = self;
                $grid
            }
        })*
    };
}

tabular! {
    [T: Debug] [T] => |rows, limits| Ok(Grid::of_records(rows.len(), limits, |row| Record::of(&rows[row])));
    [T: Debug] Vec<T> => |rows, limits| rows.as_slice().grid(limits);
    [T: Debug, const N: usize] [T; N] => |rows, limits| rows.as_slice().grid(limits);
    [T: Debug] VecDeque<T> => |rows, limits| Ok(Grid::of_records(rows.len(), limits, |row| Record::of(&rows[row])));
    [K: Debug, V: Debug] BTreeMap<K, V> => |map, limits| Ok(of_pairs(&map.iter().collect::<Vec<_>>(), limits));
    // In the order of the keys.
    [K: Debug + Ord, V: Debug, S] HashMap<K, V, S> => |map, limits| {
        let mut pairs: Vec<_> = map.iter().collect();
        pairs.sort_by_key(|(key, _)| *key);
        Ok(of_pairs(&pairs, limits))
    };
    [S: Data<Elem: Debug>] ArrayBase<S, Ix1> => |array, limits| {
        Ok(Grid::of_cells(array.len(), 1, limits, |row, _| format!("{:?}", array[row])))
    };
    [S: Data<Elem: Debug>] ArrayBase<S, Ix2> => |array, limits| {
        Ok(Grid::of_cells(array.nrows(), array.ncols(), limits, |row, column| format!("{:?}", array[[row, column]])))
    };
    [] Tensor => |tensor, limits| no_grad(|| tensor_grid(tensor, limits));
}

fn of_pairs<K: Debug, V: Debug>(pairs: &[(&K, &V)], limits: Limits) -> Grid {
    Grid::of_records(pairs.len(), limits, |row| {
        let (key, value) = pairs[row];
        Record::of(value).behind("key", presentable(&format!("{key:?}")))
    })
}

fn tensor_grid(tensor: &Tensor, limits: Limits) -> Result<Grid, String> {
    let matrix = match tensor.size()[..] {
        [_, _] => tensor.shallow_clone(),
        [rows] => tensor.reshape([rows, 1]),
        ref size => {
            return Err(format!(
                "a table has rows and columns, and this tensor has the shape {size:?}: choose two dimensions, such as \
                 `x.i(0)`, or `x.flatten(1, -1)`"
            ));
        }
    };
    let size = matrix.size();
    let (row_count, column_count) = (size[0] as usize, size[1] as usize);
    let (rows, columns) = (ends(row_count, limits.rows), ends(column_count, limits.columns));
    let kind = matrix.f_kind().map_err(|error| error.to_string())?;
    let index = |places: &[usize]| {
        let places: Vec<i64> = places.iter().map(|place| *place as i64).collect();
        Tensor::from_slice(&places).to_device(matrix.device())
    };
    // One transfer from the device, of what is shown alone.
    let shown = matrix
        .f_index_select(0, &index(&rows))
        .and_then(|part| part.f_index_select(1, &index(&columns)))
        .and_then(|part| part.f_to_device(Device::Cpu))
        .and_then(|part| part.f_to_kind(if is_whole(kind) { Kind::Int64 } else { Kind::Double }))
        .map_err(|error| error.to_string())?;
    let cell = |row: usize, column: usize| {
        let at = [row as i64, column as i64];
        match kind {
            Kind::Bool => (shown.int64_value(&at) != 0).to_string(),
            kind if is_whole(kind) => shown.int64_value(&at).to_string(),
            _ => format!("{:?}", shown.double_value(&at)),
        }
    };
    let row_of = |row| (0..columns.len()).map(|column| presentable(&cell(row, column))).collect();
    let cells = (0..rows.len()).map(row_of).collect();
    let names = columns.iter().map(usize::to_string).collect();
    Ok(Grid { names, columns, column_count, cells, rows, row_count })
}

fn is_whole(kind: Kind) -> bool {
    matches!(kind, Kind::Bool | Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64)
}

/// The places that are shown of `count`: all of them, or the first and the last ones.
fn ends(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let tail = most / 2;
    (0..most - tail).chain(count - tail..count).collect()
}

/// The part of a table that is shown.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    names: Vec<String>,
    /// Which of all columns these are.
    columns: Vec<usize>,
    column_count: usize,
    cells: Vec<Vec<String>>,
    /// Which of all rows these are.
    rows: Vec<usize>,
    row_count: usize,
}

impl Grid {
    /// Rows whose columns are what the shown ones have in common and apart, in the order in which they come up.
    pub(crate) fn of_records(row_count: usize, limits: Limits, record: impl Fn(usize) -> Record) -> Self {
        let rows = ends(row_count, limits.rows);
        let mut records: Vec<Record> = rows.iter().map(|row| record(*row)).collect();
        record::name_variants(&mut records);
        let mut names: Vec<String> = Vec::new();
        for (name, _) in records.iter().flat_map(|record| &record.fields) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let columns = ends(names.len(), limits.columns);
        let column_count = names.len();
        let names: Vec<String> = columns.iter().map(|column| names[*column].clone()).collect();
        let cells = records.iter().map(|record| names.iter().map(|name| record.get(name)).collect()).collect();
        Self { names, columns, column_count, cells, rows, row_count }
    }

    fn of_cells(row_count: usize, column_count: usize, limits: Limits, cell: impl Fn(usize, usize) -> String) -> Self {
        let (rows, columns) = (ends(row_count, limits.rows), ends(column_count, limits.columns));
        let row_of = |row: &usize| columns.iter().map(|column| presentable(&cell(*row, *column))).collect();
        let cells = rows.iter().map(row_of).collect();
        let names = columns.iter().map(usize::to_string).collect();
        Self { names, columns, column_count, cells, rows, row_count }
    }

    /// The lines of the table, the names first, each with its row's number ahead; with gaps where something is left
    /// out.
    fn lines(&self) -> Vec<Vec<String>> {
        let (row_gap, column_gap) = (gap(&self.rows), gap(&self.columns));
        let line = |number: String, cells: &[String]| {
            let mut line = vec![number];
            line.extend_from_slice(cells);
            if let Some(at) = column_gap {
                line.insert(at + 1, GAP.to_owned());
            }
            line
        };
        let mut lines = vec![line(String::new(), &self.names)];
        lines.extend(self.rows.iter().zip(&self.cells).map(|(row, cells)| line(row.to_string(), cells)));
        if let Some(at) = row_gap {
            lines.insert(at + 1, vec![GAP.to_owned(); lines[0].len()]);
        }
        lines
    }

    /// How large the table is, where that is not seen.
    fn note(&self) -> Option<String> {
        let part = |shown: usize, of: usize, what: &str| match of {
            1 => format!("1 {what}"),
            of if of == shown => format!("{of} {what}s"),
            of => format!("{of} {what}s ({} of them left out)", of - shown),
        };
        let (rows, columns) = (self.rows.len(), self.columns.len());
        (rows < self.row_count || columns < self.column_count || rows == 0)
            .then(|| format!("{}, {}", part(rows, self.row_count, "row"), part(columns, self.column_count, "column")))
    }

    /// Whether each column of the lines holds numbers, which stand right.
    fn are_numbers(lines: &[Vec<String>]) -> Vec<bool> {
        let is_right = |cell: &str| cell.is_empty() || cell == GAP || is_number(cell);
        (0..lines[0].len()).map(|column| lines[1..].iter().all(|line| is_right(&line[column]))).collect()
    }

    fn html(&self) -> String {
        let lines = self.lines();
        let are_numbers = Self::are_numbers(&lines);
        let row = |tag: &str, line: &[String]| {
            let cells = line.iter().zip(&are_numbers).skip(1);
            let cell =
                |(cell, is_number): (&String, &bool)| html_cell(tag, if *is_number { "right" } else { "left" }, cell);
            format!("<tr><th>{}</th>{}</tr>", line[0], cells.map(cell).collect::<String>())
        };
        let body: String = lines[1..].iter().map(|line| row("td", line)).collect();
        let mut html = html_table(&row("th", &lines[0]), &body);
        if let Some(note) = self.note() {
            html += &format!("<div style=\"font-size: 85%\">{note}</div>");
        }
        html
    }

    fn text(&self) -> String {
        let lines = self.lines();
        let mut lines = aligned(&lines, &Self::are_numbers(&lines));
        lines.extend(self.note().map(|note| format!("[{note}]")));
        lines.join("\n").trim_matches('\n').to_owned()
    }
}

/// How many of these come ahead of those that are left out.
fn gap(places: &[usize]) -> Option<usize> {
    places.windows(2).position(|pair| pair[1] != pair[0] + 1).map(|before| before + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "read by their Debug form")]
    struct Run {
        model: &'static str,
        shape: Vec<usize>,
        loss: f64,
        best: Option<f32>,
    }

    fn runs() -> Vec<Run> {
        vec![
            Run { model: "CNN, small", shape: vec![1, 28], loss: 0.1 + 0.2, best: Some(0.5) },
            Run { model: "<b>\"损失\"</b>", shape: vec![], loss: 12.0, best: None },
        ]
    }

    #[test]
    fn the_fields_of_structs_are_columns() {
        let expected = "   model          shape    loss  best
0  CNN, small     [1, 28]   0.3   0.5
1  <b>\"损失\"</b>  []       12.0";
        assert_eq!(table(&runs()).to_string(), expected);
    }

    #[test]
    fn html_is_escaped_and_numbers_stand_right() {
        let bundle = table(&runs()).mime_bundle();
        let html = bundle.get("text/html").and_then(|html| html.as_str()).expect("is HTML");
        assert!(html.contains("<td style=\"text-align: left\">&lt;b&gt;&quot;损失&quot;&lt;/b&gt;</td>"), "{html}");
        assert!(html.contains("<td style=\"text-align: right\">0.3</td>"), "{html}");
        assert_eq!(html.matches("<tr>").count(), 3);
        assert!(
            html.contains("<th style=\"text-align: left\">model</th><th style=\"text-align: left\">shape</th>"),
            "{html}"
        );
    }

    #[test]
    fn tuples_nested_vectors_and_plain_values_are_rows() {
        assert_eq!(table(&[("cat", 1), ("a dog", 20)]).to_string(), "   0       1\n0  cat     1\n1  a dog  20");
        assert_eq!(table(&vec![vec![1.5, 2.0], vec![3.0]]).to_string(), "     0    1\n0  1.5  2.0\n1  3.0");
        assert_eq!(table(&VecDeque::from([1, 10])).to_string(), "   value\n0      1\n1     10");
    }

    #[test]
    fn a_long_table_says_what_it_leaves_out() {
        let squares: Vec<(u64, u64)> = (0..1000).map(|n| (n, n * n)).collect();
        let expected = "       0       1\n  0    0       0\n  1    1       1\n...  ...     ...\n998  998  996004\n999  999  998001\n\
                        [1000 rows (996 of them left out), 2 columns]";
        assert_eq!(table(&squares).rows(4).to_string(), expected);
        let first = "   0  1\n0  0  0\n[1000 rows (999 of them left out), 2 columns]";
        assert_eq!(table(&squares).rows(1).to_string(), first);
        let wide = ndarray::Array2::from_shape_fn((1, 100), |(_, column)| column);
        let expected = "   0  1  ...  98  99\n0  0  1  ...  98  99\n[1 row, 100 columns (96 of them left out)]";
        assert_eq!(table(&wide).columns(4).to_string(), expected);
    }

    #[test]
    fn only_the_rows_that_are_shown_are_read() {
        struct Counted<'a>(&'a std::cell::Cell<usize>);
        impl Debug for Counted<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.set(self.0.get() + 1);
                f.write_str("x")
            }
        }
        let count = std::cell::Cell::new(0);
        let rows: Vec<Counted<'_>> = (0..100_000).map(|_| Counted(&count)).collect();
        let _ = table(&rows).to_string();
        // Each is read as it is shown, and line by line.
        assert_eq!(count.get(), 2 * MOST_ROWS);
    }

    #[test]
    fn maps_have_a_column_for_the_key() {
        let map = HashMap::from([("b", (1, 2)), ("a", (3, 4))]);
        assert_eq!(table(&map).to_string(), "   key  0  1\n0  a    3  4\n1  b    1  2");
        assert_eq!(table(&BTreeMap::from([(3, 0.5)])).to_string(), "   key  value\n0    3    0.5");
    }

    #[test]
    fn tensors_and_arrays_are_tables_of_their_values() {
        let floats = Tensor::from_slice(&[0.1f32, 2.0, f32::NAN, -1e-9]).view([2, 2]).set_requires_grad(true);
        assert_eq!(table(&floats).to_string(), "     0      1\n0  0.1    2.0\n1  NaN  -1e-9");
        assert_eq!(table(&Tensor::from_slice(&[true, false])).to_string(), "   0\n0  true\n1  false");
        assert_eq!(table(&ndarray::arr1(&[1u8, 2])).to_string(), "   0\n0  1\n1  2");
        let large = Tensor::arange(1_000_000, (Kind::Int64, Device::Cpu)).view([1000, 1000]);
        let text = table(&large).rows(2).columns(2).to_string();
        assert_eq!(text.lines().nth(3), Some("999  999000  ...  999999"), "{text}");
        let cube = table(&Tensor::zeros([2, 2, 2], (Kind::Float, Device::Cpu))).to_string();
        assert!(cube.contains("[2, 2, 2]"), "{cube}");
    }

    #[test]
    fn nothing_is_a_table_too() {
        assert_eq!(table(&Vec::<Run>::new()).to_string(), "[0 rows, 0 columns]");
        assert_eq!(
            table(&Tensor::zeros([0, 3], (Kind::Float, Device::Cpu))).to_string(),
            "  0  1  2\n[0 rows, 3 columns]"
        );
    }
}
