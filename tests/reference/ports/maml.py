"""Model-agnostic meta-learning of sinusoids (C. Finn et al., 2017). `tests/cells/port_maml.cells` is the same in
cells."""

import math
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

META_STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
TASKS, SHOTS, INNER_LR, META_LR = 16, 10, 0.01, 1e-3

torch.manual_seed(1)
model = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=META_LR)


def sinusoid():
    amplitude, phase = 0.1 + 4.9 * torch.rand(1), math.pi * torch.rand(1)

    def draw():
        x = 10.0 * torch.rand(SHOTS, 1) - 5.0
        return x, amplitude * torch.sin(x - phase)

    return draw


def loss(params, x, y):
    return F.mse_loss(functional_call(model, params, x), y)


def adapt(x, y, steps):
    params = dict(model.named_parameters())
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(params, x, y), params.values(), create_graph=True)
        params = {name: weight - INNER_LR * gradient for (name, weight), gradient in zip(params.items(), gradients)}
    return params


for step in range(META_STEPS):
    meta_loss = 0.0
    for _ in range(TASKS):
        task = sinusoid()
        x, y = task()
        fast = adapt(x, y, 1)
        x, y = task()
        meta_loss += loss(fast, x, y)
    meta_loss = meta_loss / TASKS
    optimizer.zero_grad()
    meta_loss.backward()
    optimizer.step()
    if step < 5 or (step + 1) % 20 == 0:
        print(f"step {step}: meta loss {meta_loss.item():.5f}")

losses = torch.zeros(3)
for _ in range(100):
    task = sinusoid()
    x, y = task()
    x_test, y_test = task()
    for i, steps in enumerate([0, 1, 5]):
        losses[i] += loss(adapt(x, y, steps), x_test, y_test).detach() / 100
print(f"after 0, 1, 5 steps: {losses[0]:.4f}, {losses[1]:.4f}, {losses[2]:.4f}")
