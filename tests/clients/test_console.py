"""The kernel in a terminal, by `jupyter console`."""

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
