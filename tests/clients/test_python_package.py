"""The Python package as a user meets it: a wheel installed in a new environment, with a home directory that is empty.

What a machine with Rust has besides (rustup's toolchain, cargo's registry) is there, and Oxtorch's set-up, which would
take minutes to make anew.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbclient
import nbformat
import psutil
import pytest
from conftest import OXTORCH, PATIENCE, REPOSITORY, Kernel
from nbformat.v4 import new_code_cell, new_notebook

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# What a Python notebook and papermill need besides the wheel; Colab and Kaggle have them.
BESIDE = ["ipykernel", "papermill"]
# Set where the tests run, and not in a user's new environment.
OURS = re.compile("JUPYTER|IPYTHON|PYTHON|VIRTUAL_ENV|XDG_|OXTORCH")


@dataclass
class Machine:
    """A user's machine: a Python environment with the wheel, and a home directory."""

    python: Path
    home: Path
    wheel: Path
    environment: dict

    @property
    def program(self):
        return self.python.with_name("oxtorch")

    def run(self, *command, **options):
        done = subprocess.run(
            list(map(str, command)), env=self.environment, capture_output=True, text=True, timeout=200, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


def oxtorch_home():
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return os.environ.get("OXTORCH_HOME") or str(Path(data) / "oxtorch")


def build_wheel(folder):
    """Builds the wheel as pip does, from what cargo has built for the tests already."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    target = Path(OXTORCH).resolve().parents[1]
    environment["CARGO_TARGET_DIR"] = str(target)
    arguments = ["--no-build-isolation", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(REPOSITORY)]
    # maturin moves the program out of cargo's folder, and the tests after these want it there.
    built, kept = target / "release/oxtorch", folder / "oxtorch"
    shutil.copy2(built, kept)
    try:
        subprocess.run([sys.executable, "-m", "pip", "wheel", *arguments], env=environment, check=True)
    finally:
        restored = built.with_name("oxtorch.restored")
        shutil.copy2(kept, restored)
        restored.replace(built)
    (wheel,) = folder.glob("oxtorch-*.whl")
    return wheel


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    wheel = build_wheel(folder)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv/bin/python"
    home = folder / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    environment |= {
        "HOME": str(home),
        "PATH": f"{python.parent}{os.pathsep}{environment['PATH']}",
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        "CARGO_HOME": os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")),
        "OXTORCH_HOME": oxtorch_home(),
    }
    machine = Machine(python, home, wheel, environment)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    machine.run(python, *install, "-c", REQUIREMENTS, wheel, *BESIDE)
    return machine


@pytest.fixture(scope="module")
def python_kernel(machine):
    """The name of a kernelspec for the machine's Python."""
    folder = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels/new-python"
    folder.mkdir(parents=True)
    spec = {
        "argv": [str(machine.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python",
        "language": "python",
        "env": machine.environment,
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder.name


@pytest.fixture
def notebook(python_kernel):
    """A Python notebook with the extension, that a test runs cell by cell."""
    kernel = Kernel(python_kernel)
    assert kernel.run("%load_ext oxtorch").ok
    yield kernel
    kernel.stop()


def execute(python_kernel, *cells, **options):
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in ["%load_ext oxtorch", *cells]])
    return nbclient.NotebookClient(notebook, kernel_name=python_kernel, timeout=PATIENCE, **options)


def text(output):
    return output.text if output.output_type == "stream" else output.data["text/plain"]


def rust_kernel(notebook):
    """The process of the Rust kernel that a Python notebook has started."""
    (kernel,) = psutil.Process(notebook.manager.provisioner.pid).children()
    assert kernel.name() == "oxtorch"
    return kernel


def end(process):
    """Kills a process, and waits until it is dead, be it a zombie."""
    watched = os.pidfd_open(process.pid)
    process.kill()
    dead, _, _ = select.select([watched], [], [], PATIENCE)
    os.close(watched)
    assert dead


def test_the_wheel_brings_a_program_that_registers_itself_for_the_user(machine):
    assert machine.run(machine.program, "--version", cwd="/").stdout.startswith("oxtorch ")
    machine.run(machine.program, "install", cwd="/")
    spec = json.loads((machine.home / ".local/share/jupyter/kernels/oxtorch/kernel.json").read_text())
    assert spec["argv"][0] == str(machine.program)
    found = machine.run(machine.python, "-c", "import oxtorch; print(oxtorch.find_program())").stdout
    assert found.strip() == str(machine.program.resolve())


def test_the_program_of_the_wheel_executes_a_notebook_from_anywhere(machine, tmp_path):
    notebook = new_notebook(cells=[new_code_cell("Tensor::from_slice(&[1i64, 2]).sum(Kind::Int64).int64_value(&[])")])
    notebook.metadata["kernelspec"] = {"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"}
    nbformat.write(notebook, tmp_path / "sum.ipynb")
    machine.run(machine.program, "run", "sum.ipynb", cwd=tmp_path)
    assert text(nbformat.read(tmp_path / "sum.ipynb", as_version=4).cells[0].outputs[0]) == "3"


def test_rust_cells_share_state_with_each_other_and_show_text_and_pictures(python_kernel):
    executed = execute(
        python_kernel,
        '%%rust\nlet numbers = vec![1, 2, 3];\nprintln!("to stdout");\neprintln!("to stderr");\nnumbers.len()',
        '%rust println!("{numbers:?}");',
        "%%rust\ndisplay(&image(&digits().images.narrow(0, 0, 4))?);\nTensor::from_slice(&[1.5f32])",
        "value = %rust numbers.len() * 2\nprint(value)",
        '%%rust\nprintln!("gone");\nclear_output(false);\nprintln!("left");',
        "%%rust\n%%time\nnumbers.len()",
        "%%rust\n:vars",
    ).execute()
    first, line, picture, value, cleared, timed, listed = [cell.outputs for cell in executed.cells[1:]]
    shown = [(output.output_type, output.get("name"), text(output)) for output in first]
    assert sorted(shown[:2]) == [("stream", "stderr", "to stderr\n"), ("stream", "stdout", "to stdout\n")]
    assert shown[2:] == [("execute_result", None, "3")]
    assert first[-1].execution_count == executed.cells[1].execution_count
    assert [text(output) for output in line] == ["[1, 2, 3]\n"]
    assert picture[0].output_type == "display_data" and len(picture[0].data["image/png"]) > 100
    assert "1.5" in text(picture[1])
    assert [text(output) for output in value] == ["6\n"]
    assert [text(output) for output in cleared] == ["left\n"]
    assert "Wall time" in "".join(map(text, timed)) and "numbers" in "".join(map(text, listed))


def test_displays_change_in_place_and_are_cleared(notebook):
    """Messages as the Rust kernel sends them, shown one after the other."""
    transient = {"transient": {"display_id": "bar"}, "metadata": {"text/plain": {"bold": True}}}
    messages = [
        {"msg_type": "display_data", "content": {"data": {"text/plain": "0 %"}, **transient}},
        {"msg_type": "update_display_data", "content": {"data": {"text/plain": "100 %"}, **transient}},
        {"msg_type": "clear_output", "content": {"wait": True}},
    ]
    cell = notebook.run(
        f"from oxtorch.front import NotebookFront\nfor message in {messages}:\n"
        "    NotebookFront(get_ipython()).show(message)"
    )
    for message in messages[:2]:
        assert cell.of(message["msg_type"]) == [message["content"]]
    assert cell.of("clear_output") == [{"wait": True}]


def test_output_comes_while_the_cell_runs(notebook, tmp_path):
    go_on = tmp_path / "go-on"
    seen = []

    def watch(message):
        if message["msg_type"] == "stream":
            seen.append(message["content"]["text"])
            # The cell ends only if its first line is here before its end.
            go_on.touch()

    wait = f'while !std::path::Path::new("{go_on}").exists() {{ std::thread::yield_now(); }}'
    cell = notebook.run(f'%%rust\nprint!("waiting");\n{wait}\nprintln!(", done");', watch)
    assert cell.ok
    assert seen[0] == "waiting" and "".join(seen) == "waiting, done\n"


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        ('let x: i32 = "text";', "CompileError", ["mismatched types", "cell [2]:3:14"]),
        (
            "Tensor::zeros([2], (Kind::Float, Device::Cpu)).matmul(&Tensor::zeros([3], (Kind::Float, Device::Cpu)));",
            "Panic",
            ["cell [2]:3:"],
        ),
        ("std::process::exit(3);", "HostDied", []),
    ],
)
def test_a_rust_cell_that_fails_fails_the_notebook(python_kernel, code, name, words):
    client = execute(python_kernel, f"%%rust\n\n{code}", "print('never')")
    with pytest.raises(nbclient.exceptions.CellExecutionError):
        client.execute()
    _, failed, never = client.nb.cells
    (error,) = [output for output in failed.outputs if output.output_type == "error"]
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    assert error.ename == name
    assert "Traceback" not in traceback and "oxtorch/" not in traceback
    for word in words:
        assert word in traceback
    assert never.outputs == []


