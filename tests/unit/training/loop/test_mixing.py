"""Mixed samples: what a step then minimises, and that it does not depend on how the step is computed."""

import copy
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from craftc.components.numbers import Numbers
from craftc.schemas.plan import Trial
from craftc.training.assemble import Parts, assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import step_key
from craftc.training.loop.step import train_step
from craftc.training.loop.trial import train_trial
from craftc.training.parts.mixing import PARTNERS, SHARE, mixed_loss
from craftc.training.parts.terms import mean_of

CPU = torch.device("cpu")
MIXUP = {"kind": "mixup", "alpha": 1.0, "p": 0.8}
BOTH = {"kind": "mixup_or_cutmix", "mixup_alpha": 1.0, "cutmix_alpha": 1.0, "p": 0.9, "p_cutmix": 0.5}
EXACT = {"training.precision": "float64", "training.epochs": 1, "model.dropout": 0.0}
UNIT = {"data.source": {"kind": "digits", "line_drift": 0.0, "imbalance": 3.0, "seed": 0}}
"""Images from 0 to 1, which colours need."""
FEW = {"train": 0.1, "valid": 0.1, "test": 0.8, "stratify": True, "seed": 0}
TERMS = {
    "objective": {
        "terms": {
            "weighted": {"kind": "cross_entropy", "class_weights": "balanced", "label_smoothing": 0.1, "weight": 0.7},
            "plain": {"kind": "cross_entropy", "weight": 0.3},
        },
        "metrics": [{"kind": "accuracy"}],
    }
}
OWN = textwrap.dedent(
    '''
    import numpy as np
    import torch
    from torch import nn


    def masks():
        """Images, and a class for each of their pixels."""
        images = np.random.default_rng(0).random((80, 6, 6))
        return {"x": images, "targets": (images > 0.5).astype(np.int64)}


    class Pixels(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3, padding=1)

        def forward(self, x):
            return self.layer(x[:, None])


    class Mean(nn.Module):
        def forward(self, logits, targets):
            return nn.functional.cross_entropy(logits, targets)


    class Branches(nn.Module):
        """What vmap cannot do: it looks at a value."""

        def forward(self, logits, targets):
            assert bool((targets >= 0).all())
            return nn.functional.cross_entropy(logits, targets)


    class Compares(nn.Module):
        def forward(self, logits, targets):
            return nn.functional.cross_entropy(logits - logits.mean(0), targets)


    class Weighs(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weights", torch.arange(1.0, 11.0))

        def forward(self, logits, targets):
            return nn.functional.cross_entropy(logits, targets, weight=self.weights.to(logits.dtype))
    '''
)
MakeTrial = Callable[..., Trial]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_mixed.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "own_mixed", raising=False)


def parts_of(trial: Trial) -> tuple[Parts, Any]:
    data = prepare(trial.config["data"], model=trial.config["model"])
    train = to_device({"train": data.train}, CPU, torch.float64)["train"]
    return assemble(trial, data, CPU, course_of(trial.config, len(train))), train


def test_a_step_minimises_the_mixed_cross_entropy(make_trial: MakeTrial) -> None:
    trial = make_trial(
        EXACT
        | {
            "data.augment": [MIXUP],
            "data.normalize": {"kind": "none"},
            "training.optimizer": {"kind": "sgd", "lr": 0.5},
            "training.schedule": [{"kind": "constant"}],
            "regularization.clip_grad_norm": "none",
            "objective.label_smoothing": 0.1,
        }
    )
    parts, train = parts_of(trial)
    batch = train.head(32).columns
    x_B, y_B = batch[train.first], batch[train.target]
    mixed = parts.augmentations.before[0].apply(
        x_B, Numbers(step_key(parts.seed, "augmentation", 0), CPU).of("mixup/0")
    )
    by_hand, share_B = copy.deepcopy(parts.model), mixed.share_B.double()
    weights_C, logits = parts.objective.weights_C, by_hand(mixed.x)

    def losses(targets_B: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, targets_B, weight=weights_C, label_smoothing=0.1, reduction="none")

    y_partner_B = y_B[mixed.partner_B]
    loss = (share_B * losses(y_B) + (1 - share_B) * losses(y_partner_B)).sum()
    weight = (share_B * weights_C[y_B] + (1 - share_B) * weights_C[y_partner_B]).sum()
    (loss / weight).backward()
    loss_sum, weight_sum, _ = train_step(parts, batch, 0)
    assert loss_sum.item() == pytest.approx(loss.item(), rel=1e-7)
    assert weight_sum.item() == pytest.approx(weight.item(), rel=1e-7)
    for ours, theirs in zip(parts.model.parameters(), by_hand.parameters(), strict=True):
        assert theirs.grad is not None
        assert torch.allclose(ours, theirs - 0.5 * theirs.grad, atol=1e-7)


