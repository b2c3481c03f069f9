"""Augmentation: sampling and resizing by PyTorch 2.13; colors by torchvision's formulas, hue pixel by pixel with colorsys."""

import colorsys
import math

import torch
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(11)
image = torch.rand(3, 5, 7)
image[:, 0, 0] = 0.4  # grey
image[:, 0, 1] = 0.0  # black
image[:, 0, 2] = torch.tensor([0.2, 0.9, 0.9])  # two channels are the greatest
grey = torch.rand(1, 4, 4)


def rotated(degrees, fill=0.0):
    """Each place of the output looked up on its own: counter-clockwise, about the centre, in pixels."""
    _, height, width = image.shape
    angle = math.radians(degrees)
    grid = torch.zeros(1, height, width, 2, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            x, y = column - (width - 1) / 2, row - (height - 1) / 2
            from_x, from_y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
            grid[0, row, column, 0], grid[0, row, column, 1] = 2 * from_x / width, 2 * from_y / height
    mode = dict(mode="bilinear", padding_mode="zeros", align_corners=False)
    shares = F.grid_sample(torch.ones(1, 1, height, width, dtype=torch.float64), grid, **mode)[0]
    return (F.grid_sample(image.double()[None], grid, **mode)[0] + fill * (1 - shares)).float()


def resized(height, width):
    return F.interpolate(image[None], (height, width), mode="bilinear", align_corners=False, antialias=True)[0]


def blend(a, b, factor):
    return (factor * a + (1 - factor) * b).clamp(0, 1)


def grayscale(a):
    return (0.2989 * a[0] + 0.587 * a[1] + 0.114 * a[2])[None]


def hue(share):
    out = image.clone()
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            h, s, v = colorsys.rgb_to_hsv(*image[:, row, column].tolist())
            out[:, row, column] = torch.tensor(colorsys.hsv_to_rgb((h + share) % 1, s, v))
    return out


erased = image.clone()
erased[:, 1:3, 2:5] = 0.25
padded = F.pad(image, (0, 0, 1, 2))  # 5 to 8 rows
mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
color = {
    "brightness": blend(image, 0 * image, 0.6),
    "brighter": blend(image, 0 * image, 1.7),
    "contrast": blend(image, grayscale(image).mean(), 0.4),
    "sharper": blend(image, grayscale(image).mean(), 1.8),
    "saturation": blend(image, grayscale(image), 0.3),
    "stronger": blend(image, grayscale(image), 1.6),
    "hue": hue(0.2),
    "hue_back": hue(-0.35),
    "grey_contrast": blend(grey, grey.mean(), 0.4),
}

write(
    "augment",
    {
        "image": tensor(image),
        "grey": tensor(grey),
        # torchvision starts at round((5 - 2) / 2.0) = 2 and round((7 - 4) / 2.0) = 2, and pads the lesser half first.
        "center_crop": tensor(image[:, 2:4, 2:6]),
        "center_crop_padded": tensor(padded[:, :, 2:5]),
        "hflip": tensor(torch.flip(image, [2])),
        "vflip": tensor(torch.flip(image, [1])),
        "normalize": tensor((image - mean[:, None, None]) / std[:, None, None]),
        "rotate": {"30": tensor(rotated(30)), "-75": tensor(rotated(-75)), "filled": tensor(rotated(30, 0.5))},
        "resize": {"smaller": tensor(resized(3, 4)), "larger": tensor(resized(9, 10)), "shorter": tensor(resized(3, 4))},
        "erase": tensor(erased),
        "color": {name: tensor(value) for name, value in color.items()},
    },
)
