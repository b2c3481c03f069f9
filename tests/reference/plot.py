"""Histograms of NumPy, box plots and color maps of matplotlib, confusion matrices of scikit-learn.

Run: python tests/reference/plot.py
"""

import matplotlib
import numpy as np
from encode import write
from matplotlib.cbook import boxplot_stats
from sklearn.metrics import confusion_matrix

generator = np.random.default_rng(5)

samples = {
    "normal": generator.normal(size=120).round(4),
    # Values at the edges of bins.
    "grid": np.arange(0, 2.15, 0.1).round(10),
    "skewed": generator.exponential(size=80).round(4),
    "whole": generator.integers(0, 6, size=50),
    "constant": np.full(5, 3.0),
}


def counted(values, bins):
    counts, edges = np.histogram(values, bins=bins)
    return {"counts": counts.tolist(), "edges": edges.tolist()}


histograms = {
    name: {
        "values": values.tolist(),
        "seven": counted(values, 7),
        "auto": counted(values, "auto"),
        "density": np.histogram(values, bins=7, density=True)[0].tolist(),
    }
    for name, values in samples.items()
}


def box(values):
    found = boxplot_stats(values)[0]
    summary = [found[name] for name in ("whislo", "q1", "med", "q3", "whishi")]
    return {"summary": [float(value) for value in summary], "outliers": found["fliers"].tolist()}


boxes = {name: box(samples[name]) for name in ("normal", "skewed", "constant")}


def colors(name):
    """21 colors at equal distances, from 0 to 255."""
    return [255 * value for share in np.linspace(0, 1, 21) for value in matplotlib.colormaps[name](share)[:3]]


targets, predictions = generator.integers(0, 3, size=40), generator.integers(0, 3, size=40)
counts = confusion_matrix(targets, predictions)

write(
    "plot",
    {
        "histogram": histograms,
        "boxes": boxes,
        "colors": {name: [round(value, 2) for value in colors(name)] for name in ("viridis", "inferno", "gray")},
        "confusion": {
            "targets": targets.tolist(),
            "predictions": predictions.tolist(),
            "counts": counts.flatten().tolist(),
            "shares": confusion_matrix(targets, predictions, normalize="true").flatten().tolist(),
        },
    },
)
