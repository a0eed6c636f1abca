"""Writes the photographs of the package elpv-dataset as folders of classes, for specs/roadwork_4way.yaml.

2,624 solar cells by the light that they give off under current (Buerkhop-Welker et al. 2018; Deitsch et al. 2019), each
of one or of several crystals, with the probability that it is defective. Four classes are made of the kind of cell and
of its state; the 401 cells of which the experts were not sure are left out. CC BY-NC-SA 4.0: not for commercial use.
"""

import sys
import zipfile
from pathlib import Path

FOLDER = "elpv_dataset/data/"
STATES = {"0.0": "sound", "1.0": "defective"}


def write(wheel: Path, folder: Path) -> int:
    """Unpack a wheel into `folder/CLASS/NAME.png`; the number of photographs."""
    num_written = 0
    with zipfile.ZipFile(wheel) as archive:
        for line in archive.read(f"{FOLDER}labels.csv").decode().splitlines():
            name, probability, kind = line.split()
            if probability not in STATES:
                continue
            file = folder / f"{kind}_{STATES[probability]}" / Path(name).name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(f"{FOLDER}{name}"))
            num_written += 1
    return num_written


if __name__ == "__main__":
    [found] = Path(sys.argv[1]).glob("elpv_dataset-*.whl")
    print(f"{write(found, Path(sys.argv[2])):,} photographs in {sys.argv[2]}")
