"""Tab and Shift-Tab with rust-analyzer; and with language servers that fail in every way."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from asking import answer, complete, inspect
from conftest import OXTORCH, Kernel

SESSION = """struct Net { inner: Vec<Option<String>> }
impl Net { fn step(&self, rate: f64) -> f64 { rate } }
let tensor = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
let values = vec![1.0, 2.0];
let net = Net { inner: vec![None] };"""
# rust-analyzer reads the standard library and `tch` first.
WARM = 120
# A type that only rust-analyzer tells.
PATH = 'match std::path::Path::new("a") { path => path.file_st'
# Behind this the session has nothing certain to offer.
UNKNOWN = "f(1).matm"


def until(condition, patience=30):
    """Waits for something that becomes true by itself."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def has_ended(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def servers_of(kernel):
    """The language servers of a kernel that run; not one that is merely asked for its version."""
    servers = []
    for child in psutil.Process(kernel.manager.provisioner.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            arguments = child.cmdline()
            if "rust-analyzer" in child.name() and arguments and "--version" not in arguments:
                servers.append(child)
    return servers


@pytest.fixture(scope="module")
def warm():
    """A kernel whose rust-analyzer answers."""
    doctor = subprocess.run([OXTORCH, "doctor"], capture_output=True, text=True).stdout
    if "\u2713 rust-analyzer" not in doctor:
        pytest.skip("no rust-analyzer with the sources of the standard library")
    kernel = Kernel()
    assert kernel.run(SESSION).ok
    until(lambda: "file_stem" in complete(kernel, PATH)[0]["matches"], WARM)
    yield kernel
    kernel.stop()


def test_methods_of_a_tensor_come_with_signatures(warm):
    _, typed = complete(warm, "tensor.")
    assert typed["matmul"]["signature"] == "pub fn matmul(&self, other: &Tensor) -> Tensor"
    assert {"relu", "reshape", "i", "apply", "backward"} <= typed.keys()
    # Of an expression only rust-analyzer knows the type, also where the method is one that it does not list.
    content, typed = complete(warm, "let y = tensor.f_relu()?.t_copy();\ny.matm", ";")
    assert content["matches"] == ["matmul"]
    assert (content["cursor_start"], content["cursor_end"]) == (37, 41)


def test_the_standard_library_is_known(warm):
    _, typed = complete(warm, "let sum = values.iter().map(|x| x * 2.0).fil")
    assert "predicate: P" in typed["filter"]["signature"]
    assert "push_str" in complete(warm, "let mut 名字 = String::new();\n名字.pu")[0]["matches"]
    assert "HashMap" in complete(warm, "use std::collections::Ha")[0]["matches"]
    assert "with_capacity" in complete(warm, "Vec::<f64>::wi")[0]["matches"]


def test_items_and_variables_of_the_session_are_known(warm):
    assert "unwrap" in complete(warm, "let first = net.inner.first().unw")[0]["matches"]
    assert complete(warm, "(&net).st")[0]["matches"] == ["step"]
    assert complete(warm, "net.")[0]["matches"][:2] == ["inner", "step"]
    assert complete(warm, "struct Own { size: usize }\nlet own = Own { size: 1 };\nown.")[0]["matches"][0] == "size"
    assert "is_finite" in complete(warm, ":type net.step(1.0).is_f")[0]["matches"]


def test_commands_are_not_its_business(warm):
    assert complete(warm, "%cd\nnet.inner[0].as_d")[0]["matches"] == ["as_deref", "as_deref_mut"]
    assert complete(warm, ":va")[0]["matches"] == ["vars"]


def test_help_for_what_only_types_tell(warm):
    assert "fn map<" in inspect(warm, "values.iter().m|ap(f)")
    assert inspect(warm, "let half = values.len() / 2;\nhal|f").startswith("let half: usize")
    assert "push(&mut self, value: f64)" in inspect(warm, "let mut other = values.clone();\nother.push(|)")
    shown = inspect(warm, "ten|sor")
    assert shown.startswith("let tensor: Tensor") and shown.endswith("[2, 3] float32 on cpu")


def test_the_source_of_anything(warm):
    assert "f_matmul(other)" in inspect(warm, "tensor.mat|mul(&tensor)", detail_level=1)
    assert "self.len" in inspect(warm, "values.le|n()", detail_level=1)
    assert "f64 { rate }" in inspect(warm, "net.st|ep(1.0)", detail_level=1)


def test_each_cell_is_read_anew(warm):
    for number in range(20):
        content, typed = complete(warm, f"let y{number} = tensor.f_relu()?;\nlet line = {number};\ny{number}.matm")
        assert content["matches"] == ["matmul"] and typed["matmul"]["signature"]


def test_it_ends_with_a_kernel_that_is_killed(warm):
    kernel = Kernel()
    try:
        assert kernel.alive()
        complete(kernel, UNKNOWN)
        until(lambda: servers_of(kernel))
        (server,) = servers_of(kernel)
        os.kill(kernel.manager.provisioner.process.pid, signal.SIGKILL)
        until(lambda: has_ended(server))
    finally:
        kernel.stop()


FAKE = '''#!{python}
"""A language server that answers the first questions, and then does as {mode!r} says."""
import json, sys, time

if "--version" in sys.argv:
    print("rust-analyzer 0.0.0")
    sys.exit()

def send(**message):
    body = json.dumps(dict(message, jsonrpc="2.0")).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    sys.stdout.buffer.flush()

def receive():
    length = 0
    while (line := sys.stdin.buffer.readline()) != b"\\r\\n":
        if not line:
            sys.exit()
        name, value = line.split(b":")
        if name == b"Content-Length":
            length = int(value)
    return json.loads(sys.stdin.buffer.read(length))

log = open({log!r}, "a", buffering=1)
mode = {mode!r}
asked = 0
while True:
    message = receive()
    log.write(json.dumps(dict(method=message.get("method"), id=message.get("id"))) + "\\n")
    method = message.get("method")
    if method == "initialize":
        if mode == "refuses":
            send(id=message["id"], error=dict(code=-32603, message="no"))
            continue
        if mode == "babbles":
            print("this is no message")
        send(id=message["id"], result=dict(capabilities={{}}))
        send(id=1, method="client/registerCapability", params={{}})
        send(method="experimental/serverStatus", params=dict(quiescent=True, health="ok"))
    elif method == "textDocument/completion":
        asked += 1
        if asked > 3 and mode == "dies":
            sys.exit()
        if asked > 3 and mode == "garbage":
            sys.stdout.buffer.write(b"Content-Length: 7\\r\\n\\r\\n{{{{{{{{{{{{{{" * 2)
            sys.stdout.buffer.flush()
            continue
        if asked > 3 and mode == "slow":
            continue
        if asked == 4 and mode == "late":
            time.sleep(3)
        send(id=message["id"], result=[dict(label="matm_answer%d" % asked, kind=3, detail="fn()")])
'''


class Fake:
    """A kernel whose language server is a fake."""

    def __init__(self, folder, mode):
        self.log = folder / "log"
        self.log.touch()
        program = folder / "rust-analyzer"
        program.write_text(FAKE.format(python=sys.executable, mode=mode, log=str(self.log)))
        program.chmod(0o755)
        self.kernel = Kernel(env={**os.environ, "OXTORCH_RUST_ANALYZER": str(program)})
        assert self.kernel.run(SESSION).ok

    def told(self, method):
        lines = map(json.loads, Path(self.log).read_text().splitlines())
        return sum(line["method"] == method for line in lines)

    def timed(self, code):
        start = time.monotonic()
        matches = complete(self.kernel, code)[0]["matches"]
        return matches, time.monotonic() - start

    def get_ready(self):
        """Asks until a question reaches the server; that one's answer and time."""
        answers = []

        def reached():
            answers.append(self.timed(UNKNOWN))
            return self.told("textDocument/completion") > 3

        until(reached)
        return answers[-1]


@pytest.fixture
def fake(tmp_path):
    started = []

    def start(mode):
        started.append(Fake(tmp_path, mode))
        return started[-1]

    yield start
    for one in started:
        one.kernel.stop()


def test_a_server_that_never_answers_holds_nothing_up(fake):
    one = fake("slow")
    matches, took = one.get_ready()
    # What may be meant where nothing is known.
    assert "matmul" in matches and took < 5
    until(lambda: one.told("$/cancelRequest") == 1)
    matches, took = one.timed("ten")
    assert "tensor" in matches and took < 3
    assert one.kernel.alive()


def test_an_interrupt_ends_the_wait(fake):
    one = fake("slow")
    one.get_ready()
    asked = one.told("textDocument/completion")
    kernel = one.kernel
    request = kernel.client.complete(UNKNOWN, len(UNKNOWN))
    until(lambda: one.told("textDocument/completion") > asked)
    start = time.monotonic()
    kernel.manager.interrupt_kernel()
    assert "matmul" in answer(kernel, request)["matches"]
    assert time.monotonic() - start < 1.2
    # It was for the question alone: the next cell runs.
    assert kernel.run("net.step(2.0)").result == "2.0"


def test_a_late_answer_is_for_nobody(fake):
    one = fake("late")
    matches, _ = one.get_ready()
    assert "matm_answer4" not in matches and "matmul" in matches
    until(lambda: one.timed(UNKNOWN)[0] != matches)
    matches, _ = one.timed(UNKNOWN)
    assert len(matches) == 1 and matches[0].startswith("matm_answer") and matches != ["matm_answer4"]


@pytest.mark.parametrize("mode", ["dies", "garbage"])
def test_a_server_that_ends_leaves_what_the_session_knows(fake, mode):
    one = fake(mode)
    matches, took = one.get_ready()
    assert "matmul" in matches and took < 5
    until(lambda: not servers_of(one.kernel))
    assert "matmul" in one.timed(UNKNOWN)[0]
    # It is not started anew at once.
    assert one.told("initialize") == 1
    assert one.kernel.alive()


@pytest.mark.parametrize("mode", ["refuses", "babbles"])
def test_a_server_that_does_not_start_is_passed_over(fake, mode):
    one = fake(mode)
    one.timed(UNKNOWN)
    until(lambda: one.told("initialize") == 1)
    matches, took = one.timed("tensor.matm")
    assert matches[0] == "matmul" and took < 3
    assert one.kernel.alive()


def test_a_server_that_answers_is_heard(fake):
    one = fake("answers")
    matches, _ = one.get_ready()
    assert matches == ["matm_answer4"]
