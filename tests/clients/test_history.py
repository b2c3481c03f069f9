"""The history that a frontend asks for, kept from one kernel to the next."""

import os

import pytest
from conftest import Kernel


@pytest.fixture
def sessions(tmp_path):
    """Starts kernels that keep their history in one place."""
    started = []

    def start():
        started.append(Kernel(env={**os.environ, "OXTORCH_HISTORY": str(tmp_path / "history")}))
        return started[-1]

    yield start
    for kernel in started:
        kernel.stop()


def history(kernel, **request):
    message_id = kernel.client.history(**request)
    reply = kernel.client.get_shell_msg(timeout=60)
    assert (reply["parent_header"]["msg_id"], reply["msg_type"]) == (message_id, "history_reply")
    assert reply["content"]["status"] == "ok", reply
    return [tuple(entry) for entry in reply["content"]["history"]]


def test_the_history_outlives_its_kernel(sessions, tmp_path):
    first = sessions()
    assert first.run("let a = 1;").ok
    assert first.run("let b = [1, 2];").ok
    first.stop()
    second = sessions()
    assert second.run("2 + 3").result == "5"
    assert history(second, hist_access_type="tail", n=2) == [(1, 2, "let b = [1, 2];"), (2, 1, "2 + 3")]
    assert history(second, hist_access_type="range", session=-1, start=1, stop=2) == [(1, 1, "let a = 1;")]
    assert history(second, hist_access_type="search", pattern="let b = [*") == [(1, 2, "let b = [1, 2];")]
    assert history(second, hist_access_type="tail", n=1, output=True) == [(2, 1, ["2 + 3", "5"])]
    for file in (tmp_path / "history").iterdir():
        assert file.stat().st_mode & 0o077 == 0, "others can read it"


def test_a_cell_that_is_not_for_the_history_is_not_in_it(sessions):
    kernel = sessions()
    kernel.run("let kept = 1;")
    kernel.run("let unkept = 1;", store_history=False)
    kernel.run("let silent = 1;", silent=True)
    kernel.run("let broken: u8 = 1.5;")
    assert [cell for _, _, cell in history(kernel, hist_access_type="tail", n=9)] == [
        "let kept = 1;",
        "let broken: u8 = 1.5;",
    ]
