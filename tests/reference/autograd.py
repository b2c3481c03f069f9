"""Derivatives of functions, gradients with a graph, and hooks, computed with PyTorch 2.13."""

import torch
from torch.autograd import functional

from encode import tensor, write

torch.manual_seed(5)

weight = torch.randn(3, 2, dtype=torch.float64)
x = torch.randn(2, 3, dtype=torch.float64)
direction = torch.randn(2, 3, dtype=torch.float64)
output_gradient = torch.randn(2, 2, dtype=torch.float64)


def function(x):
    return (x @ weight).tanh() * x.sum()


def scalar(x):
    return function(x).square().sum()


leaf = x.clone().requires_grad_()
norm = torch.autograd.grad(scalar(leaf), leaf, create_graph=True)[0].norm(2)
penalty = (norm - 1) ** 2
(penalty_gradient,) = torch.autograd.grad(penalty, leaf)

hooked = x.clone().requires_grad_()
hidden = hooked @ weight
hidden.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
hidden.retain_grad()
hidden.tanh().sum().backward()

write(
    "autograd",
    {
        "weight": tensor(weight),
        "x": tensor(x),
        "direction": tensor(direction),
        "output_gradient": tensor(output_gradient),
        "jacobian": tensor(functional.jacobian(function, x)),
        "hessian": tensor(functional.hessian(scalar, x)),
        "vjp": tensor(functional.vjp(function, x, output_gradient)[1]),
        "jvp": tensor(functional.jvp(function, x, direction)[1]),
        "penalty": tensor(penalty),
        "penalty_gradient": tensor(penalty_gradient),
        "hooked": {"hidden": tensor(hidden.grad), "x": tensor(hooked.grad)},
    },
)
