"""`oxtorch grade`: a class of honest and of hostile students gets what each has earned, and leaves nothing behind."""

import csv
import json
import os
import shutil
import socket
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from conftest import OXTORCH
from homework import ANSWERS, LETTERS, MASTER, POINTS, Student, mean
from hostile import CLASS
from nbformat.v4 import new_code_cell, new_notebook
from servers import missing_sandbox

SECRET = "a-secret-of-the-grader"
# What a page and a notebook of a student may take beside what was handed in: what is shown of a cell is bounded.
MOST = 24 << 20
LIMITS = "--cell-timeout 4 --timeout 20 --output-limit 1 --memory 640 --disk 64 --processes 96".split()
# A few who take no long time.
SMALL = ["ada", "bob", "dora", "own-close"]

pytestmark = pytest.mark.skipif(bool(missing_sandbox()), reason=missing_sandbox() or "all there")


def oxtorch(*arguments, **options):
    command = [OXTORCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL, **options)


def grade(folder, output, *options, **others):
    return oxtorch(*grade_command(folder, output), *options, **others)


def grade_command(folder, output):
    return ["grade", folder / "hw/master.ipynb", folder / "submitted", "-o", output, "-j", 2]


def make_master(folder):
    """A master, and what students get."""
    folder.mkdir(parents=True)
    notebook = new_notebook(cells=MASTER)
    notebook.metadata["kernelspec"] = {"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"}
    nbformat.write(notebook, folder / "master.ipynb")
    done = oxtorch("assignment", "release", folder / "master.ipynb", "-o", folder / "homework.ipynb")
    assert done.returncode == 0, done.stderr
    return folder / "master.ipynb"


def filled(student, master):
    """The notebook of a student."""
    notebook = json.loads((master.parent / "homework.ipynb").read_text())
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in ANSWERS:
            cell["source"] = student.cells.get(name, ANSWERS[name])
    if student.first:
        notebook["cells"].insert(0, new_code_cell(student.first))
    student.change(notebook)
    return notebook


def hand_in(student, master, submitted, texts=()):
    """Makes the folder of a student, with `texts` in the place of their names."""
    folder = submitted / student.name / "hw"
    folder.mkdir(parents=True)
    student.write(folder / "hw.ipynb", filled(student, master))
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20:
            content = path.read_bytes()
            for name, text in texts:
                content = content.replace(f"@{name}@".encode(), str(text).encode())
            path.write_bytes(content)
    return folder / "hw.ipynb"


def rows(output):
    with open(output / "grades.csv", newline="") as table:
        return list(csv.DictReader(table))


def results(output):
    """What was found of each student, and the folder that has it."""
    read = {path.parent: json.loads(path.read_text())["graded"] for path in output.glob("students/*/graded.json")}
    return {one["student"]: {**one, "folder": folder} for folder, one in read.items()}


def empty_groups():
    """Control groups of sessions that have ended; those of another grader have processes."""
    found = Path("/sys/fs/cgroup").glob("**/oxtorch-*")
    return {path for path in found if not ((path / "cgroup.procs").exists() and (path / "cgroup.procs").read_text())}


@dataclass
class Run:
    """What came of the class."""

    done: subprocess.CompletedProcess
    folder: Path
    results: dict
    # Whether somebody has connected to the listeners of the test.
    was_reached: bool
    # What was there at the end and not at the beginning.
    groups: set
    temporary: list
    processes: list
    changed: list


def listeners(name):
    """What waits for a notebook that reaches the network: a port, and a socket without a file."""
    port = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0{name}")
    abstract.listen()
    for one in (port, abstract):
        one.setblocking(False)
    return port, abstract


def was_reached(listener):
    try:
        listener.accept()
    except BlockingIOError:
        return False
    return True


