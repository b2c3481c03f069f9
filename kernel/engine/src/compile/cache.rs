//! Compiled cells on disk, shared by all sessions of a user, so that what was compiled once is not compiled again.
//!
//! An entry is a record under the name of the cell's crate at the first try, and the library that the record names.
//! Both appear by one rename, the record last; the record knows the library's hash. So whatever was killed or ran out
//! of space on the way, a reader gets an entry that is whole or none. What others than the user and root can write is
//! no entry, as they could change a library together with its hash. A session links (or copies) what it uses into a
//! folder of its own: removing an entry takes nothing from a session that runs.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use oxtorch_setup::contents::hash;
use oxtorch_system::home::marker::{UNFINISHED, is_cached};
use oxtorch_system::home::{link, trust};
use serde::{Deserialize, Serialize};

/// The bound where `OXTORCH_CACHE_MB` says nothing: some thousands of cells.
const DEFAULT_LIMIT: u64 = 1 << 30;
/// How full the cache is after it was swept, in percent of its bound.
const AFTER_SWEEP: u64 = 80;
/// A temporary file that is older than this has no writer any more.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The mode of what is kept: a cache is one user's.
const PRIVATE: u32 = 0o600;
/// The file that one sweeper at a time holds locked.
const SWEEPER: &str = "sweeper.lock";

/// A folder of compiled cells with a bound.
#[derive(Debug)]
pub struct Cache {
    /// `None` where the cache is switched off.
    folder: Option<PathBuf>,
    limit: u64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What stands in the cache beside a library.
#[derive(Debug, Serialize, Deserialize)]
struct Record<T> {
    /// The library's file name.
    library: String,
    /// Its hash, SHA-256 in hexadecimal digits.
    sha256: String,
    /// What the session that compiled it has learnt.
    lessons: T,
}

/// How full a cache is, and what it was good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Where it is; `None` where it is switched off.
    pub folder: Option<PathBuf>,
    /// The number of compiled cells in it.
    pub cells: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// The bound, in bytes.
    pub limit: u64,
    /// Cells of this session that were found in it.
    pub hits: u64,
    /// Cells of this session that were not.
    pub misses: u64,
}

