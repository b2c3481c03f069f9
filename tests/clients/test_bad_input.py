"""What should never come, and does: each is dropped quietly or answered with a clear message, and nothing crashes."""

import json
import os
import resource
import socket as sockets
import subprocess

import nbformat
import pytest
import zmq
from conftest import OXTORCH, Kernel
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session


@pytest.fixture(scope="module")
def wire(shared_kernel):
    """A socket of our own on the kernel's shell port, with the right key."""
    info = shared_kernel.manager.get_connection_info()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"tcp://{info['ip']}:{info['shell_port']}")
    session = Session(key=info["key"], signature_scheme=info["signature_scheme"])
    yield socket, session
    socket.close()
    context.term()


def frames_of(session, kind="kernel_info_request", content=None):
    """A valid message as frames: delimiter, signature, header, parent, metadata, content."""
    message = session.msg(kind, content={} if content is None else content)
    return session.serialize(message)


def answers(wire, others_allowed=False):
    """Whether a well-made request is the next thing that is answered, or one of the next."""
    socket, session = wire
    request = session.msg("kernel_info_request")
    socket.send_multipart(session.serialize(request))
    while True:
        assert socket.poll(30_000), "the kernel does not answer any more"
        _, frames = session.feed_identities(socket.recv_multipart())
        reply = session.deserialize(frames)
        if reply["parent_header"].get("msg_id") == request["msg_id"]:
            return reply["msg_type"] == "kernel_info_reply"
        if not others_allowed:
            return False


def test_a_wrong_signature_is_dropped(wire):
    socket, session = wire
    frames = frames_of(session)
    frames[1] = b"0" * 64
    socket.send_multipart(frames)
    assert answers(wire)


def test_a_missing_signature_is_dropped(wire):
    socket, session = wire
    frames = frames_of(session)
    frames[1] = b""
    socket.send_multipart(frames)
    assert answers(wire)


@pytest.mark.parametrize("keep", range(6))
def test_a_truncated_message_is_dropped(wire, keep):
    socket, session = wire
    frames = frames_of(session)
    socket.send_multipart(frames[:keep] or [b""])
    assert answers(wire)


def test_a_message_without_a_delimiter_is_dropped(wire):
    socket, session = wire
    socket.send_multipart(frames_of(session)[1:])
    assert answers(wire)


def test_an_unknown_message_type_is_dropped(wire):
    socket, session = wire
    socket.send_multipart(frames_of(session, "make_coffee_request", {"sugar": 2}))
    assert answers(wire)


@pytest.mark.parametrize("place", range(2, 6))
@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b"[]", b"null", b'{"msg_type": 3}'])
def test_malformed_json_is_dropped(wire, place, text):
    socket, session = wire
    frames = frames_of(session, "is_complete_request", {"code": "1"})
    frames[place] = text
    # The signature is right: what is wrong is what was signed.
    frames[1] = session.sign(frames[2:])
    socket.send_multipart(frames)
    # A message that is odd but can be read, such as one without metadata, may well be answered.
    assert answers(wire, others_allowed=True)


def test_an_execute_request_without_code_is_survived(wire, shared_kernel):
    socket, session = wire
    socket.send_multipart(frames_of(session, "execute_request", {"silent": "maybe"}))
    assert answers(wire, others_allowed=True)
    assert shared_kernel.alive()


def test_bytes_that_are_no_zeromq_are_survived(shared_kernel):
    import socket

    info = shared_kernel.manager.get_connection_info()
    for port in ("shell_port", "control_port", "iopub_port", "hb_port", "stdin_port"):
        with socket.create_connection((info["ip"], info[port])) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(range(256)))
    assert shared_kernel.alive()


CONNECTS = {"shell_port": b"DEALER", "control_port": b"DEALER", "stdin_port": b"DEALER", "iopub_port": b"SUB", "hb_port": b"REQ"}


def handshake(kind):
    """The greeting of ZMTP 3.0, and the command that says what the socket is."""
    ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    return b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48), b"\x04" + bytes([len(ready)]) + ready


@pytest.mark.parametrize("length", [2**62, 2**63 - 2**17, 2**40, 2**27])
@pytest.mark.parametrize("flags", [2, 3, 6])
def test_a_frame_that_claims_to_be_huge_is_refused(shared_kernel, flags, length):
    import socket

    info = shared_kernel.manager.get_connection_info()
    for port, kind in CONNECTS.items():
        greeting, ready = handshake(kind)
        for start in (greeting, greeting + ready):
            with socket.create_connection((info["ip"], info[port]), timeout=30) as raw:
                raw.sendall(start + bytes([flags]) + length.to_bytes(8, "big"))
                try:
                    while raw.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
    assert shared_kernel.alive()


def test_peers_that_stop_in_the_middle_cost_others_nothing(shared_kernel):
    import contextlib
    import socket

    info = shared_kernel.manager.get_connection_info()
    with contextlib.ExitStack() as stack:
        for port, kind in CONNECTS.items():
            greeting, ready = handshake(kind)
            for start in (b"", greeting[:30], greeting, greeting + ready, greeting + ready + b"\x02" + bytes(5) + b"\x10\0\0ab"):
                raw = stack.enter_context(socket.create_connection((info["ip"], info[port]), timeout=30))
                raw.sendall(start)
        assert shared_kernel.alive()


