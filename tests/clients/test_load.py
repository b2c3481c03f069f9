"""A kernel under load: many messages, much output, readers that do not read."""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
import zmq
from conftest import drain
from jupyter_client.session import Session

MALFORMED = 100_000


def memory(kernel):
    """Bytes that the kernel process holds."""
    return psutil.Process(kernel.manager.provisioner.pid).memory_info().rss


def have_read_ahead(kernel):
    """Asks for help of each kind, so that the kernel has in memory what it reads for that in a quiet moment."""
    for code in ["let t = Tensor::from(1.0); t.", "nn::", "std::collections::"]:
        kernel.client.complete(code, reply=True, timeout=60)
    for code in ["nn::linear(", "Tensor::matmul"]:
        kernel.client.inspect(code, reply=True, timeout=60)


def address(kernel, channel):
    info = kernel.manager.get_connection_info()
    return f"tcp://{info['ip']}:{info[channel + '_port']}"


def malformed(session, count):
    """Messages that are none, each in a way of its own."""
    random.seed(1)
    good = session.serialize(session.msg("kernel_info_request"))
    for _ in range(count):
        frames = list(good)
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(frames) + 1)
            kind = random.randrange(4)
            if kind == 0:
                frames.insert(place, random.randbytes(random.randrange(200)))
            elif kind == 1 and len(frames) > 1 and place < len(frames):
                del frames[place]
            elif kind == 2 and place < len(frames):
                frames[place] = frames[place][: random.randrange(len(frames[place]) + 1)] + b"\0"
            else:
                frames[min(place, len(frames) - 1)] = random.randbytes(40)
        yield frames


@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
def test_malformed_messages_are_dropped_in_flat_memory(kernel, channel):
    have_read_ahead(kernel)
    info = kernel.manager.get_connection_info()
    session = Session(key=info["key"], signature_scheme=info["signature_scheme"])
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    # Every message is to arrive: where the kernel is slower than this test, the test waits.
    socket.setsockopt(zmq.SNDHWM, 1000)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address(kernel, channel))
    count = MALFORMED if channel == "shell" else MALFORMED // 10
    try:
        for number, frames in enumerate(malformed(session, count)):
            socket.send_multipart(frames)
            if number == count // 10:
                before = memory(kernel)
        if channel != "stdin":
            request = session.msg("kernel_info_request")
            socket.send_multipart(session.serialize(request))
            while True:
                assert socket.poll(60_000), "the kernel does not answer any more"
                _, frames = session.feed_identities(socket.recv_multipart())
                # What was odd but could be read was answered, too.
                if session.deserialize(frames)["parent_header"].get("msg_id") == request["msg_id"]:
                    break
    finally:
        socket.close()
        context.term()
    assert kernel.alive()
    grown = memory(kernel) - before
    assert grown < 10e6, f"the kernel grew by {grown / 1e6:.1f} MB"


def test_a_message_is_acted_on_once(kernel):
    """A request that was read off the wire cannot be sent again by somebody without the key."""
    info = kernel.manager.get_connection_info()
    session = Session(key=info["key"], signature_scheme=info["signature_scheme"])
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address(kernel, "shell"))
    try:
        request = session.msg("execute_request", {"code": 'println!("ran");', "silent": False})
        frames = session.serialize(request)
        for _ in range(3):
            socket.send_multipart(frames)
        asked = session.msg("kernel_info_request")
        socket.send_multipart(session.serialize(asked))
        replies = []
        while asked["msg_id"] not in replies:
            assert socket.poll(60_000), "the kernel does not answer"
            _, frames = session.feed_identities(socket.recv_multipart())
            replies.append(session.deserialize(frames)["parent_header"]["msg_id"])
    finally:
        socket.close()
        context.term()
    assert replies == [request["msg_id"], asked["msg_id"]]


def test_ten_thousand_queued_cells_run_in_order(kernel):
    assert kernel.run("let mut sum = 0i64;").ok
    last = [kernel.send("sum += 1;") for _ in range(10_000)][-1]
    seen = set()

    def watch(message):
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            seen.add(message["parent_header"].get("msg_id"))

    while last not in seen:
        watch(kernel.client.get_iopub_msg(timeout=60))
    replies = [kernel.client.get_shell_msg(timeout=60) for _ in range(10_000)]
    assert [reply["content"]["status"] for reply in replies] == ["ok"] * 10_000
    counts = [reply["content"]["execution_count"] for reply in replies]
    assert counts == list(range(2, 10_002))
    assert kernel.run("sum").result == "10000"


def test_an_interrupt_in_a_queue_ends_it_as_ipykernel_does(kernel):
    """The running cell is interrupted; those behind it are aborted, and a later one runs."""
    running = kernel.send('println!("ready"); loop { std::hint::black_box(0); }')
    queued = [kernel.send(f"let never_{number} = 1;") for number in range(100)]
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream":
            break
    kernel.manager.interrupt_kernel()
    replies = {}
    while len(replies) < 101:
        reply = kernel.client.get_shell_msg(timeout=60)
        replies[reply["parent_header"]["msg_id"]] = reply["content"]
    assert replies[running]["ename"] == "KeyboardInterrupt"
    assert {replies[message]["status"] for message in queued} == {"aborted"}
    drain(kernel.client.iopub_channel)
    assert kernel.run("1 + 1").result == "2"


READER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.RCVHWM, 1)
socket.setsockopt(zmq.SUBSCRIBE, b"")
socket.connect(sys.argv[1])
socket.recv_multipart()
print("subscribed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def stopped_reader(kernel):
    """A frontend of the kernel that reads its welcome, and then nothing, and whose process stands still."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER, address(kernel, "iopub")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "subscribed\n"
    os.kill(process.pid, signal.SIGSTOP)
    yield process
    process.kill()
    process.wait()


def test_a_reader_that_stands_still_misses_its_own_messages_alone(kernel, stopped_reader):
    # 100 MB: more than is kept for anybody.
    cell = kernel.run('for i in 0..1_000_000 { println!("{i:0>99}"); }')
    assert cell.ok
    assert cell.stdout == "".join(f"{i:0>99}\n" for i in range(1_000_000))
    assert kernel.alive()


def test_text_comes_in_few_messages(kernel):
    begun = time.monotonic()
    cell = kernel.run(
        "for i in 0..2000 { println!(\"{i}\"); std::thread::sleep(std::time::Duration::from_millis(1)); }"
    )
    took = time.monotonic() - begun
    assert cell.stdout == "".join(f"{i}\n" for i in range(2000))
    assert len(cell.of("stream")) <= 20 * took + 1, f"{len(cell.of('stream'))} messages in {took:.1f} s"


def test_an_interrupt_withdraws_a_question(kernel):
    message_id = kernel.send('let name = input("Who? ")?;', allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=60)
    kernel.manager.interrupt_kernel()
    assert kernel.finish(message_id).reply["ename"] == "KeyboardInterrupt"
    # The answer comes too late, and is for nobody.
    kernel.client.input("Ada")
    message_id = kernel.send('input("And now? ")?', allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=60)
    kernel.client.input("Grace")
    assert kernel.finish(message_id).result == '"Grace"'
