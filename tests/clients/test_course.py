"""The assignments of the course: each holds what it promises, and marks typical mistakes where they are."""

import json
import subprocess

import nbformat
import pytest
from conftest import OXTORCH, REPOSITORY
from test_notebooks import oxtorch_run, read

COURSE = REPOSITORY / "notebooks/course"
ASSIGNMENTS = sorted(path.parent for path in COURSE.glob("*/master.ipynb"))
MISTAKES = sorted(COURSE.glob("*/wrong/*.json"))


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def with_mistake(path):
    """The solution of an assignment with the cells of a wrong one, and the tests that have to fail."""
    mistake = json.loads(path.read_text())
    notebook = read(path.parents[1] / "master.ipynb")
    cells = {grade_id(cell): cell for cell in notebook.cells}
    for name, lines in mistake["cells"].items():
        cells[name].source = "".join(lines)
    return notebook, mistake["fails"]


def failed(notebook):
    """The ids of the cells that ended with an error."""
    ended = [cell for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", []))]
    return [grade_id(cell) for cell in ended]


@pytest.mark.parametrize("folder", ASSIGNMENTS, ids=lambda folder: folder.name)
def test_an_assignment_holds_what_it_promises(folder):
    command = [OXTORCH, "assignment", "check", folder / "master.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100 points in all" in done.stdout


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_typical_mistake_costs_the_points_of_its_own_tests_and_no_others(path, tmp_path):
    notebook, fails = with_mistake(path)
    nbformat.write(notebook, tmp_path / "homework.ipynb")
    done = oxtorch_run(tmp_path / "homework.ipynb", "--allow-errors")
    assert done.returncode == 1, done.stderr
    assert failed(read(tmp_path / "homework.ipynb")) == fails


def test_an_assignment_has_mistakes_to_be_tried_with():
    assert ASSIGNMENTS == sorted({path.parents[1] for path in MISTAKES})
