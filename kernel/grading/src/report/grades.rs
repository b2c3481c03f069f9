//! The marks of a class as a table: `grades.csv`.

use super::question_ids;
use super::spreadsheet::{field, table};
use crate::points::Points;
use crate::results::Graded;
use crate::rules::Rules;

/// A row for each student: a column for each question, which is empty where somebody has to read it, then the total of
/// the points, the factor and the mark that follow from the rules, how many questions wait for a reader, and how many
/// flags there are.
pub fn grades(class: &[Graded], rules: &Rules) -> String {
    let questions = question_ids(class);
    let header = std::iter::once("student")
        .chain(questions.iter().copied())
        .chain(["total", "factor", "mark", "waiting", "flags"])
        .map(field)
        .collect();
    table(header, class.iter().map(|graded| row(graded, &questions, rules)))
}

fn row(graded: &Graded, questions: &[&str], rules: &Rules) -> Vec<String> {
    let points = |id: &&str| {
        let question = graded.questions.iter().find(|question| question.id == **id && !question.waits());
        question.map_or_else(String::new, |question| Points(question.points).to_string())
    };
    let mark = rules.mark(graded);
    let sums = [
        Points(mark.points).to_string(),
        mark.factor.to_string(),
        Points(mark.value()).to_string(),
        graded.waiting().to_string(),
        graded.flags.len().to_string(),
    ];
    std::iter::once(field(&graded.student)).chain(questions.iter().map(points)).chain(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{graded, question};
    use crate::results::{Flag, Verdict};

    #[test]
    fn a_student_is_a_row_and_a_question_a_column() {
        let mut ada = graded(
            "Lovelace, Ada",
            vec![question("mean", Verdict::Partial, 1.5), question("why", Verdict::Manual, 0.0)],
        );
        ada.handed_in = Some(30 * 3600);
        ada.flags = vec![Flag { cell: None, what: "look".to_owned() }];
        let mut bob = graded("=cmd|' /C calc'!A0", vec![question("mean", Verdict::Pass, 2.0)]);
        bob.handed_in = Some(0);
        let rules = Rules::read("deadline = 1970-01-01T00:00:00Z").expect("are rules");
        assert_eq!(
            grades(&[ada, bob], &rules),
            "student,mean,why,total,factor,mark,waiting,flags\n\
             \"Lovelace, Ada\",1.5,,1.5,0.7,1.05,1,1\n\
             '=cmd|' /C calc'!A0,2,,2,1,2,0,0\n"
        );
        assert_eq!(grades(&[], &rules), "student,total,factor,mark,waiting,flags\n");
    }

    #[test]
    fn no_name_breaks_the_table() {
        for name in ["a\nb", "a\"b", "a,b", "a\0b", "\u{202e}b", "a\r\n=1+1"] {
            let written = grades(&[graded(name, vec![])], &Rules::default());
            assert_eq!(written.lines().count(), 2, "{written}");
            assert!(!written.contains(['\0', '\r', '\u{202e}']), "{written}");
        }
    }
}
