//! An executed notebook on a page: sources, printed text and pictures. Nothing that a student wrote becomes HTML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde_json::Value;

use super::super::text::{one_line, printed};
use super::lines;
use crate::marks;
use crate::master::text_of;
use crate::results::Graded;

/// The kinds of pictures that are shown, the best first.
const PICTURES: [&str; 3] = ["image/svg+xml", "image/png", "image/jpeg"];

/// The notebook as it was executed, without hidden tests and what they showed.
pub(in super::super) fn notebook(graded: &Graded) -> Markup {
    let cells = graded.notebook["cells"].as_array().map(Vec::as_slice).unwrap_or_default();
    html! { @for shown in cells { (cell(shown, tests_hidden(graded, shown))) } }
}

/// What these cells showed, by their places from 0.
pub(in super::super) fn outputs(graded: &Graded, places: &[usize]) -> Markup {
    let shown = places.iter().filter_map(|place| graded.notebook["cells"][*place]["outputs"].as_array()).flatten();
    html! { @for shown in shown { (output(shown)) } }
}

/// Whether a cell has tests that students do not see.
fn tests_hidden(graded: &Graded, cell: &Value) -> bool {
    let id = &cell["metadata"]["nbgrader"]["grade_id"];
    graded.questions.iter().any(|question| question.is_hidden && *id == *question.id)
}

fn cell(cell: &Value, tests_hidden: bool) -> Markup {
    let source = text_of(&cell["source"]);
    let source = if tests_hidden { without_hidden_tests(&source) } else { source };
    if cell["cell_type"] != "code" {
        return html! { div.cell.text { (lines(&source)) } };
    }
    // The error of a hidden test would quote it; the table of questions has its message.
    let outputs = cell["outputs"].as_array().filter(|_| !tests_hidden);
    html! {
        div.cell {
            @if let Some(count) = cell["execution_count"].as_u64() { div.prompt { "[" (count) "]" } }
            div.source { (lines(&source)) }
            @for shown in outputs.into_iter().flatten() { (output(shown)) }
        }
    }
}

/// A test as students know it. To grade it, what they do not see was put back.
fn without_hidden_tests(source: &str) -> String {
    let visible = marks::replace(source, |_| None);
    visible.unwrap_or_else(|error| format!("(not shown: {error})"))
}

fn output(output: &Value) -> Markup {
    match output["output_type"].as_str() {
        Some("stream") => html! { div.output { (lines(&printed(&text_of(&output["text"])))) } },
        Some("error") => html! { div.output.error { (lines(&printed(&error(output)))) } },
        _ => html! { div.output { (display(&output["data"])) } },
    }
}

fn error(output: &Value) -> String {
    let traceback: Vec<&str> = output["traceback"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if traceback.is_empty() {
        let text = |key: &str| output[key].as_str().unwrap_or_default();
        return format!("{}: {}", text("ename"), text("evalue"));
    }
    traceback.join("\n")
}

/// A picture, or else the text that stands for what was shown. An `<img>` runs no script of an SVG.
fn display(data: &Value) -> Markup {
    let text = text_of(&data["text/plain"]);
    let picture = PICTURES.into_iter().find_map(|kind| Some((kind, encoded(kind, data.get(kind)?)?)));
    match picture {
        Some((kind, encoded)) => html! { img src={ "data:" (kind) ";base64," (encoded) } alt=(one_line(&text)); },
        None => lines(&printed(&text)),
    }
}

/// A picture in base64: notebooks keep pixels so, and SVG as text.
fn encoded(kind: &str, picture: &Value) -> Option<String> {
    let text = text_of(picture);
    if kind == "image/svg+xml" {
        return Some(STANDARD.encode(text));
    }
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(&text).is_ok().then_some(text)
}
