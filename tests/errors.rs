//! The errors that a student meets, as Oxtorch shows them: snapshots of what each case in `tests/errors` reports.
//!
//! A file there is a notebook in a session of its own. The format, and how to look at and to take over a change:
//! `tests/errors/README.md`.

mod session;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use oxtorch_session::Engine as _;
use session::{Notebook, Shown, without_colors};

/// The line ahead of a cell: `=== its name`.
const CELL: &str = "=== ";
/// Cells of this name are what the case is about; they must run.
const GIVEN: &str = "given";
/// Ahead of the name of a case whose snapshot shows the styles.
const STYLED: &str = "[styled] ";
/// Ahead of the name of a case that is interrupted once it has printed `ready`.
const INTERRUPTED: &str = "[interrupted] ";
/// What is drawn has fewer lines than this, so that a reader sees all of it at once.
const MOST_LINES: usize = 25;
/// So has the list of further errors below it, which has nothing drawn and is read line by line.
const MOST_LINES_OF_LIST: usize = 30;
/// A cell shows that many columns; it breaks longer lines, and then underlines are not below their words.
const MOST_COLUMNS: usize = 100;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each has a host of its own, and libtorch needs memory.
    arguments.test_threads.get_or_insert(2);
    let files = case_files();
    let mut trials: Vec<Trial> = files
        .iter()
        .cloned()
        .map(|path| {
            let name = file_stem(&path);
            // These speak of a machine without a GPU.
            let skip = name == "cuda" && Path::new("/dev/nvidiactl").exists();
            Trial::test(name, move || run(&path)).with_ignored_flag(skip)
        })
        .collect();
    trials.push(Trial::test("every_snapshot_has_its_case", move || every_snapshot_has_its_case(&files)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/errors")
}

fn case_files() -> Vec<PathBuf> {
    let files = files_in(&folder(), "cells");
    assert!(!files.is_empty(), "no cases in {}", folder().display());
    files
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn file_stem(path: &Path) -> String {
    path.file_stem().expect("a listed file has a name").to_string_lossy().into_owned()
}

/// A cell of a file, and the name of its case.
struct Cell {
    name: String,
    styled: bool,
    interrupted: bool,
    code: String,
}

/// Reads a file; the error begins with a line number.
fn cells(text: &str) -> Result<Vec<Cell>, String> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut names = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix(CELL) {
            let (styled, interrupted) = (name.starts_with(STYLED), name.starts_with(INTERRUPTED));
            let name = name.trim_start_matches(STYLED).trim_start_matches(INTERRUPTED).to_owned();
            if name != GIVEN && !names.insert(name.clone()) {
                return Err(format!("{}: there are two cases `{name}`", index + 1));
            }
            cells.push(Cell { name, styled, interrupted, code: String::new() });
        } else if let Some(cell) = cells.last_mut() {
            cell.code.push_str(line);
            cell.code.push('\n');
        } else if !line.is_empty() && !line.starts_with("//! ") {
            return Err(format!("{}: a cell begins with `{CELL}` and the name of its case", index + 1));
        }
    }
    for cell in &mut cells {
        cell.code.truncate(cell.code.trim_end_matches('\n').len());
    }
    Ok(cells)
}

fn snapshot_name(file: &Path, cell: &Cell) -> String {
    format!("{}-{}", file_stem(file), cell.name.replace(' ', "_"))
}

