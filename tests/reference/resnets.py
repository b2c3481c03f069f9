"""The residual networks of torchvision 0.29: the names of their variables, and what ResNet-18 gives after a seed."""

import torch
from torchvision.models import resnet18, resnet34, resnet50

from encode import tensor, write


def names(make):
    variables = make(num_classes=10).state_dict().items()
    return sorted(f"{name} {list(value.shape)}" for name, value in variables if value.dim())


torch.manual_seed(1)
input = torch.randn(2, 3, 33, 33)
torch.manual_seed(4)
net = resnet18(num_classes=10)
write(
    "resnets",
    {
        "names": {make.__name__: names(make) for make in (resnet18, resnet34, resnet50)},
        "input": tensor(input),
        "eval": tensor(net.eval()(input)),
        "train": tensor(net.train()(input)),
    },
)
