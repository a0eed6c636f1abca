"""Plans and results for the report's tests, built through the schemas as a run would leave them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from craftc.schemas.plan import Headline, Plan, Trial
from craftc.schemas.result import Result, TrialFailed

Run = tuple[Plan, dict[str, Result], dict[str, TrialFailed]]
Values = Mapping[str, Sequence[float | str | None]]
"""Variant to one entry a seed: the headline's value, "failed", or None for a trial that did not finish."""


class MakeRun(Protocol):
    """Builds a run whose trials differ only in what is asked for."""

    def __call__(
        self,
        values: Values,
        *,
        metric: str = "balanced_accuracy",
        mode: str = "max",
        baseline: str | None = None,
        aliases: Mapping[str, tuple[str, ...]] = {},
        identities: Mapping[str, str] = {},
        best_epochs: Mapping[str, Sequence[int]] = {},
        data: Mapping[str, object] = {},
        select: object = "valid/loss",
        splits: tuple[str, ...] = ("train", "valid", "test"),
    ) -> Run: ...


def trial_id(variant: str, seed: int) -> str:
    return hashlib.sha256(f"{variant} {seed}".encode()).hexdigest()


def _make_run(
    values: Values,
    *,
    metric: str = "balanced_accuracy",
    mode: str = "max",
    baseline: str | None = None,
    aliases: Mapping[str, tuple[str, ...]] = {},
    identities: Mapping[str, str] = {},
    best_epochs: Mapping[str, Sequence[int]] = {},
    data: Mapping[str, object] = {},
    select: object = "valid/loss",
    splits: tuple[str, ...] = ("train", "valid", "test"),
) -> Run:
    trials, results, failures = [], {}, {}
    for variant, of_seeds in values.items():
        for seed, value in enumerate(of_seeds):
            trial = Trial(
                id=trial_id(variant, seed),
                variant=variant,
                aliases=aliases.get(variant, ()),
                seed=seed,
                config={
                    "data": {"source": {"kind": data.get(variant, "digits")}, "splits": {"train": 0.6}},
                    "evaluation": {"select": select},
                },
            )
            trials.append(trial)
            if value == "failed":
                message = "the loss is not finite;\nlower the learning rate or clip the gradients"
                failures[trial.id] = TrialFailed(trial=trial.id, code="nan-loss", message=message, epoch=3)
            elif isinstance(value, float):
                offsets = {split: {"train": 0.03, "test": 0.0}.get(split, -0.01) for split in splits}
                results[trial.id] = Result(
                    trial=trial.id,
                    best_epoch=best_epochs[variant][seed] if variant in best_epochs else 17 + seed,
                    epochs_trained=20,
                    epochs_planned=20,
                    steps=680,
                    best={f"{split}/{metric}": value + offset for split, offset in offsets.items()},
                    last={f"{split}/{metric}": value + offset - 0.005 for split, offset in offsets.items()},
                    trivial={f"{split}/{metric}": 0.1 if mode == "max" else 2.303 for split in splits},
                    identities={metric: identities.get(variant, "macro recall over 10 classes")},
                    num_parameters=54_000,
                    split_sizes=dict.fromkeys(splits, 360),
                    seconds=3.5,
                    device="cpu",
                    craftc_version="0.1.0",
                )
    plan = Plan(
        name="vit-ablation",
        baseline=baseline or next(iter(values)),
        headline=Headline.model_validate({"split": "test", "metric": metric, "mode": mode}),
        trials=tuple(trials),
        folded=sum(len(names) for names in aliases.values()),
    )
    return plan, results, failures


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    return _make_run


@pytest.fixture(scope="session")
def ablation() -> Run:
    """What the flagship looks like: something that matters, something that does not, a failed trial, an alias."""
    return _make_run(
        {
            "full": (0.912, 0.931, 0.904),
            "-class_weights": (0.905, 0.915, 0.907),
            "-normalization": (0.701, 0.712, 0.689),
            "-warmup": (0.898, 0.901, 0.896),
            "-dropout": (0.920, "failed", 0.911),
            "num_layers=2": (0.881, 0.894, 0.868),
            "num_layers=2,dropout=0.0": (0.861, 0.902, 0.871),
        },
        aliases={"full": ("num_layers=4",)},
        best_epochs={"-warmup": (20, 20, 20)},
    )


@pytest.fixture
def write_run(tmp_path: Path) -> "WriteRun":
    """Writes a run folder with its store, as `craftc run` does, and returns the folder."""

    def write(run: Run, *, extra_lines: str = "") -> Path:
        plan, results, failures = run
        run_dir = tmp_path / "runs" / plan.name / "20261121_031500"
        run_dir.mkdir(parents=True)
        (run_dir / "plan.json").write_text(plan.model_dump_json())
        lines = [failure.model_dump_json() + "\n" for failure in failures.values()]
        (run_dir / "results.jsonl").write_text("".join(lines) + extra_lines)
        for trial, result in results.items():
            folder = tmp_path / "runs" / "store" / trial
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(result.model_dump_json())
        return run_dir

    return write


class WriteRun(Protocol):
    def __call__(self, run: Run, *, extra_lines: str = "") -> Path: ...
