//! What was handed in: as nbgrader has it (`submitted/<student>/<assignment>/`), as a folder of files, or as the
//! archive of a learning platform.

mod archive;
mod pattern;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context;
use oxtorch_grading::fingerprint;
use oxtorch_grading::rules::{Deadline, Version, counted};
pub use pattern::Pattern;
use tempfile::TempDir;

/// A notebook of more bytes is not read.
const LARGEST: u64 = 64 << 20;

/// What one student has handed in, the version that counts.
#[derive(Debug)]
pub struct Submission {
    /// The student.
    pub student: String,
    /// The notebook, or why it cannot be read.
    pub text: Result<String, String>,
    /// When it was handed in, in seconds since 1970.
    pub handed_in: Option<i64>,
    /// The SHA-256 of the file.
    pub fingerprint: String,
    /// The folder of the files that came with it, where it has one of its own.
    pub files: Option<PathBuf>,
    /// How many versions there were.
    pub versions: usize,
    /// What is to be looked at, before anything is run.
    pub notes: Vec<String>,
}

/// All that was handed in, and the folders that archives were unpacked into.
#[derive(Debug, Default)]
pub struct Submissions {
    /// One a student, by name.
    pub all: Vec<Submission>,
    pub(crate) unpacked: Vec<TempDir>,
}

/// Something that a student has handed in.
struct Found {
    /// Where the notebook is, or why there is none.
    notebook: Result<PathBuf, String>,
    /// The folder of the files that came with it.
    files: Option<PathBuf>,
    handed_in: Option<i64>,
    /// What is to be known of that.
    note: Option<String>,
}

type Students = BTreeMap<String, Vec<Found>>;

/// How submissions are found.
#[derive(Clone, Copy)]
struct Search<'a> {
    assignment: &'a str,
    names: &'a Pattern,
    /// Whether what is looked at was in an archive.
    in_archive: bool,
    /// Whether students have a folder for each assignment.
    by_assignment: bool,
}

impl Submissions {
    /// Finds what was handed in.
    ///
    /// # Errors
    ///
    /// Where a path is not there, or has no notebooks.
    pub fn find(paths: &[PathBuf], assignment: &str, names: &Pattern) -> anyhow::Result<Self> {
        let mut submissions = Self::default();
        let mut students = Students::new();
        let search = Search { assignment, names, in_archive: false, by_assignment: false };
        for path in paths {
            // It is bound into the sandbox, whatever folder this runs in.
            let path = &std::path::absolute(path)?;
            let before = students.values().map(Vec::len).sum::<usize>();
            submissions.add(path, &search, &mut students)?;
            let found = students.values().map(Vec::len).sum::<usize>() - before;
            anyhow::ensure!(found > 0, "{} has no notebooks", path.display());
        }
        submissions.all = students.into_iter().filter_map(|(student, found)| submission(student, &found)).collect();
        Ok(submissions)
    }

    /// Adds what is in a folder, a file or an archive of a class.
    fn add(&mut self, path: &Path, search: &Search<'_>, students: &mut Students) -> anyhow::Result<()> {
        // What was named on the command line may be a link.
        let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_file() && has_ending(path, "zip") {
            let folder = archive::unpack(path).with_context(|| format!("cannot unpack {}", path.display()))?;
            let search = Search { in_archive: true, ..*search };
            self.add(folder.path(), &search, students)?;
            self.unpacked.push(folder);
            return Ok(());
        }
        if metadata.is_file() {
            self.add_file(path, search, students);
            return Ok(());
        }
        let entries = list(path).with_context(|| format!("cannot read {}", path.display()))?;
        let by_assignment = entries.iter().any(|entry| entry.join(search.assignment).is_dir());
        let search = &Search { by_assignment, ..*search };
        for entry in entries {
            if entry.is_dir() {
                let notebooks = notebooks_of(&entry, search, None);
                students.entry(search.names.student(&name_of(&entry))).or_default().extend(notebooks);
            } else {
                self.add_file(&entry, search, students);
            }
        }
        Ok(())
    }

    /// Adds what one student has handed in as a file: a notebook, or an archive, in which names mean nothing.
    fn add_file(&mut self, path: &Path, search: &Search<'_>, students: &mut Students) {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let (handed_in, note) = handed_in(path, search);
        if has_ending(path, "ipynb") {
            let found = Found { notebook: Ok(path.to_owned()), files: None, handed_in, note };
            students.entry(search.names.student(&stem)).or_default().push(found);
        } else if has_ending(path, "zip") {
            let found = students.entry(search.names.student(&stem)).or_default();
            match archive::unpack(path) {
                Ok(folder) => {
                    found.extend(notebooks_of(folder.path(), search, Some(handed_in)));
                    self.unpacked.push(folder);
                }
                Err(error) => {
                    let notebook = Err(format!("the archive cannot be unpacked: {error}"));
                    found.push(Found { notebook, files: None, handed_in, note });
                }
            }
        }
    }
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|other| other.eq_ignore_ascii_case(ending))
}

