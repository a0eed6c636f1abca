"""One step, one epoch, one evaluation, on the real parts of a trial."""

import copy
import math

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from craftc.training.assemble import assemble
from craftc.training.data.device_split import DeviceSplit, evaluation_batches, to_device, train_batches
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.random import epoch_order
from craftc.training.loop.evaluate import evaluate, evaluate_splits
from craftc.training.loop.step import clip, train_step
from craftc.training.loop.train_steps import begin_record, train_steps
from craftc.training.parts.average import Average, Averaging
from craftc.training.parts.dropout import count_dropout

CPU = torch.device("cpu")


@pytest.fixture
def parts_of(make_trial):
    def build(settings=None):
        trial = make_trial(settings)
        data = prepare(trial.config["data"])
        splits = to_device(data.splits, CPU)
        return assemble(trial, data, CPU, course_of(trial.config, len(splits["train"]))), splits

    return build


def train_a_pass(parts, train):
    course = course_of({"training": {"epochs": 1, "batch_size": 64}}, len(train))
    train_steps(parts, train, course, begin_record(parts, 0), course.num_steps)


PLAIN_SGD = {
    "training.optimizer": {"kind": "sgd", "lr": 1.0},
    "training.schedule": [{"kind": "constant"}],
    "data.augment": [],
}


def test_clipping_bounds_the_step(parts_of):
    parts, splits = parts_of(PLAIN_SGD | {"regularization.clip_grad_norm": 0.01})
    before = torch.nn.utils.parameters_to_vector(parts.model.parameters()).detach().clone()
    train_step(parts, splits["train"].head(64).columns, 0)
    after = torch.nn.utils.parameters_to_vector(parts.model.parameters()).detach()
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-3)


IN_PLACE = """
import torch

class Shifts(torch.nn.Linear):
    def __init__(self, *, num_classes: int):
        super().__init__(64, num_classes)

    def forward(self, x):
        return super().forward(x.add_(1).flatten(1))
"""


def test_a_model_that_works_in_place_on_its_input_changes_no_data(parts_of, tmp_path, monkeypatch):
    (tmp_path / "in_place.py").write_text(IN_PLACE)
    monkeypatch.syspath_prepend(tmp_path)
    own = PLAIN_SGD | {"model": {"kind": "in_place:Shifts", "num_classes": "infer"}}
    parts, splits = parts_of(own)
    before = {name: split.x.clone() for name, split in splits.items()}
    evaluate_splits(parts, splits, splits, epoch=1, batch_size=64)
    train_a_pass(parts, splits["train"])
    batch = splits["train"].head(64).columns
    # Before a step is compiled, it is rehearsed on the batch that it is then taken on.
    with parts.compilation._rehearsal.undone():
        parts.compilation._rehearsal(parts.loss.as_it_stands, batch, 0)
    _, again = parts_of(own)
    for name, x in before.items():
        assert torch.equal(splits[name].x, x)
        assert torch.equal(again[name].x, x)


CACHES = """
import torch

class Caches(torch.nn.Linear):
    def __init__(self, *, num_classes: int):
        super().__init__(64, num_classes)
        self.scale = torch.ones(0)

    def forward(self, x):
        if len(self.scale) < len(x):
            self.scale = torch.ones(len(x), 1)
        return super().forward(x.flatten(1)) * self.scale[:len(x)]
"""


def test_what_a_model_keeps_of_an_evaluation_it_can_train_with(parts_of, tmp_path, monkeypatch):
    (tmp_path / "caches.py").write_text(CACHES)
    monkeypatch.syspath_prepend(tmp_path)
    parts, splits = parts_of(PLAIN_SGD | {"model": {"kind": "caches:Caches", "num_classes": "infer"}})
    for epoch in (1, 2):
        evaluate_splits(parts, splits, ["valid"], epoch=epoch, batch_size=64)
        train_a_pass(parts, splits["train"])


def test_predictions_of_many_classes_are_evaluated_few_at_once():
    def sizes(num_classes):
        y = torch.zeros(40, 1024, dtype=torch.long)
        split = DeviceSplit({"x": y, "y": y}, "x", "y", num_classes=num_classes)
        return [len(batch["y"]) for batch in evaluation_batches(split, 1)]

    assert sizes(65) == [15, 15, 10]
    assert sizes(512) == [2] * 20


@pytest.mark.parametrize("max_norm", [0.01, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(max_norm):
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), ())] + [torch.nn.Parameter()]
    for parameter in parameters[:3]:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    others = copy.deepcopy(parameters)
    for parameter, other in zip(parameters[:3], others[:3], strict=True):
        other.grad = parameter.grad.clone()
    clip(parameters, max_norm)
    torch.nn.utils.clip_grad_norm_(others, max_norm)
    assert all(torch.equal(one.grad, other.grad) for one, other in zip(parameters[:3], others[:3], strict=True))
    # Of two types they are of one norm still.
    parameters[0].data, parameters[0].grad = parameters[0].data.double(), None
    parameters[0].grad = torch.ones(3, 4, dtype=torch.float64)
    clip(parameters, 0.01)
    norms = [parameter.grad.double().norm() for parameter in parameters[:3]]
    assert torch.stack(norms).norm().item() == pytest.approx(0.01, rel=1e-4)


