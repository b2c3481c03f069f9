"""Geometry, blur, sharpness and tones of images by torchvision 0.29, and all that its RandAugment can do."""

import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

from encode import tensor, write

torch.manual_seed(9)
image = torch.rand(3, 7, 8)
NONE = dict(angle=0, translate=[0, 0], scale=1.0, shear=[0.0, 0.0])


def affine(**options):
    return tensor(F.affine(image, **NONE | options))


def rand_augment(magnitude):
    transform = v2.RandAugment(magnitude=magnitude, fill=0)
    changed = {}
    for name, (magnitudes, signed) in transform._AUGMENTATION_SPACE.items():
        amounts = magnitudes(31, *image.shape[-2:])
        amount = float(amounts[magnitude]) if amounts is not None else 0.0
        for sign in ("+", "-")[: 1 + signed]:
            out = transform._apply_image_or_video_transform(
                image, name, -amount if sign == "-" else amount, InterpolationMode.NEAREST, {torch.Tensor: 0}
            )
            changed[name + sign] = tensor(out)
    return changed


every = dict(angle=25, translate=[1, -2], scale=1.3, shear=[10.0, -5.0])
write(
    "vision_transforms",
    {
        "image": tensor(image),
        "affine": {
            "turned": affine(angle=40),
            "moved": affine(translate=[2, 1], fill=0.5),
            "smaller": affine(scale=0.6),
            "sheared": affine(shear=[20.0, 0.0], center=[0, 0]),
            "all": affine(**every),
            "smooth": affine(**every, interpolation=InterpolationMode.BILINEAR),
        },
        "blur": {
            "small": tensor(F.gaussian_blur(image, 3, 0.5)),
            "large": tensor(F.gaussian_blur(image, 7, 2.0)),
        },
        "sharpness": {
            "blurred": tensor(F.adjust_sharpness(image, 0.0)),
            "sharper": tensor(F.adjust_sharpness(image, 1.8)),
        },
        "tones": {
            "posterize": tensor(F.posterize(image, 3)),
            "none": tensor(F.posterize(image, 0)),
            "solarize": tensor(F.solarize(image, 0.6)),
            "autocontrast": tensor(F.autocontrast(image)),
            "equalize": tensor(F.equalize(image)),
        },
        "rand_augment": {str(magnitude): rand_augment(magnitude) for magnitude in (9, 30)},
    },
)
