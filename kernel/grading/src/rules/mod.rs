//! The course's rules as data: how a mark follows from points, and which of several versions counts.
//!
//! `default.toml` has the rules that are built in. A course's own file has the same form.

mod deadline;
mod mark;
mod versions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use deadline::{Deadline, DeadlineError};
pub use mark::{Lateness, Mark};
pub use versions::{Counted, Version, counted};

use crate::results::Graded;

/// The rules that are built in, as a file: a course can begin with a copy.
pub const DEFAULT: &str = include_str!("default.toml");

/// How marks follow from points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// When it had to be handed in; without a deadline nothing is late.
    pub deadline: Option<Deadline>,
    /// Deadlines of single students.
    #[serde(default)]
    extensions: BTreeMap<String, Deadline>,
    /// What counts of something late, from the least late on.
    #[serde(default = "usual")]
    late: Vec<Step>,
}

/// What counts of something that is at most so late.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// How late it is at most; none for however late.
    up_to_hours: Option<f64>,
    /// How much of the points counts.
    factor: f64,
}

/// What is wrong with a file of rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is not of the form.
    #[error("the rules cannot be read: {0}")]
    Form(#[from] toml_edit::de::Error),
    /// A factor would give points away, or take off more than there are.
    #[error("entry {entry} of `late` has the factor {factor}; write a number from 0 to 1, such as 0.9 for 90 %")]
    Factor {
        /// Its place in the list, from 1.
        entry: usize,
        /// The factor.
        factor: f64,
    },
    /// An entry could never be the first that fits.
    #[error("entry {entry} of `late` is up to {hours} hours, and has to be up to more than {before}: sort the entries")]
    Order {
        /// Its place in the list, from 1.
        entry: usize,
        /// Its hours.
        hours: f64,
        /// The hours of the entry ahead of it.
        before: f64,
    },
    /// An entry without hours has others behind it.
    #[error("entry {entry} of `late` has no `up_to_hours`, and would hide those behind it: give it some, or move it")]
    Hides {
        /// Its place in the list, from 1.
        entry: usize,
    },
    /// Nothing says what counts of something very late.
    #[error(
        "the last entry of `late` has `up_to_hours`; add one without, such as `{{ factor = 0 }}`, for what is later"
    )]
    Ends,
}

impl Default for Rules {
    fn default() -> Self {
        Self::read(DEFAULT).expect("the tests read it")
    }
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    ///
    /// The first that is wrong with it.
    pub fn read(text: &str) -> Result<Self, RulesError> {
        let rules: Self = toml_edit::de::from_str(text)?;
        check(&rules.late)?;
        Ok(rules)
    }

    /// The students with a deadline of their own who have handed in nothing, or have another name there.
    pub fn strangers(&self, class: &[Graded]) -> Vec<&str> {
        let is_there = |name: &&str| class.iter().any(|graded| graded.student == *name);
        self.extensions.keys().map(String::as_str).filter(|name| !is_there(name)).collect()
    }

    /// The mark of what a student has handed in.
    pub fn mark(&self, graded: &Graded) -> Mark {
        let deadline = self.extensions.get(&graded.student).copied().or(self.deadline);
        let lateness = Lateness::of(graded.handed_in, deadline);
        Mark { points: graded.points(), of: graded.of(), lateness, factor: self.factor(lateness) }
    }

    fn factor(&self, lateness: Lateness) -> f64 {
        let Lateness::Late { seconds } = lateness else { return 1.0 };
        let hours = seconds as f64 / 3600.0;
        let step = self.late.iter().find(|step| step.up_to_hours.is_none_or(|most| hours <= most));
        step.map_or(1.0, |step| step.factor)
    }
}

/// What the built-in rules have for a file that says nothing of it.
fn usual() -> Vec<Step> {
    Rules::default().late
}

