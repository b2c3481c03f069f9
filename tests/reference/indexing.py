"""Indexes tensors with PyTorch and writes what came of it to indexing.json, beside this file.

Run with PyTorch 2.13 (`pip install torch==2.13.0`): `python indexing.py`. The test in `runtime/src/tests/indexing.rs` indexes the same
tensors with the same expressions and compares. Expressions are drawn at random, from a fixed seed; one in ten is an error.
"""

import random

import torch

from encode import tensor, write

random.seed(13)


def place(size):
    return random.randrange(-size, size) if random.random() < 0.95 else size + random.randrange(3)


def ends(size):
    return random.choice([None, random.randrange(-size - 2, size + 3)])


def places(size, count, unique):
    chosen = random.sample(range(size), count) if unique else [random.randrange(size) for _ in range(count)]
    chosen = [at - size if random.random() < 0.3 else at for at in chosen]
    if chosen and not unique and random.random() < 0.04:
        chosen[0] = size
    return torch.tensor(chosen, dtype=random.choice([torch.int64, torch.int64, torch.int32]))


def expression(shape, unique):
    """Parts of an index as JSON, and as Python has them."""
    parts, axis, skips = [], 0, False
    wanted = random.choice([len(shape), random.randint(0, len(shape)), len(shape) + (random.random() < 0.1)])
    shared = random.randint(1, 3)
    while axis < wanted:
        size = shape[axis] if axis < len(shape) else 1
        left = shape[axis:]
        kind = random.choices(
            ["at", "slice", "new", "ellipsis", "tensor", "grid", "mask", "scalar", "truth"], [5, 8, 2, 1, 5, 1, 3, 1, 0.3]
        )[0]
        step = 1
        if kind == "at":
            at = place(size)
            parts.append(({"at": at}, at))
        elif kind == "slice":
            start, end, by = ends(size), ends(size), random.choice([1, 1, 2, 3])
            parts.append(({"slice": [start, end, by]}, slice(start, end, by)))
        elif kind == "new":
            parts.append(({"new": True}, None))
            step = 0
        elif kind == "ellipsis":
            if skips:
                continue
            skips = True
            parts.append(({"ellipsis": True}, ...))
            # What comes behind it is about the last axes.
            step = random.randint(0, len(left))
            axis, step = axis + step, 0
            if axis >= wanted:
                break
        else:
            if kind == "tensor":
                count = min(shared, size) if random.random() < 0.95 else 2
                value = places(size, min(count, size), unique) if size else torch.zeros(0, dtype=torch.int64)
            elif kind == "grid":
                value = places(size, size, unique).reshape(-1, 1)
            elif kind == "mask":
                dims = random.randint(1, min(2, len(left))) if left else 1
                mask_shape = list(left[:dims]) or [1]
                if random.random() < 0.05:
                    mask_shape[0] += 1
                value, step = torch.rand(mask_shape) < 0.6, dims
            elif kind == "scalar":
                value = torch.tensor(place(size))
            else:
                value, step = torch.tensor(random.random() < 0.7), 0
            parts.append(({"tensor": tensor(value.to(torch.int64) if value.dtype == torch.int32 else value)}, value))
        axis += step
    if sum(part is ... for _, part in parts) > 1:
        return expression(shape, unique)
    return [part for part, _ in parts], tuple(part for _, part in parts)


def read(number):
    torch.manual_seed(number)
    shape = [random.randint(1, 4) for _ in range(random.randint(1, 4))]
    x = torch.arange(torch.Size(shape).numel()).reshape(shape)
    parts, index = expression(shape, unique=False)
    try:
        result = tensor(x[index])
    except IndexError:
        result = None
    return {"shape": shape, "index": parts, "result": result}


def put(number):
    torch.manual_seed(1000 + number)
    shape = [random.randint(1, 4) for _ in range(random.randint(1, 3))]
    x = torch.zeros(shape)
    parts, index = expression(shape, unique=True)
    value = torch.tensor(2.5)
    try:
        size = list(x[index].shape)
        what = random.choice(["number", "whole", "whole", "row", "too large"])
        if what == "too large":
            value = torch.zeros(7, 5)
        elif what != "number":
            size = [1 if random.random() < 0.3 else n for n in (size if what == "whole" else size[1:])]
            value = torch.arange(torch.Size(size).numel(), dtype=torch.float32).reshape(size) + 1
        x[index] = value
        result = tensor(x)
    except (IndexError, RuntimeError):
        result = None
    return {"shape": shape, "index": parts, "value": tensor(value), "result": result}


write("indexing", {f"read {n}": read(n) for n in range(240)} | {f"put {n}": put(n) for n in range(120)})