def test_python_can_catch_what_a_rust_cell_raises(notebook):
    code = (
        "import oxtorch\n"
        "try:\n    get_ipython().run_cell_magic('rust', '', 'panic!(\"oh\")')\n"
        "except oxtorch.RustError as error:\n    print(error.ename, '|', error)"
    )
    assert notebook.run(code).stdout == "Panic | oh\n"


BUSY = '%%rust\nlet mut made = 1;\nprintln!("begun");\nloop { std::hint::black_box(0); }'


def interrupt_when(notebook, word):
    def watch(message):
        if message["msg_type"] == "stream" and word in message["content"]["text"]:
            notebook.manager.interrupt_kernel()

    return watch


def test_the_stop_button_interrupts_the_rust_cell_and_keeps_variables(notebook):
    assert notebook.run("%rust let mut kept = vec![1];").ok
    stopped = notebook.run(BUSY, interrupt_when(notebook, "begun"))
    assert stopped.reply["ename"] == "KeyboardInterrupt"
    assert stopped.of("error")[0]["ename"] == "KeyboardInterrupt"
    assert notebook.run("%%rust\nkept.push(2);\nmade += 1;\n(kept, made)").result == "([1, 2], 2)"
    # And Python is interrupted as ever.
    python = notebook.run("import time\nprint('begun')\ntime.sleep(100)", interrupt_when(notebook, "begun"))
    assert python.reply["ename"] == "KeyboardInterrupt"