impl Cache {
    /// A cache in a folder, which need not exist, with a bound in bytes; a bound of 0 switches it off.
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        let folder = (limit > 0).then_some(folder);
        Self { folder, limit, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// A cache in a folder with the bound that the environment names: `OXTORCH_CACHE_MB`, in megabytes.
    pub fn from_environment(folder: PathBuf) -> Self {
        let megabytes = std::env::var("OXTORCH_CACHE_MB").ok().and_then(|value| value.trim().parse::<u64>().ok());
        Self::new(folder, megabytes.map_or(DEFAULT_LIMIT, |megabytes| megabytes.saturating_mul(1_000_000)))
    }

    /// What was learnt of a crate, after its library has been put into `scratch`; `None` where there is no whole entry.
    ///
    /// Errors are misses: a cell can always be compiled.
    pub fn get<T: for<'a> Deserialize<'a>>(&self, first_name: &str, scratch: &Path) -> Option<T> {
        let found = self.folder.as_deref().and_then(|folder| read(folder, first_name, scratch));
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a library and what was learnt of it.
    pub fn put<T: Serialize>(&self, first_name: &str, library: &Path, lessons: &T) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = library.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
        let sha256 = hash(library)?;
        let kept = folder.join(name);
        // The same crate may have been compiled by two sessions at once; either library will do, but the record has to
        // tell the hash of the one that stays.
        if !hash(&kept).is_ok_and(|kept| kept == sha256) {
            let unfinished = unfinished(folder)?;
            fill(&unfinished, library)?;
            fs::set_permissions(unfinished.path(), fs::Permissions::from_mode(PRIVATE))?;
            unfinished.persist(&kept).map_err(|error| error.error)?;
        }
        let record = Record { library: name.to_owned(), sha256, lessons };
        let mut unfinished = unfinished(folder)?;
        serde_json::to_writer(&mut unfinished, &record)?;
        unfinished.persist(record_path(folder, first_name)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes what was used longest ago until the cache is within its bound. One process at a time does this.
    pub fn sweep(&self) -> io::Result<()> {
        let Some(folder) = self.folder.as_deref().filter(|folder| folder.is_dir()) else { return Ok(()) };
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join(SWEEPER))?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let mut files = list(folder)?;
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let too_full = bytes > self.limit;
        files.sort_by_key(|file| file.used);
        for file in files {
            let abandoned = file.is_unfinished && file.used.elapsed().is_ok_and(|age| age > ABANDONED);
            let too_much = too_full && !file.is_unfinished && bytes > self.limit / 100 * AFTER_SWEEP;
            if (abandoned || too_much) && fs::remove_file(&file.path).is_ok() {
                bytes -= file.bytes;
            }
        }
        Ok(())
    }

    /// Removes everything.
    pub fn clear(&self) -> io::Result<()> {
        let Some(folder) = self.folder.as_deref().filter(|folder| folder.is_dir()) else { return Ok(()) };
        for file in list(folder)? {
            match fs::remove_file(&file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How full it is.
    pub fn usage(&self) -> io::Result<Usage> {
        let files = match &self.folder {
            Some(folder) if folder.is_dir() => list(folder)?,
            _ => Vec::new(),
        };
        Ok(Usage {
            folder: self.folder.clone(),
            cells: files.iter().filter(|file| file.path.extension().is_some_and(|it| it == "json")).count() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            limit: self.limit,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        })
    }
}

fn record_path(folder: &Path, first_name: &str) -> PathBuf {
    folder.join(format!("{first_name}.json"))
}

fn read<T: for<'a> Deserialize<'a>>(folder: &Path, first_name: &str, scratch: &Path) -> Option<T> {
    let path = record_path(folder, first_name);
    // Whoever can write one of the two can make it go with the other.
    let is_safe = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_file() && trust::is_safe(&found));
    let record: Record<T> = serde_json::from_slice(&fs::read(&path).ok().filter(|_| is_safe(&path))?).ok()?;
    if !is_cached(record.library.as_ref()) {
        return None;
    }
    let kept = folder.join(&record.library);
    if !is_safe(&kept) {
        return None;
    }
    let library = scratch.join(&record.library);
    // What a killed rustc has left there is not the library.
    if !hash(&library).is_ok_and(|found| found == record.sha256) {
        // What is checked is what is loaded: the file under its temporary name in our own folder.
        let unfinished = unfinished(scratch).ok()?;
        fill(&unfinished, &kept).ok()?;
        if hash(unfinished.path()).ok()? != record.sha256 {
            return None;
        }
        unfinished.persist(&library).ok()?;
    }
    // A sweep goes by these times. A cache that cannot be written to is not swept either.
    let now = SystemTime::now();
    for path in [&path, &kept] {
        let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(now));
    }
    Some(record.lessons)
}

fn unfinished(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).permissions(fs::Permissions::from_mode(PRIVATE)).tempfile_in(folder)
}

/// Gives what has a temporary name a second one, or copies it, in place of the empty temporary file.
fn fill(unfinished: &tempfile::NamedTempFile, from: &Path) -> io::Result<()> {
    fs::remove_file(unfinished.path())?;
    link(from, unfinished.path())
}

/// A file in the cache.
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    is_unfinished: bool,
}

fn list(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // Another process may be sweeping or clearing.
        let Ok(metadata) = entry.metadata() else { continue };
        if name == SWEEPER || !is_cached(&name) || !metadata.is_file() {
            continue;
        }
        let is_unfinished = name.to_string_lossy().starts_with(UNFINISHED);
        files.push(Kept { path: entry.path(), bytes: metadata.len(), used: metadata.modified()?, is_unfinished });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folders {
        _root: tempfile::TempDir,
        cache: PathBuf,
        scratch: PathBuf,
    }

    fn folders() -> Folders {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (cache, scratch) = (root.path().join("cache"), root.path().join("scratch"));
        fs::create_dir(&scratch).expect("a folder");
        Folders { _root: root, cache, scratch }
    }

    fn compiled(folders: &Folders, name: &str, contents: &[u8]) -> PathBuf {
        let library = folders.scratch.join(format!("lib{name}.so"));
        fs::write(&library, contents).expect("writes");
        library
    }

    #[test]
    fn what_was_put_is_found_by_another_session() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("is kept");
        fs::remove_file(&library).expect("is there");
        assert_eq!(cache.get::<String>("cell_first", &folders.scratch).as_deref(), Some("lesson"));
        assert_eq!(fs::read(&library).expect("is back"), b"code");
        assert_eq!(cache.get::<String>("cell_other", &folders.scratch), None);
        let usage = cache.usage().expect("can be listed");
        assert_eq!((usage.cells, usage.hits, usage.misses), (1, 1, 1));
    }

