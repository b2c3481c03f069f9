"""A small residual network of each kind of block, and a U-Net with time and classes, in PyTorch 2.13."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(21)


class Block(nn.Module):
    """Convolutions with their norms, and a shortcut: the names are torchvision's."""

    def __init__(self, channels, out, sizes, strides):
        super().__init__()
        self.count = len(sizes)
        for index, (size, stride) in enumerate(zip(sizes, strides), 1):
            conv = nn.Conv2d(channels[index - 1], channels[index], size, stride, size // 2, bias=False)
            setattr(self, f"conv{index}", conv)
            setattr(self, f"bn{index}", nn.BatchNorm2d(channels[index]))
        stride = max(strides)
        self.downsample = None
        if stride != 1 or channels[0] != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels[0], out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = x
        for index in range(1, self.count + 1):
            y = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(y))
            y = F.relu(y) if index < self.count else y
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 3, 3, 1, 1, bias=False), nn.BatchNorm2d(3)
        channels = 3
        for stage, (width, blocks) in enumerate([(3, 1), (4, 2)], 1):
            layers = []
            for index in range(blocks):
                stride = 2 if stage > 1 and index == 0 else 1
                out = width if kind == "basic" else 4 * width
                if kind == "basic":
                    layers.append(Block([channels, width, width], out, [3, 3], [stride, 1]))
                else:
                    layers.append(Block([channels, width, width, out], out, [1, 3, 1], [1, stride, 1]))
                channels = out
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, 3)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3)))


class UNetBlock(nn.Module):
    def __init__(self, channels, out, dim):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(2, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.embedding = nn.Linear(dim, out)
        self.norm2, self.conv2 = nn.GroupNorm(2, out), nn.Conv2d(out, out, 3, padding=1)
        if channels != out:
            self.skip = nn.Conv2d(channels, out, 1)

    def forward(self, x, e):
        h = self.conv1(F.silu(self.norm1(x))) + self.embedding(F.silu(e))[:, :, None, None]
        return self.conv2(F.silu(self.norm2(h))) + (self.skip(x) if hasattr(self, "skip") else x)


def waves(t, dim):
    rows = []
    for value in t.tolist():
        angles = [value * 10000 ** (-2 * i / dim) for i in range(dim // 2)]
        rows.append([math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles])
    return torch.tensor(rows)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.ModuleDict({"linear1": nn.Linear(4, 16), "linear2": nn.Linear(16, 16)})
        self.add_module("class", nn.Embedding(4, 16))
        self.conv_in = nn.Conv2d(2, 4, 3, padding=1)
        self.down = nn.ModuleList([UNetBlock(4, 4, 16), UNetBlock(4, 6, 16)])
        self.middle = UNetBlock(6, 6, 16)
        self.up = nn.ModuleList([UNetBlock(10, 4, 16)])
        self.norm_out, self.conv_out = nn.GroupNorm(2, 4), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x, t, labels):
        e = self.time["linear2"](F.silu(self.time["linear1"](waves(t, 4)))) + getattr(self, "class")(labels)
        first = self.down[0](self.conv_in(x), e)
        x = self.middle(self.down[1](F.avg_pool2d(first, 2, ceil_mode=True, count_include_pad=False), e), e)
        x = F.interpolate(x, first.shape[2:], mode="nearest")
        x = self.up[0](torch.cat([first, x], 1), e)
        return self.conv_out(F.silu(self.norm_out(x)))


def parameters(net):
    """With statistics and scales that are not all the same."""
    for name, value in net.state_dict().items():
        if value.dim() == 1 and value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5)
    return {name: tensor(value) for name, value in net.state_dict().items() if "num_batches" not in name}


images = torch.randn(4, 2, 5, 6)
resnets = {"input": tensor(images)}
for kind in ["basic", "bottleneck"]:
    net = ResNet(kind)
    values = parameters(net)
    evaluated = net.eval()(images)
    trained = net.train()(images)
    trained.square().sum().backward()
    resnets[kind] = {
        "parameters": values,
        "eval": tensor(evaluated),
        "train": tensor(trained),
        "gradient": tensor(net.conv1.weight.grad),
        "running_mean": tensor(net.layer2[0].bn2.running_mean),
    }

net = UNet()
values = parameters(net)
noisy, t, labels = torch.randn(3, 2, 5, 4), torch.tensor([0.0, 3.5, 80.0]), torch.tensor([2, 0, 3])
output = net(noisy, t, labels)
output.square().sum().backward()
unet = {
    "parameters": values,
    "input": tensor(noisy),
    "time": tensor(t),
    "labels": tensor(labels),
    "output": tensor(output),
    "no_class": tensor(net(noisy, t, torch.full([3], 3))),
    "gradient": tensor(net.time["linear1"].weight.grad),
    "embedding": tensor(waves(t, 6)),
}

write("networks", {"resnet": resnets, "unet": unet})
