//! A class on one page, for graders: how marks are distributed, which questions were hard, and whom to look at.

use maud::{Markup, html};

use super::html::charts::{counts, histogram, shares};
use super::html::{class_of, lines, page};
use super::question_ids;
use super::text::one_line;
use crate::points::Points;
use crate::results::{Graded, Question};
use crate::rules::Rules;
use crate::similarity::Pair;

/// How many of the slowest students are listed.
const SLOWEST: usize = 10;

/// How many pairs of students are listed whose code is alike.
const MOST_ALIKE: usize = 100;

/// The page `report.html` of a class, with pairs of students whose code is alike, as
/// [`alike`](crate::similarity::alike) finds them.
pub fn class(assignment: &str, class: &[Graded], rules: &Rules, pairs: &[Pair]) -> String {
    let body = html! {
        (distribution(class, rules))
        h2 { "Questions" }
        (questions(class))
        (problems(class))
        (flags(class))
        (alike(pairs))
        (slowest(class))
        h2 { "Students" }
        (students(class, rules))
    };
    page(&format!("{assignment}: the class"), body)
}

fn distribution(class: &[Graded], rules: &Rules) -> Markup {
    let mut marks: Vec<f64> = class.iter().map(|graded| rules.mark(graded).value()).collect();
    marks.sort_by(f64::total_cmp);
    let most = class.iter().map(Graded::of).fold(0.0, f64::max);
    let waiting: usize = class.iter().map(Graded::waiting).sum();
    html! {
        p.mark { (summary(&marks, most)) }
        @if waiting > 0 { p { "Answers that wait for a reader, and whose points are not in it yet: " (waiting) } }
        @if let Some(deadline) = rules.deadline { p.faint { "The deadline was " (deadline) "." } }
        (histogram(&marks, most))
    }
}

/// What the marks say as a whole; they are sorted.
fn summary(marks: &[f64], most: f64) -> String {
    let Some(last) = marks.len().checked_sub(1) else { return "Nobody has handed in anything.".to_owned() };
    let mean = marks.iter().sum::<f64>() / marks.len() as f64;
    let median = f64::midpoint(marks[last / 2], marks[marks.len() / 2]);
    format!("Handed in: {}. Of {} points: mean {}, median {}.", marks.len(), Points(most), Points(mean), Points(median))
}

fn questions(class: &[Graded]) -> Markup {
    html! {
        table {
            tr { th { "question" } th.wide { "results" } th.number { "mean points" } }
            @for id in question_ids(class) {
                @let answers = answers(class, id);
                @let counts = counts(answers.iter().map(|question| question.verdict));
                tr {
                    td { (one_line(id)) }
                    td {
                        (shares(&counts))
                        @for (verdict, count) in &counts {
                            span.count {
                                svg viewBox="0 0 1 1" { rect class=(class_of(*verdict)) width="1" height="1" {} }
                                (count) " " (verdict.name())
                            }
                        }
                    }
                    td.number { (mean_points(&answers)) }
                }
            }
        }
    }
}

fn answers<'a>(class: &'a [Graded], id: &str) -> Vec<&'a Question> {
    class.iter().flat_map(|graded| &graded.questions).filter(|question| question.id == id).collect()
}

/// The mean of what is marked already.
fn mean_points(answers: &[&Question]) -> String {
    let marked: Vec<&&Question> = answers.iter().filter(|question| !question.waits()).collect();
    let Some(first) = marked.first() else { return "–".to_owned() };
    let mean = marked.iter().map(|question| question.points).sum::<f64>() / marked.len() as f64;
    format!("{} of {}", Points(mean), Points(first.of))
}

fn problems(class: &[Graded]) -> Markup {
    let found = class.iter().filter_map(|graded| Some((graded, graded.problem.as_ref()?)));
    let rows =
        found.map(|(graded, problem)| html! { tr { td { (one_line(&graded.student)) } td { (lines(problem)) } } });
    section("Could not be run", &["student", "why"], rows)
}

fn flags(class: &[Graded]) -> Markup {
    let found = class.iter().flat_map(|graded| graded.flags.iter().map(move |flag| (graded, flag)));
    let rows = found.map(|(graded, flag)| {
        html! { tr { td { (one_line(&graded.student)) } td { (lines(&flag.to_string())) } } }
    });
    section("To look at", &["student", "what was seen"], rows)
}

