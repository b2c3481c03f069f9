"""The kernel in a terminal, by `jupyter console`."""

import os
import re
import sys

import pexpect
import pytest


@pytest.fixture
def console():
    """A console with a kernel of its own."""
    arguments = ["-m", "jupyter", "console", "--simple-prompt", "--kernel", "oxtorch"]
    console = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=60)
    console.expect(r"In \[1\]: ")
    yield console
    console.close(force=True)


def test_values_prints_errors_and_input(console):
    console.sendline("let a = 40;")
    console.expect(r"In \[2\]: ")
    console.sendline("a + 2")
    console.expect(r"Out\[2\]: 42")
    console.sendline('for i in 0..3 { println!("line {i}"); }')
    console.expect("line 0\r\nline 1\r\nline 2\r\n")
    console.sendline("let b: u8 = a;")
    console.expect("mismatched types")
    console.sendline('input("Who? ")?')
    console.expect(r"Who\? ")
    console.sendline("Ada")
    console.expect(r'Out\[5\]: "Ada"')


def test_ctrl_c_interrupts_the_cell_and_not_the_console(console):
    console.sendline('println!("ready"); loop { std::hint::black_box(0); }')
    console.expect("ready\r\n")
    # Its handler can run in the midst of the console's own reading, and then sends nothing: one presses the keys again.
    for _ in range(5):
        console.sendintr()
        if console.expect(["the cell was interrupted", pexpect.TIMEOUT], timeout=10) == 0:
            break
    else:
        pytest.fail("Ctrl-C does not interrupt the cell")
    console.expect(r"In \[2\]: ")
    console.sendline("1 + 1")
    console.expect(r"Out\[2\]: 2")


def styled(text):
    """A text as a pattern, with whatever the console's editor does between its letters."""
    return r"(?:\x1b\[[\d;?]*[a-zA-Z])*".join(map(re.escape, text))


def test_enter_goes_on_in_a_block_and_runs_what_is_whole():
    # The console with its editor, whose keys and lines are those of a terminal.
    patient = "--ZMQTerminalInteractiveShell.kernel_is_complete_timeout=30"
    arguments = ["-m", "jupyter", "console", "--kernel", "oxtorch", patient]
    environment = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    console = pexpect.spawn(
        sys.executable, arguments, encoding="utf-8", timeout=60, env=environment, dimensions=(40, 120)
    )

    def enter(line, then):
        console.send(f"{line}\r")
        console.expect(styled(then))

    try:
        console.expect(styled("In [1]: "))
        enter("for i in 0..3 {", "...: ")
        # What the editor has put there itself is not typed.
        enter('println!("line {}", 11 * i);', "...: ")
        enter("}", "line 22\r\n")
        console.expect(styled("In [2]: "))
        # A statement without its semicolon may go on; an empty line ends it.
        enter("let a = 40 + 2", "...: ")
        enter("", "expected `;`")
        console.expect(styled("In [3]: "))
        enter("6 * 7", "Out[3]: ")
        console.expect("42")
    finally:
        console.close(force=True)