@pytest.mark.parametrize("read_end_is_closed", [True, False])
def test_a_log_that_nobody_reads_neither_ends_nor_stops_the_kernel(read_end_is_closed):
    read_end, write_end = os.pipe()
    kernel = Kernel(stderr=write_end)
    os.close(write_end)
    if read_end_is_closed:
        os.close(read_end)
    context = zmq.Context()
    try:
        info = kernel.manager.get_connection_info()
        bad = context.socket(zmq.DEALER)
        bad.setsockopt(zmq.LINGER, 0)
        bad.connect(f"tcp://{info['ip']}:{info['shell_port']}")
        # More than a pipe holds, each with a line in the log.
        for _ in range(5000):
            bad.send_multipart([b"<IDS|MSG>", b"0" * 64, b"{}", b"{}", b"{}", b"{}"])
        assert kernel.alive()
        bad.close()
    finally:
        context.term()
        kernel.stop()
        if not read_end_is_closed:
            os.close(read_end)


@pytest.mark.parametrize("name", ["absent", "a" * 120])
def test_a_folder_for_temporary_files_that_will_not_do_is_made_up_for(tmp_path, name):
    folder = tmp_path / name
    if name != "absent":
        folder.mkdir()
    kernel = Kernel(env={**os.environ, "TMPDIR": str(folder)})
    try:
        assert kernel.alive()
    finally:
        kernel.stop()


def test_the_working_folder_may_have_any_name(tmp_path):
    folder = os.fsencode(tmp_path) + b"/d\xff"
    os.mkdir(folder)
    kernel = Kernel(cwd=os.fsdecode(folder))
    try:
        assert kernel.alive()
        assert "d\\xFF" in kernel.run("std::env::current_dir()?").result
    finally:
        kernel.stop()


def test_a_cell_with_a_syntax_error_is_told_and_the_kernel_goes_on(shared_kernel):
    cell = shared_kernel.run("let x = ;\n")
    assert not cell.ok
    assert cell.reply["ename"] == "CompileError"
    assert "let x = ;" in "\n".join(cell.reply["traceback"])
    assert shared_kernel.alive()


def test_a_cell_of_nothing_but_odd_characters_is_survived(shared_kernel):
    for code in ["\0", "\u202e", "}" * 1000, "(" * 1000, "\ufeff1", "a\rb", "'", '"', "r#", "\\", "🦀"]:
        shared_kernel.run(code)
        assert shared_kernel.alive(), repr(code)


def oxtorch(*arguments):
    return subprocess.run([OXTORCH, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def fails_clearly(done, code, *words):
    """A failed command: its exit code, one short message that names what it is about, no panic and no debug output."""
    assert done.returncode == code, done
    assert "panicked" not in done.stderr and "RUST_BACKTRACE" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 8, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.mark.parametrize(
    "text",
    [None, "", "not json", "[]", "{}", '{"shell_port": "many"}', json.dumps({"ip": "127.0.0.1", "shell_port": 1})],
)
def test_an_unreadable_connection_file_is_named(tmp_path, text):
    connection = tmp_path / "connection.json"
    if text is not None:
        connection.write_text(text)
    fails_clearly(oxtorch("kernel", "--connection-file", connection), 2, "connection.json")


def test_a_connection_file_that_is_a_folder_is_named(tmp_path):
    fails_clearly(oxtorch("kernel", "--connection-file", tmp_path), 2, str(tmp_path))


@pytest.mark.parametrize("text", ["", "not json", "[1, 2]", '{"cells": 3}', '{"nbformat": 99, "cells": []}', "\xff"])
def test_a_notebook_that_is_none_is_named(tmp_path, text):
    notebook = tmp_path / "broken.ipynb"
    notebook.write_text(text, encoding="latin-1")
    fails_clearly(oxtorch("run", notebook, "-o", tmp_path / "out.ipynb"), 2, "broken.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_a_notebook_that_is_not_there_is_named(tmp_path):
    fails_clearly(oxtorch("run", tmp_path / "absent.ipynb"), 2, "absent.ipynb")


def test_a_notebook_for_another_kernel_is_refused(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('hello')")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python"}
    path = tmp_path / "python.ipynb"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    fails_clearly(oxtorch("run", path), 2, "python")
    assert path.read_bytes() == before


@pytest.mark.parametrize("arguments", [["run"], ["frobnicate"], ["kernel"], ["run", "a", "--timeout", "soon"]])
def test_misuse_is_exit_code_2(arguments):
    done = oxtorch(*arguments)
    assert done.returncode == 2
    assert "--help" in done.stderr


def test_a_kernel_that_may_open_too_few_files_says_so_at_its_start(tmp_path):
    connection_file, _ = write_connection_file(str(tmp_path / "connection.json"))
    arguments = [OXTORCH, "kernel", "--connection-file", connection_file]

    def start(files):
        return subprocess.Popen(
            arguments,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
        )

    _, told = start(30).communicate(timeout=60)
    assert "needs 64 open files, but may have only 30" in told
    assert "help: allow more open files: ulimit -n" in told


def test_cells_run_with_as_few_open_files_as_a_kernel_may_have():
    kernel = Kernel(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    try:
        assert kernel.run("1 + 1").result == "2"
    finally:
        kernel.stop()


def test_cells_run_while_somebody_takes_all_connections_that_there_are():
    """Each takes file descriptors, of which some systems give a process no more than this."""
    limit = 256

    def with_few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    kernel = Kernel(preexec_fn=with_few_descriptors)
    silent = []
    try:
        assert kernel.run("1 + 1").result == "2"
        info = kernel.manager.get_connection_info()
        for name in ("shell", "control", "stdin", "iopub", "hb"):
            for _ in range(limit // 5):
                silent.append(sockets.create_connection((info["ip"], info[f"{name}_port"])))
            # No address takes so many.
            silent[-1].settimeout(30)
            try:
                assert silent[-1].recv(1) == b"", name
            except ConnectionResetError:
                pass
        assert kernel.run("let x = 20; x + 1").result == "21"
        assert kernel.run("x * 2").result == "40"
    finally:
        for one in silent:
            one.close()
        kernel.stop()
