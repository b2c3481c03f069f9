"""Prints tensors with PyTorch and writes what it printed to tensor_text.json, beside this file.

Run with PyTorch 2.13 (`pip install torch==2.13.0`): `python tensor_text.py`. The test in `runtime/src/display/tensor.rs` builds the same
tensors and compares.
"""

import json
import math
from pathlib import Path

import torch

CASES = []


def encode(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {True: "nan"}.get(math.isnan(value), "inf" if value > 0 else "-inf")
    return value


def record(case, tensor):
    if case.get("requires_grad"):
        tensor.requires_grad_(True)
    if case.get("sparse"):
        tensor = tensor.to_sparse()
    CASES.append(case | {"text": repr(tensor)})


def floats(values, shape=None, dtype="float32", imaginary=None, **flags):
    shape = [len(values)] if shape is None else shape
    case = {"dtype": dtype, "shape": shape, "values": [encode(value) for value in values]}
    tensor = torch.tensor(values, dtype=torch.float64)
    if imaginary is not None:
        case["imaginary"] = [encode(value) for value in imaginary]
        tensor = torch.complex(tensor, torch.tensor(imaginary, dtype=torch.float64))
    record(case | flags, tensor.to(getattr(torch, dtype)).reshape(shape))


def integers(values, shape=None, dtype="int64", **flags):
    shape = [len(values)] if shape is None else shape
    case = {"dtype": dtype, "shape": shape, "integers": values}
    record(case | flags, torch.tensor(values, dtype=torch.int64).to(getattr(torch, dtype)).reshape(shape))


def ramp(shape, scale=1.0, dtype="float32", **flags):
    count = math.prod(shape)
    case = {"dtype": dtype, "shape": shape, "ramp": [count, scale]}
    tensor = torch.arange(count, dtype=torch.float64) * scale
    record(case | flags, tensor.to(getattr(torch, dtype)).reshape(shape))


# Whole numbers, fractions, scientific notation.
floats([1.0, 2.0, 3.0])
floats([1.0, -2.0, 300.0])
floats([1.0, 2.5], [2])
floats([1.0, 2.0, 3.0, 4.5], [2, 2])
floats([0.1, 100.0])
floats([0.1, 100.1])
floats([0.001, 1.0])
floats([0.0009, 1.0])
floats([1e-5, 2e-5])
floats([1e-4])
floats([9.99e-5, 0.0])
floats([1e8, 1.0])
floats([1.5e8])
floats([2e8, 3e8])
floats([1e9])
floats([1e30, -1e-30])
floats([1e-120, 1e120, 3.0], dtype="float64")
floats([1.0, 1001.0])
floats([1.0, 1000.0])
floats([0.5, 600.25, -3.125])
floats([99999.5, 100000.5])
floats([0.00005, 0.5], dtype="float64")
floats([1.00005, 2.00015, 0.12345])
floats([0.5, 1.5, 2.5, 1234.5])
floats([-0.0, 0.0])
floats([-0.0, 1.5])
floats([1 / 3, 2 / 3], dtype="float64")
floats([0.0, 0.0, 0.0, 0.0], [2, 2])
# Values that are not finite.
floats([math.nan, 1.0, math.inf])
floats([math.nan, 1.25, -math.inf])
floats([math.nan, 1e-6, -math.inf, 0.0])
floats([math.nan])
floats([math.inf, -math.inf])
floats([math.inf, 0.0])
floats([-1.0, math.inf, 1e9])
# Other dtypes.
for dtype in ["float64", "float16", "bfloat16"]:
    floats([0.1, 2.0, -3.3], dtype=dtype)
    floats([1.0, 2.0], dtype=dtype)
    floats([0.25], [], dtype=dtype)
floats([65504.0, 6e-8, 1.0], dtype="float16")
for dtype in ["uint8", "int8", "int32", "int64"]:
    integers([0, 1, 100], dtype=dtype)
    integers([7], [], dtype=dtype)
integers([-1, 10, 200, -3000], [2, 2])
integers([2**53 + 1, -(2**62)])
integers([0, 1, 1, 0], [2, 2], dtype="bool")
integers([1, 1], dtype="bool")
integers([0], [], dtype="bool")
floats([1.0, -2.5], imaginary=[0.5, -1.0], dtype="complex64")
floats([1.0, 2.0], imaginary=[0.0, -0.0], dtype="complex128")
floats([1e-7, 2.0, 3.0, 4.0], [2, 2], imaginary=[1.0, math.nan, 2.0, -100.0], dtype="complex64")
floats([1.0], [], imaginary=[-2.0], dtype="complex64")
# No dimension, no values.
floats([3.0], [])
floats([3.14159], [])
floats([1e-7], [])
floats([123456789.0], [])
floats([math.nan], [])
floats([-math.inf], [])
floats([])
floats([], [0, 3])
floats([], [2, 0, 3], requires_grad=True)
floats([], [0], dtype="float64")
integers([], [0])
integers([], [3, 0])
integers([], [0], dtype="bool")
# Several dimensions, several lines.
ramp([2, 3, 4])
ramp([2, 2, 2, 2], 0.1)
ramp([1, 1, 1, 1, 1])
ramp([3, 1])
ramp([30])
ramp([30], 0.1)
ramp([2, 30], 0.37)
ramp([2, 1, 40], dtype="int64")
ramp([50], dtype="int32")
ramp([17], 12345.678)
ramp([100], 1.0, dtype="float64")
ramp([13], dtype="float64")
ramp([14], dtype="float64")
ramp([15], dtype="float64")
ramp([16], dtype="float64")
ramp([17], dtype="float64")
ramp([18], dtype="float64")
# The middle left out.
ramp([1000])
ramp([1001])
ramp([1001], 0.001)
ramp([2000], dtype="int64")
ramp([2000], dtype="uint8")
ramp([40, 40])
ramp([40, 40], 0.01)
ramp([2, 600])
ramp([600, 2])
ramp([6, 200])
ramp([7, 200], dtype="float64")
ramp([10, 10, 11], 0.5)
ramp([8, 1, 12, 12], dtype="int64")
ramp([4, 4, 4, 4, 5])
ramp([10, 200], dtype="bool")
ramp([2000], requires_grad=True)
ramp([3, 2000], dtype="complex64")
# Attributes after the values.
floats([1.0, 2.0], requires_grad=True)
floats([1.5], [], dtype="float64", requires_grad=True)
floats([1.0, 2.5, 3.0, 4.0], [2, 2], dtype="float16", requires_grad=True)
for count in range(5, 12):
    ramp([count], 0.25, dtype="float64", requires_grad=True)
    ramp([2, count], 0.25, requires_grad=True)
floats([0.0, 1.5, 0.0, 0.0, 2.0, 0.0], [2, 3], sparse=True)
integers([0, 3, 0, 0, 2, 0], [3, 2], dtype="int32", sparse=True)
floats([0.0, 0.0], [2], sparse=True)

lines = ",\n".join(json.dumps(case) for case in CASES)
Path(__file__).with_name("tensor_text.json").write_text(f"[\n{lines}\n]\n")
