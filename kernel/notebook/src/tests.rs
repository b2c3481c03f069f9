//! Whole runs over files, with a scripted engine.

use std::path::Path;

use oxtorch_session::ErrorKind;
use oxtorch_testing::Scripted;
use serde_json::{Value, json};

use super::*;

/// A notebook in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    /// A pipe in its folder.
    fn pipe_beside(&self) -> PathBuf {
        let pipe = self.folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo");
        assert!(made.success(), "{made}");
        pipe
    }

    fn of(cells: &[&str]) -> Self {
        let cells: Vec<_> = cells.iter().map(|source| code(source, json!({}))).collect();
        Self::with(&json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    }

    fn with(notebook: &Value) -> Self {
        Self::text(&notebook.to_string())
    }

    fn text(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("a.ipynb"), text).expect("writes");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.ipynb")
    }

    fn options(&self) -> RunOptions {
        RunOptions { notebook: self.path(), output: None, timeout: None, allow_errors: false, output_limit: None }
    }

    async fn run(&self, options: RunOptions) -> (RunReport, Value) {
        let report = run(options, async { Ok(Scripted::default()) }).await.expect("runs");
        let written = read(&report.output);
        (report, written)
    }

    async fn refused(&self) -> NotebookError {
        let error = run(self.options(), async { Ok(Scripted::default()) }).await.expect_err("is refused");
        error.downcast().expect("is about the notebook")
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("is JSON")
}

fn code(source: &str, metadata: Value) -> Value {
    // No two cells of a test have the same text, so the text names them.
    let id: String = source.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let stale = json!([{"output_type": "stream", "name": "stdout", "text": "stale"}]);
    json!({"cell_type": "code", "id": format!("{id}_"), "metadata": metadata, "source": source, "outputs": stale,
        "execution_count": 99})
}

#[tokio::test]
async fn outputs_are_kept_as_a_frontend_keeps_them() {
    let file = File::of(&["print a\nprint b\nwarn c\nrewrite 1\nrewrite 2\nnote d\nresult 7", "image"]);
    let (report, notebook) = file.run(file.options()).await;
    assert!(!report.failed);
    assert_eq!(report.executed, 2);
    assert_eq!(
        notebook["cells"][0]["outputs"],
        json!([
            {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]},
            {"output_type": "stream", "name": "stderr", "text": ["c\n"]},
            {"output_type": "stream", "name": "stdout", "text": ["\r1\r2"]},
            {"output_type": "display_data", "data": {"text/plain": ["note: d"]}, "metadata": {}},
            {"output_type": "execute_result", "execution_count": 1, "data": {"text/plain": ["7"]}, "metadata": {}},
        ])
    );
    assert_eq!(
        notebook["cells"][1]["outputs"],
        json!([{"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=", "text/plain": ["a\n", "b"]},
            "metadata": {"image/png": {"width": 8}}}])
    );
    assert_eq!(notebook["cells"][1]["execution_count"], 2);
    assert_eq!(notebook["metadata"]["kernelspec"]["name"], "oxtorch");
    assert_eq!(notebook["metadata"]["language_info"]["name"], "rust");
}

