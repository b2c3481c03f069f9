//! The Python that the tests and benchmarks with real clients run in: a virtual environment with pinned packages.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is installed, and in which version.
const REQUIREMENTS: &str = include_str!("clients/requirements.txt");
/// Written last: an environment without it is one whose making was cut short.
const COMPLETE: &str = "complete";

/// The interpreter of the tests' environment, made where it is not there yet. The error is one line: what is missing.
#[allow(dead_code, reason = "the benchmark has an environment of its own")]
pub fn environment() -> Result<PathBuf, String> {
    environment_in(Path::new(env!("CARGO_TARGET_TMPDIR")), &[])
}

/// The same in another folder, with more packages.
pub fn environment_in(folder: &Path, more: &[&str]) -> Result<PathBuf, String> {
    let version = output(Command::new("python3").arg("--version")).map_err(|error| format!("no python3: {error}"))?;
    let mut hasher = DefaultHasher::new();
    (REQUIREMENTS, &version).hash(&mut hasher);
    if !more.is_empty() {
        more.hash(&mut hasher);
    }
    let folder = folder.join(format!("python-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");

    let lock = folder.with_extension("lock");
    let lock = File::create(&lock).map_err(|error| format!("cannot create {}: {error}", lock.display()))?;
    lock.lock().map_err(|error| format!("cannot lock the test environment: {error}"))?;
    if folder.join(COMPLETE).exists() {
        return Ok(python);
    }

    eprintln!("making a Python environment for the tests ({version})");
    let _ = fs::remove_dir_all(&folder);
    output(Command::new("python3").args(["-m", "venv"]).arg(&folder)).map_err(|error| format!("no venv: {error}"))?;
    let requirements = folder.join("requirements.txt");
    let wrote = fs::write(&requirements, REQUIREMENTS);
    wrote.map_err(|error| format!("cannot write {}: {error}", requirements.display()))?;
    let pip = output(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements)
            .args(more),
    );
    pip.map_err(|error| format!("pip cannot install the test packages (no network?): {error}"))?;
    File::create(folder.join(COMPLETE)).map_err(|error| format!("cannot write to {}: {error}", folder.display()))?;
    Ok(python)
}

/// What a command printed, or the last line of its complaint.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(complaint.trim().lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
}