def files_of_home():
    home = Path(os.environ.get("OXTORCH_HOME", Path.home() / ".oxtorch"))
    return home, {path for path in home.glob("*")} | {path for path in home.glob("*/*")}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The whole class, graded once."""
    folder = tmp_path_factory.mktemp("class")
    temporary = folder / "tmp"
    temporary.mkdir()
    mark = f"8{os.getpid()}"
    master = make_master(folder / "hw")
    sockets = listeners(mark)
    home, home_before = files_of_home()
    texts = {
        "PORT": sockets[0].getsockname()[1],
        "MARK": mark,
        "HOME": home,
        "MASTER": master,
        "SECRET": SECRET,
        "SUBMITTED": folder / "submitted",
    }
    for student in CLASS:
        hand_in(student, master, folder / "submitted", texts.items())
    before = empty_groups()
    environment = {**os.environ, "TMPDIR": str(temporary), "A_SECRET": SECRET}
    done = grade(folder, folder / "out", *LIMITS, env=environment)
    assert done.returncode == 0, done.stderr
    left = [process for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])]
    return Run(
        done,
        folder,
        results(folder / "out"),
        any(was_reached(one) for one in sockets),
        empty_groups() - before,
        list(temporary.iterdir()),
        left,
        [path for path in files_of_home()[1] - home_before if mark in path.name],
    )


@pytest.mark.parametrize("student", CLASS, ids=lambda student: ascii(student.name))
def test_a_student_gets_what_was_earned(run, student):
    found = run.results[student.name]
    verdicts = [question["verdict"] for question in found["questions"]]
    for question, letter in zip(found["questions"], student.verdicts, strict=True):
        assert is_expected(question["verdict"], letter), verdicts
        worth = POINTS[question["id"]]
        points = {"P": worth, "p": student.partial}.get(letter, 0)
        assert question["of"] == worth
        assert question["points"] == points or letter == ".", question
    flags = [flag["what"] for flag in found["flags"]]
    for flag in student.flags:
        assert any(flag in other for other in flags), flags
    assert student.problem in (found["problem"] or "")
    assert bool(student.problem) == bool(found["problem"]), found["problem"]


def is_expected(verdict, letter):
    if letter == "*":
        return verdict not in ("pass", "partial")
    return letter == "." or verdict == LETTERS[letter]


def test_nobody_is_left_out_and_each_is_a_line(run):
    assert sorted(run.results) == sorted(student.name for student in CLASS)
    assert len(rows(run.folder / "out")) == len(CLASS)
    *lines, _ = run.done.stdout.splitlines()
    assert len(lines) == len(CLASS)
    assert not any(ord(c) < 32 or c == "\u202e" for line in lines for c in line)


def test_nothing_is_left(run):
    left = [run.processes, run.groups, run.temporary, run.changed]
    assert not any(left), left
    assert [path.name for path in (run.folder / "out").glob(".*")] == []


def test_nobody_reaches_the_network(run):
    assert not run.was_reached


def test_what_is_kept_of_a_student_is_bounded(run):
    for name, found in run.results.items():
        handed_in = (run.folder / "submitted" / name / "hw/hw.ipynb").stat().st_size
        for path in found["folder"].iterdir():
            assert path.stat().st_size < MOST + (0 if path.suffix == ".html" else handed_in), path


def test_no_text_of_a_student_is_html_and_none_of_a_hidden_test_is_shown(run):
    for path in [*run.folder.glob("out/*.html"), *run.folder.glob("out/students/*/feedback.html")]:
        page = path.read_text()
        assert not any(text in page for text in ["<script", "<img src=x", "\x1b", "\x07", "\u202e"]), path
        assert "mean(&[4.0])" not in page, path


def test_no_name_is_a_formula(run):
    names = [row["student"] for row in rows(run.folder / "out")]
    assert "'=1+1" in names and "'-rf" in names


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small class that was graded in peace: the folder with its master, submissions and results."""
    folder = tmp_path_factory.mktemp("small")
    master = make_master(folder / "hw")
    for student in CLASS:
        if student.name in SMALL:
            hand_in(student, master, folder / "submitted")
    done = grade(folder, folder / "out")
    assert done.returncode == 0, done.stderr
    return folder


def marks(output):
    """What was found of each student, without times."""
    found = results(output)
    for one in found.values():
        del one["seconds"], one["folder"]
        for question in one["questions"]:
            del question["seconds"]
    return found


