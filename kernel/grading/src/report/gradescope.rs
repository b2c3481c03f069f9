//! One student's results in the form that Gradescope takes from an autograder: `results.json`.

use serde::Serialize;

use super::text::{printed, visible};
use crate::points::rounded;
use crate::results::{Graded, Question, Verdict};
use crate::rules::Mark;

/// What Gradescope reads, as far as it is used here.
#[derive(Serialize)]
struct Results<'a> {
    score: f64,
    execution_time: f64,
    output: String,
    output_format: &'static str,
    tests: Vec<Test>,
    extra_data: ExtraData<'a>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    score: f64,
    max_score: f64,
    /// None for what is neither passed nor failed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    output: String,
    output_format: &'static str,
    visibility: &'static str,
}

/// What Gradescope keeps and does not show. There are no flags in it: the code of a later version of the student's
/// could read them.
#[derive(Serialize)]
struct ExtraData<'a> {
    points: f64,
    max_points: f64,
    late_factor: f64,
    waiting: usize,
    fingerprint: &'a str,
}

/// The file `results.json` of a student. Its score is the mark, which rules about time may have made less than the sum
/// of the tests. Hidden tests are shown when grades are published.
pub fn gradescope(graded: &Graded, mark: &Mark) -> String {
    let results = Results {
        score: mark.value(),
        execution_time: graded.seconds,
        output: summary(graded, mark),
        output_format: "text",
        tests: graded.questions.iter().map(test).collect(),
        extra_data: ExtraData {
            points: rounded(mark.points),
            max_points: rounded(mark.of),
            late_factor: mark.factor,
            waiting: graded.waiting(),
            fingerprint: &graded.fingerprint,
        },
    };
    serde_json::to_string_pretty(&results).expect("texts and numbers are JSON") + "\n"
}

fn summary(graded: &Graded, mark: &Mark) -> String {
    match &graded.problem {
        Some(problem) => format!("{mark}\nIt could not be run: {}", shown(problem)),
        None => mark.to_string(),
    }
}

fn test(question: &Question) -> Test {
    let waits = question.waits().then(|| "Somebody has to read this.".to_owned());
    let messages = question.messages.iter().map(|message| shown(message));
    Test {
        name: visible(&question.id).into_owned(),
        score: rounded(question.points),
        max_score: rounded(question.of),
        status: match question.verdict {
            Verdict::Pass => Some("passed"),
            Verdict::Manual => None,
            _ => Some("failed"),
        },
        output: waits.into_iter().chain(messages).collect::<Vec<_>>().join("\n"),
        output_format: "text",
        visibility: if question.is_hidden { "after_published" } else { "visible" },
    }
}

/// A text without colors. NUL goes as well, for which a database may have no place.
fn shown(text: &str) -> String {
    visible(&printed(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::tests::{graded, hostile, question};
    use crate::results::Flag;
    use crate::rules::Rules;

    fn results(graded: &Graded, rules: &Rules) -> Value {
        serde_json::from_str(&gradescope(graded, &rules.mark(graded))).expect("is JSON")
    }

    #[test]
    fn gradescope_gets_tests_and_the_mark_as_the_score() {
        let mut ada = graded(
            "ada",
            vec![
                question("mean", Verdict::Pass, 2.0),
                question("loss", Verdict::Partial, 0.5),
                question("why", Verdict::Manual, 0.0),
            ],
        );
        ada.questions[1].is_hidden = true;
        ada.questions[1].messages = vec!["one sample".to_owned(), "\u{1b}[31mleft\u{1b}[0m: 1".to_owned()];
        ada.flags = vec![Flag { cell: None, what: "it redefines a macro".to_owned() }];
        ada.fingerprint = "0f".to_owned();
        ada.handed_in = Some(3600);
        let rules = Rules::read("deadline = 1970-01-01T00:00:00Z").expect("are rules");
        let test = |name, score, status: Value, output, visibility| {
            json!({"name": name, "score": score, "max_score": 2.0, "status": status, "output": output,
                   "output_format": "text", "visibility": visibility})
        };
        let mut why = test("why", 0.0, Value::Null, "Somebody has to read this.", "visible");
        why.as_object_mut().expect("is one").remove("status");
        assert_eq!(
            results(&ada, &rules),
            json!({
                "score": 2.25,
                "execution_time": 12.34,
                "output": "2.5 of 6 points × 0.9 (handed in 1 h 0 min after the deadline) = 2.25",
                "output_format": "text",
                "tests": [
                    test("mean", 2.0, "passed".into(), "", "visible"),
                    test("loss", 0.5, "failed".into(), "one sample\nleft: 1", "after_published"),
                    why,
                ],
                "extra_data":
                    {"points": 2.5, "max_points": 6.0, "late_factor": 0.9, "waiting": 1, "fingerprint": "0f"},
            })
        );
    }

    #[test]
    fn what_a_student_wrote_stays_text_that_can_be_seen() {
        let written = results(&hostile(), &Rules::default());
        let output = written["output"].as_str().expect("is text");
        assert!(output.contains("It could not be run: <script>") && written["output_format"] == "text", "{output}");
        let text = written.to_string();
        assert!(!text.contains("\\u0000") && !text.contains("\\u001b") && !text.contains('\u{202e}'), "{text}");
    }
}
