"""Grouped-query attention and rotary positions with a base, computed with PyTorch 2.13."""

import torch
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(32)


def rotated(x, positions, base):
    """Each pair as a complex number, turned by its angle; positions are `[N, length]`."""
    d = x.shape[-1]
    pairs = torch.complex(x[..., : d // 2], x[..., d // 2 :])
    angles = torch.stack([positions.double() / base ** (2 * i / d) for i in range(d // 2)], -1)
    angles = angles.view(len(x), *[1] * (x.dim() - 3), *angles.shape[1:])
    pairs = pairs * torch.polar(torch.ones_like(angles), angles).to(pairs.dtype)
    return torch.cat([pairs.real, pairs.imag], -1)


def counted(x, first):
    return torch.arange(first, first + x.shape[-2]).expand(len(x), -1)


# 8 numbers, 4 heads of 2, 2 heads of keys and values.
shapes = {"in_proj_weight": (16, 8), "in_proj_bias": (16,), "out_proj.weight": (8, 8), "out_proj.bias": (8,)}
weights = {name: 0.5 * torch.randn(shape) for name, shape in shapes.items()}
xs = torch.randn(2, 5, 8)


def attended(turn):
    own = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    projected = F.linear(xs, own["in_proj_weight"], own["in_proj_bias"])
    query, key, value = projected.split([8, 4, 4], -1)
    query, key, value = [part.unflatten(-1, (-1, 2)).transpose(1, 2) for part in (query, key, value)]
    heads = F.scaled_dot_product_attention(turn(query), turn(key), value, is_causal=True, enable_gqa=True)
    output = F.linear(heads.transpose(1, 2).flatten(2), own["out_proj.weight"], own["out_proj.bias"])
    output.square().sum().backward()
    return {"output": tensor(output), "gradient": tensor(own["in_proj_weight"].grad)}


turned = torch.randn(2, 4, 3, 6)
places = torch.tensor([[0, 1, 2], [9, 4, 5]])
write(
    "grouped_attention",
    {
        "grouped": {
            "parameters": {name: tensor(weight) for name, weight in weights.items()},
            "input": tensor(xs),
            "plain": attended(lambda x: x),
            "rotary": attended(lambda x: rotated(x, counted(x, 0), 500)),
        },
        "rotary": {
            "input": tensor(turned),
            "places": tensor(places),
            "base": tensor(rotated(turned, counted(turned, 0), 500)),
            "offset": tensor(rotated(turned, counted(turned, 7), 500)),
            "one_each": tensor(rotated(turned, places, 500)),
        },
    },
)
