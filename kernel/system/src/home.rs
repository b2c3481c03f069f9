//! The folder that holds what Oxtorch keeps on disk: libtorch, built runtimes, the scratch folders of running kernels.
//!
//! Things stand under keys, so that versions live side by side. Everything appears by one rename: what has its final
//! name is whole, whatever was killed or ran out of space on the way.
//!
//! A home may be an installation that many users share and that none of them can write. What sessions write (scratch,
//! cache, history, the crates of `:dep`) then has a folder of each user's own. `marker` tells a home from other
//! folders, `scratch` makes the folders of kernels, `files` what nobody else can write; `trust` says who can change
//! what is loaded from here.

mod files;
pub mod marker;
mod scratch;
pub mod trust;

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use files::make_private;
pub use files::{create_folder, keep_others_from_writing, link, private_lock, write_file};
pub use scratch::Scratch;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Where work in progress stands, ahead of its rename.
const UNFINISHED: &str = "tmp";
/// The folders of a home from which code is loaded, that say which, or in which it is made.
const KINDS_THAT_ARE_LOADED: [&str; 11] =
    ["ready", "runtime", "shim", "libtorch", "build", "cache", "cells", "deps", "evcxr", "locks", UNFINISHED];
/// How soon a lock that another process holds is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// A failure of the home itself, with the path that it happened at.
#[derive(Debug, Error)]
pub enum HomeError {
    /// No place for the home could be found.
    #[error("there is no home directory to keep Oxtorch's files in")]
    Nowhere,
    /// The folder is in use for something else.
    #[error("{} is not a folder of Oxtorch's: it holds {}", root.display(), entry.display())]
    Foreign {
        /// The folder.
        root: PathBuf,
        /// Something in it that is not ours, by its path below the folder.
        entry: PathBuf,
    },
    /// Somebody else can change what would be loaded.
    #[error("{} {why}: code loaded from there could be theirs", path.display())]
    Untrusted {
        /// The file or folder that they can change.
        path: PathBuf,
        /// Whose it is, or who can write it.
        why: String,
    },
    /// Another process works, or hangs, where only one may.
    #[error("another process has held {} for more than {} s", path.display(), waited.as_secs())]
    Busy {
        /// The file that it holds locked.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
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
    /// The error of an action, named by a verb, at a file or folder.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What the user can do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Foreign { .. } => "set OXTORCH_HOME (or OXTORCH_CACHE) to a new or an empty folder".to_owned(),
            Self::Untrusted { path, .. } => format!(
                "if you know that nobody has changed anything: chmod -R go-w {}; else set OXTORCH_HOME (or OXTORCH_CACHE) to a folder of your own. Where \
                 the modes of files mean nothing, {}=1 loads what is there anyway",
                path.display(),
                trust::VARIABLE
            ),
            Self::Busy { path, .. } => format!(
                "`fuser {}` shows the id of that process: wait until it is done, or end it if it hangs",
                path.display()
            ),
            _ if self.is_disk_full() => {
                "free some space, or set OXTORCH_HOME to a folder on another disk; then run `oxtorch setup` again"
                    .to_owned()
            }
            Self::Nowhere | Self::Io { .. } => "set OXTORCH_HOME to a folder that you may write to".to_owned(),
        }
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
    /// What sessions write: the same folder, or one of this user's own.
    own: PathBuf,
}

impl Home {
    /// The home that the environment names: `OXTORCH_HOME`, else `oxtorch` in the user's data directory. What sessions
    /// write goes there as well where it is the user's own, else to `OXTORCH_CACHE` or `oxtorch` in the user's cache
    /// directory.
    ///
    /// # Errors
    ///
    /// Where one of these folders is in use for something else, or where there is no place for them.
    pub fn from_environment() -> Result<Self, HomeError> {
        let named = |name| match std::env::var_os(name).filter(|value| !value.is_empty()) {
            Some(folder) => std::path::absolute(&folder).map(Some).map_err(HomeError::at("find", Path::new(&folder))),
            None => Ok(None),
        };
        let root = match named("OXTORCH_HOME")? {
            Some(root) => root,
            None => dirs::data_dir().ok_or(HomeError::Nowhere)?.join("oxtorch"),
        };
        let own = match named("OXTORCH_CACHE")? {
            Some(own) => own,
            None if is_own(&root) => root.clone(),
            None => dirs::cache_dir().ok_or(HomeError::Nowhere)?.join("oxtorch"),
        };
        marker::check(&root)?;
        marker::check(&own)?;
        Ok(Self { root, own })
    }

