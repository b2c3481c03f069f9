"""Several processes share the cache of compiled cells, some are killed while they write to it, and the disk fails."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
from conftest import OXTORCH, Kernel
from nbformat.v4 import new_code_cell, new_notebook

CELLS = 8
ROUNDS = 3


def usual_home():
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(os.environ.get("OXTORCH_HOME") or Path(data) / "oxtorch")


class Home:
    """The usual home, with another place for what sessions write."""

    def __init__(self, folder):
        self.notebooks = folder
        self.root = root = folder / "own"
        root.mkdir()
        self.cache = root / "cache"
        self.name = f"oxtorch-{uuid.uuid4().hex[:8]}"
        self.prefix = Path(os.environ["JUPYTER_PATH"]).parents[1]
        self.environment = {**os.environ, "OXTORCH_HOME": str(usual_home()), "OXTORCH_CACHE": str(root)}

    def register(self):
        command = [OXTORCH, "install", "--prefix", self.prefix, "--name", self.name]
        subprocess.run(command, check=True, env=self.environment)
        return self

    def kernel(self):
        return Kernel(self.name, env=self.environment)

    def start_run(self, codes):
        """`oxtorch run` of a notebook with these cells, under way, and the file that it writes."""
        path = self.notebooks / f"{uuid.uuid4().hex}.ipynb"
        notebook = new_notebook(cells=[new_code_cell(code) for code in codes])
        path.write_text(json.dumps(notebook))
        return subprocess.Popen([OXTORCH, "run", path], env=self.environment, stderr=subprocess.DEVNULL), path

    def unfinished(self):
        """Files that somebody is writing, or was when killed."""
        return [entry for entry in os.scandir(self.cache) if entry.name.startswith("unfinished-")]

    def records(self):
        return list(self.cache.glob("*.json"))


def is_large(entry):
    """Whether a file has many bytes already; it may be gone by now."""
    try:
        return entry.stat().st_size > 1 << 20
    except FileNotFoundError:
        return False


def elsewhere(folder):
    """Whether a folder is on another file system than the tests' temporary files are."""
    return folder.is_dir() and folder.stat().st_dev != Path(tempfile.gettempdir()).stat().st_dev


@pytest.fixture(params=["same disk", "other disk"])
def home(request, tmp_path):
    """A home whose cache is on the same file system, which links files, or on another one, which copies them."""
    home = Home(tmp_path)
    away = None
    if request.param == "other disk":
        if not elsewhere(Path("/dev/shm")):
            pytest.skip("there is no second file system")
        away = tempfile.mkdtemp(dir="/dev/shm", prefix="oxtorch-cache-")
        home.cache.symlink_to(away)
    yield home.register()
    shutil.rmtree(home.prefix / "share/jupyter/kernels" / home.name, ignore_errors=True)
    # The large libraries of killed kernels are not for pytest to keep.
    shutil.rmtree(home.root / "cells", ignore_errors=True)
    if away:
        shutil.rmtree(away, ignore_errors=True)


def codes(salt):
    """Cells that no cache has seen, each with its own result."""
    return [
        f"fn times{k}(x: i64) -> i64 {{ (0..x).map(|i| i * {salt} + {k}).sum() }}\ntimes{k}(3)" for k in range(CELLS)
    ]


def large(salt):
    """A cell whose library takes a while to write."""
    return f"static PAD{salt}: [u8; 16 << 20] = [1; 16 << 20];\nstd::hint::black_box(&PAD{salt})[{salt} % 1000]"


def results(salt):
    return [str(3 * salt + 3 * k) for k in range(CELLS)]


def run_all(kernel, salt):
    return [kernel.run(code).result for code in codes(salt)]


def results_of(path):
    notebook = json.loads(path.read_text())
    outputs = [cell["outputs"][0]["data"]["text/plain"] for cell in notebook["cells"]]
    return ["".join(text) for text in outputs]


def whole(home, record):
    """Whether an entry is the one that was put."""
    entry = json.loads(record.read_text())
    library = home.cache / entry["library"]
    return library.exists() and hashlib.sha256(library.read_bytes()).hexdigest() == entry["sha256"]


