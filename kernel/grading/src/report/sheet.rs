//! The table in which a reader writes points and comments, and how it is read back.

use std::collections::HashMap;

use super::by_hand;
use super::spreadsheet::{field, table};
use crate::points::Points;
use crate::results::{Graded, Question, Verdict, fingerprint};

/// The columns, which may stand in another order when the table comes back, with others between them.
const COLUMNS: [&str; 4] = ["student", "question", "points", "comment"];

/// The column that tells whether an answer is still the one that was read. It may be missing.
const STAMP: &str = "answer";

/// Ahead of the table: without it, Excel takes names for what another alphabet makes of their bytes.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A table to fill in: a row for each answer that waits for a reader, question by question.
pub fn sheet(class: &[Graded]) -> String {
    let waiting = by_hand(class).into_iter().filter(|answer| answer.question.waits());
    let row = |student: &str, question: &Question| {
        vec![field(student), field(&question.id), String::new(), String::new(), stamp(question)]
    };
    let rows = waiting.map(|answer| row(&answer.graded.student, answer.question));
    let columns = COLUMNS.into_iter().chain([STAMP]).map(str::to_owned).collect();
    format!("{BYTE_ORDER_MARK}{}", table(columns, rows))
}

/// Stands for the answer that a row is about.
fn stamp(question: &Question) -> String {
    fingerprint(question.answer.as_deref().unwrap_or_default().as_bytes())[..8].to_owned()
}

/// A row of a table that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SheetError {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: SheetProblem,
}

/// What can be wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetProblem {
    /// The first line does not name the columns.
    #[error("the table has no column `{0}`; its first line has to name student, question, points and comment")]
    Column(&'static str),
    /// It is no CSV.
    #[error("the table cannot be read ({0}); save it as CSV in UTF-8")]
    Form(String),
    /// Nobody of this name has handed in anything.
    #[error("nobody is called `{0}`; write the name as it was in the table")]
    Student(String),
    /// The master has no such question, or not to be marked by hand.
    #[error("`{0}` is no question that is marked by hand; write it as it was in the table")]
    Question(String),
    /// The points are not in range, or no number.
    #[error("`{points}` is no number of points from 0 to {of}")]
    Points {
        /// What stands there.
        points: String,
        /// What the question is worth.
        of: String,
    },
    /// The student has handed in another answer since.
    #[error("the answer of `{student}` to `{question}` is another one now; read it, and take a new table")]
    OtherAnswer {
        /// The student.
        student: String,
        /// The question.
        question: String,
    },
    /// There is a comment and no points.
    #[error("it has a comment and no points; write points, or take the comment out until you do")]
    OnlyComment,
    /// The same answer has been marked above.
    #[error("line {0} marks the same answer; take one of them out")]
    Twice(u64),
}

/// Points for one answer.
struct Entry {
    /// The student's place in the class, from 0.
    student: usize,
    /// The question's place in what the student has.
    question: usize,
    points: f64,
    comment: String,
}

/// Puts points and comments from a filled table into the results, and says of how many answers. Rows without points
/// are answers that still wait. Columns may be separated by semicolons or tabs as well, as spreadsheets do where the
/// comma is for decimals.
///
/// # Errors
///
/// All that is wrong with the table; then no result changes.
pub fn fill_in(sheet: &str, class: &mut [Graded]) -> Result<usize, Vec<SheetError>> {
    let entries = read(sheet, class)?;
    for entry in &entries {
        mark(&mut class[entry.student].questions[entry.question], entry);
    }
    Ok(entries.len())
}

fn mark(question: &mut Question, entry: &Entry) {
    question.points = entry.points;
    question.verdict = match entry.points {
        points if points >= question.of => Verdict::Pass,
        points if points > 0.0 => Verdict::Partial,
        _ => Verdict::Fail,
    };
    // The same table may be read again, with a few rows more.
    if !entry.comment.is_empty() && !question.messages.contains(&entry.comment) {
        question.messages.push(entry.comment.clone());
    }
}

