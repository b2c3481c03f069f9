//! Unpacks an archive that somebody has handed in: nothing of it lands outside its folder, and there is a bound to what
//! it becomes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;
use zip::ZipArchive;

/// What all of it may take, in bytes.
const LARGEST: u64 = 2 << 30;
/// How many files it may have.
const MOST_FILES: usize = 50_000;

/// Unpacks a zip archive into a folder of its own.
///
/// # Errors
///
/// Where it is none, has too much in it, or the disk is full.
pub(super) fn unpack(path: &Path) -> io::Result<TempDir> {
    let mut archive = ZipArchive::new(File::open(path)?).map_err(io::Error::other)?;
    if archive.len() > MOST_FILES {
        return Err(io::Error::other(format!("it has {} files", archive.len())));
    }
    let folder = tempfile::Builder::new().prefix("oxtorch-handed-in-").tempdir()?;
    let mut left = LARGEST;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(io::Error::other)?;
        // One that leads out of the folder has no such name.
        let Some(name) = entry.enclosed_name() else { continue };
        if !entry.is_file() || entry.is_symlink() {
            continue;
        }
        let target = folder.path().join(name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create(&target)?;
        let written = io::copy(&mut (&mut entry).take(left + 1), &mut file)?;
        left = left
            .checked_sub(written)
            .ok_or_else(|| io::Error::other(format!("it becomes more than {} GB", LARGEST >> 30)))?;
        if let Some(seconds) = entry.last_modified().and_then(seconds) {
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))?;
        }
    }
    Ok(folder)
}

/// When a file of an archive was changed last, which archives tell in local time: in seconds since 1970.
fn seconds(time: zip::DateTime) -> Option<u64> {
    let text =
        format!("{:04}-{:02}-{:02}T{:02}:{:02}", time.year(), time.month(), time.day(), time.hour(), time.minute());
    let time: oxtorch_grading::rules::Deadline = text.parse().ok()?;
    u64::try_from(time.seconds()).ok()
}
