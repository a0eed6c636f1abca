"""Parts of a trial that are the user's own: what they may be, and what is said of those that do not fit."""

from textwrap import dedent

import pytest
import torch

from craftc.components.errors import DataError
from craftc.training.data.facts import infer_facts
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.augmentations import build_augmentations

MODULE = '''
    import random
    import numpy as np
    import torch
    from torch import nn

    class NoStep(torch.optim.SGD):
        def step(self, closure=None):
            return 1 / 0

    class NoTrain(torch.optim.SGD):
        def train(self):
            return 1 / 0

    class NoRate:
        epochs = "none"

        def lr(self, base_lr, step, num_steps, steps_per_epoch):
            return 1 / 0

    class NoneAsRate(NoRate):
        def lr(self, base_lr, step, num_steps, steps_per_epoch):
            return None

    class NanAsRate(NoRate):
        def lr(self, base_lr, step, num_steps, steps_per_epoch):
            return float("nan")

    class AllFrozen(nn.Linear):
        def __init__(self):
            super().__init__(64, 10)
            self.requires_grad_(False)

        def forward(self, x):
            return super().forward(x.flatten(1))

    class NoParameters(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10]

    class Identity(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, least):
            ctx.least = least
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad / len(grad) if len(grad) < ctx.least else 1 / 0, None

    class NoBackward(nn.CrossEntropyLoss):
        least = 0

        def forward(self, logits, targets):
            return super().forward(Identity.apply(logits, self.least), targets)

    class NoBackwardOfMany(NoBackward):
        least = 3

    class FailsOnMany(nn.CrossEntropyLoss):
        def forward(self, logits, targets):
            return super().forward(logits, targets) if len(logits) < 3 else 1 / 0

    class TwoInputs(nn.Module):
        def forward(self, x, mask):
            return x

    class Pair(nn.Linear):
        def __init__(self):
            super().__init__(64, 10)

        def forward(self, x):
            return super().forward(x.flatten(1)), None

    class Convolution(nn.Conv2d):
        def __init__(self):
            super().__init__(1, 10, 8)

        def forward(self, x):
            return super().forward(x).flatten(1)

    def normed(*, images=False):
        if images:
            features = [nn.Unflatten(1, (1, 8)), nn.BatchNorm2d(1), nn.Flatten()]
        else:
            features = [nn.Flatten(), nn.BatchNorm1d(64)]
        return nn.Sequential(*features, nn.Dropout(0.1), nn.Linear(64, 10))

    class WantsMany:
        """The number of predictions."""
        higher_is_better = True

        def reset(self):
            self.num = 0

        def update(self, logits, targets):
            self.num += len(targets)

        def compute(self):
            if self.num < 3:
                raise ValueError("too few")
            return self.num

    class Text(WantsMany):
        def compute(self):
            return "0.5"

    class NoneOfFew(WantsMany):
        def compute(self):
            return None if self.num < 3 else self.num

    def no_module():
        return 3

    def factory(*, num_classes, width=8):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, num_classes))

    class SumAndWeight(nn.Module):
        def forward(self, logits, targets):
            loss = nn.functional.cross_entropy(logits, targets, reduction="sum")
            return loss, loss.new_tensor(float(len(targets)))

    class Focal(nn.Module):
        def __init__(self, class_counts, /, *, gamma=2.0, num_classes):
            super().__init__()
            assert len(class_counts) == num_classes
            self.gamma = gamma

        def forward(self, logits, targets):
            loss = nn.functional.cross_entropy(logits, targets, reduction="none")
            return ((1 - torch.exp(-loss)) ** self.gamma * loss).mean()

    def loss_function(logits=None, targets=None):
        return 0.0

    class Share:
        """Not of torchmetrics, nor a module."""
        higher_is_better = True

        def __init__(self, num_classes, /, *, label=0):
            self.label, self.num_classes = label, num_classes

        def reset(self):
            self.found = []

        def update(self, logits, targets):
            self.found += (logits.argmax(-1) == self.label).tolist()

        def compute(self):
            return sum(self.found) / len(self.found)

    def sgd(params, lr=0.01):
        return torch.optim.SGD(params, lr=lr)

    class NotAnOptimizer:
        def __init__(self, params):
            pass

    class Triangle:
        def __init__(self, *, epochs="none"):
            self.epochs = epochs

        def lr(self, base_lr, step, num_steps, steps_per_epoch):
            return base_lr * (1 - abs(2 * step / num_steps - 1))

    class NoPhase:
        epochs = 3

    class Jitter:
        def __call__(self, x, generator):
            return x + torch.randn(x.shape, generator=generator)

    class Blur(nn.Module):
        def forward(self, x, params=None):
            return x + torch.rand(len(x), 1, 1) + random.random() + np.random.random()

    def crop():
        return lambda x: x[:, 1:]

    def nothing():
        return lambda x: None

    class Detached(nn.Module):
        def forward(self, logits, targets):
            return nn.functional.cross_entropy(logits.detach(), targets)

    class Mistakes(nn.Module):
        def forward(self, logits, targets):
            return (logits.argmax(-1) != targets).sum()

    class SumAndNumber(nn.Module):
        def forward(self, logits, targets):
            return nn.functional.cross_entropy(logits, targets, reduction="sum"), len(targets)

    class Bits(nn.Linear):
        def __init__(self, *, bits):
            super().__init__(64, 10)
            self.dtype = getattr(torch, f"float{bits}")

        def forward(self, x):
            return super().forward(x.flatten(1)).to(self.dtype)

    class Halve:
        def fit(self, x):
            self.scale = np.abs(x).max()

        def __call__(self, x):
            return x / self.scale

    class Drop(Halve):
        def __call__(self, x):
            return x[1:]

    class Log(Halve):
        def __call__(self, x):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.log(x)
'''