/// Whether every entry can be the first that fits, and one fits however late something is.
fn check(late: &[Step]) -> Result<(), RulesError> {
    let mut before = 0.0;
    for (entry, step) in (1..).zip(late) {
        if !(0.0..=1.0).contains(&step.factor) {
            return Err(RulesError::Factor { entry, factor: step.factor });
        }
        match step.up_to_hours {
            Some(hours) if hours > before => before = hours,
            Some(hours) => return Err(RulesError::Order { entry, hours, before }),
            None if entry < late.len() => return Err(RulesError::Hides { entry }),
            None => {}
        }
    }
    if late.last().is_some_and(|step| step.up_to_hours.is_some()) { Err(RulesError::Ends) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    #[test]
    fn a_student_may_have_a_deadline_of_their_own() {
        let text = "deadline = 2026-12-01T00:00Z\n[extensions]\n\"ada l\" = \"2026-12-03T00:00Z\"";
        let rules = Rules::read(text).expect("are rules");
        let handed_in = Some(rules.deadline.expect("has one").seconds() + 30 * HOUR);
        let mark = |student: &str| rules.mark(&Graded { handed_in, ..crate::report::tests::graded(student, vec![]) });
        assert_eq!((mark("ada l").factor, mark("bob").factor), (1.0, 0.7));
        let class = ["ada", "bob"].map(|student| crate::report::tests::graded(student, vec![]));
        assert_eq!(rules.strangers(&class), ["ada l"]);
    }

    fn factor(rules: &Rules, seconds: i64) -> f64 {
        rules.factor(Lateness::Late { seconds })
    }

    #[test]
    fn the_built_in_rules_take_off_more_the_later_it_is() {
        let rules = Rules::default();
        assert_eq!(rules.deadline, None);
        for (seconds, expected) in
            [(1, 0.9), (24 * HOUR, 0.9), (24 * HOUR + 1, 0.7), (72 * HOUR, 0.7), (72 * HOUR + 1, 0.5), (i64::MAX, 0.5)]
        {
            assert_eq!(factor(&rules, seconds), expected, "{seconds} s");
        }
        assert_eq!(rules.factor(Lateness::InTime), 1.0);
    }

    #[test]
    fn a_file_changes_what_it_says_and_nothing_else() {
        let deadline = "2026-11-30T23:59Z".parse().expect("is a time");
        let rules = Rules::read("deadline = \"2026-11-30T23:59Z\"").expect("is of the form");
        assert_eq!(rules, Rules { deadline: Some(deadline), ..Rules::default() });
        assert_eq!(factor(&Rules::read("late = []").expect("is of the form"), 1), 1.0);
        let strict =
            Rules::read("late = [{ up_to_hours = 0.25, factor = 1 }, { factor = 0 }]").expect("is of the form");
        assert_eq!((factor(&strict, 900), factor(&strict, 901)), (1.0, 0.0));
        // TOML has times of its own.
        assert_eq!(Rules::read("deadline = 2026-11-30T23:59:00Z").expect("is of the form").deadline, Some(deadline));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_what_to_do() {
        for (file, told) in [
            ("late = [{ factor = 90 }]", "entry 1 of `late` has the factor 90; write a number from 0 to 1"),
            ("late = [{ factor = nan }]", "entry 1 of `late` has the factor NaN; write a number from 0 to 1"),
            (
                "late = [{ up_to_hours = 72, factor = 0.7 }, { up_to_hours = 24, factor = 0.9 }, { factor = 0 }]",
                "entry 2 of `late` is up to 24 hours, and has to be up to more than 72",
            ),
            ("late = [{ up_to_hours = 0, factor = 0.7 }, { factor = 0 }]", "entry 1 of `late` is up to 0 hours"),
            ("late = [{ factor = 0.7 }, { factor = 0 }]", "entry 1 of `late` has no `up_to_hours`"),
            ("late = [{ up_to_hours = 9, factor = 0.7 }]", "the last entry of `late` has `up_to_hours`; add one"),
            ("late = [{ hours = 9 }]", "unknown field `hours`, expected `up_to_hours` or `factor`"),
            ("deadlin = \"2026-11-30T23:59\"", "unknown field `deadlin`"),
            ("deadline = \"30.11.2026\"", "`30.11.2026` is no time; write it as 2026-11-30T23:59"),
            ("deadline = 5", "line 1, column 12"),
            ("late = [", "line 1"),
        ] {
            let error = Rules::read(file).expect_err(file).to_string();
            assert!(error.contains(told), "{file}: {error}");
        }
    }
}
