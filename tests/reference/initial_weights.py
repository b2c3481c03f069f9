"""What layers of PyTorch 2.13 begin with after a seed, how large that is where there is more of it, and how a network learns from there."""

import torch
from torch import nn
from torch.nn import functional as F

from encode import parameters, tensor, write

layers = {
    "linear": lambda: nn.Linear(5, 4),
    "linear_without_bias": lambda: nn.Linear(5, 4, bias=False),
    "bilinear": lambda: nn.Bilinear(3, 4, 2),
    "conv1d": lambda: nn.Conv1d(4, 6, 3, groups=2),
    "conv2d": lambda: nn.Conv2d(2, 3, 3),
    "conv3d": lambda: nn.Conv3d(1, 2, 2),
    "conv_transpose1d": lambda: nn.ConvTranspose1d(4, 6, 3, groups=2),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(2, 3, 3),
    "conv_transpose3d": lambda: nn.ConvTranspose3d(1, 2, 2),
    "batch_norm": lambda: nn.BatchNorm2d(3),
    "layer_norm": lambda: nn.LayerNorm([2, 3]),
    "group_norm": lambda: nn.GroupNorm(2, 4),
    "embedding": lambda: nn.Embedding(5, 3, padding_idx=1),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "gru": lambda: nn.GRU(3, 4),
    "gru_without_bias": lambda: nn.GRU(3, 4, bias=False),
    "rnn": lambda: nn.RNN(3, 4),
    "lstm_cell": lambda: nn.LSTMCell(3, 4),
    "multihead_attention": lambda: nn.MultiheadAttention(4, 2),
    "multihead_attention_without_bias": lambda: nn.MultiheadAttention(4, 2, bias=False),
    "transformer_encoder_layer": lambda: nn.TransformerEncoderLayer(4, 2, 6),
    "transformer_decoder_layer": lambda: nn.TransformerDecoderLayer(4, 2, 6),
}

large = {
    "linear": lambda: nn.Linear(64, 64),
    "conv2d": lambda: nn.Conv2d(16, 32, 3),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(16, 32, 3),
    "lstm": lambda: nn.LSTM(20, 64),
    "gru": lambda: nn.GRU(20, 64),
    "rnn": lambda: nn.RNN(20, 64),
    "embedding": lambda: nn.Embedding(100, 50),
    "multihead_attention": lambda: nn.MultiheadAttention(64, 4),
    "transformer_encoder_layer": lambda: nn.TransformerEncoderLayer(64, 4, 128),
}


def seeded(make):
    torch.manual_seed(7)
    return make()


def spread(layer):
    return {name: {"std": value.std().item(), "most": value.abs().max().item()} for name, value in layer.named_parameters()}


def outputs(layer):
    """Of a sequence that is the same for all of them; the last layer of an LSTM has its dropout off."""
    xs = (torch.arange(2 * 5 * 3).reshape(2, 5, 3) * 0.7).sin()
    layer.batch_first = True
    return tensor(layer(xs)[0])


def curve(seed):
    """Losses of a network of five layers, of the kind that a course begins with."""
    torch.manual_seed(seed)
    xs = (torch.arange(64 * 20).reshape(64, 20) * 0.37).sin()
    ys = xs[:, :10].argmax(1)
    widths = [20, 64, 64, 64, 64, 10]
    parts = []
    for layer, (a, b) in enumerate(zip(widths, widths[1:])):
        parts += [nn.Linear(a, b), nn.ReLU()] if layer < 4 else [nn.Linear(a, b)]
    net = nn.Sequential(*parts)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(net(xs), ys)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


curves = [curve(seed) for seed in range(5)]
after_ten = torch.tensor([losses[10] for losses in curves])
write(
    "initial_weights",
    {
        "layers": {name: parameters(seeded(make)) for name, make in layers.items()},
        "large": {name: spread(seeded(make)) for name, make in large.items()},
        "outputs": {name: outputs(seeded(layers[name])) for name in ["lstm", "gru", "gru_without_bias", "rnn"]},
        "curve": {
            "losses": curves,
            "after_ten": {"mean": after_ten.mean().item(), "std": after_ten.std().item()},
        },
    },
)
