//! Files that are written beside the old ones and take their place once they are whole: a disk that is full, an error
//! or an interrupt half way leaves what was there before.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Has `write` fill a new file at the path that it is given, which has the ending of `path`, and puts that in the place
/// of `path`. Where it fails or panics, `path` is as it was. A link stays a link, and a file keeps its permissions.
pub(crate) fn replace_file<E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    // What the name stands for, if it is a link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&target).ok();
    if let Some(old) = &old {
        // A pipe or a device cannot be replaced.
        if !old.is_file() {
            return write(&target);
        }
        // A file that must not be written stays, though its folder would allow another one.
        OpenOptions::new().write(true).open(&target).map_err(&failed)?;
    }
    let new = Unfinished(beside(&target));
    if let Err(error) = OpenOptions::new().write(true).create_new(true).open(&new.0) {
        let is_closed = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidFilename);
        // A folder that takes no new files, or a name that is as long as may be.
        return if old.is_some() && is_closed { write(&target) } else { Err(failed(error)) };
    }
    write(&new.0)?;
    if let Some(old) = old {
        fs::set_permissions(&new.0, old.permissions()).map_err(&failed)?;
    }
    fs::rename(&new.0, &target).map_err(failed)
}

/// A name in the same folder that no other file has, with the same ending.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_stem().unwrap_or_default());
    name.push(format!(".unfinished-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// A file that is removed, if it is still there.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the rename there is none.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.npy");
        fs::write(&path, "old").expect("writes");
        let half = |new: &Path| {
            assert_eq!(new.extension(), path.extension());
            fs::write(new, "ha")
        };
        let full = |new: &Path| half(new).and(Err(io::ErrorKind::StorageFull.into()));
        let error = replace_file(&path, |error| error, full).expect_err("a full disk");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            replace_file(
                &path,
                |error| error,
                |new| {
                    half(new)?;
                    panic!("interrupted")
                },
            )
        }));
        assert!(stopped.is_err());
        assert_eq!(
            (fs::read_to_string(&path).expect("reads").as_str(), names(folder.path())),
            ("old", vec!["weights.npy".to_owned()])
        );
        replace_file(&path, |error| error, |new| fs::write(new, "new")).expect("writes");
        assert_eq!((fs::read_to_string(&path).expect("reads").as_str(), names(folder.path()).len()), ("new", 1));
    }

    #[test]
    fn a_new_file_is_there_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        replace_file(
            &path,
            |error| error,
            |new| {
                assert!(!path.exists());
                fs::write(new, "new")
            },
        )
        .expect("writes");
        assert_eq!(fs::read_to_string(&path).expect("reads"), "new");
        let nowhere = replace_file(&path.join("b"), |error| error, |_| panic!("there is no such folder"));
        assert!(nowhere.is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_permissions_and_devices_stay_what_they_are() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("a.txt"), folder.path().join("b.txt"));
        fs::write(&path, "old").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("is ours");
        symlink(&path, &link).expect("a link");
        replace_file(&link, |error| error, |new| fs::write(new, "new")).expect("writes");
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
        assert_eq!(fs::read_to_string(&path).expect("reads"), "new");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        replace_file(Path::new("/dev/null"), |error| error, |device| fs::write(device, "gone")).expect("writes");
        assert!(!fs::metadata("/dev/null").expect("is there").is_file());
    }
}
