"""Norms, PReLU and a feed-forward network with a gate, with their gradients, computed with PyTorch 2.13."""

import torch
from torch import nn
from torch.nn import functional as F

from encode import parameters, tensor, write

torch.manual_seed(31)


def jitter(module):
    """Weights of 1 and biases of 0 would hide mistakes."""
    for parameter in module.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return module


rows = torch.randn(2, 3, 4) * 2 + 0.5


def rms(shape, **options):
    norm, values = jitter(nn.RMSNorm(shape, **options)), rows.clone().requires_grad_()
    output = norm(values)
    output.pow(3).sum().backward()
    return {
        "parameters": parameters(norm),
        "output": tensor(output),
        "gradient": tensor(values.grad),
        "weight_gradient": tensor(norm.weight.grad),
    }


def instance(layer, *places):
    values = torch.randn(2, 3, *places) * 2 + 1
    norm = jitter(layer(3, eps=0.01, affine=True, track_running_stats=True))
    norm.running_mean.add_(0.5)
    before = parameters(norm)
    trained = norm(values)
    trained.pow(3).sum().backward()
    return {
        "input": tensor(values),
        "plain": tensor(layer(3)(values)),
        "one": tensor(layer(3)(values[0])),
        "parameters": before,
        "trained": tensor(trained),
        "gradient": tensor(norm.weight.grad),
        "running_mean": tensor(norm.running_mean),
        "running_var": tensor(norm.running_var),
        "evaluated": tensor(norm.eval()(values)),
    }


images = torch.randn(2, 3, 4)


def prelu(count):
    layer = jitter(nn.PReLU(count))
    output = layer(images)
    output.square().sum().backward()
    return {"parameters": parameters(layer), "output": tensor(output), "gradient": tensor(layer.weight.grad)}


class SwiGLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.w2 = nn.Linear(4, 6, bias=False), nn.Linear(6, 4, bias=False)
        self.w3 = nn.Linear(4, 6, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


gated = SwiGLU()
through = gated(rows)
through.square().sum().backward()

write(
    "norms",
    {
        "rms": {
            "input": tensor(rows),
            "plain": rms(4),
            "eps": rms(4, eps=0.1),
            "two": rms((3, 4)),
            "bare": tensor(F.rms_norm(rows, (4,))),
        },
        "layer_norm_eps": tensor(F.layer_norm(rows, (4,), eps=0.1)),
        "instance": {
            "1": instance(nn.InstanceNorm1d, 6),
            "2": instance(nn.InstanceNorm2d, 3, 4),
            "3": instance(nn.InstanceNorm3d, 2, 2, 3),
        },
        "prelu": {"input": tensor(images), "one": prelu(1), "channels": prelu(3)},
        "swiglu": {
            "input": tensor(rows),
            "parameters": parameters(gated),
            "output": tensor(through),
            "gradients": {name: tensor(parameter.grad) for name, parameter in gated.named_parameters()},
        },
    },
)
