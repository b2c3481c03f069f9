"""Finds the `oxtorch` program that was installed with this package."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path


class ProgramNotFound(RuntimeError):
    """There is no `oxtorch` program."""


def find_program() -> Path:
    """The program that this package's wheel brought, else the one on the search path."""
    for candidate in _candidates():
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.resolve()
    raise ProgramNotFound(
        "the `oxtorch` program is neither beside this Python nor on PATH; install the wheel again: "
        "pip install --force-reinstall oxtorch"
    )


def _candidates() -> Iterator[Path]:
    try:
        files = metadata.files("oxtorch") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "oxtorch" and file.parent.name == "bin":
            yield Path(str(file.locate()))
    yield Path(sysconfig.get_path("scripts")) / "oxtorch"
    on_path = shutil.which("oxtorch")
    if on_path:
        yield Path(on_path)
