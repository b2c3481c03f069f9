//! The libtorch archive from the PyTorch site: the way to libtorch where there is no pip.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::child::{Output, command, find_program, run};
use super::error::SetupError;
use super::libtorch::VERSION;
use super::progress::{Progress, Update};
use crate::home::{Home, is_disk_full};

/// Where the archives are.
pub(crate) const SITE: &str = "https://download.pytorch.org/libtorch";

/// How often a broken transfer is taken up again.
const TRIES: usize = 4;

/// The part of the address that names the archive for this platform.
fn name(gpu: bool) -> Option<String> {
    match (std::env::consts::OS, std::env::consts::ARCH, gpu) {
        ("linux", "x86_64", false) => Some(format!("cpu/libtorch-shared-with-deps-{VERSION}%2Bcpu.zip")),
        ("linux", "x86_64", true) => Some(format!("cu130/libtorch-shared-with-deps-{VERSION}%2Bcu130.zip")),
        ("macos", "aarch64", _) => Some(format!("cpu/libtorch-macos-arm64-{VERSION}.zip")),
        _ => None,
    }
}

/// What the archive and its contents take on disk.
pub(crate) fn needed_space(gpu: bool) -> u64 {
    if gpu { 9_000_000_000 } else { 1_200_000_000 }
}

/// Gets the archive from `site` and unpacks it into `target`, a new folder, in which `libtorch` appears. The inner error
/// says why this source failed.
pub(crate) fn install(
    home: &Home,
    site: &str,
    target: &Path,
    gpu: bool,
    progress: &dyn Progress,
) -> Result<Result<(), String>, SetupError> {
    let Some(name) = name(gpu) else {
        return Ok(Err("there is no archive for this platform".to_owned()));
    };
    // What has arrived stays under this name when a transfer breaks, and the next one goes on there.
    let part = home.place("downloads", &format!("{}.part", name.replace('/', "-")));
    if let Some(folder) = part.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(error, &part, gpu))?;
    }
    match download(&format!("{site}/{name}"), &part, progress)? {
        Ok(()) => {}
        Err(output) if output.as_ref().is_some_and(Output::is_disk_full) => {
            let _ = fs::remove_file(&part);
            return Err(super::disk_full("the libtorch archive", &part, needed_space(gpu)));
        }
        Err(Some(output)) => return Ok(Err(output.tail(1))),
        Err(None) => return Ok(Err("neither curl nor wget is there to download it".to_owned())),
    }
    progress.update(Update::Doing("unpacking"));
    let unpacked = unpack(&part, target);
    // A whole archive has served its end; a damaged one must not be taken up again.
    let _ = fs::remove_file(&part);
    match unpacked {
        Ok(()) => Ok(Ok(())),
        Err(zip::result::ZipError::Io(error)) if is_disk_full(&error) => Err(failed(error, target, gpu)),
        Err(error) => Ok(Err(format!("what was downloaded is damaged ({error})"))),
    }
}

fn failed(error: std::io::Error, path: &Path, gpu: bool) -> SetupError {
    if is_disk_full(&error) {
        super::disk_full("the libtorch archive", path, needed_space(gpu))
    } else {
        crate::home::HomeError::Io { action: "write", path: path.to_owned(), source: error }.into()
    }
}

fn unpack(archive: &Path, target: &Path) -> zip::result::ZipResult<()> {
    zip::ZipArchive::new(File::open(archive)?)?.extract(target)
}

/// Transfers what is still missing of `url` to `part`. The inner error is what the program said that failed last, or
/// `None` where there is no program.
fn download(url: &str, part: &Path, progress: &dyn Progress) -> Result<Result<(), Option<Output>>, SetupError> {
    let Some((program, transfer)) = transfer_program() else { return Ok(Err(None)) };
    let mut last = None;
    for _ in 0..TRIES {
        let before = length(part);
        let output = watch(part, progress, || run(&mut transfer(&program, url, part), |_| ()))
            .map_err(SetupError::tool(&program))?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        if output.is_disk_full() {
            return Ok(Err(Some(output)));
        }
        last = Some(output);
        match length(part) {
            // Nothing came, and there was nothing to go on from: another try would fare no better.
            0 if before == 0 => break,
            // The server would not go on from here: start over.
            after if after == before => drop(fs::remove_file(part)),
            _ => {}
        }
    }
    Ok(Err(last))
}

type Transfer = fn(&Path, &str, &Path) -> Command;

fn transfer_program() -> Option<(PathBuf, Transfer)> {
    fn curl(program: &Path, url: &str, part: &Path) -> Command {
        let mut curl = command(program);
        curl.args([
            "--fail",
            "--location",
            "--silent",
            "--show-error",
            "--connect-timeout",
            "30",
            "--speed-time",
            "60",
        ]);
        curl.args(["--speed-limit", "1000", "--continue-at", "-", "--output"]).arg(part).arg(url);
        curl
    }
    fn wget(program: &Path, url: &str, part: &Path) -> Command {
        let mut wget = command(program);
        wget.args(["--no-verbose", "--continue", "--tries=1", "--timeout=60", "-O"]).arg(part).arg(url);
        wget
    }
    find_program(["curl"])
        .map(|program| (program, curl as Transfer))
        .or_else(|| Some((find_program(["wget"])?, wget as Transfer)))
}

/// Tells how much has arrived while `work` runs.
fn watch<T>(part: &Path, progress: &dyn Progress, work: impl FnOnce() -> T) -> T {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                progress.update(Update::Bytes { done: length(part), total: 0 });
                std::thread::park_timeout(Duration::from_millis(500));
            }
        });
        let result = work();
        ended.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        result
    })
}

fn length(file: &Path) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}
