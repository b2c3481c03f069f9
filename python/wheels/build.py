"""Builds the two wheels that are all a student's machine needs: `oxtorch` and `oxtorch-rust`.

    python python/wheels/build.py FOLDER [--plain WHEEL] [--libtorch DIR ...] [--torch VERSION ...]

`oxtorch` is the wheel that maturin builds (or WHEEL), with the runtime, and a shim for each libtorch: the one that
set-up takes on this machine, those that DIR names (a folder with `include` and `lib`), and those of a VERSION of torch,
which are downloaded; `--torch all` stands for all that are supported. `oxtorch-rust` is the compiler for cells.
Needs: cargo, a C++ compiler, and in this Python: pip, maturin, wheel.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import libtorchs
import licenses
import link
import toolchain

REPOSITORY = Path(__file__).resolve().parents[2]
METADATA = """\
Metadata-Version: 2.1
Name: oxtorch-rust
Version: {version}
Summary: The Rust compiler that Oxtorch compiles cells with, cut down to what they need
License: MIT OR Apache-2.0
Requires-Python: >=3.10
Description-Content-Type: text/markdown

The Rust toolchain {version}, without what cells do not need, and lists of symbols that let its linker work without a C
toolchain. It is a part of [Oxtorch](https://pypi.org/project/oxtorch/) and has no use without it.
"""
WHEEL = """\
Wheel-Version: 1.0
Generator: oxtorch
Root-Is-Purelib: false
Tag: py3-none-{platform}
"""
NEEDED = re.compile(r"\bGLIBC_(\d+)\.(\d+)\b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("--plain", type=Path, metavar="WHEEL", help="what maturin has built already")
    parser.add_argument("--libtorch", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--torch", action="append", default=[], metavar="VERSION")
    arguments = parser.parse_args()
    # The tools that are called work in other folders.
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="oxtorch-wheels-", dir=folder) as work:
        rust = pack_rust(Path(work) / "rust", folder)
        versions = libtorchs.RELEASED if "all" in arguments.torch else arguments.torch
        root = unpack_plain(Path(work) / "oxtorch", arguments.plain)
        prebuild(root, [libtorch.resolve() for libtorch in arguments.libtorch], versions)
        ours = pack_oxtorch(root, folder, rust)
        for wheel in ours, rust:
            print(f"{wheel} ({wheel.stat().st_size / 1e6:.0f} MB)")


def pack_rust(work: Path, folder: Path) -> Path:
    """The wheel with the compiler."""
    package = work / "oxtorch_rust"
    version = toolchain.cut(package / "toolchain")
    link.write(package / "link")
    (package / "__init__.py").write_text('"""The compiler of Oxtorch\'s cells."""\n')
    about = work / f"oxtorch_rust-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(METADATA.format(version=version))
    return pack(work, folder)


def unpack_plain(work: Path, plain: Path | None) -> Path:
    """The unpacked wheel with the program and the Python package."""
    plain = plain or build_plain(work.with_name("plain"))
    run(sys.executable, "-m", "wheel", "unpack", plain, "--dest", work)
    (root,) = work.iterdir()
    return root


def prebuild(root: Path, folders: list[Path], versions: list[str]) -> None:
    """Adds the runtime, and a shim for each libtorch."""
    (program,) = root.glob("*.data/scripts/oxtorch")
    program.chmod(0o755)

    def add(**variables: str) -> None:
        # What is set up for this comes from the sources, not from an earlier wheel.
        environment = {**os.environ, "OXTORCH_PREBUILT": "", **variables}
        run(program, "prebuild", root / "oxtorch/prebuilt", env=environment)

    add()
    for folder in folders:
        add(LIBTORCH=str(folder))
    for version in versions:
        with tempfile.TemporaryDirectory(prefix="libtorch-", dir=root.parent) as folder:
            add(LIBTORCH=str(libtorchs.get(version, Path(folder))))


def pack_oxtorch(root: Path, folder: Path, rust: Path) -> Path:
    """The wheel with the program, the Python package, the runtime and the shims."""
    (about,) = root.glob("*.dist-info")
    licenses.write(about / "licenses/THIRD-PARTY.txt")
    described = about / "METADATA"
    name, version = rust.name.split("-")[:2]
    needs = f"Requires-Dist: {name.replace('_', '-')}=={version}\n"
    head, body = described.read_text().split("\n\n", 1)
    described.write_text(f"{head}\n{needs}\n{body}")
    return pack(root, folder)


def build_plain(folder: Path) -> Path:
    """The wheel with the program alone, as maturin builds it."""
    folder.mkdir()
    run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", folder, REPOSITORY)
    (wheel,) = folder.glob("oxtorch-*.whl")
    return wheel


def platform_of(folder: Path) -> str:
    """The oldest platform on which all programs and libraries in a folder run, by the C library that they ask for."""
    newest = (2, 17)
    for path in folder.rglob("*"):
        if path.is_file() and path.open("rb").read(4) == b"\x7fELF" and path.suffix not in (".o", ".rlib", ".rmeta"):
            listed = subprocess.run(["objdump", "-p", path], check=True, capture_output=True, text=True).stdout
            _, _, needed = listed.partition("Version References:")
            newest = max([newest, *((int(major), int(minor)) for major, minor in NEEDED.findall(needed))])
    return f"manylinux_{newest[0]}_{newest[1]}_x86_64"


def pack(root: Path, folder: Path) -> Path:
    """Packs a folder as a wheel for the platform of its programs, with the sums of its files."""
    for path in root.rglob("__pycache__"):
        shutil.rmtree(path)
    (about,) = root.glob("*.dist-info")
    platform = platform_of(root)
    (about / "WHEEL").write_text(WHEEL.format(platform=platform))
    run(sys.executable, "-m", "wheel", "pack", root, "--dest-dir", folder)
    return folder / f"{about.name.removesuffix('.dist-info')}-py3-none-{platform}.whl"


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    subprocess.run([str(part) for part in command], check=True, env=env)


if __name__ == "__main__":
    main()