def test_a_cell_that_takes_too_long_is_interrupted(notebook):
    cell = notebook.run(BUSY.replace("%%rust", "%%rust --timeout 1.5"))
    assert (cell.stdout, cell.reply["ename"]) == ("begun\n", "CellTimeout")
    assert "1.5 s" in cell.reply["evalue"]
    assert notebook.run("%rust made").result == "1"


def asked(notebook, code):
    """Sends a cell and waits for its question."""
    message_id = notebook.send(code, allow_stdin=True)
    return message_id, notebook.client.get_stdin_msg(timeout=PATIENCE)["content"]


def test_a_rust_cell_asks_by_way_of_python(notebook):
    code = '%%rust\nlet name = input("Who? ")?;\nlet secret = password("Secret? ")?;\n(name, secret)'
    message_id, question = asked(notebook, code)
    assert (question["prompt"], question["password"]) == ("Who? ", False)
    notebook.client.input("Ada")
    question = notebook.client.get_stdin_msg(timeout=PATIENCE)["content"]
    assert (question["prompt"], question["password"]) == ("Secret? ", True)
    notebook.client.input("blue")
    assert notebook.finish(message_id).result == '("Ada", "blue")'


def test_a_question_can_be_interrupted(notebook):
    message_id, _ = asked(notebook, '%%rust\nlet name = input("Who? ")?;')
    notebook.manager.interrupt_kernel()
    assert notebook.finish(message_id).reply["ename"] == "KeyboardInterrupt"
    assert notebook.run("%rust 1 + 1").result == "2"


