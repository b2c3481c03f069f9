//! A class: the master is run once, then each submission, some at the same time; what became of each is written at
//! once.

mod files;
mod one;
mod reference;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use oxtorch_grading::rules::Rules;
use oxtorch_grading::similarity::alike;
use oxtorch_grading::{Graded, Master, fingerprint, report};
use oxtorch_setup::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::batch::files::{Class, Files, Kept};
use crate::batch::one::grade_one;
use crate::batch::reference::try_solution;
use crate::crates;
use crate::sandbox::Sandbox;
use crate::submissions::{Pattern, Submission, Submissions};
use crate::worker::{Limits, Setting};

/// What is graded, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The master notebook.
    pub master: PathBuf,
    /// Where submissions are.
    pub submissions: Vec<PathBuf>,
    /// Where the results go.
    pub output: PathBuf,
    /// How many notebooks run at the same time.
    pub jobs: usize,
    /// Grade this part alone, and write nothing of the class.
    pub share: Option<Share>,
    /// How a notebook is kept apart.
    pub sandbox: Sandbox,
    /// What a notebook may take.
    pub limits: Limits,
    /// The student in the name of a file.
    pub names: Pattern,
    /// A folder that stands beside each notebook, as it stands beside the master.
    pub data: Option<PathBuf>,
    /// Only these students, if there are any.
    pub only: Vec<String>,
    /// Take what an earlier run has left, where nothing has changed since.
    pub resume: bool,
    /// How marks follow from points.
    pub rules: Rules,
}

/// A part of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which part, from 0.
    pub at: usize,
    /// How many there are.
    pub of: usize,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        let share = numbers.map(|(at, of)| Self { at, of }).filter(|share| share.at < share.of);
        share.ok_or_else(|| "must be a part and how many there are, such as 0/4".to_owned())
    }
}

/// Grades a class. `tell` gets each student as soon as that is graded.
///
/// # Errors
///
/// Where the master or the submissions cannot be read, where the master's solution does not pass its own tests, or
/// where the results cannot be written. What is wrong with one submission is no error, so see first that the sandbox
/// works.
pub async fn grade(
    options: &Options,
    master: &Master,
    runtime: Runtime,
    program: PathBuf,
    tell: impl Fn(&Graded),
) -> anyhow::Result<Vec<Graded>> {
    let Work { assignment, submissions, files, of_all } = Work::prepare(options)?;
    let cache = files.cache()?;
    let crates = crates::of_master(master);
    let mut setting = Setting {
        sandbox: options.sandbox,
        runtime,
        program,
        cache: cache.path().to_owned(),
        limits: options.limits,
        crates: (crates, None),
        data: options.data.clone(),
    };
    if let Some(data) = &setting.data {
        anyhow::ensure!(data.is_dir(), "{} is no folder", data.display());
    }
    setting.crates.1 = crates::build(&setting, &setting.crates.0).await?;
    let setting = Arc::new(setting);
    let master = Arc::new(master.clone());
    let (mut running, mut graded) = (JoinSet::new(), Vec::new());
    let mut waiting = Vec::new();
    // The folders of archives stay until all is graded.
    let Submissions { all, unpacked: _unpacked } = submissions;
    for submission in all {
        let key = key(&of_all, &submission);
        let earlier = files.earlier(&submission.student);
        match earlier {
            Some(mut kept) if options.resume && kept.key == key => {
                // The time and the rules are no part of what was graded.
                kept.graded.handed_in = submission.handed_in;
                kept.note(submission.notes);
                files.write_student(&assignment, &kept, &options.rules)?;
                tell(&kept.graded);
                graded.push(kept.graded);
            }
            earlier => waiting.push((key, submission, earlier)),
        }
    }
    if !waiting.is_empty() {
        let reference = Arc::new(try_solution(&setting, &master).await?);
        let places = Arc::new(Semaphore::new(options.jobs.max(1)));
        for (key, submission, earlier) in waiting {
            let (setting, master, reference) = (Arc::clone(&setting), Arc::clone(&master), Arc::clone(&reference));
            let places = Arc::clone(&places);
            running.spawn(async move {
                let _place = places.acquire().await;
                let notes = submission.notes.clone();
                let mut graded = grade_one(&setting, &master, &reference, submission).await;
                if let Some(earlier) = earlier {
                    graded.take_over(&earlier.graded);
                }
                let mut kept = Kept { key, graded, notes: Vec::new() };
                kept.note(notes);
                kept
            });
        }
    }
    while let Some(kept) = running.join_next().await {
        let kept = kept.context("a submission could not be graded")?;
        files.write_student(&assignment, &kept, &options.rules)?;
        tell(&kept.graded);
        graded.push(kept.graded);
    }
    if !options.only.is_empty() {
        // The others stay as they are, but for their marks.
        let others = files.class().map(|class| class.students).unwrap_or_default();
        let others = others.into_iter().filter(|student| !options.only.contains(student));
        for kept in others.filter_map(|student| files.earlier(&student)) {
            files.write_student(&assignment, &kept, &options.rules)?;
            graded.push(kept.graded);
        }
    }
    graded.sort_by(|one, other| one.student.cmp(&other.student));
    if options.share.is_none() {
        let students = graded.iter().map(|graded| graded.student.clone()).collect();
        let alike = alike(&master, &graded);
        files.write_class(&Class { assignment, alike, students }, &graded, &options.rules)?;
    }
    Ok(graded)
}

