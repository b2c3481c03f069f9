//! Unpacks what an entry names, and nothing else: into one folder, no links, no more than the entry says.

mod archives;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use oxtorch_system::home::create_folder;
use sha2::{Digest as _, Sha256};
use wildmatch::WildMatch;

use crate::catalogue::Entry;
use crate::error::DataError;
use crate::fetch::{other_version, sum_of};
use crate::sources::Tools;

/// How the files beside the data begin that hold the texts of the license.
const LICENSE: &str = "LICENSE";
/// How large these texts may be, all together.
const LICENSE_BYTES: u64 = 1 << 20;

/// Unpacks what an entry names of its package into an empty folder.
pub(crate) fn unpack(entry: &Entry, file: &Path, folder: &Path, tools: &Tools) -> Result<(), DataError> {
    let mut unpacking = Unpacking::new(entry, folder);
    archives::read(file, tools, &mut unpacking)?;
    if unpacking.is_whole() {
        return Ok(());
    }
    let (files, bytes) = (unpacking.files, unpacking.bytes);
    let why =
        format!("it has {files} files and {bytes} bytes of {}, not {} and {}", entry.name, entry.files, entry.unpacked);
    Err(unpacking.wrong(file, why))
}

/// What the lines that `sha256sum` prints of the files of an entry, sorted by name, have for a SHA-256.
pub(crate) fn contents_sum(folder: &Path) -> Result<String, DataError> {
    let mut files = Vec::new();
    list(folder, Path::new(""), &mut files).map_err(DataError::at("read", folder))?;
    files.retain(|file| !file.to_string_lossy().starts_with(LICENSE));
    files.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    let mut hash = Sha256::new();
    for file in files {
        let sum = sum_of(&folder.join(&file)).map_err(DataError::at("read", &file))?;
        hash.update(format!("{sum}  {}\n", file.display()));
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// The files below a folder, by their paths from `root`.
fn list(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for found in fs::read_dir(root.join(below))? {
        let found = found?;
        let path = below.join(found.file_name());
        if found.file_type()?.is_dir() {
            list(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// What a member of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    File,
    Folder,
    /// A link, a device or the like.
    Special,
}

/// Why a member was not unpacked.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What is wrong with the archive.
    Because(String),
    /// The file system failed.
    Disk(DataError),
}

impl From<DataError> for Refused {
    fn from(error: DataError) -> Self {
        Self::Disk(error)
    }
}

/// Takes the members of an archive one after the other, and writes those that are wanted.
pub(crate) struct Unpacking<'a> {
    entry: &'a Entry,
    into: &'a Path,
    take: Vec<WildMatch>,
    licenses: Vec<WildMatch>,
    files: u64,
    bytes: u64,
    license_bytes: u64,
}

impl<'a> Unpacking<'a> {
    fn new(entry: &'a Entry, into: &'a Path) -> Self {
        let patterns = |texts: &[String]| texts.iter().map(|text| WildMatch::new(text)).collect();
        let (take, licenses) = (patterns(&entry.take), patterns(&entry.license_files));
        Self { entry, into, take, licenses, files: 0, bytes: 0, license_bytes: 0 }
    }

    fn is_whole(&self) -> bool {
        (self.files, self.bytes) == (self.entry.files, self.entry.unpacked)
    }

    /// The error for an archive in which something is wrong.
    pub(crate) fn wrong(&self, file: &Path, why: String) -> DataError {
        if self.entry.source == crate::catalogue::Source::Debian {
            return other_version(self.entry, file);
        }
        DataError::Archive { file: self.entry.file.clone(), why }
    }

    /// Writes a member if it is wanted.
    pub(crate) fn take(&mut self, name: &str, member: Member, contents: &mut dyn Read) -> Result<(), Refused> {
        let name = name.strip_prefix("./").unwrap_or(name);
        let below = name.strip_prefix(&self.entry.folder).and_then(|rest| rest.strip_prefix('/'));
        let wanted = below.filter(|below| self.take.iter().any(|pattern| pattern.matches(below)));
        let is_license = self.licenses.iter().any(|pattern| pattern.matches(name));
        let (path, allowed) = match wanted {
            _ if member == Member::Folder => return Ok(()),
            Some(below) => (PathBuf::from(below), self.entry.unpacked - self.bytes),
            None if is_license => (license_path(name), LICENSE_BYTES - self.license_bytes),
            None => return Ok(()),
        };
        if member == Member::Special {
            return Err(Refused::Because(format!("{name:?} in it is a link or a device")));
        }
        if !path.components().all(|part| matches!(part, Component::Normal(_))) || name.contains(['\\', '\0']) {
            return Err(Refused::Because(format!("{name:?} in it leads out of its folder")));
        }
        let written = self.write(&path, allowed, contents)?;
        if written > allowed {
            return Err(Refused::Because(format!("{name:?} in it is larger than it should be")));
        }
        if wanted.is_some() {
            self.files += 1;
            self.bytes += written;
        } else {
            self.license_bytes += written;
        }
        Ok(())
    }

    /// Writes a new file of `allowed` bytes at most, and one more as a sign that there were more.
    fn write(&self, path: &Path, allowed: u64, contents: &mut dyn Read) -> Result<u64, Refused> {
        let place = self.into.join(path);
        if let Some(folder) = place.parent() {
            create_folder(folder).map_err(DataError::at("create", folder))?;
        }
        // A second file of the same name is an error.
        let mut file = File::options().write(true).create_new(true).mode(0o644).open(&place).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => Refused::Because(format!("{path:?} is in it twice")),
                _ => Refused::Disk(DataError::at("create", &place)(error)),
            }
        })?;
        let mut contents = contents.take(allowed + 1);
        copy(&mut contents, &mut file, &place)
    }
}

/// Where a text of the license goes. It has no folder of its own: what reads a folder of pictures takes each folder for
/// a class.
fn license_path(name: &str) -> PathBuf {
    let base = name.rsplit('/').next().unwrap_or_default();
    if base.starts_with(LICENSE) { base.into() } else { format!("{LICENSE}-{base}").into() }
}

/// Copies to a file, and tells an archive that cannot be read from a disk that cannot be written.
fn copy(from: &mut dyn Read, to: &mut File, place: &Path) -> Result<u64, Refused> {
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        let count = from.read(&mut buffer).map_err(|error| Refused::Because(error.to_string()))?;
        if count == 0 {
            return Ok(copied);
        }
        io::Write::write_all(to, &buffer[..count]).map_err(DataError::at("write", place))?;
        copied += count as u64;
    }
}
