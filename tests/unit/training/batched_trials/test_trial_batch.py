"""Trainings in one batch against the same ones alone: every component, step by step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.components.build import build
from craftc.components.registry import REGISTRY
from craftc.schemas.plan import Trial
from craftc.training.assemble import Parts
from craftc.training.batched_trials.compatibility import copy_of, try_out, unlike
from craftc.training.batched_trials.evaluate import Evaluator
from craftc.training.batched_trials.trial_batch import Batch, gathered
from craftc.training.data.device_split import DeviceSplit
from craftc.training.foundation.random import epoch_order
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.loop.step import train_step
from craftc.training.loop.training import Training
from craftc.training.loop.trial import lay_ground, open_training
from craftc.training.parts.terms import mean_of
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

MakeTrial = Callable[..., Trial]
NUM_STEPS = 50
BATCH_SIZE = 64

VIT: dict[str, Any] = {
    "kind": "scanline_vit", "num_lines": "infer", "line_length": "infer", "num_classes": "infer", "d_model": 8,
    "num_layers": 1, "num_heads": 2, "d_ffn": 16, "dropout": 0.1, "positions": "learned", "mask": "none",
    "pooling": "cls",
}  # fmt: skip
DECODER: dict[str, Any] = {
    "kind": "decoder", "vocabulary_size": "infer", "context_length": "infer", "d_model": 8, "num_layers": 1,
    "num_heads": 2, "d_ffn": 16, "dropout": 0.1, "positions": "rotary", "tied": True,
}  # fmt: skip
TABM: dict[str, Any] = {
    "kind": "tabm", "num_features": "infer", "cardinalities": "infer", "num_classes": "infer", "target_kind": "infer",
    "num_members": 3, "d_hidden": 8, "num_layers": 1, "dropout": 0.1,
}  # fmt: skip
LINES: dict[str, Any] = {
    "data.source": {"kind": "digit_lines", "seed": 0},
    "data.splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "seed": 0},
    "data.augment": [],
    "model": {"kind": "sequence", "modules": [{"kind": "torch.nn:Linear", "in_features": 8, "out_features": 11}]},
    "objective": {"kind": "ctc", "metrics": [{"kind": "character_error_rate"}]},
}
TEXT: dict[str, Any] = {
    "data.source": {"kind": "python_docs", "context_length": 16},
    "data.splits": {"train": 0.02, "valid": 0.02, "test": 0.96, "stratify": False, "seed": 0},
    "data.normalize": {"kind": "none"},
    "data.augment": [],
    "model": DECODER,
    "objective.metrics": [],
}
SGD: dict[str, Any] = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.01}
ADAM: dict[str, Any] = {"kind": "adam", "lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05}
PLATEAU = {
    "kind": "reduce_on_plateau", "metric": "valid/loss", "mode": "min", "factor": 0.5, "patience": 1, "min_lr": 0.0,
    "epochs": "none",
}  # fmt: skip


def weighed(**weights: float) -> dict[str, Any]:
    """Terms of the kinds by which they are called."""
    return {kind: {"kind": kind, "weight": weight} for kind, weight in weights.items()}


OWN_TARGET = {"data.target": "x", "data.augment": [{"kind": "gaussian_noise", "std": 0.1, "p": 1.0}]}
DROPOUT = [{"model.dropout": rate} for rate in (0.0, 0.1, 0.5)]
ADAM_ROWS: list[dict[str, Any]] = [
    {"training.optimizer.lr": 0.01, "training.optimizer.betas": [0.8, 0.99]},
    {"training.optimizer.lr": 0.003, "training.optimizer.eps": 1e-4},
    {"training.optimizer.weight_decay": 0.0},
]
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "models/linear": ({"model": {"kind": "linear", "num_features": "infer", "num_classes": "infer"}}, [{}, {}, {}]),
    "models/mlp": ({}, DROPOUT),
    "models/scanline_vit": ({"model": VIT}, DROPOUT),
    "models/scanline_vit, causal, without dropout": (
        {"model": VIT | {"dropout": 0.0, "mask": "causal", "pooling": "mean", "positions": "sinusoidal"}},
        [{}, {}, {}],
    ),
    "models/scanline_transformer with objectives/line_cross_entropy": (
        {
            "model": {
                "kind": "scanline_transformer", "num_lines": "infer", "line_length": "infer", "num_classes": "infer",
                "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ffn": 32, "conv_channels": 4,
            },
            "objective": {"kind": "line_cross_entropy", "metrics": []},
        },
        DROPOUT,
    ),
    "models/decoder": (TEXT, DROPOUT),
    "models/tabm": ({"model": TABM, "data.augment": [], "data.layout": "flat"}, DROPOUT),
    "models/decoder, learned positions": (
        {**TEXT, "model": DECODER | {"positions": "learned", "tied": False}},
        DROPOUT,
    ),
    "objectives/cross_entropy": (
        {},
        [
            {"objective.class_weights": "balanced"},
            {"objective.label_smoothing": 0.2},
            {"objective.class_weights": [1.0 + i for i in range(10)], "objective.label_smoothing": 0.05},
        ],
    ),
    "objectives/mse": (OWN_TARGET | {"objective": {"kind": "mse", "metrics": [{"kind": "rmse"}]}}, [{}, {}, {}]),
    "objectives/l1": (OWN_TARGET | {"objective": {"kind": "l1", "metrics": [{"kind": "mae"}]}}, [{}, {}, {}]),
    "objectives/huber": (
        OWN_TARGET,
        [{"objective": {"kind": "huber", "delta": delta, "metrics": [{"kind": "r2"}]}} for delta in (0.1, 0.5, 1.0)],
    ),
    "objectives/cosine": (
        OWN_TARGET | {"objective": {"kind": "cosine", "metrics": [{"kind": "cosine_similarity"}]}},
        [{}, {}, {}],
    ),
    "terms": (
        OWN_TARGET,
        [
            {"objective": {"terms": weighed(cosine=cosine, huber=huber, l1=0.0), "metrics": [{"kind": "r2"}]}}
            for cosine, huber in ((0.9, 0.1), (0.5, 2.0), (3.0, 0.01))
        ],
    ),
    "terms, of classes": (
        {},
        [
            {
                "objective": {
                    "terms": {
                        "plain": {"kind": "cross_entropy", "weight": 0.5},
                        "weighted": {"kind": "cross_entropy", "weight": 1.5, **own},
                    },
                    "metrics": [],
                }
            }
            for own in ({"class_weights": "balanced"}, {"label_smoothing": 0.2}, {})
        ],
    ),
    "models/sequence": (
        {
            "model": {
                "kind": "sequence",
                "modules": [
                    {"kind": "torch.nn:Flatten"},
                    {"kind": "torch.nn:Linear", "in_features": 64, "out_features": 16},
                    {"kind": "torch.nn:GELU"},
                    {"kind": "torch.nn:Linear", "in_features": 16, "out_features": "infer num_classes"},
                ],
            }
        },
        [{}, {}, {}],
    ),
    "objectives/info_nce": (
        {"data.views": 2, "data.augment": [{"kind": "gaussian_noise", "std": 0.1, "p": 1.0}]},
        [
            {"objective": {"kind": "info_nce", "temperature": t, "metrics": [{"kind": "nearest_neighbour"}]}}
            for t in (0.2, 0.5, 1.0)
        ],
    ),
    "objectives/bce": (
        {
            "data.source": {"kind": "own_batched:labels"},
            "data.augment": [],
            "objective": {"kind": "bce", "metrics": [{"kind": "multilabel_f1"}]},
        },
        DROPOUT,
    ),
    "objectives/focal": (
        {},
        [
            {"objective": {"kind": "focal", "gamma": gamma, "class_weights": weights, "metrics": []}}
            for gamma, weights in ((0.0, "none"), (2.0, "balanced"), (0.5, [1.0 + i for i in range(10)]))
        ],
    ),
    "objectives/dice": ({"objective": {"kind": "dice", "metrics": []}}, DROPOUT),
    "objectives/ctc": (LINES, [{}, {}, {"training.optimizer.lr": 0.01}]),
    **{
        f"objectives/{kind}": (
            {"data.source": {"kind": "own_batched:labels"}, "data.augment": []},
            [{"objective": {"kind": kind, "metrics": [], **own}} for own in each],
        )
        for kind, each in {
            "multilabel_focal": [{"gamma": gamma, "alpha": 0.25} for gamma in (0.0, 1.0, 2.0)],
            "asymmetric": [{"gamma_negative": 4.0}, {"gamma_negative": 2.0, "clip": 0.0}, {"gamma_positive": 0.0}],
        }.items()
    },
    "models, without some of their modules": (
        {"model": VIT | {"remove": [{"modules": ["blocks.*.attention_out"]}, {"modules": ["blocks.0.ffn_norm"]}]}},
        DROPOUT,
    ),
    "optimizers/sgd": (
        {"training.optimizer": SGD},
        [{}, {"training.optimizer.momentum": 0.0}, {"training.optimizer.lr": 0.1}],
    ),
    "optimizers/sgd, nesterov": (
        {"training.optimizer": SGD | {"nesterov": True}},
        [{}, {"training.optimizer.momentum": 0.5}, {"training.optimizer.weight_decay": 0.0}],
    ),
    "optimizers/sgd, plain": ({"training.optimizer": SGD | {"momentum": 0.0, "weight_decay": 0.0}}, [{}, {}, {}]),
    "optimizers/adam": ({"training.optimizer": ADAM}, ADAM_ROWS),
    "optimizers/adamw": ({}, ADAM_ROWS),
    **{
        f"optimizers/{kind}": ({"training.optimizer": {"kind": kind, "lr": 0.01, **common}}, own)
        for kind, common, own in (
            ("nadam", {"weight_decay": 0.05}, ADAM_ROWS),
            ("radam", {"weight_decay": 0.05, "decoupled": True}, ADAM_ROWS),
            ("lion", {"lr": 1e-3}, [ADAM_ROWS[0], ADAM_ROWS[2], {"training.optimizer.lr": 0.003}]),
            (
                "rmsprop",
                {"momentum": 0.5, "centered": True},
                [{}, {"training.optimizer.alpha": 0.9}, {"training.optimizer.weight_decay": 0.1}],
            ),
            (
                "adagrad",
                {"weight_decay": 0.01},
                [{}, {"training.optimizer.lr_decay": 0.1}, {"training.optimizer.initial_accumulator": 0.1}],
            ),
        )
    },
    **{
        f"augmentations/{kind}": ({"data.augment": [{"kind": kind, **arguments}]}, [{}, {}, {}])
        for kind, arguments in {
            "horizontal_flip": {"p": 0.5},
            "vertical_flip": {"p": 0.5},
            "gaussian_noise": {"std": 0.1, "p": 0.7},
            "line_dropout": {"p": 0.2},
            "random_shift": {"max_shift": 2},
            "random_affine": {"degrees": 20.0, "translate": 0.1},
            "random_rotation": {"degrees": 20.0},
            "random_resized_crop": {"min_area": 0.5},
            "gaussian_blur": {"size": 3, "p": 0.5},
            "random_erasing": {"p": 0.7},
            "cutout": {"size": 3},
            "time_mask": {"max_length": 2},
            "frequency_mask": {"max_length": 2},
            "mixup": {"alpha": 0.5},
            "cutmix": {},
            "mixup_or_cutmix": {"p": 0.8},
        }.items()
    },
    "augmentations/random_grayscale": (
        {"data.source": {"kind": "own_batched:coloured"}, "data.augment": [{"kind": "random_grayscale", "p": 0.5}]},
        [{}, {}, {}],
    ),
    "augmentations/color_jitter": (
        {
            "data.source": {"kind": "own_batched:coloured"},
            "data.augment": [{"kind": "color_jitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}],
        },
        [{}, {}, {}],
    ),
    "augmentations/token_dropout": (
        {**TEXT, "data.augment": [{"kind": "token_dropout", "p": 0.2, "token": 0}]}, DROPOUT,
    ),
    "schedules/linear_warmup, cosine": (
        {},
        [
            {"training.epochs": 4},
            {"training.schedule": [{"kind": "cosine", "epochs": "none", "end_lr": 0.001}]},
            {"training.schedule": [{"kind": "linear_warmup", "epochs": 2, "start_lr": 0.001}]},
        ],
    ),
    "schedules/constant, reduce_on_plateau": (
        {"training.schedule": [{"kind": "constant", "epochs": "none"}]},
        [{}, {"training.schedule": [PLATEAU]}, {"training.optimizer.lr": 0.1}],
    ),
    "schedules/one_cycle, wsd, polynomial": (
        {},
        [
            {"training.schedule": [{"kind": kind}]} for kind in ("one_cycle", "wsd", "polynomial")
        ],
    ),
    "schedules/step, multi_step, exponential, inverse_sqrt, cosine_restarts": (
        {},
        [
            {"training.schedule": [{"kind": "step", "step_size": 5, "unit": "steps"}]},
            {"training.schedule": [{"kind": "multi_step", "milestones": [1, 2]}]},
            {"training.schedule": [{"kind": "exponential", "gamma": 0.9}]},
            {"training.schedule": [{"kind": "inverse_sqrt", "timescale": 10}]},
            {"training.schedule": [{"kind": "cosine_restarts", "period": 7, "period_factor": 2, "unit": "steps"}]},
        ],
    ),
    "regularization": (
        {"regularization.ema_decay": 0.9},
        [
            {"regularization.clip_grad_norm": 0.1},
            {"regularization.clip_grad_norm": "none"},
            {"regularization.ema_decay": 0.99},
        ],
    ),
}  # fmt: skip
"""What all of a batch have, and what each has besides."""

OWN = """
import torch
from torch import nn

