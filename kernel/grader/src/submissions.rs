//! What was handed in: as nbgrader has it (`submitted/<student>/<assignment>/`), as a folder of files, or as the archive
//! of a learning platform.

mod archive;
mod pattern;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context;
use oxtorch_grading::rules::{Deadline, Version, counted};
pub use pattern::Pattern;
use sha2::{Digest, Sha256};
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
}

/// All that was handed in, and the folders that archives were unpacked into.
#[derive(Debug, Default)]
pub struct Submissions {
    /// One a student, by name.
    pub all: Vec<Submission>,
    pub(crate) unpacked: Vec<TempDir>,
}

/// A notebook among others.
struct Found {
    path: PathBuf,
    /// The folder of the files that came with it.
    files: Option<PathBuf>,
}

impl Submissions {
    /// Finds what was handed in.
    ///
    /// # Errors
    ///
    /// Where a path is not there, or has no notebooks.
    pub fn find(paths: &[PathBuf], assignment: &str, names: &Pattern) -> anyhow::Result<Self> {
        let mut submissions = Self::default();
        let mut students: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        for path in paths {
            // It is bound into the sandbox, whatever folder this runs in.
            let path = &std::path::absolute(path)?;
            let before = students.values().map(Vec::len).sum::<usize>();
            submissions.add(path, assignment, names, &mut students)?;
            let found = students.values().map(Vec::len).sum::<usize>() - before;
            anyhow::ensure!(found > 0, "{} has no notebooks", path.display());
        }
        submissions.all = students.into_iter().filter_map(|(student, found)| submission(student, &found)).collect();
        Ok(submissions)
    }

    fn add(
        &mut self,
        path: &Path,
        assignment: &str,
        names: &Pattern,
        students: &mut BTreeMap<String, Vec<Found>>,
    ) -> anyhow::Result<()> {
        // What was named on the command line may be a link.
        let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_file() {
            return self.add_file(path, assignment, names, students);
        }
        let entries = list(path).with_context(|| format!("cannot read {}", path.display()))?;
        for entry in entries {
            if entry.is_dir() {
                let notebooks = notebooks_of(&entry, assignment);
                students.entry(name_of(&entry)).or_default().extend(notebooks);
            } else {
                self.add_file(&entry, assignment, names, students)?;
            }
        }
        students.retain(|_, found| !found.is_empty());
        Ok(())
    }

    fn add_file(
        &mut self,
        path: &Path,
        assignment: &str,
        names: &Pattern,
        students: &mut BTreeMap<String, Vec<Found>>,
    ) -> anyhow::Result<()> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let is = |extension: &str| path.extension().is_some_and(|other| other.eq_ignore_ascii_case(extension));
        if is("ipynb") {
            let found = Found { path: path.to_owned(), files: None };
            students.entry(names.student(&stem)).or_default().push(found);
        } else if is("zip") {
            let folder = archive::unpack(path).with_context(|| format!("cannot unpack {}", path.display()))?;
            let entries = list(folder.path())?;
            let is_notebook = |path: &PathBuf| path.extension().is_some_and(|it| it == "ipynb");
            // The archive of one student, or of a class.
            if entries.iter().filter(|entry| is_notebook(entry)).count() == 1 {
                let notebooks = notebooks_of(folder.path(), assignment);
                students.entry(names.student(&stem)).or_default().extend(notebooks);
            } else {
                self.add(folder.path(), assignment, names, students)?;
            }
            self.unpacked.push(folder);
        }
        Ok(())
    }
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

/// The notebooks in a student's folder: in it, or in the folder of the assignment.
fn notebooks_of(folder: &Path, assignment: &str) -> Vec<Found> {
    let in_folder = |folder: &Path| -> Vec<Found> {
        let paths = list(folder).unwrap_or_default();
        let notebooks = paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "ipynb"));
        notebooks.map(|path| Found { path, files: Some(folder.to_owned()) }).collect()
    };
    let own = in_folder(folder);
    if !own.is_empty() {
        return own;
    }
    let folders: Vec<PathBuf> = list(folder).unwrap_or_default().into_iter().filter(|path| path.is_dir()).collect();
    match folders.iter().find(|path| name_of(path) == assignment) {
        Some(named) => in_folder(named),
        None => folders.iter().flat_map(|folder| in_folder(folder)).collect(),
    }
}

/// The version that counts.
fn submission(student: String, found: &[Found]) -> Option<Submission> {
    let read: Vec<_> = found.iter().map(|found| (read(&found.path), handed_in(&found.path))).collect();
    let versions: Vec<Version> = read
        .iter()
        .map(|(text, handed_in)| Version {
            handed_in: *handed_in,
            fingerprint: fingerprint(text.as_deref().unwrap_or_default().as_bytes()),
        })
        .collect();
    let chosen = counted(&versions)?;
    let text = read.into_iter().nth(chosen.index)?.0;
    Some(Submission {
        student,
        text: text.map_err(|error| error.to_string()),
        handed_in: chosen.handed_in,
        fingerprint: versions[chosen.index].fingerprint.clone(),
        files: found[chosen.index].files.clone(),
        versions: found.len(),
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
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// When a notebook was handed in: nbgrader's `timestamp.txt`, else when the file was changed last.
fn handed_in(path: &Path) -> Option<i64> {
    let told = path.parent().and_then(|folder| read(&folder.join("timestamp.txt")).ok());
    let told = told.and_then(|text| {
        let time = text.trim().get(..19)?.replacen(' ', "T", 1);
        format!("{time}Z").parse::<Deadline>().ok()
    });
    told.map(Deadline::seconds).or_else(|| {
        let changed = fs::symlink_metadata(path).ok()?.modified().ok()?;
        i64::try_from(changed.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
    })
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
