//! The archives that packages come in: wheels are zip files, npm's and Python's sources gzipped tars, and Debian's tars
//! that `dpkg-deb` reads.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;

use flate2::read::GzDecoder;
use oxtorch_system::child::{command, end_with_parent};

use super::{Member, Refused, Unpacking};
use crate::error::DataError;
use crate::sources::Tools;

/// How much a tar may contain, in all: what is not wanted is read over.
const MOST_BYTES: u64 = 8 << 30;

/// Shows the members of an archive to `unpacking`, one after the other.
pub(super) fn read(file: &Path, tools: &Tools, unpacking: &mut Unpacking<'_>) -> Result<(), DataError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let read = if name.ends_with(".deb") {
        return deb(file, tools, unpacking);
    } else if name.ends_with(".whl") {
        wheel(file, unpacking)
    } else {
        let opened = File::open(file).map_err(DataError::at("read", file))?;
        tar(GzDecoder::new(opened), unpacking)
    };
    read.map_err(|refused| failure(refused, file, unpacking))
}

fn failure(refused: Refused, file: &Path, unpacking: &Unpacking<'_>) -> DataError {
    match refused {
        Refused::Because(why) => unpacking.wrong(file, why),
        Refused::Disk(error) => error,
    }
}

fn wheel(file: &Path, unpacking: &mut Unpacking<'_>) -> Result<(), Refused> {
    let broken = |error: zip::result::ZipError| Refused::Because(error.to_string());
    let opened = File::open(file).map_err(DataError::at("read", file))?;
    let mut archive = zip::ZipArchive::new(opened).map_err(broken)?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(broken)?;
        let kind = if member.is_dir() {
            Member::Folder
        } else if member.is_symlink() {
            Member::Special
        } else {
            Member::File
        };
        let name = member.name().to_owned();
        unpacking.take(&name, kind, &mut member)?;
    }
    Ok(())
}

fn tar(archive: impl Read, unpacking: &mut Unpacking<'_>) -> Result<(), Refused> {
    let broken = |error: io::Error| Refused::Because(error.to_string());
    let mut archive = tar::Archive::new(archive.take(MOST_BYTES));
    for member in archive.entries().map_err(broken)? {
        let mut member = member.map_err(broken)?;
        let kind = match member.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => Member::File,
            tar::EntryType::Directory => Member::Folder,
            _ => Member::Special,
        };
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        unpacking.take(&name, kind, &mut member)?;
    }
    Ok(())
}

/// `dpkg-deb` writes the files of a package as a tar. It runs nothing that is in the package.
fn deb(file: &Path, tools: &Tools, unpacking: &mut Unpacking<'_>) -> Result<(), DataError> {
    let program = tools.dpkg_deb()?;
    let mut dpkg_deb = command(program);
    dpkg_deb.arg("--fsys-tarfile").arg(file).stdout(Stdio::piped()).stderr(Stdio::null());
    end_with_parent(&mut dpkg_deb);
    let at = |source| DataError::Tool { program: program.to_owned(), source };
    let mut child = dpkg_deb.spawn().map_err(at)?;
    let read = match child.stdout.take() {
        Some(archive) => tar(archive, unpacking),
        None => Ok(()),
    };
    // Its pipe is closed by now, so it ends.
    child.wait().map_err(at)?;
    read.map_err(|refused| failure(refused, file, unpacking))
}
