"""Components that say what they need, rightly or not. Nothing imports them: importing this file fails."""

from typing import ClassVar

from torch import nn

from craftc.components import declare
from craftc.components.declare import declares as says

raise RuntimeError("linting imported a user's module")

TOKENS = ("text",)


class Reader(nn.Identity):
    """Looks tokens up."""

    takes: ClassVar = TOKENS

    def __init__(self, *, vocabulary_size: int, width: int = 8): ...


class DeepReader(Reader):
    """Looks them up too, for it derives from what does."""


class Columns(nn.Identity):
    """Of rows of a table alone."""

    takes = ("table",)

    def __init__(self, *, num_classes: int): ...


@says(gives=("text",))
def words(*, context_length: int = 32):
    """A text."""


@declare.declares(gives=["images"], facts={"num_samples": 40, "num_classes": 3}, seed_unused_at={"blur": 0.0})
def scans(*, blur: float = 0.0, seed: int = 0):
    """Forty scans."""


class Whiten:
    """Mixes all columns."""

    takes = ("images", "table")
    pools_columns = "takes one spread"

    def fit(self, x_train): ...


class Patient:
    """A phase that waits, and calls it so."""

    patience_argument = "wait"
    min_lr_argument = "floor"

    def __init__(self, *, metric: str = "valid/loss", wait: int = 5, floor: float = 0.0, epochs: int = 20): ...

    def lr(self, base_lr, step, num_steps, steps_per_epoch): ...


class Slip(nn.Identity):
    takes = ("image",)


class Bare(nn.Identity):
    takes = "text"


class Computed(nn.Identity):
    takes = tuple(sorted(TOKENS))


class Renamed:
    """Names an argument that it does not have."""

    patience_argument = "patience"

    def __init__(self, *, patients: int = 3, epochs: int = 20): ...

    def lr(self, base_lr, step, num_steps, steps_per_epoch): ...


@says(gives=("images",), fact={"num_samples": 40})
def unknown_word():
    """Says what craftc does not know."""


@says(facts={"num_sample": 40})
def unknown_fact():
    """Says a fact that craftc does not know."""


@says(takes=("images",))
def source_that_takes():
    """A source is given nothing."""
