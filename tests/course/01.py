"""Assignment 1 in PyTorch: nearest neighbours with k by cross-validation, and softmax regression, on the same digits;
then nearest neighbours among copies that are moved, by the mean accuracy on digits as they are and moved.

    python tests/course/01.py        # needs torch and scikit-learn; not a part of the tests

The digits are split by another generator than in the notebook, so accuracies differ by what chance does: it prints the
mean and the spread over five splits, and over three for those with half of the digits.
"""

import time

import torch
from sklearn.datasets import load_digits
from spread import tell

CANDIDATES = [1, 3, 5, 9, 15]


def knn(train_x, train_y, x, k):
    nearest = torch.cdist(x, train_x).topk(k, 1, largest=False).indices
    labels = train_y[nearest]
    votes = (labels.unsqueeze(2) == labels.unsqueeze(1)).sum(2)
    return labels.gather(1, votes.argmax(1, keepdim=True)).squeeze(1)


def accuracy(answers, labels):
    return (answers == labels).double().mean().item()


def choose_k(x, y):
    folds = torch.arange(len(x)).tensor_split(5)

    def mean(k):
        def of(fold):
            outside = torch.ones(len(x), dtype=torch.bool)
            outside[fold] = False
            return accuracy(knn(x[outside], y[outside], x[fold], k), y[fold])

        return sum(map(of, folds)) / len(folds)

    return max(CANDIDATES, key=mean)


def softmax_regression(x, y, steps=300, rate=0.5):
    w = torch.zeros(65, 10, requires_grad=True)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(x @ w, y)
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= rate * gradient
    return w.detach()


SIDES = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def moved(images, down, right):
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    return padded[:, 1 - down : 9 - down, 1 - right : 9 - right]


def mean_of_two(x, y, new_x, new_y, copies):
    """The mean accuracy on digits as they are and moved by one pixel to each side in turn, half of them to learn from."""
    images = x.view(-1, 8, 8)
    known = torch.cat([moved(images, *side).flatten(1) for side in [(0, 0), *SIDES][: copies + 1]])
    rows = [moved(new_x[[at]].view(1, 8, 8), *SIDES[at % 4]).flatten(1) for at in range(len(new_x))]
    labels = y.repeat(copies + 1)
    return sum(accuracy(knn(known, labels, digits, 3), new_y) for digits in (new_x, torch.cat(rows))) / 2


def main():
    torch.set_num_threads(1)
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    found = {"nearest neighbours": [], "softmax regression": []}
    begin = time.perf_counter()
    for seed in range(5):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        test, train = order[: len(x) // 5], order[len(x) // 5 :]
        k = choose_k(x[train], y[train])
        found["nearest neighbours"].append(accuracy(knn(x[train], y[train], x[test], k), y[test]))
        w = softmax_regression(x[train], y[train])
        ones = torch.ones(len(test), 1)
        found["softmax regression"].append(accuracy((torch.cat([x[test], ones], 1) @ w).argmax(1), y[test]))
    seconds = (time.perf_counter() - begin) / 5
    for name, copies in [("half of them, as they are", 0), ("half of them, with four copies", 4)]:
        found[name] = []
        for seed in range(3):
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
            known, new = order[: len(x) // 2], order[len(x) // 2 :]
            found[name].append(mean_of_two(x[known], y[known], x[new], y[new], copies))
    tell(found)
    print(f"{seconds:.2f} s for one split")


if __name__ == "__main__":
    main()
