//! A class: the master is run once, then each submission, some at the same time; what became of each is written at once.

mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use oxtorch_engine::{declared_names, names_of_every_cell};
use oxtorch_grading::report;
use oxtorch_grading::rules::Rules;
use oxtorch_grading::similarity::alike;
use oxtorch_grading::{Collation, Flag, Graded, Master, Part, Question, Role, Verdict};
use oxtorch_setup::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::batch::files::{Class, Files, Kept};
use crate::messages::Author;
use crate::sandbox::{Bounds, Sandbox};
use crate::submissions::{Pattern, Submission, Submissions, fingerprint};
use crate::verdict::{by_hand, by_test};
use crate::worker::{Executed, NotRun, Setting, Step, execute};

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
    /// How many threads the operations of each use: as many at any time, so that what is computed is the same.
    pub threads: usize,
    /// Grade this part alone, and write nothing of the class.
    pub share: Option<Share>,
    /// How a notebook is kept apart.
    pub sandbox: Sandbox,
    /// What a notebook may take.
    pub bounds: Bounds,
    /// The longest that a cell may run.
    pub cell_timeout: Duration,
    /// The longest that a notebook may run.
    pub timeout: Duration,
    /// What is kept of a cell's outputs, in bytes.
    pub output_limit: usize,
    /// The student in the name of a file.
    pub names: Pattern,
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

/// What the master's own run has told.
#[derive(Debug)]
struct Reference {
    /// The names that cells have defined ahead of each of the master's cells.
    takes: Vec<BTreeSet<String>>,
    /// The names that its given cells define.
    given: BTreeSet<String>,
}

/// Grades a class. `tell` gets each student as soon as that is graded.
///
/// # Errors
///
/// Where the master or the submissions cannot be read, where the sandbox does not work, where the master's solution does
/// not pass its own tests, or where the results cannot be written. What is wrong with one submission is no error.
pub async fn grade(
    options: &Options,
    master: &Master,
    runtime: Runtime,
    program: PathBuf,
    tell: impl Fn(&Graded),
) -> anyhow::Result<Vec<Graded>> {
    options.sandbox.check()?;
    let assignment = assignment_of(&options.master);
    let mut submissions = Submissions::find(&options.submissions, &assignment, &options.names)?;
    if !options.only.is_empty() {
        submissions.all.retain(|submission| options.only.contains(&submission.student));
        anyhow::ensure!(!submissions.all.is_empty(), "none of these students has handed in anything");
    }
    if let Some(share) = options.share {
        let is_mine = (0..share.of).cycle().map(|at| at == share.at);
        let mine = std::mem::take(&mut submissions.all).into_iter().zip(is_mine).filter(|(_, mine)| *mine);
        submissions.all = mine.map(|(submission, _)| submission).collect();
    }
    let files = Arc::new(Files::in_folder(&options.output)?);
    let cache = files.cache()?;
    let setting = Arc::new(Setting {
        sandbox: options.sandbox,
        runtime,
        program,
        cache: cache.path().to_owned(),
        bounds: options.bounds,
        cell_timeout: options.cell_timeout,
        timeout: options.timeout,
        output_limit: options.output_limit,
        threads: options.threads,
    });
    let text = std::fs::read(&options.master).with_context(|| format!("cannot read {}", options.master.display()))?;
    let limits = (options.bounds, options.cell_timeout, options.timeout, options.output_limit, options.threads);
    let of_all = format!("{} {limits:?}", fingerprint(&text));
    let key = |submission: &Submission| fingerprint(format!("{of_all} {}", submission.fingerprint).as_bytes());
    let master = Arc::new(master.clone());
    let (mut running, mut graded) = (JoinSet::new(), Vec::new());
    let mut waiting = Vec::new();
    for submission in std::mem::take(&mut submissions.all) {
        let key = key(&submission);
        let earlier = files.earlier(&submission.student);
        match earlier {
            Some(kept) if options.resume && kept.key == key => {
                tell(&kept.graded);
                graded.push(kept.graded);
            }
            earlier => waiting.push((key, submission, earlier)),
        }
    }
    if !waiting.is_empty() {
        let reference = Arc::new(try_solution(&setting, &master, &options.master).await?);
        let places = Arc::new(Semaphore::new(options.jobs.max(1)));
        for (key, submission, earlier) in waiting {
            let (setting, master, reference) = (Arc::clone(&setting), Arc::clone(&master), Arc::clone(&reference));
            let places = Arc::clone(&places);
            running.spawn(async move {
                let _place = places.acquire().await;
                let mut graded = grade_one(&setting, &master, &reference, submission).await;
                if let Some(earlier) = earlier {
                    graded.take_over(&earlier.graded);
                }
                Kept { key, graded }
            });
        }
    }
    while let Some(kept) = running.join_next().await {
        let kept = kept.context("a submission could not be graded")?;
        files.write_student(&assignment, &kept, &options.rules)?;
        tell(&kept.graded);
        graded.push(kept.graded);
    }
    graded.sort_by(|one, other| one.student.cmp(&other.student));
    if options.share.is_none() {
        let students = graded.iter().map(|graded| graded.student.clone()).collect();
        let alike = alike(&master, &graded);
        files.write_class(&Class { assignment, rules: options.rules.clone(), alike, students }, &graded)?;
    }
    Ok(graded)
}

