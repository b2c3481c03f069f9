"""Formats of data that come in packages, as their own libraries read them: `.ts` by aeon 1.6, PGM and PPM by Pillow,
`.mo` files of GNU msgfmt by Python's gettext.

Run: python tests/reference/package_files.py
"""

import base64
import gettext
import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from aeon.datasets import load_from_ts_file
from encode import tensor, write
from PIL import Image

generator = np.random.default_rng(3)

SERIES = """# A file of two channels and of several lengths.
@problemName Toy
@timestamps false
@missing true
@univariate false
@dimension 2
@equalLength false
@classLabel true slow fast
@data
1.25,-3e-2,4.5:0.1,?,7:fast
0.5,6,1e3,2,8:1,2,3,4,5:slow
-1,2:3,-4:fast
"""

MESSAGES = """msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=1; plural=0;\\n"

msgid "Open a file"
msgstr "打开文件"

msgctxt "noun"
msgid "Open"
msgstr "空缺"

msgid "%d layer"
msgid_plural "%d layers"
msgstr[0] "%d 个图层"

msgid "two\\nlines"
msgstr "两\\n行"
"""


def text(data):
    return base64.b64encode(data).decode()


def series():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "toy_TRAIN.ts")
        path.write_text(SERIES)
        cases, labels = load_from_ts_file(str(path))
    # aeon has the channels first.
    cases = [tensor(case.T.astype(np.float32)) for case in cases]
    return {"file": SERIES, "cases": cases, "labels": [str(label) for label in labels]}


def pictures():
    gray = generator.integers(0, 256, (5, 4), dtype=np.uint8)
    color = generator.integers(0, 256, (3, 6, 3), dtype=np.uint8)
    described = {}
    for name, image in [("pgm", Image.fromarray(gray)), ("ppm", Image.fromarray(color))]:
        data = io.BytesIO()
        image.save(data, format="PPM")
        pixels = np.asarray(Image.open(io.BytesIO(data.getvalue())).convert("RGB"))
        described[name] = {"file": text(data.getvalue()), "pixels": tensor(pixels.transpose(2, 0, 1))}
    return described


def messages(endianness):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "x.po"), Path(folder, "x.mo")
        source.write_text(MESSAGES)
        subprocess.run(["msgfmt", f"--endianness={endianness}", "-o", target, source], check=True)
        data = target.read_bytes()
    catalog = gettext.GNUTranslations(io.BytesIO(data))._catalog
    # Of a plural Python keys the singular with the number of the form, of a context it keeps the text ahead.
    plain = {key[0] if isinstance(key, tuple) else key: value for key, value in catalog.items()}
    pairs = [[key.split("\x04")[-1], value] for key, value in plain.items() if key]
    return {"file": text(data), "pairs": pairs}


write("package_files", {
    "series": series(),
    **pictures(),
    "little_endian": messages("little"),
    "big_endian": messages("big"),
})
