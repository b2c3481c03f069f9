//! The active Python: a torch that it may hold, and its pip as a way to get one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oxtorch_system::child::{Output, command, first_line_of};
use oxtorch_system::home::HomeError;
use oxtorch_system::programs::{find_program, is_executable};

use crate::error::{SetupError, Unusable};
use crate::progress::{Progress, Update, bytes_in, count_bytes};
use crate::run_tool;

/// The wheels that libtorch is in and what it links, in pip's format, each with the sums that it must have. On a
/// machine without a GPU these few of torch's many dependencies do: `libtorch_cpu.so` links no other.
const WHEELS: &str = include_str!("python/wheels.txt");
/// What a GPU needs besides. What only torch's Python side imports is left out: it never runs.
const WHEELS_FOR_GPU: &str = include_str!("python/wheels-cuda.txt");

/// The Python that the user's shell would run, or the one that this program was installed with: a frontend starts the
/// kernel of an environment that is not active.
pub fn find() -> Option<PathBuf> {
    let python = |folder: PathBuf| Some(folder.join("python3")).filter(|python| is_executable(python));
    let mut names = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter();
    let active = names.find_map(|name| python(PathBuf::from(std::env::var_os(name)?).join("bin")));
    let beside = || python(std::env::current_exe().ok()?.canonicalize().ok()?.parent()?.to_owned());
    active.or_else(beside).or_else(|| find_program(["python3", "python"]))
}

/// The folder of its torch package, if it has one. Nothing of torch is run for this.
pub(crate) fn torch_folder(python: &Path) -> Option<PathBuf> {
    const FIND: &str = "import importlib.util\n\
                        found = importlib.util.find_spec('torch')\n\
                        print(found.submodule_search_locations[0] if found else '')";
    first_line_of(command(python).args(["-c", FIND])).filter(|line| !line.is_empty()).map(PathBuf::from)
}

/// The folder that holds its `bin`, `lib` and `share`.
pub(crate) fn prefix(python: &Path) -> Option<PathBuf> {
    first_line_of(command(python).args(["-c", "import sys; print(sys.prefix)"])).map(PathBuf::from)
}

/// The first line of `pip --version`.
pub(crate) fn pip_version(python: &Path) -> Option<String> {
    first_line_of(command(python).args(["-m", "pip", "--version"]))
}

/// Has pip install torch into `target`, a new folder; `work` takes what is only needed meanwhile.
pub(crate) fn install_torch(
    python: &Path,
    target: &Path,
    work: &Path,
    gpu: bool,
    progress: &dyn Progress,
) -> Result<(), Unusable> {
    let requirements = work.join("requirements.txt");
    let wheels = if gpu { [WHEELS, WHEELS_FOR_GPU].concat() } else { WHEELS.to_owned() };
    fs::write(&requirements, wheels).map_err(HomeError::at("write", &requirements))?;
    let pip = |wheels: &[&str]| pip(python, target, work, &requirements, wheels, progress);
    let mut output = pip(&[])?;
    let all = output.all();
    if !output.status.success()
        && (all.contains("No matching distribution found for torch") || all.contains("DO NOT MATCH THE HASHES"))
    {
        // There is no wheel for this Python. The C++ libraries in those for other versions are the same.
        let any = ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--platform", PLATFORM];
        output = pip(&any)?;
    }
    if output.status.success() {
        return Ok(());
    }
    if output.is_disk_full() {
        return Err(crate::disk_full("libtorch", target, needed_space(gpu)).into());
    }
    let has_pip = !output.all().contains("No module named pip");
    Err(if has_pip { errors(&output) } else { format!("{} has no pip", python.display()) }.into())
}

/// What the installed wheels take on disk, with what pip needs meanwhile.
pub(crate) fn needed_space(gpu: bool) -> u64 {
    if gpu { 8_000_000_000 } else { 2_000_000_000 }
}

/// About how many bytes the wheels have.
pub(crate) fn download(gpu: bool) -> u64 {
    if gpu { 2_500_000_000 } else { 600_000_000 }
}

const PLATFORM: &str = if cfg!(target_os = "macos") {
    "macosx_14_0_arm64"
} else if cfg!(target_arch = "aarch64") {
    "manylinux_2_28_aarch64"
} else {
    "manylinux_2_28_x86_64"
};

fn pip(
    python: &Path,
    target: &Path,
    work: &Path,
    requirements: &Path,
    wheels: &[&str],
    progress: &dyn Progress,
) -> Result<Output, SetupError> {
    let mut pip = command(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--only-binary=:all:",
        "--no-cache-dir",
        "--no-compile",
        "--disable-pip-version-check",
    ]);
    pip.args(["--progress-bar", "off", "--no-input", "--target"]).arg(target).args(wheels);
    // What is listed is all, and nothing else is taken, from whichever index.
    pip.args(["--no-deps", "--require-hashes", "-r"]).arg(requirements);
    // pip unpacks here and then moves to the target: the same file system, and not a small /tmp in memory.
    pip.env("TMPDIR", work)
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .env_remove("PIP_TARGET")
        .env_remove("PIP_PREFIX");
    let told = |line: &str| {
        if let Some(file) = line.trim().strip_prefix("Downloading ") {
            progress.update(Update::Doing(file.rsplit('/').next().unwrap_or(file)));
        } else if line.starts_with("Installing collected") {
            progress.update(Update::Doing("unpacking"));
        }
    };
    let arrived = || bytes_in(work) + bytes_in(target);
    count_bytes(progress, Duration::from_secs(1), arrived, || run_tool(&mut pip, told))
}

/// What pip says went wrong: its error lines, or how it ended.
pub fn errors(output: &Output) -> String {
    let text = output.all();
    let network = text.lines().find_map(|line| {
        let reason = ["NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError", "SSLError"];
        reason.iter().any(|reason| line.contains(reason)).then_some("the package index cannot be reached")
    });
    let errors = text.lines().filter_map(|line| line.trim().strip_prefix("ERROR: ")).map(str::to_owned);
    let all: Vec<String> = network.map(str::to_owned).into_iter().chain(errors).collect();
    if all.is_empty() { format!("pip ended with {}: {}", output.status, output.tail(3)) } else { all.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_has_one_version_and_its_sums() {
        let torch = format!("torch=={} ", crate::libtorch::VERSION);
        assert!(WHEELS.contains(&torch), "another torch is listed than the one that is used");
        let joined = [WHEELS, WHEELS_FOR_GPU].concat().replace("\\\n", " ");
        let wheels: Vec<&str> = joined.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(wheels.len() > 10, "{joined}");
        for wheel in wheels {
            let mut sums = wheel.split_whitespace().filter_map(|word| word.strip_prefix("--hash=sha256:"));
            assert!(wheel.contains("==") && !wheel.contains('*'), "{wheel}");
            assert!(wheel.contains("--hash=") && sums.all(|sum| sum.len() == 64), "{wheel}");
        }
    }
}