def labels():
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    return images, torch.stack([torch.tensor(digits % 2 == 0), torch.tensor(digits > 4)], dim=1)

def coloured():
    from sklearn.datasets import load_digits

    images = load_digits().images[:300]
    return (images / 16)[:, None].repeat(3, 1) * [[[[1.0]], [[0.5]], [[0.2]]]], load_digits().target[:300]

class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.Dropout1d(0.3), nn.ReLU(), nn.Linear(12, 10)
        )

class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(64, 12), nn.Linear(12, 10)
        self.body.requires_grad_(False)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(64, 64), nn.Linear(64, 10)
        self.second = self.first

    def forward(self, x):
        return self.head(self.second(self.first(x.flatten(1)).tanh()))

class Half(nn.Module):
    def __init__(self, *, factor=0.5):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(x.flatten(1))

class Focal(nn.Module):
    per_trial_attributes = ("gamma",)

    def __init__(self, *, gamma):
        super().__init__()
        self.gamma = gamma
        self.register_buffer("exponent", torch.tensor(float(gamma)), persistent=False)

    def stand_for(self, others):
        self.gamma = max(other.gamma for other in others)

    def forward(self, logits, targets):
        loss = nn.functional.cross_entropy(logits, targets, reduction="none")
        return ((1 - torch.exp(-loss)) ** self.exponent * loss).mean() if self.gamma else loss.mean()

