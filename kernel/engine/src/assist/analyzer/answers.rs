//! The server's answers in the session's own terms.

use oxtorch_session::{Candidate, CandidateKind as Kind};
use serde::Deserialize;
use serde_json::Value;

use crate::assist::analyzer::document::{Columns, Document};
use crate::source::words::in_name;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    label: String,
    #[serde(default)]
    kind: u32,
    detail: Option<String>,
    sort_text: Option<String>,
    text_edit: Option<Edit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Edit {
    range: Value,
    new_text: String,
}

/// What could take the place of the `len` bytes ahead of the cursor, the likeliest first.
pub(super) fn candidates(result: &Value, document: &Document, len: usize, columns: Columns) -> Vec<Candidate> {
    // Either a list, or an object that has one.
    let items = result.get("items").unwrap_or(result).as_array().map(Vec::as_slice).unwrap_or_default();
    let mut items: Vec<Item> = items.iter().filter_map(|item| Item::deserialize(item).ok()).collect();
    items.sort_by(|a, b| (&a.sort_text, &a.label).cmp(&(&b.sort_text, &b.label)));
    items.into_iter().filter_map(|item| item.candidate(document, len, columns)).collect()
}

impl Item {
    /// Nothing for what would change more of the cell, or is more than a name.
    fn candidate(self, document: &Document, len: usize, columns: Columns) -> Option<Candidate> {
        let text = match self.text_edit {
            Some(edit) => Some(edit.new_text).filter(|_| document.is_typed(&edit.range, len, columns))?,
            None => self.label,
        };
        let name = text.strip_suffix(['!']).unwrap_or(&text);
        let name = name.strip_prefix("r#").unwrap_or(name);
        // The last ones are of our making.
        if name.is_empty() || !name.chars().all(in_name) || name.starts_with("__") || name.starts_with("oxtorch_") {
            return None;
        }
        Some(Candidate {
            kind: kind(self.kind),
            signature: self.detail.unwrap_or_default().replace("{unknown}", "_"),
            text,
        })
    }
}

/// What a candidate is, by the number that the server has for it.
fn kind(number: u32) -> Kind {
    match number {
        2..=4 => Kind::Function,
        5 | 10 => Kind::Property,
        7 | 8 | 13 | 20 | 22 | 25 => Kind::Class,
        9 => Kind::Module,
        14 => Kind::Keyword,
        _ => Kind::Instance,
    }
}

/// What a name is, as text.
pub(super) fn hover(result: &Value) -> Option<String> {
    text(&result["contents"]).map(str::to_owned)
}

/// A text, which may say of what kind it is.
fn text(value: &Value) -> Option<&str> {
    let text = value["value"].as_str().or_else(|| value.as_str())?.trim();
    Some(text).filter(|text| !text.is_empty())
}

/// The signature of the function whose arguments are being typed, and its documentation.
pub(super) fn signature(result: &Value) -> Option<String> {
    let active = result["activeSignature"].as_u64().unwrap_or(0) as usize;
    let signature = result["signatures"].get(active).or_else(|| result["signatures"].get(0))?;
    let label = signature["label"].as_str()?;
    let documentation = text(&signature["documentation"]).map(|text| format!("\n\n{text}"));
    Some(format!("{label}{}", documentation.unwrap_or_default()))
}

/// Where something is defined: the file's address, and its first and last line.
pub(super) fn definition(result: &Value) -> Option<(String, usize, usize)> {
    let found = result.get(0).unwrap_or(result);
    let uri = found["targetUri"].as_str().or_else(|| found["uri"].as_str())?;
    let range = if found["targetRange"].is_object() { &found["targetRange"] } else { &found["range"] };
    let line = |end: &str| Some(range[end]["line"].as_u64()? as usize);
    Some((uri.to_owned(), line("start")?, line("end")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compile::state::State;

    #[test]
    fn candidates_are_names_in_the_servers_order() {
        let cell = "tensor.re";
        let document = Document::of(&State::default(), cell, cell.len());
        let end = document.cursor(Columns::Utf8);
        let range = |len: u64| {
            let start = end["character"].as_u64().expect("is a number") - len;
            json!({"start": {"line": end["line"], "character": start}, "end": end})
        };
        let item = |text: &str, kind: u32, sort: &str, len: u64| {
            json!({
                "label": text, "kind": kind, "sortText": sort, "detail": format!("fn {text}()"),
                "textEdit": {"range": range(len), "newText": text},
            })
        };
        let result = json!({"isIncomplete": true, "items": [
            item("reshape", 2, "b", 2), item("relu", 2, "a", 2), item("&tensor.re", 6, "c", 9), item("if x {}", 14, "d", 2),
            {"label": 3},
        ]});
        let found = candidates(&result, &document, 2, Columns::Utf8);
        let texts: Vec<_> = found.iter().map(|candidate| candidate.text.as_str()).collect();
        assert_eq!(texts, ["relu", "reshape"]);
        assert_eq!((found[0].kind, found[0].signature.as_str()), (Kind::Function, "fn relu()"));
        assert!(candidates(&json!(null), &document, 2, Columns::Utf8).is_empty());
        assert!(candidates(&json!("nonsense"), &document, 2, Columns::Utf8).is_empty());
    }

    #[test]
    fn help_is_text() {
        assert_eq!(
            hover(&json!({"contents": {"kind": "plaintext", "value": " let x: i32\n"}})).as_deref(),
            Some("let x: i32")
        );
        assert_eq!(hover(&json!(null)), None);
        let found = json!({"signatures": [{"label": "fn f(x: i32)", "documentation": {"value": "Doubles."}}]});
        assert_eq!(signature(&found).as_deref(), Some("fn f(x: i32)\n\nDoubles."));
        assert_eq!(signature(&json!({"signatures": []})), None);
        let found = json!([{"targetUri": "file:///a.rs", "targetRange": {"start": {"line": 2}, "end": {"line": 4}}}]);
        assert_eq!(definition(&found), Some(("file:///a.rs".to_owned(), 2, 4)));
        assert_eq!(definition(&json!([])), None);
    }
}
