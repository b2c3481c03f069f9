//! The folders of running kernels, which their user alone can enter, and the end of what dead ones have left.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use super::marker::is_work;
use super::{Home, HomeError, free_space, trust};

/// Where running kernels keep their compiled cells.
pub(super) const CELLS: &str = "cells";
/// What the cells of a session may take, in bytes.
const ROOM_FOR_CELLS: u64 = 64 << 20;
/// The file in a kernel's folder that the kernel holds locked while it lives.
const OWNER: &str = "owner.lock";
/// For its user alone.
const PRIVATE: u32 = 0o700;
/// How long another kernel may take to make its folder.
const PATIENCE: Duration = Duration::from_secs(10);

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

impl Home {
    /// A fresh folder for the compiled cells of one kernel: here, or among the system's temporary files where this home
    /// is full or not ours to write. `tell` gets a line if that takes long, or is so.
    pub fn scratch(&self, tell: impl Fn(&str)) -> Result<Scratch, HomeError> {
        let own = self.own();
        // A place that others can change is not made better by another one: more than the cells of this session comes
        // from there.
        own.check_trust()?;
        let has_room = free_space(&own.root).is_none_or(|free| free >= ROOM_FOR_CELLS);
        let why = match has_room.then(|| own.scratch_here(&tell)) {
            Some(Ok(scratch)) => return Ok(scratch),
            Some(Err(error @ (HomeError::Foreign { .. } | HomeError::Untrusted { .. }))) => return Err(error),
            Some(Err(HomeError::Io { action, path, source })) => {
                format!("cannot {action} {}: {source}", path.display())
            }
            Some(Err(error)) => error.to_string(),
            None => format!("the disk of {} is full", own.root.display()),
        };
        let scratch = scratch_among_temporary_files(&std::env::temp_dir(), &tell)?;
        tell(&format!("{why}; cells are compiled in {}", scratch.path().display()));
        Ok(scratch)
    }

    /// A fresh folder in this home, which was found to be this user's. Those that dead kernels left behind are removed.
    fn scratch_here(&self, tell: &dyn Fn(&str)) -> Result<Scratch, HomeError> {
        let cells = self.root.join(CELLS);
        self.prepare(&cells)?;
        // A folder is made and gets its owner under this lock, so no other kernel takes it for one left behind.
        let waiting = |file: &Path| tell(&format!("waiting for another oxtorch, which holds {}", file.display()));
        let _lock = self.lock(CELLS, PATIENCE, waiting)?;
        sweep(&cells);
        fresh(&cells, "")
    }
}

/// A fresh folder where no home can be written. Other users write there too: none of them may be able to put another
/// folder in the place of ours, and what has the name that we look for must be a folder, and ours alone, before
/// anything in it is taken for ours.
fn scratch_among_temporary_files(temporary: &Path, tell: &dyn Fn(&str)) -> Result<Scratch, HomeError> {
    trust::check_way(temporary)?;
    let user = rustix::process::geteuid().as_raw();
    let home = temporary.join(format!("oxtorch-{user}"));
    let made = DirBuilder::new().mode(PRIVATE).create(&home);
    let is_new = made.is_ok();
    let is_ours = is_new
        || home
            .symlink_metadata()
            .is_ok_and(|found| found.is_dir() && found.uid() == user && found.permissions().mode() & 0o077 == 0);
    if is_ours {
        let home = Home::at(home);
        home.check_trust()?;
        return home.scratch_here(tell);
    }
    // The name is taken by somebody else, or by an earlier version, which let others in.
    fresh(temporary, &format!("oxtorch-{user}-"))
}

/// A new folder that is locked as long as this process lives.
fn fresh(parent: &Path, prefix: &str) -> Result<Scratch, HomeError> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("{prefix}{}-", std::process::id()))
        .permissions(Permissions::from_mode(PRIVATE))
        .tempdir_in(parent)
        .map_err(HomeError::at("create a folder in", parent))?;
    let path = folder.path().join(OWNER);
    let owner = File::create(&path).map_err(HomeError::at("create", &path))?;
    owner.lock().map_err(HomeError::at("lock", &path))?;
    Ok(Scratch { folder, _owner: owner })
}

