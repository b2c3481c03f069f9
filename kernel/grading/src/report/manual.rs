//! What somebody has to read, question by question over a whole class, on one page.

use maud::{Markup, html};

use super::html::notebook::outputs;
use super::html::{lines, page};
use super::text::one_line;
use super::{Answer, by_hand};
use crate::points::Points;
use crate::results::Graded;

/// The page with all answers that somebody has to read or has read. The points go into the table that
/// [`sheet`](super::sheet()) writes.
pub fn manual(assignment: &str, class: &[Graded]) -> String {
    let answers = by_hand(class);
    let questions: Vec<&[Answer<'_>]> = answers.chunk_by(|one, other| one.question.id == other.question.id).collect();
    let body = html! {
        @if questions.is_empty() { p { "Nothing has to be read." } }
        @for answers in questions { (question(answers)) }
    };
    page(&format!("{assignment}: to be read"), body)
}

/// One question with its answers, of which there is at least one.
fn question(answers: &[Answer<'_>]) -> Markup {
    let first = answers[0].question;
    let waiting = answers.iter().filter(|answer| answer.question.waits()).count();
    html! {
        h2 { (one_line(&first.id)) ", " (Points(first.of)) " points" }
        p.faint { "answers: " (answers.len()) ", of which wait: " (waiting) }
        @if let Some(rubric) = &first.rubric { div.rubric { (lines(rubric)) } }
        @for answer in answers { (answer_of(answer)) }
    }
}

fn answer_of(answer: &Answer<'_>) -> Markup {
    let Answer { graded, question } = answer;
    html! {
        h3 {
            (one_line(&graded.student))
            @if !question.waits() { span.faint { ": " (Points(question.points)) " points" } }
        }
        @match question.answer.as_deref().filter(|answer| !answer.trim().is_empty()) {
            Some(written) => { div.source { (lines(written)) } }
            None => { p.faint { "nothing" } }
        }
        (outputs(graded, &question.cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{graded, hostile, is_touched, question};
    use crate::results::{Question, Verdict};

    fn answer(id: &str, verdict: Verdict, points: f64, answer: &str) -> Question {
        let rubric = Some(format!("rubric of {id}"));
        Question { answer: Some(answer.to_owned()), rubric, ..question(id, verdict, points) }
    }

    #[test]
    fn a_reader_has_all_answers_to_one_question_below_its_rubric() {
        let class = ["ada", "bob"].map(|name| {
            let read = if name == "bob" { (Verdict::Partial, 0.5) } else { (Verdict::Manual, 0.0) };
            let why = answer("why", read.0, read.1, &format!("why of {name}"));
            graded(name, vec![why, question("test", Verdict::Pass, 2.0), answer("plot", Verdict::Manual, 0.0, " ")])
        });
        let page = manual("homework 3", &class);
        let places = [
            "<h2>why, 2 points</h2>",
            "answers: 2, of which wait: 1",
            "rubric of why",
            "why of ada",
            "bob<span class=\"faint\">: 0.5 points",
            "why of bob",
            "<h2>plot, 2 points</h2>",
            "rubric of plot",
            "nothing",
        ]
        .map(|part| page.find(part).unwrap_or_else(|| panic!("{part}: {page}")));
        assert!(places.is_sorted(), "{page}");
        assert_eq!(page.matches("rubric of why").count(), 1);
        assert!(!page.contains(">test"), "{page}");
    }

    #[test]
    fn nothing_of_a_student_is_html() {
        let page = manual("homework 3", &[hostile()]);
        assert!(!is_touched(&page) && page.contains("&lt;script&gt;"), "{page}");
        assert!(manual("homework 3", &[]).contains("Nothing has to be read."));
    }
}
