"""Programs, and what cannot be one."""

from pathlib import Path
from typing import Literal

import craftc
from craftc.components.bounds import PositiveInt


def train(
    run: craftc.Run,
    *,
    lr: float,
    layers: PositiveInt = 2,
    mode: Literal["fast", "exact"] = "fast",
    data: Path = Path("own_code"),
    **options: object,
) -> None:
    for step in range(layers):
        run.report({"valid/knn": lr, "valid/loss": 1.0}, state={"step": step})
    run.finish({"test/knn": 1.0})


def unknown_names(run, lr=0.1):
    run.report({f"valid/{name}": lr for name in ("knn", "loss")})


def handed_on(run, lr=0.1):
    run.report({"valid/loss": lr})
    unknown_names(run, lr)


class Trainer:
    def __init__(self, run: "craftc.Run") -> None: ...

    def fit(self, run): ...


def generator(run):
    yield {"valid/loss": 1.0}


def with_generator_inside(run):
    def batches():
        yield from range(3)

    run.report({"valid/loss": float(sum(batches()))})


async def asynchronous(run): ...


def no_run(lr: float): ...


def by_position(config, run, /, *, lr=0.1): ...
