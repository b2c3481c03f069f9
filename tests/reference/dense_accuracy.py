"""The accuracies of classified pixels, by NumPy: over all, and the mean over the classes."""

import numpy as np
import torch

from encode import tensor, write

torch.manual_seed(6)
targets = torch.tensor([0, 0, 0, 1, 2, 255])[torch.randint(6, (2, 6, 7))]
predicted = torch.where(torch.rand(2, 6, 7) < 0.6, targets % 5, torch.randint(4, (2, 6, 7)))
counted = targets.numpy() != 255
right = (predicted == targets).numpy()
classes = [right[counted & (targets.numpy() == each)].mean() for each in np.unique(targets[counted])]
values = {"all": float(right[counted].mean()), "mean": float(np.mean(classes))}
write("dense_accuracy", {"predicted": tensor(predicted), "targets": tensor(targets)} | values)
