"""Initial values: what PyTorch 2.13's torch.nn.init draws for two shapes, in numbers that describe it; and alpha dropout."""

import math

import torch
from torch.nn import init

from encode import write

torch.manual_seed(3)

shapes = {"linear": (300, 200), "conv": (64, 48, 5, 5)}
draws = {
    "uniform": lambda w: init.uniform_(w, -0.5, 2.0),
    "normal": lambda w: init.normal_(w, 1.0, 0.3),
    "trunc_normal": lambda w: init.trunc_normal_(w, 0.5, 1.0, -1.0, 1.5),
    "xavier_uniform": lambda w: init.xavier_uniform_(w, init.calculate_gain("tanh")),
    "xavier_normal": init.xavier_normal_,
    "kaiming_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "kaiming_normal": lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    "kaiming_leaky": lambda w: init.kaiming_uniform_(w, a=math.sqrt(5)),
    "orthogonal": lambda w: init.orthogonal_(w, 1.5),
}


def described(draw, shape):
    w = torch.empty(shape)
    draw(w)
    return {"mean": w.mean().item(), "std": w.std().item(), "min": w.min().item(), "max": w.max().item()}


dropped = torch.nn.AlphaDropout(0.3)(torch.ones(100, dtype=torch.float64))
write(
    "init",
    {
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        **{name: {shape: described(draw, shapes[shape]) for shape in shapes} for name, draw in draws.items()},
        "gains": {
            **{name: init.calculate_gain(name) for name in ["relu", "tanh", "linear", "sigmoid", "selu"]},
            "leaky_relu": init.calculate_gain("leaky_relu", 0.2),
        },
        "alpha_dropout": {"low": dropped.min().item(), "high": dropped.max().item()},
    },
)
