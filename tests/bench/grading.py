"""Grades a class of 300 with `oxtorch grade`: how long it takes, whether the marks are those that were earned, the same
each time, and the same after the grader was killed; and some of them with nbgrader, for its marks and its time.

    OXTORCH=target/release/oxtorch PYTHON tests/bench/grading.py [--students 300] [--nbgrader PYTHON]

The first PYTHON has what `tests/clients/requirements.txt` names, the second what `nbgrader.txt` beside it does. Each
submission puts together an answer to each question from those below, with names of its own, so that no two have the
same text. One in fifty has a loop that does not end.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_notebook

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

from conftest import OXTORCH  # noqa: E402
from test_grading import cell, graded, solution  # noqa: E402

NAME = "hw"
JOBS = 2
CELL_TIMEOUT = 10
# How many are graded by nbgrader as well, which grades one after the other.
BY_BOTH = 12

GIVEN = """let data = vec![1.0, 2.0, 3.0, 6.0];
let x = Tensor::linspace(-1.0, 1.0, 64, (Kind::Float, Device::Cpu));
let y = &x * 3.0 + 0.5;
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-3
}"""


@dataclass(frozen=True)
class Question:
    """A function to be written."""

    signature: str
    points: int
    test: str
    # NAME is a name of the student's own.
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    slow: str
    does_not_end: str

    @property
    def name(self):
        return self.signature.split("(")[0]

    def written(self, body):
        """The function with this body."""
        return f"fn {self.signature} {{\n    {body}\n}}"


QUESTIONS = [
    Question(
        "mean(values: &[f64]) -> f64",
        2,
        "assert!(close(mean(&data), 3.0));\n"
        "// BEGIN HIDDEN TESTS\nassert_eq!(mean(&[4.0]), 4.0);\n// END HIDDEN TESTS",
        (
            "values.iter().sum::<f64>() / values.len() as f64",
            "let mut NAME = 0.0; for v in values { NAME += v; } NAME / values.len() as f64",
            "let NAME = values.len() as f64; values.iter().map(|v| v / NAME).sum()",
            "values.iter().fold(0.0, |NAME, v| NAME + v) / values.len() as f64",
        ),
        ("let NAME = 4.0; values.iter().sum::<f64>() / NAME", "values.iter().sum()", "values[values.len() - 1]"),
        "let NAME = std::time::Duration::from_millis(500); std::thread::sleep(NAME); "
        "values.iter().sum::<f64>() / values.len() as f64",
        "let mut NAME = 0.0; while values.len() > 0 { NAME += values[0]; } NAME",
    ),
    Question(
        "softmax(x: &Tensor) -> Tensor",
        4,
        "let p: Tensor = softmax(&Tensor::from_slice(&[1.0f32, 2.0, 3.0]));\n"
        "assert!(close(p.sum(Kind::Float).double_value(&[]), 1.0));\n"
        "assert!(close(p.double_value(&[2]), 0.66524));\n"
        "// BEGIN HIDDEN TESTS\n"
        "assert!(!softmax(&Tensor::from_slice(&[1000.0f32, 0.0])).double_value(&[0]).is_nan());\n// END HIDDEN TESTS",
        (
            "x.softmax(-1, Kind::Float)",
            "let NAME = (x - x.max()).exp(); &NAME / NAME.sum(Kind::Float)",
            "x.log_softmax(-1, Kind::Float).exp()",
            "let NAME = x.logsumexp(-1, true); (x - NAME).exp()",
        ),
        ("let NAME = x.exp(); &NAME / NAME.sum(Kind::Float)", "x / x.sum(Kind::Float)", "x.sigmoid()"),
        "for NAME in 0..20_000 { let _ = x + NAME; } x.softmax(-1, Kind::Float)",
        "let mut NAME = x.exp(); loop { NAME = NAME / 2.0; }",
    ),
    Question(
        "fit(x: &Tensor, y: &Tensor) -> (f64, f64)",
        4,
        "let (slope, offset) = fit(&x, &y);\nassert!(close(slope, 3.0) && close(offset, 0.5), \"{slope} {offset}\");",
        (
            "let (mut NAME, mut b) = (0.0, 0.0); for _ in 0..400 { let e = x * NAME + b - y; "
            "NAME -= (&e * x).mean(Kind::Float).double_value(&[]); b -= 0.5 * e.mean(Kind::Float).double_value(&[]); } "
            "(NAME, b)",
            "let NAME = x - x.mean(Kind::Float); let a = ((&NAME * y).sum(Kind::Float) / "
            "(&NAME * &NAME).sum(Kind::Float)).double_value(&[]); "
            "(a, y.mean(Kind::Float).double_value(&[]) - a * x.mean(Kind::Float).double_value(&[]))",
            "let NAME = Tensor::zeros([2], (Kind::Float, Device::Cpu)).set_requires_grad(true); for _ in 0..400 { "
            "let loss = (x * NAME.get(0) + NAME.get(1) - y).square().mean(Kind::Float); "
            "let g = Tensor::run_backward(&[loss], &[&NAME], false, false); "
            "no_grad(|| { let _ = NAME.shallow_clone().g_sub_(&(&g[0] * 0.5)); }); } "
            "(NAME.double_value(&[0]), NAME.double_value(&[1]))",
        ),
        ("let NAME = y.max() - y.min(); (NAME.double_value(&[]), 0.5)", "let NAME = 0.0; (NAME, NAME)"),
        "let (mut NAME, mut b) = (0.0, 0.0); for _ in 0..20_000 { let e = x * NAME + b - y; "
        "NAME -= (&e * x).mean(Kind::Float).double_value(&[]); b -= 0.5 * e.mean(Kind::Float).double_value(&[]); } "
        "(NAME, b)",
        "let mut NAME = 0; while NAME < 10 { let _ = x + y; } (0.0, 0.0)",
    ),
]
DOES_NOT_COMPILE = ("let NAME = ; todo!()", "NAME.undefined()", 'let NAME: i64 = "text"; todo!()')


def call(command, **options):
    """Runs a program, and returns what it prints; ends all with its error where it has one."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return done.stdout