def test_one_of_three_is_killed_while_it_writes(home):
    salts = [uuid.uuid4().int % 1_000_000 + 1000 * k for k in range(ROUNDS)]
    in_the_middle = 0
    kept = home.kernel()
    try:
        for salt in salts:
            killed = home.kernel()
            killed.send(large(salt))
            for code in codes(salt):
                killed.send(code)
            run, path = home.start_run(codes(salt))
            sent = [kept.send(code) for code in codes(salt)]
            # At the moment at which something large is being written, or else when much has been.
            before = len(home.records()) if home.cache.exists() else 0
            while True:
                writing = home.cache.exists() and any(is_large(entry) for entry in home.unfinished())
                if writing or (home.cache.exists() and len(home.records()) > before + CELLS // 2):
                    os.kill(killed.manager.provisioner.pid, signal.SIGKILL)
                    break
            shown = [kept.finish(message).result for message in sent]
            assert shown == results(salt)
            assert run.wait(timeout=120) == 0
            assert results_of(path) == results(salt)
            killed.stop()
            in_the_middle += len(home.unfinished())
        print(f"killed {ROUNDS} times, with {in_the_middle} files half written")
        assert kept.alive()
    finally:
        kept.stop()
    assert home.records() and all(whole(home, record) for record in home.records())
    after = home.kernel()
    try:
        assert [run_all(after, salt) for salt in salts] == [results(salt) for salt in salts]
        assert all(after.run(large(salt)).result == "1" for salt in salts)
    finally:
        after.stop()


def test_nothing_damaged_is_ever_loaded(home):
    salt = uuid.uuid4().int % 1_000_000
    first = home.kernel()
    try:
        assert run_all(first, salt) == results(salt)
    finally:
        first.client.shutdown()
        first.manager.provisioner.process.wait(timeout=30)
        first.stop()
    records = sorted(home.records())
    assert len(records) >= CELLS
    libraries = [home.cache / json.loads(record.read_text())["library"] for record in records]
    contents = [library.read_bytes() for library in libraries]
    # Each is another file from now on: what a running session has linked is its own.
    for library in libraries:
        library.unlink()
    libraries[0].write_bytes(contents[0][: len(contents[0]) // 2])
    libraries[1].write_bytes(b"")
    libraries[2].write_bytes(contents[3])
    flipped = bytearray(contents[3])
    flipped[len(flipped) // 2] ^= 1
    libraries[3].write_bytes(flipped)
    records[4].write_text(records[4].read_text()[:40])
    records[5].write_bytes(b"\0" * 100)
    for kept, content in list(zip(libraries, contents))[4:]:
        kept.write_bytes(content)
    # What a process leaves behind that is killed at one step of writing or another.
    libraries[6].unlink()
    records[7].unlink()
    (home.cache / "unfinished-aB3xYz").write_bytes(contents[7][:1000])
    second = home.kernel()
    try:
        assert run_all(second, salt) == results(salt)
    finally:
        second.stop()


@pytest.mark.parametrize("fault", ["full", "read-only", "no folder"])
def test_cells_run_where_the_cache_cannot_be_written(tmp_path, fault):
    home = Home(tmp_path)
    mounted = False
    try:
        if fault == "full":
            home.cache.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", str(home.cache)]
            mounted = subprocess.run(mount, stderr=subprocess.DEVNULL).returncode == 0
            if not mounted:
                pytest.skip("a small file system needs the right to mount one")
        elif fault == "read-only":
            home.cache.mkdir(mode=0o555)
            mount = ["mount", "-t", "tmpfs", "-o", "ro,mode=700", "none", str(home.cache)]
            # Whoever may mount may also write where no mode allows it.
            mounted = subprocess.run(mount, stderr=subprocess.DEVNULL).returncode == 0
        else:
            home.cache.write_text("a file in the way")
        home.register()
        salt = uuid.uuid4().int % 1_000_000
        run, path = home.start_run(codes(salt))
        assert run.wait(timeout=120) == 0
        assert results_of(path) == results(salt)
        kernel = home.kernel()
        try:
            assert run_all(kernel, salt) == results(salt)
        finally:
            kernel.stop()
        assert fault == "no folder" or all(whole(home, record) for record in home.records())
    finally:
        shutil.rmtree(home.prefix / "share/jupyter/kernels" / home.name, ignore_errors=True)
        if mounted:
            subprocess.run(["umount", str(home.cache)], check=False)
