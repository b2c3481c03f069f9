"""Losses and accuracies of short trainings, computed by a plain loop in PyTorch 2.13."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from encode import parameters, tensor, write

torch.manual_seed(5)

centres = torch.randn(3, 5) * 1.2


def points(count):
    y = torch.arange(count) % 3
    return centres[y] + torch.randn(count, 5), y


net = nn.Sequential()
net.add_module("hidden", nn.Linear(5, 8))
net.add_module("tanh", nn.Tanh())
net.add_module("out", nn.Linear(8, 3))
(x, y), (test_x, test_y) = points(60), points(21)
first = copy.deepcopy(net.state_dict())


def train(make_optimizer, make_schedule, epochs, validate, by_step=False, clip=None):
    net.load_state_dict(first)
    optimizer = make_optimizer(net.parameters())
    schedule = make_schedule(optimizer)
    history = {"loss": [], "accuracy": []}
    for _ in range(epochs):
        loss_sum = right = 0
        for batch_x, batch_y in zip(x.split(16), y.split(16)):
            logits = net(batch_x)
            loss = F.cross_entropy(logits, batch_y)
            optimizer.zero_grad()
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimizer.step()
            if by_step:
                schedule.step()
            loss_sum += loss.item() * len(batch_y)
            right += (logits.argmax(1) == batch_y).sum().item()
        history["loss"].append(loss_sum / len(y))
        history["accuracy"].append(right / len(y))
        if not by_step:
            schedule.step()
        if validate:
            with torch.no_grad():
                logits = net(test_x)
            history.setdefault("validation_loss", []).append(F.cross_entropy(logits, test_y).item())
            right = (logits.argmax(1) == test_y).float().mean().item()
            history.setdefault("validation_accuracy", []).append(right)
    return history


write(
    "train",
    {
        "weights": parameters(net),
        "train": {"x": tensor(x), "y": tensor(y)},
        "test": {"x": tensor(test_x), "y": tensor(test_y)},
        "sgd": train(
            lambda weights: torch.optim.SGD(weights, 0.2, momentum=0.9),
            lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
            6,
            validate=True,
        ),
        "adam": train(
            lambda weights: torch.optim.Adam(weights, 0.05),
            lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16),
            4,
            validate=False,
            by_step=True,
            clip=0.1,
        ),
    },
)
