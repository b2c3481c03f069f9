"""Commands of a cell, as a frontend sees them: shell commands while they run, and what their ends leave behind."""

import os
import signal
import time

import psutil
from conftest import printed


def begun(kernel, script, before=""):
    """Sends a shell command that prints its process id and goes on; returns its message and the process."""
    message_id = kernel.send(f"!{before}echo started $$; exec {script}")
    printed = ""
    while "started" not in printed or "\n" not in printed:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        assert message["msg_type"] != "error", message["content"]
    return message_id, psutil.Process(int(printed.split()[1]))


def test_output_of_a_shell_command_is_live(kernel, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen = []

    def watch(message):
        if message["msg_type"] == "stream":
            seen.append(message["content"]["text"])
            if "".join(seen) == "one\n":
                # The command waits for this: that `one` is here shows that it came while the command ran.
                gate.write_text("go\n")

    cell = kernel.run(f"!echo one; read line < {gate}; echo two", watch)
    assert cell.ok
    assert cell.stdout == "one\ntwo\n"


def test_an_interrupt_ends_a_shell_command_and_variables_stay(kernel):
    kernel.run("let kept = vec![1, 2];")
    message_id, process = begun(kernel, "sleep 100")
    since = time.monotonic()
    kernel.manager.interrupt_kernel()
    cell = kernel.finish(message_id)
    assert cell.reply["ename"] == "KeyboardInterrupt", cell.reply
    assert time.monotonic() - since < 5
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()
    assert kernel.run("kept").result == "[1, 2]"


def test_a_shell_command_that_ignores_an_interrupt_says_so_at_the_next_and_is_ended_by_another(kernel):
    kernel.run("let kept = vec![1, 2];")
    message_id, process = begun(kernel, "sleep 100", before="trap '' INT; ")
    told = printed("Interrupt again")

    def watch(message):
        if told(message):
            # Those that come before the text can have been read end nothing.
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
                time.sleep(0.2)

    kernel.manager.interrupt_kernel()
    kernel.manager.interrupt_kernel()
    cell = kernel.finish(message_id, watch)
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert "Interrupt again" in cell.stream("stderr")
    assert kernel.run("kept").result == "[1, 2]"


def test_what_a_shell_command_leaves_running_is_shown_later_and_ends_with_the_kernel(kernel, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    message_id = kernel.send(f"!(read line < {gate}; echo later $$; exec sleep 100) &")
    assert kernel.finish(message_id).ok
    group = [child for child in psutil.process_iter() if child.name() == "sh" and str(gate) in " ".join(child.cmdline())]
    gate.write_text("go\n")
    message = kernel.client.get_iopub_msg(timeout=60)
    assert message["content"]["text"].startswith("later "), message
    assert message["parent_header"]["msg_id"] == message_id
    assert group
    kernel.client.shutdown()
    kernel.manager.provisioner.process.wait(timeout=10)
    _, alive = psutil.wait_procs(group, timeout=10)
    assert not alive


def test_a_shell_command_does_not_outlive_the_kernel(kernel):
    _, process = begun(kernel, "sleep 100")
    kernel.client.shutdown()
    kernel.manager.provisioner.process.wait(timeout=10)
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()


def test_folder_and_environment_hold_after_a_crash(kernel, tmp_path):
    folder = str(tmp_path.resolve())
    assert kernel.run(f"%cd {folder}\n%env OXTORCH_TEST_VALUE=seen").ok
    assert kernel.run("std::process::abort()").reply["ename"] == "HostDied"
    cell = kernel.run('!pwd; echo $OXTORCH_TEST_VALUE\nstd::env::var("OXTORCH_TEST_VALUE")?')
    assert cell.stdout == f"{folder}\nseen\n"
    assert cell.result == '"seen"'


def test_variables_are_a_table_in_text_and_html(shared_kernel):
    cell = shared_kernel.run("let x = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));\n:vars")
    data = cell.of("execute_result")[0]["data"]
    assert "[2, 3] float32" in data["text/plain"]
    assert "<td" in data["text/html"] and "[2, 3] float32" in data["text/html"]


def test_documentation_and_help_are_markdown_in_a_notebook(shared_kernel):
    def shown(code):
        return shared_kernel.run(code).of("execute_result")[0]["data"]

    markdown = shown(":doc nn::linear")["text/markdown"]
    assert markdown.startswith("```rust\npub fn linear<") and "let layer: nn::Linear" in markdown
    assert "use oxtorch::prelude" not in markdown
    assert "| `%pwd` |" in shown(":help")["text/markdown"]


def test_a_frontend_learns_that_a_command_is_complete(shared_kernel):
    def status(code):
        shared_kernel.client.is_complete(code)
        return shared_kernel.client.get_shell_msg(timeout=30)["content"]["status"]

    assert status(":vars") == "complete"
    assert status("!echo (") == "complete"
    assert status("%%time") == "incomplete"
    assert status("%%time\nf()") == "complete"


def test_an_unknown_command_is_an_error_that_names_the_nearest(shared_kernel):
    cell = shared_kernel.run(":vras")
    assert cell.reply["ename"] == "CommandError"
    assert ":vars" in "\n".join(cell.reply["traceback"])