#[tokio::test]
async fn a_display_is_updated_from_a_later_cell() {
    let file = File::of(&["display x old", "update x new\nupdate unknown lost\nprint done"]);
    let (_, notebook) = file.run(file.options()).await;
    assert_eq!(notebook["cells"][0]["outputs"][0]["data"]["text/plain"], json!(["new"]));
    assert_eq!(notebook["cells"][1]["outputs"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn clearing_drops_what_the_cell_showed_and_waits_when_asked() {
    let file = File::of(&["print a\nclear\nprint b", "print a\nclear wait", "print a\nclear wait\nprint c"]);
    let (_, notebook) = file.run(file.options()).await;
    let text = |cell: usize| notebook["cells"][cell]["outputs"][0]["text"].clone();
    assert_eq!([text(0), text(1), text(2)], [json!(["b\n"]), json!(["a\n"]), json!(["c\n"])]);
}

#[tokio::test]
async fn the_first_failure_ends_the_run_and_no_stale_output_stays() {
    let file = File::of(&["print a", "fail it broke", "print never"]);
    let (report, notebook) = file.run(file.options()).await;
    assert!(report.failed);
    let [failure] = report.failures.as_slice() else { panic!("one cell failed") };
    assert_eq!((failure.number, failure.error.evalue.as_str()), (2, "it broke"));
    assert_eq!(notebook["cells"][1]["outputs"][0]["ename"], "Panic");
    assert_eq!(notebook["cells"][2]["outputs"], json!([]));
    assert_eq!(notebook["cells"][2]["execution_count"], Value::Null);
}

#[tokio::test]
async fn errors_that_are_allowed_or_expected_do_not_end_the_run() {
    let file = File::of(&["fail one", "print b", "fail two"]);
    let (report, notebook) = file.run(RunOptions { allow_errors: true, ..file.options() }).await;
    // That the run may go on does not make a failed cell a good one.
    assert!(report.failed);
    assert_eq!(report.failures.iter().map(|failure| failure.number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(notebook["cells"][1]["outputs"][0]["text"], json!(["b\n"]));

    let cells = json!([
        code("fail x", json!({"tags": [MAY_FAIL]})),
        code("fail y", json!({"tags": [SKIP]})),
        code("print z", json!({}))
    ]);
    let file = File::with(&json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}));
    let (report, notebook) = file.run(file.options()).await;
    assert!(!report.failed);
    assert_eq!(notebook["cells"][0]["outputs"][0]["ename"], "Panic");
    assert_eq!(notebook["cells"][1]["execution_count"], Value::Null);
    assert_eq!(notebook["cells"][2]["execution_count"], 2);
}

#[tokio::test]
async fn a_cell_that_runs_too_long_is_interrupted() {
    let file = File::of(&["print a\nforever", "print never"]);
    let options = RunOptions { timeout: Some(Duration::from_millis(50)), ..file.options() };
    let (report, notebook) = file.run(options).await;
    assert!(report.failed && !report.interrupted);
    assert_eq!(notebook["cells"][0]["outputs"][0]["text"], json!(["a\n"]));
    assert_eq!(notebook["cells"][0]["outputs"][1]["ename"], "Timeout");
}

#[tokio::test]
async fn a_question_to_the_user_is_declined() {
    let file = File::of(&["input name?"]);
    let (report, _) = file.run(file.options()).await;
    assert_eq!(report.failures[0].error.kind, ErrorKind::Error);
}

#[tokio::test]
async fn what_the_author_wrote_passes_through() {
    let metadata = json!({"tags": ["a"], "scrolled": "auto", "custom": {"deep": [1, null]}, "nothing": null});
    let picture = json!({"picture.png": {"image/png": "iVBORw0KGgo="}});
    let original = json!({
        "nbformat": 4, "nbformat_minor": 4,
        "metadata": {"kernelspec": {"name": "rust", "display_name": "Rust", "language": "rust"}, "title": "T", "x": null},
        "cells": [
            {"cell_type": "markdown", "metadata": {"m": 1}, "source": "# A\nB", "attachments": picture},
            {"cell_type": "raw", "metadata": {"format": "text/x-rst"}, "source": ["r"], "attachments": picture},
            {"cell_type": "code", "metadata": metadata, "source": ["print a\n", "print b"], "outputs": [{"odd": 1}],
                "execution_count": null},
        ],
    });
    let file = File::with(&original);
    let output = file.folder.path().join("out.ipynb");
    let (report, notebook) = file.run(RunOptions { output: Some(output.clone()), ..file.options() }).await;
    assert_eq!(report.output, output);
    assert_eq!(read(&file.path()), original, "the notebook itself is not touched");
    assert_eq!(notebook["nbformat_minor"], 5);
    assert_eq!(notebook["metadata"]["title"], "T");
    assert_eq!(notebook["cells"][0]["source"], json!(["# A\n", "B"]));
    for cell in 0..2 {
        assert_eq!(notebook["cells"][cell]["attachments"], picture);
        assert_eq!(notebook["cells"][cell]["metadata"], original["cells"][cell]["metadata"]);
    }
    assert_eq!(notebook["cells"][2]["metadata"], metadata);
    assert_eq!(notebook["cells"][2]["outputs"][0]["text"], json!(["a\n", "b\n"]));
    assert!(notebook["cells"].as_array().into_iter().flatten().all(|cell| cell["id"].is_string()));
}

#[tokio::test]
async fn double_cell_ids_are_mended() {
    let cell = code("print a", json!({}));
    let file = File::with(&json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell, cell]}));
    let (_, notebook) = file.run(file.options()).await;
    assert_eq!(notebook["cells"][0]["id"], cell["id"]);
    assert_ne!(notebook["cells"][1]["id"], cell["id"]);
}

