//! A class: the master is run once, then each submission, some at the same time; what became of each is written at once.

mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use oxtorch_engine::{declared_names, names_of_every_cell};
use oxtorch_grading::rules::Rules;
use oxtorch_grading::{Collation, Flag, Graded, Master, Part, Question, Role, Verdict};
use oxtorch_setup::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::batch::files::Files;
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
    let files = Files::in_folder(&options.output)?;
    let setting = Arc::new(Setting {
        sandbox: options.sandbox,
        runtime,
        program,
        cache: files.cache()?,
        bounds: options.bounds,
        cell_timeout: options.cell_timeout,
        timeout: options.timeout,
        output_limit: options.output_limit,
        threads: threads_of_each(options.jobs),
    });
    let text = std::fs::read(&options.master).with_context(|| format!("cannot read {}", options.master.display()))?;
    let key = |submission: &Submission| {
        let limits = (options.bounds, options.cell_timeout, options.timeout, options.output_limit);
        let all = format!("{} {} {limits:?}", fingerprint(&text), submission.fingerprint);
        fingerprint(all.as_bytes())
    };
    let master = Arc::new(master.clone());
    let reference = Arc::new(try_solution(&setting, &master, &options.master).await?);
    let places = Arc::new(Semaphore::new(options.jobs.max(1)));
    let mut running = JoinSet::new();
    let mut class = Vec::new();
    for submission in std::mem::take(&mut submissions.all) {
        let key = key(&submission);
        if options.resume
            && let Some(graded) = files.earlier(&submission.student, &key)
        {
            tell(&graded);
            class.push(graded);
            continue;
        }
        let (setting, master, reference) = (Arc::clone(&setting), Arc::clone(&master), Arc::clone(&reference));
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire().await;
            (key, grade_one(&setting, &master, &reference, submission).await)
        });
    }
    while let Some(graded) = running.join_next().await {
        let (key, graded) = graded.context("a submission could not be graded")?;
        files.write_student(&assignment, &graded, &key, &options.rules)?;
        tell(&graded);
        class.push(graded);
    }
    class.sort_by(|one, other| one.student.cmp(&other.student));
    files.write_class(&assignment, &class, &options.rules)?;
    Ok(class)
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

/// How many threads the operations of each notebook use. As many at any time, so that what is computed is the same.
fn threads_of_each(jobs: usize) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    (all / jobs.max(1)).max(1)
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
