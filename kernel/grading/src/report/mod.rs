//! What graders and students read of the results: pages, tables, lines, and what Gradescope takes.
//!
//! Everything that a student has written, names included, reaches HTML through the template's escaping, and first
//! through `text.rs`, which writes out what cannot be seen.

mod class;
mod feedback;
mod grades;
mod gradescope;
mod html;
mod line;
mod manual;
mod sheet;
mod spreadsheet;
mod text;

use crate::results::{Graded, Question};

pub use class::class;
pub use feedback::feedback;
pub use grades::grades;
pub use gradescope::gradescope;
pub use line::{legend, line};
pub use manual::manual;
pub use sheet::{SheetError, SheetProblem, fill_in, sheet};

/// The questions of a class, in the order of the master.
fn question_ids(class: &[Graded]) -> Vec<&str> {
    let mut ids = Vec::new();
    for question in class.iter().flat_map(|graded| &graded.questions) {
        if !ids.contains(&question.id.as_str()) {
            ids.push(&question.id);
        }
    }
    ids
}

/// What a student has written for a reader.
struct Answer<'a> {
    graded: &'a Graded,
    question: &'a Question,
}

/// What somebody has to read or has read, question by question.
fn by_hand(class: &[Graded]) -> Vec<Answer<'_>> {
    let answers_to = |id| {
        let all =
            class.iter().flat_map(|graded| graded.questions.iter().map(move |question| Answer { graded, question }));
        all.filter(move |answer| answer.question.id == id && answer.question.is_by_hand())
    };
    question_ids(class).into_iter().flat_map(answers_to).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use crate::results::{Flag, Graded, Question, Verdict};

    /// What a student may write to get something out of whoever reads it.
    pub(super) const HOSTILE: [&str; 5] = [
        "<script>alert(1)</script>",
        "\"><img onerror=alert(1) src=x>",
        "\u{1b}[2J\u{1b}[31mred",
        "a\0b",
        "\u{202e}gnp.exe",
    ];

    /// Whether a page has HTML that a student wrote, or characters that nobody sees.
    pub(super) fn is_touched(page: &str) -> bool {
        ["<script", "<img onerror", "\" onerror", "\u{1b}", "\0", "\u{202e}"].iter().any(|text| page.contains(text))
    }

    pub(crate) fn question(id: &str, verdict: Verdict, points: f64) -> Question {
        Question {
            id: id.to_owned(),
            verdict,
            points,
            of: 2.0,
            messages: Vec::new(),
            is_hidden: false,
            seconds: 1.0,
            answer: None,
            rubric: None,
            cells: Vec::new(),
        }
    }

    pub(crate) fn graded(student: &str, questions: Vec<Question>) -> Graded {
        Graded {
            student: student.to_owned(),
            questions,
            flags: Vec::new(),
            problem: None,
            handed_in: None,
            fingerprint: String::new(),
            seconds: 12.34,
            notebook: json!({"cells": []}),
        }
    }

    pub(super) fn code(source: &str, outputs: Value) -> Value {
        json!({"cell_type": "code", "metadata": {}, "execution_count": 1, "source": source, "outputs": outputs})
    }

    /// A student who has put such texts wherever one goes.
    pub(super) fn hostile() -> Graded {
        let text = HOSTILE.join(" ");
        let outputs = json!([
            {"output_type": "stream", "name": "stdout", "text": text},
            {"output_type": "display_data", "data": {"image/png": text, "image/svg+xml": text, "text/plain": text}},
            {"output_type": "execute_result", "data": {"text/html": text, "text/plain": text}},
            {"output_type": "error", "ename": text, "evalue": text, "traceback": [text]},
            {"output_type": text},
        ]);
        let answered = Question {
            id: text.clone(),
            messages: vec![text.clone()],
            answer: Some(text.clone()),
            rubric: Some(text.clone()),
            cells: Vec::new(),
            ..question("", Verdict::Manual, 0.0)
        };
        let cells = [code(&text, outputs), json!({"cell_type": "markdown", "source": text}), json!({"source": text})];
        Graded {
            flags: vec![Flag { cell: None, what: text.clone() }],
            problem: Some(text.clone()),
            notebook: json!({"cells": cells}),
            ..graded(&text, vec![answered])
        }
    }
}