fn alike(pairs: &[Pair]) -> Markup {
    let rows = pairs.iter().take(MOST_ALIKE).map(|pair| {
        let cells: Vec<String> = pair.cells.iter().map(|[one, other]| format!("{one} and {other}")).collect();
        html! {
            tr {
                @for student in &pair.students { td { (one_line(student)) } }
                td { (Points(100.0 * pair.share)) " %" }
                td { (cells.join(", ")) }
            }
        }
    });
    section("Code that is alike, to look at", &["student", "and student", "of it", "cells"], rows)
}

fn slowest(class: &[Graded]) -> Markup {
    let mut slowest: Vec<&Graded> = class.iter().collect();
    slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let rows = slowest.into_iter().take(SLOWEST).map(|graded| {
        html! { tr { td { (one_line(&graded.student)) } td { (format!("{:.1}", graded.seconds)) } } }
    });
    section("Slowest", &["student", "seconds"], rows)
}

/// A table under a heading; nothing where it has no rows.
fn section(heading: &str, columns: &[&str], rows: impl Iterator<Item = Markup>) -> Markup {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return html! {};
    }
    html! {
        h2 { (heading) }
        table {
            tr { @for column in columns { th { (column) } } }
            @for row in rows { (row) }
        }
    }
}

fn students(class: &[Graded], rules: &Rules) -> Markup {
    html! {
        table {
            tr {
                th { "student" }
                th.number { "mark" }
                th { "computed as" }
                th.number { "waiting" }
                th.number { "flags" }
            }
            @for graded in class {
                @let mark = rules.mark(graded);
                tr {
                    td { (one_line(&graded.student)) }
                    td.number { (Points(mark.value())) }
                    td { (mark) }
                    td.number { (graded.waiting()) }
                    td.number { (graded.flags.len()) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{graded, hostile, is_touched, question};
    use crate::results::{Flag, Verdict};

    #[test]
    fn the_page_shows_marks_questions_and_whom_to_look_at() {
        let mut ada = graded("ada", vec![question("mean", Verdict::Pass, 2.0), question("why", Verdict::Manual, 0.0)]);
        ada.flags = vec![Flag { cell: Some(3), what: "it redefines a macro".to_owned() }];
        let mut bob = graded("bob", vec![question("mean", Verdict::Fail, 0.5), question("why", Verdict::Missing, 0.0)]);
        bob.problem = Some("it is not JSON".to_owned());
        bob.seconds = 60.0;
        let students = ["ada", "<b>"].map(str::to_owned);
        let pair = Pair { students, share: 0.875, cells: vec![[2, 4], [3, 3]] };
        let page = class("homework 3", &[ada, bob], &Rules::default(), &[pair]);
        for part in [
            "<title>homework 3: the class</title>",
            "Handed in: 2. Of 4 points: mean 1.25, median 1.25.",
            "not in it yet: 1",
            "</svg>1 pass</span>",
            "1.25 of 2",
            "<td>ada</td><td><pre>cell 3: it redefines a macro</pre></td>",
            "<td>bob</td><td><pre>it is not JSON</pre></td>",
            "<td>2 of 4 points</td>",
            "<td>ada</td><td>&lt;b&gt;</td><td>87.5 %</td><td>2 and 4, 3 and 3</td>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let slowest = page.split_once("Slowest").expect("is there").1;
        assert!(slowest.find("bob") < slowest.find("ada"));
    }

    #[test]
    fn a_class_of_nobody_has_a_page() {
        let page = class("homework 3", &[], &Rules::default(), &[]);
        assert!(page.contains("Nobody has handed in anything.") && !page.contains("NaN"), "{page}");
        assert!(!page.contains("look at") && !page.contains("Could not be run"), "{page}");
    }

    #[test]
    fn the_median_is_the_middle_of_what_is_sorted() {
        assert!(summary(&[1.0, 2.0, 9.0], 10.0).ends_with("mean 4, median 2."));
        assert!(summary(&[1.0, 2.0, 3.0, 10.0], 10.0).ends_with("mean 4, median 2.5."));
    }

    #[test]
    fn nothing_of_a_student_is_html() {
        let pair = Pair { students: [hostile().student, hostile().student], share: 1.0, cells: vec![] };
        let page = class("homework 3", &[hostile()], &Rules::default(), &[pair]);
        assert!(!is_touched(&page) && page.contains("&lt;script&gt;"), "{page}");
    }
}
