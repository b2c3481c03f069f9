"""How many samples of each class scikit-learn's stratified splits have."""

import numpy as np
from sklearn.model_selection import train_test_split

from encode import tensor, write

# Counts whose shares are no whole numbers, and of which no two are cut off by as much.
counts = [50, 31, 17, 7]
labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), counts))


def parts(test_size):
    split = train_test_split(labels, test_size=test_size, stratify=labels, random_state=0)
    return dict(zip(["train", "test"], [np.bincount(part, minlength=4).tolist() for part in split]))


write("stratified", {"labels": tensor(labels), "fifth": parts(0.2), "quarter": parts(0.25), "third": parts(0.33)})
