"""Values over time: their phases, and what models and objectives are given at each step."""

import math

import pytest
import torch

from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.loop.trial import lay_ground, open_training, train_trial
from craftc.training.parts import values as module
from craftc.training.parts.values import build_values
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

CPU = torch.device("cpu")


def chain(*phases, num_steps=8, steps_per_epoch=2):
    values = build_values({"v": phases}, num_steps=num_steps, steps_per_epoch=steps_per_epoch, device=CPU)
    return [float(values.at(step)["v"]) for step in range(num_steps)]


RAMP = {"start": 4.0, "end": 16.0, "epochs": 3}
KEPT = {"kind": "constant", "value": 16.0}
BY_STEP = [4, 6, 8, 10, 12, 14, 16, 16]
BY_EPOCH = [4, 4, 8, 8, 12, 12, 16, 16]


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (RAMP | {"kind": "linear"}, BY_STEP),
        (RAMP | {"kind": "linear", "by": "epoch"}, BY_EPOCH),
        (RAMP | {"kind": "exponential"}, [*(4 * 4 ** (i / 6) for i in range(6)), 16, 16]),
        (RAMP | {"kind": "exponential", "by": "epoch"}, [*(4 * 4 ** (i // 2 / 3) for i in range(6)), 16, 16]),
        (RAMP | {"kind": "cosine"}, [*(10 - 6 * math.cos(math.pi * i / 6) for i in range(6)), 16, 16]),
        (RAMP | {"kind": "cosine", "by": "epoch"}, [4, 4, 7, 7, 13, 13, 16, 16]),
    ],
)  # fmt: skip
def test_a_phase_goes_from_start_to_end_and_hands_over(phase, expected):
    assert chain(phase, KEPT) == pytest.approx(expected, rel=1e-6)


def test_the_last_phase_takes_what_remains_and_behind_a_shorter_one_its_last_value_stays():
    assert chain({"kind": "constant", "value": 0.5, "epochs": 1}, RAMP | {"kind": "linear", "epochs": "none"})[2:] == (
        pytest.approx(BY_STEP[:6])
    )
    assert chain({"kind": "constant", "value": 0.5, "epochs": 1}) == [0.5] * 8


def test_many_steps_are_the_numbers_of_each_whatever_the_order(monkeypatch):
    monkeypatch.setattr(module, "STEPS_AT_ONCE", 3)
    phases = [RAMP | {"kind": "linear"}, KEPT]
    values = build_values({"v": phases}, num_steps=20, steps_per_epoch=5, device=CPU)
    steps = [*range(20), 7, 19, 2, 3, 0]
    assert [float(values.at(step)["v"]) for step in steps] == [
        pytest.approx(values.numbers(step)["v"]) for step in steps
    ]


def test_a_constant_phase_is_one_tensor_and_is_not_asked_at_every_step():
    values = build_values({"v": [KEPT]}, num_steps=200, steps_per_epoch=100, device=CPU)
    first = values.at(0)
    values._chains = {"v": None}  # asking it would raise
    assert all(values.at(step) is first for step in range(100))


def test_what_is_changed_in_place_is_what_it_was_at_the_next_step():
    values = build_values({"v": [KEPT]}, num_steps=8, steps_per_epoch=8, device=CPU)
    values.at(0)["v"].mul_(2)
    assert float(values.at(1)["v"]) == 16.0


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([KEPT, KEPT], "value v: ValueError: phase 0 of value v takes all that remains, but is not the last"),
        ([{"kind": "collections:Counter"}], "value v: TypeError: collections:Counter has no method value"),
        ([{"kind": "exponential", "start": 0.0, "end": 1.0, "epochs": 0}], "no phase of value v lasts a step"),
    ],
)
def test_a_chain_that_cannot_be_built_is_named(phases, message):
    with pytest.raises(TrainingError, match=message) as caught:
        chain(*phases)
    assert caught.value.code == "values-not-buildable"