@pytest.fixture(autouse=True)
def _module(tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(dedent(MODULE))
    monkeypatch.syspath_prepend(tmp_path)


def losses(records):
    return [record.metrics["valid/loss"] for record in records]


PLAIN = {"objective.class_weights": "none", "training.schedule": [{"kind": "constant"}], "data.augment": []}


@pytest.mark.parametrize(
    "objective",
    [
        {"kind": "torch.nn:CrossEntropyLoss"},
        {"kind": "torch.nn:CrossEntropyLoss", "reduction": "sum"},
        {"kind": "own_parts:SumAndWeight"},
        {"kind": "own_parts:SumAndNumber"},
    ],
)
def test_every_form_of_an_objective_trains_as_the_built_in(make_trial, run_trial, tmp_path, objective):
    built_in, _ = run_trial(make_trial(PLAIN), tmp_path / "built-in")
    own, result = run_trial(
        make_trial(PLAIN | {"objective": objective | {"metrics": [{"kind": "accuracy"}]}}), tmp_path / "own"
    )
    assert losses(own) == pytest.approx(losses(built_in), rel=1e-5)
    assert result.identities["loss"].startswith(objective["kind"])


@pytest.mark.parametrize(("bits", "tolerance"), [(16, 1e-2), (64, 1e-6)])
def test_a_model_may_give_logits_of_other_bits(make_trial, run_trial, tmp_path, bits, tolerance):
    model = {"kind": "own_parts:Bits"}
    plain, _ = run_trial(make_trial(PLAIN | {"model": model | {"bits": 32}}), tmp_path / "32")
    other, _ = run_trial(make_trial(PLAIN | {"model": model | {"bits": bits}}), tmp_path / "other")
    assert losses(other) == pytest.approx(losses(plain), rel=tolerance)


def test_all_parts_may_be_the_users_own(make_trial, run_trial, tmp_path):
    objective = {"kind": "own_parts:Focal", "num_classes": "infer", "gamma": 1.0}
    share = {"kind": "own_parts:Share", "label": 3}
    f1 = {"kind": "torchmetrics.classification:MulticlassF1Score", "num_classes": "infer"}
    settings = {
        "data.normalize": {"kind": "own_parts:Halve"},
        "data.augment": [{"kind": "own_parts:Blur"}, {"kind": "gaussian_noise", "std": 0.01, "p": 1.0}],
        "model": {"kind": "own_parts:factory", "num_classes": "infer", "width": 24},
        "objective": objective | {"metrics": [share, f1]},
        "training.optimizer": {"kind": "own_parts:sgd", "lr": 0.3},
        "training.schedule": [{"kind": "own_parts:Triangle"}],
        "training.epochs": 4,
    }
    records, result = run_trial(make_trial(settings), tmp_path / "one")
    assert set(result.best) == {f"{split}/{name}" for split in ("train", "valid", "test") for name in NAMES}
    assert result.identities["loss"] == "own_parts:Focal, num_classes 10, gamma 1.0"
    assert result.identities["Share"] == "own_parts:Share, label 3"
    assert records[-1].metrics["train/lr"] < records[1].metrics["train/lr"]
    assert losses(records)[-1] < losses(records)[0]
    again, _ = run_trial(make_trial(settings), tmp_path / "two")
    assert losses(again) == losses(records), "what draws from global generators is seeded too"


NAMES = ("loss", "Share", "MulticlassF1Score")


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"model": {"kind": "own_parts:TwoInputs"}}, "model-forward",
         r"forward must be given mask, and the data has x; wrap it in a small class"),
        ({"model": {"kind": "own_parts:no_module"}}, "model-not-buildable", "gave an int; expected a torch.nn.Module"),
        ({"model": {"kind": "torch.nn:Conv2d", "in_channels": 3, "out_channels": 1, "kernel_size": 2}},
         "model-forward", r"for images with a channel axis, \(2, 1, 8, 8\), write data.layout: channels"),
        ({"model": {"kind": "own_parts:Convolution"}}, "model-forward",
         r"it takes \(2, 1, 8, 8\): write data.layout: channels"),
        ({"model": {"kind": "torch.nn:Linear", "in_features": 64, "out_features": 10}}, "model-forward",
         r"it takes \(2, 64\): write data.layout: flat"),
        ({"objective": {"kind": "own_parts:loss_function", "metrics": []}}, "objective-not-buildable",
         "gave a float; expected a torch.nn.Module"),
        ({"objective": {"kind": "torch.nn:CrossEntropyLoss", "reduction": "none", "metrics": []}}, "objective-failed",
         r"returned a Tensor of shape \(2,\); expected the batch's mean loss, or \(loss_sum, weight_sum\)"),
        ({"objective": {"kind": "torch.nn:MSELoss", "metrics": []}}, "objective-failed",
         r"on outputs \(2, 10\) and targets \(2,\): "),
        ({"objective.metrics": [{"kind": "own_parts:no_module"}]}, "metrics-not-buildable",
         "gave an int; expected reset, update and compute"),
        ({"objective.metrics": [{"kind": "torchmetrics.classification:MulticlassF1Score", "num_classes": "infer",
                                 "average": "none"}]},
         "metric-failed", r"metric MulticlassF1Score computed a Tensor of shape \(10,\); expected one number"),
        ({"objective.metrics": [{"kind": "torchmetrics.regression:PearsonCorrCoef"}]}, "metric-failed",
         r"metric PearsonCorrCoef on outputs \(2, 10\) and targets \(2,\): "),
        ({"objective.metrics": [{"kind": "torchmetrics.classification:BinaryAccuracy"}]}, "metric-failed",
         r"metric BinaryAccuracy on outputs \(2, 10\) and targets \(2,\): .* docs/how_to/own_code.md"),
        ({"objective.metrics": [{"kind": "own_parts:Text"}]}, "metric-failed",
         "metric Text computed the text '0.5'; expected one number"),
        ({"training.optimizer": {"kind": "torch.optim:LBFGS"}}, "optimizer-not-buildable", "its step needs a closure"),
        ({"training.optimizer": {"kind": "own_parts:NotAnOptimizer"}}, "optimizer-not-buildable",
         "gave a NotAnOptimizer; expected a torch.optim.Optimizer"),
        ({"training.schedule": [{"kind": "own_parts:NoPhase"}]}, "schedule-not-buildable",
         r"own_parts:NoPhase has no method lr\(base_lr, step, num_steps, steps_per_epoch\)"),
        ({"training.schedule": [{"kind": "own_parts:Triangle", "epochs": -1}]}, "schedule-not-buildable",
         "has epochs = -1; expected a whole number"),
        ({"training.schedule": [{"kind": "torch.optim.lr_scheduler:StepLR", "step_size": 2}]},
         "schedule-not-buildable", "StepLR steers an optimizer of its own accord"),
        ({"training.optimizer": {"kind": "torch.optim:SparseAdam"}}, "optimizer-failed",
         "optimizer SparseAdam, step: RuntimeError: SparseAdam does not support dense gradients"),
        ({"training.optimizer": {"kind": "own_parts:NoStep"}}, "optimizer-failed",
         "optimizer NoStep, step: ZeroDivisionError: division by zero"),
        ({"training.optimizer": {"kind": "own_parts:NoTrain"}}, "optimizer-failed",
         "optimizer NoTrain, train: ZeroDivisionError"),
        ({"training.schedule": [{"kind": "own_parts:NoRate"}]}, "schedule-failed",
         "schedule phase NoRate, lr of step 0: ZeroDivisionError"),
        ({"training.schedule": [{"kind": "own_parts:NoneAsRate"}]}, "schedule-failed",
         "schedule phase NoneAsRate gave None for step 0; expected a finite number"),
        ({"training.schedule": [{"kind": "own_parts:NanAsRate"}]}, "schedule-failed",
         "schedule phase NanAsRate gave nan for step 0; expected a finite number"),
        ({"model": {"kind": "own_parts:AllFrozen"}}, "nothing-to-train",
         "none of the 2 parameters of the model AllFrozen is trained: .* frozen_backbone"),
        ({"model": {"kind": "own_parts:NoParameters"}}, "nothing-to-train",
         "the model NoParameters has no parameters, so there is nothing to train; .*torch.nn.ModuleList"),
        ({"objective": {"kind": "own_parts:NoBackward", "metrics": []}}, "objective-failed",
         r"own_parts:NoBackward on outputs \(2, 10\) and targets \(2,\), backward: ZeroDivisionError"),
        ({"objective": {"kind": "own_parts:FailsOnMany", "metrics": []}}, "objective-failed",
         r"objective on outputs \(\d+, 10\) and targets \(\d+,\): ZeroDivisionError"),
        ({"objective": {"kind": "own_parts:NoBackwardOfMany", "metrics": []}}, "objective-failed",
         r"objective on outputs \(\d+, 10\) and targets \(\d+,\), backward: ZeroDivisionError"),
        ({"data.augment": [{"kind": "own_parts:nothing"}]}, "augmentation-failed",
         r"own_parts:nothing turned a sample \(1, 8, 8\) into None; expected a Tensor"),
        ({"objective": {"kind": "own_parts:Detached", "metrics": []}}, "objective-failed", "the loss has no gradient"),
        ({"objective": {"kind": "own_parts:Mistakes", "metrics": []}}, "objective-failed",
         "returned a loss of torch.int64, which has no gradient"),
        ({"data.augment": [{"kind": "own_parts:crop"}]}, "augmentation-failed",
         r"turned inputs \(2, 8, 8\) of torch.float32 into a Tensor of shape \(2, 7, 8\); expected the same shape"),
        ({"data.augment": [{"kind": "torch.nn:Linear", "in_features": 3, "out_features": 3}]}, "augmentation-failed",
         r"torch.nn:Linear on inputs \(2, 8, 8\): RuntimeError"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_before_the_first_step(make_trial, run_trial, tmp_path, settings, code, message):
    with pytest.raises(TrainingError, match=message) as caught:
        run_trial(make_trial(settings), tmp_path / "trial")
    assert caught.value.code == code
    assert "\n" not in caught.value.message
    assert not (tmp_path / "trial" / "metrics.jsonl").exists()


@pytest.mark.parametrize("kind", ["WantsMany", "NoneOfFew"])
def test_a_metric_that_needs_more_than_two_samples_is_not_refused(make_trial, run_trial, tmp_path, kind):
    records, _ = run_trial(make_trial(PLAIN | {"objective.metrics": [{"kind": f"own_parts:{kind}"}]}), tmp_path / "own")
    assert records[0].metrics[f"valid/{kind}"] > 2


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("own_parts:Drop", r"own_parts:Drop turned train, \(\d+, 8, 8\), into \(\d+, 8, 8\)"),
        ("own_parts:Log", "with NaN or infinity in it"),
        ("own_parts:Jitter", r"AttributeError: 'Jitter' object has no attribute 'fit'"),
    ],
)
def test_a_normalizer_that_does_not_fit_is_told(make_trial, run_trial, tmp_path, kind, message):
    with pytest.raises(DataError, match=message) as caught:
        run_trial(make_trial({"data.normalize": {"kind": kind}}), tmp_path / "trial")
    assert (caught.value.code, caught.value.place) == ("normalizer-failed", "data.normalize")


