//! Prints how long a user waits for Oxtorch and for ipykernel with torch, side by side: `cargo bench --bench latency`.
//!
//! Both kernels are driven by the same client, `tests/bench/latency.py`, in the test environment.

#[path = "../python.rs"]
mod python;

use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let python = match python::environment() {
        Ok(python) => python,
        Err(missing) => {
            eprintln!("latency: there is {missing}");
            return ExitCode::FAILURE;
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/latency.py");
    // Cargo passes `--bench`; the rest is for the script.
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    let status =
        Command::new(python).arg(script).args(arguments).env("OXTORCH", env!("CARGO_BIN_EXE_oxtorch")).status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("latency: cannot run Python: {error}");
            ExitCode::FAILURE
        }
    }
}
