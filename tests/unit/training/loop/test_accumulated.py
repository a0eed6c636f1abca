"""A step of several batches, or of micro-batches, is the step of one batch as large as all of them."""

import copy
import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from craftc.training.assemble import assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.step import train_step

CPU = torch.device("cpu")
EXACT = {"training.precision": "float64", "training.epochs": 2, "regularization.ema_decay": 0.9, "model.dropout": 0.3}
WHOLE = EXACT | {"training.batch_size": 48}
PARTS = EXACT | {"training.batch_size": 12, "training.accumulate": 4}
TWO_TERMS = {
    "objective": {
        "terms": {
            "weighted": {"kind": "cross_entropy", "class_weights": "balanced", "label_smoothing": 0.1, "weight": 0.7},
            "plain": {"kind": "cross_entropy", "class_weights": "none", "label_smoothing": 0.0, "weight": 0.3},
            "watched": {"kind": "cross_entropy", "class_weights": "none", "label_smoothing": 0.5, "weight": 0.0},
        },
        "metrics": [{"kind": "accuracy"}],
    }
}


def micro(trial, micro_batch):
    return trial.model_copy(update={"micro_batch": micro_batch})


def same(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        assert one.step == other.step
        assert set(one.metrics) == set(other.metrics)
        for name, value in one.metrics.items():
            assert value == pytest.approx(other.metrics[name], rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("objective", [{}, TWO_TERMS], ids=["one", "terms"])
def test_accumulated_batches_are_one_batch(make_trial, run_trial, tmp_path, objective):
    whole, _ = run_trial(make_trial(WHOLE | objective), tmp_path / "whole")
    parts, result = run_trial(make_trial(PARTS | objective), tmp_path / "parts")
    same(whole, parts, 1e-12)
    assert result.steps == 2 * -(-num_train(result) // 48)
    assert result.execution.micro_batch is None


def num_train(result):
    return result.split_sizes["train"]


@pytest.mark.parametrize("objective", [{}, TWO_TERMS], ids=["one", "terms"])
@pytest.mark.parametrize("size", [1, 5, 48, 100, "auto"])
def test_micro_batches_are_the_batch(make_trial, run_trial, tmp_path, objective, size):
    settings = WHOLE | objective | {"training.epochs": 1}
    whole, _ = run_trial(make_trial(settings), tmp_path / "whole")
    parts, result = run_trial(micro(make_trial(settings), size), tmp_path / "parts")
    same(whole, parts, 1e-12)
    assert result.execution.micro_batch == (48 if size == "auto" else min(size, 48))


def test_both_at_once_and_in_float32(make_trial, run_trial, tmp_path):
    rough = {"training.precision": "float32", "training.epochs": 1}
    whole, _ = run_trial(make_trial(WHOLE | rough), tmp_path / "whole")
    parts, _ = run_trial(micro(make_trial(PARTS | rough), 5), tmp_path / "parts")
    same(whole, parts, 1e-4)


OWN = """
import random
import subprocess
import sys

import numpy as np
import torch


class Full(torch.nn.Module):
    most = 10 ** 6
    message = None
    where = "forward"

    def __init__(self, *, num_classes: int):
        super().__init__()
        self.layer = torch.nn.Linear(64, num_classes)
        self.register_buffer("calls", torch.zeros(()))
        self.seen = []

    def forward(self, x):
        if self.training:
            self.seen.append((len(x), random.random(), float(np.random.rand())))
        if len(x) > self.most and self.where == ("forward" if self.training else "evaluation"):
            raise self.message
        return Backward.apply(self.layer(x.flatten(1)), self)


class Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, output, model):
        ctx.model = model
        return output.clone()

    @staticmethod
    def backward(ctx, gradient):
        if len(gradient) > ctx.model.most and ctx.model.where == "backward":
            raise ctx.model.message
        return gradient, None
"""
FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to ..."),
    MemoryError(),
]


@pytest.fixture
def full(tmp_path, monkeypatch):
    (tmp_path / "full_model.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    import full_model

    def set_full(most, message, where):
        for name, value in (("most", most), ("message", message), ("where", where)):
            monkeypatch.setattr(full_model.Full, name, value)

    return set_full


OWN_MODEL = {"model": {"kind": "full_model:Full", "num_classes": "infer"}, "training.precision": "float64"}


def parts_of(trial):
    data = prepare(trial.config["data"])
    splits = to_device(data.splits, CPU, torch.float64)
    parts = assemble(trial, data, CPU, course_of(trial.config, len(splits["train"])))
    parts.model.train()
    return parts, splits["train"].head(64).columns


@pytest.mark.parametrize("message", FULL, ids=["torch", "cpu", "python"])
@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_full_memory_halves_the_micro_batch_and_leaves_nothing_behind(make_trial, full, where, message):
    trial = make_trial(OWN_MODEL | {"regularization.ema_decay": 0.9})
    plain, batch = parts_of(trial)
    expected = [train_step(plain, copy.deepcopy(batch), step) for step in (0, 1)]
    full(20, message, where)
    parts, batch = parts_of(micro(trial, "auto"))
    random.seed(5)
    np.random.seed(5)
    found = [train_step(parts, copy.deepcopy(batch), step) for step in (0, 1)]
    assert parts.micro_batches.told == 16
    assert [len_ for len_, *_ in parts.model.seen] == [64, 32, *[16] * 8]
    # The numbers of Python and numpy are those of a step that was taken once.
    random.seed(5)
    np.random.seed(5)
    drawn = [(random.random(), float(np.random.rand())) for _ in range(8)]
    assert [numbers for _, *numbers in parts.model.seen[2:]] == [list(pair) for pair in drawn]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours[0] / ours[1]).item() == pytest.approx((theirs[0] / theirs[1]).item(), rel=1e-12)
    for model, other in ((parts.model, plain.model), (parts.ema, plain.ema)):
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-13)
    assert int(parts.ema.n_averaged) == 2
    counts = [int(state["step"]) for state in parts.optimizer.state.values()]
    assert counts == [2] * len(counts)


def test_what_fits_for_no_sample_at_all_is_an_error(make_trial, full):
    full(0, FULL[0], "forward")
    parts, batch = parts_of(micro(make_trial(OWN_MODEL), "auto"))
    with pytest.raises(torch.OutOfMemoryError):
        train_step(parts, batch, 0)
    assert parts.micro_batches.told == 1


def test_a_number_that_does_not_fit_is_an_error(make_trial, full):
    full(20, FULL[0], "forward")
    parts, batch = parts_of(micro(make_trial(OWN_MODEL), 32))
    with pytest.raises(torch.OutOfMemoryError):
        train_step(parts, batch, 0)


def test_an_evaluation_that_does_not_fit_is_taken_in_parts(make_trial, run_trial, tmp_path, full):
    trial = make_trial(OWN_MODEL | {"training.epochs": 1})
    expected, _ = run_trial(trial, tmp_path / "plain")
    full(20, FULL[1], "evaluation")
    found, result = run_trial(micro(trial, "auto"), tmp_path / "found")
    same(expected, found, 1e-12)
    # Training had room enough.
    assert result.execution.micro_batch == 64
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        run_trial(trial, tmp_path / "without")


def test_an_evaluation_is_no_larger_than_what_was_given(make_trial, run_trial, tmp_path, full):
    full(20, FULL[1], "evaluation")
    _, result = run_trial(micro(make_trial(OWN_MODEL | {"training.epochs": 1}), 20), tmp_path)
    assert result.execution.micro_batch == 20


NORMS = """
import torch

class Norms(torch.nn.Sequential):
    def __init__(self, *, num_classes: int, width: int = 8):
        last = torch.nn.Linear(width, num_classes)
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, width), torch.nn.BatchNorm1d(width), last)

class Counts(torch.nn.Linear):
    def __init__(self, *, num_classes: int):
        super().__init__(64, num_classes)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.calls += 1
        return super().forward(x.flatten(1))

class Frozen(Norms):
    def train(self, mode=True):
        super().train(mode)
        self[2].eval()
        return self
"""


@pytest.fixture
def norms(tmp_path, monkeypatch):
    (tmp_path / "norm_models.py").write_text(NORMS)
    monkeypatch.syspath_prepend(tmp_path)

    def settings(name):
        return {"model": {"kind": f"norm_models:{name}", "num_classes": "infer"}, "training.precision": "float64"}

    return settings


@pytest.mark.parametrize("size", [8, "auto"])
@pytest.mark.parametrize(("name", "said"), [("Norms", "batch normalization 2"), ("Counts", "buffer calls")])
def test_what_is_of_a_whole_batch_has_no_micro_batches(make_trial, norms, name, said, size):
    with pytest.raises(TrainingError, match=said) as raised:
        parts_of(micro(make_trial(norms(name)), size))
    assert raised.value.code == "micro-batch-unfit"


def test_samples_that_are_compared_have_no_micro_batches(make_trial):
    compared = {
        "data.views": 2,
        "model": {"kind": "linear", "num_features": "infer", "num_classes": 16},
        "objective": {"kind": "info_nce", "temperature": 0.5, "metrics": [{"kind": "nearest_neighbour"}]},
    }
    with pytest.raises(TrainingError, match="compares the samples of a batch") as raised:
        parts_of(micro(make_trial(compared), 8))
    assert raised.value.code == "micro-batch-unfit"
    # Several batches each compare their own.
    parts, batch = parts_of(make_trial(compared | {"training.batch_size": 32, "training.accumulate": 2}))
    train_step(parts, batch, 0)


def test_a_normalization_that_stays_as_it_is_has_micro_batches(make_trial, norms):
    parts_of(micro(make_trial(norms("Frozen")), 8))


def test_batch_normalization_sees_each_batch_by_itself(make_trial, norms):
    plain = norms("Norms") | {
        "training.optimizer": {"kind": "sgd", "lr": 0.5},
        "training.schedule": [{"kind": "constant"}],
        "regularization.clip_grad_norm": "none",
        "data.augment": [],
        "training.batch_size": 16,
        "training.accumulate": 4,
    }
    parts, batch = parts_of(make_trial(plain))
    model = copy.deepcopy(parts.model)
    train_step(parts, copy.deepcopy(batch), 0)
    weights = parts.objective.weights_C
    total = weights[batch["y"]].sum()
    for x, y in zip(batch["x"].split(16), batch["y"].split(16), strict=True):
        (torch.nn.functional.cross_entropy(model(x), y, weight=weights, reduction="sum") / total).backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()
    for one, other in zip(parts.model.state_dict().values(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_terms_are_weighed_without_a_trace_in_batch_normalization(make_trial, norms):
    settings = norms("Norms") | TWO_TERMS | {"training.batch_size": 16, "training.accumulate": 4}
    parts, batch = parts_of(make_trial(settings))
    train_step(parts, batch, 0)
    assert int(parts.model[2].num_batches_tracked) == 4


def test_no_step_of_parts_waits_for_the_device(make_trial, monkeypatch):
    reads = []
    real_item = torch.Tensor.item
    parts, batch = parts_of(make_trial(PARTS | {"training.precision": "float64"}))
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: (reads.append(tensor), real_item(tensor))[1])
    train_step(parts, batch, 0)
    assert reads == []


SCARCE = """
import json, resource, sys

import torch

from craftc.schemas.plan import Trial
from craftc.training.assemble import assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.loop.step import train_step

trial, room = Trial.model_validate_json(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
data = prepare(trial.config["data"])
split = to_device(data.splits, torch.device("cpu"))["train"]
parts = assemble(trial, data, torch.device("cpu"), course_of(trial.config, len(split)))
parts.model.train()
batch = split.head(1024).columns
# What a thread of its own and the optimizer take is there before.
train_step(parts, split.head(1).columns, 0)
if room:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
loss_sum, weight_sum, _ = train_step(parts, batch, 1)
print(json.dumps([parts.micro_batches.told, (loss_sum / weight_sum).item()]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_the_system_refuses_is_found_out(make_trial):
    # A layer of 1,024 samples is 64 MiB, of which forward and backward hold several.
    settings = {"model.hidden": [16384], "training.batch_size": 1024, "training.optimizer": {"kind": "sgd", "lr": 0.1}}
    trial = micro(make_trial(settings), "auto").model_dump_json()

    def run(room):
        command = [sys.executable, "-c", SCARCE, trial, str(room)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)

    told, loss = run(0)
    found, same_loss = run(165 * 2**20)
    assert told == 1024
    assert 1 < found < 1024
    assert same_loss == pytest.approx(loss, rel=1e-5)
