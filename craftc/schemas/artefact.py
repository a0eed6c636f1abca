"""An artefact: what is made from a trained model to be looked at, as it is planned, and as it is kept."""

import hashlib
import json
from typing import Any, Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen


class PlannedArtefact(Frozen):
    """One of `report.artefacts`. `component` has its kind and every argument; `of` is what it shows: a split, or a pass
    or after-stage on one, `<split>/<pass>`. `every` is of how many records one is made while a trial trains; None: at
    the end alone. `code` is the digest of the source of a user's own component."""

    name: str
    component: dict[str, Any]
    of: str
    replicates: Literal["first", "all"] = "first"
    every: int | None = Field(None, ge=1)
    code: str | None = None

    @property
    def kind(self) -> str:
        """Which component makes it."""
        return str(self.component["kind"])

    @property
    def digest(self) -> str:
        """Of all that decides what it shows of the same weights: hexadecimal SHA-256."""
        decisive = [self.component, self.of, self.code]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


class Artefact(Frozen):
    """What is kept of one: `values` is its content for programs, `text` for people; `picture` is the name of a PNG
    beside it. Its weights are those of `epoch`; `digest` is that of how it was planned."""

    format_version: Literal["1.0"] = "1.0"
    name: str
    kind: str
    trial: str
    epoch: int = Field(ge=0)
    of: str
    digest: str
    values: dict[str, Any]
    text: str | None = None
    picture: str | None = None


FOLDER = "artefacts"
"""Within the folder of a trial."""


def file_stem(name: str, epoch: int | None = None) -> str:
    """What the files of an artefact are called without their endings; `epoch` of one made while the trial trained."""
    return name if epoch is None else f"{name}.epoch_{epoch:06}"


def epoch_in(stem: str) -> int | None:
    """The epoch in the name of a file; None of one of the best weights."""
    _, dot, epoch = stem.rpartition(".epoch_")
    return int(epoch) if dot and epoch.isdecimal() else None
