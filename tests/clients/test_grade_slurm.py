"""A class that Slurm grades, on two nodes of which one dies in the middle."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
from conftest import OXTORCH, PATIENCE
from servers import SLURM, Slurm, missing, missing_sandbox

CLASS = 12

WHY_NOT = missing(SLURM) or missing_sandbox()

MASTER = [
    ("l", None, "fn close(a: f64, b: f64) -> bool { (a - b).abs() < 1e-9 }"),
    ("s", None, "fn twice(x: f64) -> f64 {\n    // BEGIN SOLUTION\n    2.0 * x\n    // END SOLUTION\n}"),
    ("gl", 2, "for at in 0..200 {\n    assert!(close(twice(at as f64), 2.0 * at as f64));\n}"),
]


def cell(number, flags, points, source):
    nbgrader = {"schema_version": 3, "grade_id": f"c{number}", "task": False}
    nbgrader |= {"grade": "g" in flags, "solution": "s" in flags, "locked": "l" in flags}
    if points is not None:
        nbgrader["points"] = points
    metadata = {"nbgrader": nbgrader}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def write(path, sources):
    cells = [cell(number, flags, points, source) for number, (flags, points, source) in enumerate(sources)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}))


@pytest.fixture
def homework(tmp_path):
    """A master, and what a class has handed in: half of them right."""
    write(tmp_path / "master.ipynb", MASTER)
    for student in range(CLASS):
        factor = 2.0 if student % 2 else 2.0 + student
        solution = f"fn twice(x: f64) -> f64 {{ {factor} * x }} // {student}"
        write(tmp_path / f"submitted/student{student:02}/hw/hw.ipynb", [MASTER[0], ("s", None, solution), MASTER[2]])
    return tmp_path


def grade(folder, *options, **more):
    command = [OXTORCH, "grade", "master.ipynb", "submitted", "-j", "1", *options]
    together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=folder, text=True, **together, **more)


def is_student(line):
    return " s  student" in line


def until_a_student(lines):
    for line in lines:
        yield line
        if is_student(line):
            return


# Runs the tasks of an array one after the other. The first time it leaves the last one, waits to be told, and fails.
SBATCH = """#!{python}
import os, subprocess, sys, time
from pathlib import Path

here = Path(__file__).parent
(array,) = [option for option in sys.argv if option.startswith("--array=0-")]
last = int(array.removeprefix("--array=0-"))
is_first = not (here / "ran").exists()
(here / "ran").touch()
script = sys.stdin.read()
for task in range(last if is_first else last + 1):
    subprocess.run(["sh", "-c", script], env={{**os.environ, "SLURM_ARRAY_TASK_ID": str(task)}})
if is_first:
    while not (here / "told").exists():
        time.sleep(0.05)
    sys.exit(1)
"""


@pytest.mark.skipif(bool(missing_sandbox()), reason=missing_sandbox() or "all there")
def test_what_a_task_leaves_is_submitted_again_also_if_all_else_was_graded_meanwhile(homework, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "sbatch").write_text(SBATCH.format(python=sys.executable))
    (folder / "sbatch").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    process = grade(homework, "--slurm", "--slurm-tasks", "4", "-o", "graded", env=environment)
    said = []
    while sum(map(is_student, said)) < CLASS * 3 // 4:
        said.append(process.stdout.readline())
        assert said[-1], said
    (folder / "told").touch()
    said += process.stdout
    assert process.wait(PATIENCE) == 0, said
    assert len({line.split()[-1] for line in said if is_student(line)}) == CLASS


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "all there")
def test_a_class_is_graded_by_the_nodes_that_are_left(homework, tmp_path_factory):
    alone = grade(homework, "-o", "alone")
    alone.communicate(timeout=PATIENCE)
    assert alone.returncode == 0
    folder = tmp_path_factory.mktemp("slurm")
    with contextlib.closing(Slurm(folder, processors=1, megabytes=16_000, nodes=2)) as slurm:
        environment = {**os.environ, **slurm.environment}
        options = ["--slurm", "--slurm-tasks", "4", "-o", "graded"]
        process = grade(homework, *options, env=environment)
        # The first result is there, so tasks run.
        before = list(until_a_student(process.stdout))
        slurm.kill("node1")
        # Read to the end here: `communicate` would lose what came with the first result.
        said = "".join([*before, *process.stdout])
        assert process.wait(PATIENCE) == 0, said
    assert len({line.split()[-1] for line in said.splitlines() if is_student(line)}) == CLASS
    grades = (homework / "graded/grades.csv").read_text()
    assert grades == (homework / "alone/grades.csv").read_text()
    marks = [line.split(",")[1] for line in grades.splitlines()[1:]]
    assert marks == ["0" if student % 2 == 0 and student > 0 else "2" for student in range(CLASS)]
