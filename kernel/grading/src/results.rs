//! What grading has found: of one question, of one student, of a class. Reports are written from it, and a run that was
//! stopped goes on from it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SHA-256 of bytes, in hexadecimal digits.
pub fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The test came to its end and gave all its points.
    Pass,
    /// The test gave some of its points.
    Partial,
    /// The test panicked, or ended with an error.
    Fail,
    /// The test does not compile with what the student has written.
    CompileError,
    /// It ran longer than it may.
    Timeout,
    /// The process that runs the cells ended.
    Crash,
    /// Memory ran out.
    Memory,
    /// It printed more than it may.
    Output,
    /// It was not reached, or there is nothing to be marked.
    Missing,
    /// Somebody has to read it.
    Manual,
}

impl Verdict {
    /// All of them, as reports list them.
    pub const ALL: [Self; 10] = [
        Self::Pass,
        Self::Partial,
        Self::Fail,
        Self::CompileError,
        Self::Timeout,
        Self::Crash,
        Self::Memory,
        Self::Output,
        Self::Missing,
        Self::Manual,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Partial => "partial",
            Self::Fail => "fail",
            Self::CompileError => "compile error",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Missing => "missing",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What became of one cell that is worth points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its `grade_id` in the master.
    pub id: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What it got. A question that somebody has to read has none until then.
    pub points: f64,
    /// What it is worth.
    pub of: f64,
    /// What its student is told, a line each: what the test says, then why it failed.
    pub messages: Vec<String>,
    /// Whether students have not seen some of its test.
    pub is_hidden: bool,
    /// How long it took, in seconds, with its compilation.
    pub seconds: f64,
    /// What a student has written, where somebody has to read it.
    pub answer: Option<String>,
    /// How it is to be marked, from the master, where somebody has to read it.
    pub rubric: Option<String>,
    /// The cells of the answer, by their places in the executed notebook from 0.
    #[serde(default)]
    pub cells: Vec<usize>,
}

impl Question {
    /// Whether somebody still has to read it.
    pub fn waits(&self) -> bool {
        self.verdict == Verdict::Manual
    }

    /// Whether it is somebody's to read, also where nothing was found.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.waits() || self.answer.is_some() || self.rubric.is_some()
    }

    /// Whether somebody has given points for it.
    fn was_read(&self) -> bool {
        self.is_by_hand() && !matches!(self.verdict, Verdict::Manual | Verdict::Missing)
    }
}

/// Something that somebody should look at. It changes no mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// The cell's place among all cells of what was handed in, from 1; none where it is about the whole.
    pub cell: Option<usize>,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cell {
            Some(cell) => write!(f, "cell {cell}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What became of what one student has handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graded {
    /// The student, as the folder or the file name has it.
    pub student: String,
    /// The questions, in the order of the master.
    pub questions: Vec<Question>,
    /// What somebody should look at.
    pub flags: Vec<Flag>,
    /// Why nothing could be run: then all questions are missing.
    pub problem: Option<String>,
    /// When it was handed in, in seconds since 1970 (UTC), where that is known.
    pub handed_in: Option<i64>,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub fingerprint: String,
    /// How long its run took, in seconds.
    pub seconds: f64,
    /// The notebook as it was executed, without what hidden tests show.
    pub notebook: Value,
}

impl Graded {
    /// The sum of the points so far, without rules about time.
    pub fn points(&self) -> f64 {
        self.questions.iter().map(|question| question.points).sum()
    }

    /// What all questions are worth.
    pub fn of(&self) -> f64 {
        self.questions.iter().map(|question| question.of).sum()
    }

    /// Takes over what somebody has given for answers that are still the same, also for none: it may have come in
    /// another way.
    pub fn take_over(&mut self, earlier: &Self) {
        for question in self.questions.iter_mut().filter(|question| question.is_by_hand()) {
            let is_same = |other: &&Question| {
                (&other.id, other.of, &other.answer) == (&question.id, question.of, &question.answer)
                    && other.was_read()
            };
            if let Some(read) = earlier.questions.iter().find(is_same) {
                *question = read.clone();
            }
        }
    }

    /// How many questions somebody still has to read.
    pub fn waiting(&self) -> usize {
        self.questions.iter().filter(|question| question.waits()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{graded, question};

    #[test]
    fn points_by_hand_are_taken_over_and_what_nobody_has_read_is_not() {
        let why = |verdict, points, told: &str| Question {
            messages: vec![told.to_owned()],
            rubric: Some("1 for the reason".to_owned()),
            ..question("why", verdict, points)
        };
        let new = || why(Verdict::Missing, 0.0, "nothing was written");
        let over = |earlier: Question| {
            let mut now = graded("ada", vec![new()]);
            now.take_over(&graded("ada", vec![earlier]));
            now.questions.remove(0)
        };
        let by_mail = why(Verdict::Partial, 1.0, "by mail");
        assert_eq!(over(by_mail.clone()), by_mail);
        assert_eq!(over(why(Verdict::Missing, 0.0, "nothing could be run: it is not JSON")), new());
        // Its answer has changed since.
        assert_eq!(over(Question { answer: Some("because".to_owned()), ..by_mail }), new());
    }
}
