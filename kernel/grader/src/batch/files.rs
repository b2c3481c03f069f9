//! The folder of the results: a folder for each student, and what there is of the class.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use oxtorch_grading::rules::Rules;
use oxtorch_grading::similarity::Pair;
use oxtorch_grading::{Flag, Graded, fingerprint, report};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

/// What grading has found, for a run that goes on.
const RESULT: &str = "graded.json";
/// Where the folders of the students are.
const STUDENTS: &str = "students";
/// The table of what has to be read by hand.
const SHEET: &str = "manual.csv";
/// What is known of the class.
const CLASS: &str = "class.json";
/// The rules of the last run, from its beginning on: one that was killed has marked students by them as well.
const RULES: &str = "rules.json";
/// The master's compiled cells, as long as a class is graded.
const CACHE: &str = ".cache-";
/// The file in it that its run holds locked.
const LOCK: &str = "lock";

/// What was found of a student.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What it was made from.
    pub(super) key: String,
    pub(super) graded: Graded,
    /// What was to be looked at before anything was run; it is among the flags.
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

impl Kept {
    /// Has the flags say what is to be looked at now, in the place of what was said of that before.
    pub(super) fn note(&mut self, notes: Vec<String>) {
        let earlier = std::mem::replace(&mut self.notes, notes);
        self.graded.flags.retain(|flag| !earlier.contains(&flag.what));
        self.graded.flags.extend(self.notes.iter().map(|what| Flag { cell: None, what: what.clone() }));
    }
}

/// What is known of a class beside its students.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Class {
    pub(super) assignment: String,
    pub(super) alike: Vec<Pair>,
    /// Who is in it, by name.
    pub(super) students: Vec<String>,
}

/// The master's compiled cells.
pub(super) struct Cache {
    folder: TempDir,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Cache {
    /// Where they are.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Where the results go.
pub(crate) struct Files(PathBuf);

impl Files {
    /// Makes the folder, for its owner alone.
    pub(super) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder)?;
        make(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// An empty folder for what the master compiles, which goes with the value.
    pub(super) fn cache(&self) -> anyhow::Result<Cache> {
        self.remove_leftovers();
        let made = || -> io::Result<Cache> {
            let folder = tempfile::Builder::new().prefix(CACHE).tempdir_in(&self.0)?;
            let lock = File::create(folder.path().join(LOCK))?;
            lock.lock()?;
            Ok(Cache { folder, _lock: lock })
        };
        made().with_context(|| format!("cannot write into {}", self.0.display()))
    }

    /// Removes the folders of runs that were killed. Those of other runs are locked.
    fn remove_leftovers(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let is_cache = entry.file_name().to_string_lossy().starts_with(CACHE);
            let is_left = || File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
            if is_cache && is_left() {
                // What cannot be removed now takes some space, and is tried again.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn of_student(&self, student: &str) -> PathBuf {
        self.0.join(STUDENTS).join(folder_name(student))
    }

    /// What an earlier run has found of a student, and from what.
    pub(super) fn earlier(&self, student: &str) -> Option<Kept> {
        let text = fs::read(self.of_student(student).join(RESULT)).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.graded.student == student).then_some(kept)
    }

    /// Puts a table aside in which somebody has written, before a new one takes its place.
    fn keep_filled_in(&self, graded: &[Graded]) -> anyhow::Result<()> {
        let path = self.0.join(SHEET);
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        // What cannot be read was changed by somebody too.
        if matches!(report::fill_in(&text, &mut graded.to_vec()), Ok(0)) {
            return Ok(());
        }
        let mut others = (1..).map(|number| self.0.join(format!("manual-{number}.csv")));
        let free = others.find(|other| !other.exists()).unwrap_or_else(|| path.clone());
        fs::rename(&path, &free).with_context(|| format!("cannot put {} aside", path.display()))
    }

    /// Has nothing of an earlier run be taken for one of this. What somebody has given for answers is kept.
    pub(crate) fn forget(&self, student: &str) {
        if let Some(mut kept) = self.earlier(student) {
            kept.key.clear();
            // What cannot be written cannot be graded anew either, which is an error then.
            let text = serde_json::to_string(&kept).unwrap_or_default();
            let _ = write(&self.of_student(student).join(RESULT), &text);
        }
    }

    /// The class as it was written last.
    pub(super) fn class(&self) -> anyhow::Result<Class> {
        read(&self.0.join(CLASS))?.with_context(|| format!("nothing was graded in {}", self.0.display()))
    }

    /// Keeps the rules for runs that go on from this one.
    pub(super) fn write_rules(&self, rules: &Rules) -> anyhow::Result<()> {
        write(&self.0.join(RULES), &serde_json::to_string(rules)?)
    }

    /// Writes all that there is of a student. What says that it is whole comes last.
    pub(super) fn write_student(&self, assignment: &str, kept: &Kept, rules: &Rules) -> anyhow::Result<()> {
        let graded = &kept.graded;
        let folder = self.of_student(&graded.student);
        make(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mark = rules.mark(graded);
        write(&folder.join("feedback.html"), &report::feedback(assignment, graded, &mark))?;
        write(&folder.join("results.json"), &report::gradescope(graded, &mark))?;
        if graded.notebook != Value::Null {
            write(&folder.join(format!("{assignment}.ipynb")), &format!("{:#}\n", graded.notebook))?;
        }
        write(&folder.join(RESULT), &serde_json::to_string(kept)?)
    }

    /// Writes what there is of the class.
    pub(super) fn write_class(&self, class: &Class, graded: &[Graded], rules: &Rules) -> anyhow::Result<()> {
        let Class { assignment, alike, .. } = class;
        write(&self.0.join("grades.csv"), &report::grades(graded, rules))?;
        write(&self.0.join("report.html"), &report::class(assignment, graded, rules, alike))?;
        write(&self.0.join("manual.html"), &report::manual(assignment, graded))?;
        self.keep_filled_in(graded)?;
        write(&self.0.join(SHEET), &report::sheet(graded))?;
        write(&self.0.join(CLASS), &serde_json::to_string(class)?)
    }
}

/// The rules that were kept in a folder of results, if any were.
pub(super) fn rules_in(folder: &Path) -> anyhow::Result<Option<Rules>> {
    read(&folder.join(RULES))
}

/// What an earlier run has written, if the file is there.
fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let cannot_read = || format!("cannot read {}", path.display());
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).with_context(cannot_read),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(cannot_read),
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file that is there whole or not at all. One that has this text already stays as it is.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let written = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// What a student's folder is called. A name with other characters than those of a file gets a few of its fingerprint,
/// so that no two students have one folder.
fn folder_name(student: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-+@ ".contains(c);
    let plain: String = student.chars().map(|c| if is_plain(c) { c } else { '_' }).take(100).collect();
    if plain == student && !plain.starts_with('.') && plain.trim() == plain && !plain.is_empty() {
        return plain;
    }
    let plain = plain.trim_start_matches('.').trim();
    format!("{plain}-{}", &fingerprint(student.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder_or_to_that_of_another_student() {
        assert_eq!(folder_name("ada.l-1@x"), "ada.l-1@x");
        assert_eq!(folder_name("李四"), "李四");
        let odd = ["", ".", "..", "../ada", "a/b", "a_b", "a\0b", ".cache", " ada", "ada"];
        let names: std::collections::BTreeSet<String> = odd.iter().map(|name| folder_name(name)).collect();
        assert_eq!(names.len(), odd.len());
        assert!(names.iter().all(|name| !name.starts_with('.') && !name.contains(['/', '\0'])), "{names:?}");
    }
}