#[tokio::test]
async fn what_is_no_notebook_for_this_kernel_is_refused_and_left_alone() {
    let python = json!({"nbformat": 4, "nbformat_minor": 5, "cells": [],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}});
    let kind = |error: &NotebookError| match error {
        NotebookError::NotJson { .. } => "not JSON",
        NotebookError::TooLong { .. } => "too long",
        NotebookError::TooDeep { .. } => "too deep",
        NotebookError::NotANotebook { .. } => "not a notebook",
        NotebookError::Version { .. } => "version",
        NotebookError::OtherKernel { .. } => "other kernel",
        NotebookError::Unreadable { .. } => "unreadable",
        NotebookError::Unwritable { .. } => "unwritable",
    };
    let cases = [
        (String::new(), "not JSON"),
        ("{\"nbformat\": 4,".into(), "not JSON"),
        ("[1]".into(), "not a notebook"),
        ("{}".into(), "not a notebook"),
        (json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}}).to_string(), "not a notebook"),
        (
            json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "x"}]}).to_string(),
            "not a notebook",
        ),
        (json!({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}).to_string(), "version"),
        (json!({"nbformat": 4, "nbformat_minor": 9, "metadata": {}, "cells": []}).to_string(), "version"),
        (python.to_string(), "other kernel"),
        (format!("{{\"nbformat\": 4, \"metadata\": {}1{}}}", "[".repeat(200), "]".repeat(200)), "too deep"),
    ];
    for (text, expected) in cases {
        let file = File::text(&text);
        let error = file.refused().await;
        assert_eq!(kind(&error), expected, "{text}: {error}");
        assert_eq!(std::fs::read_to_string(file.path()).expect("reads"), text);
    }
    let error = File::with(&python).refused().await;
    assert!(error.to_string().contains("Python 3"), "{error}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_known_before_the_first_cell() {
    let file = File::of(&["print a"]);
    let options = RunOptions { output: Some(file.folder.path().join("no/such/a.ipynb")), ..file.options() };
    let never = async { Err::<Scripted, _>(anyhow::anyhow!("the engine was started")) };
    let error = run(options, never).await.expect_err("cannot be written");
    assert!(matches!(error.downcast_ref(), Some(NotebookError::Unwritable { .. })), "{error:#}");
}

#[tokio::test]
async fn a_set_up_that_fails_leaves_the_notebook_as_it_was() {
    let file = File::of(&["print a"]);
    let before = read(&file.path());
    let failing = async { Err::<Scripted, _>(anyhow::anyhow!("no libtorch")) };
    let error = run(file.options(), failing).await.expect_err("cannot start");
    assert_eq!(error.to_string(), "no libtorch");
    assert_eq!(read(&file.path()), before);
}

#[tokio::test]
async fn what_is_no_file_is_written_into_and_stays_what_it_is() {
    use std::os::unix::fs::FileTypeExt;
    let file = File::of(&["print a"]);
    let pipe = file.pipe_beside();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe)
    });
    let options = RunOptions { output: Some(pipe.clone()), ..file.options() };
    let report = run(options, async { Ok(Scripted::default()) }).await.expect("runs");
    assert_eq!(report.executed, 1);
    let kind = std::fs::symlink_metadata(&pipe).expect("is there").file_type();
    assert!(kind.is_fifo(), "{kind:?}");
    let written = reader.join().expect("does not panic").expect("reads");
    let notebook: Value = serde_json::from_slice(&written).expect("is JSON");
    assert_eq!(notebook["cells"][0]["execution_count"], 1);
}

#[tokio::test]
async fn what_a_cell_puts_in_the_place_of_the_output_is_replaced() {
    for is_there in [false, true] {
        let file = File::of(&["mkfifo out.ipynb"]);
        let output = file.folder.path().join("out.ipynb");
        if is_there {
            std::fs::write(&output, "before").expect("writes");
        }
        let options = RunOptions { output: Some(output.clone()), ..file.options() };
        // In the place of a cell: the place was looked at by then.
        let start = async {
            let _ = std::fs::remove_file(&output);
            let made = std::process::Command::new("mkfifo").arg(&output).status().expect("there is mkfifo");
            assert!(made.success(), "{made}");
            Ok(Scripted::default())
        };
        let report = run(options, start).await.expect("runs");
        assert!(std::fs::symlink_metadata(&report.output).expect("is there").is_file());
        assert_eq!(read(&report.output)["cells"][0]["execution_count"], 1);
    }
}

