"""Interrupts, restarts and ends, as a frontend asks for them."""

import os
import signal
import time

import psutil

BUSY = 'println!("host {} ready", std::process::id());\nloop { std::hint::black_box(0); }'


def begun(kernel, code=BUSY):
    """Sends a cell that never ends, and returns once it runs: its message and the host's process."""
    message_id = kernel.send(code)
    printed = ""
    while "ready" not in printed:
        message = kernel.client.get_iopub_msg(timeout=120)
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        assert message["msg_type"] != "error", message["content"]
    return message_id, int(printed.split()[1])


def ends_interrupted(kernel, message_id, since):
    cell = kernel.finish(message_id)
    took = time.monotonic() - since
    assert cell.reply["ename"] == "KeyboardInterrupt", cell.reply
    assert took < 1.0, f"the interrupt took {took:.2f} s"


def test_an_interrupt_by_message_keeps_variables(kernel):
    assert kernel.manager.kernel_spec.interrupt_mode == "message"
    kernel.run("let mut kept = vec![1, 2];")
    message_id, _ = begun(kernel)
    since = time.monotonic()
    kernel.manager.interrupt_kernel()
    ends_interrupted(kernel, message_id, since)
    assert kernel.run("kept.push(3);\nkept").result == "[1, 2, 3]"


def test_an_interrupt_by_signal_keeps_variables(kernel):
    kernel.run("let mut kept = vec![1, 2];")
    message_id, _ = begun(kernel)
    since = time.monotonic()
    os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
    ends_interrupted(kernel, message_id, since)
    assert kernel.run("kept.push(3);\nkept").result == "[1, 2, 3]"


def test_ctrl_c_in_a_terminal_reaches_kernel_and_host_and_both_go_on(kernel):
    """A terminal sends the signal to the whole process group."""
    kernel.run("let kept = 5;")
    message_id, host = begun(kernel)
    since = time.monotonic()
    os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
    os.kill(host, signal.SIGINT)
    ends_interrupted(kernel, message_id, since)
    assert kernel.run("kept").result == "5"


def test_cells_behind_an_interrupted_one_are_aborted(kernel):
    message_id, _ = begun(kernel)
    behind = kernel.send("1")
    since = time.monotonic()
    kernel.manager.interrupt_kernel()
    ends_interrupted(kernel, message_id, since)
    assert kernel.finish(behind).reply["status"] == "aborted"
    assert kernel.alive()


def test_an_interrupt_ends_a_cell_that_waits_for_input(kernel):
    message_id = kernel.send('let name = input("Who? ")?;', allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=60)
    since = time.monotonic()
    kernel.manager.interrupt_kernel()
    ends_interrupted(kernel, message_id, since)
    assert kernel.alive()


def test_an_idle_kernel_is_not_hurt_by_an_interrupt(kernel):
    kernel.run("let kept = 5;")
    control = kernel.client.control_channel
    control.send(kernel.client.session.msg("interrupt_request"))
    assert control.get_msg(timeout=30)["msg_type"] == "interrupt_reply"
    assert kernel.run("let mut n = 0;\nfor _ in 0..100 { n += kept; }\nn").result == "500"


def test_a_host_killed_in_the_middle_of_a_cell_is_replaced(kernel):
    kernel.run("fn double(n: i32) -> i32 { n * 2 }\nlet weights = vec![1, 2];")
    message_id, host = begun(kernel)
    os.kill(host, signal.SIGKILL)
    cell = kernel.finish(message_id)
    assert cell.reply["status"] == "error"
    told = "\n".join(cell.reply["traceback"]) + cell.stream("stderr")
    assert "weights" in told
    assert kernel.run("double(21)").result == "42"


def test_a_restart_forgets_everything(kernel):
    kernel.run("let kept = 5;")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.run("kept").reply["ename"] == "CompileError"
    cell = kernel.run("1 + 1")
    assert (cell.result, cell.reply["execution_count"]) == ("2", 2)


def test_a_shutdown_ends_kernel_and_host(kernel):
    host = psutil.Process(int(kernel.run("std::process::id()").result))
    process = psutil.Process(kernel.manager.provisioner.pid)
    begin = time.monotonic()
    kernel.client.shutdown()
    psutil.wait_procs([host], timeout=10)
    kernel.manager.provisioner.process.wait(timeout=10)
    assert not host.is_running()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert time.monotonic() - begin < 5


def test_a_shutdown_reaches_a_busy_kernel(kernel):
    _, host = begun(kernel)
    host = psutil.Process(host)
    kernel.client.shutdown()
    kernel.manager.provisioner.process.wait(timeout=10)
    psutil.wait_procs([host], timeout=10)
    assert not host.is_running()


def test_a_host_does_not_outlive_a_killed_kernel(kernel):
    _, host = begun(kernel)
    host = psutil.Process(host)
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs([host], timeout=10)
    assert not alive
