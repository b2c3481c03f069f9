"""Files of data sets as torchvision 0.28 reads them, and where it finds them.

Run: python tests/reference/data_files.py
"""

import base64
import gzip
import io
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch
from encode import tensor, write
from PIL import Image
from torchvision import datasets
from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor
from torchvision.transforms import v2

generator = np.random.default_rng(5)


def text(data):
    return base64.b64encode(data).decode()


def idx_files():
    files = {}
    for code, kind in [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")]:
        kind = np.dtype(kind)
        shape = (2, 3, 4)
        if kind.kind == "f":
            values = generator.normal(size=shape).astype(kind)
        else:
            values = generator.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, dtype=kind)
        data = struct.pack(">HBB3I", 0, code, 3, *shape) + values.astype(kind.newbyteorder(">")).tobytes()
        files[kind.name] = data
    files["packed"] = gzip.compress(files["uint8"], mtime=0)
    described = {}
    for name, data in files.items():
        with tempfile.NamedTemporaryFile() as file:
            file.write(gzip.decompress(data) if name == "packed" else data)
            file.flush()
            read = read_sn3_pascalvincent_tensor(file.name, strict=False)
        described[name] = {"file": text(data), "tensor": tensor(read.to(torch.float64))}
    return described


def images():
    rows = generator.integers(0, 256, (11, 9, 4), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(rows).resize((9, 11), Image.Resampling.BICUBIC, reducing_gap=2))
    rgb = Image.fromarray(np.ascontiguousarray(smooth[..., :3]))
    pictures = {
        "rgb": rgb,
        "grey": rgb.convert("L"),
        "opacity": Image.fromarray(smooth),
        "palette": rgb.quantize(16),
    }
    described = {}
    to_tensor = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    for name, picture in pictures.items():
        data = io.BytesIO()
        picture.save(data, "PNG")
        loaded = Image.open(data).convert("RGB")
        resized = loaded.resize((7, 5), Image.Resampling.BILINEAR)
        described[name] = {
            "file": text(data.getvalue()),
            "tensor": tensor(to_tensor(loaded)),
            "grey": tensor(to_tensor(loaded.convert("L"))),
            "resized": tensor(to_tensor(resized)),
        }
    return described


def folder():
    names = [
        "dog/b.png", "dog/a.jpg", "dog/B.png", "dog/10.png", "dog/9.png", "cat/deep/er/x.png", "cat/deep-er/y.png",
        "cat/deep/z.png", "cat/z.JPEG", "cat/notes.txt", "Zebra/one.png", "élan/one.png", "loose.png",
    ]
    with tempfile.TemporaryDirectory() as root:
        for name in names:
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        found = datasets.ImageFolder(root)
        samples = [[str(Path(path).relative_to(root)), index] for path, index in found.samples]
    return {"files": names, "classes": found.classes, "samples": samples}


def sources(dataset, name):
    return [
        [f"{name}/raw/{file}", [mirror + file for mirror in dataset.mirrors], md5] for file, md5 in dataset.resources
    ]


write("data_files", {
    "idx": idx_files(),
    "images": images(),
    "folder": folder(),
    "sources": {name: sources(getattr(datasets, name), name) for name in ["MNIST", "FashionMNIST"]},
    "classes": {name: getattr(datasets, name).classes for name in ["MNIST", "FashionMNIST"]},
})