/// The files and folders of a folder, by name. What is neither, such as a link, is left out: it may lead to what only
/// the grader can read.
fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && (kind.is_dir() || kind.is_file()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The notebooks in a student's folder: in it, or in the folder of the assignment. Where there are none, that is what
/// was handed in.
fn notebooks_of(folder: &Path, search: &Search<'_>, handed_in_at: Option<Option<i64>>) -> Vec<Found> {
    let in_folder = |folder: &Path| -> Vec<Found> {
        let paths = list(folder).unwrap_or_default();
        let notebooks = paths.into_iter().filter(|path| has_ending(path, "ipynb"));
        let found = notebooks.map(|path| {
            let (handed_in, note) = handed_in_at.map_or_else(|| handed_in(&path, search), |time| (time, None));
            Found { notebook: Ok(path), files: Some(folder.to_owned()), handed_in, note }
        });
        found.collect()
    };
    let own = in_folder(folder);
    if !own.is_empty() {
        return own;
    }
    let folders: Vec<PathBuf> = list(folder).unwrap_or_default().into_iter().filter(|path| path.is_dir()).collect();
    let found: Vec<Found> = match folders.iter().find(|path| name_of(path) == search.assignment) {
        Some(named) => in_folder(named),
        // The others have a folder of this assignment: what is here is for another one.
        None if search.by_assignment => Vec::new(),
        None => folders.iter().flat_map(|folder| in_folder(folder)).collect(),
    };
    if !found.is_empty() {
        return found;
    }
    let nothing = "no notebook was handed in: a file that ends in .ipynb, and is no link".to_owned();
    vec![Found { notebook: Err(nothing), files: None, handed_in: handed_in_at.flatten(), note: None }]
}

/// The version that counts.
fn submission(student: String, found: &[Found]) -> Option<Submission> {
    let read: Vec<Result<String, String>> = found
        .iter()
        .map(|found| {
            found.notebook.as_ref().map_err(Clone::clone).and_then(|path| read(path).map_err(|it| it.to_string()))
        })
        .collect();
    let versions: Vec<Version> = read
        .iter()
        .zip(found)
        .map(|(text, found)| Version {
            handed_in: found.handed_in,
            fingerprint: fingerprint(text.as_deref().unwrap_or_default().as_bytes()),
        })
        .collect();
    let chosen = counted(&versions)?;
    Some(Submission {
        student,
        text: read.into_iter().nth(chosen.index)?,
        handed_in: chosen.handed_in,
        fingerprint: versions[chosen.index].fingerprint.clone(),
        files: found[chosen.index].files.clone(),
        versions: found.len(),
        notes: found[chosen.index].note.clone().into_iter().collect(),
    })
}

fn read(path: &Path) -> io::Result<String> {
    // A link that has taken its place meanwhile is not followed, and what is no file is not waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Err(io::Error::other(format!("it has {} MB", length >> 20)));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    // Some editors begin a file with a mark of its encoding.
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// When something was handed in: nbgrader's `timestamp.txt`, else when the file was changed last. In an archive it is
/// the student who could have written such a file. A time that cannot be read is noted.
fn handed_in(path: &Path, search: &Search<'_>) -> (Option<i64>, Option<String>) {
    let told = path.parent().filter(|_| !search.in_archive).and_then(|folder| read(&folder.join("timestamp.txt")).ok());
    let changed = || {
        let changed = fs::symlink_metadata(path).ok()?.modified().ok()?;
        i64::try_from(changed.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
    };
    match told.as_deref().map(str::trim).map(|text| (text, timestamp(text))) {
        None => (changed(), None),
        Some((_, Some(time))) => (Some(time), None),
        Some((text, None)) => {
            let note = format!("its timestamp.txt cannot be read ({text:.40}): the time of the file counts");
            (changed(), Some(note))
        }
    }
}

/// A time as nbgrader writes it, `2026-11-30 23:59:00.123456 UTC`, also with an offset from UTC; without either it is
/// UTC.
fn timestamp(text: &str) -> Option<i64> {
    let (time, rest) = text.split_at_checked(19)?;
    let rest = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit()).trim();
    let zone = match rest {
        "" | "UTC" | "GMT" | "Z" => "Z",
        offset if offset.starts_with(['+', '-']) => offset,
        _ => return None,
    };
    format!("{}{zone}", time.replacen(' ', "T", 1)).parse::<Deadline>().ok().map(Deadline::seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_counts_with_its_zone() {
        let utc = timestamp("2026-11-30 00:30:00.123456 UTC").expect("is a time");
        assert_eq!(timestamp("2026-11-30T00:30:00"), Some(utc));
        assert_eq!(timestamp("2026-11-30 01:30:00 +0100"), Some(utc));
        assert_eq!(timestamp("2026-11-30 01:30:00.5 +01:00"), Some(utc));
        for text in ["", "yesterday", "2026-11-30 00:30:00 CET", "Nov 29, 2026 23:00:00"] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
