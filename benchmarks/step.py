"""Time per step: craftc's engine, a hand-written loop, a usual one with a DataLoader, Lightning, transformers' Trainer.

`python benchmarks/step.py [--small] [--rounds N] [--device cuda] [--json FILE]`. All sides train one `scanline_vit` on
the same images with the same size of batch and optimizer, in this process, in turn; each round is an epoch that is
not timed and one that is. Lightning and transformers come with the extra `bench`; what is missing is left out.
"""

import contextlib
import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from by_hand import Stopwatch, Trained
from side_by_side import Numbers, Side, Table, argument_parser, compare, fix_threads, render, with_rounds, write

BATCH_SIZE = 32
CLIP = 1.0
NUM_IMAGES = {"digits": 1797, "mnist_5k": 5000}


@dataclass(frozen=True)
class Size:
    """A model and its data: 8 lines of 8 pixels of `digits`, or 28 of 28 of `mnist_5k`."""

    source: str
    d_model: int
    num_train: int
    device: str = "cpu"

    @property
    def title(self) -> str:
        """What differs."""
        tokens = 9 if self.source == "digits" else 29
        return f"d_model {self.d_model}, {tokens} tokens, batches of {BATCH_SIZE}"

    @property
    def num_steps(self) -> int:
        """Of an epoch."""
        return -(-self.num_train // BATCH_SIZE)

    def trial(self) -> Any:
        """The trial that craftc trains, whose configuration the others take."""
        from craftc.compiler.language.catalogue import built_in_catalogue
        from craftc.compiler.pipeline import compile_spec

        share = self.num_train / NUM_IMAGES[self.source]
        spec = {
            "craftc": 1,
            "name": "step",
            "data": {
                "source": {"kind": self.source},
                "splits": {"train": share, "valid": (1 - share) / 2, "test": (1 - share) / 2},
                "normalize": "per_dataset",
            },
            "model": {
                "kind": "scanline_vit", "d_model": self.d_model, "num_layers": 2, "num_heads": 4,
                "d_ffn": 2 * self.d_model,
            },
            "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
            "regularization": {"dropout": 0.05, "weight_decay": 0.05, "clip_grad_norm": CLIP},
            "training": {"epochs": 1000, "batch_size": BATCH_SIZE, "optimizer": {"kind": "adamw", "lr": 1e-3}},
        }  # fmt: skip
        compiled = compile_spec(json.dumps(spec), "step.yaml", built_in_catalogue())
        assert compiled.plan is not None, compiled.diagnostics
        return compiled.plan.trials[0]


FULL = tuple(Size(source, d_model, 1024) for source in NUM_IMAGES for d_model in (16, 64, 256))
SMALL = (Size("digits", 16, 512), Size("digits", 64, 512), Size("mnist_5k", 64, 512), Size("digits", 256, 512))


def craftc(size: Size) -> Iterator[Trained]:
    """craftc's own parts and epoch, as a worker of `craftc run` calls them."""
    import torch

    from craftc.training.assemble import assemble
    from craftc.training.data.device_split import to_device
    from craftc.training.data.prepare import prepare
    from craftc.training.foundation.course import course_of
    from craftc.training.loop.train_steps import begin_record, came_to, train_steps

    trial, device = size.trial(), torch.device(size.device)
    data = prepare(trial.config["data"])
    train = to_device(data.splits, device)["train"]
    course = course_of(trial.config, len(train))
    parts = assemble(trial, data, device, course)
    for epoch in range(1, trial.config["training"]["epochs"] + 1):
        watch = Stopwatch()
        running = begin_record(parts, course.first_of(epoch))
        train_steps(parts, train, course, running, course.end_of(epoch), record=epoch)
        yield Trained(watch.read(), came_to(parts, running, epoch)["train/objective"])


def by_hand(size: Size) -> Iterator[Trained]:
    """Resident data, gathered by index, a fused optimizer: `benchmarks/by_hand.py`."""
    from by_hand import train_epoch

    model, optimizer, train = parts_by_hand(size)
    while True:
        watch = Stopwatch()
        loss = train_epoch(model, optimizer, train, BATCH_SIZE, clip=CLIP)
        yield Trained(watch.read(), loss)


def with_loader(size: Size) -> Iterator[Trained]:
    """A DataLoader as it comes, and the loss read at every step."""
    import torch
    from torch.nn import functional as F

    model, optimizer, train = parts_by_hand(size)
    loader = loader_of(train)
    while True:
        watch, total = Stopwatch(), 0.0
        model.train()
        for inputs, targets in loader:
            inputs, targets = inputs.to(size.device), targets.to(size.device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            total += loss.item() * len(targets)
        yield Trained(watch.read(), total / len(train[1]))


def lightning(size: Size, *, bare: bool) -> Iterator[Trained]:
    """Lightning's Trainer as it comes, or with nothing but the training (`barebones`)."""
    from lightning_side import epochs

    model, optimizer, train = parts_by_hand(size)
    return epochs(model, optimizer, loader_of(train), clip=CLIP, bare=bare, device=size.device)


def hugging_face(size: Size) -> Iterator[Trained]:
    """transformers' Trainer with its own data loading; nothing is saved or reported."""
    from hugging_face_side import epochs

    model, optimizer, train = parts_by_hand(size)
    return epochs(model, optimizer, train, BATCH_SIZE, clip=CLIP, device=size.device)


def parts_by_hand(size: Size) -> tuple[Any, Any, Any]:
    """Model, optimizer and train split of a side that is not craftc's."""
    import torch
    from by_hand import build_model, build_optimizer, load

    torch.manual_seed(0)
    config = size.trial().config
    data = load(config["data"], size.device)
    model = build_model(config["model"], data)
    return model, build_optimizer(config["training"]["optimizer"], model), data.splits["train"]


def loader_of(train: Any) -> Any:
    """The usual one: shuffled, in this process, from data on the CPU."""
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(*(part.cpu() for part in train)), batch_size=BATCH_SIZE, shuffle=True)


SIDES = {
    "by hand": by_hand,
    "craftc": craftc,
    "loop with DataLoader": with_loader,
    "Lightning": partial(lightning, bare=False),
    "Lightning, barebones": partial(lightning, bare=True),
    "HF Trainer": hugging_face,
}


def side(name: str, size: Size, losses: dict[str, list[float]]) -> Side:
    """Measures an epoch, after one that is only trained."""
    epochs: Iterator[Trained] | None = None

    def measure() -> Numbers:
        nonlocal epochs
        with quiet():
            epochs = SIDES[name](size) if epochs is None else epochs
            next(epochs)
            trained = next(epochs)
        losses.setdefault(name, []).append(trained.loss)
        wall, cpu = (seconds / size.num_steps * 1e3 for seconds in trained.seconds)
        return {"ms per step": wall, "CPU ms per step": cpu}

    return measure


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lightning and transformers print bars and advice, on both streams."""
    logging.disable(logging.WARNING)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def measured(size: Size, rounds: int) -> Table:
    """The table of one size. All sides have to have learnt alike, or they would not have done the same."""
    losses: dict[str, list[float]] = {}
    sides = {name: side(name, size, losses) for name in SIDES}
    table = compare(size.title, "by hand", sides, rounds=rounds, warm_up=0, told=False)
    reached = {name: values[-1] for name, values in losses.items()}
    if max(reached.values()) > 1.5 * min(reached.values()) + 0.1:
        sys.exit("the sides came to different losses, so they did not train the same")
    facts = {"last losses": ", ".join(f"{name} {loss:.3f}" for name, loss in reached.items())}
    for name in ("craftc", "by hand"):
        against = table.ratio(name, "ms per step", base="Lightning")
        if against is not None:
            facts[f"{name} to Lightning"] = f"{against:.2f}"
    table = replace(table, facts=facts)
    print(render(table), flush=True)
    return table


def main() -> None:
    """Measure every size."""
    parser = argument_parser(__doc__)
    parser.add_argument("--device", default="cpu")
    options = with_rounds(parser.parse_args(), rounds=9, small_rounds=3)
    fix_threads(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch

    torch.set_num_threads(options.threads)
    sizes = [replace(size, device=options.device) for size in (SMALL if options.small else FULL)]
    write(options, "step", [measured(size, options.rounds) for size in sizes])


if __name__ == "__main__":
    main()
