"""`oxtorch assignment`: a master notebook is checked, and made into the students' version."""

import subprocess

import nbformat
import pytest
from conftest import OXTORCH
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_notebooks import read

MEAN = """fn mean(values: &[f64]) -> Option<f64> {
    // BEGIN SOLUTION
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    // END SOLUTION
}"""
TEST = """assert_eq!(mean(&[1.0, 2.0]), Some(1.5));
// BEGIN HIDDEN TESTS
assert_eq!(mean(&[]), None);
// END HIDDEN TESTS"""


def cell(source, name, make=new_code_cell, **nbgrader):
    empty = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return make(source, metadata={"nbgrader": {**empty, "grade_id": name, **nbgrader}})


def solution(source, name="mean"):
    return cell(source, name, solution=True)


def graded(source, name="test-mean", points=2):
    return cell(source, name, grade=True, locked=True, points=points)


def answer(source, name="why", points=1):
    return cell(source, name, new_markdown_cell, grade=True, solution=True, points=points)


@pytest.fixture
def assignment(tmp_path):
    """Writes a master notebook and calls `oxtorch assignment` on it."""

    def call(command, cells, *arguments):
        master = tmp_path / "master.ipynb"
        nbformat.write(new_notebook(cells=cells), master)
        return subprocess.run(
            [OXTORCH, "assignment", command, master.name, *arguments], cwd=tmp_path, capture_output=True, text=True
        )

    return call


GIVEN = cell("let data = [1.0, 2.0, 3.0];", "data", locked=True)


def test_a_master_whose_tests_pass_on_the_solution_and_fail_on_the_stubs_is_good(assignment, tmp_path):
    done = assignment("check", [GIVEN, solution(MEAN), graded(TEST), answer("It divides by zero.")])
    assert done.returncode == 0, done.stderr
    assert "test-mean                     2 points   solution passes   stubs fails" in done.stdout
    assert "3 points in all" in done.stdout
    # Nothing is left beside the master, and it stays as it was.
    assert [path.name for path in tmp_path.iterdir()] == ["master.ipynb"]


def test_what_does_not_hold_is_said_cell_by_cell(assignment):
    cells = [
        solution("fn f() -> i64 {\n    // BEGIN SOLUTION\n    1\n    // END SOLUTION\n}", "f"),
        graded("assert_eq!(f(), 2);", "wrong"),
        graded("assert!(true);", "always"),
        cell("std::time::Instant::now()", "time", locked=True),
        solution("let x: NoSuchType =\n    // BEGIN SOLUTION\n    1\n    // END SOLUTION\n;", "broken"),
    ]
    done = assignment("check", cells)
    assert done.returncode == 1
    for line in [
        "cell 2 of the notebook: the test `wrong` fails on the solution: Panic: assertion `left == right` failed",
        "cell 3 of the notebook: the test `always` passes on the stubs: it gives points for nothing",
        "cell 4 of the notebook: the cell `time` shows something else each time",
        "cell 5 of the notebook: the solution `broken` fails on the solution: CompileError",
        "error: 4 of the cells are not as they have to be",
    ]:
        assert line in done.stderr, done.stderr
    cells[3].metadata["tags"] = ["times"]
    assert "the cell `time`" not in assignment("check", cells).stderr


