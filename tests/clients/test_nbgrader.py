"""nbgrader generates, autogrades and exports an assignment of the course, with the settings and the plugin of ours.

nbgrader has an environment of its own, which is kept beside that of the tests.
"""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from conftest import OXTORCH, PATIENCE, REPOSITORY
from test_course import COURSE, grade_id, with_mistake
from test_notebooks import read

NAME = "01-classifier"
MASTER = COURSE / NAME / "master.ipynb"
CONFIG = REPOSITORY / "python/oxtorch/nbgrader_config.py"
HERE = Path(__file__).parent
PINNED = [HERE / "nbgrader.txt", HERE / "requirements.txt"]
DUE = datetime(2026, 11, 30, 23, 59)
# What its tests are worth; the rest is marked by hand.
BY_TESTS, BY_HAND = 84, 16
# What the two bars give that nearest neighbours alone do not reach.
BARS = 3
# It reaches two of the four bars, which are worth 7 of 10 points.
PLAIN = """fn classify(train_x: &Tensor, train_y: &Tensor, x: &Tensor) -> Tensor {
    knn_predict(train_x, train_y, x, 3)
}"""


@pytest.fixture(scope="module")
def python():
    """The Python of an environment with nbgrader."""
    what = hashlib.sha256("".join([sys.version, *(path.read_text() for path in PINNED)]).encode()).hexdigest()
    folder = Path(OXTORCH).resolve().parents[1] / f"tmp/nbgrader-{what[:16]}"
    python = folder / "bin/python"
    # Written last: an environment without it is one whose making was cut short.
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, "-r", PINNED[0], "-c", PINNED[1]], capture_output=True, text=True)
        if done.returncode != 0:
            stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            stop(f"nbgrader cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        complete.touch()
    return python


class Course:
    """A course's folder, as nbgrader has it."""

    def __init__(self, python, folder):
        self.python, self.folder = python, folder
        # nbgrader calls programs of its environment by name.
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY / "python")}
        source = folder / "source" / NAME
        source.mkdir(parents=True)
        shutil.copy(CONFIG, folder)
        shutil.copy(MASTER, source / "classifier.ipynb")

    def nbgrader(self, *arguments):
        command = [self.python, "-m", "nbgrader", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=2 * PATIENCE
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def released(self):
        return read(self.folder / "release" / NAME / "classifier.ipynb")

    def submit(self, student, solution, deleted=(), late=timedelta(), **others):
        """Hands in what students got, with the cells of a solution in it, or others."""
        written = {grade_id(cell): cell.source for cell in solution.cells} | others
        homework = self.released()
        homework.cells = [cell for cell in homework.cells if grade_id(cell) not in deleted]
        for cell in homework.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = written[grade_id(cell)]
        folder = self.folder / "submitted" / student / NAME
        folder.mkdir(parents=True)
        nbformat.write(homework, folder / "classifier.ipynb")
        (folder / "timestamp.txt").write_text(f"{DUE + late} UTC")


@pytest.fixture(scope="module")
def course(python, tmp_path_factory):
    course = Course(python, tmp_path_factory.mktemp("course"))
    course.nbgrader("generate_assignment", NAME)
    course.nbgrader("db", "assignment", "add", NAME, f"--duedate={DUE} UTC")
    solution = read(MASTER)
    overflows, _ = with_mistake(COURSE / NAME / "wrong/01-softmax-overflows.rs")
    course.submit("solves", solution)
    course.submit("overflows", overflows)
    course.submit("deletes", solution, deleted=["test-gradient"])
    course.submit("late", solution, late=timedelta(days=2), classify=PLAIN)
    course.nbgrader("autograde", NAME)
    return course


@pytest.fixture(scope="module")
def grades(course):
    """The rows of the exported table, by student."""
    course.nbgrader("export")
    with open(course.folder / "grades.csv", newline="") as table:
        return {row["student_id"]: row for row in csv.DictReader(table)}


def test_students_get_what_oxtorch_would_give_them(course, tmp_path):
    ours = tmp_path / "homework.ipynb"
    subprocess.run([OXTORCH, "assignment", "release", MASTER, "-o", ours], check=True, capture_output=True)
    assert [cell.source for cell in course.released().cells] == [cell.source for cell in read(ours).cells]


def test_each_test_gives_its_points_also_a_deleted_one_that_is_put_back_and_one_that_gives_some_of_them(grades):
    points = {student: float(row["raw_score"]) for student, row in grades.items()}
    assert points == {"solves": BY_TESTS, "overflows": BY_TESTS - 6, "deletes": BY_TESTS, "late": BY_TESTS - BARS}
    assert {float(row["max_score"]) for row in grades.values()} == {BY_TESTS + BY_HAND}


def test_late_work_loses_its_share(grades):
    taken = {student: float(row["late_submission_penalty"]) for student, row in grades.items()}
    assert taken == pytest.approx({"solves": 0, "overflows": 0, "deletes": 0, "late": 0.3 * (BY_TESTS - BARS)})
    assert float(grades["late"]["score"]) == pytest.approx(0.7 * (BY_TESTS - BARS))


def test_what_is_taken_off_depends_on_the_hours_and_on_the_settings(course):
    code = """
import json
from oxtorch.nbgrader_late import LatePenalty
from traitlets.config import Config
ours, others = LatePenalty(), LatePenalty(config=Config(LatePenalty={"steps": [(1, 0.5)], "afterwards": 0.0}))
hours = [0.01, 24, 24.01, 72, 72.01, 1000]
print(json.dumps([[plugin.late_submission_penalty("x", 80.0, h * 3600) for h in hours] for plugin in (ours, others)]))
"""
    done = subprocess.run([course.python, "-c", code], env=course.environment, check=True, capture_output=True)
    ours, others = json.loads(done.stdout)
    assert ours == pytest.approx([8, 8, 24, 24, 40, 40])
    assert others == pytest.approx([40, 80, 80, 80, 80, 80])


def test_without_the_python_package_the_settings_hold_and_nothing_is_taken_off(course):
    code = """
from traitlets.config import PyFileConfigLoader
config = PyFileConfigLoader("nbgrader_config.py", path=".").load_config()
print(*sorted(config), "todo!();" in config.ClearSolutions.code_stub["rust"])
"""
    environment = {name: value for name, value in course.environment.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [course.python, "-c", code], cwd=course.folder, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["ClearSolutions", "OverwriteCells", "True"]
