"""A registered kernel for the tests, and a small client that reads as a notebook does.

OXTORCH names the binary to test. By hand: OXTORCH=target/release/oxtorch python -m pytest tests/clients
"""

import os
import queue
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

REPOSITORY = Path(__file__).resolve().parents[2]
OXTORCH = os.environ.get("OXTORCH", str(REPOSITORY / "target/release/oxtorch"))
# A cell that has not answered by then never will.
PATIENCE = 120


def pytest_configure(config):
    """Registers the kernel in a folder of its own, the way a user registers it."""
    prefix = tempfile.TemporaryDirectory(prefix="oxtorch-clients-")
    config.add_cleanup(prefix.cleanup)
    subprocess.run([OXTORCH, "install", "--prefix", prefix.name], check=True)
    os.environ["JUPYTER_PATH"] = str(Path(prefix.name) / "share/jupyter")
    os.environ["JUPYTER_DATA_DIR"] = str(Path(prefix.name) / "data")
    # What the tests run is nobody's history.
    os.environ["OXTORCH_HISTORY"] = "off"
    os.environ["IPYTHONDIR"] = str(Path(prefix.name) / "ipython")


@dataclass
class Cell:
    """What a frontend saw of one executed cell."""

    reply: dict = field(default_factory=dict)
    messages: list = field(default_factory=list)

    @property
    def ok(self):
        return self.reply["status"] == "ok"

    def of(self, kind):
        return [message["content"] for message in self.messages if message["msg_type"] == kind]

    def stream(self, name):
        return "".join(content["text"] for content in self.of("stream") if content["name"] == name)

    @property
    def stdout(self):
        return self.stream("stdout")

    @property
    def result(self):
        results = self.of("execute_result")
        return results[0]["data"]["text/plain"] if results else None


class Kernel:
    """A running kernel and its client."""

    def __init__(self, name="oxtorch", **options):
        self.manager, self.client = start_new_kernel(kernel_name=name, **options)

    def send(self, code, **options):
        return self.client.execute(code, **options)

    def finish(self, message_id, watch=lambda message: None, patience=PATIENCE):
        """Waits for the cell's end: its reply, and `idle`. `watch` sees each iopub message as it comes."""
        cell = Cell()
        end = time.monotonic() + patience
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") != message_id:
                continue
            cell.messages.append(message)
            watch(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while not cell.reply:
            message = self.client.get_shell_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == message_id:
                cell.reply = message["content"]
        return cell

    def run(self, code, watch=lambda message: None, patience=PATIENCE, **options):
        return self.finish(self.send(code, **options), watch, patience)

    def alive(self):
        """Whether the kernel still answers."""
        return self.run("1 + 1").result == "2"

    def stop(self):
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def kernel():
    """A kernel of the test's own."""
    kernel = Kernel()
    yield kernel
    kernel.stop()


@pytest.fixture(scope="module")
def shared_kernel():
    """One kernel for the tests of a file that leave it as they found it."""
    kernel = Kernel()
    yield kernel
    kernel.stop()


def printed(text):
    """A `watch` that tells once that a cell has printed something, for tests that act in the middle of a cell."""
    seen = [""]

    def watch(message):
        if message["msg_type"] != "stream":
            return False
        seen.append(seen[-1] + message["content"]["text"])
        return text in seen[-1] and text not in seen[-2]

    return watch


def drain(channel):
    """Throws away what waits on a channel."""
    while True:
        try:
            channel.get_msg(timeout=0)
        except queue.Empty:
            return
