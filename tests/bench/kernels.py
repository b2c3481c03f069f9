"""The kernels that are compared, and a client that measures them the way a frontend waits for them."""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import zmq
from jupyter_client.manager import KernelManager

# A cell that has not ended by then never will; the first build of tch takes minutes.
PATIENCE = 900

# Seconds between two looks at a kernel's memory.
LOOK = 0.01


class CellFailed(Exception):
    """A measured cell has failed: the measurement would be of something else."""


@dataclass
class Peer:
    """One of the kernels."""

    key: str
    title: str
    language: str
    argv: list
    env: dict = field(default_factory=dict)
    # Cells that a new session runs before it is measured.
    prologue: list = field(default_factory=list)

    def register(self, prefix):
        folder = Path(prefix) / "share/jupyter/kernels" / self.key
        folder.mkdir(parents=True)
        spec = {"argv": self.argv, "display_name": self.title, "language": self.language, "env": self.env}
        if self.key == "oxtorch":
            spec["interrupt_mode"] = "message"
        (folder / "kernel.json").write_text(json.dumps(spec))


class Session:
    """A running kernel with its client."""

    def __init__(self, peer, cwd=None):
        self.peer = peer
        self.manager = KernelManager(kernel_name=peer.key)
        self.manager.start_kernel(cwd=str(cwd or Path.cwd()))
        self.connect()

    def connect(self):
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, code, keep=False):
        """Executes a cell; returns the seconds until it is idle again. What it prints is kept where that is asked for."""
        begin = time.perf_counter()
        message_id = self.client.execute(code)
        failed = None
        self.stdout = ""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout" and keep:
                self.stdout += message["content"]["text"]
            if message["msg_type"] == "error":
                failed = message["content"]["evalue"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                took = time.perf_counter() - begin
                break
        if failed is not None:
            raise CellFailed(f"{self.peer.title}: a cell failed: {failed}\n{code}")
        return took

    def printed(self, code):
        """Executes a cell; returns what it printed."""
        self.run(code, keep=True)
        return self.stdout

    def complete(self, code):
        """Asks what fits at the end of the code; returns the matches and the seconds until they are there."""
        content, took = self.ask(self.client.complete, code)
        return content.get("matches", []), took

    def inspect(self, code):
        """Asks what is at the end of the code; returns that as text and the seconds until it is there."""
        content, took = self.ask(self.client.inspect, code)
        return content.get("data", {}).get("text/plain", ""), took

    def ask(self, question, code):
        begin = time.perf_counter()
        message_id = question(code, len(code))
        while True:
            message = self.client.get_shell_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") == message_id:
                return message["content"], time.perf_counter() - begin

    def prepare(self):
        for code in self.peer.prologue:
            self.run(code)

    def restart(self):
        """What the restart button does."""
        self.client.stop_channels()
        self.manager.restart_kernel()
        self.connect()

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def subscribe(self):
        """One more frontend, which is connected and reads nothing."""
        context = zmq.Context.instance()
        socket = context.socket(zmq.SUB)
        socket.linger = 0
        socket.rcvhwm = 1
        socket.subscribe(b"")
        socket.connect(f"tcp://{self.manager.ip}:{self.manager.iopub_port}")
        return socket

    def memory(self):
        """Bytes of the kernel itself, and of the processes that it has started.

        They are proportional set sizes: a page that processes share counts once in all, as it is there once.
        """
        kernel = psutil.Process(self.manager.provisioner.pid)
        children = 0
        for child in kernel.children(recursive=True):
            try:
                children += child.memory_full_info().pss
            except psutil.NoSuchProcess:
                pass
        return kernel.memory_full_info().pss, children

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Peak:
    """The most memory of a session's processes together, while its block runs."""

    def __init__(self, session):
        self.session = session
        self.bytes = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while True:
            self.bytes = max(self.bytes, sum(self.session.memory()))
            if self.ended.wait(LOOK):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def register(peers, prefix):
    """Makes the kernels known to the client of this process, and no others."""
    for peer in peers:
        peer.register(prefix)
    os.environ["JUPYTER_PATH"] = str(Path(prefix) / "share/jupyter")
    os.environ["JUPYTER_DATA_DIR"] = str(Path(prefix) / "data")
    os.environ["IPYTHONDIR"] = str(Path(prefix) / "ipython")
