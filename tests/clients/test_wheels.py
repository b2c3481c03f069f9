"""The two wheels on a machine that has Python and nothing else: no compiler, no Rust, no git.

Only the search path, the home directory and the variables are such a machine's; what is built comes from the tests'
own home.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
import pytest
from conftest import OXTORCH, PATIENCE, REPOSITORY
from servers import HUB, SLURM, Hub, Slurm, everybodys_python, missing, users, wait
from test_notebooks import read, text_of, write
from test_python_package import REQUIREMENTS, Machine, build_wheel, oxtorch_home

# What a service for notebooks has, and each of ours the folder that it takes the wheels from.
BESIDE = ["ipykernel"]
SERVICES = {"kaggle": "/kaggle/input/oxtorch", "colab": "/content/oxtorch"}

# What a system without any tools has. `ldd` is a part of the C library's own package.
BARE = ["cat", "env", "dirname", "ldd", "sh", "uname"]


def outputs(machine, path, *arguments):
    """The notebook after a run, in which every cell has to succeed."""
    machine.run(machine.program, "run", path, *arguments)
    return read(arguments[-1] if arguments else path)


@pytest.fixture(scope="module")
def machine():
    # Not in pytest's folder: an installation for all has to be where others may go.
    folder = Path(tempfile.mkdtemp(prefix="oxtorch-wheels-"))
    folder.chmod(0o755)
    wheels = folder / "wheels"
    wheels.mkdir()
    plain = build_wheel(wheels)
    # In the folder where the wheels go, as one types it.
    builder = [sys.executable, REPOSITORY / "python/wheels/build.py", "both", "--plain", plain]
    subprocess.run(builder, cwd=folder, env={**os.environ, "OXTORCH_HOME": oxtorch_home()}, check=True)
    subprocess.run([everybodys_python(), "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", REQUIREMENTS, *BESIDE], check=True)
    (folder / "bin").mkdir()
    for tool in BARE:
        (folder / "bin" / tool).symlink_to(shutil.which(tool))
    home = folder / "home"
    home.mkdir()
    (library,) = Path(oxtorch_home()).glob("libtorch/*-cpu/*/lib/libtorch_cpu.so")
    environment = {
        "HOME": str(home),
        "PATH": f"{folder}/venv/bin:{folder}/bin",
        "LIBTORCH": str(library.parents[1]),
        "OXTORCH_DEVICE": "cpu",
        "LANG": "C.UTF-8",
    }
    machine = Machine(folder / "venv/bin/python", home, folder / "both", environment)
    # As the services' notebooks install it: without an index.
    machine.run(*pip, "--no-index", "--find-links", machine.wheel, "oxtorch")
    yield machine
    # It is large, and pytest keeps what is left.
    shutil.rmtree(folder)


def test_a_first_start_builds_nothing_and_the_results_are_those_of_a_runtime_that_was_built_here(machine, tmp_path):
    notebook = REPOSITORY / "notebooks/quickstart.ipynb"
    ours, theirs = tmp_path / "ours.ipynb", tmp_path / "theirs.ipynb"
    shown = text_of(outputs(machine, notebook, "-o", ours))
    home = machine.home / ".local/share/oxtorch"
    assert not [name for name in ("build", "runtime", "shim", "libtorch") if (home / name).exists()]
    subprocess.run([OXTORCH, "run", notebook, "-o", theirs], check=True, capture_output=True)
    accuracy = [line for line in text_of(read(theirs)).splitlines() if line.startswith("accuracy on the held-back")]
    assert accuracy
    (licenses,) = machine.python.parents[1].glob("lib/python*/site-packages/oxtorch-*/licenses/THIRD-PARTY.txt")
    assert "\ntch 0.26.0: MIT/Apache-2.0\n" in licenses.read_text()
    assert accuracy[0] in shown.splitlines()
    doctor = machine.run(machine.program, "doctor")
    assert "oxtorch_rust/toolchain/bin/rustc" in doctor.stdout
    assert "C++ compiler" not in doctor.stdout
    assert f'"Rust (Oxtorch)" in {machine.python.parents[1]}/share/jupyter/kernels/oxtorch' in doctor.stdout


def test_cells_call_the_mathematics_end_threads_and_see_the_users_own_library_path(machine, tmp_path):
    path = write(
        tmp_path,
        "use std::cell::RefCell;\nthread_local! { static SEEN: RefCell<Vec<f64>> = RefCell::default(); }\n"
        "let x = 2f64.powf(0.5);\nSEEN.with_borrow_mut(|seen| seen.push(x));\n"
        "std::thread::spawn(move || SEEN.with_borrow_mut(|seen| { seen.push(x.sin()); seen.len() })).join().unwrap()",
        'std::env::var("LD_LIBRARY_PATH").ok()',
        'let out = std::process::Command::new("env").output()?.stdout;\n'
        'String::from_utf8(out)?.contains("LIBRARY_PATH")',
    )
    cells = outputs(machine, path).cells
    assert [cell.outputs[-1].data["text/plain"] for cell in cells] == ["1", "None", "false"]


def test_crates_with_a_build_script_and_a_macro_are_linked_without_a_c_toolchain(machine, tmp_path):
    crates = {
        "built/Cargo.toml": '[package]\nname = "built"\nversion = "0.1.0"\nedition = "2024"\n\n'
        '[dependencies]\nmade = { path = "../made" }\n',
        "built/build.rs": 'fn main() { println!("cargo:rustc-env=MADE_BY=a build script"); }\n',
        "built/src/lib.rs": 'made::twice!();\npub fn by() -> &\'static str { env!("MADE_BY") }\n',
        "made/Cargo.toml": '[package]\nname = "made"\nversion = "0.1.0"\nedition = "2024"\n\n[lib]\nproc-macro = true\n',
        "made/src/lib.rs": "use proc_macro::TokenStream;\n#[proc_macro]\npub fn twice(_: TokenStream) -> TokenStream {\n"
        '    "pub fn twice(n: u32) -> u32 { 2 * n }".parse().unwrap()\n}\n',
    }
    for name, text in crates.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = write(tmp_path, f':dep built = {{ path = "{tmp_path}/built" }}', "built::twice(21).to_string() + built::by()")
    assert '"42a build script"' in text_of(outputs(machine, path))


def test_jupyter_lists_the_kernel_as_soon_as_the_wheel_is_installed(machine):
    listed = machine.run(machine.python, "-m", "jupyter_client.kernelspecapp", "list", "--json")
    spec = json.loads(listed.stdout)["kernelspecs"]["oxtorch"]["spec"]
    assert spec["argv"][:3] == ["python", "-m", "oxtorch"]
    run = "import jupyter_client.manager as m\nwith m.run_kernel(kernel_name='oxtorch') as client:\n    "
    run += "print(client.execute_interactive('let x = 3;', timeout=100)['content']['status'])"
    assert machine.run(machine.python, "-c", run).stdout.splitlines()[-1] == "ok"


@pytest.mark.parametrize("name", SERVICES)
def test_the_notebook_for_a_service_runs_as_it_does_there(machine, tmp_path, name):
    notebook = nbformat.read(REPOSITORY / f"notebooks/{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    installs = [cell for cell in notebook.cells if SERVICES[name] in cell.source and cell.cell_type == "code"]
    assert len(installs) == 1
    installs[0].source = installs[0].source.replace(SERVICES[name], str(machine.wheel))
    folder = Path(os.environ["JUPYTER_DATA_DIR"]) / f"kernels/{name}"
    folder.mkdir(parents=True)
    argv = [str(machine.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python", "language": "python", "env": machine.environment}
    (folder / "kernel.json").write_text(json.dumps(spec))
    resources = {"metadata": {"path": str(tmp_path)}}
    executed = nbclient.NotebookClient(notebook, kernel_name=name, timeout=200, resources=resources).execute()
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    (accuracy,) = re.findall(r"accuracy on the held-back digits: ([0-9.]+)", printed)
    assert float(accuracy) > 0.9


@pytest.fixture(scope="module")
def department(machine):
    """The same installation for two ordinary users of this machine, who can read it."""
    if why := missing(["useradd", "setpriv"]):
        pytest.skip(why)
    folder = machine.python.parents[2]
    if everybodys_python() == Path(sys.executable):
        pytest.skip("no Python that others can run")
    libtorch = folder / "libtorch"
    site = Path(machine.environment["LIBTORCH"]).parent
    shutil.copytree(site, libtorch, symlinks=True, copy_function=link_or_copy)
    variables = {"PATH": machine.environment["PATH"], "OXTORCH_DEVICE": "cpu", "LIBTORCH": str(libtorch / "torch")}
    with users(folder, 2) as both:
        yield both, variables


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def state_of(folder):
    """What is in a folder, and when it was written."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_two_users_at_once_read_one_installation_and_write_into_their_own_homes(machine, department, tmp_path):
    both, variables = department
    environment = machine.python.parents[1]
    before = state_of(environment)
    runs = []
    for user in both:
        notebook = write(user.home, "let x = Tensor::ones([2, 3], (Kind::Float, device()));\nx.sum(Kind::Float)")
        shutil.chown(notebook, user.name)
        command = user.command(machine.program, "run", notebook, **variables)
        runs.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=user.home))
    for user, process in zip(both, runs):
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        assert text_of(read(user.home / "notebook.ipynb")).startswith("tensor(6.)")
        assert list((user.home / ".local/share/oxtorch/cache").iterdir())
    assert state_of(environment) == before