class Annealed(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x, scale, keep=1.0):
        x = x.flatten(1)
        return self.head(torch.where(torch.arange(64) < 64 * keep, x, 0 * x)) * scale

class Blended(nn.Module):
    def forward(self, logits, targets, beta):
        return nn.functional.cross_entropy(logits, targets) + beta * logits.square().mean()

class Noisy:
    def __call__(self, x):
        return x + 0.1 * torch.randn_like(x)
"""
FROZEN: dict[str, Any] = {
    "kind": "frozen_backbone",
    "backbone": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [12]},
    "weights": "backbone.pt",
    "features": "infer",
    "head": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [8], "dropout": 0.1},
}
HEADS = [{"model": FROZEN | {"head": FROZEN["head"] | {"dropout": rate}}} for rate in (0.0, 0.1, 0.5)]
CASES |= {
    "models/frozen_backbone": ({"data.augment": []}, HEADS),
    "own batch norm": ({"model": {"kind": "own_batched:Normed"}, "regularization.ema_decay": 0.9}, [{}, {}, {}]),
    "own frozen weights": ({"model": {"kind": "own_batched:Frozen"}}, [{}, {}, {}]),
    "own tied weights": ({"model": {"kind": "own_batched:Tied"}}, [{}, {}, {}]),
    "own objective": (
        {"objective.metrics": []},
        [{"objective": {"kind": "own_batched:Focal", "gamma": gamma, "metrics": []}} for gamma in (0.0, 1.0, 2.5)],
    ),
    "own values": (
        {
            "model": {"kind": "own_batched:Annealed"},
            "objective": {"kind": "own_batched:Blended", "metrics": [{"kind": "accuracy"}]},
        },
        [
            {
                "training.values": {
                    "scale": [{"kind": "linear", "start": start, "end": 2.0, "epochs": epochs}],
                    "keep": [{"kind": "linear", "start": 0.5, "end": 1.0, "epochs": 2, "by": "epoch"}],
                    "beta": [{"kind": "constant", "value": beta}],
                }
            }
            for start, epochs, beta in ((0.5, 1, 0.0), (1.0, 2, 0.1), (1.5, 3, 0.3))
        ],
    ),
    "own augmentation": ({"data.augment": [{"kind": "own_batched:Noisy"}]}, [{}, {}, {}]),
}


@pytest.fixture
def open_trainings(
    make_trial: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any], Sequence[dict[str, Any]]], list[Training]]:
    (tmp_path / "own_batched.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    backbone = build("models", FROZEN["backbone"] | {"num_features": 64, "num_classes": 10})
    torch.save(backbone.state_dict(), FROZEN["weights"])

    def trainings(common: dict[str, Any], each: Sequence[dict[str, Any]]) -> list[Training]:
        trials = [make_trial(common | own, seed=seed) for seed, own in enumerate(each)]
        return [
            open_training(Start([Member(trial, tmp_path / trial.id)]), lay_ground(trial, "cpu")) for trial in trials
        ]

    return trainings


def in_type(parts: Parts, dtype: torch.dtype) -> Parts:
    """A training of its own, in the same state."""
    copied = copy_of(parts)
    for module in (copied.model, copied.objective, copied.ema):
        if module is not None:
            module.to(dtype)
    if (normalize := copied.augmentations.normalize) is None:
        return copied
    return replace(copied, augmentations=replace(copied.augmentations, normalize=lambda x_B: normalize(x_B).to(dtype)))


def batches_of(parts: Parts, train: DeviceSplit, first: int, last: int) -> list[dict[str, torch.Tensor]]:
    """Those of a training's steps, through as many epochs as they take."""
    epochs = [torch.split(epoch_order(parts.seed, epoch, len(train)), BATCH_SIZE) for epoch in range(1, NUM_STEPS + 2)]
    found = [indices_B for epoch in epochs for indices_B in epoch]
    return [train.gathered(indices_B) for indices_B in found[first:last]]


