"""Probabilities and importance-sampling weights of prioritised replay, by the formulas of Schaul et al., 2016."""

import numpy as np

from encode import tensor, write

alpha, beta = 0.6, 0.4
errors = np.array([0.5, -2.0, 0.01, 0.0, 3.5, -1.0, 0.25, 8.0, -0.75, 1.5, 0.1], dtype=np.float64)
priorities = (np.abs(errors) + 1e-6) ** alpha
probabilities = priorities / priorities.sum()
weights = (len(errors) * probabilities) ** -beta
write(
    "prioritized_replay",
    {
        "alpha": alpha,
        "beta": beta,
        "errors": tensor(errors),
        "probabilities": probabilities.tolist(),
        "weights": (weights / weights.max()).tolist(),
    },
)