/// What there is to do.
pub(crate) struct Work {
    pub(crate) assignment: String,
    pub(crate) submissions: Submissions,
    pub(crate) files: Files,
    /// Stands for what all results are made from: the master and the limits.
    of_all: String,
}

impl Work {
    /// Finds what was handed in, and makes the folder of the results.
    pub(crate) fn prepare(options: &Options) -> anyhow::Result<Self> {
        let assignment = assignment_of(&options.master);
        let mut submissions = Submissions::find(&options.submissions, &assignment, &options.names)?;
        if !options.only.is_empty() {
            submissions.all.retain(|submission| options.only.contains(&submission.student));
            anyhow::ensure!(!submissions.all.is_empty(), "none of these students has handed in anything");
        }
        if let Some(share) = options.share {
            let mut at = 0..;
            submissions.all.retain(|_| at.next().is_some_and(|at: usize| at % share.of == share.at));
        }
        let text =
            std::fs::read(&options.master).with_context(|| format!("cannot read {}", options.master.display()))?;
        let of_all = format!("{} {:?}", fingerprint(&text), options.limits);
        let files = Files::in_folder(&options.output)?;
        if options.share.is_none() {
            files.write_rules(&options.rules)?;
        }
        Ok(Self { assignment, submissions, files, of_all })
    }

    /// What was found of a submission, if nothing has changed since.
    pub(crate) fn result(&self, submission: &Submission) -> Option<Graded> {
        let kept = self.files.earlier(&submission.student)?;
        (kept.key == key(&self.of_all, submission)).then_some(kept.graded)
    }
}

/// Stands for what a result is made from.
fn key(of_all: &str, submission: &Submission) -> String {
    fingerprint(format!("{of_all} {}", submission.fingerprint).as_bytes())
}

/// The rules of the last run with its results in a folder, if there was one.
///
/// # Errors
///
/// Where they are there and cannot be read.
pub fn earlier_rules(output: &Path) -> anyhow::Result<Option<Rules>> {
    files::rules_in(output)
}

/// Puts the points that somebody has written into a table into the results of a class, and writes all reports again.
///
/// # Errors
///
/// Where nothing was graded there, or where a row of the table cannot be taken; then nothing changes.
pub fn fill_in(output: &Path, table: &Path) -> anyhow::Result<(usize, Vec<Graded>)> {
    let files = Files::in_folder(output)?;
    let class = files.class()?;
    let rules = earlier_rules(output)?.unwrap_or_default();
    let mut students = Vec::new();
    let mut graded = Vec::new();
    for student in &class.students {
        let kept = files.earlier(student).with_context(|| format!("the results of {student:?} are gone"))?;
        graded.push(kept.graded.clone());
        students.push(kept);
    }
    let text = std::fs::read_to_string(table).with_context(|| format!("cannot read {}", table.display()))?;
    let filled = report::fill_in(&text, &mut graded).map_err(|errors| {
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{} cannot be taken:\n{}", table.display(), told.join("\n"))
    })?;
    for (kept, graded) in students.into_iter().zip(&graded) {
        files.write_student(&class.assignment, &Kept { graded: graded.clone(), ..kept }, &rules)?;
    }
    files.write_class(&class, &graded, &rules)?;
    Ok((filled, graded))
}

/// What the assignment is called: as its folder, or as its file.
fn assignment_of(master: &Path) -> String {
    let absolute = std::path::absolute(master).unwrap_or_else(|_| master.to_owned());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let stem = absolute.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match stem.as_str() {
        "master" | "solution" | "source" => absolute.parent().and_then(name).unwrap_or(stem),
        _ => stem,
    }
}
