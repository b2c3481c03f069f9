"""The focal loss of torchvision 0.29, and its gradient, with PyTorch 2.13."""

import torch
from torchvision.ops import sigmoid_focal_loss

from encode import tensor, write

torch.manual_seed(31)
inputs = (torch.randn(4, 3) * 4).requires_grad_()
targets = torch.rand(4, 3)
targets[:2] = (targets[:2] > 0.5).float()
losses = {
    "loss": sigmoid_focal_loss(inputs, targets),
    "weighted": sigmoid_focal_loss(inputs, targets, alpha=0.6, gamma=1.5),
    "unweighted": sigmoid_focal_loss(inputs, targets, alpha=-1),
}
values = {"inputs": tensor(inputs), "targets": tensor(targets)}
for name, loss in losses.items():
    (gradient,) = torch.autograd.grad(loss.sum(), inputs)
    values |= {name: tensor(loss), f"{name}_gradient": tensor(gradient)}
write("focal_loss", values)
