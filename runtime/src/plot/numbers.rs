//! What numbers are read from: tensors, arrays, vectors and arrays of `ndarray`.

use ndarray::{ArrayBase, Data, Dimension, Ix2};
use tch::Tensor;

use super::error::PlotError;
use super::live::Coordinate;
use crate::elements::elements;

/// What holds numbers to plot: slices, arrays and vectors of numbers, tensors of any shape (read in row-major order)
/// and arrays of `ndarray`.
pub trait Numbers {
    /// The numbers as `f64`.
    fn numbers(&self) -> Vec<f64>;

    /// Of a matrix, how many rows it has.
    fn rows(&self) -> Option<usize> {
        None
    }
}

/// What holds a matrix to plot: a tensor of two dimensions, an array or vector of rows, an array of `ndarray`. A tensor
/// may have more dimensions of size 1.
pub trait Matrix {
    /// The numbers, row by row.
    ///
    /// # Errors
    ///
    /// Where the rows are not of one length or a tensor has another number of dimensions.
    fn matrix(&self) -> Result<Grid, PlotError>;
}

/// The numbers of a matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl Grid {
    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    fn of_rows(rows: impl Iterator<Item = Vec<f64>>) -> Result<Self, PlotError> {
        let mut grid = Self { rows: 0, columns: 0, values: Vec::new() };
        for row in rows {
            if grid.rows > 0 && row.len() != grid.columns {
                let what = format!("row {} has {} values and the rows above {}", grid.rows, row.len(), grid.columns);
                return Err(PlotError::Matrix { what });
            }
            grid.columns = row.len();
            grid.rows += 1;
            grid.values.extend(row);
        }
        Ok(grid)
    }
}

impl<T: Coordinate> Numbers for [T] {
    fn numbers(&self) -> Vec<f64> {
        self.iter().map(Coordinate::coordinate).collect()
    }
}

impl<T: Coordinate, const N: usize> Numbers for [T; N] {
    fn numbers(&self) -> Vec<f64> {
        self.as_slice().numbers()
    }
}

impl<T: Coordinate> Numbers for Vec<T> {
    fn numbers(&self) -> Vec<f64> {
        self.as_slice().numbers()
    }
}

impl<A: Coordinate, S: Data<Elem = A>, D: Dimension> Numbers for ArrayBase<S, D> {
    fn numbers(&self) -> Vec<f64> {
        self.iter().map(Coordinate::coordinate).collect()
    }

    fn rows(&self) -> Option<usize> {
        (self.ndim() == 2).then(|| self.shape()[0])
    }
}

impl<A: Coordinate, S: Data<Elem = A>> Matrix for ArrayBase<S, Ix2> {
    fn matrix(&self) -> Result<Grid, PlotError> {
        Ok(Grid { rows: self.nrows(), columns: self.ncols(), values: self.numbers() })
    }
}

impl Numbers for Tensor {
    fn numbers(&self) -> Vec<f64> {
        elements(self)
    }

    fn rows(&self) -> Option<usize> {
        (self.dim() == 2).then(|| self.size()[0] as usize)
    }
}

impl<T: Numbers + ?Sized> Numbers for &T {
    fn numbers(&self) -> Vec<f64> {
        (**self).numbers()
    }

    fn rows(&self) -> Option<usize> {
        (**self).rows()
    }
}

impl Matrix for Tensor {
    fn matrix(&self) -> Result<Grid, PlotError> {
        let shape = self.size();
        let sizes = match shape[..] {
            [rows, columns] => Some((rows, columns)),
            _ => match self.squeeze().size()[..] {
                [rows, columns] => Some((rows, columns)),
                _ => None,
            },
        };
        let Some((rows, columns)) = sizes else {
            let what =
                format!("a tensor of shape {shape:?} is not two-dimensional; choose one with `.get(0)` or `.i(0)`");
            return Err(PlotError::Matrix { what });
        };
        Ok(Grid { rows: rows as usize, columns: columns as usize, values: self.numbers() })
    }
}

impl<R: Numbers> Matrix for [R] {
    fn matrix(&self) -> Result<Grid, PlotError> {
        Grid::of_rows(self.iter().map(Numbers::numbers))
    }
}

impl<R: Numbers> Matrix for Vec<R> {
    fn matrix(&self) -> Result<Grid, PlotError> {
        self.as_slice().matrix()
    }
}

impl<R: Numbers, const N: usize> Matrix for [R; N] {
    fn matrix(&self) -> Result<Grid, PlotError> {
        self.as_slice().matrix()
    }
}

impl<T: Matrix + ?Sized> Matrix for &T {
    fn matrix(&self) -> Result<Grid, PlotError> {
        (**self).matrix()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_from_tensors_and_slices_of_any_kind() {
        let tensor = Tensor::from_slice(&[1i64, 2, 3, 4]).view([2, 2]).set_requires_grad(false);
        assert_eq!(tensor.numbers(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!([1u8, 2].numbers(), vec![1.0f32, 2.0].numbers());
        assert_eq!([0.5f32][..].numbers(), [0.5]);
        assert_eq!(ndarray::array![[1, 2], [3, 4]].numbers(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_matrix_comes_from_rows_and_tensors() {
        let expected = Grid { rows: 2, columns: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        let tensor = Tensor::from_slice(&[1i64, 2, 3, 4, 5, 6]);
        let grids = [
            [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].matrix(),
            vec![vec![1, 2, 3], vec![4, 5, 6]].matrix(),
            tensor.view([2, 3]).matrix(),
            tensor.view([1, 2, 1, 3]).matrix(),
            ndarray::array![[1u8, 2, 3], [4, 5, 6]].matrix(),
        ];
        for grid in grids {
            assert_eq!(grid.expect("a matrix"), expected);
        }
        assert_eq!(Tensor::from_slice(&[1.0]).view([1, 1]).matrix().expect("a matrix").rows, 1);
    }

    #[test]
    fn what_is_no_matrix_is_named() {
        let error = vec![vec![1.0], vec![1.0, 2.0]].matrix().expect_err("ragged").to_string();
        assert_eq!(error, "no matrix to draw: row 1 has 2 values and the rows above 1");
        let error = Tensor::from_slice(&[1.0, 2.0]).matrix().expect_err("a vector").to_string();
        assert!(error.contains("a tensor of shape [2] is not two-dimensional"), "{error}");
    }
}
