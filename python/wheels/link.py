"""Writes what a linker needs in place of a C toolchain: libraries that are nothing but lists of symbols, and an object.

A cell's library takes everything that it needs of the C library from the process that loads it. To the linker it is
enough to know which symbols there are, and in which version an old C library has them.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

# The C library that PyTorch's own wheels ask for (manylinux_2_28).
GLIBC = (2, 28)
# The libraries, and the newest version of each that is named.
LIBRARIES = {"libc.so.6": GLIBC, "libm.so.6": GLIBC, "libgcc_s.so.1": (8,)}
# What rustc names besides: it is all in the C library by now, or was never needed.
EMPTY = ["libdl.a", "libpthread.a", "librt.a", "libutil.a"]

# What a destructor at the end of a thread or of the process is registered with.
START = """
.hidden __dso_handle
.globl __dso_handle
.data
.balign 8
__dso_handle: .quad __dso_handle
.section .note.GNU-stack,"",@progbits
"""

SYMBOL = re.compile(r"^(?:[0-9a-f]+)? +(?P<kind>[A-Za-z]) (?P<name>[^@ ]+)@@?(?P<series>[A-Z]+)_(?P<version>[0-9.]+)$")


def write(folder: Path, compiler: str = "cc") -> None:
    """Writes all of it into a folder, from what this machine's C library has."""
    folder.mkdir(parents=True)
    for soname, newest in LIBRARIES.items():
        _write_library(folder, soname, newest, compiler)
    for name in EMPTY:
        (folder / name).write_bytes(b"!<arch>\n")
    _compile(compiler, START, ["-c", "-o", folder / "start.o"])


def _write_library(folder: Path, soname: str, newest: tuple[int, ...], compiler: str) -> None:
    found = subprocess.run([compiler, f"-print-file-name={soname}"], check=True, capture_output=True, text=True)
    listed = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--with-symbol-versions", found.stdout.strip()],
        check=True,
        capture_output=True,
        text=True,
    )
    # Of each symbol the newest version that is old enough.
    chosen: dict[str, tuple[tuple[int, ...], str, str]] = {}
    for symbol in filter(None, map(SYMBOL.match, listed.stdout.splitlines())):
        version = tuple(map(int, symbol["version"].split(".")))
        label = f"{symbol['series']}_{symbol['version']}"
        older = chosen.get(symbol["name"])
        if version <= newest and (older is None or version > older[0]):
            chosen[symbol["name"]] = (version, label, symbol["kind"])
    if not chosen:
        raise SystemExit(f"{soname} names no versions of its symbols")
    code, data = [".text"], [".data"]
    by_version: dict[tuple[tuple[int, ...], str], list[str]] = defaultdict(list)
    for name, (version, label, kind) in sorted(chosen.items()):
        by_version[version, label].append(name)
        is_data = kind in "BbDdRrVv"
        (data if is_data else code).append(f".globl {name}\n.type {name}, {'@object' if is_data else '@function'}\n{name}:")
    data.append(".quad 0")
    nodes = [f"{label} {{ global: {'; '.join(names)}; }};" for (_, label), names in sorted(by_version.items())]
    script = folder / "versions"
    script.write_text("\n".join(nodes))
    name = soname.split(".so")[0] + ".so"
    text = "\n".join([*code, *data, '.section .note.GNU-stack,"",@progbits', ""])
    options = ["-shared", "-nostdlib", f"-Wl,-soname,{soname}", f"-Wl,--version-script,{script}"]
    _compile(compiler, text, [*options, "-o", folder / name])
    subprocess.run(["strip", "--strip-all", folder / name], check=True)
    script.unlink()


def _compile(compiler: str, text: str, options: list[str | Path]) -> None:
    subprocess.run([compiler, "-x", "assembler", "-", *options], input=text, text=True, check=True)