def losses_alone(parts: Parts, train: DeviceSplit) -> list[float]:
    parts.model.train()
    losses = []
    for step, batch in enumerate(batches_of(parts, train, 0, NUM_STEPS)):
        loss_sum, weight_sum, _ = train_step(parts, batch, step)
        losses.append(float(mean_of(parts.objective, loss_sum, weight_sum)))
    return losses


def losses_together(parts: Sequence[Parts], train: DeviceSplit, batch: Batch | None = None) -> list[list[float]]:
    batch = batch or Batch(parts)
    batch.begin_epoch([0] * len(parts), NUM_STEPS)
    losses = []
    for step, batches in enumerate(zip(*(batches_of(each, train, 0, NUM_STEPS) for each in parts), strict=True)):
        columns = {name: torch.stack([each[name] for each in batches]) for name in batches[0]}
        loss_K, weight_K = batch.train_step(columns, step, [step] * len(parts))
        each = zip(parts, loss_K, weight_K, strict=True)
        losses.append([float(mean_of(one.objective, loss, weight)) for one, loss, weight in each])
    batch.end_epoch(NUM_STEPS)
    return [list(column) for column in zip(*losses, strict=True)]


def as_type(split: DeviceSplit, dtype: torch.dtype) -> DeviceSplit:
    """With its quantities in that type."""
    return replace(split, columns={n: c.to(dtype) if c.is_floating_point() else c for n, c in split.columns.items()})


