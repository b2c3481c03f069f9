//! Types that get methods in a cell. Where homework is graded, a type and all of its methods live in one crate, and
//! what a student has written never lives in the teacher's.

use std::collections::BTreeSet;

use crate::master::{MasterCell, Problem, Role};
use crate::words::words;

/// Given cells and tests with an `impl` of a type to which students add methods in a cell ahead: those would be lost.
pub(crate) fn lost(cells: &[MasterCell]) -> Vec<Problem> {
    let mut written: Vec<(String, &str)> = Vec::new();
    let mut problems = Vec::new();
    for cell in cells {
        let types = types_with_methods(&cell.source);
        if cell.role.is_written_by_students() {
            written.extend(types.into_iter().map(|ty| (ty, cell.id.as_str())));
        } else if matches!(cell.role, Role::Given | Role::Test { .. })
            && let Some((ty, id)) = written.iter().find(|(ty, _)| types.contains(ty))
        {
            let what = format!(
                "its `impl` of `{ty}` would take away what students write for `{ty}` in `{id}`: put it into a given cell \
                 ahead of `{id}`"
            );
            problems.push(Problem { cell: Some(cell.index + 1), what });
        }
    }
    problems
}

/// The types that a text has an `impl` of, by the last name of their path. The text need not be valid.
fn types_with_methods(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = words(text).map(|(_, word)| word).collect();
    // An `impl Trait` in a type stands behind something.
    let begins = |at: usize| at == 0 || ["}", "{", ";", "]", "unsafe"].contains(&words[at - 1]);
    let blocks = (0..words.len()).filter(|at| words[*at] == "impl" && begins(*at));
    let of = |at: usize| {
        let head: Vec<&str> = words[at + 1..].iter().take_while(|word| **word != "{").copied().collect();
        let mut depth = 0;
        let mut name = None;
        for (place, word) in head.iter().enumerate() {
            match *word {
                "<" => depth += 1,
                // The arrow of a function's type is no bracket.
                ">" if place == 0 || head[place - 1] != "-" => depth -= 1,
                "where" if depth == 0 => break,
                "for" if depth == 0 => name = None,
                word if depth == 0 && word.starts_with(|char: char| char == '_' || char.is_alphabetic()) => {
                    name = Some(word.to_owned());
                }
                _ => {}
            }
        }
        name
    };
    blocks.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::Master;
    use crate::master::tests::{cell, notebook};

    #[test]
    fn the_type_of_an_impl_is_found() {
        let text = "struct A;\nimpl A { fn f(x: impl Fn(B) -> C) -> impl Iterator<Item = D> { } }\n\
                    impl<T: Fn() -> u8> nn::ModuleT for my::Net<T> where T: Copy { }\nunsafe impl Send for E {}";
        assert_eq!(types_with_methods(text).into_iter().collect::<Vec<_>>(), ["A", "E", "Net"]);
    }

    #[test]
    fn a_given_impl_behind_what_students_write_for_the_type_is_a_problem() {
        let cells = |last: &str| {
            [
                cell("code", "net", "l", None, "struct Net;\nimpl Net { fn new() -> Self { Self } }"),
                cell("code", "forward", "s", None, "impl Net { fn forward(&self) {} }"),
                cell("code", "rest", "l", None, last),
                cell("code", "test", "gl", Some(1.0), "Net::new().forward();"),
            ]
        };
        let told = |last: &str| {
            let problems = Master::read(&notebook(&cells(last))).err().unwrap_or_default();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(told("impl Other { }").is_empty());
        let problem = "cell 3 of the notebook: its `impl` of `Net` would take away what students write for `Net` in `forward`: \
                       put it into a given cell ahead of `forward`";
        assert_eq!(told("impl Clone for Net { }"), [problem]);
    }
}
