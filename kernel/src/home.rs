//! The folder that holds what Oxtorch keeps on disk: libtorch, built runtimes, the scratch folders of running kernels.
//!
//! Things stand under keys, so that versions live side by side. Everything appears by one rename: what has its final
//! name is whole, whatever was killed or ran out of space on the way.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where work in progress stands, ahead of its rename.
const UNFINISHED: &str = "tmp";
/// Where running kernels keep their compiled cells.
const CELLS: &str = "cells";
/// What the cells of a session may take, in bytes.
const ROOM_FOR_CELLS: u64 = 64 << 20;
/// The file in a kernel's folder that the kernel holds locked while it lives.
const OWNER: &str = "owner.lock";

/// A failure of the home itself, with the path that it happened at.
#[derive(Debug, Error)]
pub enum HomeError {
    /// No place for the home could be found.
    #[error("there is no home directory to keep Oxtorch's files in")]
    Nowhere,
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "create", "write"...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl HomeError {
    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the file system had no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_disk_full(source))
    }
}

/// Whether an error says that there is no space left, or that a quota is used up.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The folder that holds what Oxtorch keeps on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The home that the environment names: `OXTORCH_HOME`, else `oxtorch` in the user's data directory.
    pub fn from_environment() -> Result<Self, HomeError> {
        let root = match std::env::var_os("OXTORCH_HOME").filter(|value| !value.is_empty()) {
            Some(root) => std::path::absolute(&root).map_err(HomeError::at("find", Path::new(&root)))?,
            None => dirs::data_dir().ok_or(HomeError::Nowhere)?.join("oxtorch"),
        };
        Ok(Self { root })
    }

    /// A home at a given folder, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The place of the thing of one kind under one key, whether it is there or not.
    pub fn place(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join(kind).join(key)
    }

    /// Where compiled cells are kept for later sessions.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Where the cells that users ran are kept, as text.
    pub fn history(&self) -> PathBuf {
        self.root.join("history")
    }

    /// A new folder for work in progress, on the same file system as everything else here; removed when dropped.
    pub fn unfinished(&self) -> Result<tempfile::TempDir, HomeError> {
        let folder = self.root.join(UNFINISHED);
        create_folder(&folder)?;
        tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .tempdir_in(&folder)
            .map_err(HomeError::at("create a folder in", &folder))
    }

    /// Gives finished work its final name. Where the name is taken, what stood there goes.
    pub fn finish(&self, finished: &Path, place: &Path) -> Result<(), HomeError> {
        if let Some(parent) = place.parent() {
            create_folder(parent)?;
        }
        if place.exists() {
            // A rename replaces no folder that has something in it: move the old one out of the way first.
            let old = self.unfinished()?;
            fs::rename(place, old.path().join("old")).map_err(HomeError::at("replace", place))?;
        }
        fs::rename(finished, place).map_err(HomeError::at("create", place))
    }

    /// Writes a file so that a reader sees the old contents or the new, never a part.
    pub fn write(&self, place: &Path, contents: &[u8]) -> Result<(), HomeError> {
        let folder = place.parent().unwrap_or(&self.root);
        create_folder(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(HomeError::at("write", place))?;
        file.write_all(contents).map_err(HomeError::at("write", place))?;
        file.persist(place).map_err(|error| HomeError::at("write", place)(error.error))?;
        Ok(())
    }

    /// Takes the lock of a name. `waiting` is called once if another process holds it.
    pub fn lock(&self, name: &str, waiting: impl FnOnce()) -> Result<Lock, HomeError> {
        let folder = self.root.join("locks");
        create_folder(&folder)?;
        let path = folder.join(name);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(HomeError::at("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(HomeError::at("lock", &path))?;
            }
            Err(TryLockError::Error(error)) => return Err(HomeError::at("lock", &path)(error)),
        }
        Ok(Lock { _file: file })
    }

    /// A fresh folder for the compiled cells of one kernel: here, or among the system's temporary files where this home
    /// is full or not ours to write.
    pub fn scratch(&self) -> Result<Scratch, HomeError> {
        let has_room = free_space(&self.root).is_none_or(|free| free >= ROOM_FOR_CELLS);
        let here = if has_room { self.scratch_here().ok() } else { None };
        match here {
            Some(scratch) => Ok(scratch),
            // Each user has a folder of their own there: what one makes, another cannot write.
            None => {
                let user = rustix::process::getuid().as_raw();
                Self::at(std::env::temp_dir().join(format!("oxtorch-{user}"))).scratch_here()
            }
        }
    }

    /// A fresh folder in this home. Those that dead kernels left behind are removed.
    fn scratch_here(&self) -> Result<Scratch, HomeError> {
        let cells = self.root.join(CELLS);
        create_folder(&cells)?;
        // A folder is made and gets its owner under this lock, so no other kernel takes it for one left behind.
        let _lock = self.lock(CELLS, || ())?;
        sweep_cells(&cells);
        let folder = tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .tempdir_in(&cells)
            .map_err(HomeError::at("create a folder in", &cells))?;
        let path = folder.path().join(OWNER);
        let owner = File::create(&path).map_err(HomeError::at("create", &path))?;
        owner.lock().map_err(HomeError::at("lock", &path))?;
        Ok(Scratch { folder, _owner: owner })
    }

    /// Removes work in progress that dead processes left behind. Only for the holder of the lock under which all such
    /// work is done.
    pub fn sweep_unfinished(&self, _held: &Lock) {
        let Ok(entries) = fs::read_dir(self.root.join(UNFINISHED)) else { return };
        for entry in entries.flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The lock of a name, released when dropped or when the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The folder of one kernel's compiled cells, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    _owner: File,
}

impl Scratch {
    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Creates a folder and those above it.
fn create_folder(folder: &Path) -> Result<(), HomeError> {
    fs::create_dir_all(folder).map_err(HomeError::at("create", folder))
}

/// Removes the folders that nobody holds the lock of. Locks, unlike process ids, also tell of kernels on other
/// machines that share this home. A folder that cannot be removed does no harm.
fn sweep_cells(cells: &Path) {
    let Ok(entries) = fs::read_dir(cells) else { return };
    for entry in entries.flatten() {
        let left_behind = match File::open(entry.path().join(OWNER)) {
            Ok(owner) => owner.try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if left_behind {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The space that is left for this user on the file system of a folder (or of the closest one above it that exists).
pub fn free_space(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;

    let existing = folder.ancestors().find(|folder| folder.exists())?;
    let path = std::ffi::CString::new(existing.as_os_str().as_bytes()).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` ends in NUL and `answer` is large enough for what statvfs writes.
    let result = unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) };
    if result != 0 {
        return None;
    }
    // SAFETY: statvfs returned 0, so it filled the struct; it was zeroed before in any case.
    let answer = unsafe { answer.assume_init() };
    // The fields' widths differ between platforms.
    #[allow(clippy::unnecessary_cast)]
    Some(answer.f_bavail as u64 * answer.f_frsize as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        (folder, home)
    }

    #[test]
    fn finished_work_replaces_what_stood_there() {
        let (_folder, home) = home();
        let place = home.place("things", "key");
        for contents in ["one", "two"] {
            let work = home.unfinished().expect("a folder for work");
            fs::write(work.path().join("file"), contents).expect("writes");
            home.finish(work.path(), &place).expect("renames");
            assert_eq!(fs::read_to_string(place.join("file")).expect("is there"), contents);
        }
        assert_eq!(fs::read_dir(home.root().join(UNFINISHED)).expect("is there").count(), 0);
    }

    #[test]
    fn a_lock_makes_the_second_one_wait() {
        let (_folder, home) = home();
        let first = home.lock("setup", || panic!("nobody holds it")).expect("locks");
        let (says, hears) = mpsc::channel();
        let second = {
            let home = home.clone();
            std::thread::spawn(move || {
                home.lock("setup", || says.send("waiting").expect("the test listens")).expect("locks");
            })
        };
        assert_eq!(hears.recv(), Ok("waiting"));
        assert!(!second.is_finished());
        drop(first);
        second.join().expect("gets the lock");
    }

    #[test]
    fn scratch_goes_when_dropped_and_what_the_dead_left_goes_at_the_next_start() {
        let (_folder, home) = home();
        let dead = home.place(CELLS, "1-abc");
        fs::create_dir_all(&dead).expect("creates");
        fs::write(dead.join(OWNER), "").expect("writes");
        let living = home.scratch().expect("a scratch folder");
        let scratch = home.scratch().expect("another one");
        let path = scratch.path().to_owned();
        assert!(path.is_dir() && living.path().is_dir() && !dead.exists());
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn cells_are_compiled_elsewhere_where_the_home_cannot_be_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writes");
        let scratch = Home::at(file).scratch().expect("a folder elsewhere");
        assert!(scratch.path().starts_with(std::env::temp_dir()) && scratch.path().is_dir());
    }

    #[test]
    fn a_home_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writes");
        let error = Home::at(file.join("home")).lock("setup", || ()).expect_err("a file is no folder");
        assert!(error.to_string().contains("file/home/locks"), "{error}");
        assert!(!error.is_disk_full());
    }

    #[test]
    fn a_written_file_is_replaced_whole() {
        let (_folder, home) = home();
        let place = home.place("ready", "a.json");
        home.write(&place, b"one").expect("writes");
        home.write(&place, b"two").expect("writes");
        assert_eq!(fs::read(&place).expect("is there"), b"two");
        assert_eq!(fs::read_dir(place.parent().expect("has a folder")).expect("is there").count(), 1);
    }
}
