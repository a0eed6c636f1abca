"""Writes `reference/batched.json`: whether trials of each component can be one batch, or why not.

`python docs/batched.py` asks what decides it in a run, `craftc.training.batched_trials`, of two trainings of a tiny
spec. With `--check` it exits with 1 and names the components of which that is no longer so.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.schemas.catalogue import ComponentEntry
from craftc.schemas.plan import Trial
from craftc.training.batched_trials.compatibility import NothingToSeeError
from craftc.training.batched_trials.speed import why_not
from craftc.training.loop.trial import lay_ground, open_training
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

FILE = Path(__file__).with_name("reference") / "batched.json"
GROUPS = ("normalizers", "augmentations", "models", "objectives", "optimizers", "schedules")
IMAGES: dict[str, Any] = {
    "craftc": 1,
    "name": "batched",
    "data": {"source": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "objective": {"kind": "cross_entropy"},
    "training": {"epochs": 1, "batch_size": 32, "optimizer": "adamw"},
    "ablation": {"seeds": 2},
}
TABLE = {"data": {"source": "diabetes"}, "objective": {"kind": "mse", "metrics": ["rmse"]}}
DECODER = {"d_model": 8, "num_layers": 1, "num_heads": 2, "d_ffn": 16}
TEXT: dict[str, Any] = {
    "data": {
        "source": {"kind": "python_docs", "context_length": 16},
        "splits": {"train": 0.02, "valid": 0.02, "test": 0.96},
    },
    "model": {"kind": "decoder", **DECODER},
}
WORDS = {"data": {"source": "python_words"}}
LABELS = {
    "data": {"source": "digit_pairs", "target": "labels"},
    "objective": {"kind": "bce", "metrics": ["multilabel_f1"]},
}
LINES: dict[str, Any] = {
    "data": {"source": "digit_lines"},
    "objective": {"metrics": ["character_error_rate"]},
    "model": {"kind": "sequence", "modules": [{"kind": "torch.nn:Linear", "args": [8, 11]}]},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "augmentations/gaussian_noise": {"std": 0.1},
    "augmentations/cutout": {"size": 2},
    "augmentations/time_mask": {"max_length": 2},
    "augmentations/frequency_mask": {"max_length": 2},
    "augmentations/token_dropout": {"token": 0},
    "models/sequence": {"modules": [{"kind": "torch.nn:Flatten"}, {"kind": "torch.nn:Linear", "args": [64, 10]}]},
    "models/frozen_backbone": {"backbone": {"kind": "mlp", "hidden": [8]}, "weights": "random"},
    "models/decoder": DECODER,
    "models/recurrent_autoencoder": {"d_hidden": 8, "d_bottleneck": 4, "num_heads": 2},
    "models/timm": {"name": "test_resnet"},
    "models/torchvision": {"name": "shufflenet_v2_x0_5"},
    "models/transformers": {"config": {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2}},
    "schedules/linear_warmup": {"epochs": 1},
    "schedules/step": {"step_size": 1},
    "schedules/multi_step": {"milestones": [1]},
    "schedules/exponential": {"gamma": 0.9},
    "schedules/cosine_restarts": {"period": 1},
}
"""What a component cannot be built without, and what makes it small."""
SETTINGS: dict[str, dict[str, Any]] = {
    "models/seq2seq": WORDS,
    "models/recurrent_autoencoder": {
        "data": {"source": "digits", "target": "x"},
        "objective": {"kind": "mse", "metrics": ["rmse"]},
    },
    "models/transformers": TEXT,
    "objectives/ctc": LINES,
    "objectives/cosine": {"data": {"source": "linnerud"}, "objective": {"metrics": ["cosine_similarity"]}},
    "objectives/line_cross_entropy": {"model": {"kind": "scanline_transformer", **DECODER}},
    "objectives/info_nce": {
        "data": {"source": "digits", "views": 2, "augment": ["random_shift"]},
        "objective": {"metrics": ["nearest_neighbour"]},
        "model": {"kind": "mlp", "hidden": [8], "num_classes": 4},
    },
}
"""The rest of the spec of a component, where what it takes does not say it."""


def spec_of(entry: ComponentEntry) -> dict[str, Any]:
    """A tiny spec that trains with a component."""
    name = f"{entry.group}/{entry.kind}"
    component = {"kind": entry.kind, **ARGUMENTS.get(name, {})}
    spec: dict[str, Any] = json.loads(json.dumps(IMAGES | SETTINGS.get(name, _settings(entry))))
    match entry.group:
        case "models":
            spec["model"] = component
        case "objectives":
            spec["objective"] |= component
        case "optimizers":
            spec["training"]["optimizer"] = component
        case "schedules":
            spec["training"]["schedule"] = [component]
        case "augmentations":
            spec["data"] = spec["data"] | {"augment": [component]}
        case "normalizers":
            spec["data"] = spec["data"] | {"normalize": component}
    return spec


def _settings(entry: ComponentEntry) -> dict[str, Any]:
    """By what a component takes: images and their classes, where it takes those."""
    if entry.takes and "images" not in entry.takes:
        return TEXT if "text" in entry.takes else TABLE
    if entry.takes_targets and "class" not in entry.takes_targets:
        return LABELS if "classes" in entry.takes_targets else TABLE
    return {}


def asked(entry: ComponentEntry, folder: Path) -> str | None:
    """Why two trainings with a component cannot be one batch; None where they can."""
    compiled = compile_spec(json.dumps(spec_of(entry)), str(folder / "spec.yaml"), built_in_catalogue())
    if compiled.plan is None:
        first = next(found for found in compiled.diagnostics if found.severity == "error")
        return f"not tried: {first.message}"
    if all(trial.group is None for trial in compiled.plan.trials):
        return "planned alone: what it draws by the seed is other data"
    trainings = [open_training(*_opened(trial, folder)) for trial in compiled.plan.trials]
    try:
        return why_not([each.parts for each in trainings], trainings[0].train, batch_size=16)
    except NothingToSeeError:
        return "not tried: its first steps diverge"


def _opened(trial: Trial, folder: Path) -> Iterator[Any]:
    yield Start([Member(trial, folder / trial.id)])
    yield lay_ground(trial, "cpu")


def found() -> dict[str, str | None]:
    """What was found out of every component, by group and kind."""
    reasons: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for entry in built_in_catalogue().entries:
            if entry.group in GROUPS:
                try:
                    reasons[f"{entry.group}/{entry.kind}"] = asked(entry, Path(folder))
                except Exception as error:
                    reasons[f"{entry.group}/{entry.kind}"] = f"not tried: {type(error).__name__}: {error}"
    return reasons


def main() -> int:
    """Write or check the file; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the file is out of date")
    is_check = parser.parse_args().check
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    reasons = found()
    if not is_check:
        FILE.write_text(json.dumps(reasons, indent=2) + "\n", encoding="utf-8")
        return 0
    known = json.loads(FILE.read_text(encoding="utf-8"))
    stale = [name for name in {**known, **reasons} if known.get(name, "") != reasons.get(name, "")]
    for name in stale:
        print(f"{name}: {known.get(name)} is now {reasons.get(name)}; run python docs/batched.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
