"""Files of NumPy, safetensors and TorchScript as Python writes them (in hexadecimal), and what is in them."""

import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from encode import tensor, write

torch.manual_seed(9)
rng = np.random.default_rng(9)


def hexadecimal(save):
    """What a function writes into a file."""
    file = io.BytesIO()
    save(file)
    return file.getvalue().hex()


base = rng.integers(-50, 50, (2, 3))
arrays = {
    **{name: base.astype(name) for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64")},
    **{name: np.array([0, 1, 200], name) for name in ("uint8", "uint64")},
    "uint16": np.array([0, 1, 65535], "uint16"),
    "uint32": np.array([0, 1, 2**32 - 1], "uint32"),
    "bool": base > 0,
    "fortran": np.asfortranarray(rng.standard_normal((2, 3, 4)).astype("float32")),
    "big_endian": base.astype(">i4"),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), "float32"),
    "line": np.arange(3.0),
}
# As libtorch has them.
here = {"float16": "float32", "int8": "int64", "int16": "int64", "int32": "int64", "uint16": "int64", "uint32": "int64"}
here |= {"uint64": "int64", "big_endian": "int64"}


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 16, 3)

    def forward(self, x):
        return self.out(self.norm(self.conv(x)).relu().flatten(1))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 4, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


def model(module, x):
    """The weights as `save_file` writes them, and what the network gives."""
    module.train()
    for _ in range(3):
        module(x)  # Statistics that are not those of a new batch norm.
    module.eval()
    path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    save_file(module.state_dict(), path)
    return {"file": path.read_bytes().hex(), "input": tensor(x), "output": tensor(module(x))}


mlp = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
scripted, script_input = nn.Sequential(nn.Linear(3, 4), nn.Tanh()), torch.randn(2, 3)
traced = torch.jit.trace(scripted, script_input)
pair = {name: arrays[name] for name in ("float32", "int64")}

write(
    "files",
    {
        "npy": {name: hexadecimal(lambda file: np.save(file, array)) for name, array in arrays.items()},
        "arrays": {name: tensor(array.astype(here.get(name, array.dtype))) for name, array in arrays.items()},
        "npz": {
            "plain": hexadecimal(lambda file: np.savez(file, **pair)),
            "compressed": hexadecimal(lambda file: np.savez_compressed(file, **pair)),
        },
        "models": {
            "mlp": model(mlp, torch.randn(4, 6)),
            "cnn": model(Cnn(), torch.randn(2, 1, 6, 6)),
            "lstm": model(Lstm(), torch.randn(2, 3, 5)),
            "transformer": model(
                nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), torch.randn(2, 4, 8)
            ),
        },
        "dict": hexadecimal(lambda file: torch.save({"w": torch.tensor([1.0, 2.0])}, file)),
        "script": {
            "file": hexadecimal(lambda file: torch.jit.save(traced, file)),
            "input": tensor(script_input),
            "output": tensor(scripted(script_input)),
        },
    },
)