OWN = """
import torch
from torch import nn

SEEN = []

class Ramp:
    def __init__(self, *, top, epochs="none"):
        self.top, self.epochs = top, epochs

    def value(self, step, num_steps, steps_per_epoch):
        return self.top * step if step < 30 else float("nan")

class Scaled(nn.Linear):
    def __init__(self, *, num_classes):
        super().__init__(64, num_classes)

    def forward(self, x, scale, unasked=None):
        SEEN.append((self.training, scale.item(), scale.shape, scale.dtype))
        return super().forward(x.flatten(1)) * scale

class Weighted(nn.Module):
    trivial = "class_frequencies"

    def forward(self, logits, targets, beta=0.0):
        return nn.functional.cross_entropy(logits, targets) + beta
"""
VALUES = {
    "scale": [{"kind": "linear", "start": 0.5, "end": 1.0, "epochs": 2}, {"kind": "constant", "value": 1.0}],
    "beta": [{"kind": "cosine", "start": 0.0, "end": 2.0, "epochs": "none", "by": "epoch"}],
}
WITH_VALUES = {
    "model": {"kind": "own_values:Scaled", "num_classes": "infer"},
    "objective": {"kind": "own_values:Weighted", "metrics": [{"kind": "accuracy"}]},
    "training.epochs": 3,
    "training.values": VALUES,
}


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    (tmp_path / "own_values.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


def test_every_step_and_evaluation_has_its_values_and_they_are_recorded(make_trial, run_trial, tmp_path):
    import own_values

    own_values.SEEN.clear()
    records, result = run_trial(make_trial(WITH_VALUES), tmp_path / "trial")
    steps_per_epoch = records[0].step
    expected = [min(0.5 + 0.5 * step / (2 * steps_per_epoch), 1.0) for step in range(3 * steps_per_epoch)]
    trained = [scale for training, scale, *_ in own_values.SEEN if training]
    assert trained == pytest.approx(expected, rel=1e-6)
    assert {(shape, dtype) for *_, shape, dtype in own_values.SEEN} == {(torch.Size([]), torch.float32)}
    ends = [expected[step * steps_per_epoch - 1] for step in (1, 2, 3)]
    assert [record.metrics["train/scale"] for record in records] == pytest.approx(ends)
    assert [record.metrics["train/beta"] for record in records] == pytest.approx([0.0, 0.5, 1.5])
    assert list(records[0].metrics)[:5] == ["train/objective", "train/lr", "train/scale", "train/beta", "train/loss"]
    # Those of an epoch are evaluated with the values of its last step.
    evaluated = [scale for training, scale, *_ in own_values.SEEN[1:] if not training]
    assert set(map(float, torch.tensor(evaluated).unique())) == set(map(float, torch.tensor(ends).float()))
    assert not any("beta" in name or "scale" in name for name in (*result.best, *result.last))


def opened(trial, folder):
    return open_training(Start([Member(trial, folder)]), lay_ground(trial, "cpu"))


def test_an_evaluation_is_given_other_values_by_name(make_trial, tmp_path):
    training = opened(make_trial(WITH_VALUES), tmp_path)
    splits = training.splits

    def loss(**values):
        found = evaluate_splits(training.parts, splits, ["valid"], epoch=3, batch_size=64, values=values)
        return found["valid/loss"]

    assert loss(beta=0.0) == pytest.approx(loss() - 1.5, rel=1e-6)
    assert loss(scale=0.0, beta=0.0) == pytest.approx(math.log(10), rel=1e-6)
    assert loss(unknown=1.0) == loss()


def test_the_loss_of_what_knows_nothing_is_measured_with_the_values_of_the_best_epoch(make_trial, run_trial, tmp_path):
    last = WITH_VALUES | {"evaluation.select": "none"}
    _, with_beta = run_trial(make_trial(last), tmp_path / "with")
    _, without = run_trial(make_trial(last | {"training.values": VALUES | {"beta": [KEPT | {"value": 0.0}]}}), tmp_path)
    assert with_beta.trivial["test/loss"] == pytest.approx(without.trivial["test/loss"] + 1.5, rel=1e-6)


def test_a_parameter_without_its_value_has_its_default_or_is_missed(make_trial, tmp_path):
    alone = {"scale": VALUES["scale"]}
    training = opened(make_trial(WITH_VALUES | {"training.values": alone}), tmp_path)
    assert training.parts.objective_call.named == ()
    with pytest.raises(TrainingError, match="must be given scale, and the data has x, beta"):
        opened(make_trial(WITH_VALUES | {"training.values": {"beta": VALUES["beta"]}}), tmp_path)


def test_a_resumed_trial_equals_a_straight_one_within_a_phase(make_trial, run_trial, tmp_path):
    trial = make_trial(WITH_VALUES)
    straight, result = run_trial(trial, tmp_path / "straight")
    epochs = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    next(epochs)
    epochs.close()
    rest, again = run_trial(trial, tmp_path / "cut")
    assert [record.metrics for record in rest] == [record.metrics for record in straight[1:]]
    assert (again.best, again.last) == (result.best, result.last)


def test_a_phase_of_the_users_own_that_gives_no_number_ends_the_trial(make_trial, run_trial, tmp_path):
    own = {"scale": [{"kind": "own_values:Ramp", "top": 0.01}], "beta": VALUES["beta"]}
    with pytest.raises(
        TrainingError, match="value scale, phase Ramp gave nan for step 30; expected a finite"
    ) as caught:
        run_trial(make_trial(WITH_VALUES | {"training.values": own}), tmp_path / "trial")
    assert caught.value.code == "value-failed"