def test_a_jupyterhub_starts_the_kernel_for_two_users_at_once(machine, department):
    both, variables = department
    if why := missing(HUB):
        pytest.skip(why)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", REQUIREMENTS]
    machine.run(machine.python, *pip, "jupyterhub", "jupyterlab")
    folder = Path(tempfile.mkdtemp(dir=machine.python.parents[2]))
    code = 'let x = Tensor::ones([2, 3], (Kind::Float, device())).sum(Kind::Float);\n(x, std::env::var("USER")?)'
    with contextlib.closing(Hub(machine.python, folder, both, variables)) as hub:
        for user in both:
            hub.start_server(user)
        kernels = [hub.start_kernel(user) for user in both]

        async def run_both():
            return await asyncio.gather(*(hub.run(user, kernel, code) for user, kernel in zip(both, kernels)))

        shown = asyncio.run(run_both())
    for user, text in zip(both, shown):
        assert "6" in text and user.name in text, text


def test_four_jobs_of_slurm_run_at_once_and_a_job_that_is_ended_leaves_its_notebook(machine, department):
    (user, _), variables = department
    if why := missing(SLURM):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(dir=machine.python.parents[2]))
    folder.chmod(0o755)
    with contextlib.closing(Slurm(folder, processors=4, megabytes=16_000)) as slurm:
        variables |= slurm.environment

        def job(name, *cells, **options):
            place = user.home / name
            place.mkdir()
            notebook = write(place, *cells)
            for path in place, notebook:
                shutil.chown(path, user.name)
            given = [f"--{option}={value}" for option, value in options.items()]
            command = [shutil.which("srun"), "--ntasks=1", "--mem=2G", *given, machine.program, "run", notebook]
            command = user.command(*command, **variables)
            return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=place), notebook

        ones = "Tensor::ones([{}, 3], (Kind::Float, device())).sum(Kind::Float)"
        sums = [job(f"sum-{n}", ones.format(n)) for n in range(1, 5)]
        for n, (process, notebook) in enumerate(sums, 1):
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
            assert text_of(read(notebook)).startswith(f"tensor({3 * n}.)")

        endless = 'println!("begun");\nstd::fs::write("begun", "")?;\nloop { std::hint::spin_loop() }'
        process, notebook = job("ended", "let x = 1;\nx", endless, "x + 1", **{"job-name": "ended"})
        wait((notebook.parent / "begun").exists, "the cell does not begin")
        slurm.ask("scancel", "--name=ended")
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0, said
        first, second, third = read(notebook).cells
        assert first.outputs[0].data["text/plain"] == "1"
        assert [output.output_type for output in second.outputs] == ["stream", "error"]
        assert (second.outputs[0].text, second.outputs[1].ename) == ("begun\n", "KeyboardInterrupt")
        assert third.outputs == []
