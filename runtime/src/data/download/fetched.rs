//! Data sets and weights that `oxtorch data fetch` has put there.

use std::path::{Component, Path, PathBuf};

use super::{Cache, DownloadError};

/// The file beside such data that says where they are from. The command writes it last.
const ORIGIN: &str = "SOURCE.txt";

/// The folder of a data set or of weights that `oxtorch data fetch NAME` has fetched. `oxtorch data list` shows the
/// names, and `SOURCE.txt` in the folder the license.
///
/// It is looked for where downloads are (see [`data_folder`](super::data_folder)): in the folder that `OXTORCH_DATA`
/// names, then in an installation that many share, then among the user's own.
///
/// In a notebook, a cell `!oxtorch data fetch orl` gets 400 pictures of 40 faces, and the next one reads them:
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let faces = image_folder(data::fetched("orl")?)?.grayscale();
/// let (face, person) = faces.get(0)?;
/// assert_eq!((face.size(), person), (vec![1, 112, 92], 0));
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// If it is not there. The message has the command that fetches it.
pub fn fetched(name: &str) -> Result<PathBuf, DownloadError> {
    Cache::from_environment()?.fetched(name)
}

impl Cache {
    fn fetched(&self, name: &str) -> Result<PathBuf, DownloadError> {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(DownloadError::Name(name.to_owned()));
        }
        let places: Vec<PathBuf> = self.shared.iter().chain([&self.own]).map(|folder| folder.join(name)).collect();
        let found = places.iter().find(|folder| folder.join(ORIGIN).is_file()).cloned();
        found.ok_or_else(|| DownloadError::NotFetched { name: name.to_owned(), places })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_fetched_folder_is_found_in_each_of_the_places_and_half_a_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache { shared: vec![folder.path().join("class")], own: folder.path().join("own") };
        let error = cache.fetched("orl").expect_err("is not there").to_string();
        for part in ["`!oxtorch data fetch orl`", "`!oxtorch data list`", "class/orl", "own/orl"] {
            assert!(error.contains(part), "{part} in {error}");
        }
        for place in ["own/orl", "class/orl"] {
            let place = folder.path().join(place);
            fs::create_dir_all(&place).expect("creates");
            assert_ne!(cache.fetched("orl").ok(), Some(place.clone()));
            fs::write(place.join("SOURCE.txt"), "").expect("writes");
            assert_eq!(cache.fetched("orl").expect("is there"), place);
        }
        for name in ["", "..", "a/b", "/etc"] {
            assert!(matches!(cache.fetched(name), Err(DownloadError::Name(_))), "{name}");
        }
    }
}