@pytest.mark.parametrize("objective", [{}, TERMS], ids=["one", "terms"])
def test_accumulated_batches_are_one_batch(
    make_trial: MakeTrial, run_trial: Any, tmp_path: Path, objective: dict[str, Any]
) -> None:
    common = EXACT | {"data.augment": [BOTH]} | objective
    whole, _ = run_trial(make_trial(common | {"training.batch_size": 48}), tmp_path / "whole")
    halves = common | {"training.batch_size": 12, "training.accumulate": 4}
    parts, _ = run_trial(make_trial(halves), tmp_path / "parts")
    for one, other in zip(whole, parts, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("augment", [[BOTH], [{"kind": "random_erasing", "p": 0.5}, {"kind": "trivial_augment"}]])
def test_an_interrupted_training_ends_as_one_that_is_not(
    make_trial: MakeTrial, run_trial: Any, tmp_path: Path, augment: list[dict[str, Any]]
) -> None:
    trial = make_trial(UNIT | {"data.augment": augment, "training.epochs": 3, "data.splits": FEW})
    whole, _ = run_trial(trial, tmp_path / "whole")
    begun = train_trial(trial, folder=tmp_path / "parts", device="cpu")
    first = [next(begun)]
    begun.close()
    rest, _ = run_trial(trial, tmp_path / "parts")
    told = {record.epoch: record.metrics for record in (*first, *rest)}
    assert told == {record.epoch: record.metrics for record in whole}
    saved = [torch.load(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "parts")]
    assert torch.equal(*(torch.cat([v.flatten() for v in each["model"].values()]) for each in saved))


@pytest.mark.parametrize("objective", [{}, TERMS], ids=["one", "terms"])
def test_the_shares_of_workers_add_up_to_the_step(make_trial: MakeTrial, objective: dict[str, Any]) -> None:
    parts, train = parts_of(make_trial(EXACT | {"data.augment": [BOTH]} | objective))
    batch = parts.augmentations.of_batch(train.head(31).columns, train.first, seed=3, step=7)
    whole = torch.stack(parts.loss(batch))
    shares = [{name: column[place] for name, column in batch.items()} for place in (slice(0, 16), slice(16, 31))]
    assert torch.allclose(whole, sum(torch.stack(parts.loss(share)) for share in shares), rtol=1e-12)


def test_what_is_compiled_is_the_same_loss(make_trial: MakeTrial) -> None:
    parts, train = parts_of(make_trial(EXACT | {"data.augment": [MIXUP]}))
    batch = train.head(16).columns
    unchanged, changed = parts.given(batch, 0), parts.augmentations.of_batch(batch, train.first, seed=0, step=0)
    assert {n: (v.shape, v.dtype) for n, v in unchanged.items()} == {n: (v.shape, v.dtype) for n, v in changed.items()}


TABLE = {
    "data.source": {"kind": "diabetes"},
    "data.splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "seed": 0},
    "data.normalize": {"kind": "per_feature"},
    "model": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [8]},
    "data.augment": [MIXUP],
}


@pytest.mark.parametrize("kind", ["mse", "l1", "huber"])
def test_of_squares_mixed_losses_are_not_those_of_mixed_targets(make_trial: MakeTrial, kind: str) -> None:
    parts, train = parts_of(make_trial(EXACT | TABLE | {"objective": {"kind": kind, "metrics": [{"kind": "mae"}]}}))
    batch = parts.augmentations.of_batch(train.head(20).columns, train.first, seed=0, step=0)
    output = parts.model(batch[train.first]).reshape(batch[train.target].shape)
    share_B = batch[SHARE].double().view(-1, *[1] * (output.dim() - 1))
    function = {"mse": F.mse_loss, "l1": F.l1_loss, "huber": F.huber_loss}[kind]
    own, partners = (function(output, batch[n], reduction="none") for n in (train.target, PARTNERS + train.target))
    loss, weight = parts.loss(batch)
    assert loss.item() == pytest.approx((share_B * own + (1 - share_B) * partners).sum().item(), rel=1e-6)
    assert float(weight) == output.numel()


DENSE = {
    "data.source": {"kind": "own_mixed:masks"},
    "data.splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "seed": 0},
    "data.normalize": {"kind": "none"},
    "model": {"kind": "own_mixed:Pixels"},
    "objective": {"kind": "cross_entropy", "metrics": []},
}


def test_classes_of_pixels_are_cut_and_pasted_as_the_images_are(own: None, make_trial: MakeTrial) -> None:
    parts, train = parts_of(make_trial(EXACT | DENSE | {"data.augment": [{"kind": "cutmix"}]}))
    batch = parts.augmentations.of_batch(train.head(24).columns, train.first, seed=0, step=0)
    assert not torch.equal(batch[train.first], train.head(24).columns[train.first])
    assert torch.equal(batch[train.target], (batch[train.first] > 0.5).long())
    assert set(batch[SHARE].tolist()) == {1.0}
    logits = parts.model(batch[train.first])
    loss, weight = parts.loss(batch)
    assert loss.item() == pytest.approx(F.cross_entropy(logits, batch[train.target], reduction="sum").item(), rel=1e-6)
    assert float(weight) == 24 * 36