/// Puts the points that somebody has written into a table into the results of a class, and writes all reports again.
///
/// # Errors
///
/// Where nothing was graded there, or where a row of the table cannot be taken; then nothing changes.
pub fn fill_in(output: &Path, table: &Path) -> anyhow::Result<(usize, Vec<Graded>)> {
    let files = Files::in_folder(output)?;
    let class = files.class()?;
    let mut keys = Vec::new();
    let mut graded = Vec::new();
    for student in &class.students {
        let kept = files.earlier(student).with_context(|| format!("the results of {student:?} are gone"))?;
        keys.push(kept.key);
        graded.push(kept.graded);
    }
    let text = std::fs::read_to_string(table).with_context(|| format!("cannot read {}", table.display()))?;
    let filled = report::fill_in(&text, &mut graded).map_err(|errors| {
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{} cannot be taken:\n{}", table.display(), told.join("\n"))
    })?;
    for (key, graded) in keys.into_iter().zip(&graded) {
        files.write_student(&class.assignment, &Kept { key, graded: graded.clone() }, &class.rules)?;
    }
    files.write_class(&class, &graded)?;
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

/// Runs the master's solution, and finds out what tests can take from a student.
async fn try_solution(setting: &Setting, master: &Master, path: &Path) -> anyhow::Result<Reference> {
    let code = || master.cells.iter().enumerate().filter(|(_, cell)| cell.part == Part::Code);
    let steps: Vec<Step> = (1..)
        .zip(code())
        .map(|(number, (_, cell))| Step {
            number,
            code: cell.source.clone(),
            author: match cell.role {
                Role::Test { .. } => Author::Test,
                Role::Given | Role::Free => Author::Teacher,
                Role::Solution | Role::Answer { .. } | Role::Task { .. } => Author::Master,
            },
            takes: BTreeSet::new(),
        })
        .collect();
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
    let Executed { outcomes, .. } = execute(setting, &steps, folder, true).await;
    let mut reference = Reference { takes: vec![BTreeSet::new(); master.cells.len()], given: BTreeSet::new() };
    let mut names = BTreeSet::new();
    for ((at, cell), outcome) in code().zip(&outcomes) {
        reference.takes[at].clone_from(&names);
        let failed = |told: &str| anyhow::anyhow!("`{}` of the master fails on its own solution: {told}", cell.id);
        match (cell.role, outcome) {
            (_, Err(NotRun::NotStarted(why))) => anyhow::bail!("the master cannot be run: {why}"),
            (Role::Test { .. }, outcome) => {
                let question = by_test(cell, outcome, false);
                if question.verdict != Verdict::Pass {
                    return Err(failed(&question.messages.join("; ")));
                }
            }
            (_, Ok(ran)) => {
                if let Some((kind, told)) = &ran.error {
                    return Err(failed(&format!("{kind}: {told}")));
                }
            }
            (_, Err(why)) => return Err(failed(&format!("{why:?}"))),
        }
        if cell.role == Role::Given {
            reference.given.extend(declared_names(&cell.source));
        }
        if let Ok(ran) = outcome {
            names.extend(ran.names.iter().cloned());
        }
    }
    Ok(reference)
}

async fn grade_one(setting: &Setting, master: &Master, reference: &Reference, submission: Submission) -> Graded {
    let began = Instant::now();
    let mut graded = Graded {
        student: submission.student,
        questions: Vec::new(),
        flags: Vec::new(),
        problem: None,
        handed_in: submission.handed_in,
        fingerprint: submission.fingerprint,
        seconds: 0.0,
        notebook: serde_json::Value::Null,
    };
    let read = submission.text.and_then(|text| Collation::read(master, &text).map_err(|error| error.to_string()));
    let collation = match read {
        Ok(collation) => collation,
        Err(problem) => {
            graded.questions = missing(master, &problem);
            graded.problem = Some(problem);
            return graded;
        }
    };
    let steps = steps_of(master, reference, &collation);
    let code: Vec<Step> = steps.iter().flatten().cloned().collect();
    let Executed { outcomes, ran_out_of_memory } = execute(setting, &code, submission.files, false).await;
    if let Some(Err(NotRun::NotStarted(why))) = outcomes.first() {
        graded.problem = Some(why.clone());
    }
    let mut outcomes = outcomes.into_iter();
    let outcomes: Vec<_> = steps.iter().map(|step| step.as_ref().and_then(|_| outcomes.next())).collect();
    for (at, cell) in master.cells.iter().enumerate().filter(|(_, cell)| cell.role.points().is_some()) {
        let place = collation.cells.iter().position(|other| other.of_master == Some(at));
        let outcome = place.and_then(|place| outcomes[place].as_ref());
        graded.questions.push(match (cell.role, outcome) {
            (Role::Test { .. }, Some(outcome)) => by_test(cell, outcome, ran_out_of_memory),
            _ => by_hand(master, at, &collation),
        });
    }
    let shown = collation.cells.iter().zip(&outcomes).map(|(cell, outcome)| {
        let is_hidden = cell.source != cell.shown;
        match outcome {
            Some(Ok(ran)) if !is_hidden => ran.outputs.clone(),
            _ => Vec::new(),
        }
    });
    graded.notebook = collation.notebook(&shown.collect::<Vec<_>>());
    graded.flags = collation.flags.clone();
    graded.flags.extend(taken_names(master, reference, &collation));
    graded.seconds = began.elapsed().as_secs_f64();
    graded
}

/// What is run of each cell; nothing of a text.
fn steps_of(master: &Master, reference: &Reference, collation: &Collation) -> Vec<Option<Step>> {
    let mut number = 0;
    let steps = collation.cells.iter().map(|cell| {
        if cell.part == Part::Text {
            return None;
        }
        number += 1;
        let of_master = cell.of_master.filter(|_| cell.is_teachers);
        let author = match of_master.map(|at| master.cells[at].role) {
            None => Author::Student,
            Some(Role::Test { .. }) => Author::Test,
            Some(_) => Author::Teacher,
        };
        let takes = of_master.map(|at| reference.takes[at].clone()).unwrap_or_default();
        Some(Step { number, code: cell.source.clone(), author, takes })
    });
    steps.collect()
}

/// Names that a student's cells take from the given cells, or from what every cell has: tests do not see them.
fn taken_names(master: &Master, reference: &Reference, collation: &Collation) -> Vec<Flag> {
    let of_every_cell: BTreeSet<&str> = names_of_every_cell().collect();
    let of_master: BTreeSet<String> = master
        .cells
        .iter()
        .filter(|cell| cell.part == Part::Code && cell.role.is_written_by_students())
        .flat_map(|cell| declared_names(&cell.source))
        .collect();
    let students = collation.cells.iter().filter(|cell| cell.part == Part::Code && !cell.is_teachers);
    let flags = students.flat_map(|cell| {
        let names = declared_names(&cell.source);
        let taken = names.into_iter().filter(|name| {
            let is_given = reference.given.contains(name);
            (is_given || of_every_cell.contains(name.as_str())) && !of_master.contains(name)
        });
        let place = cell.place;
        taken.map(move |name| Flag { cell: place, what: format!("defines `{name}`, which tests do not take from it") })
    });
    flags.collect()
}

/// All questions of a submission that cannot be run.
fn missing(master: &Master, problem: &str) -> Vec<Question> {
    let worth = master.cells.iter().filter(|cell| cell.role.points().is_some());
    let why = Err(NotRun::NotStarted(problem.to_owned()));
    worth.map(|cell| by_test(cell, &why, false)).collect()
}
