"""Gets libtorch in other versions than the one that set-up takes, from the package index, to build shims for them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

# One of each series that the shim fits: it serves the others of its series as well.
RELEASED = ["2.9.1", "2.10.0", "2.11.0", "2.12.1", "2.13.0", "2.14.1", "2.15.0"]

# What `libtorch_cpu.so` links of CUDA.
LINKED = re.compile(r"nvidia-cuda-(runtime|cupti)(-cu\d+)?")


def get(version: str, folder: Path) -> Path:
    """Installs torch in a version, with what its libtorch links, and gives the folder for `LIBTORCH`."""
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
    pip += ["--only-binary=:all:"]
    wanted = f"torch=={version}"
    resolve = [*pip, "--dry-run", "--ignore-installed", "--report", "-", "--target", str(folder), wanted]
    report = json.loads(subprocess.run(resolve, check=True, capture_output=True, text=True).stdout)
    found = {entry["metadata"]["name"].lower(): entry["metadata"]["version"] for entry in report["install"]}
    linked = [f"{name}=={of}" for name, of in found.items() if LINKED.fullmatch(name)]
    if not linked:
        raise SystemExit(f"torch {version} names no CUDA runtime: {sorted(found)}")
    subprocess.run([*pip, "--no-deps", "--no-compile", "--target", str(folder), wanted, *linked], check=True)
    return folder / "torch"
