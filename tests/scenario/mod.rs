//! A scenario file: cells, and what each of them should show.

mod expected;

use std::fmt;
use std::path::{Path, PathBuf};

pub use expected::Expected;

/// The line ahead of a cell.
const CELL: &str = "=== [";
/// The line between a cell and what is expected of it.
const SHOWS: &str = "---";
/// The second line of a scenario of plain Rust, below its title.
const PORTABLE: &str = "//! portable";

/// A notebook with the expected outcome of every cell.
pub struct Scenario {
    /// One line that says what is true.
    pub title: String,
    /// Whether any evaluator of Rust should show the same: nothing in it is Oxtorch's own.
    pub portable: bool,
    /// The lines before the first cell, as they stand in the file.
    preamble: String,
    /// The cells, in order.
    pub cells: Vec<Cell>,
}

/// A cell of a scenario.
pub struct Cell {
    /// The line of the file on which the cell begins.
    pub line: usize,
    /// What a user would type.
    pub code: String,
    /// What it should show.
    pub expected: Expected,
}

/// The scenario files, by name.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cells");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cells"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no scenarios in {}", folder.display());
    files
}

impl Scenario {
    /// Reads a scenario file; the error begins with a line number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut preamble = String::new();
        let mut cells: Vec<Cell> = Vec::new();
        let mut in_code = false;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let located = |error: &str| format!("{number}: {error}");
            if let Some(count) = line.strip_prefix(CELL).and_then(|rest| rest.strip_suffix(']')) {
                if count.parse() != Ok(cells.len() + 1) {
                    return Err(located(&format!("this is cell [{}]", cells.len() + 1)));
                }
                cells.push(Cell { line: number, code: String::new(), expected: Expected::default() });
                in_code = true;
            } else if let Some(cell) = cells.last_mut() {
                if in_code && line == SHOWS {
                    in_code = false;
                } else if in_code {
                    cell.code.push_str(line);
                    cell.code.push('\n');
                } else {
                    cell.expected.parse_line(line).map_err(|error| located(&error))?;
                }
            } else {
                preamble.push_str(line);
                preamble.push('\n');
            }
        }
        for cell in &mut cells {
            // Blank lines ahead of the next cell are layout, not code, and a frontend sends no final line end.
            cell.code.truncate(cell.code.trim_end_matches('\n').len());
        }
        let title = preamble.lines().next().and_then(|line| line.strip_prefix("//! "));
        let title = title.ok_or("1: the first line is `//! ` and what this scenario shows")?.to_owned();
        let portable = preamble.lines().nth(1) == Some(PORTABLE);
        if !portable && preamble.lines().any(|line| line.trim() == PORTABLE) {
            return Err(format!("2: `{PORTABLE}` stands right below the title"));
        }
        if cells.is_empty() {
            return Err("1: there is no cell; one begins with `=== [1]`".into());
        }
        Ok(Self { title, portable, preamble, cells })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.preamble)?;
        for (index, cell) in self.cells.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(formatter, "{gap}{CELL}{}]\n{}", index + 1, cell.code)?;
            let expected = cell.expected.to_string();
            if !expected.is_empty() {
                write!(formatter, "{SHOWS}\n{expected}")?;
            }
        }
        Ok(())
    }
}
