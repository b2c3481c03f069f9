//! What a finished folder holds, put down when it was made, so that a file that is gone, cut short or changed is found.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The list, in the folder.
const LIST: &str = "contents.json";

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// At their lengths: in no time, at each start.
    Lengths,
    /// At all that is in them.
    Hashes,
}

/// A file as it was made.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    length: u64,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
}

/// By the path below the folder.
type List = BTreeMap<PathBuf, Made>;

/// Puts down what is in a folder now.
pub(crate) fn put_down(folder: &Path) -> io::Result<()> {
    let mut list = List::new();
    collect(folder, Path::new(""), &mut list)?;
    fs::write(folder.join(LIST), serde_json::to_vec(&list)?)
}

fn collect(folder: &Path, below: &Path, list: &mut List) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let below = below.join(entry?.file_name());
        let path = folder.join(&below);
        if path.is_dir() {
            collect(folder, &below, list)?;
        } else if below != Path::new(LIST) {
            let made = Made { length: path.metadata()?.len(), sha256: hash(&path)? };
            list.insert(below, made);
        }
    }
    Ok(())
}

/// The list of a folder, as it is written down.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<u8>> {
    fs::read(folder.join(LIST))
}

/// Whether a folder has a list: what an earlier version made has none.
pub(crate) fn is_put_down(folder: &Path) -> bool {
    folder.join(LIST).is_file()
}

/// The first file that is not as it was made, and what is wrong with it. Of what has no list nothing is known.
pub(crate) fn damage(folder: &Path, look: Look) -> Option<String> {
    let text = fs::read(folder.join(LIST)).ok()?;
    let Ok(list) = serde_json::from_slice::<List>(&text) else {
        return Some(format!("{} is damaged", folder.join(LIST).display()));
    };
    list.iter().find_map(|(below, made)| {
        let path = folder.join(below);
        let name = path.display();
        let length = match path.metadata() {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(format!("{name} is gone")),
            Err(error) => return Some(format!("{name} cannot be read ({error})")),
        };
        if length != made.length {
            return Some(format!("{name} has {length} bytes instead of {}", made.length));
        }
        if look == Look::Lengths {
            return None;
        }
        match hash(&path) {
            Ok(found) if found == made.sha256 => None,
            Ok(_) => Some(format!("{name} has changed since it was made")),
            Err(error) => Some(format!("{name} cannot be read ({error})")),
        }
    })
}

/// The SHA-256 sum of a file, in hexadecimal digits.
pub fn hash(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut BufReader::with_capacity(64 << 10, File::open(path)?), &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_was_made_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("deps/libtch.rmeta");
        fs::create_dir(folder.path().join("deps")).expect("creates");
        fs::write(&file, "crate").expect("writes");
        fs::write(folder.path().join("library"), "").expect("writes");
        assert!(!is_put_down(folder.path()) && damage(folder.path(), Look::Hashes).is_none());
        put_down(folder.path()).expect("writes");
        // Once more: the list is no part of what is listed.
        put_down(folder.path()).expect("writes");
        let found = |look| damage(folder.path(), look).unwrap_or_default();
        assert_eq!((found(Look::Lengths), found(Look::Hashes)), (String::new(), String::new()));

        fs::write(&file, "CRATE").expect("writes");
        assert_eq!(found(Look::Lengths), "");
        assert!(found(Look::Hashes).ends_with("libtch.rmeta has changed since it was made"));
        fs::write(&file, "").expect("writes");
        assert!(found(Look::Lengths).ends_with("libtch.rmeta has 0 bytes instead of 5"));
        fs::remove_file(&file).expect("removes");
        assert!(found(Look::Lengths).ends_with("libtch.rmeta is gone"));
        fs::write(folder.path().join(LIST), "{").expect("writes");
        assert!(found(Look::Lengths).ends_with("contents.json is damaged"));
    }
}
