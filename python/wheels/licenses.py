"""Collects the licences of the crates that the program and the runtime are built from, and of the data in them."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ["LICENSE*", "LICENCE*", "COPYING*", "COPYRIGHT*", "NOTICE*", "UNLICENSE*"]


def write(file: Path) -> None:
    """Writes one text: which crate has which licence, and then each licence's text once."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    command += ["--filter-platform", "x86_64-unknown-linux-gnu"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    metadata = json.loads(said.stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    heads, texts = [], defaultdict(list)
    for package in metadata["packages"]:
        if package["id"] not in used or package["source"] is None:
            continue
        name = f"{package['name']} {package['version']}"
        heads.append(f"{name}: {package['license'] or 'see its text'}")
        folder = Path(package["manifest_path"]).parent
        for text in found_in(folder):
            texts[text].append(name)
    for text_file in sorted((REPOSITORY / "runtime/data").rglob("LICENSE*")):
        texts[read(text_file)].append(str(text_file.parent.relative_to(REPOSITORY)))
    if not texts:
        raise SystemExit("no licence was found")
    parts = ["What Oxtorch is built from, and under which licences.\n\n" + "\n".join(sorted(heads))]
    parts += [f"{', '.join(sorted(set(names)))}\n\n{text}" for text, names in texts.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"\n\n{'=' * 80}\n".join(parts))


def found_in(folder: Path) -> list[str]:
    files = {path for name in NAMES for path in folder.glob(name) if path.is_file()}
    return [read(path) for path in sorted(files)]


def read(path: Path) -> str:
    return path.read_text(errors="replace").replace("\r\n", "\n").strip()
