"""Activations, graph layers and losses, computed with PyTorch 2.13; graph layers by their formulas, node by node."""

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(2)

images = torch.randn(2, 3, 4, 4) * 2
chain = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "mish": F.mish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "flatten": nn.Flatten(),
    "max_pool2d": nn.MaxPool2d(2),
    "avg_pool2d": nn.AvgPool2d(2),
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d(1),
}

edges = torch.tensor([[0, 1], [1, 2], [2, 0], [3, 1]])
nodes = torch.randn(5, 3)
matrix = torch.zeros(5, 5)
for i, j in edges.tolist():
    matrix[i, j] = matrix[j, i] = 1
neighbours = [[j for j in range(5) if matrix[i, j] or i == j] for i in range(5)]
a_hat = torch.zeros(5, 5)
for i in range(5):
    for j in neighbours[i]:
        a_hat[i, j] = 1 / (len(neighbours[i]) * len(neighbours[j])) ** 0.5
conv = {"weight": torch.randn(3, 4), "bias": torch.randn(4)}
convolved = torch.stack(
    [sum(a_hat[i, j] * (nodes[j] @ conv["weight"]) for j in neighbours[i]) + conv["bias"] for i in range(5)]
)
attention = {
    "weight": torch.randn(4, 3),
    "att_src": torch.randn(2, 2),
    "att_dst": torch.randn(2, 2),
    "bias": torch.randn(4),
}
weights, attended = torch.zeros(2, 5, 5), torch.zeros(5, 4)
for head in range(2):
    hidden = nodes @ attention["weight"][2 * head : 2 * head + 2].T
    for i in range(5):
        scores = [attention["att_src"][head] @ hidden[i] + attention["att_dst"][head] @ hidden[j] for j in neighbours[i]]
        shares = F.softmax(F.leaky_relu(torch.stack(scores), 0.2), 0)
        weights[head, i, neighbours[i]] = shares
        attended[i, 2 * head : 2 * head + 2] = shares @ hidden[neighbours[i]]
attended += attention["bias"]


def tensors(values):
    return {name: tensor(value) for name, value in values.items()}


logits, targets = torch.randn(6, 4), torch.tensor([0, 3, 1, 2, 2, 1])
a, b, c = torch.randn(3, 5, 6)
p = F.softmax(logits, 1)[torch.arange(6), targets]
similarity = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / 0.3
both_ways = (F.cross_entropy(similarity, torch.arange(5)) + F.cross_entropy(similarity.T, torch.arange(5))) / 2
normals = Normal(a, (0.5 * b).exp())
losses = {
    "smoothed": F.cross_entropy(logits, targets, label_smoothing=0.2),
    "focal": (-((1 - p) ** 1.5) * p.log()).mean(),
    "info_nce": both_ways,
    "triplet": F.triplet_margin_loss(a, b, c, margin=0.7),
    "kl": kl_divergence(normals, Normal(torch.zeros(5, 6), torch.ones(5, 6))).sum(1).mean(),
}

write(
    "layers",
    {
        "chain": {"input": tensor(images), **{name: tensor(function(images)) for name, function in chain.items()}},
        "graph": {
            "edges": tensor(edges),
            "input": tensor(nodes),
            "adjacency": tensor(matrix),
            "a_hat": tensor(a_hat),
            "conv": {"parameters": tensors(conv), "output": tensor(convolved)},
            "attention": {"parameters": tensors(attention), "output": tensor(attended), "weights": tensor(weights)},
        },
        "loss": tensors({"logits": logits, "targets": targets, "a": a, "b": b, "c": c, **losses}),
    },
)