    #[test]
    fn a_library_that_is_not_the_one_that_was_put_is_no_hit() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("is kept");
        fs::remove_file(&library).expect("is there");
        fs::write(folders.cache.join("libcell_a.so"), b"co").expect("writes");
        assert_eq!(cache.get::<String>("cell_first", &folders.scratch), None);
        assert!(!library.exists());
    }

    #[test]
    fn a_part_of_a_library_that_a_session_has_is_replaced() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("is kept");
        fs::remove_file(&library).expect("is there");
        fs::write(&library, b"co").expect("writes");
        assert!(cache.get::<String>("cell_first", &folders.scratch).is_some());
        assert_eq!(fs::read(&library).expect("is there"), b"code");
    }

    #[test]
    fn a_damaged_record_is_no_hit() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("is kept");
        fs::write(folders.cache.join("cell_first.json"), b"{\"library\":").expect("writes");
        assert_eq!(cache.get::<String>("cell_first", &folders.scratch), None);
    }

    #[test]
    fn what_others_can_write_is_no_hit() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("is kept");
        let mode = |path: &Path| path.metadata().expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode(&folders.cache), 0o700);
        for file in ["cell_first.json", "libcell_a.so"] {
            let path = folders.cache.join(file);
            assert_eq!(mode(&path), 0o600);
            let scratch = tempfile::tempdir().expect("a temporary folder");
            assert!(cache.get::<String>("cell_first", scratch.path()).is_some());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o606)).expect("is ours");
            let scratch = tempfile::tempdir().expect("a temporary folder");
            assert_eq!(cache.get::<String>("cell_first", scratch.path()), None, "{file}");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("is ours");
        }
    }

    #[test]
    fn a_record_that_names_a_file_elsewhere_is_no_hit() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("is kept");
        let record = folders.cache.join("cell_first.json");
        let text = fs::read_to_string(&record).expect("is there").replace("libcell_a.so", "../libcell_a.so");
        fs::rename(folders.cache.join("libcell_a.so"), folders.cache.join("../libcell_a.so")).expect("moves");
        fs::write(&record, text).expect("writes");
        assert_eq!(cache.get::<String>("cell_first", &folders.scratch), None);
    }

    #[test]
    fn what_is_not_of_the_cache_is_neither_swept_nor_cleared() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 10);
        let library = compiled(&folders, "cell_a", &[0; 4000]);
        cache.put("cell_a", &library, &"lesson").expect("is kept");
        let mine = folders.cache.join("notes.json");
        fs::write(&mine, [0; 4000]).expect("writes");
        cache.sweep().expect("sweeps");
        cache.clear().expect("clears");
        assert!(mine.is_file() && !folders.cache.join("cell_a.json").exists());
    }

    #[test]
    fn a_sweep_removes_what_was_used_longest_ago() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 10_000);
        for (age, name) in [(30, "cell_a"), (20, "cell_b"), (10, "cell_c")] {
            let library = compiled(&folders, name, &[0; 4000]);
            cache.put(name, &library, &"lesson").expect("is kept");
            for file in [format!("lib{name}.so"), format!("{name}.json")] {
                let file = File::options().append(true).open(folders.cache.join(file)).expect("opens");
                file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("takes a time");
            }
        }
        cache.sweep().expect("sweeps");
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let left = ["cell_a", "cell_b", "cell_c"].map(|name| cache.get::<String>(name, scratch.path()).is_some());
        assert_eq!(left, [false, false, true]);
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_an_error_and_no_hit() {
        let folders = folders();
        fs::write(&folders.cache, b"a file in the way").expect("writes");
        let cache = Cache::new(folders.cache.clone(), 1000);
        let library = compiled(&folders, "cell_a", b"code");
        assert!(cache.put("cell_first", &library, &"lesson").is_err());
        assert_eq!(cache.get::<String>("cell_first", &folders.scratch), None);
    }

    #[test]
    fn a_bound_of_nothing_switches_it_off() {
        let folders = folders();
        let cache = Cache::new(folders.cache.clone(), 0);
        let library = compiled(&folders, "cell_a", b"code");
        cache.put("cell_first", &library, &"lesson").expect("does nothing");
        assert!(!folders.cache.exists());
    }
}
