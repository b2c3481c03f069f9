//! The build folder of a runtime that others have made, as this user's own: crates of `:dep` are built beside the
//! runtime's.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use oxtorch_system::home::{HomeError, create_folder};

use crate::build::{CARGO_LOCK, Recipe};
use crate::error::SetupError;

/// Files from here on are linked: what cargo has built it does not write again, and there are some hundred megabytes of
/// it.
const LARGE: u64 = 16 << 10;

/// How long another session may take to make it: the disk may be slow.
const PATIENCE: Duration = Duration::from_secs(600);

/// Makes the build folder that a recipe names, where that is not the installation's and is not there yet. `tell` gets a
/// line if another session does so.
pub fn make(recipe: &Recipe, tell: &dyn Fn(String)) -> Result<(), SetupError> {
    let target = recipe.target();
    let (Some(home), Some(place)) = (recipe.apart(), target.parent()) else { return Ok(()) };
    let from = recipe.workspace().join("target");
    // What came with the program has no build folder.
    if target.exists() || !from.is_dir() {
        return Ok(());
    }
    let waiting = |file: &Path| tell(format!("waiting for another session, which holds {}", file.display()));
    let _lock = home.lock("build", PATIENCE, waiting)?;
    if target.exists() {
        return Ok(());
    }
    let work = home.unfinished()?;
    let finished = work.path().join("build");
    copy(&from, &finished.join("target")).map_err(HomeError::at("copy", &from))?;
    home.finish(&finished, place)?;
    Ok(())
}

/// Copies a folder with the times of its files, by which cargo knows what is done.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    create_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // Its user's alone.
        if entry.file_name() == CARGO_LOCK {
            continue;
        }
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let found = from.metadata()?;
        if found.is_dir() {
            copy(&from, &to)?;
        } else if found.len() >= LARGE {
            symlink(&from, &to)?;
        } else {
            fs::write(&to, fs::read(&from)?)?;
            fs::set_permissions(&to, found.permissions())?;
            File::open(&to)?.set_modified(found.modified()?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_copy_has_the_times_and_leads_to_what_is_large() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("deps")).expect("creates");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        fs::write(from.join(CARGO_LOCK), "").expect("writes");
        for (name, length) in [("deps/small", 10), ("deps/large", 100_000)] {
            fs::write(from.join(name), vec![0; length]).expect("writes");
            File::options().append(true).open(from.join(name)).and_then(|file| file.set_modified(time)).expect("sets");
        }
        copy(&from, &to).expect("copies");
        for name in ["deps/small", "deps/large"] {
            let found = to.join(name).metadata().expect("is there");
            assert_eq!(found.modified().expect("has a time"), time, "{name}");
        }
        assert!(!to.join(CARGO_LOCK).exists(), "others cannot open that of an installation");
        let is_link = |name: &str| to.join(name).symlink_metadata().is_ok_and(|found| found.is_symlink());
        assert_eq!((is_link("deps/small"), is_link("deps/large")), (false, true));
    }
}