fn read(sheet: &str, class: &[Graded]) -> Result<Vec<Entry>, Vec<SheetError>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter(sheet)).flexible(true).from_reader(sheet.as_bytes());
    let of_table = |problem| vec![SheetError { line: 1, problem }];
    let unreadable = |error: csv::Error| of_table(SheetProblem::Form(error.to_string()));
    let mut rows = Rows::new(reader.headers().map_err(unreadable)?, class).map_err(of_table)?;
    let records: Vec<_> = reader.into_records().collect::<Result<_, _>>().map_err(unreadable)?;
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for record in &records {
        let line = record.position().map_or(1, csv::Position::line);
        match rows.entry(record, line) {
            Ok(entry) => entries.extend(entry),
            Err(problem) => errors.push(SheetError { line, problem }),
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

/// What separates the columns: a comma, unless the first line has more of something else that spreadsheets write.
fn delimiter(sheet: &str) -> u8 {
    let first = sheet.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // Of several the last, so the comma where there are none.
    [b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// What is known while rows are read.
struct Rows<'a> {
    class: &'a [Graded],
    /// Where [`COLUMNS`] are.
    columns: [usize; 4],
    /// Where [`STAMP`] is.
    stamp: Option<usize>,
    /// The students by their names, as they are and as the table has them.
    students: HashMap<String, usize>,
    /// The lines of the answers so far.
    lines: HashMap<(usize, usize), u64>,
}

impl<'a> Rows<'a> {
    fn new(header: &csv::StringRecord, class: &'a [Graded]) -> Result<Self, SheetProblem> {
        let mut columns = [0; COLUMNS.len()];
        let find = |name: &str| header.iter().position(|other| other.trim().eq_ignore_ascii_case(name));
        for (column, name) in columns.iter_mut().zip(COLUMNS) {
            *column = find(name).ok_or(SheetProblem::Column(name))?;
        }
        let stamp = find(STAMP);
        let names = class.iter().enumerate().map(|(at, graded)| (graded.student.clone(), at));
        let fields = class.iter().enumerate().map(|(at, graded)| (field(&graded.student), at));
        Ok(Self { class, columns, stamp, students: names.chain(fields).collect(), lines: HashMap::new() })
    }

    /// What a row says; nothing if it has no points yet.
    fn entry(&mut self, record: &csv::StringRecord, line: u64) -> Result<Option<Entry>, SheetProblem> {
        let [name, id, points, comment] = self.columns.map(|column| record.get(column).unwrap_or_default());
        let (points, comment) = (points.trim(), comment.trim());
        match (points, comment) {
            ("", "") => return Ok(None),
            ("", _) => return Err(SheetProblem::OnlyComment),
            _ => {}
        }
        let student = *self.students.get(name).ok_or_else(|| SheetProblem::Student(name.to_owned()))?;
        let questions = &self.class[student].questions;
        let is_meant = |question: &Question| (question.id == id || field(&question.id) == id) && question.is_by_hand();
        let question = questions.iter().position(is_meant).ok_or_else(|| SheetProblem::Question(id.to_owned()))?;
        let told = self.stamp.and_then(|column| record.get(column)).map_or("", str::trim);
        if !told.is_empty() && told != stamp(&questions[question]) {
            return Err(SheetProblem::OtherAnswer { student: name.to_owned(), question: id.to_owned() });
        }
        let points = in_range(points, questions[question].of)?;
        match self.lines.insert((student, question), line) {
            Some(before) => Err(SheetProblem::Twice(before)),
            None => Ok(Some(Entry { student, question, points, comment: comment.to_owned() })),
        }
    }
}

/// Points as people write them, also with a decimal comma.
fn in_range(text: &str, of: f64) -> Result<f64, SheetProblem> {
    let points = text.replace(',', ".").parse().ok().filter(|points| (0.0..=of).contains(points));
    points.ok_or_else(|| SheetProblem::Points { points: text.to_owned(), of: Points(of).to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{HOSTILE, graded, question};

    fn class(names: &[&str]) -> Vec<Graded> {
        let questions = || {
            let why = Question { answer: Some("Because.".to_owned()), ..question("why", Verdict::Manual, 0.0) };
            let plot = Question { rubric: Some("Axes: 1".to_owned()), ..question("plot", Verdict::Manual, 0.0) };
            vec![why, question("test", Verdict::Pass, 2.0), plot]
        };
        names.iter().map(|name| graded(name, questions())).collect()
    }

    fn told(sheet: &str) -> Vec<String> {
        let mut class = class(&["ada", "bob"]);
        let before = class.clone();
        let errors = fill_in(sheet, &mut class).err().unwrap_or_default();
        assert_eq!(class, before, "an error changes nothing");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_has_a_row_for_each_answer_that_waits() {
        let mut class = class(&["ada", "=bob, b."]);
        class[0].questions[0].verdict = Verdict::Partial;
        assert_eq!(
            sheet(&class),
            "\u{feff}student,question,points,comment,answer\n\"'=bob, b.\",why,,,8e18bd2e\nada,plot,,,e3b0c442\n\
             \"'=bob, b.\",plot,,,e3b0c442\n"
        );
    }

    #[test]
    fn points_for_an_answer_are_not_taken_for_another_one() {
        let mut class = class(&["ada"]);
        let filled = sheet(&class).replace("ada,why,,,", "ada,why,2,,");
        assert_eq!(fill_in(&filled, &mut class), Ok(1));
        class[0].questions[0].answer = Some("Because of something else.".to_owned());
        let errors = fill_in(&filled, &mut class).expect_err("is about another answer");
        assert!(errors[0].to_string().contains("the answer of `ada` to `why` is another one now"), "{errors:?}");
    }

    #[test]
    fn a_filled_table_becomes_points_verdicts_and_messages() {
        let mut class = class(&["ada", "bob"]);
        let filled = "student,question,points,comment\nada,why,2,\nbob,why,0.5,\"Say why,\nnot what.\"\n\
                      ada,plot,0,no axes\nbob,plot,,\n,,,\n";
        assert_eq!(fill_in(filled, &mut class), Ok(3));
        let marked: Vec<(Verdict, f64, &[String])> = class
            .iter()
            .flat_map(|graded| [&graded.questions[0], &graded.questions[2]])
            .map(|question| (question.verdict, question.points, question.messages.as_slice()))
            .collect();
        assert_eq!(
            marked,
            [
                (Verdict::Pass, 2.0, [].as_slice()),
                (Verdict::Fail, 0.0, ["no axes".to_owned()].as_slice()),
                (Verdict::Partial, 0.5, ["Say why,\nnot what.".to_owned()].as_slice()),
                (Verdict::Manual, 0.0, [].as_slice()),
            ]
        );
        // Who has read an answer may do so again.
        assert_eq!(fill_in("student,question,points,comment\nada,why,1,\nada,plot,0,no axes\n", &mut class), Ok(2));
        assert_eq!(class[0].questions[2].messages, ["no axes"]);
        assert_eq!((class[0].questions[0].points, class[0].questions[0].verdict), (1.0, Verdict::Partial));
    }

    #[test]
    fn what_a_spreadsheet_makes_of_the_table_is_read_as_well() {
        for filled in [
            "\u{feff}student;question;points;comment\r\nada;why;1,5;good\r\n",
            "student\tquestion\tpoints\tcomment\nada\twhy\t1.5\tgood\n",
            "Comment,of,Points,Question,Student\ngood,2, 1.5 ,why,ada\n",
            "student,question,points,comment\nada,why,1.5,good\nbob,why\n",
        ] {
            let mut class = class(&["ada", "bob"]);
            assert_eq!(fill_in(filled, &mut class), Ok(1), "{filled}");
            assert_eq!(class[0].questions[0].points, 1.5, "{filled}");
            assert_eq!(class[0].questions[0].messages, ["good"], "{filled}");
        }
    }

    #[test]
    fn every_name_is_found_again() {
        let names = [&HOSTILE[..], &["=1+1", "'=1+1", "O'Hara, \"Pat\"", " ada", "a\nb", "李雷", "-"]].concat();
        let mut class = class(&names);
        let filled = sheet(&class).replace(",why,,", ",why,1,");
        assert_eq!(fill_in(&filled, &mut class), Ok(names.len()));
        assert!(class.iter().all(|graded| graded.questions[0].points == 1.0));
    }

    #[test]
    fn all_that_is_wrong_with_a_table_is_told_with_its_line() {
        let filled = "student,question,points,comment\n\
                      eve,why,1,\n\
                      ada,what,1,\n\
                      ada,test,1,\n\
                      ada,why,2.5,\n\
                      ada,why,-1,\"two\nlines\"\n\
                      ada,why,NaN,\n\
                      ada,why,one,\n\
                      ada,why,,later\n\
                      bob,why,1,\n\
                      bob,why,1,\n";
        assert_eq!(
            told(filled),
            [
                "line 2: nobody is called `eve`; write the name as it was in the table",
                "line 3: `what` is no question that is marked by hand; write it as it was in the table",
                "line 4: `test` is no question that is marked by hand; write it as it was in the table",
                "line 5: `2.5` is no number of points from 0 to 2",
                "line 6: `-1` is no number of points from 0 to 2",
                "line 8: `NaN` is no number of points from 0 to 2",
                "line 9: `one` is no number of points from 0 to 2",
                "line 10: it has a comment and no points; write points, or take the comment out until you do",
                "line 12: line 11 marks the same answer; take one of them out",
            ]
        );
        for (sheet, column) in
            [("", "student"), ("name,question,points,comment\n", "student"), ("student\n", "question")]
        {
            assert!(told(sheet)[0].starts_with(&format!("line 1: the table has no column `{column}`")), "{sheet}");
        }
    }
}