fn run(path: &Path) -> Result<(), Failed> {
    let cells = cells(&std::fs::read_to_string(path)?).map_err(|error| format!("{}:{error}", path.display()))?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = tokio.block_on(async {
        let mut notebook = Notebook::start().await;
        let mut all = Vec::new();
        for cell in &cells {
            let interrupter = notebook.engine.interrupter();
            let mut waits = cell.interrupted;
            let watch = |shown: &Shown| {
                if waits && shown.stdout.contains("ready") {
                    waits = false;
                    interrupter.interrupt();
                }
            };
            all.push(notebook.run_with(&cell.code, vec![], watch).await);
        }
        notebook.end().await;
        all
    });
    let mut complaints = Vec::new();
    for (cell, shown) in cells.iter().zip(&shown) {
        let found = complaints_about(cell, shown);
        if !found.is_empty() {
            let report = shown.report().unwrap_or_default();
            let told = format!("{}{}", shown.notes, shown.stderr);
            let wrong = found.join("; ");
            complaints.push(format!("`{}` of {}: {wrong}\n{report}\n{told}", cell.name, path.display()));
        }
        if cell.name != GIVEN {
            // A snapshot that differs is a panic; the others of the file are looked at all the same.
            let same = std::panic::catch_unwind(|| compare(&snapshot_name(path, cell), cell, shown));
            if same.is_err() {
                complaints.push(format!("`{}` of {} differs from its snapshot", cell.name, path.display()));
            }
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n\n").into()) }
}

/// What is wrong with a report, whatever it says.
fn complaints_about(cell: &Cell, shown: &Shown) -> Vec<String> {
    let mut complaints = Vec::new();
    let Some(report) = shown.report() else {
        if cell.name != GIVEN && shown.stderr.is_empty() && shown.notes.is_empty() {
            complaints.push("it should fail".to_owned());
        }
        return complaints;
    };
    if cell.name == GIVEN {
        complaints.push("it should run".to_owned());
    }
    let styled = shown.error.as_ref().is_some_and(|error| error.traceback.concat().contains("\x1b[1m"));
    if !styled {
        complaints.push("nothing is bold".to_owned());
    }
    let all = report.lines().count();
    let drawn = report.lines().position(|line| line.starts_with("cell [")).unwrap_or(all);
    if drawn >= MOST_LINES || all - drawn >= MOST_LINES_OF_LIST {
        complaints.push(format!("{all} lines are too many"));
    }
    complaints.extend(
        report.lines().filter(|line| line.chars().count() > MOST_COLUMNS).map(|line| format!("too long: {line}")),
    );
    let told = format!("{report}\n{}{}", shown.notes, shown.stderr);
    for own in ["__oxtorch", "oxtorch_", "/tmp/", "/rustc/", "/.cargo/", "frame #"] {
        if told.contains(own) {
            complaints.push(format!("a user should not meet `{own}`"));
        }
    }
    if told.split("cell_").skip(1).any(|rest| rest.chars().take_while(char::is_ascii_hexdigit).count() >= 6) {
        complaints.push("a user should not meet a hash".to_owned());
    }
    complaints
}

/// Compares with the snapshot: the cell, what was printed, the notes, the message in one line, and the report.
fn compare(name: &str, cell: &Cell, shown: &Shown) {
    let mut text = format!("{}\n\n", cell.code);
    let stderr = without_colors(&shown.stderr);
    for (stream, printed) in [("stdout", &shown.stdout), ("stderr", &stderr), ("notes", &shown.notes)] {
        if !printed.is_empty() {
            text.push_str(&format!("{stream}:\n{}\n\n", printed.trim_end()));
        }
    }
    if let Some(error) = &shown.error {
        let report = error.traceback.join("\n");
        let report = if cell.styled { report.replace('\x1b', "␛") } else { without_colors(&report) };
        text.push_str(&format!("{}: {}\n\n{report}", error.kind, error.evalue));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A case that is renamed or gone leaves no snapshot behind.
fn every_snapshot_has_its_case(files: &[PathBuf]) -> Result<(), Failed> {
    let mut names = BTreeSet::new();
    for path in files {
        let cells = cells(&std::fs::read_to_string(path)?).map_err(|error| format!("{}:{error}", path.display()))?;
        names.extend(cells.iter().filter(|cell| cell.name != GIVEN).map(|cell| snapshot_name(path, cell)));
    }
    let left: Vec<String> = files_in(&folder().join("snapshots"), "snap")
        .iter()
        .map(|path| file_stem(path))
        .filter(|name| !names.contains(name))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("snapshots without a case: {}", left.join(", ")).into()) }
}
