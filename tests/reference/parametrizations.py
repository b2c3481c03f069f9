"""Weight norm and spectral norm of PyTorch 2.13, with the numbers that a seed gives them."""

import torch
from torch import nn
from torch.nn.utils import parametrizations

from encode import tensor, write


def parameters(module):
    return {name: tensor(value) for name, value in module.state_dict().items()}


def case(make, norm, input):
    torch.manual_seed(3)
    layer = norm(make())
    begin = parameters(layer)
    layer.eval()
    out_of_training = layer(input)
    layer.train()
    output = layer(input)
    (output * output).sum().backward()
    return {
        "begin": begin,
        "input": tensor(input),
        "eval": tensor(out_of_training),
        "train": tensor(output),
        "gradients": {name: tensor(value.grad) for name, value in layer.named_parameters()},
        "end": parameters(layer),
    }


torch.manual_seed(1)
rows, images = torch.randn(5, 4), torch.randn(2, 4, 6, 6)
weight, spectral = parametrizations.weight_norm, parametrizations.spectral_norm
write(
    "parametrizations",
    {
        "weight_linear": case(lambda: nn.Linear(4, 3), weight, rows),
        "weight_conv": case(lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), weight, images),
        "weight_whole": case(lambda: nn.Linear(4, 3), lambda layer: weight(layer, dim=None), rows),
        "weight_inputs": case(lambda: nn.Linear(4, 3), lambda layer: weight(layer, dim=1), rows),
        "spectral_linear": case(lambda: nn.Linear(4, 3), spectral, rows),
        "spectral_conv": case(
            lambda: nn.Conv2d(2, 5, 3, padding=1, bias=False),
            lambda layer: spectral(layer, n_power_iterations=3),
            images[:, :2],
        ),
        "spectral_transposed": case(lambda: nn.ConvTranspose2d(3, 2, 3, stride=2), spectral, images[:, :3, :3, :3]),
    },
)
