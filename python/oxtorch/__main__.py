"""`python -m oxtorch`: the program that this Python's package brought, as the kernelspec of the wheel starts it."""

from __future__ import annotations

import os
import sys

from oxtorch.program import ProgramNotFound, find_program

try:
    program = str(find_program())
except ProgramNotFound as error:
    sys.exit(f"error: {error}")
os.execv(program, [program, *sys.argv[1:]])