def test_a_question_in_a_run_without_a_user_is_an_error(notebook):
    cell = notebook.run('%%rust\ninput("Who? ")?', allow_stdin=False)
    assert "cannot ask for input" in cell.reply["evalue"]


def test_a_kernel_that_dies_is_said_clearly_and_the_next_cell_has_a_new_one(notebook):
    assert notebook.run("%rust let x = 1;").ok
    first = rust_kernel(notebook)

    def kill(message):
        if message["msg_type"] == "stream":
            first.kill()

    died = notebook.run(BUSY, kill)
    assert died.reply["ename"] == "KernelDied"
    assert "killed by SIGKILL" in died.reply["evalue"] and "next Rust cell" in died.reply["evalue"]
    second = notebook.run("%rust 1 + 1")
    assert second.result == "2"
    assert "new one" in second.stream("stderr") and "SIGKILL" in second.stream("stderr")
    assert notebook.run("%rust x").reply["ename"] == "CompileError"
    # The same where it dies between two cells.
    end(rust_kernel(notebook))
    third = notebook.run("%rust 2 + 2")
    assert (third.result, "new one" in third.stream("stderr")) == ("4", True)
    assert notebook.run("%rust 3 + 3").stream("stderr") == ""


def test_a_restart_forgets_everything(notebook):
    assert notebook.run("%rust let x = 1;").ok
    assert notebook.run("%%rust --restart\nlet y = 2;").ok
    assert notebook.run("%rust x").reply["ename"] == "CompileError"
    assert notebook.run("%rust y").result == "2"
    assert notebook.run("%rust --restart").ok
    assert notebook.run("%rust y").reply["ename"] == "CompileError"


@pytest.mark.parametrize(
    "line", ["%%rust --nope\n1", "%%rust let x = 1;\n1", "%rust --timeout soon 1", "%rust --timeout"]
)
def test_wrong_options_say_which_there_are(notebook, line):
    cell = notebook.run(line)
    assert cell.reply["status"] == "error"
    assert "--restart" in cell.stream("stderr") and "--timeout SECONDS" in cell.stream("stderr")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_rust_kernel_ends_with_the_python_process(notebook, number):
    assert notebook.run("%rust 1").ok
    family = [kernel := rust_kernel(notebook), *kernel.children(recursive=True)]
    assert len(family) >= 2
    os.kill(notebook.manager.provisioner.pid, number)
    _, left = psutil.wait_procs(family, timeout=30)
    assert left == []


def test_unloading_the_extension_ends_the_kernel(notebook):
    assert notebook.run("%rust 1").ok
    kernel = rust_kernel(notebook)
    assert notebook.run("%unload_ext oxtorch").ok
    assert not kernel.is_running()
    assert "not found" in notebook.run("%rust 1").stream("stderr")


