"""A Rust kernel as a child of this process, and the messages to and from it.

One thread does everything: it sends a cell, then shows what comes back until the kernel says that it is idle. So output
belongs to the Python cell that runs, and Ctrl-C reaches the Rust cell by way of this process.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

from oxtorch.errors import KernelDied
from oxtorch.program import find_program

Message = dict[str, Any]
"""A message of the Jupyter protocol."""

ADDRESS = "127.0.0.1"
# How long a new kernel may take to answer. It does so before it sets anything up.
PATIENCE_AT_START = 60.0
# How often the process and the deadline are looked at while no message comes, in milliseconds.
TICK = 100
# A cell that has not ended by then after its deadline is interrupted again, which ends its process.
SECOND_INTERRUPT = 10.0
# How long the kernel may take to end before it is killed.
PATIENCE_AT_END = 3.0
# What is shown of a dead kernel's log, in bytes.
LAST_WORDS = 2000


class Front(Protocol):
    """Who sees what a cell shows, and answers what it asks."""

    @property
    def allow_stdin(self) -> bool:
        """Whether there is somebody to ask."""

    def show(self, message: Message) -> None:
        """Shows a message of the iopub channel."""

    def ask(self, prompt: str, password: bool) -> str:
        """Asks for a line of input."""


class RustKernel:
    """A running Oxtorch kernel. It ends with this process."""

    def __init__(self) -> None:
        program = find_program()
        self._owner = os.getpid()
        # Without a name: a kernel that is killed leaves nothing behind.
        self._log = tempfile.TemporaryFile()
        # The kernel has read its connection file when it answers.
        with tempfile.TemporaryDirectory(prefix="oxtorch-") as folder:
            file, connection = write_connection_file(
                str(Path(folder) / "connection.json"), ip=ADDRESS, key=uuid.uuid4().hex.encode(), kernel_name="oxtorch"
            )
            self._process = subprocess.Popen(
                [str(program), "kernel", "--connection-file", file],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                # Ctrl-C in a terminal goes to the whole group. The kernel must get it once: from here.
                start_new_session=True,
            )
            self._connect(connection)
            atexit.register(self.stop)
            try:
                self._wait_for_answers()
            except BaseException:
                self.stop()
                raise

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the kernel still runs."""
        return self._process.poll() is None

    def how_it_ended(self) -> str:
        """What became of a kernel that is not alive."""
        status = self._process.poll()
        if status is None:
            return "it still runs"
        if status >= 0:
            return f"exit status {status}"
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"

    def run(self, code: str, front: Front, *, number: int | None = None, timeout: float | None = None) -> Message:
        """Runs a cell and returns the content of its reply; `front` sees everything else as it comes.

        After `timeout` seconds the cell is interrupted, and the reply says `timed_out`. `number` is what the kernel
        calls the cell by. An interrupt of this process interrupts the cell. Raises `KernelDied` where the kernel ends.
        """
        with _on_sigint(self.interrupt):
            request = self._execute(code, front.allow_stdin, number)
            try:
                return self._follow(request, front, timeout)
            except KernelDied:
                raise
            except BaseException:
                # Nobody watches the cell any more.
                self.interrupt()
                raise

    def interrupt(self) -> None:
        """Interrupts the running cell. A second time, where it does not stop, ends the process that it runs in."""
        if self.alive:
            self._session.send(self._control, "interrupt_request", {})

    def stop(self) -> None:
        """Ends the kernel."""
        if os.getpid() != self._owner or self._context.closed:
            # A fork of the process that started it; or it is done.
            return
        atexit.unregister(self.stop)
        if self.alive:
            self._session.send(self._control, "shutdown_request", {"restart": False})
            try:
                self._process.wait(PATIENCE_AT_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._context.destroy(linger=0)
        self._log.close()

    def _connect(self, connection: Mapping[str, object]) -> None:
        self._session = Session(key=str(connection["key"]).encode(), session=uuid.uuid4().hex)
        self._context = zmq.Context()
        self._shell = self._socket(zmq.DEALER, connection["shell_port"])
        self._stdin = self._socket(zmq.DEALER, connection["stdin_port"])
        self._control = self._socket(zmq.DEALER, connection["control_port"])
        self._iopub = self._socket(zmq.SUB, connection["iopub_port"])
        self._poller = zmq.Poller()
        for socket in (self._iopub, self._stdin, self._shell):
            self._poller.register(socket, zmq.POLLIN)

    def _socket(self, kind: int, port: object) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        else:
            # Questions on stdin find the asker by the identity of its shell socket.
            socket.setsockopt(zmq.IDENTITY, self._session.bsession)
        socket.connect(f"tcp://{ADDRESS}:{port}")
        return socket

    def _wait_for_answers(self) -> None:
        """Waits until requests are answered and output arrives: a subscription takes a moment."""
        end = time.monotonic() + PATIENCE_AT_START
        answered = subscribed = False
        while not (answered and subscribed):
            if time.monotonic() > end:
                raise KernelDied(f"the Rust kernel did not answer within {PATIENCE_AT_START:.0f} s{self._last_words()}")
            self._check_alive()
            self._session.send(self._shell, "kernel_info_request", {})
            self._poller.poll(TICK)
            answered |= any(True for _ in self._received(self._shell))
            subscribed |= any(True for _ in self._received(self._iopub))

    def _execute(self, code: str, allow_stdin: bool, number: int | None) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
        }
        metadata = {} if number is None else {"oxtorch": {"execution_count": number}}
        message = self._session.msg("execute_request", content, metadata=metadata)
        self._session.send(self._shell, message)
        return str(message["header"]["msg_id"])

    def _follow(self, request: str, front: Front, timeout: float | None) -> Message:
        """Shows what a cell shows until its end."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        reply: Message | None = None
        timed_out = idle = False
        while reply is None or not idle:
            if not self._poller.poll(TICK):
                self._check_alive(front)
            if time.monotonic() > deadline and reply is None:
                timed_out = True
                deadline = time.monotonic() + SECOND_INTERRUPT
                self.interrupt()
            for message in self._received(self._iopub):
                front.show(message)
                idle |= _answers(message, request) and message["content"].get("execution_state") == "idle"
            for message in self._received(self._stdin):
                if message["msg_type"] == "input_request" and _answers(message, request):
                    self._answer(message, front)
            for message in self._received(self._shell):
                if message["msg_type"] == "execute_reply" and _answers(message, request):
                    reply = message["content"]
        return {**reply, "timed_out": timed_out}

    def _answer(self, question: Message, front: Front) -> None:
        content = question["content"]
        with _on_sigint(None):
            try:
                value = front.ask(content.get("prompt", ""), bool(content.get("password")))
            except (KeyboardInterrupt, EOFError):
                return self.interrupt()
        self._session.send(self._stdin, "input_reply", {"value": value}, parent=question)

    def _received(self, socket: zmq.Socket[bytes]) -> Iterator[Message]:
        """The messages that have arrived on a socket."""
        while True:
            _, message = self._session.recv(socket, mode=zmq.NOBLOCK)
            if message is None:
                return
            yield message

    def _check_alive(self, front: Front | None = None) -> None:
        if self.alive:
            return
        if front is not None:
            for message in self._received(self._iopub):
                front.show(message)
        raise KernelDied(
            f"the Rust kernel has ended ({self.how_it_ended()}), and its variables are gone. "
            f"The next Rust cell starts a new one.{self._last_words()}"
        )

    def _last_words(self) -> str:
        # The kernel writes at the same offset: read without moving it.
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), LAST_WORDS, max(0, size - LAST_WORDS)).decode(errors="replace").strip()
        return f"\nIts last words:\n{text}" if text else ""


def _answers(message: Message, request: str) -> bool:
    return bool(message["parent_header"].get("msg_id") == request)


def _environment() -> dict[str, str]:
    """The environment of the kernel: this one's, and it ends with this process."""
    environment = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
    if sys.prefix != sys.base_prefix:
        # The virtual environment that this Python belongs to, activated or not, so that its torch is found.
        environment.setdefault("VIRTUAL_ENV", sys.prefix)
    return environment


@contextmanager
def _on_sigint(act: Callable[[], None] | None) -> Iterator[None]:
    """Has SIGINT do this, or raise `KeyboardInterrupt` where it is None. Only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if act is None:
            signal.default_int_handler(number, frame)
        else:
            act()

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        # None where it was not Python that set it.
        signal.signal(signal.SIGINT, signal.default_int_handler if previous is None else previous)
