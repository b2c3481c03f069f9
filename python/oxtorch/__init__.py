"""Rust cells in a Python notebook, run by the Oxtorch kernel.

    %load_ext oxtorch

    %%rust
    let x = Tensor::rand([2, 3], (Kind::Float, device()));
    x

The package also carries the `oxtorch` program: `oxtorch install` registers the kernel with Jupyter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oxtorch.errors import CellTimeout, KernelDied, RustError, RustInterrupt
from oxtorch.program import ProgramNotFound, find_program

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "CellTimeout",
    "KernelDied",
    "ProgramNotFound",
    "RustError",
    "RustInterrupt",
    "find_program",
    "load_ipython_extension",
    "unload_ipython_extension",
]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Adds `%%rust` and `%rust`; the kernel starts with the first of them."""
    from oxtorch.magics import RustMagics

    shell.register_magics(RustMagics(shell))


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Takes the magics away and ends their kernel."""
    from oxtorch.magics import RustMagics

    magics = shell.magics_manager.registry.pop(RustMagics.__name__, None)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("rust", None)
    if isinstance(magics, RustMagics):
        magics.stop()
