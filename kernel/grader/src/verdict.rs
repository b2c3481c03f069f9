//! What a question gets, from what became of its test.

use oxtorch_grading::collate::rubric;
use oxtorch_grading::marks::{self, Region};
use oxtorch_grading::{Collation, Master, MasterCell, Question, Verdict, gives_points};
use oxtorch_protocol::Told;

use crate::messages::Ran;
use crate::worker::{NotRun, Outcome};

/// What is kept of a message, in characters.
const LONGEST_MESSAGE: usize = 500;

/// A question that no test marks.
pub(crate) fn by_hand(master: &Master, at: usize, collation: &Collation) -> Question {
    let cell = &master.cells[at];
    let (answer, cells) = collation.answer(master, at);
    // With the rubric, a reader can give points also where nothing was found.
    let question = Question { rubric: Some(rubric(cell)), ..blank(cell) };
    if answer.trim().is_empty() {
        return Question { messages: vec!["nothing was written".to_owned()], ..question };
    }
    Question { verdict: Verdict::Manual, answer: Some(answer), cells, ..question }
}

/// A question that a test marks.
pub(crate) fn by_test(cell: &MasterCell, outcome: &Outcome, ran_out_of_memory: bool) -> Question {
    let question = blank(cell);
    let ran = match outcome {
        Ok(ran) => ran,
        Err(why) => {
            let (verdict, told) = not_run(why);
            return Question { verdict, messages: vec![told], ..question };
        }
    };
    let mut messages: Vec<String> = ran.marks.iter().filter_map(message_of).map(shortened).collect();
    let given: Vec<f64> = ran.marks.iter().filter_map(points_of).collect();
    // The sum of nothing is -0.
    let sum = given.iter().fold(0.0, |sum, points| sum + points).min(question.of);
    let has_ended = ran.error.is_none() && ran.marks.contains(&Told::Ended);
    let (points, verdict) = if has_ended {
        // A test that gives points where something holds gives none where nothing does.
        let points = if given.is_empty() && !gives_points(&cell.source) { question.of } else { sum };
        (points, of_points(points, question.of))
    } else {
        let verdict = why_not_ended(ran, ran_out_of_memory, &mut messages);
        (sum, if sum > 0.0 && verdict == Verdict::Fail { Verdict::Partial } else { verdict })
    };
    Question { verdict, points, messages, seconds: ran.seconds, ..question }
}

fn blank(cell: &MasterCell) -> Question {
    Question {
        id: cell.id.clone(),
        verdict: Verdict::Missing,
        points: 0.0,
        of: cell.role.points().unwrap_or_default(),
        messages: Vec::new(),
        is_hidden: marks::has(&cell.source, Region::HiddenTests),
        seconds: 0.0,
        answer: None,
        rubric: None,
        cells: Vec::new(),
    }
}

fn of_points(points: f64, of: f64) -> Verdict {
    match points {
        points if points >= of => Verdict::Pass,
        points if points > 0.0 => Verdict::Partial,
        _ => Verdict::Fail,
    }
}

fn points_of(told: &Told) -> Option<f64> {
    match told {
        // A figure that is none gives nothing.
        Told::Points { points, .. } => Some(if points.is_finite() { points.max(0.0) } else { 0.0 }),
        Told::Ended => None,
    }
}

fn message_of(told: &Told) -> Option<String> {
    match told {
        Told::Points { points, message } => {
            let unit = if *points == 1.0 { "point" } else { "points" };
            Some(format!("{points} {unit}: {message}"))
        }
        Told::Ended => None,
    }
}

/// Why a test that ran has not come to its end; what its student is told of that goes to the messages.
fn why_not_ended(ran: &Ran, ran_out_of_memory: bool, messages: &mut Vec<String>) -> Verdict {
    let Some((kind, message)) = &ran.error else {
        messages.push("the test did not come to its end".to_owned());
        return Verdict::Missing;
    };
    messages.push(shortened(message.clone()));
    match kind.as_str() {
        "CompileError" => Verdict::CompileError,
        "Timeout" => Verdict::Timeout,
        "OutputLimit" => Verdict::Output,
        "OutOfMemory" => Verdict::Memory,
        "HostDied" if ran_out_of_memory || message.contains("ran out of memory") => Verdict::Memory,
        "HostDied" => Verdict::Crash,
        _ => Verdict::Fail,
    }
}