def far_apart(one: Parts, other: Parts) -> float:
    """The largest difference between what two trainings would save."""
    pairs = [(one.model, other.model), *([(one.ema, other.ema)] if one.ema else [])]
    tensors = [
        (ours.double(), theirs.double())
        for mine, its in pairs
        for ours, theirs in zip(mine.state_dict().values(), its.state_dict().values(), strict=True)
    ]
    states = [parts.optimizer.state_dict()["state"] for parts in (one, other)]
    assert states[0].keys() == states[1].keys()
    for number, state in states[0].items():
        assert list(state) == list(states[1][number])
        tensors += [(state[name].double(), states[1][number][name].double()) for name in state]
    return max(float((ours - theirs).abs().max()) for ours, theirs in tensors)


def assert_evaluated_alike(batch: Batch, training: Training, because: str | None = None, **tolerance: float) -> None:
    """The trainings, with the weights that are judged, measure in a batch what each measures alone; one after the other
    where `because` says why not at once."""
    dtype, valid = batch.stack.weights.dtype, training.splits["valid"]
    splits = {"valid": as_type(valid.head(16), dtype)}
    evaluator = Evaluator()
    found = evaluator.measure(batch, splits, ["valid"], [1] * len(batch.parts), [1] * len(batch.parts), BATCH_SIZE)
    assert evaluator.because == because
    for parts, together in zip(batch.parts, found, strict=True):
        alone = evaluate_splits(parts, splits, ["valid"], epoch=1, num_steps=1, batch_size=BATCH_SIZE)
        assert together == pytest.approx(alone, **tolerance)


