"""Assignment 4 of the course in plain PyTorch: the residual network and the perceptron, and digits that move.

Run by hand, in the root of the repository:

    python tests/course/04.py

It prints the accuracy of three seeds, the accuracy over the shift, and the time. Divisions into training and test set
are other ones than those of the notebook.
"""

import gzip
import math
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
DATA = Path(__file__).resolve().parents[2] / "runtime/data/mnist_10k.gz"


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        branch = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(branch + self.shortcut(x))


def residual_network(widths):
    stem = [nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    blocks = [Block(before, after, 2) for before, after in zip(widths, widths[1:])]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))


def perceptron(parameters):
    hidden = (parameters - 10) // 795
    return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def move_randomly(images, most):
    padded = F.pad(images, [most] * 4)
    corners = torch.randint(2 * most + 1, (len(images), 2)).tolist()
    return torch.stack([padded[i, :, a : a + 28, b : b + 28] for i, (a, b) in enumerate(corners)])


def fit(net, images, labels, epochs, batch, rate, most):
    steps = epochs * math.ceil(len(images) / batch)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, cycle_momentum=False)
    net.train()
    for _ in range(epochs):
        for places in torch.randperm(len(images)).split(batch):
            x = images[places]
            loss = F.cross_entropy(net(move_randomly(x, most) if most else x), labels[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def accuracy(net, images, labels):
    return (net(images).argmax(1) == labels).double().mean().item()


def main():
    numbers = torch.frombuffer(bytearray(gzip.decompress(DATA.read_bytes())), dtype=torch.uint8)
    labels, images = numbers[:10000].long(), numbers[10000:].view(-1, 1, 28, 28) / 255
    for seed in [1, 2, 3]:
        torch.manual_seed(seed)
        train, test = torch.randperm(10000).split(5000)
        start = time.perf_counter()
        recipe = {"epochs": 5, "batch": 32, "rate": 0.01}
        net = fit(residual_network([12, 24, 48]), images[train], labels[train], **recipe, most=1)
        seconds = time.perf_counter() - start
        print(f"seed {seed}: accuracy {accuracy(net, images[test], labels[test]):.4f}, {seconds:.1f} s", flush=True)
    count = sum(weights.numel() for weights in net.parameters())
    plain = fit(residual_network([12, 24, 48]), images[train], labels[train], **recipe, most=0)
    recipe = {"epochs": 10, "batch": 32, "rate": 0.005}
    moved = fit(perceptron(count), images[train], labels[train], **recipe, most=1)
    still = fit(perceptron(count), images[train], labels[train], **recipe, most=0)
    networks = {"residual, augmented": net, "residual": plain, "perceptron, augmented": moved, "perceptron": still}
    x, y = images[test[:1000]], labels[test[:1000]]
    for name, net in networks.items():
        curve = [accuracy(net, F.pad(x, [shift, 0, 0, 0])[..., :28], y) for shift in range(11)]
        print(f"{name:22}", " ".join(f"{value:.3f}" for value in curve), flush=True)


if __name__ == "__main__":
    main()
