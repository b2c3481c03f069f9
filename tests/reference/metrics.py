"""Metrics of classes, rankings, numbers and language models, computed with scikit-learn and PyTorch 2.13."""

import numpy as np
import torch
from sklearn import metrics
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(11)

scores = torch.randn(40, 4)
targets = torch.randint(0, 4, (40,))
scores[torch.arange(40), targets] += 0.9
predicted = scores.argmax(1)
confusion = metrics.confusion_matrix(targets, predicted)
functions = {"precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score}
ranked, truth = (torch.randn(30) * 2).round() / 2, torch.randint(0, 2, (30,))
numbers, true_numbers = torch.randn(6, 3), torch.randn(6, 3)
logits, tokens = torch.randn(2, 5, 9), torch.randint(0, 9, (2, 5))
tokens[1, 3:] = -100

write(
    "metrics",
    {
        "scores": tensor(scores),
        "targets": tensor(targets),
        "accuracy": metrics.accuracy_score(targets, predicted),
        "top_2": metrics.top_k_accuracy_score(targets, scores, k=2),
        "confusion": tensor(confusion),
        "shares": tensor((confusion / confusion.sum(1, keepdims=True)).astype(np.float32)),
        "each": {
            name: tensor(np.asarray(function(targets, predicted, average=None))) for name, function in functions.items()
        },
        "averages": {
            f"{name}_{average}": function(targets, predicted, average=average)
            for name, function in functions.items()
            for average in ("macro", "micro", "weighted")
        },
        "roc": {"scores": tensor(ranked), "targets": tensor(truth), "auc": metrics.roc_auc_score(truth, ranked)},
        "regression": {
            "predictions": tensor(numbers),
            "targets": tensor(true_numbers),
            "mse": metrics.mean_squared_error(true_numbers.flatten(), numbers.flatten()),
            "mae": metrics.mean_absolute_error(true_numbers.flatten(), numbers.flatten()),
            "r2": metrics.r2_score(true_numbers.flatten(), numbers.flatten()),
        },
        "perplexity": {
            "logits": tensor(logits),
            "tokens": tensor(tokens),
            "value": F.cross_entropy(logits.double().flatten(0, 1), tokens.flatten()).exp().item(),
        },
    },
)
