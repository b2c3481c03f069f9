"""Shows in a Python notebook what a Rust cell shows."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

from oxtorch.kernel import Message

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MimeBundle = dict[str, Any]
"""The forms of one output, by MIME type."""


class RustValue:
    """The value of a Rust cell's last expression, as the notebook shows it."""

    def __init__(self, data: MimeBundle, metadata: MimeBundle) -> None:
        self.data = data
        self.metadata = metadata

    def __repr__(self) -> str:
        return str(self.data.get("text/plain", "a value of Rust"))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[MimeBundle, MimeBundle]:
        return self.data, self.metadata


class NotebookFront:
    """The notebook, or the terminal, of the Python cell that runs."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.value: RustValue | None = None

    @property
    def allow_stdin(self) -> bool:
        """Whether the frontend that sent the Python cell can be asked for input."""
        get_parent = getattr(self._shell, "get_parent", None)
        if get_parent is None:
            return sys.stdin is not None
        return bool(get_parent().get("content", {}).get("allow_stdin", True))

    def show(self, message: Message) -> None:
        """Shows a message of the Rust kernel's; the value of the last expression is kept in `value`."""
        content = message["content"]
        kind = message["msg_type"]
        if kind == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
        elif kind in ("display_data", "update_display_data"):
            display_id = content.get("transient", {}).get("display_id")
            self._shell.display_pub.publish(
                content["data"],
                content.get("metadata", {}),
                transient={"display_id": display_id} if display_id else {},
                update=kind == "update_display_data",
            )
        elif kind == "clear_output":
            self._shell.display_pub.clear_output(wait=bool(content.get("wait")))  # type: ignore[no-untyped-call]
        elif kind == "execute_result":
            self.value = RustValue(content["data"], content.get("metadata", {}))

    def ask(self, prompt: str, password: bool) -> str:
        """Asks the user for a line."""
        return getpass.getpass(prompt) if password else input(prompt)
