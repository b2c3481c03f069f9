//! When something had to be handed in, as people write it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, FixedOffset, Local, MappedLocalTime, NaiveDateTime, TimeZone as _};
use serde::{Deserialize, Serialize};

/// How a time is written: with an offset from UTC, and without one.
const FORMS: [(&str, &str); 2] =
    [("%Y-%m-%dT%H:%M%#z", "%Y-%m-%dT%H:%M"), ("%Y-%m-%dT%H:%M:%S%#z", "%Y-%m-%dT%H:%M:%S")];

/// The last moment at which something is in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Deadline(DateTime<FixedOffset>);

/// A deadline in a file of rules: a text, or one of the times that TOML has.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Time(toml_edit::Datetime),
}

/// Why a text is no deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// It is not written as a time.
    #[error(
        "`{0}` is no time; write it as 2026-11-30T23:59, the local time of this machine, or with an offset, as \
         2026-11-30T23:59+08:00 or 2026-11-30T15:59Z"
    )]
    Form(String),
    /// The clocks of this time zone leave it out.
    #[error("there is no `{0}` where this machine is: clocks are put forward then; add an offset, such as +02:00")]
    LeftOut(String),
}

impl Deadline {
    /// The moment, in seconds since 1970 (UTC).
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// Reads a time; `offset` is that of the local time from UTC.
    fn read(
        text: &str,
        offset: impl Fn(&NaiveDateTime) -> MappedLocalTime<FixedOffset>,
    ) -> Result<Self, DeadlineError> {
        // Chrono takes 26 for a year, and everything would be late by two millennia.
        let is_of_now = |year: i32| (1970..10_000).contains(&year);
        for (with_offset, without) in FORMS {
            if let Some(time) = DateTime::parse_from_str(text, with_offset).ok().filter(|time| is_of_now(time.year())) {
                return Ok(Self(time));
            }
            if let Some(time) = NaiveDateTime::parse_from_str(text, without).ok().filter(|time| is_of_now(time.year()))
            {
                // An hour that clocks show twice ends when it ends for the second time.
                let moment = offset(&time).latest().and_then(|offset| time.and_local_timezone(offset).single());
                return moment.map(Self).ok_or_else(|| DeadlineError::LeftOut(text.to_owned()));
            }
        }
        Err(DeadlineError::Form(text.to_owned()))
    }
}

impl FromStr for Deadline {
    type Err = DeadlineError;

    fn from_str(text: &str) -> Result<Self, DeadlineError> {
        Self::read(text.trim(), |time| Local.offset_from_local_datetime(time))
    }
}

impl From<Deadline> for String {
    fn from(deadline: Deadline) -> Self {
        deadline.0.to_rfc3339()
    }
}

impl TryFrom<Written> for Deadline {
    type Error = DeadlineError;

    fn try_from(written: Written) -> Result<Self, DeadlineError> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Time(time) => time.to_string().parse(),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d %H:%M %:z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: i32) -> FixedOffset {
        FixedOffset::east_opt(hours * 3600).expect("is less than a day")
    }

    fn read(text: &str) -> Result<i64, DeadlineError> {
        Deadline::read(text, |_| MappedLocalTime::Single(hours(2))).map(Deadline::seconds)
    }

    #[test]
    fn a_time_is_local_unless_it_has_an_offset() {
        const MIDNIGHT: i64 = 1_796_083_200;
        for (text, hours) in [
            ("2026-12-01T00:00", -2),
            ("2026-12-01T00:00:00", -2),
            ("2026-12-01T00:00Z", 0),
            ("2026-12-01T00:00:00Z", 0),
            ("2026-12-01T00:00+08:00", -8),
            ("2026-12-01T00:00:00-05:00", 5),
        ] {
            assert_eq!(read(text), Ok(MIDNIGHT + hours * 3600), "{text}");
        }
        let deadline: Deadline = "2026-11-30T23:59+08:00".parse().expect("is a time");
        assert_eq!(deadline.to_string(), "2026-11-30 23:59 +08:00");
    }

    #[test]
    fn what_is_no_time_is_told_with_how_to_write_one() {
        for text in ["", "tomorrow", "30.11.2026 23:59", "2026-11-30", "2026-11-31T23:59", "26-11-30T23:59", "<b>"] {
            assert_eq!(read(text), Err(DeadlineError::Form(text.to_owned())));
        }
        let error = DeadlineError::Form("noon".to_owned()).to_string();
        assert!(error.contains("write it as 2026-11-30T23:59"), "{error}");
    }

    #[test]
    fn where_clocks_change_a_time_is_the_later_one_or_none() {
        let text = "2026-10-25T02:30";
        let twice = Deadline::read(text, |_| MappedLocalTime::Ambiguous(hours(2), hours(1)));
        assert_eq!(twice, Ok("2026-10-25T02:30+01:00".parse().expect("is a time")));
        let never = Deadline::read(text, |_| MappedLocalTime::None);
        assert_eq!(never, Err(DeadlineError::LeftOut(text.to_owned())));
    }
}
