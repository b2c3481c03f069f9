//! Files and folders of the home as they are made: nobody but their user can write them, whatever the user's mask says.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Creates a folder and those above it, which others than the user cannot write whatever the user's mask says.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)
}

/// Writes a file that others than the user cannot write whatever the user's mask says.
pub fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(contents)
}

/// Opens a file that is there to be locked, made if need be: whoever can open it can hold its lock, for ever, so it is
/// its user's alone. Earlier versions, and other programs, let all do so.
pub fn private_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    make_private(path)?;
    Ok(file)
}

/// Takes from all others what rights they have to a file or folder of the user's.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let found = path.symlink_metadata()?;
    let (user, mode) = (rustix::process::geteuid().as_raw(), found.permissions().mode());
    if found.uid() == user && mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

/// Takes from all but their owner the right to write what stands in a folder: tools give it as the user's mask has it.
pub fn keep_others_from_writing(path: &Path) -> io::Result<()> {
    let found = path.symlink_metadata()?;
    if found.is_symlink() {
        return Ok(());
    }
    let mode = found.permissions().mode();
    if mode & 0o022 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & !0o022))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            keep_others_from_writing(&entry?.path())?;
        }
    }
    Ok(())
}

/// A second name for a file, or a copy where the file system has no such thing.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}