SCANS = "models/scanline_transformer with objectives/line_cross_entropy"
MEASURED_ALONE = {SCANS: "model: measures ask for several outputs of the model"}
BY_PUBLIC_WAYS = ("models/mlp", "models/scanline_vit", "models/scanline_vit, causal, without dropout", "models/decoder")


@pytest.mark.parametrize("case", BY_PUBLIC_WAYS)
def test_without_what_torch_keeps_private_too(fences_down: None, open_trainings: Any, case: str) -> None:
    test_in_float64_a_training_in_a_batch_is_that_alone(open_trainings, case)


@pytest.mark.parametrize("case", CASES)
def test_in_float64_a_training_in_a_batch_is_that_alone(open_trainings: Any, case: str) -> None:
    trainings = open_trainings(*CASES[case])
    train = trainings[0].train
    train = as_type(train, torch.float64)
    alone, together = ([in_type(training.parts, torch.float64) for training in trainings] for _ in range(2))
    assert unlike(together) is None
    batch = Batch(together)
    losses = losses_together(together, train, batch)
    assert_evaluated_alike(batch, trainings[0], MEASURED_ALONE.get(case), abs=1e-10)
    for one, other, batched in zip(alone, together, losses, strict=True):
        assert batched == pytest.approx(losses_alone(one, train), rel=0, abs=1e-10)
        assert far_apart(one, other) < 1e-8
    assert len({tuple(each) for each in losses}) == len(trainings), "the case is only of use where trainings differ"


IN_FLOAT32 = {
    case: CASES[case] for case in ("models/mlp", "models/decoder", "objectives/cross_entropy", "own batch norm")
} | {"features of augmented batches": ({"data.augment": [{"kind": "gaussian_noise", "std": 0.1, "p": 0.7}]}, HEADS)}
"""Features are float32 in any case."""


@pytest.mark.parametrize("case", IN_FLOAT32)
def test_in_float32_losses_agree_over_50_steps(open_trainings: Any, case: str) -> None:
    trainings = open_trainings(*IN_FLOAT32[case])
    train = trainings[0].train
    alone, together = ([copy_of(training.parts) for training in trainings] for _ in range(2))
    batch = Batch(together)
    for one, batched in zip(alone, losses_together(together, train, batch), strict=True):
        assert batched == pytest.approx(losses_alone(one, train), rel=1e-5)
    assert_evaluated_alike(batch, trainings[0], rel=1e-5)


ALONE = {
    "adafactor": "its step depends on which numbers are of one parameter",
    "lamb": "its step depends on which numbers are of one parameter",
    "muon": "its step makes each matrix orthogonal",
    "schedule_free_adamw": "its weights in training are others than in evaluation",
    "schedule_free_sgd": "its weights in training are others than in evaluation",
}
RECURRENT = "torch's recurrent layers keep their weights in a list beside the parameters"
NOT_BATCHED = {
    "models/seq2seq": RECURRENT,
    "models/lstm": RECURRENT,
    "models/lrcn": RECURRENT,
    "models/recurrent_autoencoder": RECURRENT,
    "models/transformers": "torch has no rule for the fused attention of several models",
    **{f"optimizers/{kind}": because for kind, because in ALONE.items()},
}
"""What is not in a batch, and why; test_seq2seq_trial.py shows that it is refused, and one below of the optimizers."""
IMAGES = "it takes images with channels, or depends on another library: test_train_batched.py"
ELSEWHERE = {
    "objectives/distillation": "it needs a finished trial: test_distillation.py",
    **{f"models/{kind}": IMAGES for kind in ("cnn", "resnet", "timm", "torchvision")},
}

