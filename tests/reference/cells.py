"""Five steps of each recurrent cell, with and without biases, computed with PyTorch 2.13."""

import torch
from torch import nn

from encode import parameters, tensor, write

torch.manual_seed(8)

xs = torch.randn(5, 2, 3)


def run(cell):
    state = None
    for x in xs:
        state = cell(x, state)
    h, c = state if isinstance(state, tuple) else (state, None)
    return {"weights": parameters(cell), "h": tensor(h), **({} if c is None else {"c": tensor(c)})}


kinds = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
write(
    "cells",
    {
        "xs": tensor(xs),
        **{
            name: {kind: run(make(3, 4, bias=bias)) for kind, make in kinds.items()}
            for name, bias in [("bias", True), ("no_bias", False)]
        },
    },
)
