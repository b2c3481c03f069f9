//! What became of a run, for programs that read it.

use std::path::PathBuf;
use std::time::Duration;

use oxtorch_session::CellError;
use serde_json::{Value, json};

use crate::RunReport;

/// What became of a cell that was executed.
#[derive(Debug, Clone, PartialEq)]
pub struct CellReport {
    /// Its place among all cells of the notebook, from 1.
    pub cell: usize,
    /// The number in its prompt.
    pub execution_count: u32,
    /// How long it took, in seconds, with its compilation.
    pub seconds: f64,
    /// What its error is called and says, if it failed.
    pub error: Option<(String, String)>,
}

impl CellReport {
    pub(crate) fn new(index: usize, execution_count: u32, took: Duration, error: Option<&CellError>) -> Self {
        let error = error.map(|error| (error.kind.name().to_owned(), error.evalue.clone()));
        Self { cell: index + 1, execution_count, seconds: took.as_secs_f64(), error }
    }
}

impl RunReport {
    /// A run of which nothing is known yet.
    pub(crate) fn of(output: PathBuf) -> Self {
        Self {
            failed: false,
            interrupted: false,
            executed: 0,
            failures: Vec::new(),
            output,
            cells: Vec::new(),
            total: 0,
            seconds: 0.0,
        }
    }

    /// The report as JSON: `output`, `failed`, `interrupted`, `executed`, `total`, `seconds`, and in `cells` for each
    /// that was executed `cell` (its place, from 1), `execution_count`, `seconds`, and `error` with `kind` and
    /// `message`, or null.
    pub fn to_json(&self) -> Value {
        let cells = self.cells.iter().map(|cell| {
            let error = cell.error.as_ref().map(|(kind, message)| json!({"kind": kind, "message": message}));
            json!({
                "cell": cell.cell,
                "execution_count": cell.execution_count,
                "seconds": cell.seconds,
                "error": error,
            })
        });
        json!({
            "output": self.output,
            "failed": self.failed,
            "interrupted": self.interrupted,
            "executed": self.executed,
            "total": self.total,
            "seconds": self.seconds,
            "cells": cells.collect::<Vec<_>>(),
        })
    }
}