def test_of_pixels_that_are_added_up_both_classes_count(own: None, make_trial: MakeTrial) -> None:
    parts, train = parts_of(make_trial(EXACT | DENSE | {"data.augment": [BOTH]}))
    batch = parts.augmentations.of_batch(train.head(24).columns, train.first, seed=0, step=0)
    logits = parts.model(batch[train.first])
    losses = [F.cross_entropy(logits, batch[n], reduction="none") for n in (train.target, PARTNERS + train.target)]
    share = batch[SHARE].double()[:, None, None]
    assert 0 < float(share.min()) < 1
    loss, _ = parts.loss(batch)
    assert loss.item() == pytest.approx((share * losses[0] + (1 - share) * losses[1]).sum().item(), rel=1e-6)


@pytest.mark.parametrize("kind", ["Mean", "Branches"])
def test_an_own_objective_gives_the_mean_of_a_sample(own: None, make_trial: MakeTrial, kind: str) -> None:
    mixed = EXACT | {"data.augment": [MIXUP]}
    ours, train = parts_of(make_trial(mixed | {"objective": {"kind": f"own_mixed:{kind}", "metrics": []}}))
    plain, _ = parts_of(make_trial(mixed | {"objective": {"kind": "cross_entropy", "metrics": []}}))
    assert ours.mixes_by_vmap is (kind == "Mean")
    batch = ours.augmentations.of_batch(train.head(16).columns, train.first, seed=0, step=0)
    assert torch.allclose(torch.stack(ours.loss(batch)), torch.stack(plain.loss(batch)), rtol=1e-6)


@pytest.mark.parametrize("kind", ["Compares", "Weighs"])
def test_an_objective_that_does_not_add_up_is_refused(own: None, make_trial: MakeTrial, kind: str) -> None:
    trial = make_trial({"data.augment": [MIXUP], "objective": {"kind": f"own_mixed:{kind}", "metrics": []}})
    with pytest.raises(TrainingError, match="not their sum") as raised:
        parts_of(trial)
    assert raised.value.code == "mixing-unfit"


def test_an_objective_without_a_loss_of_samples_is_the_same_by_one_call_for_each(make_trial: MakeTrial) -> None:
    parts, train = parts_of(make_trial(EXACT | {"data.augment": [BOTH]} | TERMS))
    batch = parts.augmentations.of_batch(train.head(16).columns, train.first, seed=0, step=0)
    output = parts.model(batch[train.first])
    given = parts.objective, parts.objective_call, parts.step_calls, output, batch
    together, one_by_one = (torch.stack(mixed_loss(*given, by_vmap=by_vmap)) for by_vmap in (True, False))
    assert torch.allclose(together, one_by_one, rtol=1e-12)
    assert mean_of(parts.objective, *together).item() > 0


def test_a_sample_is_its_own_partner_where_nothing_is_mixed(make_trial: MakeTrial) -> None:
    never, train = parts_of(make_trial(EXACT | {"data.augment": [MIXUP | {"p": 0.0}]}))
    plain, _ = parts_of(make_trial(EXACT | {"data.augment": [{"kind": "line_dropout", "p": 0.0}]}))
    batch = train.head(40).columns
    mixed = never.augmentations.of_batch(batch, train.first, seed=0, step=0)
    given = plain.augmentations.of_batch(batch, train.first, seed=0, step=0)
    assert torch.allclose(torch.stack(never.loss(mixed)), torch.stack(plain.loss(given)), rtol=1e-6)


def test_values_beyond_0_and_1_are_no_colours(make_trial: MakeTrial) -> None:
    jitter = {"kind": "color_jitter", "brightness": 0.2}
    parts_of(make_trial(UNIT | {"data.augment": [jitter]}))
    with pytest.raises(TrainingError, match=r"color_jitter needs images from 0 to 1, and was given values from -"):
        parts_of(make_trial(UNIT | {"data.augment": [jitter | {"when": "after_normalize"}]}))


def test_what_draws_apart_draws_the_same_whatever_else_there_is(make_trial: MakeTrial) -> None:
    erase, policy = {"kind": "random_erasing", "p": 0.5}, {"kind": "trivial_augment"}
    shift = {"kind": "random_shift", "max_shift": 2}
    x_B = torch.rand((8, 8, 8), generator=torch.Generator().manual_seed(0)).double()

    def changes(augment: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
        parts, _ = parts_of(make_trial(EXACT | UNIT | {"data.augment": augment}))
        (last,) = [each for each in parts.augmentations.before if each.kind == augment[-1]["kind"]][-1:]
        alone = parts.augmentations.__class__((last,), None, (), are_keyed=False)
        return alone(x_B.float(), seed=5, step=9).numpy()

    for last in (erase, policy):
        found = [changes([*before, last]) for before in ([], [shift], [shift, erase if last is policy else policy])]
        assert np.array_equal(found[0], found[1])
        assert np.array_equal(found[0], found[2])
    parts, _ = parts_of(make_trial(EXACT | {"data.augment": [erase, erase]}))
    once, twice = ([each.apart for each in parts.augmentations.before][index] for index in (0, 1))
    assert once != twice
    assert isinstance(parts.model, nn.Module)
