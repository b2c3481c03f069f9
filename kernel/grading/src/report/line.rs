//! A student on one line of a terminal, while a class is graded.

use super::text::one_line;
use crate::points::Points;
use crate::results::{Graded, Verdict};

/// What the letters of [`line()`] mean.
pub fn legend() -> String {
    let meanings = Verdict::ALL.map(|verdict| format!("{} {verdict}", letter(verdict)));
    meanings.join("   ")
}

/// The points, a letter for each question, the seconds and the name, which comes last since its width is its own.
pub fn line(graded: &Graded) -> String {
    let points = format!("{} of {}", Points(graded.points()), Points(graded.of()));
    let letters: String = graded.questions.iter().map(|question| letter(question.verdict)).collect();
    let mut line = format!("{points:>12}  {letters}  {:>6.1} s  {}", graded.seconds, one_line(&graded.student));
    if let Some(problem) = &graded.problem {
        line += &format!("   could not be run: {}", one_line(problem));
    }
    if !graded.flags.is_empty() {
        line += &format!("   to look at: {}", graded.flags.len());
    }
    line
}

fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Pass => 'P',
        Verdict::Partial => 'p',
        Verdict::Fail => 'F',
        Verdict::CompileError => 'C',
        Verdict::Timeout => 'T',
        Verdict::Crash => 'X',
        Verdict::Memory => 'M',
        Verdict::Output => 'O',
        Verdict::Missing => '-',
        Verdict::Manual => '?',
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::report::tests::{graded, hostile, question};

    #[test]
    fn a_student_is_a_line_with_points_letters_seconds_and_name() {
        let questions = vec![
            question("a", Verdict::Pass, 2.0),
            question("b", Verdict::Partial, 0.5),
            question("c", Verdict::Manual, 0.0),
        ];
        assert_eq!(line(&graded("ada", questions)), "    2.5 of 6  Pp?    12.3 s  ada");
        let mut bob = graded("bob", vec![question("a", Verdict::Missing, 0.0)]);
        bob.problem = Some("it is\nnot JSON".to_owned());
        assert_eq!(line(&bob), "      0 of 2  -    12.3 s  bob   could not be run: it is\\u{a}not JSON");
    }

    #[test]
    fn a_name_moves_no_cursor() {
        let line = line(&hostile());
        assert!(!line.chars().any(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
        assert!(line.ends_with("to look at: 1"), "{line}");
    }

    #[test]
    fn every_verdict_has_its_own_letter() {
        let letters: HashSet<char> = Verdict::ALL.into_iter().map(letter).collect();
        assert_eq!(letters.len(), Verdict::ALL.len());
        assert!(legend().starts_with("P pass   p partial   F fail   C compile error"), "{}", legend());
    }
}
