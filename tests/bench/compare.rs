//! Compares Oxtorch with evcxr_jupyter and ipykernel: `cargo bench --bench compare` provides the peers, measures all in
//! one run and writes docs/BENCHMARKS.md.
//!
//! The peers are installed once into `bench` in Oxtorch's home; `tests/bench/compare.py` does the measuring.

#[path = "../python.rs"]
mod python;
#[path = "../std_sources.rs"]
mod std_sources;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use oxtorch_system::home::Home;

const EVCXR: &str = "0.22.0";

/// What the notebook in Python needs. Without a GPU as well, torch's Python side needs all that its wheel depends on,
/// so the set-up's libtorch does not serve for it.
const PACKAGES: [&str; 4] = ["matplotlib>=3.10", "numpy>=2", "safetensors>=0.6", "torch==2.13.0"];

fn main() -> ExitCode {
    match compare() {
        Ok(code) => code,
        Err(missing) => {
            eprintln!("compare: {missing}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<ExitCode, String> {
    let home = Home::from_environment().map_err(|error| error.to_string())?;
    let cache = home.place("bench", "");
    std::fs::create_dir_all(&cache).map_err(|error| format!("cannot create {}: {error}", cache.display()))?;
    let oxtorch = env!("CARGO_BIN_EXE_oxtorch");
    run("the set-up of Oxtorch", Command::new(oxtorch).arg("setup"))?;
    let libtorch = oxtorch_setup::libtorch_folder(&home).map_err(|error| error.to_string())?;

    // Cargo passes `--bench`; the rest is for the script.
    let arguments: Vec<_> = std::env::args_os().skip(1).filter(|argument| argument != "--bench").collect();
    let without_evcxr = arguments.windows(2).any(|pair| pair[0] == "--without" && pair[1] == "evcxr");
    let (evcxr, sources) = if without_evcxr {
        (PathBuf::new(), PathBuf::new())
    } else {
        (evcxr(&cache)?, std_sources::find(&cache).map_err(|missing| format!("there is {missing}"))?)
    };
    eprintln!("compare: providing Python with ipykernel and torch");
    let python = python::environment_in(&cache, &PACKAGES).map_err(|missing| format!("there is {missing}"))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/compare.py");
    let status = Command::new(python)
        .arg(script)
        .args(arguments)
        .args(["--oxtorch", oxtorch, "--evcxr"])
        .arg(evcxr)
        .arg("--libtorch")
        .arg(libtorch)
        .arg("--std-sources")
        .arg(sources)
        .status()
        .map_err(|error| format!("cannot run Python: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// evcxr_jupyter, installed if it is not yet; its own lock file names the versions that it builds with.
fn evcxr(cache: &Path) -> Result<PathBuf, String> {
    let root = cache.join(format!("evcxr-jupyter-{EVCXR}"));
    let program = root.join("bin/evcxr_jupyter");
    if !program.is_file() {
        let krate = format!("evcxr_jupyter@{EVCXR}");
        run("evcxr_jupyter", Command::new("cargo").args(["install", "--locked", &krate, "--root"]).arg(&root))?;
    }
    Ok(program)
}

fn run(what: &str, command: &mut Command) -> Result<(), String> {
    eprintln!("compare: providing {what}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} could not be provided ({status})")),
        Err(error) => Err(format!("{what} could not be provided: {error}")),
    }
}
