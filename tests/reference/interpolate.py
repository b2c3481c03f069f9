"""`torch.nn.functional.interpolate` of PyTorch 2.13 in all its modes, with the gradients of the squares' sum."""

import torch
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(2)
inputs = {3: torch.randn(2, 2, 7), 4: torch.randn(1, 2, 5, 6), 5: torch.randn(1, 1, 3, 4, 3)}
sizes = {3: [[11], [4]], 4: [[8, 9], [3, 4]], 5: [[5, 3, 4]]}
scales = {3: [[1.7]], 4: [[2.0], [1.6, 0.7]], 5: [[1.5]]}


def case(dims, **options):
    input = inputs[dims].clone().requires_grad_()
    each = lambda value: value * (dims - 2) if isinstance(value, list) and len(value) == 1 else value
    output = F.interpolate(input, **{name: each(value) for name, value in options.items()})
    output.square().sum().backward()
    return {"dims": dims, "options": options, "output": tensor(output), "gradient": tensor(input.grad)}


targets = {dims: [{"size": s} for s in sizes[dims]] + [{"scale_factor": s} for s in scales[dims]] for dims in inputs}
modes = ("nearest", "nearest-exact", "area")
cases = [case(dims, mode=mode, **to) for mode in modes for dims in inputs for to in targets[dims]]
for dims, modes in {3: ["linear"], 4: ["bilinear", "bicubic"], 5: ["trilinear"]}.items():
    for mode in modes:
        for corners in (False, True):
            cases += [case(dims, mode=mode, align_corners=corners, **to) for to in targets[dims]]
cases += [case(4, mode=mode, antialias=True, **to) for mode in ("bilinear", "bicubic") for to in targets[4]]
write("interpolate", {"inputs": {str(dims): tensor(input) for dims, input in inputs.items()}, "cases": cases})