def test_the_average_is_torchs():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    count_dropout(model)
    mine, torchs = AveragedModel(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average = Average(mine, model, Averaging(0.9))
    for step in range(4):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)))
        # A model may put another tensor in a buffer's place.
        model[1].running_mean = model[1].running_mean + step
        average.take(step + 1)
        torchs.update_parameters(model)
        found, expected = mine.state_dict(), torchs.state_dict()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_step_is_the_textbooks(parts_of):
    settings = PLAIN_SGD | {"regularization.clip_grad_norm": "none", "model.dropout": 0.0}
    parts, splits = parts_of(settings)
    batch = splits["train"].head(64).columns
    x, y = batch["x"], batch["y"]
    loss = torch.nn.functional.cross_entropy(parts.model(x), y, weight=parts.objective.weights_C)
    weights = list(parts.model.parameters())
    expected = [w.detach() - g for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True)]
    loss_sum, weight_sum, lr = train_step(parts, batch, 0)
    assert (loss_sum / weight_sum).item() == pytest.approx(loss.item(), rel=1e-5)
    assert lr == 1.0
    for found, wanted in zip(weights, expected, strict=True):
        torch.testing.assert_close(found.detach(), wanted)


def test_dropout_and_augmentation_depend_on_the_step_alone(parts_of):
    settings = PLAIN_SGD | {"data.augment": [{"kind": "gaussian_noise", "std": 0.5}], "training.optimizer.lr": 1e-30}
    parts, splits = parts_of(settings)
    parts.model.train()
    batch = splits["train"].head(64).columns
    losses = [train_step(parts, batch, step)[0].item() for step in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_training_changes_no_data(parts_of):
    parts, splits = parts_of()
    before = {name: split.x.clone() for name, split in splits.items()}
    train_a_pass(parts, splits["train"])
    for batch in (batch for name in splits for batch in evaluation_batches(splits[name], 64)):
        batch["x"].zero_()
    assert all(torch.equal(before[name], splits[name].x) for name in splits)


def test_an_epoch_sees_every_sample_once(parts_of):
    _, splits = parts_of()
    train = DeviceSplit({"x": splits["train"].x, "y": torch.arange(len(splits["train"]))}, "x", "y")
    order = epoch_order(0, 1, len(train))
    batches = [batch["y"] for batch in train_batches(train, order, 64)]
    assert sorted(torch.cat(batches).tolist()) == list(range(len(train)))
    assert {len(batch) for batch in batches[:-1]} == {64}
    assert len(batches[-1]) == len(train) % 64
    assert not torch.equal(order, epoch_order(0, 2, len(train)))


def test_the_loss_of_a_split_does_not_depend_on_its_batches(parts_of, monkeypatch):
    parts, splits = parts_of()
    parts.model.eval()
    whole = evaluate(parts, parts.predict, splits["valid"], batch_size=64)
    monkeypatch.setattr("craftc.training.data.device_split.EVALUATION_NUMBERS", 1)
    pieces = evaluate(parts, parts.predict, splits["valid"], batch_size=7)
    assert pieces == pytest.approx(whole, rel=1e-5)
    x, y = splits["valid"].x, splits["valid"].y
    loss = torch.nn.functional.cross_entropy(parts.model(x), y, weight=parts.objective.weights_C)
    assert whole["loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_evaluation_uses_no_dropout_and_leaves_no_gradient(parts_of):
    parts, splits = parts_of({"model.dropout": 0.9})
    first, second = (evaluate_splits(parts, splits, ["valid"], epoch=epoch, batch_size=64) for epoch in (1, 2))
    assert first == second
    assert all(parameter.grad is None for parameter in parts.model.parameters())


def test_a_metric_that_cannot_be_computed_is_left_out(parts_of):
    parts, splits = parts_of({"objective.metrics": [{"kind": "accuracy"}, {"kind": "auroc"}]})
    valid = splits["valid"]
    is_three = valid.y == 3
    one_class = DeviceSplit({"x": valid.x[is_three], "y": valid.y[is_three]}, "x", "y")
    parts.model.eval()
    found = evaluate(parts, parts.predict, one_class, batch_size=64)
    assert set(found) == {"loss", "accuracy"}
    assert all(math.isfinite(value) for value in found.values())


def test_no_step_waits_for_the_device(parts_of, monkeypatch):
    parts, splits = parts_of(PLAIN_SGD | {"regularization.ema_decay": 0.9})
    reads = []
    real_item = torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: (reads.append(tensor), real_item(tensor))[1])
    for step in range(3):
        train_step(parts, splits["train"].head(64).columns, step)
    assert reads == []
