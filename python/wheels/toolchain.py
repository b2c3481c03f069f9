"""Cuts a Rust toolchain down to what cells need: the compiler, cargo, the standard library, the linker."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# Below the toolchain's folder. Its libraries are found by patterns: their names contain hashes.
WANTED = [
    "bin/rustc",
    "bin/cargo",
    "lib/librustc_driver-*.so",
    "lib/libLLVM*",
    "lib/rustlib/{triple}/bin/rust-lld",
    "lib/rustlib/{triple}/bin/gcc-ld/ld.lld",
    "lib/rustlib/{triple}/lib/*.rlib",
    "lib/rustlib/{triple}/lib/*.rmeta",
    "lib/rustlib/{triple}/lib/libstd-*.so",
]
# What only sanitizers, coverage and the test harness use.
UNWANTED = ["libprofiler_builtins-*", "libtest-*"]
LICENSES = ["COPYRIGHT.html", "COPYRIGHT-library.html", "licenses/*"]


def cut(folder: Path, triple: str = "x86_64-unknown-linux-gnu") -> str:
    """Copies the parts of this machine's toolchain into a folder; gives its version."""
    sysroot = Path(_said("rustc", "--print", "sysroot"))
    for pattern in WANTED:
        found = [path for path in sysroot.glob(pattern.format(triple=triple)) if not _is_unwanted(path)]
        if not found:
            raise SystemExit(f"{sysroot} has no {pattern}")
        for path in found:
            to = folder / path.relative_to(sysroot)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)
    notes = sysroot / "share/doc/rust"
    for pattern in LICENSES:
        for path in notes.glob(pattern):
            to = folder / path.relative_to(notes)
            to.parent.mkdir(exist_ok=True)
            shutil.copy2(path, to)
    return _said("rustc", "--version").split()[1]


def _is_unwanted(path: Path) -> bool:
    return any(path.match(pattern) for pattern in UNWANTED)


def _said(*command: str) -> str:
    # With the toolchain that the repository names, wherever it is called.
    environment = {**os.environ, "RUSTUP_AUTO_INSTALL": "0"}
    here = Path(__file__).parent
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=here).stdout.strip()
