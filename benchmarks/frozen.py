"""What keeping features saves: heads on one frozen backbone, on features computed once and at every step, in turn.

`python benchmarks/frozen.py [--small] [--rounds N] [--json FILE]`. Both sides run in this process with one thread, from
an empty store each time, the imports and the data before the clock. The side that computes features at every step has
an augmentation that changes nothing; both have to come to equal losses.
"""

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from side_by_side import Numbers, argument_parser, compare, fix_threads, timed, with_rounds, write

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, TrialFinished
from craftc.training.frozen import frozen_features

VIT = {"kind": "scanline_vit", "d_model": 64, "num_layers": 4, "num_heads": 4, "d_ffn": 128}
CHANGES_NOTHING = {"kind": "gaussian_noise", "std": 1.0, "p": 0.0}


def trials(*, kept: bool, epochs: int, heads: int) -> list[Trial]:
    """Linear heads at different rates on one backbone; its weights are drawn, which costs what trained ones do."""
    spec = {
        "craftc": 1,
        "name": "frozen",
        "data": {"source": "mnist_5k", "normalize": "per_line", "augment": [] if kept else [CHANGES_NOTHING]},
        "model": {"kind": "frozen_backbone", "backbone": VIT, "weights": "random"},
        "objective": {"kind": "cross_entropy"},
        "training": {"epochs": epochs, "batch_size": 32, "optimizer": {"kind": "adamw", "lr": 1e-3}},
        "ablation": {"grid": {"training.optimizer.lr": [1e-3 * 2**number for number in range(heads)]}},
    }
    compiled = compile_spec(json.dumps(spec), "frozen.yaml", built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    return list(compiled.plan.trials)


def measure(planned: list[Trial], losses: dict[tuple[float, int], float]) -> Numbers:
    """Train from an empty store; each epoch's loss has to be the one in `losses` already, within rounding."""
    frozen_features.forget()
    with tempfile.TemporaryDirectory() as folder:
        events: list[Any] = []
        taken = timed(lambda: events.extend(run_job(planned, store=Store(Path(folder)), device="cpu", cpus=1)))
    rates = {trial.id: trial.config["training"]["optimizer"]["lr"] for trial in planned}
    assert sum(isinstance(event, TrialFinished) for event in events) == len(planned), "every trial finishes"
    for record in (event.record for event in events if isinstance(event, EpochEnded)):
        loss = record.metrics["train/objective"]
        assert abs(losses.setdefault((rates[record.trial], record.epoch), loss) - loss) < 1e-5, "every loss is the same"
    return {**taken, "features": len(planned) * planned[0].epochs if planned[0].config["data"]["augment"] else 1}


def main() -> None:
    """Measure, print, write."""
    options = with_rounds(argument_parser(__doc__).parse_args(), rounds=3, small_rounds=1)
    fix_threads(options.threads)
    tables = []
    for epochs, heads in [(2, 2)] if options.small else [(10, 1), (10, 4)]:
        losses: dict[tuple[float, int], float] = {}
        # Imports, the data and torch's first steps, before the clock.
        measure(trials(kept=True, epochs=1, heads=1), {})
        sides = {
            "at every step": partial(measure, trials(kept=False, epochs=epochs, heads=heads), losses),
            "once": partial(measure, trials(kept=True, epochs=epochs, heads=heads), losses),
        }
        title = f"{heads} linear head{'s' if heads > 1 else ''}, {epochs} epochs, on a scanline_vit of 4 layers"
        tables.append(compare(title, "at every step", sides, rounds=options.rounds, warm_up=0))
    write(options, "frozen", tables)


if __name__ == "__main__":
    main()
