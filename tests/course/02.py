"""Assignment 2 in plain PyTorch: the comparison of 4.3, the peak of 4.4 and the recipe of part 5.

Run by hand, in the repository: python tests/course/02.py (needs torch and numpy; about half a minute on one thread).
It prints the errors of each recipe with three seeds, the accuracy on the hidden divisions, and the time.
"""

import gzip
import pathlib
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)

DATA = pathlib.Path(__file__).parents[2] / "runtime/data/mnist_10k.gz"
PLAIN = dict(epochs=40, width=128, rate=5e-3, scheduled=False, decay=0.0, dropout=0.0, norm=False, smoothing=0.0, elastic=0.0, patience=None)
RECIPES = {
    "plain": {},
    "decay": dict(decay=1.0),
    "dropout": dict(dropout=0.5),
    "batch norm": dict(norm=True),
    "smoothing": dict(smoothing=0.1),
    "schedule": dict(scheduled=True),
    "stopping": dict(patience=5),
    "elastic": dict(elastic=0.5),
}
BEST = PLAIN | dict(epochs=100, rate=1e-2, scheduled=True, decay=0.1, norm=True, smoothing=0.1, elastic=0.6)


def digits():
    raw = torch.frombuffer(bytearray(gzip.decompress(DATA.read_bytes())), dtype=torch.uint8)
    labels, pixels = raw[:10_000].long(), raw[10_000:].view(10_000, 1, 28, 28).float() / 255
    return F.avg_pool2d(pixels, 2).squeeze(1), labels


def elastic(images, strength):
    n, h, w = images.shape
    bend = F.interpolate(torch.randn(n, 2, 4, 4), (h, w), mode="bicubic", align_corners=True)
    moves = (bend + torch.randn(n, 2, 1, 1)) * strength
    rows = (torch.arange(h).view(1, h, 1) + moves[:, 0]) * (2 / (h - 1)) - 1
    columns = (torch.arange(w).view(1, 1, w) + moves[:, 1]) * (2 / (w - 1)) - 1
    return F.grid_sample(images.unsqueeze(1), torch.stack([columns, rows], 3), align_corners=True).squeeze(1)


def measure(net, x, y):
    net.eval()
    with torch.no_grad():
        logits = net(x)
    return F.cross_entropy(logits, y).item(), (logits.argmax(1) != y).double().mean().item()


def train(recipe, x, y, held, seed):
    torch.manual_seed(seed)
    layers = [nn.Flatten(), nn.Linear(196, recipe["width"])]
    layers += [nn.BatchNorm1d(recipe["width"])] if recipe["norm"] else []
    net = nn.Sequential(*layers, nn.ReLU(), nn.Dropout(recipe["dropout"]), nn.Linear(recipe["width"], 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe["rate"], weight_decay=recipe["decay"])
    steps = recipe["epochs"] * -(-len(x) // 50)
    warm_up = steps // 10
    if recipe["scheduled"]:
        after = lambda step: (1 + torch.cos(torch.tensor(torch.pi * (step - warm_up) / (steps - warm_up))).item()) / 2
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: (t + 1) / warm_up if t < warm_up else after(t))
    losses, best = [], None
    for _ in range(recipe["epochs"]):
        net.train()
        for batch in torch.randperm(len(x)).split(50):
            seen = elastic(x[batch], recipe["elastic"]) if recipe["elastic"] else x[batch]
            optimizer.zero_grad()
            F.cross_entropy(net(seen), y[batch], label_smoothing=recipe["smoothing"]).backward()
            optimizer.step()
            if recipe["scheduled"]:
                rate.step()
        if recipe["patience"]:
            losses.append(measure(net, *held)[0])
            if losses[-1] == min(losses):
                best = {name: value.clone() for name, value in net.state_dict().items()}
            if len(losses) > recipe["patience"] and min(losses[-recipe["patience"] :]) >= min(losses[: -recipe["patience"]]):
                break
    if best:
        net.load_state_dict(best)
    return net


def main():
    x, y = digits()
    valid = (x[500:5000], y[500:5000])
    began = time.time()
    for name, changes in RECIPES.items():
        recipe = PLAIN | changes
        count = 400 if recipe["patience"] else 500
        nets = [train(recipe, x[:count], y[:count], (x[400:500], y[400:500]), seed) for seed in (1, 2, 3)]
        losses, errors = torch.tensor([measure(net, *valid) for net in nets]).T
        print(f"{name:12} error {errors.mean():.4f} ± {errors.std():.4f}, loss {losses.mean():.3f}")
    print(f"{time.time() - began:.1f} s")

    torch.manual_seed(7)
    random = torch.randn(196, 4000) / 14
    known, new = (part.flatten(1).matmul(random).relu().double() for part in (x[:500], x[500:2500]))
    targets = F.one_hot(y[:500], 10).double()
    for decay in (1e-8, 1e-2, 1.0):
        for count in (200, 500, 4000):
            f = known[:, :count]
            w = f.T @ torch.linalg.solve(f @ f.T + decay * torch.eye(500, dtype=torch.double), targets)
            error = ((new[:, :count] @ w).argmax(1) != y[500:2500]).double().mean()
            print(f"decay {decay:g}, {count} features: error {error:.3f}")

    drawer, labels = x[5000:].transpose(1, 2).contiguous(), y[5000:]
    for name, recipe in (("plain", PLAIN), ("part 5", BEST)):
        began, accuracies = time.time(), []
        for seed in (1, 2, 3):
            of_seed = []
            for learn, read in ((slice(0, 500), slice(500, 5000)), (slice(4500, 5000), slice(0, 4500))):
                net = train(recipe, drawer[learn], labels[learn], None, seed)
                of_seed.append(1 - measure(net, drawer[read], labels[read])[1])
            accuracies.append(sum(of_seed) / 2)
        print(f"{name}: accuracy on the hidden divisions {accuracies}, {(time.time() - began) / 6:.1f} s for each training")


main()
