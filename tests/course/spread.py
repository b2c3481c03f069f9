"""What several runs of an assignment's task have found."""

import torch


def tell(found):
    """Prints the mean and the spread of each list of numbers, by its name."""
    for name, values in found.items():
        values = torch.tensor(values)
        print(f"{name}: {values.mean():.4f} +- {values.std():.4f}")
