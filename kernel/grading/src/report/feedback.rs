//! One student's page: the points with their reasons, the computation of the mark, and the notebook as it was executed.

use maud::{Markup, html};

use super::html::notebook::{notebook, outputs};
use super::html::{beside, lines, page, verdict};
use super::text::{printed, visible};
use crate::points::Points;
use crate::results::{Graded, Question};
use crate::rules::Mark;

/// The page of a student, to be handed back. It has no flags: those are for graders.
pub fn feedback(assignment: &str, graded: &Graded, mark: &Mark) -> String {
    let body = html! {
        p.mark { strong { (mark) } }
        @if graded.waiting() > 0 {
            p { "Answers that wait for a reader, and whose points are not in it yet: " (graded.waiting()) }
        }
        @if let Some(problem) = &graded.problem {
            div.problem { p { "It could not be run:" } (lines(problem)) }
        }
        h2 { "Questions" }
        (questions(&graded.questions))
        @for question in &graded.questions { (read_by_hand(graded, question)) }
        h2 { "Your notebook in this run" }
        (notebook(graded))
    };
    page(&format!("{assignment}: {}", graded.student), body)
}

fn questions(questions: &[Question]) -> Markup {
    html! {
        table {
            tr { th { "question" } th { "result" } th.number { "points" } th { "why" } }
            @for question in questions {
                tr {
                    td { (visible(&question.id)) @if question.is_hidden { br; span.faint { "with hidden tests" } } }
                    td { (verdict(question.verdict)) }
                    td.number { (points(question)) " of " (Points(question.of)) }
                    td { (messages(&question.messages)) }
                }
            }
        }
    }
}

/// What a question got; nothing yet where somebody has to read it.
fn points(question: &Question) -> String {
    if question.waits() { "–".to_owned() } else { Points(question.points).to_string() }
}

fn messages(messages: &[String]) -> Markup {
    html! { @for message in messages { (lines(&printed(message))) } }
}

/// What a student has written for a reader, beside how it is marked.
fn read_by_hand(graded: &Graded, question: &Question) -> Markup {
    let Some(answer) = &question.answer else { return html! {} };
    html! {
        h3 { "Your answer to " (visible(&question.id)) }
        (beside("what you wrote", answer, question.rubric.as_deref()))
        (outputs(graded, &question.cells))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::tests::{HOSTILE, code, graded, hostile, is_touched, question};
    use crate::results::{Flag, Verdict};
    use crate::rules::Rules;

    fn page_of(graded: &Graded) -> String {
        feedback("homework 3", graded, &Rules::default().mark(graded))
    }

    #[test]
    fn a_student_reads_points_reasons_and_the_computation() {
        let mut ada = graded("ada", vec![question("mean", Verdict::Pass, 2.0), question("loss", Verdict::Fail, 0.0)]);
        ada.questions[1].is_hidden = true;
        ada.questions[1].messages =
            vec!["the loss of one sample".to_owned(), "left: \u{1b}[1m1\u{1b}[0m, right: 2".to_owned()];
        ada.flags = vec![Flag { cell: Some(3), what: "it redefines a macro".to_owned() }];
        let page = page_of(&ada);
        for part in [
            "<title>homework 3: ada</title>",
            "<strong>2 of 4 points</strong>",
            "<span class=\"verdict fail\">fail</span>",
            "with hidden tests",
            "<pre>the loss of one sample</pre><pre>left: 1, right: 2</pre>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("macro") && !page.contains("wait for a reader"), "flags are for graders");
    }

    #[test]
    fn an_answer_stands_beside_the_rubric_and_waits_for_a_reader() {
        let mut ada = graded("ada", vec![question("why", Verdict::Manual, 0.0)]);
        ada.questions[0].answer = Some("Since it converges.".to_owned());
        ada.questions[0].rubric = Some("1 point for the rate".to_owned());
        let page = page_of(&ada);
        assert!(page.contains("not in it yet: 1") && page.contains("– of 2"), "{page}");
        assert!(page.contains("<pre>Since it converges.</pre>") && page.contains("<pre>1 point for the rate</pre>"));
    }

    #[test]
    fn outputs_are_text_and_pictures() {
        let mut ada = graded("ada", vec![]);
        ada.notebook = json!({"cells": [code("plot()", json!([
            {"output_type": "stream", "name": "stdout", "text": ["\u{1b}[31mred\u{1b}[0m\n", "1 %\r2 %\n"]},
            {"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": "a \"figure\""}},
            {"output_type": "display_data", "data": {"image/svg+xml": ["<svg onload=\"alert(1)\">", "</svg>"]}},
            {"output_type": "execute_result", "data": {"text/html": "<b>bold</b>", "text/plain": "plain"}},
            {"output_type": "display_data", "data": {"image/png": "\"><b>", "text/plain": "no picture"}},
            {"output_type": "error", "ename": "Panic", "evalue": "at <1>", "traceback": []},
        ]))]});
        let page = page_of(&ada);
        for part in [
            "<pre>red\n2 %\n</pre>",
            "<img src=\"data:image/png;base64,aGk=\" alt=\"a &quot;figure&quot;\">",
            "<img src=\"data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIj48L3N2Zz4=\" alt=\"\">",
            "<pre>plain</pre>",
            "<pre>no picture</pre>",
            "<pre>Panic: at &lt;1&gt;</pre>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("bold") && !page.contains("onload"));
    }

    #[test]
    fn hidden_tests_are_not_in_the_notebook() {
        let hidden = |id: &str, source: &str| {
            let mut cell = code(source, json!([{"output_type": "error", "ename": "Panic", "evalue": "secret shown"}]));
            cell["metadata"] = json!({"nbgrader": {"grade_id": id}});
            cell
        };
        let mut ada = graded("ada", vec![question("t", Verdict::Fail, 0.0), question("u", Verdict::Fail, 0.0)]);
        ada.questions.iter_mut().for_each(|question| question.is_hidden = true);
        ada.notebook = json!({"cells": [
            hidden("t", "known();\n// BEGIN HIDDEN TESTS\nsecret();\n// END HIDDEN TESTS"),
            hidden("u", "// BEGIN HIDDEN TESTS\nsecret();"),
        ]});
        let page = page_of(&ada);
        assert!(page.contains("known();") && page.contains("(not shown: line 1:"), "{page}");
        assert!(!page.contains("secret"), "{page}");
    }

    #[test]
    fn nothing_of_a_student_is_html() {
        let page = page_of(&hostile());
        assert!(!is_touched(&page), "{page}");
        assert!(HOSTILE.iter().all(|text| is_touched(text)), "the test would see it");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\\u{202e}"), "{page}");
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut() {
        let mut ada = graded("ada", vec![]);
        ada.notebook = json!({"cells": [code(&"x".repeat(1_000_000), json!([]))]});
        let page = page_of(&ada);
        assert!(page.len() < 200_000 && page.contains("(900000 more characters)"));
    }

    #[test]
    fn a_notebook_of_another_form_is_an_empty_one() {
        for notebook in
            [json!(null), json!([]), json!({"cells": 5}), json!({"cells": [5, {"cell_type": "code"}, null]})]
        {
            let page = page_of(&Graded { notebook, ..graded("ada", vec![]) });
            assert!(page.ends_with("</html>"), "{page}");
        }
    }
}
