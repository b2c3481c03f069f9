"""Writes the pictures and the README of this folder from the executed notebooks/gallery.ipynb.

    oxtorch run notebooks/gallery.ipynb
    python docs/gallery/write.py
"""

import base64
import json
from pathlib import Path

here = Path(__file__).parent
cells = json.loads((here.parent.parent / "notebooks" / "gallery.ipynb").read_text())["cells"]
KINDS = {"image/png": "png", "image/gif": "gif"}


def picture(cell):
    """The ending and the bytes of what a cell shows; nothing where that is no picture."""
    for output in cell.get("outputs", []):
        for mime, ending in KINDS.items():
            if mime in output.get("data", {}):
                return ending, base64.b64decode("".join(output["data"][mime]))
    return None


page = [
    "# Gallery of figures\n\n"
    "One of each kind, with the cell that draws it. The cells stand in this order in\n[notebooks/gallery.ipynb](../../notebooks/gallery.ipynb), "
    "and later ones use what earlier ones made. This page and its\npictures are made from that notebook:\n\n"
    "    oxtorch run notebooks/gallery.ipynb\n"
    "    python docs/gallery/write.py\n"
]
for old in [*here.glob("*.png"), *here.glob("*.gif")]:
    old.unlink()
for text, code in zip(cells, cells[1:]):
    source = "".join(text["source"])
    if text["cell_type"] != "markdown" or not source.startswith("## "):
        continue
    heading = source.splitlines()[0].removeprefix("## ")
    shown = picture(code)
    if shown is None:
        raise SystemExit(f"the cell below {heading!r} shows no picture: run the notebook first")
    ending, data = shown
    name = f"{heading.lower().replace(' ', '-')}.{ending}"
    (here / name).write_bytes(data)
    page.append(f"{source}\n\n```rust\n{''.join(code['source'])}\n```\n\n![{heading}]({name})\n")
(here / "README.md").write_text("\n".join(page))
