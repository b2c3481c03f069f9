//! The students' version of a master notebook.

use serde_json::{Value, json};

use crate::marks::{self, Region};
use crate::master::{Master, MasterCell, Part, Role};

/// What stands where students are to write code. It compiles where statements may follow and where a value is due, and
/// what calls it fails.
pub const CODE_STUB: &str = "// YOUR CODE HERE\ntodo!();";
/// What stands where they are to write text.
pub const TEXT_STUB: &str = "YOUR ANSWER HERE";

/// Makes the students' version: stubs in the place of solutions, no hidden tests, no outputs, and cells locked that are
/// not theirs to change. The metadata stays, so that what comes back can be graded.
pub fn release(master: &Master) -> Value {
    let mut document = Value::Object(master.document.clone());
    if document["metadata"]["kernelspec"].is_null() {
        document["metadata"]["kernelspec"] = kernelspec();
    }
    for cell in &master.cells {
        let to = &mut document["cells"][cell.index];
        to["source"] = as_lines(&given(cell));
        if cell.part == Part::Code {
            to["outputs"] = json!([]);
            to["execution_count"] = Value::Null;
        }
        if let Some(metadata) = to["metadata"].get_mut("nbgrader") {
            complete(metadata);
        }
        match cell.role {
            Role::Free => {}
            Role::Solution | Role::Answer { .. } => to["metadata"]["deletable"] = false.into(),
            Role::Given | Role::Test { .. } | Role::Task { .. } => {
                to["metadata"]["deletable"] = false.into();
                to["metadata"]["editable"] = false.into();
            }
        }
    }
    document
}

/// How a notebook says that its kernel is this one: a frontend asks for a kernel where nothing says it.
pub(crate) fn kernelspec() -> Value {
    json!({"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"})
}

/// Writes out what nbgrader wants to find in a cell's metadata, where there is some.
fn complete(metadata: &mut Value) {
    let Some(metadata) = metadata.as_object_mut() else { return };
    for key in ["grade", "solution", "locked", "task"] {
        metadata.entry(key).or_insert(false.into());
    }
}

/// The text that students get of a cell.
pub(crate) fn given(cell: &MasterCell) -> String {
    let stub = if cell.part == Part::Code { CODE_STUB } else { TEXT_STUB };
    if cell.role.is_written_by_students() && !marks::has(&cell.source, Region::Solution) {
        return stub.to_owned();
    }
    let replaced = marks::replace(&cell.source, |region| (region == Region::Solution).then_some(stub));
    // A master was read, and so its marks match.
    replaced.unwrap_or_else(|_| stub.to_owned())
}

/// A text as notebooks keep it, so that a version control shows its lines.
pub(crate) fn as_lines(text: &str) -> Value {
    text.split_inclusive('\n').map(Value::from).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::tests::{cell, notebook};
    use crate::master::text_of;

    #[test]
    fn students_get_stubs_and_visible_tests_and_nothing_else() {
        let cells = [
            cell("code", "given", "l", None, "let x = 1;"),
            cell("code", "f", "s", None, "fn f() -> i64 {\n    // BEGIN SOLUTION\n    42\n    // END SOLUTION\n}"),
            cell("code", "whole", "s", None, "let answer = 42;"),
            cell(
                "code",
                "t",
                "gl",
                Some(1.0),
                "assert!(f() > 0);\n// BEGIN HIDDEN TESTS\nassert_eq!(f(), 42);\n// END HIDDEN TESTS",
            ),
            cell("markdown", "why", "gs", Some(2.0), "Since 42 is the answer."),
            cell("markdown", "task", "tl", Some(2.0), "Plot.\n// BEGIN MARK SCHEME\naxes: 1\n// END MARK SCHEME"),
            json!({"cell_type": "markdown", "metadata": {}, "source": "Read this."}),
        ];
        let master = Master::read(&notebook(&cells)).expect("makes sense");
        let released = release(&master);
        assert_eq!(released["cells"][6]["metadata"], json!({}), "a cell for nobody gets no metadata");
        let texts: Vec<String> = (0..6).map(|at| text_of(&released["cells"][at]["source"])).collect();
        assert_eq!(
            texts,
            [
                "let x = 1;",
                "fn f() -> i64 {\n    // YOUR CODE HERE\n    todo!();\n}",
                CODE_STUB,
                "assert!(f() > 0);",
                TEXT_STUB,
                "Plot."
            ]
        );
        let text = released.to_string();
        assert!(!text.contains("42") && !text.contains("axes") && !text.contains("seen"), "{text}");
        for (at, editable, deletable) in [(0, false, false), (1, true, false), (3, false, false), (4, true, false)] {
            let metadata = &released["cells"][at]["metadata"];
            assert_eq!(metadata.get("editable").is_none(), editable, "{at}");
            assert_eq!(metadata["deletable"] == false, !deletable, "{at}");
            assert_eq!(metadata["nbgrader"], master.document["cells"][at]["metadata"]["nbgrader"]);
        }
        assert_eq!(released["metadata"]["kernelspec"]["name"], "oxtorch", "a frontend has to know the kernel");
        // What was made is a master again: what comes back is read by the same code.
        assert!(Master::read(&text).is_ok());
    }
}
