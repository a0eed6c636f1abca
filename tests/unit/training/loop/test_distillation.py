"""A student of a trial of the store is trained as plain torch does it, and a trial that does not fit is no teacher."""

import copy
import json

import pytest
import torch
from torch.nn import functional as F

from craftc.training.assemble import assemble
from craftc.training.batched_trials.compatibility import try_out, unlike
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.step import train_step
from craftc.training.loop.trial import train_trial

CPU = torch.device("cpu")
EXACT = {"training.precision": "float64", "data.augment": [], "model.dropout": 0.0}
ADAMW = {"kind": "adamw", "lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}


@pytest.fixture(scope="module")
def teacher(make_trial, tmp_path_factory):
    """The checkpoint of a finished trial, of another model than the student's, which takes modules out of it."""
    trial = make_trial({"training.epochs": 2, "model.hidden": [32, 32], "model.remove": [{"modules": ["layers.4"]}]})
    folder = tmp_path_factory.mktemp("store") / trial.id
    list(train_trial(trial, folder=folder, device="cpu"))
    (folder / "config.json").write_text(json.dumps({"trial": trial.id, "seed": trial.seed, **trial.config}))
    return folder / "checkpoints" / "best.pt"


def distilling(teacher, **others):
    soft = {"kind": "distillation", "teacher": str(teacher), "temperature": 3.0, "weight": 0.9}
    hard = {"kind": "cross_entropy", "class_weights": "none", "label_smoothing": 0.0, "weight": 0.1}
    return {"objective": {"terms": {"hard": hard, "soft": soft}, "metrics": [{"kind": "accuracy"}]}, **others}


def parts_of(trial):
    data = prepare(trial.config["data"])
    splits = to_device(data.splits, CPU, torch.float64 if trial.config["training"].get("precision") else torch.float32)
    return assemble(trial, data, CPU, course_of(trial.config, len(splits["train"]))), splits["train"]


def test_a_student_is_that_of_plain_torch(make_trial, teacher):
    parts, train = parts_of(make_trial({**EXACT, **distilling(teacher), "training.optimizer": ADAMW}))
    student = copy.deepcopy(parts.model).train()
    state = torch.load(teacher, weights_only=True)["model"]
    big = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Identity(),
        torch.nn.Identity(), torch.nn.ReLU(), torch.nn.Identity(), torch.nn.Linear(32, 10),
    ).double()  # fmt: skip
    big.load_state_dict({name.removeprefix("layers."): value.double() for name, value in state.items()})
    optimizer = torch.optim.AdamW(student.parameters(), lr=0.01, weight_decay=0.0)
    for step in range(3):
        batch = {name: column[64 * step : 64 * step + 64] for name, column in train.columns.items()}
        with torch.no_grad():
            theirs = (big(batch["x"]) / 3).softmax(-1)
        ours = student(batch["x"])
        soft = F.kl_div((ours / 3).log_softmax(-1), theirs, reduction="batchmean") * 9
        loss = 0.9 * soft + 0.1 * F.cross_entropy(ours, batch["y"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = parts.schedule.lr(0.01, step)
        optimizer.step()
        loss_sum, weight_sum, _ = train_step(parts, batch, step)
        torch.testing.assert_close(parts.objective.added(loss_sum / weight_sum), loss.detach())
    for one, other in zip(parts.model.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_teacher_stays_as_it_is_and_is_no_part_of_what_is_trained(make_trial, teacher, tmp_path):
    trial = make_trial({**distilling(teacher), "training.epochs": 2})
    parts, _ = parts_of(trial)
    [(name, taught)] = parts.calls.teachers
    assert name == "objective.terms.soft.teacher"
    assert not any(p.requires_grad for p in taught._model.parameters())
    assert not taught._model.training
    assert sum(p.numel() for p in parts.parameters) == 64 * 16 + 16 + 16 * 10 + 10
    *_, last = list(train_trial(trial, folder=tmp_path, device="cpu"))
    assert {"valid/soft_loss", "valid/hard_loss", "train/soft_objective"} <= set(last.metrics)
    without, _ = parts_of(make_trial({"training.epochs": 2}))
    for one, other in zip(parts.model.parameters(), without.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_students_are_one_batch(make_trial, teacher):
    built = [parts_of(make_trial(distilling(teacher), seed=seed)) for seed in (0, 1)]
    assert unlike([parts for parts, _ in built]) is None
    assert try_out([parts for parts, _ in built], built[0][1], batch_size=32) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data.normalize": {"kind": "none"}}, "data.normalize.kind"),
        ({"data.splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 1}}, "data.splits.seed"),
    ],
)
def test_a_teacher_of_other_data_is_refused(make_trial, teacher, settings, said):
    with pytest.raises(TrainingError, match=said) as raised:
        parts_of(make_trial({**distilling(teacher), **settings}))
    assert raised.value.code == "teacher-unfit"


def test_a_file_that_is_no_checkpoint_of_a_trial_is_refused(make_trial, tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(TrainingError, match="write trial:ID"):
        parts_of(make_trial(distilling(tmp_path / "weights.pt")))
