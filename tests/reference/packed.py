"""Recurrent layers over packed sequences, computed with PyTorch 2.13."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from encode import parameters, tensor, write

torch.manual_seed(34)

lengths = torch.tensor([3, 5, 1, 4])


def case(layer, batch_first=True, **options):
    layer = layer(3, 4, batch_first=batch_first, **options)
    x = torch.randn(4, 6, 3) if batch_first else torch.randn(6, 4, 3)
    x.requires_grad_()
    packed = pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
    output, states = layer(packed)
    output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=6)
    states = states if isinstance(states, tuple) else (states,)
    (output.square().sum() + sum(state.sum() for state in states)).backward()
    return {
        "parameters": parameters(layer),
        "input": tensor(x),
        "output": tensor(output),
        "states": [tensor(state) for state in states],
        "gradient": tensor(x.grad),
        "weight_gradient": tensor(layer.weight_hh_l0.grad),
    }


def cases(layer):
    both = {"num_layers": 2, "bidirectional": True}
    return {"one": case(layer), "both": case(layer, **both), "steps_first": case(layer, batch_first=False, **both)}


write("packed", {"lengths": tensor(lengths), "lstm": cases(nn.LSTM), "gru": cases(nn.GRU), "rnn": cases(nn.RNN)})
