"""The distributions that tokens are drawn from, computed with PyTorch 2.13 in single steps."""

import torch
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(3)
logits = torch.randn(12, dtype=torch.float64) * 2
before = [1, 4, 7]


def kept(temperature=1.0, top_k=None, top_p=1.0, penalty=1.0):
    scores = logits.clone()
    scores[before] = torch.where(scores[before] > 0, scores[before] / penalty, scores[before] * penalty)
    scores /= temperature
    if top_k:
        scores[scores < scores.topk(top_k).values[-1]] = -torch.inf
    ordered, indices = F.softmax(scores, 0).sort(descending=True)
    # A token is left out where those before it suffice.
    scores[indices[ordered.cumsum(0) - ordered >= top_p]] = -torch.inf
    return tensor(F.softmax(scores, 0))


write(
    "sampling",
    {
        "logits": tensor(logits),
        "kept": {
            "all": kept(),
            "cold": kept(0.5),
            "top_k": kept(top_k=4),
            "top_p": kept(top_p=0.8),
            "both": kept(1.5, 6, 0.7),
            "penalised": kept(penalty=1.3, top_p=0.9),
            "greedy": kept(top_k=1),
        },
    },
)
