//! The student in the name of a file, by a pattern such as `{student}_*`.

use std::str::FromStr;

/// Stands for the student.
const STUDENT: &str = "{student}";

/// What the names of files are like: text, `{student}`, and `*` for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (before, after) = text.split_once(STUDENT).ok_or_else(|| format!("must have {STUDENT} in it"))?;
        if after.contains(STUDENT) {
            return Err(format!("must have {STUDENT} in it once"));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }
}

impl Pattern {
    /// The student of a file with this name, without its ending; all of the name where the pattern does not fit.
    pub fn student(&self, stem: &str) -> String {
        let starts = (0..=stem.len()).filter(|at| stem.is_char_boundary(*at));
        let is_before = |at: &usize| fits(&self.before, &stem[..*at]);
        let Some(start) = starts.clone().find(is_before) else { return stem.to_owned() };
        // The shortest name that leaves what fits the rest.
        let end = starts.filter(|at| *at > start).find(|at| fits(&self.after, &stem[*at..]));
        end.map_or(stem, |end| &stem[start..end]).to_owned()
    }
}

/// Whether a text fits a pattern of text and `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((first, rest)) => text.strip_prefix(first).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_the_student_in_a_name() {
        let student = |pattern: &str, name: &str| pattern.parse::<Pattern>().expect("is a pattern").student(name);
        assert_eq!(student("{student}", "ada lovelace"), "ada lovelace");
        assert_eq!(student("{student}_*", "Ada Lovelace_123_assignsubmission_file_hw"), "Ada Lovelace");
        assert_eq!(student("hw1-{student}", "hw1-ada"), "ada");
        assert_eq!(student("*_{student}_late", "17_ada_late"), "ada");
        assert_eq!(student("hw1-{student}", "ada"), "ada");
        assert_eq!(student("{student}_*", "李四_作业"), "李四");
        assert!("*".parse::<Pattern>().is_err() && "{student}{student}".parse::<Pattern>().is_err());
    }
}