def test_the_package_is_typed():
    package = REPOSITORY / "python/oxtorch"
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        os.devnull,
        "--config-file",
        str(REPOSITORY / "pyproject.toml"),
    ]
    done = subprocess.run([*mypy, str(package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_brings_what_nbgrader_needs(machine):
    names = ["nbgrader_config.py", "nbgrader_late.py"]
    code = f"from importlib.resources import files\nprint([(files('oxtorch') / name).is_file() for name in {names}])"
    assert machine.run(machine.python, "-c", code).stdout == "[True, True]\n"


def test_a_terminal_shows_the_same(machine):
    """IPython without Jupyter."""
    code = "%load_ext oxtorch\n%rust 6 * 7\nget_ipython().run_cell_magic('rust', '', 'println!(\"printed\");')\n"
    done = machine.run(machine.python, "-m", "IPython", "--simple-prompt", "--no-banner", input=code)
    assert "42" in done.stdout and "printed" in done.stdout


def test_papermill_sets_parameters_of_every_kind(machine, tmp_path):
    parameters = {
        "epochs": 3,
        "negative": -(2**63),
        "large": 2**64 - 1,
        "larger": -(2**127),
        "largest": 2**128 - 1,
        "rate": 1e-3,
        "tiny": 5e-324,
        "whole": 2.0,
        "infinite": float("-inf"),
        "unknown": float("nan"),
        "shuffle": True,
        "quiet": False,
        "nothing": None,
        "name": 'a "quoted" \\ name\n\twith {braces}, \u4e2d\u6587 and \u202e',
        "type": "keyword",
        "sizes": [64, 32],
        "mixed": [1, 2.5],
        "gaps": [1, None],
        "empty": [],
        "grid": [[1, 2], [3.5]],
        "weights": {"a": 0.5, "b": 2},
        "none_of_it": {},
    }
    expected = [
        ("epochs", "3i64"),
        ("negative", "i64::MIN"),
        ("large", "u64::MAX"),
        ("larger", "i128::MIN"),
        ("largest", "u128::MAX"),
        ("rate", "0.001"),
        ("tiny", "f64::from_bits(1)"),
        ("whole", "2f64"),
        ("infinite", "f64::NEG_INFINITY"),
        ("unknown.is_nan()", "true"),
        ("shuffle", "true"),
        ("quiet", "false"),
        ("nothing", "None::<()>"),
        ("name", '"a \\"quoted\\" \\\\ name\\n\\twith {braces}, \u4e2d\u6587 and \\u{202e}"'),
        ("r#type", '"keyword"'),
        ("sizes", "vec![64i64, 32]"),
        ("mixed", "vec![1f64, 2.5]"),
        ("gaps", "vec![Some(1i64), None]"),
        ("empty.len()", "0"),
        ("grid", "vec![vec![1f64, 2.0], vec![3.5]]"),
        ("weights", 'std::collections::HashMap::from([("a", 0.5), ("b", 2.0)])'),
        ("none_of_it.len()", "0"),
    ]
    notebook = new_notebook(
        cells=[
            new_code_cell(
                'let epochs: i64 = 1; // how often\nlet name = "default";', metadata={"tags": ["parameters"]}
            ),
            new_code_cell("\n".join(f"assert_eq!({found}, {wanted});" for found, wanted in expected)),
            new_code_cell('println!("{epochs} epochs");'),
        ]
    )
    notebook.metadata["kernelspec"] = {"name": "oxtorch", "display_name": "Rust (Oxtorch)", "language": "rust"}
    notebook.metadata["language_info"] = {"name": "rust"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    # JSON is YAML, but for the numbers that it has no words for.
    yaml = json.dumps(parameters).replace("-Infinity", "-.inf").replace("NaN", ".nan").replace("5e-324", "5.0e-324")
    (tmp_path / "parameters.yaml").write_text(yaml)
    machine.run(machine.program, "install")
    papermill = [machine.python, "-m", "papermill"]
    machine.run(*papermill, "in.ipynb", "out.ipynb", "-f", "parameters.yaml", cwd=tmp_path)
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert executed.cells[1].metadata["tags"] == ["injected-parameters"]
    assert text(executed.cells[3].outputs[0]) == "3 epochs\n"
    told = machine.run(*papermill, "--help-notebook", "in.ipynb", cwd=tmp_path).stdout
    assert re.search(r"epochs: i64 \(default 1\)\s+how often", told) and "name" in told


@pytest.mark.parametrize(
    ("value", "why"),
    [([1, "a"], "different types"), (2**128, "128 bits"), ({1: 2}, "not text"), ("\ud800", "surrogate")],
)
def test_a_parameter_without_a_counterpart_is_an_error_that_names_it(machine, value, why):
    code = (
        "from papermill.exceptions import PapermillException\n"
        "from papermill.translators import translate_parameters\n"
        f"try:\n    translate_parameters('oxtorch', 'rust', {{'odd': {value!r}}}, 'Parameters')\n"
        "except PapermillException as error:\n    print(error)"
    )
    for first in ["papermill", "oxtorch.papermill"]:
        told = machine.run(machine.python, "-c", f"import {first}\n{code}").stdout
        assert "`odd`" in told and why in told