IMAGE_BY_IMAGE = [
    f"augmentations/{kind}"
    for kind in ("auto_augment", "rand_augment", "trivial_augment", "aug_mix", "random_perspective")
]
"""What is called with one image at a time also in a batch, just as `own augmentation` is."""


def test_every_component_that_a_step_runs_is_compared() -> None:
    groups = ("models", "objectives", "optimizers", "augmentations", "schedules")
    compared = " ".join((*CASES, *NOT_BATCHED, *ELSEWHERE, *IMAGE_BY_IMAGE))
    missing = [kind for group in groups for kind in REGISTRY[group] if kind not in compared]
    assert not missing, "a new component is compared here, or named here with why it cannot be in a batch"


def test_trying_leaves_the_trainings_as_they_are(open_trainings: Any) -> None:
    trainings = open_trainings({"regularization.ema_decay": 0.9}, DROPOUT)
    before = [copy_of(training.parts) for training in trainings]
    assert try_out([training.parts for training in trainings[:2]], trainings[0].train, batch_size=BATCH_SIZE) is None
    assert [far_apart(one, training.parts) for one, training in zip(before, trainings, strict=True)] == [0.0] * 3


def test_an_optimizer_of_columns_takes_the_steps_of_one_of_rows(
    open_trainings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from craftc.training.batched_trials import optimizer

    trainings = open_trainings(*CASES["optimizers/adamw"])
    train = as_type(trainings[0].train, torch.float64)
    rows, columns = ([in_type(training.parts, torch.float64) for training in trainings] for _ in range(2))
    by_rows = losses_together(rows, train)
    # What a GPU is given, which would wait for the launches of a kernel for each row.
    monkeypatch.setattr(optimizer, "fused_adam", lambda: None)
    for one, other in zip(by_rows, losses_together(columns, train), strict=True):
        assert one == pytest.approx(other, rel=0, abs=1e-10)


def test_an_optimizer_of_columns_takes_a_beta_near_1_as_it_is(
    open_trainings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from craftc.training.batched_trials import optimizer

    trainings = open_trainings({"training.optimizer.betas": [0.9, 0.9999], "training.optimizer.lr": 1e-3}, [{}, {}])
    rows, columns = ([copy_of(training.parts) for training in trainings] for _ in range(2))
    by_rows = losses_together(rows, trainings[0].train)
    monkeypatch.setattr(optimizer, "fused_adam", lambda: None)
    for one, other in zip(by_rows, losses_together(columns, trainings[0].train), strict=True):
        assert one == pytest.approx(other, rel=0, abs=1e-5)
    assert max(map(far_apart, rows, columns)) < 5e-5


def test_samples_of_a_batch_are_gathered_in_each_trainings_own_order() -> None:
    split = DeviceSplit({"x": torch.arange(12.0).view(6, 2), "y": torch.arange(6)}, "x", "y")
    batch = gathered(split, torch.tensor([[5, 0], [1, 1]]))
    assert batch["y"].tolist() == [[5, 0], [1, 1]]
    assert batch["x"][0, 0].tolist() == [10.0, 11.0]


def test_what_trainings_differ_in_without_a_buffer_for_it_keeps_them_apart(open_trainings: Any) -> None:
    trainings = open_trainings({}, [{}, {}])
    trainings[1].parts.model.layers[2].negative_slope = 0.1
    trainings[0].parts.model.layers[2].negative_slope = 0.2
    reason = unlike([training.parts for training in trainings])
    assert reason is not None
    assert "negative_slope" in reason


@pytest.mark.parametrize("kind", ALONE)
def test_an_optimizer_of_whole_parameters_is_alone(open_trainings: Any, kind: str) -> None:
    trainings = open_trainings({"training.optimizer": {"kind": kind, "lr": 0.01}}, [{}, {}])
    assert unlike([training.parts for training in trainings]) == f"optimizer: {ALONE[kind]}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"training.accumulate": 4}, "a step of several batches is taken one batch after another"),
        ({"training.decay": "weights"}, "optimizer AdamW has 2 groups of parameters"),
        ({"training.groups": [{"parameters": "*bias", "lr_scale": 2.0}]}, "optimizer AdamW has 2 groups of parameters"),
    ],
)
def test_what_a_batch_cannot_do_is_said(open_trainings: Any, settings: dict[str, Any], said: str) -> None:
    trainings = open_trainings(settings, [{}, {}])
    assert unlike([training.parts for training in trainings]) == said
