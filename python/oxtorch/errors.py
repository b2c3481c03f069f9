"""What a Rust cell raises in Python when it fails: notebooks show what the Rust kernel wrote, not Python's stack."""

from __future__ import annotations

from collections.abc import Sequence


class _Told(BaseException):
    """An exception that has a name, a value and a traceback of the Rust kernel's."""

    def __init__(self, ename: str, evalue: str, traceback: Sequence[str] = ()) -> None:
        super().__init__(evalue)
        self.ename = ename
        self.evalue = evalue
        self.traceback = list(traceback) or [f"{ename}: {evalue}"]

    def _render_traceback_(self) -> list[str]:
        # IPython asks exceptions for this before it draws a Python traceback.
        return self.traceback


class RustError(_Told, Exception):
    """A Rust cell did not compile, panicked, returned an error, or lost its process: `ename` says which."""


class CellTimeout(RustError):
    """A Rust cell took longer than its `--timeout` and was interrupted."""


class KernelDied(RustError):
    """The Rust kernel ended by itself. Its variables are gone; the next Rust cell starts a new one."""

    def __init__(self, evalue: str) -> None:
        super().__init__("KernelDied", evalue)


class RustInterrupt(_Told, KeyboardInterrupt):
    """A Rust cell was interrupted. Its variables are still there."""


# Frontends name an error by its class, and tools know this one.
RustInterrupt.__name__ = "KeyboardInterrupt"


def failure(ename: str, evalue: str, traceback: Sequence[str]) -> RustError | RustInterrupt:
    """The exception for an error of the Rust kernel, of a class that has the error's own name."""
    if ename == "KeyboardInterrupt":
        return RustInterrupt(ename, evalue, traceback)
    named = type(ename if ename.isidentifier() else "RustError", (RustError,), {"__module__": __name__})
    error: RustError = named(ename, evalue, traceback)
    return error
