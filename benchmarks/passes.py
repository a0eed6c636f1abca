"""The flagship with and without each pass of the compiler: wall and CPU time of whole runs, epochs trained, jobs.

`python benchmarks/passes.py [--small] [--rounds N] [--json FILE]`. Every side is `craftc run` of
specs/vit_ablation.yaml as a process of its own, from an empty store but for those that are to reuse a filled one;
small, with one seed and few epochs. benchmarks/without.py says what a pass that is left out does not do.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from processes import ROOT
from ruamel.yaml import YAML
from runs import craftc_run
from side_by_side import Numbers, Side, compare, fix_threads, read_options, write

ALL = "all passes"
LEFT_OUT = (
    ("fold",),
    ("share",),
    ("fold", "share"),
    ("batch",),
    ("pack",),
    ("place",),
    tuple(["fold", "share", "batch", "pack", "place"]),
)
SMALL_LEFT_OUT = (LEFT_OUT[2], LEFT_OUT[3], LEFT_OUT[-1])


def flagship(*, small: bool) -> dict[str, Any]:
    """The spec."""
    spec: dict[str, Any] = YAML(typ="safe").load(ROOT / "specs" / "vit_ablation.yaml")
    if small:
        spec["training"]["epochs"], spec["ablation"]["seeds"] = 4, 1
    return spec


def edited(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same with one value more in its grid, as somebody asks next."""
    ablation = {**spec["ablation"], "grid": {"model.num_layers": [1, 2, 3]}}
    return {**spec, "ablation": ablation}


def run(spec: Mapping[str, Any], folder: Path, *, without: Sequence[str] = (), filled: Path | None = None) -> Numbers:
    """Run it, from what the runs folder `filled` holds, if one is given. What it leaves is kept in `folder`, if new."""
    with tempfile.TemporaryDirectory() as scratch:
        path, runs_dir = Path(scratch) / "flagship.yaml", Path(scratch) / "runs"
        path.write_text(json.dumps(spec), encoding="utf-8")
        if filled is not None:
            shutil.copytree(filled, runs_dir)
        ran = craftc_run(path, runs_dir, without=without)
        if not folder.exists():
            shutil.move(runs_dir, folder)
    return {**ran.taken, "epochs": ran.num_epochs, "jobs": ran.num_jobs}


def main() -> None:
    """Measure every side."""
    options = read_options(__doc__, rounds=2, small_rounds=1)
    fix_threads(options.threads)
    spec = flagship(small=options.small)
    with tempfile.TemporaryDirectory() as kept:
        filled = Path(kept) / "runs"
        sides: dict[str, Side] = {ALL: partial(run, spec, filled)}
        for names in SMALL_LEFT_OUT if options.small else LEFT_OUT:
            sides["without " + ", ".join(names)] = partial(run, spec, filled, without=names)
        sides["run again (reuse)"] = partial(run, spec, filled, filled=filled)
        sides["one value more in the grid (reuse)"] = partial(run, edited(spec), filled, filled=filled)
        sides["the same, nothing to reuse"] = partial(run, edited(spec), filled)
        if options.small:
            del sides["the same, nothing to reuse"]
        title = f"{spec['name']}, {spec['ablation']['seeds']} seeds, up to {spec['training']['epochs']} epochs"
        table = compare(title, ALL, sides, rounds=options.rounds, warm_up=0)
    write(options, "passes", [table])


if __name__ == "__main__":
    main()
