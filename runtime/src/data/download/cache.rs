//! The folders that hold downloaded files, and how a file comes to stand in them.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::transfer::{Failure, Received, receive};
use super::{DownloadError, Source};
use crate::support::support;

/// How often one address is asked to go on where it broke off.
const RESUMPTIONS: usize = 5;
/// How often a kernel that waits for another one's download looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where files are looked for, and where downloads go.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    /// Looked at first, never written.
    pub(crate) shared: Vec<PathBuf>,
    pub(crate) own: PathBuf,
}

impl Cache {
    pub(crate) fn from_environment() -> Result<Self, DownloadError> {
        let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = match folder("OXTORCH_HOME") {
            Some(home) => home,
            None => (support().map_err(DownloadError::Support)?.data_folder)()
                .map(|folder| folder.join("oxtorch"))
                .ok_or(DownloadError::Nowhere)?,
        };
        // An installation that many share is not for its users to write.
        let own = folder("OXTORCH_CACHE").unwrap_or_else(|| home.clone());
        let [home, own] = [home, own].map(|folder| std::path::absolute(&folder).map_err(at("find", &folder)));
        let (home, own) = (home?.join("data"), own?.join("data"));
        let shared = folder("OXTORCH_DATA").into_iter().chain((home != own).then_some(home));
        Ok(Self { shared: shared.collect(), own })
    }

    /// The path of a file, downloaded if need be. `poll` is called often, and may end it all by unwinding.
    pub(crate) fn fetch(&self, source: &Source, poll: &dyn Fn()) -> Result<PathBuf, DownloadError> {
        source.check_name()?;
        let place = self.own.join(&source.name);
        let shared = self.shared.iter().map(|folder| folder.join(&source.name));
        for place in shared.chain([place.clone()]) {
            if place.is_file() {
                return verified(&place, source, poll);
            }
        }
        let folder = place.parent().unwrap_or(&self.own);
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        let part_path = beside(&place);
        let mut part = locked(&part_path, poll)?;
        if place.is_file() {
            // Another kernel brought it in the meantime; the part is one that we made just now.
            let _ = fs::remove_file(&part_path);
            return verified(&place, source, poll);
        }
        self.fill(&mut part, &part_path, source, poll)?;
        part.sync_all().map_err(at("write", &part_path))?;
        fs::rename(&part_path, &place).map_err(at("create", &place))?;
        Ok(place)
    }

    /// Tries the addresses in their order.
    fn fill(&self, part: &mut File, path: &Path, source: &Source, poll: &dyn Fn()) -> Result<(), DownloadError> {
        let mut tries = Vec::new();
        for url in &source.urls {
            match fill_from(url, part, source, poll) {
                Ok(()) => return Ok(()),
                Err(Failure::Server(reason)) => tries.push((url.clone(), reason)),
                Err(Failure::Disk(error)) => return Err(at("write", path)(error)),
            }
        }
        Err(DownloadError::Unreachable { name: source.name.clone(), tries, place: self.own.join(&source.name) })
    }
}

/// Fills the part from one address: goes on where it breaks off, and begins anew where what was there does not fit.
fn fill_from(url: &str, part: &mut File, source: &Source, poll: &dyn Fn()) -> Result<(), Failure> {
    let mut resumptions = 0;
    loop {
        if source.md5.is_none() {
            // Nothing would tell whether the two halves belong together.
            part.set_len(0)?;
        }
        let before = part.seek(SeekFrom::End(0))?;
        match receive(url, before, part, &source.name, poll) {
            Ok(received) => {
                let Some(expected) = &source.md5 else { return Ok(()) };
                let found = md5_of(part, poll)?;
                if found == *expected {
                    return Ok(());
                }
                part.set_len(0)?;
                if received == Received::Whole {
                    return Err(Failure::Server(format!(
                        "what it sends has the MD5 sum {found} instead of {expected}"
                    )));
                }
            }
            Err(Failure::Server(reason)) => {
                let is_longer = part.seek(SeekFrom::End(0))? > before;
                if !is_longer || resumptions == RESUMPTIONS {
                    return Err(Failure::Server(reason));
                }
                resumptions += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// The file that a download grows in, locked. Whoever waits for it can be interrupted.
fn locked(path: &Path, poll: &dyn Fn()) -> Result<File, DownloadError> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
    let file = file.map_err(at("write", path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                poll();
                thread::sleep(LOOK_AGAIN);
            }
            Err(TryLockError::Error(error)) => return Err(at("lock", path)(error)),
        }
    }
}

fn verified(path: &Path, source: &Source, poll: &dyn Fn()) -> Result<PathBuf, DownloadError> {
    if let Some(expected) = &source.md5 {
        let mut file = File::open(path).map_err(at("read", path))?;
        let found = md5_of(&mut file, poll).map_err(at("read", path))?;
        if found != *expected {
            return Err(DownloadError::Checksum { path: path.to_owned(), expected: expected.clone(), found });
        }
    }
    Ok(path.to_owned())
}

fn md5_of(file: &mut File, poll: &dyn Fn()) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    (support().map_err(io::Error::other)?.md5)(file, poll)
}

fn beside(place: &Path) -> PathBuf {
    let mut name = OsString::from(place);
    name.push(".part");
    name.into()
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.to_owned();
    move |source| DownloadError::Io { action, path, source }
}
