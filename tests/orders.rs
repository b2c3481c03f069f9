//! Items in cells of any order, and redefined, compute what one crate of their newest definitions computes: random
//! programs through the engine, and through rustc alone.
//!
//! Programs share sessions and crates, under names of their own, so that many cost few calls of rustc. Usually there
//! are a few; for more say how many: `OXTORCH_PROGRAMS=10000 cargo test --release --test orders -- --nocapture`. The
//! names of a program tell its seed.

mod programs;
mod session;

use std::process::Command;

use arbtest::arbitrary::Unstructured;

use programs::Program;
use session::{Notebook, runtime};

/// How many programs share a session.
const BUNDLE: usize = 50;
/// Random bytes for a program: more than any takes.
const BYTES: usize = 1 << 13;

/// Random bytes by SplitMix64 (Steele, Lea and Flood, 2014).
fn random_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    std::iter::repeat_with(word).take(BYTES / 8).flatten().collect()
}

fn program(seed: usize) -> Program {
    let bytes = random_bytes(seed as u64);
    Program::arbitrary(&format!("p{seed}"), &mut Unstructured::new(&bytes)).expect("there are bytes enough")
}

/// What one crate of the newest definitions prints.
fn as_one_crate(programs: &[Program]) -> String {
    let folder = tempfile::tempdir().expect("a folder for one crate");
    let items: String = programs.iter().map(Program::as_one).collect();
    let prints: String = programs.iter().map(Program::print).collect();
    let source = folder.path().join("one.rs");
    std::fs::write(&source, format!("#![allow(warnings)]\n{items}\nfn main() {{\n{prints}}}\n")).expect("is written");
    let (rustc, program) = (runtime().rustc, folder.path().join("one"));
    let compiled = Command::new(rustc)
        .args(["--edition", "2024", "-Coverflow-checks=on", "-Cdebuginfo=0", "-o"])
        .args([&program, &source])
        .output()
        .expect("rustc starts");
    let complaints = String::from_utf8_lossy(&compiled.stderr).into_owned();
    assert!(compiled.status.success(), "the programs are no valid crate:\n{complaints}");
    let ran = Command::new(&program).output().expect("the crate starts");
    String::from_utf8(ran.stdout).expect("it prints text")
}

/// What the cells print, one after the other.
async fn as_cells(programs: &[Program]) -> String {
    let mut notebook = Notebook::start().await;
    let most = programs.iter().map(|program| program.cells.len()).max().unwrap_or(0);
    for number in 0..most {
        let code: String = programs.iter().map(|program| program.code(number)).collect();
        let shown = notebook.run(&code).await;
        let told = shown.report().unwrap_or_default() + &shown.stderr;
        assert!(told.is_empty(), "cell {number} of these programs was not taken:\n{told}");
    }
    let prints: String = programs.iter().map(Program::print).collect();
    let shown = notebook.run(&prints).await;
    let report = shown.report().unwrap_or_default();
    assert!(report.is_empty(), "the values cannot be printed:\n{report}");
    notebook.end().await;
    shown.stdout
}

/// The cells of the program whose line differs.
fn story(programs: &[Program], line: &str) -> String {
    let program = programs.iter().find(|program| line.starts_with(&format!("{}:", program.prefix)));
    let cells = program.iter().flat_map(|program| (0..program.cells.len()).map(|number| program.code(number)));
    cells.enumerate().map(|(number, code)| format!("[{number}]\n{code}")).collect()
}

#[test]
fn cells_in_any_order_compute_what_one_crate_does() {
    let wanted = std::env::var("OXTORCH_PROGRAMS").ok().and_then(|number| number.parse().ok()).unwrap_or(BUNDLE);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio starts");
    let first = std::env::var("OXTORCH_FIRST_PROGRAM").ok().and_then(|number| number.parse().ok()).unwrap_or(0);
    let mut compared = 0;
    while compared < wanted {
        let programs: Vec<Program> =
            (compared..wanted.min(compared + BUNDLE)).map(|number| program(first + number)).collect();
        let (one, cells) = (as_one_crate(&programs), tokio.block_on(as_cells(&programs)));
        for (expected, found) in one.lines().zip(cells.lines()) {
            assert_eq!(
                found,
                expected,
                "the cells of this program compute something else:\n{}",
                story(&programs, found)
            );
        }
        assert_eq!(one.lines().count(), cells.lines().count());
        compared += programs.len();
        println!("{compared} programs compute the same");
    }
}
