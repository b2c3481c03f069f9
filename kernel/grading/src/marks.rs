//! Regions of a cell's text between marks, such as `// BEGIN SOLUTION` and `// END SOLUTION`.
//!
//! A mark is a line of its own that contains these words, in a comment of whatever language, as nbgrader reads them.

/// What a region is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// What students have to write.
    Solution,
    /// Tests that students do not see.
    HiddenTests,
    /// How a task is marked by hand, which students do not see.
    MarkScheme,
}

impl Region {
    const ALL: [Self; 3] = [Self::Solution, Self::HiddenTests, Self::MarkScheme];

    /// The words behind `BEGIN` and `END`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Solution => "SOLUTION",
            Self::HiddenTests => "HIDDEN TESTS",
            Self::MarkScheme => "MARK SCHEME",
        }
    }

    /// What a line begins, if it is a mark.
    fn begun_by(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| line.contains(&format!("BEGIN {}", region.name())))
    }

    fn is_ended_by(self, line: &str) -> bool {
        line.contains(&format!("END {}", self.name()))
    }
}

/// What is wrong with the marks of a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// A region does not end.
    #[error("line {line}: `BEGIN {}` has no `END {}`", region.name(), region.name())]
    NoEnd {
        /// The line of its beginning, from 1.
        line: usize,
        /// The region.
        region: Region,
    },
    /// A region begins within another.
    #[error("line {line}: `BEGIN {}` stands within `BEGIN {}`; end that one first", inner.name(), outer.name())]
    Nested {
        /// The line, from 1.
        line: usize,
        /// The one around it.
        outer: Region,
        /// The one that begins.
        inner: Region,
    },
    /// A region ends that has not begun.
    #[error("line {line}: `END {}` has no `BEGIN {}` ahead of it", region.name(), region.name())]
    NoBegin {
        /// The line, from 1.
        line: usize,
        /// The region.
        region: Region,
    },
}

/// The text with other text in the place of each region; `replaced` gives that text, with the line breaks between its
/// lines, and none where the region just goes. The lines get the indentation of the mark.
///
/// # Errors
///
/// Marks that do not match.
pub fn replace(text: &str, replaced: impl Fn(Region) -> Option<&'static str>) -> Result<String, MarkError> {
    let mut lines: Vec<String> = Vec::new();
    let mut open: Option<(usize, Region)> = None;
    for (number, line) in (1..).zip(text.split('\n')) {
        if let Some((_, region)) = open {
            if let Some(inner) = Region::begun_by(line) {
                return Err(MarkError::Nested { line: number, outer: region, inner });
            }
            if region.is_ended_by(line) {
                open = None;
            }
        } else if let Some(region) = Region::begun_by(line) {
            let indentation = &line[..line.len() - line.trim_start().len()];
            let text = replaced(region).into_iter().flat_map(|text| text.split('\n'));
            lines.extend(text.map(|line| format!("{indentation}{line}")));
            open = Some((number, region));
        } else if let Some(region) = Region::ALL.into_iter().find(|region| region.is_ended_by(line)) {
            return Err(MarkError::NoBegin { line: number, region });
        } else {
            lines.push(line.to_owned());
        }
    }
    match open {
        Some((line, region)) => Err(MarkError::NoEnd { line, region }),
        None => Ok(lines.join("\n")),
    }
}

/// A line that looks like a mark and is none, and the mark that may be meant: what it was to keep from students would
/// be in what they get.
pub fn mistyped(text: &str) -> Option<(usize, String)> {
    let words =
        |text: &str| -> String { text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_uppercase() };
    let marks =
        || ["BEGIN", "END"].into_iter().flat_map(|side| Region::ALL.map(|region| format!("{side} {}", region.name())));
    (1..).zip(text.lines()).find_map(|(number, line)| {
        let spelled = words(line);
        // In the singular as well.
        let is_near = |mark: &String| spelled == words(mark) || spelled == words(mark).trim_end_matches('S');
        let meant = marks().find(is_near)?;
        (!marks().any(|mark| line.contains(&mark))).then_some((number, meant))
    })
}

/// What stands in the regions of this kind, without their marks.
pub fn within(text: &str, region: Region) -> String {
    let mut is_in = false;
    let lines = text.lines().filter(|line| {
        let begins = Region::begun_by(line) == Some(region);
        let ends = region.is_ended_by(line);
        is_in = (is_in || begins) && !ends;
        is_in && !begins
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a text has a region of this kind.
pub fn has(text: &str, region: Region) -> bool {
    text.lines().any(|line| Region::begun_by(line) == Some(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = "fn f(x: f64) -> f64 {\n    // BEGIN SOLUTION\n    let y = x * x;\n    y + 1.0\n    // END SOLUTION\n}\n\
                        // BEGIN HIDDEN TESTS\nassert_eq!(f(2.0), 5.0);\n// END HIDDEN TESTS\nassert!(f(0.0) > 0.0);";

    fn student(region: Region) -> Option<&'static str> {
        (region == Region::Solution).then_some("// YOUR CODE HERE\ntodo!()")
    }

    #[test]
    fn a_solution_becomes_a_stub_at_its_place_and_hidden_tests_go() {
        let told = "fn f(x: f64) -> f64 {\n    // YOUR CODE HERE\n    todo!()\n}\nassert!(f(0.0) > 0.0);";
        assert_eq!(replace(CELL, student).as_deref(), Ok(told));
        assert!(has(CELL, Region::HiddenTests) && !has(CELL, Region::MarkScheme));
        assert_eq!(replace("x + 1", student).as_deref(), Ok("x + 1"));
    }

    #[test]
    fn a_mark_that_is_mistyped_is_found() {
        for (text, meant) in [
            ("a\n// BEGIN HIDDEN TEST", "BEGIN HIDDEN TESTS"),
            ("\n# begin hidden tests", "BEGIN HIDDEN TESTS"),
            ("\n<!-- END MARKSCHEME -->", "END MARK SCHEME"),
            ("\n// Begin_Solution", "BEGIN SOLUTION"),
        ] {
            assert_eq!(mistyped(text), Some((2, meant.to_owned())), "{text}");
        }
        for text in [CELL, "// the solution begins here", "let begin = solution;"] {
            assert_eq!(mistyped(text), None, "{text}");
        }
    }

    #[test]
    fn marks_that_do_not_match_are_told_with_their_line() {
        for (text, told) in [
            ("a\n// BEGIN SOLUTION\nb", "line 2: `BEGIN SOLUTION` has no `END SOLUTION`"),
            ("// END HIDDEN TESTS", "line 1: `END HIDDEN TESTS` has no `BEGIN HIDDEN TESTS` ahead of it"),
            (
                "// BEGIN SOLUTION\n// BEGIN HIDDEN TESTS\n// END HIDDEN TESTS\n// END SOLUTION",
                "line 2: `BEGIN HIDDEN TESTS` stands within `BEGIN SOLUTION`; end that one first",
            ),
        ] {
            assert_eq!(replace(text, student).map_err(|error| error.to_string()), Err(told.to_owned()), "{text}");
        }
    }
}
