//! One submission: what is run of it, and what each question gets.

use std::time::Instant;

use oxtorch_engine::{declared_names, is_name_of_every_cell};
use oxtorch_grading::collate::rubric;
use oxtorch_grading::signatures::signatures;
use oxtorch_grading::{Collation, Flag, Graded, Master, MasterCell, Part, Question, Role};

use oxtorch_session::ErrorKind;

use crate::batch::reference::Reference;
use crate::messages::Author;
use crate::submissions::Submission;
use crate::verdict::{by_hand, by_test};
use crate::worker::{Executed, NotRun, Outcome, Setting, Step, execute};

/// Runs a submission and marks it. Whatever is wrong with it is in the result.
pub(super) async fn grade_one(
    setting: &Setting,
    master: &Master,
    reference: &Reference,
    submission: Submission,
) -> Graded {
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
    let Executed { outcomes, ran_out_of_memory } = execute(setting, &code, submission.files).await;
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
    graded.flags.extend(taken_names(reference, &collation));
    graded.flags.extend(other_signatures(reference, &collation));
    graded.flags.extend(refused_cells(&collation, &outcomes));
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
        let names = of_master.map_or(&reference.variables, |at| &reference.takes[at]).clone();
        Some(Step { number, code: cell.source.clone(), author, names })
    });
    steps.collect()
}

/// Names that a student's cells take from the given cells, or from what every cell has: tests do not see them.
fn taken_names(reference: &Reference, collation: &Collation) -> Vec<Flag> {
    let students = collation.cells.iter().filter(|cell| cell.part == Part::Code && !cell.is_teachers);
    let flags = students.flat_map(|cell| {
        let names = declared_names(&cell.source);
        let taken = names.into_iter().filter(|name| {
            let is_given = reference.given.contains(name);
            (is_given || is_name_of_every_cell(name)) && !reference.solved.contains(name)
        });
        let place = cell.place;
        taken.map(move |name| Flag { cell: place, what: format!("defines `{name}`, which tests do not take from it") })
    });
    flags.collect()
}

/// Functions that take or return something else than those of the master.
fn other_signatures(reference: &Reference, collation: &Collation) -> Vec<Flag> {
    let students = collation.cells.iter().filter(|cell| cell.part == Part::Code && !cell.is_teachers);
    let flags = students.flat_map(|cell| {
        let others = signatures(&cell.source).into_iter();
        let others =
            others.filter(|(name, types)| reference.signatures.get(name).is_some_and(|wanted| wanted != types));
        let place = cell.place;
        others.map(move |(name, types)| Flag { cell: place, what: format!("`{name}` has another signature: {types}") })
    });
    flags.collect()
}

/// A student's cells that were not run, since they would have changed what tests mean.
fn refused_cells(collation: &Collation, outcomes: &[Option<Outcome>]) -> Vec<Flag> {
    let cells = collation.cells.iter().zip(outcomes).filter(|(cell, _)| !cell.is_teachers);
    let flags = cells.filter_map(|(cell, outcome)| {
        let (kind, told) = outcome.as_ref()?.as_ref().ok()?.error.as_ref()?;
        let is_refused = kind == ErrorKind::Refused.name();
        is_refused.then(|| Flag { cell: cell.place, what: format!("was not run: {told}") })
    });
    flags.collect()
}

/// All questions of a submission that cannot be run.
fn missing(master: &Master, problem: &str) -> Vec<Question> {
    let worth = master.cells.iter().filter(|cell| cell.role.points().is_some());
    let why = Err(NotRun::NotStarted(problem.to_owned()));
    let question = |cell: &MasterCell| {
        // With the rubric, a reader can give points for what came in another way.
        let rubric = (!matches!(cell.role, Role::Test { .. })).then(|| rubric(cell));
        Question { rubric, ..by_test(cell, &why, false) }
    };
    worth.map(question).collect()
}
