//! A mark, with its computation in one line.

use std::fmt;

use super::Deadline;
use crate::points::{Points, rounded};

/// When something was handed in, seen from the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lateness {
    /// There is no deadline.
    NoDeadline,
    /// Nobody knows when it was handed in: it counts as in time.
    Unknown,
    /// By the deadline.
    InTime,
    /// After it.
    Late {
        /// So many seconds.
        seconds: i64,
    },
}

impl Lateness {
    pub(super) fn of(handed_in: Option<i64>, deadline: Option<Deadline>) -> Self {
        match (handed_in, deadline) {
            (_, None) => Self::NoDeadline,
            (None, Some(_)) => Self::Unknown,
            (Some(moment), Some(deadline)) => match moment.saturating_sub(deadline.seconds()) {
                ..=0 => Self::InTime,
                seconds => Self::Late { seconds },
            },
        }
    }
}

/// What a student gets, and why. It is shown as its computation:
/// `7.5 of 10 points × 0.9 (handed in 3 h 12 min after the deadline) = 6.75`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// The points of all questions.
    pub points: f64,
    /// What all questions are worth.
    pub of: f64,
    /// When it was handed in.
    pub lateness: Lateness,
    /// How much of the points counts therefore.
    pub factor: f64,
}

impl Mark {
    /// The mark itself: the points that count, in hundredths.
    pub fn value(&self) -> f64 {
        rounded(self.points * self.factor)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} points", Points(self.points), Points(self.of))?;
        match self.lateness {
            Lateness::NoDeadline => Ok(()),
            Lateness::Unknown => f.write_str(" (when it was handed in is not known)"),
            Lateness::InTime => f.write_str(" (handed in by the deadline)"),
            Lateness::Late { seconds } => {
                let (factor, late, value) = (self.factor, duration(seconds), Points(self.value()));
                write!(f, " × {factor} (handed in {late} after the deadline) = {value}")
            }
        }
    }
}

/// A time in days, hours and minutes. A minute that has begun counts, so that nothing late is late by nothing.
fn duration(seconds: i64) -> String {
    let minutes = seconds / 60 + i64::from(seconds % 60 > 0);
    let (days, hours, minutes) = (minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        (1, _) => format!("1 day {hours} h {minutes} min"),
        _ => format!("{days} days {hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_how_it_was_computed() {
        let mark = |points, lateness, factor| Mark { points, of: 10.0, lateness, factor }.to_string();
        let late = Lateness::Late { seconds: 3 * 3600 + 12 * 60 };
        assert_eq!(mark(7.5, late, 0.9), "7.5 of 10 points × 0.9 (handed in 3 h 12 min after the deadline) = 6.75");
        assert!(mark(8.0, late, 0.125).ends_with("× 0.125 (handed in 3 h 12 min after the deadline) = 1"));
        assert_eq!(mark(7.5, Lateness::InTime, 1.0), "7.5 of 10 points (handed in by the deadline)");
        assert_eq!(mark(7.0, Lateness::NoDeadline, 1.0), "7 of 10 points");
        assert_eq!(mark(7.0, Lateness::Unknown, 1.0), "7 of 10 points (when it was handed in is not known)");
    }

    #[test]
    fn late_is_what_came_after_the_deadline() {
        let deadline: Deadline = "2026-12-01T00:00Z".parse().expect("is a time");
        let of = |after: i64| Lateness::of(Some(deadline.seconds() + after), Some(deadline));
        assert_eq!((of(-1), of(0)), (Lateness::InTime, Lateness::InTime));
        assert_eq!(of(1), Lateness::Late { seconds: 1 });
        assert_eq!(Lateness::of(None, Some(deadline)), Lateness::Unknown);
        assert_eq!(Lateness::of(Some(i64::MIN), Some(deadline)), Lateness::InTime);
    }

    #[test]
    fn a_minute_that_has_begun_is_told() {
        for (seconds, told) in [
            (1, "1 min"),
            (60, "1 min"),
            (3600, "1 h 0 min"),
            (86_400, "1 day 0 h 0 min"),
            (86_401, "1 day 0 h 1 min"),
            (5 * 86_400 + 7_200, "5 days 2 h 0 min"),
        ] {
            assert_eq!(duration(seconds), told);
        }
    }
}
