"""Assignment 3 in PyTorch: the network of part 4 in float32, in few bits, and pruned, on the same digits.

    python tests/course/03.py        # needs torch; not a part of the tests

The digits are split by another generator than in the notebook, and the weights begin elsewhere, so accuracies differ by
what chance does: it prints the mean and the spread over three starts. Bits are those of the codes of the notebook.
"""

import gzip
import pathlib
import time

import torch
import torch.nn.functional as F
from spread import tell

DATA = pathlib.Path(__file__).parents[2] / "runtime/data/mnist_10k.gz"


def digits():
    raw = gzip.open(DATA).read()
    images = torch.frombuffer(bytearray(raw[10_000:]), dtype=torch.uint8).view(10_000, 784).float() / 255
    return images, torch.tensor(list(raw[:10_000]))


def scores(weights, x):
    return F.linear(F.relu(F.linear(x, *weights[:2])), *weights[2:])


def accuracy(weights, x, y):
    with torch.no_grad():
        return (scores(weights, x).argmax(1) == y).double().mean().item()


def train(weights, x, y, epochs, mask=1.0):
    weights = [w.clone().requires_grad_() for w in weights]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            masked = [weights[0] * mask, *weights[1:]]
            loss = F.cross_entropy(scores(masked, x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [weights[0].detach() * mask, *(w.detach() for w in weights[1:])]


def fit(x, y, start, epochs):
    torch.manual_seed(start)
    layers = torch.nn.Linear(784, 128), torch.nn.Linear(128, 10)
    return train([p.detach() for layer in layers for p in (layer.weight, layer.bias)], x, y, epochs)


def rounded(weights, bits):
    def matrix(w):
        scale = w.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
        return (w / scale).round() * scale

    return [matrix(weights[0]), weights[1], matrix(weights[2]), weights[3]]


def gamma_bits(numbers):
    """The bits of runs of zeros and of what is between them, in Elias gamma codes with a sign."""
    numbers = numbers.flatten()
    places = numbers.nonzero().flatten()
    runs = places - torch.cat([torch.tensor([-1]), places[:-1]])
    length = lambda n: (2 * n.double().log2().floor() + 1).sum().item()
    return length(runs) + len(places) + length(numbers[places].abs())


def pruned(weights, x, y, share=0.12, step=0.06, epochs=5):
    strength = (weights[0] * x.square().mean(0).sqrt()).abs()
    kept = strength.flatten().topk(int(strength.numel() * share)).values.min()
    weights = train(weights, x, y, epochs, (strength >= kept).float())
    numbers = [(weights[place] / step).round() for place in (0, 2)]
    bits = gamma_bits(torch.cat([numbers[0].T.flatten(), numbers[1].flatten()])) + 138 * 16
    return [numbers[0] * step, weights[1], numbers[1] * step, weights[3]], bits / 101_770


def main():
    torch.set_num_threads(1)
    images, labels = digits()
    found = {}
    begin = time.perf_counter()
    for seed in range(3):
        order = torch.randperm(10_000, generator=torch.Generator().manual_seed(seed))
        (x, y), (new_x, new_y) = [(images[rows], labels[rows]) for rows in (order[:5000], order[5000:])]
        weights = fit(x, y, seed, 4)
        before = accuracy(weights, new_x, new_y)
        found.setdefault("accuracy in float32", []).append(before)
        for bits in (8, 4, 3, 2):
            lost = before - accuracy(rounded(weights, bits), new_x, new_y)
            found.setdefault(f"lost with {bits} bits", []).append(lost)
        small, bits = pruned(weights, x, y)
        found.setdefault("lost when pruned", []).append(before - accuracy(small, new_x, new_y))
        found.setdefault("bits when pruned", []).append(bits)
    tell(found)
    print(f"{(time.perf_counter() - begin) / 3:.2f} s for one start")


if __name__ == "__main__":
    main()