@pytest.mark.parametrize("kinds", [["own_parts:Jitter"], ["own_parts:Blur"], ["own_parts:Blur", "own_parts:Jitter"]])
def test_an_augmentation_draws_by_seed_and_step_alone(kinds):
    x = torch.zeros(4, 8, 8)
    augment = build_augmentations([{"kind": kind} for kind in kinds], x, None, torch.float32)
    first = augment(x, seed=1, step=5)
    torch.rand(3)
    assert torch.equal(augment(x, seed=1, step=5), first)
    assert not torch.equal(augment(x, seed=1, step=6), first)
    assert not torch.equal(augment(x, seed=2, step=5), first)


def test_facts_hold_in_components_of_ones_own_where_they_are_asked_for():
    facts = {"num_classes": 3, "num_features": 8}
    own = {"kind": "own_parts:factory", "num_classes": "infer", "num_features": 5, "metrics": []}
    assert infer_facts(own, facts, reserved=["metrics"]) == {
        "kind": "own_parts:factory", "num_classes": 3, "num_features": 5,
    }  # fmt: skip
    with pytest.raises(DataError, match=r"objective\.metrics\.1\.num_classes is 4, but the data has 3"):
        infer_facts({"kind": "own_parts:Share", "num_classes": 4}, facts, "objective.metrics.1")


@pytest.mark.parametrize("batch_size", [1, 109])
def test_batch_normalization_of_one_sample_is_told_before_the_first_step(make_trial, run_trial, tmp_path, batch_size):
    """655 samples are 6 times 109 and one."""
    settings = {"model": {"kind": "own_parts:normed"}, "training.batch_size": batch_size}
    with pytest.raises(TrainingError, match=r"655 samples in batches of .* leave one .*batch_size: (4|110)$") as caught:
        run_trial(make_trial(PLAIN | settings), tmp_path / "trial")
    assert caught.value.code == "model-forward"
    assert not (tmp_path / "trial" / "metrics.jsonl").exists()


def test_batch_normalization_of_one_image_has_its_pixels(make_trial, run_trial, tmp_path):
    settings = {"model": {"kind": "own_parts:normed", "images": True}, "training.batch_size": 109}
    records, _ = run_trial(make_trial(PLAIN | settings), tmp_path / "trial")
    assert records