def cells_of_master():
    """The cells of the assignment, with a right answer to each question."""
    cells = [cell(GIVEN, "given", locked=True)]
    for question in QUESTIONS:
        cells.append(solution(question.written(question.right[0].replace("NAME", "own")), question.name))
        cells.append(graded(question.test, f"{question.name}-test", question.points))
    return cells


def answers(number):
    """What a student writes, and the points that it is worth."""
    chance = random.Random(number)
    written, earned = {}, {}
    endless = chance.choice(QUESTIONS) if number % 50 == 49 else None
    for question in QUESTIONS:
        kinds = [question.right, question.wrong, DOES_NOT_COMPILE, (question.slow,)]
        [kind] = chance.choices(kinds, [70, 18, 8, 4])
        if question is endless:
            kind = (question.does_not_end,)
        written[question.name] = question.written(chance.choice(kind).replace("NAME", f"own_{number}"))
        is_right = kind is question.right or kind == (question.slow,)
        earned[f"{question.name}-test"] = question.points if is_right else 0
    return written, earned


def hand_in(folder, number):
    """Writes the notebook of a student, and says what it is worth."""
    notebook = json.loads((folder / "homework.ipynb").read_text())
    written, earned = answers(number)
    for one in notebook["cells"]:
        name = one["metadata"].get("nbgrader", {}).get("grade_id")
        one["source"] = written.get(name, one["source"])
    path = folder / f"submitted/student-{number:03}/{NAME}/{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))
    return earned


def make_class(folder, students):
    """The assignment and what was handed in, and what each student has earned."""
    (folder / f"source/{NAME}").mkdir(parents=True)
    master = folder / f"source/{NAME}/{NAME}.ipynb"
    notebook = new_notebook(cells=cells_of_master())
    notebook.metadata["kernelspec"] = {"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"}
    nbformat.write(notebook, master)
    call([OXTORCH, "assignment", "release", master, "-o", folder / "homework.ipynb"])
    return {f"student-{number:03}": hand_in(folder, number) for number in range(students)}


def command(folder, output, *options):
    bounds = ["-j", str(JOBS), "--cell-timeout", str(CELL_TIMEOUT)]
    master = folder / f"source/{NAME}/{NAME}.ipynb"
    return [OXTORCH, "grade", master, folder / "submitted", "-o", output, *bounds, *options]


def grade(folder, output, *options):
    """Grades to the end, and says how many seconds that took."""
    begin = time.perf_counter()
    call(command(folder, output, *options))
    return time.perf_counter() - begin


