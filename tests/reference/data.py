"""Scaled columns by scikit-learn, and Zachary's karate club as networkx has it."""

import networkx
import numpy as np
from sklearn.preprocessing import StandardScaler

from encode import tensor, write

random = np.random.default_rng(0)
train, test = random.normal(3, 5, (20, 3)).astype(np.float32), random.normal(3, 5, (5, 3)).astype(np.float32)
train[:, 2] = 1.5
scaler = StandardScaler().fit(train)
club = networkx.karate_club_graph()
write(
    "data",
    {
        "scaler": {
            "train": tensor(train),
            "test": tensor(test),
            "train_out": tensor(scaler.transform(train)),
            "test_out": tensor(scaler.transform(test)),
        },
        "karate": {
            "adjacency": tensor(networkx.to_numpy_array(club, weight=None).astype(np.float32)),
            "factions": tensor(np.array([int(club.nodes[node]["club"] != "Mr. Hi") for node in club])),
        },
    },
)
