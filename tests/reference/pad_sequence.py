"""Sequences of several lengths as PyTorch fills them up, and the gradients through that."""

import torch
from torch.nn.utils.rnn import pad_sequence

from encode import tensor, write

torch.manual_seed(0)
sequences = [torch.randn(length, 2, requires_grad=True) for length in (3, 5, 1)]


def padded(batch_first, value, side):
    output = pad_sequence(sequences, batch_first, value, side)
    gradients = torch.autograd.grad(output.square().sum(), sequences)
    return {"output": tensor(output), "gradients": [tensor(gradient) for gradient in gradients]}


write(
    "pad_sequence",
    {
        "sequences": [tensor(sequence) for sequence in sequences],
        "steps_first": padded(False, 0.0, "right"),
        "batch_first": padded(True, 0.0, "right"),
        "value": padded(True, -1.5, "right"),
        "left": padded(True, 2.0, "left"),
        "left_steps_first": padded(False, 0.0, "left"),
    },
)
