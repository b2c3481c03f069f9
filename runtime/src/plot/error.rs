//! Why a figure could not be drawn.

use std::sync::Arc;

use thiserror::Error;

/// Why a figure could not be drawn.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The coordinates of a series do not pair up.
    #[error("{label:?} has {xs} x values and {ys} y values: each point needs one of each")]
    Lengths {
        /// The series.
        label: String,
        /// How many x values.
        xs: usize,
        /// How many y values.
        ys: usize,
    },
    /// Two things that go together are not of the same number.
    #[error("{what}")]
    Counts {
        /// What they are and how many.
        what: String,
    },
    /// Numbers that make no matrix.
    #[error("no matrix to draw: {what}")]
    Matrix {
        /// What it is instead.
        what: String,
    },
    /// A range that holds nothing.
    #[error("an axis cannot go from {low} to {high}")]
    Range {
        /// As it was asked for.
        low: f64,
        /// As it was asked for.
        high: f64,
    },
    /// What a model returned says no class.
    #[error(
        "a decision boundary needs one class, score or row of scores for each of {points} points, not a tensor of shape {shape:?}"
    )]
    Classes {
        /// How many points it was asked about.
        points: i64,
        /// The shape of its answer.
        shape: Vec<i64>,
    },
    /// Several figures without a figure.
    #[error("there is no figure among them: add some with `.add(figure)`")]
    Empty,
    /// The file's ending names no format.
    #[error("a figure can be saved as .svg, .png or .pdf, not as {0}")]
    Format(String),
    /// The file could not be written.
    #[error("the figure cannot be saved as {path}")]
    Save {
        /// The file.
        path: String,
        /// What went wrong.
        source: Arc<std::io::Error>,
    },
    /// The drawing library reports an error.
    #[error("the figure cannot be drawn: {0}")]
    Draw(String),
}

impl PlotError {
    pub(super) fn counts(what: impl Into<String>) -> Self {
        Self::Counts { what: what.into() }
    }
}
