//! Which of several versions of one student counts.

/// One of the versions that a student has handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// When, in seconds since 1970 (UTC), where that is known.
    pub handed_in: Option<i64>,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub fingerprint: String,
}

/// The version that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Its place among the versions, from 0.
    pub index: usize,
    /// When it was handed in for the first time.
    pub handed_in: Option<i64>,
}

/// The version that counts: the last one. Whoever hands in the same file again has handed it in before, so the time is
/// that of the first version with this fingerprint. Versions without a time are older than those with one; of the same
/// time, the one further behind is the last.
pub fn counted(versions: &[Version]) -> Option<Counted> {
    let (index, last) = versions.iter().enumerate().max_by_key(|(_, version)| version.handed_in)?;
    let same = versions.iter().filter(|version| version.fingerprint == last.fingerprint);
    Some(Counted { index, handed_in: same.filter_map(|version| version.handed_in).min() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(versions: &[(Option<i64>, &str)]) -> Option<(usize, Option<i64>)> {
        let versions: Vec<Version> = versions
            .iter()
            .map(|&(handed_in, fingerprint)| Version { handed_in, fingerprint: fingerprint.to_owned() })
            .collect();
        counted(&versions).map(|counted| (counted.index, counted.handed_in))
    }

    #[test]
    fn the_last_version_counts_with_the_time_at_which_its_file_first_came() {
        assert_eq!(counts(&[]), None);
        assert_eq!(counts(&[(Some(5), "a"), (Some(9), "b"), (Some(7), "c")]), Some((1, Some(9))));
        assert_eq!(counts(&[(Some(5), "a"), (Some(9), "a")]), Some((1, Some(5))));
        // A student who returns to the first file means that one, and had it in time.
        assert_eq!(counts(&[(Some(5), "a"), (Some(7), "b"), (Some(9), "a")]), Some((2, Some(5))));
    }

    #[test]
    fn a_version_without_a_time_is_the_last_only_where_none_has_one() {
        assert_eq!(counts(&[(Some(5), "a"), (None, "b")]), Some((0, Some(5))));
        assert_eq!(counts(&[(None, "a"), (None, "b")]), Some((1, None)));
    }
}