#[tokio::test]
async fn a_notebook_whose_place_is_gone_is_kept_elsewhere() {
    let file = File::of(&["print a"]);
    let output = file.folder.path().join("results/out.ipynb");
    let folder = output.parent().expect("has a folder");
    std::fs::create_dir(folder).expect("creates");
    let options = RunOptions { output: Some(output.clone()), ..file.options() };
    let start = async {
        std::fs::remove_dir_all(folder).expect("removes");
        Ok(Scripted::default())
    };
    let error =
        run(options, start).await.expect_err("cannot be written there").downcast().expect("is about the notebook");
    let NotebookError::Unwritable { kept: Some(kept), .. } = &error else { panic!("is kept: {error}") };
    assert!(error.to_string().contains(&kept.display().to_string()), "{error}");
    assert_eq!(read(kept)["cells"][0]["outputs"][0]["text"], json!(["a\n"]));
    std::fs::remove_file(kept).expect("is a file");
}

#[tokio::test]
async fn who_waits_for_a_reader_can_be_interrupted() {
    let file = File::of(&["print a"]);
    let pipe = file.pipe_beside();
    let target = Target::find(&pipe).expect("can be written");
    let notebook = Notebook::read(&file.path()).expect("is one");
    let told = write(notebook, target, async {}).await.expect_err("nobody reads").to_string();
    assert!(told.contains("interrupted while"), "{told}");
    // The thread that waits is not ours to end; it ends with a reader.
    std::thread::spawn(move || std::fs::read(pipe)).join().expect("does not panic").expect("reads");
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_what_the_cells_before_have_shown_and_says_so() {
    let file = File::of(&["print a", "print b\nforever", "print c"]);
    let output = file.folder.path().join("out.ipynb");
    let options = RunOptions { output: Some(output.clone()), ..file.options() };
    let of = |cell: usize| {
        let written = std::fs::read(&output).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        written.map(|notebook| notebook["cells"][cell]["outputs"].clone())
    };
    let second_begins = async {
        while of(0).is_none_or(|outputs| outputs[0]["text"] != json!(["a\n"])) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        report = run(options, async { Ok(Scripted::default()) }) => panic!("the cell ended: {report:?}"),
        begun = tokio::time::timeout(Duration::from_secs(20), second_begins) => begun.expect("the second cell begins"),
    }
    let unfinished = of(1).expect("is there");
    assert_eq!(unfinished[0]["ename"], "Unfinished");
    assert_eq!(of(2), Some(json!([])), "what did not run has no stale outputs");
}

#[tokio::test]
async fn a_report_has_each_cell_with_its_error() {
    let file = File::of(&["print a", "fail it broke", "print c"]);
    let (report, _) = file.run(RunOptions { allow_errors: true, ..file.options() }).await;
    let told = report.to_json();
    let cells: Vec<_> = told["cells"].as_array().expect("a list").iter().map(|cell| cell["error"].clone()).collect();
    assert_eq!(cells, [Value::Null, json!({"kind": "Panic", "message": "it broke"}), Value::Null]);
    assert_eq!((&told["failed"], &told["executed"], &told["total"]), (&json!(true), &json!(3), &json!(3)));
    assert_eq!((&told["cells"][1]["cell"], &told["cells"][1]["execution_count"]), (&json!(2), &json!(2)));
    assert!(told["cells"][0]["seconds"].as_f64() <= told["seconds"].as_f64());
}

#[tokio::test]
async fn of_what_a_cell_prints_as_much_is_kept_as_the_user_says() {
    let file = File::of(&["lines 400000", "print b"]);
    let (_, notebook) = file.run(RunOptions { output_limit: Some(1 << 20), ..file.options() }).await;
    let outputs = notebook["cells"][0]["outputs"].as_array().expect("a list");
    let kept = outputs[0]["text"].to_string().len();
    assert!(kept < 3 << 20, "{kept}");
    let note = outputs.last().expect("a note")["data"]["text/plain"].to_string();
    assert!(note.contains("a notebook gets at most 1 MB of one cell's outputs"), "{note}");
    assert_eq!(notebook["cells"][1]["outputs"][0]["text"], json!(["b\n"]));
}
