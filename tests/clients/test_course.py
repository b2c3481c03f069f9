"""The assignments of the course: each holds what it promises, and marks typical mistakes where they are.

`oxtorch assignment check` runs the solution three times, and each wrong solution by itself. Here a class is graded: the
solution, the students' version, and somebody who makes all the mistakes, as far as they are in different cells.
"""

import csv
import json
import re
import subprocess

import nbformat
import pytest
from conftest import OXTORCH, REPOSITORY
from test_notebooks import read

COURSE = REPOSITORY / "notebooks/course"
ASSIGNMENTS = sorted(path.parent for path in COURSE.glob("*/master.ipynb"))
# Who has handed in nothing but what was handed out.
STUBS = "stubs"
SOLUTION = "solution"
MISTAKEN = "mistaken"
# How far numbers may be from the saved ones: processors round differently, and training carries that on.
NEAR = 0.05


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_test(cell):
    settings = cell.metadata.get("nbgrader", {})
    return settings.get("grade") and not settings.get("solution")


def mistake(path):
    """The tests that fail on a wrong solution, and its cells by their ids."""
    head, *cells = re.split(r"^// cell: *(.*)\n", path.read_text(), flags=re.MULTILINE)
    fails = re.search(r"^//! fails: (.*)$", head, flags=re.MULTILINE)
    ids, sources = cells[::2], [source.strip() for source in cells[1::2]]
    return fails[1].split(", "), dict(zip(ids, sources, strict=True))


def with_mistake(path):
    """The solution of an assignment with the cells of a wrong one, and the tests that lose points then."""
    fails, sources = mistake(path)
    return with_cells(path.parents[1], sources), fails


def with_cells(folder, sources):
    notebook = read(folder / "master.ipynb")
    cells = {grade_id(cell): cell for cell in notebook.cells}
    for name, source in sources.items():
        cells[name].source = source
    return notebook


def mistaken(folder):
    """Notebooks with as many of an assignment's mistakes as fit into one, and the tests that lose points in each."""
    together = []
    for path in sorted(folder.glob("wrong/*.rs")):
        fails, sources = mistake(path)
        fitting = (one for one in together if not one[1].keys() & sources.keys())
        one = next(fitting, None)
        if one is None:
            together.append(one := (set(), {}))
        one[0].update(fails)
        one[1].update(sources)
    return [(with_cells(folder, sources), fails) for fails, sources in together]


def released(folder, to):
    command = [OXTORCH, "assignment", "release", folder / "master.ipynb", "-o", to]
    subprocess.run(command, check=True, capture_output=True)
    return to


class Graded:
    """An assignment's class, graded."""

    def __init__(self, folder, work):
        self.folder = folder
        self.tests = [cell for cell in read(folder / "master.ipynb").cells if is_test(cell)]
        submitted = work / "submitted"
        submitted.mkdir()
        released(folder, submitted / f"{STUBS}.ipynb")
        nbformat.write(read(folder / "master.ipynb"), submitted / f"{SOLUTION}.ipynb")
        self.mistaken = mistaken(folder)
        for number, (notebook, _) in enumerate(self.mistaken):
            nbformat.write(notebook, submitted / f"{MISTAKEN}-{number}.ipynb")
        # What stands in these notebooks is ours, so this needs no sandbox.
        command = [OXTORCH, "grade", folder / "master.ipynb", submitted, "-o", work / "out", "--sandbox", "none"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stdout + done.stderr
        self.said = done.stdout
        with open(work / "out/grades.csv", newline="") as table:
            self.rows = {row["student"]: row for row in csv.DictReader(table)}
        self.students = work / "out/students"

    def executed(self, student):
        (path,) = (self.students / student).glob("*.ipynb")
        return read(path)

    def points(self, student):
        """What each test gives."""
        return {grade_id(cell): float(self.rows[student][grade_id(cell)] or 0) for cell in self.tests}

    def worth(self):
        return {grade_id(cell): cell.metadata.nbgrader.points for cell in self.tests}


@pytest.fixture(scope="module", params=ASSIGNMENTS, ids=lambda folder: folder.name)
def graded(request, tmp_path_factory):
    return Graded(request.param, tmp_path_factory.mktemp(request.param.name))


@pytest.mark.timeout(1200)
def test_the_solution_has_all_points_of_its_tests(graded):
    assert graded.points(SOLUTION) == graded.worth(), graded.said


def test_stubs_have_no_points_and_compile(graded):
    assert set(graded.points(STUBS).values()) == {0}, graded.said
    for cell in graded.executed(STUBS).cells:
        errors = [output.ename for output in cell.get("outputs", []) if output.output_type == "error"]
        # What a stub would have made may be missing in tests and given cells, which do not compile then.
        is_stub = cell.metadata.get("nbgrader", {}).get("solution")
        assert not (is_stub and "CompileError" in errors), cell.source


def test_typical_mistakes_cost_points_of_their_own_tests_and_of_no_others(graded):
    for number, (_, fails) in enumerate(graded.mistaken):
        points = graded.points(f"{MISTAKEN}-{number}")
        assert {name for name, worth in graded.worth().items() if points[name] < worth} == fails, graded.said


def texts(cell):
    """What a cell shows as text, figures and widgets by their kinds alone."""
    for output in cell.outputs:
        data = output.get("data", {})
        pictures = {"image/svg+xml", "image/png", "text/html", "audio/wav"} & data.keys()
        yield " ".join(sorted(pictures)) or output.get("text") or data.get("text/plain", "")


def assert_alike(one, other, cell):
    number = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
    assert re.sub(number, "#", one) == re.sub(number, "#", other), cell
    for left, right in zip(re.findall(number, one), re.findall(number, other), strict=True):
        assert float(left) == pytest.approx(float(right), rel=NEAR, abs=NEAR), f"{cell}: {one} / {other}"


def test_what_lies_beside_the_master_is_made_of_it(graded, tmp_path):
    folder, master = graded.folder, read(graded.folder / "master.ipynb")
    assert (folder / f"{folder.name}.ipynb").read_bytes() == released(folder, tmp_path / "made.ipynb").read_bytes()
    solution = read(folder / "solution.ipynb")
    assert [cell.source for cell in solution.cells] == [cell.source for cell in master.cells]
    for saved, again in zip(solution.cells, graded.executed(SOLUTION).cells, strict=True):
        if saved.cell_type != "code" or is_test(saved):
            continue
        before, now = list(texts(saved)), list(texts(again))
        assert len(before) == len(now), saved.source
        for one, other in zip(before, now, strict=True):
            assert_alike(one, other, saved.source)


def test_an_assignment_is_worth_100_points_and_has_mistakes_to_be_tried_with():
    for folder in ASSIGNMENTS:
        assert len(list(folder.glob("wrong/*.rs"))) >= 3, folder.name
        cells = json.loads((folder / "master.ipynb").read_text())["cells"]
        assert sum(cell["metadata"].get("nbgrader", {}).get("points", 0) for cell in cells) == 100, folder.name