    /// A home at a given folder, which need not exist yet, for one user.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { own: root.clone(), root }
    }

    /// The same home, with what sessions write in another folder.
    pub fn with_own(self, own: PathBuf) -> Self {
        Self { own, ..self }
    }

    /// What sessions of this user write, as a home of its own.
    pub fn own(&self) -> Self {
        Self::at(&self.own)
    }

    /// Whether the home is an installation that others have made, or that this user keeps apart from what sessions
    /// write.
    pub fn is_apart(&self) -> bool {
        self.root != self.own
    }

    /// Whether this user can write the home, or make it.
    pub fn is_writable(&self) -> bool {
        let existing = self.root.ancestors().find(|folder| folder.exists());
        existing.is_some_and(may_write)
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
        self.own.join("cache")
    }

    /// Where the cells that users ran are kept, as text.
    pub fn history(&self) -> PathBuf {
        self.own.join("history")
    }

    /// Makes a folder in this home, which becomes one with that.
    pub fn prepare(&self, folder: &Path) -> Result<(), HomeError> {
        marker::claim(&self.root)?;
        create_folder(folder).map_err(HomeError::at("create", folder))
    }

    /// An error where others than this user and root can change what is loaded from here, or what this user's sessions
    /// write and load again.
    pub fn check_trust(&self) -> Result<(), HomeError> {
        let own = self.is_apart().then_some(&self.own);
        for root in [&self.root].into_iter().chain(own) {
            trust::check(root)?;
            KINDS_THAT_ARE_LOADED.iter().try_for_each(|kind| trust::check_here(&root.join(kind)))?;
        }
        Ok(())
    }

    /// A new folder for work in progress, on the same file system as everything else here; removed when dropped.
    pub fn unfinished(&self) -> Result<tempfile::TempDir, HomeError> {
        let folder = self.root.join(UNFINISHED);
        self.prepare(&folder)?;
        tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .tempdir_in(&folder)
            .map_err(HomeError::at("create a folder in", &folder))
    }

    /// Gives finished work its final name. Where the name is taken, what stood there goes.
    pub fn finish(&self, finished: &Path, place: &Path) -> Result<(), HomeError> {
        if let Some(parent) = place.parent() {
            self.prepare(parent)?;
        }
        if place.exists() {
            // A rename replaces no folder that has something in it: move the old one out of the way first.
            let old = self.unfinished()?;
            fs::rename(place, old.path().join("old")).map_err(HomeError::at("replace", place))?;
        }
        keep_others_from_writing(finished).map_err(HomeError::at("change the mode of", finished))?;
        fs::rename(finished, place).map_err(HomeError::at("create", place))
    }

    /// Writes a file so that a reader sees the old contents or the new, never a part.
    pub fn write(&self, place: &Path, contents: &[u8]) -> Result<(), HomeError> {
        let folder = place.parent().unwrap_or(&self.root);
        self.prepare(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(HomeError::at("write", place))?;
        file.write_all(contents).map_err(HomeError::at("write", place))?;
        // An installation is read by others than the one who made it.
        let mode = Permissions::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(HomeError::at("change the mode of", place))?;
        file.persist(place).map_err(|error| HomeError::at("write", place)(error.error))?;
        Ok(())
    }

    /// Takes the lock of a name. Where another process holds it, `waiting` is called once with the file that it holds,
    /// and the lock is waited for as long as `patience` says.
    pub fn lock(&self, name: &str, patience: Duration, waiting: impl FnOnce(&Path)) -> Result<Lock, HomeError> {
        let folder = self.root.join("locks");
        self.prepare(&folder)?;
        let path = folder.join(name);
        make_private(&folder).map_err(HomeError::at("change the mode of", &folder))?;
        let file = private_lock(&path).map_err(HomeError::at("open", &path))?;
        let begun = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                    if let Some(waiting) = waiting.take() {
                        waiting(&path);
                    }
                    std::thread::sleep(AGAIN);
                }
                Err(TryLockError::WouldBlock) => return Err(HomeError::Busy { path, waited: patience }),
                Err(TryLockError::Error(error)) => return Err(HomeError::at("lock", &path)(error)),
            }
        }
    }

    /// Removes work in progress that dead processes left behind. Only for the holder of the lock under which all such
    /// work is done.
    pub fn sweep_unfinished(&self, _held: &Lock) {
        for folder in scratch::work_in(&self.root.join(UNFINISHED)) {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The lock of a name, released when dropped or when the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Whether a home is this user's own to write into, or is not there yet.
fn is_own(root: &Path) -> bool {
    match root.metadata() {
        Ok(found) => found.uid() == rustix::process::geteuid().as_raw() && may_write(root),
        Err(_) => true,
    }
}

fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// The space that is left for this user on the file system of a folder (or of the closest one above it that exists).
pub fn free_space(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    let found = rustix::fs::statvfs(existing).ok()?;
    Some(found.f_bavail * found.f_frsize)
}

/// Names a state of things: the same parts give the same key, any other parts another one.
pub fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ["ab", "c"] and ["a", "bc"] apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut digits = format!("{:x}", hash.finalize());
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A home in a folder of a test's own.
    pub(super) fn home() -> (tempfile::TempDir, Home) {
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
        let first = home.lock("setup", LONG, |_| panic!("nobody holds it")).expect("locks");
        let (says, hears) = mpsc::channel();
        let second = {
            let home = home.clone();
            std::thread::spawn(move || {
                home.lock("setup", LONG, |_| says.send("waiting").expect("the test listens")).expect("locks");
            })
        };
        assert_eq!(hears.recv(), Ok("waiting"));
        assert!(!second.is_finished());
        drop(first);
        second.join().expect("gets the lock");
    }

    #[test]
    fn a_lock_is_its_users_alone_and_is_not_waited_for_for_ever() {
        let (_folder, home) = home();
        let locks = home.root().join("locks");
        let file = locks.join("setup");
        // As an earlier version has left them.
        fs::create_dir_all(&locks).expect("creates");
        fs::write(&file, "").expect("writes");
        for (path, mode) in [(&locks, 0o755), (&file, 0o644)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("is ours");
        }
        let _held = home.lock("setup", LONG, |_| ()).expect("locks");
        let mode = |path: &Path| path.metadata().expect("is there").permissions().mode() & 0o777;
        assert_eq!((mode(&locks), mode(&file)), (0o700, 0o600));
        let mut told = None;
        let error = home.lock("setup", AGAIN, |path| told = Some(path.to_owned())).expect_err("it is held");
        assert_eq!(told.as_deref(), Some(&*file));
        assert!(matches!(&error, HomeError::Busy { path, .. } if *path == file), "{error}");
        assert!(error.help().contains("fuser"), "{}", error.help());
        drop(home.lock("other", LONG, |_| ()).expect("another lock"));
        assert_eq!(mode(&locks.join("other")), 0o600);
    }

    #[test]
    fn what_sessions_write_is_looked_at_like_the_home_itself() {
        let (folder, shared) = home();
        let own = folder.path().join("own");
        let home = Home { own: own.clone(), ..shared };
        fs::create_dir_all(own.join("deps")).expect("creates");
        home.check_trust().expect("nobody else can write it");
        for open in [own.join("deps"), own.clone()] {
            fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("is ours");
            let error = home.check_trust().expect_err("everybody can write it");
            assert!(matches!(&error, HomeError::Untrusted { path, .. } if *path == open), "{error}");
        }
    }

    #[test]
    fn a_sweep_takes_only_work_in_progress() {
        let (_folder, home) = home();
        let lock = home.lock("setup", LONG, |_| ()).expect("locks");
        for name in ["1-abcdef", "experiment1"] {
            fs::create_dir_all(home.root().join(UNFINISHED).join(name)).expect("creates");
        }
        home.sweep_unfinished(&lock);
        let left: Vec<_> = fs::read_dir(home.root().join(UNFINISHED)).expect("is there").flatten().collect();
        assert_eq!(left.iter().map(fs::DirEntry::file_name).collect::<Vec<_>>(), ["experiment1"]);
    }

    #[test]
    fn nothing_is_put_into_a_folder_that_is_in_use_for_something_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("thesis.tex"), "").expect("writes");
        let home = Home::at(folder.path());
        let tried = [
            home.lock("setup", LONG, |_| ()).map(drop),
            home.unfinished().map(drop),
            home.write(&home.place("ready", "a"), b"").map(drop),
            home.finish(&folder.path().join("thesis.tex"), &home.place("runtime", "a")),
            home.scratch(|_| ()).map(drop),
        ];
        for result in tried {
            let error = result.expect_err("it is in use").to_string();
            assert!(error.ends_with("it holds thesis.tex"), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("is there").count(), 1);
    }

    #[test]
    fn what_is_finished_others_can_read_and_not_write() {
        let (_folder, home) = home();
        let work = home.unfinished().expect("a folder for work");
        let finished = work.path().join("runtime");
        fs::create_dir(&finished).expect("creates");
        fs::write(finished.join("library"), "").expect("writes");
        for (path, mode) in [(finished.clone(), 0o777), (finished.join("library"), 0o664)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("is ours");
        }
        let place = home.place("runtime", "key");
        home.finish(&finished, &place).expect("renames");
        home.write(&home.place("ready", "a.json"), b"").expect("writes");
        let mode = |path: &Path| path.metadata().expect("is there").permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(&place.join("library"))), (0o755, 0o644));
        assert_eq!(mode(&home.place("ready", "a.json")), 0o644);
        assert_eq!(mode(home.root()) & 0o022, 0);
    }

    #[test]
    fn a_home_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writes");
        let error = Home::at(file.join("home")).lock("setup", LONG, |_| ()).expect_err("a file is not a folder");
        assert!(error.to_string().contains("file/home"), "{error}");
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
