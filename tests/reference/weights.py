"""Files of weights as Python writes them (in hexadecimal), and what is in them: safetensors with all types of numbers,
and GGUF with its quantised formats, as the package `gguf` writes and reads it."""

import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, quants
from safetensors.torch import save_file

from encode import tensor, write

torch.manual_seed(10)
rng = np.random.default_rng(10)


def hexadecimal(name, save):
    """What a function writes into a file of that name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save(path)
        return path.read_bytes().hex()


base = torch.randn(2, 3) * 3
floats = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
kinds = {name: base.to(getattr(torch, name)) for name in floats}
kinds |= {name: torch.randint(-50, 50, (2, 3)).to(getattr(torch, name)) for name in ("int64", "int32", "int16", "int8")}
kinds |= {"bool": base > 0, "complex64": torch.view_as_complex(torch.randn(3, 2))}
for bits in (8, 16, 32):
    kinds[f"uint{bits}"] = torch.tensor([0, 1, 2**bits - 1], dtype=getattr(torch, f"uint{bits}"))
kinds |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}


def here(name, value):
    """With a type that `runtime/src/tests/reference.rs` reads."""
    if name == "complex64":
        return tensor(torch.view_as_real(value))
    if value.is_floating_point():
        return tensor(value.float())
    return tensor(value if name in ("uint8", "bool") else value.to(torch.int64))


def write_gguf(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_float32("llama.rope.freq_base", 10000.0)
    writer.add_token_list(["<s>", "h\u00e9", "\u4f60"])
    writer.add_add_bos_token(True)
    writer.add_array("general.languages", ["en"])
    for name, (kind, data, _) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


weights = rng.standard_normal((3, 64)).astype("float32")
tensors = {}
for name in ("Q4_0", "Q4_1", "Q8_0", "F32", "F16", "BF16", "Q5_0"):
    kind = GGMLQuantizationType[name]
    data = quants.quantize(weights, kind)
    tensors[name] = (kind, data, quants.dequantize(data, kind).astype("float32"))
tensors["bias"] = (GGMLQuantizationType.F32, weights[0].copy(), weights[0])

write(
    "weights",
    {
        "kinds": hexadecimal("kinds.safetensors", lambda path: save_file(kinds, path)),
        "values": {name: here(name, value) for name, value in kinds.items()},
        "gguf": hexadecimal("model.gguf", write_gguf),
        "gguf_values": {name: tensor(values) for name, (_, _, values) in tensors.items()},
    },
)
