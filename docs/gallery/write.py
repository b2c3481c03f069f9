"""Writes the pictures and the README of this folder from the executed notebooks/gallery.ipynb.

    oxtorch run notebooks/gallery.ipynb
    python docs/gallery/write.py
"""

import base64
import json
from pathlib import Path

FOLDER = Path(__file__).parent
NOTEBOOK = FOLDER.parent.parent / "notebooks" / "gallery.ipynb"
KINDS = {"image/png": "png", "image/gif": "gif"}
INTRODUCTION = """\
# Gallery of figures

One of each kind, with the cell that draws it. The cells stand in this order in
[notebooks/gallery.ipynb](../../notebooks/gallery.ipynb), and later ones use what earlier ones made. This page and its
pictures are made from that notebook:

    oxtorch run notebooks/gallery.ipynb
    python docs/gallery/write.py
"""


def picture(cell):
    """The ending and the bytes of what a cell shows; nothing where that is no picture."""
    for output in cell.get("outputs", []):
        for mime, ending in KINDS.items():
            if mime in output.get("data", {}):
                return ending, base64.b64decode("".join(output["data"][mime]))
    return None


def files(notebook):
    """The contents of this folder by name: a picture for each section of the notebook, and the page that shows them."""
    cells = json.loads(notebook.read_text())["cells"]
    page, pictures = [INTRODUCTION], {}
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
        pictures[name] = data
        page.append(f"{source}\n\n```rust\n{''.join(code['source'])}\n```\n\n![{heading}]({name})\n")
    return {"README.md": "\n".join(page).encode(), **pictures}


if __name__ == "__main__":
    for old in [*FOLDER.glob("*.png"), *FOLDER.glob("*.gif")]:
        old.unlink()
    for name, contents in files(NOTEBOOK).items():
        (FOLDER / name).write_bytes(contents)