def grade_until_killed(folder, output, students):
    """Kills the grader once so many students are graded, and says how many seconds it has had."""
    begin = time.perf_counter()
    with subprocess.Popen(command(folder, output), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as grader:
        for _ in range(students):
            grader.stdout.readline()
        grader.kill()
    return time.perf_counter() - begin


def marks(table):
    """The points of each student for each question, from a table of ours."""
    questions = [f"{question.name}-test" for question in QUESTIONS]
    with open(table, newline="") as rows:
        return {row["student"]: {one: float(row[one]) for one in questions} for row in csv.DictReader(rows)}


def run_times(output):
    """What the notebooks took, each by itself, in seconds."""
    return [json.loads(path.read_text())["graded"]["seconds"] for path in output.glob("students/*/graded.json")]


def by_nbgrader(folder, python, students):
    """What nbgrader gives these students, and how many seconds it takes to autograde them."""
    course = folder / "course"
    course.mkdir()
    (course / "nbgrader_config.py").write_text(call([OXTORCH, "nbgrader-config"]))
    (course / "source").symlink_to(folder / "source")
    (course / "submitted").mkdir()
    for student in students:
        (course / "submitted" / student).symlink_to(folder / "submitted" / student)
    call([OXTORCH, "install", "--prefix", course / "kernel"])
    environment = {
        **os.environ,
        "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_PATH": str(course / "kernel/share/jupyter"),
        # Cells that nobody has compiled, as those of a class are.
        "OXTORCH_CACHE": str(course / "cache"),
        "OXTORCH_HISTORY": "off",
    }

    def nbgrader(*arguments):
        call([python, "-m", "nbgrader", *arguments], cwd=course, env=environment)

    nbgrader("generate_assignment", NAME)
    begin = time.perf_counter()
    nbgrader("autograde", NAME)
    took = time.perf_counter() - begin
    nbgrader("export")
    with open(course / "grades.csv", newline="") as rows:
        return {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(rows)}, took


def say(ok, text):
    """Prints what was measured, and whether that is as it has to be."""
    print(f"- {'' if ok else '**no**: '}{text}", flush=True)
    return ok


def measure_class(folder, earned):
    """The class with a grader that is killed, and once more in peace."""
    killed = grade_until_killed(folder, folder / "killed", len(earned) // 2)
    resumed = grade(folder, folder / "killed", "--resume")
    whole = grade(folder, folder / "whole")
    ideal = sum(run_times(folder / "whole")) / JOBS
    first, second = ((folder / name / "grades.csv").read_bytes() for name in ("killed", "whole"))
    given = marks(folder / "whole/grades.csv")
    others = [student for student, points in earned.items() if given.get(student) != points]
    return [
        say(True, f"{len(earned)} submissions with -j {JOBS}: {whole:.0f} s"),
        say(whole <= 1.1 * ideal, f"the run times over {JOBS}: {ideal:.0f} s, ratio {whole / ideal:.2f}"),
        say(True, f"killed after {killed:.0f} s, and resumed for {resumed:.0f} s"),
        say(first == second, "the marks of both are the same, bit for bit"),
        say(not others, f"the marks are those that were earned, but for: {', '.join(others) or 'nobody'}"),
    ]


def measure_nbgrader(folder, python):
    """A few students, whose cells all end, with both programs."""
    students = [f"student-{number:03}" for number in range(BY_BOTH)]
    theirs, slow = by_nbgrader(folder, python, students)
    fast = grade(folder, folder / "few", *(f"--only={student}" for student in students))
    ours = {student: sum(points.values()) for student, points in marks(folder / "few/grades.csv").items()}
    return [
        say(ours == theirs, f"{BY_BOTH} of them get the same marks from nbgrader: {theirs}"),
        say(True, f"nbgrader takes {slow:.0f} s for these, and oxtorch grade {fast:.1f} s: {slow / fast:.1f} times"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--nbgrader", metavar="PYTHON", help="a Python that has nbgrader; without it that is left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="oxtorch-grading-") as name:
        folder = Path(name)
        earned = make_class(folder, options.students)
        found = measure_class(folder, earned)
        if options.nbgrader:
            found += measure_nbgrader(folder, options.nbgrader)
    sys.exit(not all(found))


if __name__ == "__main__":
    main()
