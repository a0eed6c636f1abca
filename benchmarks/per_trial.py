"""What a trial costs beside its training: craftc beside Ray Tune in three ways and a Ray ActorPool, all by hand.

`python benchmarks/per_trial.py [--small] [--quick] [--rounds N] [--json FILE]`. Each side is a process that trains many
trials and one that trains few; the difference, shared out, is what one more trial takes, without imports and Ray's
start. Trials with next to nothing to train, softmax regression for one epoch of two steps, and short ones. They run
on all CPUs of the machine; craftc alone writes what a trial can go on from, its weights, and a report.
"""

import json
import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

from ablation import SPEC, by_hand, trials_as_written
from runs import craftc_run
from side_by_side import Numbers, Side, Table, argument_parser, compare, fix_threads, with_rounds, write

NULL: dict[str, Any] = {
    **SPEC,
    "name": "null",
    "model": {"kind": "linear"},
    "regularization": {},
    "training": {
        **SPEC["training"],
        "epochs": 1,
        "batch_size": 600,
        "schedule": ["constant"],
    },
}
SHORT: dict[str, Any] = {**SPEC, "name": "short", "training": {**SPEC["training"], "epochs": 2}}
FEW = 4
SLOW = ("Tune function", "TorchTrainer in Tune")
TRAINER = (2, 6)
"""Few and many of TorchTrainers, of which each takes seconds."""


def spec(base: dict[str, Any], num_trials: int) -> dict[str, Any]:
    """As many seeds of one variant."""
    return {**base, "ablation": {"seeds": num_trials}}


def taken_by(how: str, base: dict[str, Any], num_trials: int) -> Numbers:
    """The process that trains so many trials."""
    written = spec(base, num_trials)
    if how != "craftc":
        return by_hand(how, trials_as_written(written), {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(json.dumps(written), encoding="utf-8")
        return craftc_run(path, Path(folder) / "runs").taken


def per_trial(how: str, base: dict[str, Any], num_trials: int) -> Numbers:
    """What one more trial takes, and the whole of many."""
    few, many = TRAINER if how == "torch-trainer" else (FEW, num_trials)
    small, large = taken_by(how, base, few), taken_by(how, base, many)
    names = {"wall s": "ms per trial", "CPU s": "CPU ms per trial"}
    found = {told: 1000 * (large[name] - small[name]) / (many - few) for name, told in names.items()}
    return found if how == "torch-trainer" else {**found, "wall s of all": large["wall s"]}


def measured(title: str, base: dict[str, Any], num_trials: int, options: Namespace) -> Table:
    """One table."""
    hows = {
        "one loop in one process": "loop",
        "ActorPool": "pool",
        "Tune, actors reused": "tune",
        "Tune function": "tune-function",
        "TorchTrainer in Tune": "torch-trainer",
        "craftc": "craftc",
    }
    left_out = dict.fromkeys(SLOW, "takes a second or more a trial, and --quick was given") if options.quick else {}
    hows = {name: how for name, how in hows.items() if name not in left_out}
    sides: dict[str, Side] = {name: partial(per_trial, how, base, num_trials) for name, how in hows.items()}
    facts = {"few, many": f"{FEW} and {num_trials} trials; of TorchTrainer {TRAINER[0]} and {TRAINER[1]}"}
    base_side, rounds = "Tune, actors reused", options.rounds
    return compare(title, base_side, sides, rounds=rounds, warm_up=0, left_out=left_out, facts=facts)


def main() -> None:
    """Both tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help=f"leave out {' and '.join(SLOW)}")
    options = with_rounds(parser.parse_args(), rounds=3, small_rounds=1)
    fix_threads(options.threads)
    sizes = (24, 12) if options.small else (200, 64)
    tables = [
        measured(f"{sizes[0]} trials of next to nothing", NULL, sizes[0], options),
        measured(f"{sizes[1]} short trials, two epochs of a small scanline_vit", SHORT, sizes[1], options),
    ]
    write(options, "per_trial", tables)


if __name__ == "__main__":
    main()
