"""Writes reference values as JSON, in the form that `runtime/src/tests/reference.rs` reads."""

import json
import math
from pathlib import Path


def number(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {True: "nan"}.get(math.isnan(value), "inf" if value > 0 else "-inf")
    return value


def tensor(value):
    """A tensor of PyTorch or an array of NumPy."""
    dtype = str(value.dtype).removeprefix("torch.")
    if hasattr(value, "detach"):
        value = value.detach()
    # The shortest text that gives the same float32 again.
    digits = (lambda x: float(f"{x:.9g}")) if dtype == "float32" else (lambda x: x)
    return {"shape": list(value.shape), "dtype": dtype, "values": [number(digits(x)) for x in value.flatten().tolist()]}


def parameters(module):
    """The parameters and buffers of a module of PyTorch, by name."""
    return {name: tensor(value) for name, value in module.state_dict().items() if value.dim()}


def write(name, values):
    """Writes `name`.json beside this file: values by name, which may be nested; each on a line of its own."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    Path(__file__).with_name(f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
