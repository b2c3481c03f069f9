"""The magics `%%rust` and `%rust`."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from oxtorch.errors import CellTimeout, failure
from oxtorch.front import NotebookFront, RustValue
from oxtorch.kernel import RustKernel

USAGE = "options of %%rust and %rust: --restart (a fresh kernel first), --timeout SECONDS"


@dataclass(frozen=True)
class Options:
    """What stands ahead of the code."""

    restart: bool = False
    timeout: float | None = None


def parse(line: str) -> tuple[Options, str]:
    """The options that a line begins with, and the rest of it."""
    restart, timeout, rest = False, None, line.strip()
    while rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        option, equals, value = option.partition("=")
        if option == "--restart" and not equals:
            restart = True
        elif option == "--timeout":
            if not equals:
                value, _, rest = rest.strip().partition(" ")
            timeout = _seconds(value)
        else:
            raise UsageError(f"no option `{option}{equals}{value}`; {USAGE}")
        rest = rest.strip()
    return Options(restart, timeout), rest


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (seconds > 0 and math.isfinite(seconds)):
        raise UsageError(f"--timeout takes a number of seconds, not `{text}`; {USAGE}")
    return seconds


def _in_place(cell: str) -> str:
    """The code with its lines numbered as they are in the notebook, where the first is that of the magic."""
    # A command that takes a whole cell has to begin it.
    return cell if cell.lstrip().startswith("%%") else "\n" + cell


@magics_class
class RustMagics(Magics):
    """Runs Rust in one kernel for the whole notebook, started with the first cell."""

    _kernel: RustKernel | None = None

    # Braces and dollar signs are Rust's here, not names of Python variables.
    @no_var_expand
    @line_cell_magic
    def rust(self, line: str, cell: str | None = None) -> RustValue | None:
        """Runs a cell, or a line, of Rust. Variables and items stay for the cells that follow.

        %%rust [--restart] [--timeout SECONDS]
        ...

        --restart           start a fresh kernel first; without code, only that
        --timeout SECONDS   interrupt the cell after so long; variables stay
        """
        assert self.shell is not None, "magics are registered with a shell"
        options, rest = parse(line)
        if cell is not None and rest:
            raise UsageError(f"code starts on the line after %%rust, so what is `{rest}`? {USAGE}")
        code = rest if cell is None else _in_place(cell)
        kernel = self._started(options.restart)
        if not code.strip():
            return None
        front = NotebookFront(self.shell)
        reply = kernel.run(code, front, number=self.shell.displayhook.prompt_count, timeout=options.timeout)
        if reply["status"] == "ok":
            return front.value
        name, value, traceback = (reply.get(field) for field in ("ename", "evalue", "traceback"))
        if reply["timed_out"]:
            told = f"took longer than {options.timeout:g} s and was interrupted; variables that it made are kept"
            raise CellTimeout("CellTimeout", told, [*(traceback or []), told])
        raise failure(name or reply["status"], value or "", traceback or [])

    def stop(self) -> None:
        """Ends the kernel, if there is one."""
        if self._kernel is not None:
            self._kernel.stop()
            self._kernel = None

    def _started(self, restart: bool) -> RustKernel:
        kernel = self._kernel
        if kernel is not None and not kernel.alive and not restart:
            print(
                f"The Rust kernel had ended ({kernel.how_it_ended()}), and its variables are gone. This is a new one.",
                file=sys.stderr,
            )
            restart = True
        if restart:
            self.stop()
        if self._kernel is None:
            self._kernel = RustKernel()
        return self._kernel
