//! Runs the tests with real Jupyter clients, `tests/clients/test_*.py`, in a Python environment that it makes.
//!
//! Where Python, pip or the network is missing, they are skipped and one line says why; under CI that is a failure.

mod python;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Arguments, Failed, Trial};

/// The binary that the kernelspec starts, as cargo built it.
const BUILT: &str = env!("CARGO_BIN_EXE_oxtorch");

/// What measures times or memory, or gives notebooks little of both, has the machine to itself; the rest runs in pairs.
const ALONE: [&str; 9] = [
    "test_commands",
    "test_grade",
    "test_interrupt",
    "test_load",
    "test_notebooks",
    "test_rust_analyzer",
    "test_soak",
    "test_streams",
    "test_while_typing",
];

/// Held by all that runs, and for itself by what runs alone.
static MACHINE: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let files = test_files();
    let python = if arguments.list { Err("not asked for".to_owned()) } else { python::environment() };
    let program = if arguments.list { PathBuf::from(BUILT) } else { copied() };
    // The first of the tests that need libtorch and the runtime: here the set-up can show its progress.
    if !arguments.list && !Command::new(&program).arg("setup").status().is_ok_and(|status| status.success()) {
        return ExitCode::FAILURE;
    }
    let missing = python.as_ref().err().filter(|_| !arguments.list);
    if let Some(missing) = missing {
        eprintln!("clients: skipped, because there is {missing}");
        if in_ci() {
            eprintln!("clients: in CI nothing may be skipped");
            return ExitCode::FAILURE;
        }
    }
    let skip = missing.is_some();
    let mut files: Vec<(bool, String, PathBuf)> = files.into_iter().map(described).collect();
    // What runs alone waits for all that has begun, so it comes last.
    files.sort();
    let trials = files
        .into_iter()
        .map(|(alone, name, path)| {
            let (python, program) = (python.clone().unwrap_or_default(), program.clone());
            Trial::test(name, move || run(&python, &program, &path, alone)).with_ignored_flag(skip)
        })
        .collect();
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The program, where it stays: building a wheel moves what cargo built away for a while, and tests beside it start it.
fn copied() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oxtorch");
    // Beside it first: a kernel of an earlier run may still have the file open.
    let new = program.with_extension("new");
    std::fs::copy(BUILT, &new)
        .and_then(|_| std::fs::rename(&new, &program))
        .expect("a folder of cargo's for the tests");
    program
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn test_files() -> Vec<PathBuf> {
    let folder = folder();
    std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("test_") && name.ends_with(".py")
        })
        .collect()
}

/// Whether a file's tests run alone, their name, and the file.
fn described(path: PathBuf) -> (bool, String, PathBuf) {
    let name = path.file_stem().expect("a listed file has a name").to_string_lossy().into_owned();
    (ALONE.contains(&name.as_str()), name, path)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients")
}

/// Runs one file of tests; what they print is shown where one fails.
fn run(python: &Path, program: &Path, path: &Path, alone: bool) -> Result<(), Failed> {
    // One that failed has left nothing half done behind this lock.
    let (_alone, _beside) = if alone {
        (Some(MACHINE.write().unwrap_or_else(PoisonError::into_inner)), None)
    } else {
        (None, Some(MACHINE.read().unwrap_or_else(PoisonError::into_inner)))
    };
    // Seconds for a test with all that is made for it; one that has the machine to itself takes less.
    let patience = if alone { 240 } else { 600 };
    let output = Command::new(python)
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-rs", "--durations=5", &format!("--timeout={patience}")])
        .arg(path)
        .current_dir(folder())
        .env("OXTORCH", program)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        // For the log: how many tests ran, and why others did not, each reason once.
        let counts = text.lines().rfind(|line| line.starts_with('=')).unwrap_or_default();
        println!("{}", counts.trim_matches(['=', ' ']));
        let skipped = text.lines().filter(|line| line.starts_with("SKIPPED ")).filter_map(|line| line.split_once(": "));
        for reason in skipped.map(|(_, reason)| reason).collect::<BTreeSet<_>>() {
            println!("skipped: {reason}");
        }
        return Ok(());
    }
    Err(text.into())
}
