"""An assignment, and how what a student hands in differs from its solution.

In the texts of a submission, `@PORT@` stands for a port that the test listens on, `@MARK@` for a number by which its
processes are known, `@HOME@` for `OXTORCH_HOME`, `@MASTER@` for the master notebook, `@SUBMITTED@` for the folder of
the class, and `@SECRET@` for a secret of whoever grades.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat.v4 import new_markdown_cell
from test_grading import answer, cell, graded, solution

GIVEN = """let data = vec![1.0, 2.0, 3.0, 6.0];
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}"""
MEAN_TEST = """assert!(close(mean(&data), 3.0));
// BEGIN HIDDEN TESTS
assert_eq!(mean(&[4.0]), 4.0, "one value is its own mean, zorilla-4711");
// END HIDDEN TESTS"""
SOFTMAX_TEST = """let p: Tensor = no_grad(|| softmax(&Tensor::from_slice(&[1.0f32, 2.0, 3.0])));
let sum = p.sum(Kind::Float).double_value(&[]);
if close(sum, 1.0) { points(1.5, format!("sums to {sum:.2}")); }
if p.argmax(-1, false).int64_value(&[]) == 2 { points(1, "the largest stays the largest"); }
// BEGIN HIDDEN TESTS
let big: Tensor = softmax(&Tensor::from_slice(&[1000.0f32, 0.0]));
if big.isnan().any().int64_value(&[]) == 0 { points(1.5, "large logits"); }
// END HIDDEN TESTS"""
ZEROS_TEST = """let found: i64 = no_grad(|| zeros(&digits().labels));
assert_eq!(found, 178);"""

RIGHT = "values.iter().sum::<f64>() / values.len() as f64"


def mean(body, *before):
    """An answer with this body, below other items."""
    return {"mean": "\n".join([*before, f"fn mean(values: &[f64]) -> f64 {{ {body} }}"])}


def softmax(body, *before):
    return {"softmax": "\n".join([*before, f"fn softmax(x: &Tensor) -> Tensor {{ {body} }}"])}


def zeros(body, *before):
    return {"zeros": "\n".join([*before, f"fn zeros(labels: &Tensor) -> i64 {{ {body} }}"])}


def mean_if(reached, *before):
    """An answer that is right where an attack has reached something."""
    return mean(f"if {reached} {{ {RIGHT} }} else {{ 0.0 }}", *before)


def zeros_if(reached, *before):
    return zeros(f"if {reached} {{ 178 }} else {{ 0 }}", *before)


# What an honest student writes.
ANSWERS = {
    **mean(RIGHT),
    **softmax("x.softmax(-1, Kind::Float)"),
    **zeros("labels.eq(0).sum(Kind::Int64).int64_value(&[])"),
    "why": "The exponential of a large number overflows.",
}
# What each question is worth, in the order of the verdicts below.
POINTS = {"mean-test": 2, "softmax-test": 4, "zeros-test": 3, "why": 3}

MASTER = [
    cell("# Homework", "intro", new_markdown_cell, locked=True),
    cell(GIVEN, "given", locked=True),
    solution(ANSWERS["mean"]),
    graded(MEAN_TEST, "mean-test", POINTS["mean-test"]),
    solution(ANSWERS["softmax"], "softmax"),
    graded(SOFTMAX_TEST, "softmax-test", POINTS["softmax-test"]),
    solution(ANSWERS["zeros"], "zeros"),
    graded(ZEROS_TEST, "zeros-test", POINTS["zeros-test"]),
    answer(ANSWERS["why"], points=POINTS["why"]),
]

# The letters of verdicts, as the terminal has them.
LETTERS = {
    "P": "pass",
    "p": "partial",
    "F": "fail",
    "C": "compile-error",
    "T": "timeout",
    "X": "crash",
    "M": "memory",
    "O": "output",
    "-": "missing",
    "?": "manual",
}


@dataclass(frozen=True)
class Student:
    """What somebody hands in."""

    # Also the folder's name.
    name: str
    # A letter for each question; `*` where it is any that gives nothing, `.` where it may be any at all.
    verdicts: str
    # What is tried.
    why: str
    # What is written in place of the honest answers.
    cells: dict[str, str] = field(default_factory=dict)
    # A cell ahead of all others.
    first: str = ""
    # Changes the notebook.
    change: Callable[[dict], None] = lambda notebook: None
    # Makes the file of the notebook.
    write: Callable[[Path, dict], None] = lambda path, notebook: path.write_text(json.dumps(notebook))
    # Parts of what somebody is to look at.
    flags: tuple[str, ...] = ()
    # Points of a question with the verdict `p`.
    partial: float = 0
    # Part of why nothing could be run.
    problem: str = ""


def shell(command):
    """Runs a command from a function, and does not wait for it."""
    return f'std::process::Command::new("sh").args(["-c", r#"{command}"#]).spawn().unwrap()'


def edited(name, **changes):
    """Changes the cell of that `grade_id`."""

    def change(notebook):
        for one in notebook["cells"]:
            if one["metadata"].get("nbgrader", {}).get("grade_id") == name:
                one["metadata"]["nbgrader"].update(changes.get("nbgrader", {}))
                one["metadata"].update(changes.get("metadata", {}))
                one["source"] = changes.get("source", one["source"])

    return change


def without(*names):
    """Takes out the cells of these `grade_id`s."""

    def change(notebook):
        kept = [one for one in notebook["cells"] if one["metadata"].get("nbgrader", {}).get("grade_id") not in names]
        notebook["cells"] = kept

    return change


def twice(name, source):
    """The cell of that `grade_id` once more, with another text."""

    def change(notebook):
        [one] = [one for one in notebook["cells"] if one["metadata"].get("nbgrader", {}).get("grade_id") == name]
        notebook["cells"].append({**one, "source": source, "id": "again"})

    return change


def both(*changes):
    """Makes one change after the other."""

    def change(notebook):
        for one in changes:
            one(notebook)

    return change


def added(*cells):
    """Adds cells at the end."""
    return lambda notebook: notebook["cells"].extend(dict(one) for one in cells)


def written(content):
    """Hands in these bytes for a notebook."""
    return lambda path, notebook: path.write_bytes(content)


def beside(**links):
    """Puts links beside the notebook."""

    def write(path, notebook):
        path.write_text(json.dumps(notebook))
        for name, target in links.items():
            (path.parent / name).symlink_to(target)

    return write


def with_crate(path, notebook):
    """Puts a crate beside the notebook whose build script runs a program."""
    path.write_text(json.dumps(notebook))
    crate = path.parent / "evil"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "evil"\nversion = "0.1.0"\nedition = "2024"\n')
    (crate / "build.rs").write_text('fn main() { std::process::Command::new("sleep").arg("@MARK@").spawn().unwrap(); }')
    (crate / "src/lib.rs").write_text("")


def linked(path, notebook):
    """Hands in a link to the notebook of another."""
    path.symlink_to(path.parents[2] / "ada/hw/hw.ipynb")


