"""`oxtorch run` and Jupyter's own tools execute the same notebook to the same end."""

import json
import re
import subprocess
import sys
import time

import nbclient
import nbformat
import pytest
from conftest import OXTORCH, REPOSITORY
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

QUICKSTART = REPOSITORY / "notebooks/quickstart.ipynb"
CNN = REPOSITORY / "notebooks/cnn.ipynb"
# In the words of Keras, and the parts of the tutorial.
LESSONS = [REPOSITORY / "notebooks/keras.ipynb", *sorted((REPOSITORY / "notebooks/tutorial").glob("*.ipynb"))]


def notebook_of(*cells):
    notebook = new_notebook(cells=[new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"}
    return notebook


def write(tmp_path, *cells):
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook_of(*cells), path)
    return path


def oxtorch_run(path, *arguments, timeout=240):
    return subprocess.run(
        [OXTORCH, "run", str(path), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def read(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def text_of(notebook):
    """Everything that the cells printed or gave as a result, as text."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                parts.append(output.text)
            elif "data" in output:
                parts.append(output.data.get("text/plain", ""))
    return "\n".join(parts)


def accuracy(notebook):
    found = re.findall(r"accuracy[^0-9]*([0-9.]+[0-9])", text_of(notebook).lower())
    assert found, text_of(notebook)
    return float(found[-1])


def endings(notebook):
    """For each cell of code, the kinds of its outputs, and the names of errors."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [sorted({output.get("ename", output.output_type) for output in cell.outputs}) for cell in cells]


def pictures(notebook):
    """Which cells show a picture, of which type."""
    shown = []
    for index, cell in enumerate(notebook.cells):
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
        shown.extend((index, kind) for kind in sorted(kinds) if kind.startswith("image/"))
    return shown


@pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])
def test_a_lesson_runs_as_it_is_stored(path, tmp_path):
    ran = tmp_path / "ran.ipynb"
    done = oxtorch_run(path, "-o", ran)
    assert done.returncode == 0, done.stderr
    stored = read(path)
    assert any(endings(stored))
    assert endings(read(ran)) == endings(stored)


def test_the_gallery_draws_each_of_its_figures(tmp_path):
    ran = tmp_path / "ran.ipynb"
    done = oxtorch_run(REPOSITORY / "notebooks/gallery.ipynb", "-o", ran)
    assert done.returncode == 0, done.stderr
    stored = pictures(read(REPOSITORY / "notebooks/gallery.ipynb"))
    assert len(stored) > 10
    assert pictures(read(ran)) == stored


def test_the_convolutional_network_reads_98_of_100_digits(tmp_path):
    ran = tmp_path / "ran.ipynb"
    done = oxtorch_run(CNN, "-o", ran, timeout=600)
    assert done.returncode == 0, done.stderr
    assert 0.98 <= accuracy(read(ran)) <= 1
    stored = read(CNN)
    assert 0.98 <= accuracy(stored) <= 1
    assert endings(read(ran)) == endings(stored)


def test_commands_work_without_a_frontend(tmp_path):
    path = write(tmp_path, "%%time\nlet x = 6 * 7;", "!echo shell $((x))\n:vars", "%%bash\nexit 3", "x")
    done = oxtorch_run(path)
    assert done.returncode == 1, done.stderr
    assert "exit status 3" in done.stderr
    cells = read(path).cells
    assert "Wall time: " in cells[0].outputs[0].text
    assert cells[1].outputs[0].text == "shell 0\n"
    assert "i32" in cells[1].outputs[1].data["text/plain"]
    assert cells[3].outputs == []


def test_the_quickstart_reaches_the_same_accuracy_by_run_and_by_nbconvert(tmp_path):
    ran = tmp_path / "ran.ipynb"
    done = oxtorch_run(QUICKSTART, "-o", ran)
    assert done.returncode == 0, done.stderr
    convert = ["--to", "notebook", "--execute", "--output", "converted.ipynb", "--output-dir", str(tmp_path)]
    subprocess.run(
        [sys.executable, "-m", "nbconvert", *convert, str(QUICKSTART)], check=True, capture_output=True, timeout=240
    )
    by_run, by_nbconvert = accuracy(read(ran)), accuracy(read(tmp_path / "converted.ipynb"))
    assert by_run == by_nbconvert
    # The notebook may speak of a share or of per cent.
    assert by_run >= 0.95 and (by_run <= 1 or by_run >= 95)
    assert any("image/png" in output.get("data", {}) for cell in read(ran).cells for output in cell.get("outputs", []))


def test_the_committed_quickstart_is_valid_and_holds_its_outputs():
    notebook = read(QUICKSTART)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert accuracy(notebook) >= 0.95
    assert notebook.metadata.kernelspec.name == "oxtorch"


def test_a_run_writes_in_place_what_was_shown(tmp_path):
    path = write(
        tmp_path,
        new_markdown_cell("# A title"),
        "let x = 6;\nprintln!(\"six\");",
        'eprintln!("to stderr");\nx * 7',
        "display(&Tensor::from_slice(&[1.0f32]));",
    )
    done = oxtorch_run(path)
    assert done.returncode == 0, done.stderr
    notebook = read(path)
    title, first, second, third = notebook.cells
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert title.source == "# A title"
    assert (first.execution_count, second.execution_count) == (1, 2)
    assert [(o.output_type, o.name, o.text) for o in first.outputs] == [("stream", "stdout", "six\n")]
    stderr, result = second.outputs
    assert (stderr.name, stderr.text) == ("stderr", "to stderr\n")
    assert (result.output_type, result.execution_count, result.data["text/plain"]) == ("execute_result", 2, "42")
    assert third.outputs[0].output_type == "display_data"
    assert notebook.metadata.language_info.name == "rust"


def test_the_outputs_are_those_that_nbclient_collects(tmp_path):
    cells = [
        'println!("a");\nprintln!("b");\n(1, "two")',
        "Tensor::from_slice(&[1.5f32, 2.5])",
        'for i in 0..3 { print!("\\r{i}"); }\nclear_output(false);\nprintln!("left");',
        'eprintln!("e");\ndisplay(&Tensor::from_slice(&[7i64]));\nprintln!("after");',
    ]
    path = write(tmp_path, *cells)
    ran = tmp_path / "ran.ipynb"
    assert oxtorch_run(path, "-o", ran).returncode == 0
    collected = nbclient.NotebookClient(notebook_of(*cells), timeout=120).execute()

    def without_ids(notebook):
        return [
            [
                {key: value for key, value in output.items() if key not in ("metadata", "transient")}
                for output in merged(cell.outputs)
            ]
            for cell in notebook.cells
        ]

    def merged(outputs):
        # How a stream was cut is chance.
        joined = []
        for output in outputs:
            if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
                joined[-1].text += output.text
            else:
                joined.append(output.copy())
        return joined

    assert without_ids(read(ran)) == without_ids(collected)


def test_a_failing_cell_is_reported_and_ends_the_run(tmp_path):
    path = write(tmp_path, "let x = 1;", "// second\nlet y: i32 = \"text\";", 'println!("never");')
    out = tmp_path / "out.ipynb"
    done = oxtorch_run(path, "-o", out)
    assert done.returncode == 1
    for words in ["[2]", "mismatched types", 'let y: i32 = "text";']:
        assert words in done.stderr, done.stderr
    first, second, third = read(out).cells
    assert second.outputs[0].output_type == "error"
    assert second.outputs[0].ename == "CompileError"
    assert (first.execution_count, third.execution_count, third.outputs) == (1, None, [])


def test_allow_errors_runs_every_cell(tmp_path):
    path = write(tmp_path, 'panic!("first");', 'println!("second");', "std::process::exit(3);", "1 + 1")
    done = oxtorch_run(path, "--allow-errors")
    assert done.returncode == 1, done.stderr
    assert "4 of 4 cells executed, 2 failed" in done.stderr
    assert "cell [3] failed (3 of 4)" in done.stderr and "HostDied" in done.stderr
    first, second, third, fourth = read(path).cells
    assert (first.outputs[0].ename, second.outputs[0].text) == ("Panic", "second\n")
    assert (third.outputs[0].ename, fourth.outputs[0].data["text/plain"]) == ("HostDied", "2")


def test_a_cell_that_takes_too_long_is_ended(tmp_path):
    path = write(tmp_path, 'println!("begun");\nloop { std::hint::black_box(0); }', "1")
    begin = time.monotonic()
    done = oxtorch_run(path, "--timeout", 2)
    assert done.returncode == 1
    assert time.monotonic() - begin < 30
    assert "2" in done.stderr and "[1]" in done.stderr, done.stderr
    first = read(path).cells[0]
    assert first.outputs[0].text == "begun\n"
    assert first.outputs[-1].output_type == "error"


def test_a_run_has_nobody_to_ask(tmp_path):
    path = write(tmp_path, 'let name = input("Who? ")?;')
    done = oxtorch_run(path)
    assert done.returncode == 1
    assert "input" in done.stderr


def test_a_progress_line_names_each_cell(tmp_path):
    path = write(tmp_path, "1", "2", "3")
    done = oxtorch_run(path)
    for cell in ("[1]", "[2]", "[3]"):
        assert cell in done.stderr, done.stderr


def test_an_older_notebook_is_written_as_4_5(tmp_path):
    path = write(tmp_path, "1 + 1")
    notebook = json.loads(path.read_text())
    notebook["nbformat_minor"] = 2
    for cell in notebook["cells"]:
        del cell["id"]
    path.write_text(json.dumps(notebook))
    assert oxtorch_run(path).returncode == 0
    assert json.loads(path.read_text())["nbformat_minor"] == 5
    assert read(path).cells[0].outputs[0].data["text/plain"] == "2"


def test_a_run_into_a_folder_that_is_not_there_says_so_before_it_runs(tmp_path):
    path = write(tmp_path, 'println!("ran");')
    done = oxtorch_run(path, "-o", tmp_path / "absent" / "out.ipynb")
    assert done.returncode == 2
    assert "absent" in done.stderr


def test_an_unknown_metadata_field_survives(tmp_path):
    path = write(tmp_path, "1")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["grader"] = {"points": 3}
    notebook.cells[0].metadata["nbgrader"] = {"grade": True, "locked": False}
    notebook.cells[0].metadata["tags"] = ["task"]
    nbformat.write(notebook, path)
    assert oxtorch_run(path).returncode == 0
    after = read(path)
    assert after.metadata["grader"] == {"points": 3}
    assert after.cells[0].metadata["nbgrader"] == {"grade": True, "locked": False}
    assert after.cells[0].metadata["tags"] == ["task"]
    assert after.cells[0].id == notebook.cells[0].id


@pytest.mark.parametrize("cells", [(), ("",), (new_markdown_cell("only text"),)])
def test_a_notebook_with_nothing_to_run_is_fine(tmp_path, cells):
    path = write(tmp_path, *cells)
    assert oxtorch_run(path).returncode == 0
    read(path)


def lines_of_code(text, comment):
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith(comment))


def test_the_cnn_notebook_takes_at_most_a_fifth_more_lines_of_code_than_in_python():
    cells = ["".join(cell.source) for cell in read(CNN).cells if cell.cell_type == "code"]
    ours = lines_of_code("\n".join(cells), "//")
    pythons = lines_of_code((REPOSITORY / "tests/bench/notebooks/cnn.py").read_text(), "#")
    assert 20 < ours <= 1.2 * pythons, f"{ours} lines, {pythons} in Python"