/// Removes the folders that nobody holds the lock of. Locks, unlike process ids, also tell of kernels on other
/// machines that share this home. A folder that cannot be removed does no harm.
fn sweep(cells: &Path) {
    for path in work_in(cells) {
        let left_behind = match File::open(path.join(OWNER)) {
            Ok(owner) => owner.try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if left_behind {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// The folders of this user's that have a name of our own making, in a folder for such.
pub(super) fn work_in(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    // A link leads to what is somebody's.
    let is_folder = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
    let entries = is_folder.then(|| fs::read_dir(folder).ok()).flatten();
    let user = rustix::process::geteuid().as_raw();
    entries.into_iter().flatten().flatten().filter_map(move |entry| {
        let found = entry.path().symlink_metadata().ok()?;
        (is_work(&entry.file_name()) && found.is_dir() && found.uid() == user).then(|| entry.path())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::home::tests::home;

    /// What a kernel leaves that was killed.
    fn left_behind(cells: &Path, name: &str) -> PathBuf {
        let dead = cells.join(name);
        fs::create_dir_all(&dead).expect("creates");
        fs::write(dead.join(OWNER), "").expect("writes");
        dead
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().expect("is there").permissions().mode() & 0o7777
    }

    #[test]
    fn scratch_goes_when_dropped_and_what_the_dead_left_goes_at_the_next_start() {
        let (_folder, home) = home();
        let dead = left_behind(&home.root().join(CELLS), "1-abcdef");
        let living = home.scratch(|_| ()).expect("a scratch folder");
        let scratch = home.scratch(|_| ()).expect("another one");
        let path = scratch.path().to_owned();
        assert!(path.is_dir() && living.path().is_dir() && !dead.exists());
        assert_eq!(mode(&path), 0o700);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_sweep_takes_nothing_of_anybody_elses() {
        let (folder, home) = home();
        drop(home.scratch(|_| ()).expect("it is a home now"));
        let cells = home.root().join(CELLS);
        let documents = folder.path().join("documents");
        let kept = [cells.join("mine"), left_behind(&cells, "experiment-1"), left_behind(&documents, "1-abcdef")];
        fs::create_dir(&kept[0]).expect("creates");
        symlink(&documents, cells.join("2-abcdef")).expect("links");
        drop(home.scratch(|_| ()).expect("a scratch folder"));
        assert!(kept.iter().all(|folder| folder.is_dir()), "{kept:?}");

        // Nor where the whole folder leads elsewhere.
        fs::rename(&cells, folder.path().join("before")).expect("renames");
        symlink(&documents, &cells).expect("links");
        drop(home.scratch(|_| ()).expect("a scratch folder"));
        assert!(kept[2].join(OWNER).is_file());
    }

    #[test]
    fn cells_are_compiled_elsewhere_where_the_home_cannot_be_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writes");
        let told = std::cell::RefCell::new(String::new());
        let scratch = Home::at(&file).scratch(|line| *told.borrow_mut() += line).expect("a folder elsewhere");
        let told = told.into_inner();
        let named = [file.display().to_string(), scratch.path().display().to_string()];
        assert!(named.iter().all(|path| told.contains(path)), "the user has to know: {told}");
        assert!(scratch.path().starts_with(std::env::temp_dir()) && scratch.path().is_dir());
        assert_eq!(mode(scratch.path()), 0o700);
    }

    #[test]
    fn where_others_can_write_no_other_place_is_taken_instead() {
        let (_folder, home) = home();
        // Nothing can be made here.
        fs::create_dir_all(home.root()).expect("creates");
        fs::write(home.root().join(CELLS), "").expect("writes");
        fs::set_permissions(home.root(), Permissions::from_mode(0o777)).expect("is ours");
        let error = home.scratch(|_| ()).expect_err("everybody can write it");
        assert!(matches!(error, HomeError::Untrusted { .. }), "{error}");
        // Nor are temporary files a place where everybody can put another folder there.
        let temporary = tempfile::tempdir().expect("a temporary folder");
        for (mode, is_good) in [(0o777, false), (0o1777, true)] {
            fs::set_permissions(temporary.path(), Permissions::from_mode(mode)).expect("is ours");
            let scratch = scratch_among_temporary_files(temporary.path(), &|_| ());
            assert_eq!(scratch.is_ok(), is_good, "{mode:o}");
        }
    }

    #[test]
    fn a_folder_among_temporary_files_is_taken_only_if_it_is_ours_alone() {
        let user = rustix::process::geteuid().as_raw();
        let name = format!("oxtorch-{user}");
        let own = tempfile::tempdir().expect("a temporary folder");
        let scratch = scratch_among_temporary_files(own.path(), &|_| ()).expect("a folder");
        assert!(scratch.path().starts_with(own.path().join(&name).join(CELLS)));
        assert_eq!((mode(&own.path().join(&name)), mode(scratch.path())), (0o700, 0o700));
        // The next kernel takes the same one.
        let next = scratch_among_temporary_files(own.path(), &|_| ()).expect("a folder");
        assert_eq!(next.path().parent(), scratch.path().parent());

        // Open to others, a link, or a file: another folder is made, and nothing is removed.
        for trap in ["open", "link", "file"] {
            let temporary = tempfile::tempdir().expect("a temporary folder");
            let documents = temporary.path().join("documents");
            let kept = left_behind(&documents.join(CELLS), "1-abcdef");
            let place = temporary.path().join(&name);
            match trap {
                "open" => {
                    fs::rename(&documents, &place).expect("renames");
                    fs::set_permissions(&place, Permissions::from_mode(0o777)).expect("is ours");
                }
                "link" => symlink(&documents, &place).expect("links"),
                _ => fs::write(&place, "").expect("writes"),
            }
            let scratch = scratch_among_temporary_files(temporary.path(), &|_| ()).expect("a folder");
            assert_eq!(scratch.path().parent(), Some(temporary.path()), "{trap}");
            assert_eq!(mode(scratch.path()), 0o700);
            let kept = if trap == "open" { place.join(CELLS).join("1-abcdef") } else { kept };
            assert!(kept.join(OWNER).is_file(), "{trap}");
        }
    }
}