def test_a_check_that_stands_in_the_notebook_does_not_check_itself(tmp_path):
    cells = [new_code_cell("let x = 1;\nx + 1"), new_code_cell(":check homework.ipynb")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "homework.ipynb")
    run = subprocess.run([OXTORCH, "run", "homework.ipynb"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "it can be handed in" in read(tmp_path / "homework.ipynb").cells[1].outputs[0].text
    command = [OXTORCH, "check", "homework.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "it can be handed in\n"), done.stderr


def test_cells_read_files_from_beside_the_notebook_wherever_it_is_checked(tmp_path):
    folder = tmp_path / "homework"
    folder.mkdir()
    (folder / "numbers.txt").write_text("7")
    reads = new_code_cell('assert_eq!(std::fs::read_to_string("numbers.txt")?, "7");')
    nbformat.write(new_notebook(cells=[reads]), folder / "homework.ipynb")
    command = [OXTORCH, "check", "homework/homework.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_check_leaves_nothing_beside_the_master_not_even_while_it_runs(assignment, tmp_path_factory):
    seen = tmp_path_factory.mktemp("seen")
    look = f"""let names: Vec<_> = std::fs::read_dir(".")?.map(|entry| entry.unwrap().file_name()).collect();
std::fs::write(format!("{seen}/{{}}", std::process::id()), format!("{{names:?}}"))?;"""
    done = assignment("check", [cell(look, "look", locked=True), solution(MEAN), graded(TEST)])
    assert done.returncode == 0, done.stderr
    assert {path.read_text() for path in seen.iterdir()} == {'["master.ipynb"]'}


def test_a_wrong_solution_that_keeps_points_it_should_lose_is_said(assignment, tmp_path):
    (tmp_path / "wrong").mkdir()
    zero = "//! It gives 0 for what is empty.\n//! fails: test-mean\n\n// cell: mean\n"
    zero += "fn mean(values: &[f64]) -> Option<f64> { Some(values.iter().sum::<f64>() / values.len().max(1) as f64) }\n"
    (tmp_path / "wrong/zero.rs").write_text(zero)
    cells = [GIVEN, solution(MEAN), graded(TEST)]
    done = assignment("check", cells)
    assert done.returncode == 0, done.stderr
    assert "wrong solution 1 of 1: zero" in done.stderr
    (tmp_path / "wrong/unlike.rs").write_text(zero.replace("cell: mean", "cell: median"))
    done = assignment("check", [*cells[:2], graded("assert_eq!(mean(&[1.0, 2.0]), Some(1.5));")])
    assert done.returncode == 1
    for line in [
        "the wrong solution `unlike`: the master has no cell `median` that students write",
        "cell 3 of the notebook: the test `test-mean` gives all its points on the wrong solution `zero`: It gives 0",
    ]:
        assert line in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["master.ipynb", "wrong"]


def test_students_get_stubs_that_compile(assignment, tmp_path):
    cells = [GIVEN, solution(MEAN), graded(TEST), answer("It divides by zero.")]
    done = assignment("release", cells, "-o", "homework.ipynb")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote homework.ipynb: 2 cells to write, 1 tests, 3 points in all\n"
    given, mean, test, why = read(tmp_path / "homework.ipynb").cells
    assert given.source == "let data = [1.0, 2.0, 3.0];"
    assert mean.source == "fn mean(values: &[f64]) -> Option<f64> {\n    // YOUR CODE HERE\n    todo!();\n}"
    assert test.source == "assert_eq!(mean(&[1.0, 2.0]), Some(1.5));"
    assert why.source == "YOUR ANSWER HERE"
    assert (given.metadata.editable, test.metadata.editable, "editable" in mean.metadata) == (False, False, False)
    run = subprocess.run([OXTORCH, "run", tmp_path / "homework.ipynb", "--keep-going"], capture_output=True, text=True)
    assert run.returncode == 1
    _, mean, test, _ = read(tmp_path / "homework.ipynb").cells
    assert mean.outputs == []
    assert "not yet implemented" in test.outputs[0].evalue


def test_a_notebook_that_cannot_be_a_master_is_refused_with_all_reasons(assignment, tmp_path):
    cells = [solution("// BEGIN SOLUTION"), graded("", points=None), graded("", name="mean")]
    done = assignment("release", cells, "-o", "homework.ipynb")
    assert done.returncode == 2
    assert "cell 1 of the notebook: line 1: `BEGIN SOLUTION` has no `END SOLUTION`" in done.stderr
    assert "cell 2 of the notebook: `test-mean` is to be graded and has no `points`" in done.stderr
    assert not (tmp_path / "homework.ipynb").exists()
    same = assignment("release", [graded(TEST)], "-o", "master.ipynb")
    assert same.returncode == 1 and "take the place of the master" in same.stderr


def test_a_student_learns_what_to_mend_before_handing_in(assignment, tmp_path):
    assignment("release", [GIVEN, solution(MEAN), graded(TEST), answer("It divides by zero.")], "-o", "homework.ipynb")
    path = tmp_path / "homework.ipynb"

    def check():
        return subprocess.run([OXTORCH, "check", path.name], cwd=tmp_path, capture_output=True, text=True)

    done = check()
    assert done.returncode == 1
    for line in [
        "cell 2 of the notebook: it is not written yet",
        "cell 3 of the notebook: the test does not pass in a run from the top: Panic: not yet implemented",
        "cell 4 of the notebook: it is not written yet",
        "the tests that you see: 0 of 2 points",
    ]:
        assert line in done.stdout, done.stdout + done.stderr
    assert "3 of these cost points" in done.stderr
    homework = read(path)
    homework.cells[1].source = "fn mean(values: &[f64]) -> Option<f64> { Some(values.iter().sum::<f64>() / 2.0) }"
    homework.cells[3].source = "An empty list has no mean."
    nbformat.write(homework, path)
    subprocess.run([OXTORCH, "run", path], check=True, capture_output=True)
    before = path.read_bytes()
    done = check()
    assert (done.returncode, done.stdout) == (0, "the tests that you see: 2 of 2 points\nit can be handed in\n")
    assert path.read_bytes() == before
    missing = subprocess.run([OXTORCH, "check", "nothing.ipynb"], cwd=tmp_path, capture_output=True, text=True)
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: cannot read nothing.ipynb")
