"""Attention, transformer layers and positions, computed with PyTorch 2.13."""

import math

import torch
from torch import nn

from encode import parameters, tensor, write

torch.manual_seed(1)


def jitter(module):
    """Biases and norms begin as zeros and ones, which would hide mistakes."""
    for parameter in module.parameters():
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    return module


attention = jitter(nn.MultiheadAttention(8, 2, batch_first=True))
query, memory = torch.randn(2, 4, 8), torch.randn(2, 3, 8)
padding = torch.tensor([[False, False, True], [False, False, False]])
hidden = torch.tensor([[False, True, False], [False, False, False], [True, True, False], [False, True, True]])
added, by_head = torch.randn(4, 3), torch.randn(4, 4, 3)
float_padding = torch.zeros(2, 3).masked_fill(padding, -math.inf)
masks = {
    "none": {},
    "padding": {"key_padding_mask": padding},
    "bool": {"attn_mask": hidden},
    "float": {"key_padding_mask": float_padding, "attn_mask": added},
    "heads": {"attn_mask": by_head},
}
found = {name: attention(query, memory, memory, average_attn_weights=False, **mask) for name, mask in masks.items()}
causal = torch.ones(4, 4, dtype=torch.bool).triu(1)
causal_output, _ = attention(query, query, query, attn_mask=causal)
causal_output.square().sum().backward()

source, target = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
source_padding = torch.tensor([[False] * 5, [False, False, False, True, True]])


def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).triu(1)


def transformer(**options):
    options = {"dim_feedforward": 12, "dropout": 0.0, "batch_first": True, **options}
    last = nn.LayerNorm(8) if options.get("norm_first") else None
    encoder = jitter(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, **options), 2, last, enable_nested_tensor=False))
    last = nn.LayerNorm(8) if options.get("norm_first") else None
    decoder = jitter(nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, **options), 1, last))
    encoded = encoder(source, mask=causal_mask(5), src_key_padding_mask=source_padding)
    encoded.square().sum().backward()
    decoded = decoder(target, source, tgt_mask=causal_mask(4), memory_key_padding_mask=source_padding)
    gradient = encoder.layers[0].linear1.weight.grad
    return {
        "encoder": {"parameters": parameters(encoder), "output": tensor(encoded), "gradient": tensor(gradient)},
        "decoder": {"parameters": parameters(decoder), "output": tensor(decoded)},
    }


def sinusoidal(length, d):
    table = torch.zeros(length, d, dtype=torch.float64)
    for t in range(length):
        for i in range(d // 2):
            angle = t / 10000 ** (2 * i / d)
            table[t, 2 * i], table[t, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return table.float()


def rotated(x):
    """Each pair as a complex number, turned by its angle."""
    length, d = x.shape[-2:]
    pairs = torch.complex(x[..., : d // 2], x[..., d // 2 :])
    for t in range(length):
        for i in range(d // 2):
            pairs[..., t, i] *= torch.polar(torch.tensor(1.0), torch.tensor(t / 10000 ** (2 * i / d)))
    return torch.cat([pairs.real, pairs.imag], -1)


turn = torch.randn(2, 6, 4)
write(
    "attention",
    {
        "attention": {
            "parameters": parameters(attention),
            "query": tensor(query),
            "memory": tensor(memory),
            "padding": tensor(padding),
            "hidden": tensor(hidden),
            "added": tensor(added),
            "by_head": tensor(by_head),
            "outputs": {**{name: tensor(output) for name, (output, _) in found.items()}, "causal": tensor(causal_output)},
            "weights": {name: tensor(weights) for name, (_, weights) in found.items()},
            "gradient": tensor(attention.in_proj_weight.grad),
        },
        "transformer": {
            "source": tensor(source),
            "target": tensor(target),
            "padding": tensor(source_padding),
            "plain": transformer(),
            "modern": transformer(activation="gelu", norm_first=True),
        },
        "position": {"sinusoidal": tensor(sinusoidal(7, 6)), "input": tensor(turn), "rotated": tensor(rotated(turn))},
    },
)