def test_a_class_graded_twice_gets_the_same_marks(small, tmp_path):
    done = grade(small, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert marks(tmp_path / "out") == marks(small / "out")
    assert (tmp_path / "out/grades.csv").read_bytes() == (small / "out/grades.csv").read_bytes()


@pytest.fixture(scope="module")
def resumed(small, tmp_path_factory):
    """Results of a grader that was killed, and of another that went on: with what the first had left."""
    output = tmp_path_factory.mktemp("resumed") / "out"
    command = [OXTORCH, *map(str, grade_command(small, output))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as killed:
        line = killed.stdout.readline()
        killed.kill()
    left = times(output)
    student = line.split(" s  ")[1].split()[0]
    assert student in [path.parent.name for path in left]
    assert len(left) < len(SMALL) and not (output / "grades.csv").exists()
    done = grade(small, output, "--resume")
    assert done.returncode == 0, done.stderr
    return output, left


def times(output):
    """When what was found of each student was written."""
    return {path: path.stat().st_mtime_ns for path in output.glob("students/*/graded.json")}


def test_a_grader_that_was_killed_goes_on_where_it_was(small, resumed):
    output, left = resumed
    now = times(output)
    assert {path: now[path] for path in left} == left
    assert (output / "grades.csv").read_bytes() == (small / "out/grades.csv").read_bytes()
    assert marks(output) == marks(small / "out")


def test_nothing_of_a_killed_grader_is_left(resumed):
    output, _ = resumed
    assert [path.name for path in output.glob(".*")] == []


def test_one_student_alone(small, tmp_path):
    done = grade(small, tmp_path / "out", "--only", "dora")
    assert done.returncode == 0, done.stderr
    [row] = rows(tmp_path / "out")
    assert (row["student"], row["total"]) == ("dora", "7.5")
    nobody = grade(small, tmp_path / "out", "--only", "nobody")
    assert nobody.returncode == 1 and "none of these students has handed in anything" in nobody.stderr


def test_points_by_hand_arrive_in_the_table_and_on_the_page(small, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(small / "out", output)
    sheet = tmp_path / "filled.csv"
    waiting = (output / "manual.csv").read_text(encoding="utf-8-sig")
    assert "ada,why,,," in waiting
    sheet.write_text(waiting.replace("ada,why,,,", "ada,why,2.5,Say <b>which</b> one.,"))
    done = oxtorch("grade", "-o", output, "--manual", sheet)
    assert done.returncode == 0 and "took the points of 1 answer" in done.stdout, done.stderr
    row = {row["student"]: row for row in rows(output)}["ada"]
    assert (row["why"], row["total"], row["waiting"]) == ("2.5", "11.5", "0")
    assert "Say &lt;b&gt;which&lt;/b&gt; one." in (output / "students/ada/feedback.html").read_text()
    before = (output / "grades.csv").read_bytes()
    sheet.write_text("student,question,points,comment\nbob,why,1,\nbob,why,4,\neve,why,1,\n")
    wrong = oxtorch("grade", "-o", output, "--manual", sheet)
    assert wrong.returncode == 1
    assert "line 3: `4` is no number of points from 0 to 3" in wrong.stderr
    assert "line 4: nobody is called `eve`" in wrong.stderr
    assert (output / "grades.csv").read_bytes() == before


def test_points_by_hand_for_what_came_in_another_way_stay_when_the_class_is_graded_anew(small, tmp_path):
    folder, output = tmp_path / "class", tmp_path / "out"
    [ada] = (small / "submitted/ada").rglob("*.ipynb")
    broken = folder / "submitted/broken" / ada.relative_to(small / "submitted/ada")
    broken.parent.mkdir(parents=True)
    broken.write_text("no JSON")
    shutil.copytree(small / "hw", folder / "hw")
    assert grade(folder, output).returncode == 0
    sheet = tmp_path / "filled.csv"
    sheet.write_text("student,question,points,comment\nbroken,why,2,by mail\n")
    done = oxtorch("grade", "-o", output, "--manual", sheet)
    assert done.returncode == 0, done.stderr
    for options in ([], ["--resume"], ["--only", "broken"]):
        assert grade(folder, output, *options).returncode == 0
        [row] = rows(output)
        assert (row["student"], row["why"], row["total"]) == ("broken", "2", "2"), options


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Rows of the table of a class that has handed in by a folder of nbgrader's, by files, and by an archive."""
    folder = tmp_path_factory.mktemp("places")
    master = make_master(folder / "hw")
    right, wrong = (json.dumps(filled(Student("", "", "", cells), master)) for cells in ({}, mean("0.0")))
    for name, time in [("in-time", "2026-11-30 23:58:59.500000 UTC"), ("late", "2026-12-02 12:00:00 UTC")]:
        path = hand_in(Student(name, "", ""), master, folder / "submitted")
        (path.parent / "timestamp.txt").write_text(time)
    files = folder / "files"
    files.mkdir()
    for name, text, time in [("eva_2_hw", right, 2000), ("eva_1_hw", wrong, 3000), ("max_1_hw", right, 1000)]:
        (files / f"{name}.ipynb").write_text(text)
        os.utime(files / f"{name}.ipynb", (time, time))
    with zipfile.ZipFile(folder / "moodle.zip", "w") as archive:
        archive.writestr("Ada Lovelace_17_assignsubmission_file/hw.ipynb", right)
        archive.writestr("Charles Babbage_18_assignsubmission_file/hw.ipynb", wrong)
        for name in ["../evil.txt", "/tmp/evil-by-archive.txt", "a/../../evil.txt"]:
            archive.writestr(name, "evil")
    options = ["--name", "{student}_*", "--deadline", "2026-11-30T23:59Z"]
    temporary = folder / "tmp/deep"
    temporary.mkdir(parents=True)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = grade(folder, folder / "out", folder / "files", folder / "moodle.zip", *options, env=environment)
    assert done.returncode == 0, done.stderr
    assert [*folder.rglob("evil*"), *Path("/tmp").glob("evil-by-archive*"), *temporary.iterdir()] == []
    return {row["student"]: row for row in rows(folder / "out")}


def test_late_work_loses_its_share_by_the_time_in_timestamp_txt(places):
    found = [(places[name]["total"], places[name]["factor"], places[name]["mark"]) for name in ("in-time", "late")]
    assert found == [("9", "1", "9"), ("9", "0.7", "6.3")]


def copied(small, tmp_path):
    """The same class, to be changed."""
    for part in ("hw", "submitted"):
        shutil.copytree(small / part, tmp_path / "class" / part)
    return tmp_path / "class"


def test_a_time_that_was_put_right_is_no_longer_to_be_looked_at(small, tmp_path):
    folder, out = copied(small, tmp_path), tmp_path / "out"
    timestamp = folder / "submitted/ada/hw/timestamp.txt"
    for text, is_flagged in [("at noon", True), ("2026-12-01 12:00:00 UTC", False), ("at noon", True)]:
        timestamp.write_text(text)
        done = grade(folder, out, "--resume", "--only", "ada")
        assert done.returncode == 0, done.stderr
        flags = [flag["what"] for flag in results(out)["ada"]["flags"]]
        assert [("timestamp.txt cannot be read" in flag) for flag in flags] == [True] * is_flagged, flags
        assert ("timestamp.txt cannot be read" in (out / "report.html").read_text()) == is_flagged


def test_a_run_that_goes_on_keeps_the_deadline_and_with_other_rules_all_marks_are_others(small, tmp_path):
    folder, out = copied(small, tmp_path), tmp_path / "out"
    for student in (folder / "submitted").iterdir():
        (student / "hw/timestamp.txt").write_text("2026-12-01 12:00:00 UTC")

    def factors(*options):
        done = grade(folder, out, *options)
        assert done.returncode == 0, done.stderr
        found = {row["student"]: row["factor"] for row in rows(out)}
        for student in found:
            told = json.loads((out / "students" / student / "results.json").read_text())["output"]
            assert ("× 0.9 " in told, "× 0.25 " in told) == (found[student] == "0.9", found[student] == "0.25"), told
        return set(found.values()), done.stderr

    deadline = ["--deadline", "2026-11-30T23:59Z"]
    command = [OXTORCH, *map(str, grade_command(folder, out)), *deadline]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as killed:
        assert killed.stdout.readline()
        killed.kill()
    for goes_on in [("--resume",), ("--only", "ada")]:
        found, said = factors(*goes_on)
        assert found == {"0.9"}
        assert "late is what came after 2026-11-30 23:59" in said
    (tmp_path / "rules.toml").write_text('deadline = "2026-11-30T23:59Z"\nlate = [{ factor = 0.25 }]\n')
    for goes_on in [("--resume",), ("--only", "ada")]:
        assert factors(*goes_on, "--rules", tmp_path / "rules.toml")[0] == {"0.25"}
        assert factors(*goes_on)[0] == {"0.25"}
        assert factors(*goes_on, "--deadline", "2026-12-01T23:59Z")[0] == {"1"}


def test_of_several_files_of_a_student_the_last_counts(places):
    assert (places["eva"]["total"], places["max"]["total"]) == ("7", "9")


def test_an_archive_of_a_class_is_unpacked_and_names_are_taken_from_its_folders(places):
    assert places["Ada Lovelace"]["total"] == "9"
    assert places["Charles Babbage"]["total"] == "7"


def test_without_a_sandbox_it_says_so(small, tmp_path):
    done = grade(small, tmp_path / "out", "--sandbox", "none", "--only", "ada")
    assert done.returncode == 0, done.stderr
    assert "warning: without a sandbox each notebook can read, change and send whatever you can" in done.stderr
    assert [row["total"] for row in rows(tmp_path / "out")] == ["9"]


def test_without_bubblewrap_it_says_what_to_do(small, tmp_path):
    done = grade(small, tmp_path / "out", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "there is no `bwrap` in PATH" in done.stderr and "install it" in done.stderr
    assert not (tmp_path / "out").exists()
