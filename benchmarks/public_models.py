"""Public models, each named as it is in a spec of two epochs on a bundled source; what became of each.

`python benchmarks/public_models.py` writes docs/measured/public_models.md. What is not installed is left out with a
line. Names after it run those alone, and write nothing.
"""

import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, NamedTuple

import numpy as np
from click.testing import CliRunner
from machine import describe_machine
from public_models_list import DIGITS_FILE, MODELS, TASKS, TEXT_FILE, PublicModel

from craftc.components.sources.bundled import digits

OUT = Path(__file__).parents[1] / "docs" / "measured" / "public_models.md"
NUM_CHARACTERS = 6_000
NUM_IMAGES = 160
HEAD = """# How public models fared

Written by `benchmarks/public_models.py`: {tried} models of {packages} packages, which nobody here wrote, each named in
a spec without a line of Python. {trained} trained. Two epochs of a few samples show that a model is taken, and not
what it is worth.
"""


class Became(NamedTuple):
    """What a model did: its metrics at the end, or what craftc said. `said` are the codes of notes and warnings."""

    trained: bool
    metrics: dict[str, float]
    message: str
    seconds: float


def spec_of(model: PublicModel) -> dict[str, Any]:
    """Two epochs on a few samples of the model's task, and what had to be said beside its name."""
    task = TASKS[model.task]
    return {
        "craftc": 1,
        "name": "public-model",
        "data": {**task["data"], **model.data},
        "model": model.setting,
        "objective": task["objective"],
        "training": {"epochs": 2, "batch_size": 32, "optimizer": {"kind": "adamw", "lr": 1e-3}},
        "resources": {"cpus": 1},
    }


def train(model: PublicModel) -> Became:
    """In this process, in an empty folder."""
    from craftc.cli.run import run

    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        few = digits()
        np.savez(DIGITS_FILE, inputs=few.inputs[:NUM_IMAGES], targets=few.targets[:NUM_IMAGES])
        Path(TEXT_FILE).write_text("".join(topics.values())[:NUM_CHARACTERS], encoding="utf-8")
        Path("spec.yaml").write_text(json.dumps(spec_of(model)), encoding="utf-8")
        begun = time.perf_counter()
        done = CliRunner().invoke(run, ["spec.yaml", "--backend", "inline", "--runs-dir", "runs"])
        seconds = time.perf_counter() - begun
        if done.exit_code == 0:
            [result] = Path("runs", "store").glob("*/result.json")
            metrics = json.loads(result.read_text(encoding="utf-8"))["last"]
            return Became(True, {name: value for name, value in metrics.items() if "valid" in name}, "", seconds)
        lines = done.output.splitlines()
        [said, *_] = [line for line in lines if "error[" in line] or [*lines[-1:], repr(done.exception)]
        return Became(False, {}, said[max(said.find("error["), 0) :].partition("; the traceback is in")[0], seconds)


def row_of(model: PublicModel) -> dict[str, Any]:
    """What the page shows of it."""
    became = train(model)
    version = importlib.metadata.version(model.distribution)
    row = {"name": model.name, "package": model.distribution, "version": version, "task": model.task}
    row |= {"model": model.setting, "data": model.data, **became._asdict()}
    return row | {"seconds": round(became.seconds, 1)}


def page(rows: list[dict[str, Any]], left_out: list[str], machine: dict[str, Any]) -> str:
    """The table in Markdown."""
    trained = [row for row in rows if row["trained"]]
    lines = [
        HEAD.format(tried=len(rows), trained=len(trained), packages=len({row["package"] for row in rows})),
        "| model | task | `model` in the spec | `data` beside the task's | what it did |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        shown, data = _flow(row["model"]), _flow(row["data"]) if row["data"] else ""
        did = "trained: " + ", ".join(f"{name} {value:.3g}" for name, value in row["metrics"].items())
        said = "refused: " + row["message"].replace("|", "\\|")
        name = f"{row['name']} ({row['package']} {row['version']})"
        cells = (name, row["task"], f"`{shown}`", f"`{data}`" if data else "", did if row["trained"] else said)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- left out, {why}" for why in left_out), *([""] if left_out else [])]
    return "\n".join(
        [*lines, f"<sub>{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}.</sub>", ""]
    )


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    """Every model whose package is here."""
    names = sys.argv[1:]
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rows, left_out = [], []
    for model in MODELS:
        if names and not any(name in model.name for name in names):
            continue
        package = model.package
        if find_spec(package) is None:
            left_out.append(f"{model.name}: {package} is not installed")
            print(left_out[-1], flush=True)
            continue
        rows.append(row_of(model))
        said = "trained" if rows[-1]["trained"] else rows[-1]["message"]
        print(f"{model.name}: {said} ({rows[-1]['seconds']} s)", flush=True)
    if not names:
        OUT.write_text(page(rows, left_out, describe_machine()), encoding="utf-8")


if __name__ == "__main__":
    main()
