"""The two wheels on a machine that has Python and nothing else: no compiler, no Rust, no git.

Only the search path, the home directory and the variables are such a machine's; what is built comes from the tests'
own home.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import OXTORCH, REPOSITORY
from test_notebooks import read, text_of, write
from test_python_package import REQUIREMENTS, Machine, build_wheel, oxtorch_home

# What a system without any tools has. `ldd` is a part of the C library's own package.
BARE = ["cat", "env", "dirname", "ldd", "sh", "uname"]


def outputs(machine, path, *arguments):
    """The notebook after a run, in which every cell has to succeed."""
    machine.run(machine.program, "run", path, *arguments)
    return read(arguments[-1] if arguments else path)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bare")
    wheels = folder / "wheels"
    wheels.mkdir()
    plain = build_wheel(wheels)
    builder = [sys.executable, REPOSITORY / "python/wheels/build.py", folder / "both", "--plain", plain]
    subprocess.run(builder, env={**os.environ, "OXTORCH_HOME": oxtorch_home()}, check=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", REQUIREMENTS, "--find-links", folder / "both", "oxtorch"], check=True)
    shutil.rmtree(folder / "both")
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
    yield Machine(folder / "venv/bin/python", home, plain, environment)
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
    assert accuracy[0] in shown.splitlines()
    doctor = machine.run(machine.program, "doctor")
    assert "oxtorch_rust/toolchain/bin/rustc" in doctor.stdout
    assert "C++ compiler" not in doctor.stdout


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