fn not_run(why: &NotRun) -> (Verdict, String) {
    match why {
        NotRun::Timeout => (Verdict::Timeout, "not reached: the time for the whole notebook was over".to_owned()),
        NotRun::Crashes => (Verdict::Crash, "not reached: the process that runs the cells ended too often".to_owned()),
        NotRun::SessionEnded => (Verdict::Crash, "not reached: the session was ended from within".to_owned()),
        NotRun::NotStarted(why) => (Verdict::Missing, format!("nothing could be run: {why}")),
    }
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use oxtorch_grading::{Part, Role};

    use super::*;

    fn test(of: f64) -> MasterCell {
        MasterCell {
            index: 0,
            part: Part::Code,
            source: String::new(),
            role: Role::Test { points: of },
            id: "t".to_owned(),
        }
    }

    fn given(points: f64) -> Told {
        Told::Points { points, message: "so".to_owned() }
    }

    fn marked(marks: Vec<Told>, error: Option<(&str, &str)>) -> (Verdict, f64) {
        let error = error.map(|(kind, message)| (kind.to_owned(), message.to_owned()));
        let question = by_test(&test(4.0), &Ok(Ran { marks, error, ..Ran::default() }), false);
        (question.verdict, question.points)
    }

    #[test]
    fn only_a_test_that_came_to_its_end_gives_all_points() {
        assert_eq!(marked(vec![Told::Ended], None), (Verdict::Pass, 4.0));
        // The cell ended well, and nobody has heard of the end of the test.
        assert_eq!(marked(vec![], None), (Verdict::Missing, 0.0));
        assert_eq!(marked(vec![Told::Ended], Some(("Panic", "no"))), (Verdict::Fail, 0.0));
        for why in [NotRun::Timeout, NotRun::Crashes, NotRun::SessionEnded, NotRun::NotStarted("no".to_owned())] {
            assert_eq!(by_test(&test(4.0), &Err(why), false).points, 0.0);
        }
    }

    #[test]
    fn the_sum_of_what_a_test_gives_counts_up_to_what_it_is_worth() {
        assert_eq!(marked(vec![given(1.0), given(1.5), Told::Ended], None), (Verdict::Partial, 2.5));
        assert_eq!(marked(vec![given(3.0), given(3.0), Told::Ended], None), (Verdict::Pass, 4.0));
        assert_eq!(marked(vec![given(0.0), Told::Ended], None), (Verdict::Fail, 0.0));
        assert_eq!(marked(vec![given(f64::NAN), given(-3.0), given(1.0), Told::Ended], None), (Verdict::Partial, 1.0));
        assert_eq!(marked(vec![given(1.0)], Some(("Panic", "then"))), (Verdict::Partial, 1.0));
        assert_eq!(marked(vec![given(1.0)], Some(("Timeout", "then"))), (Verdict::Timeout, 1.0));
    }

    #[test]
    fn a_test_that_calls_points_gives_nothing_where_it_came_to_no_call() {
        for (source, verdict) in [
            ("if good { points(2, \"good\"); }", Verdict::Fail),
            ("assert!(good); // points(2)", Verdict::Pass),
            ("assert!(net.points(2) && data_points(3))", Verdict::Pass),
        ] {
            let cell = MasterCell { source: source.to_owned(), ..test(4.0) };
            let ran = Ran { marks: vec![Told::Ended], ..Ran::default() };
            assert_eq!(by_test(&cell, &Ok(ran), false).verdict, verdict, "{source}");
        }
    }

    #[test]
    fn each_way_to_fail_has_its_name() {
        for (kind, message, verdict) in [
            ("CompileError", "mismatched types", Verdict::CompileError),
            ("Timeout", "ran longer", Verdict::Timeout),
            ("OutputLimit", "printed more", Verdict::Output),
            ("HostDied", "the process exited with code 0", Verdict::Crash),
            ("HostDied", "the process ran out of memory: a value asked for 1 TB", Verdict::Memory),
            ("Error", "no such file", Verdict::Fail),
        ] {
            assert_eq!(marked(vec![], Some((kind, message))), (verdict, 0.0), "{kind}");
        }
    }
}
