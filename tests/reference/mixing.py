"""Images of a batch mixed by the formulas of torchvision's MixUp and CutMix, with PyTorch 2.13."""

import math

import torch

from encode import tensor, write

torch.manual_seed(29)
images = torch.rand(3, 2, 6, 8)
before = images[[2, 0, 1]]


def pasted(row, column, weight):
    height, width = images.shape[2:]
    ratio = 0.5 * math.sqrt(1 - weight)
    out, count = images.clone(), 0
    for y in range(height):
        for x in range(width):
            down, right = int(ratio * height), int(ratio * width)
            if row - down <= y < row + down and column - right <= x < column + right:
                out[:, :, y, x] = before[:, :, y, x]
                count += 1
    return tensor(out), 1 - count / (height * width)


inside, corner = pasted(3, 4, 0.75), pasted(0, 7, 0.75)
write(
    "mixing",
    {
        "images": tensor(images),
        "mixed": tensor(0.3 * images + 0.7 * before),
        "pasted": {"inside": inside[0], "corner": corner[0]},
        "weights": {"inside": inside[1], "corner": corner[1]},
    },
)
