"""Learning rates, clipped gradients, steps of optimisers and averaged weights, computed with PyTorch 2.13."""

import copy

import torch
from torch import nn
from torch.optim import lr_scheduler as schedules

from encode import parameters, tensor, write

torch.manual_seed(0)


def rates(make, epochs=40):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scheduler = make(optimizer)
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(found) < epochs:
            scheduler.step()
    return found


def sequence(optimizer):
    parts = [schedules.LinearLR(optimizer, 0.1, 1.0, 10), schedules.ExponentialLR(optimizer, 0.8)]
    return schedules.SequentialLR(optimizer, parts, milestones=[10])


named = {
    "StepLR": lambda o: schedules.StepLR(o, 7, 0.5),
    "MultiStepLR": lambda o: schedules.MultiStepLR(o, [5, 20, 21], 0.3),
    "ExponentialLR": lambda o: schedules.ExponentialLR(o, 0.9),
    "ConstantLR": lambda o: schedules.ConstantLR(o, 0.25, 6),
    "LinearLR": lambda o: schedules.LinearLR(o, 0.2, 0.9, 8),
    "PolynomialLR": lambda o: schedules.PolynomialLR(o, 25, 1.7),
    "CosineAnnealingLR": lambda o: schedules.CosineAnnealingLR(o, 15, 0.01),
    "CosineAnnealingWarmRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 5, 2, 0.001),
    "EqualRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 6, 1),
    "OneCycleLR": lambda o: schedules.OneCycleLR(o, 0.1, 40),
    "OneCycleOther": lambda o: schedules.OneCycleLR(o, 0.1, 40, pct_start=0.5, div_factor=10, final_div_factor=100),
    "LambdaLR": lambda o: schedules.LambdaLR(o, lambda time: 1 / (1 + time)),
    "SequentialLR": sequence,
}

losses = [3.0, 2.0, 1.5, 1.49, 1.48, 1.6, 1.7, 1.3, 1.29995, 1.2999, 1.31, 1.28, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.2, 1.3]


def plateau(**options):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = schedules.ReduceLROnPlateau(optimizer, **options)
    found = []
    for loss in losses:
        scheduler.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    return found


cooled = {"factor": 0.5, "patience": 1, "cooldown": 3, "min_lr": 0.03, "threshold": 0.05}

original = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
inputs, target = torch.randn(6, 5), torch.tensor([0, 1, 2, 1, 0, 2])


def backward(net):
    nn.functional.cross_entropy(net(inputs), target).backward()
    return net


def gradients(net):
    return {name: tensor(parameter.grad) for name, parameter in net.named_parameters()}


def clipped(clip):
    net = backward(copy.deepcopy(original))
    return clip(net.parameters()), gradients(net)


norm, tight = clipped(lambda p: nn.utils.clip_grad_norm_(p, 0.05))
_, wide = clipped(lambda p: nn.utils.clip_grad_norm_(p, 100.0))
_, cut = clipped(lambda p: nn.utils.clip_grad_value_(p, 0.02))

net = copy.deepcopy(original)
weights = [p for name, p in net.named_parameters() if not name.endswith("bias")]
biases = [p for name, p in net.named_parameters() if name.endswith("bias")]
groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0, "lr": 0.02}]
adamw = torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1)
for _ in range(5):
    adamw.zero_grad()
    backward(net)
    nn.utils.clip_grad_norm_(net.parameters(), 0.1)
    adamw.step()
after_adamw = parameters(net)

net = copy.deepcopy(original)
sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True)
for _ in range(5):
    sgd.zero_grad()
    backward(net)
    sgd.step()

states = [torch.randn(4) for _ in range(4)]
averaged = torch.optim.swa_utils.AveragedModel(
    holder := nn.ParameterList([nn.Parameter(states[0].clone())]),
    multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.7),
)
averaged.update_parameters(holder)
for state in states[1:]:
    holder[0].data.copy_(state)
    averaged.update_parameters(holder)

write(
    "optim",
    {
        "schedules": {name: rates(make) for name, make in named.items()},
        "plateau": {
            "losses": losses,
            "plain": plateau(factor=0.5, patience=2),
            "cooled": plateau(**cooled),
            "higher": plateau(mode="max", **cooled),
        },
        "network": {
            "parameters": parameters(original),
            "input": tensor(inputs),
            "target": tensor(target),
            "norm": norm.item(),
            "tight": tight,
            "wide": wide,
            "cut": cut,
            "adamw": after_adamw,
            "sgd": parameters(net),
        },
        "ema": {**{str(i): tensor(state) for i, state in enumerate(states)}, "average": tensor(averaged.module[0])},
    },
)
