"""A frozen backbone: its features are those of a forward pass, computed once, and only the head is trained on them."""

import copy
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.schemas.plan import Stages, Trial
from craftc.training.data import prepared_files
from craftc.training.data.prepare import prepare
from craftc.training.foundation.errors import TrainingError
from craftc.training.frozen import frozen_features
from craftc.training.frozen.backbone import Backbone, build_backbone
from craftc.training.frozen.frozen_features import prepare_inputs
from craftc.training.loop.trial import train_trial
from craftc.training.state.checkpoint import best_path, last_path

MakeTrial = Callable[..., Trial]
RunTrial = Callable[..., Any]
CPU = torch.device("cpu")
VIT: dict[str, Any] = {
    "kind": "scanline_vit", "num_lines": "infer", "line_length": "infer", "num_classes": "infer", "d_model": 8,
    "num_layers": 1, "num_heads": 2, "d_ffn": 8, "dropout": 0.3,
}  # fmt: skip
FACTS = {"num_lines": 8, "line_length": 8, "num_classes": 10}
HEAD = {"kind": "linear", "num_features": "infer", "num_classes": "infer"}
NO_OP = [{"kind": "gaussian_noise", "std": 1.0, "p": 0.0}]
NORMED = """
import torch

class Normed(torch.nn.Module):
    def __init__(self, *, num_classes: int):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(64)
        self.drop = torch.nn.Dropout(0.5)
        self.unused = torch.nn.Linear(2, 2)
        self.pair = Pair()
        self.head = torch.nn.Linear(64, num_classes)

    def forward(self, x):
        return self.head(self.pair(self.drop(self.norm(x.flatten(1))))[0])

class Pair(torch.nn.Module):
    def forward(self, x):
        return x, x
"""
OWN_PROBE = """
from typing import Annotated, Any

from craftc.components.bounds import MODEL
from craftc.components.declare import declares
from craftc.components.models.frozen_backbone import FrozenBackbone

Setting = Annotated[dict[str, Any], MODEL]
PARTS = {"backbone": "encoder", "weights": "checkpoint", "head": "readout"}


@declares(frozen_parts=PARTS)
def probe(*, encoder: Setting, checkpoint: str, readout: Setting) -> FrozenBackbone:
    return FrozenBackbone(encoder, checkpoint, "infer", readout)


@declares(frozen_parts=PARTS)
def nothing(*, encoder: Setting, checkpoint: str, readout: Setting) -> dict[str, Any]:
    return encoder
"""


@pytest.fixture(autouse=True)
def _own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "normed_backbone.py").write_text(NORMED)
    (tmp_path / "own_probe.py").write_text(OWN_PROBE)
    monkeypatch.syspath_prepend(tmp_path)


def trained(component: dict[str, Any], path: Path) -> nn.Module:
    """A model with other weights and batch statistics than it begins with, in evaluation mode, and its file."""
    torch.manual_seed(3)
    model: nn.Module = build("models", component)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor))
    torch.save(model.state_dict(), path)
    return model.eval()


@pytest.fixture
def vit(tmp_path: Path) -> nn.Module:
    return trained(VIT | FACTS, tmp_path / "vit.pt")


@pytest.fixture
def probe(make_trial: MakeTrial, tmp_path: Path) -> Callable[..., Trial]:
    """A head on the backbone of that file; `model` is what is changed of it."""

    def make(settings: dict[str, Any] | None = None, **model: Any) -> Trial:
        frozen = {"kind": "frozen_backbone", "backbone": VIT, "weights": str(tmp_path / "vit.pt"), "features": "infer"}
        return make_trial({"data.augment": [], "model": frozen | {"head": HEAD} | model} | (settings or {}))

    return make


def losses(run_trial: RunTrial, trial: Trial, folder: Path) -> list[dict[str, float]]:
    return [record.metrics for record in run_trial(trial, folder)[0]]


def assert_close(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_features_are_those_of_a_forward_pass(probe: Callable[..., Trial], vit: Any) -> None:
    trial = probe()
    raw, found = prepare(trial.config["data"]), prepare_inputs(trial, CPU)
    assert list(found.splits) == list(raw.splits)
    for name, split in raw.splits.items():
        caught: list[torch.Tensor] = []
        hook = vit.head.register_forward_pre_hook(lambda _, inputs, caught=caught: caught.append(inputs[0]))
        with torch.no_grad():
            vit(torch.from_numpy(split.inputs))
        hook.remove()
        assert np.array_equal(found.splits[name].inputs, caught[0].numpy())
        assert np.array_equal(found.splits[name].targets, split.targets)
    assert found.facts == {"num_classes": 10, "target_kind": "class", "num_features": 8}


def test_a_head_on_kept_features_is_the_head_trained_through_the_backbone(
    probe: Callable[..., Trial], vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    """Against a loop that computes the features of each batch anew, with the same first weights and order."""
    from craftc.training.foundation.random import epoch_order, key, seed_everything

    settings: dict[str, Any] = {
        "objective.class_weights": "none",
        "regularization.clip_grad_norm": "none",
        "training.schedule": [{"kind": "constant", "epochs": "none"}],
    }
    trial = probe(settings)
    train = prepare(trial.config["data"]).splits["train"]
    x, y = torch.from_numpy(train.inputs), torch.from_numpy(train.targets)
    seed_everything(key(0, "init"), CPU)
    head = build("models", {"kind": "linear", "num_features": 8, "num_classes": 10})
    vit.head = nn.Identity()
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01, weight_decay=0.05)
    means = []
    for epoch in (1, 2, 3):
        total = 0.0
        for indices in epoch_order(0, epoch, len(y)).split(64):
            with torch.no_grad():
                features = vit(x[indices])
            loss = nn.functional.cross_entropy(head(features), y[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(indices)
        means.append(total / len(y))
    found = losses(run_trial, trial, tmp_path / "trial")
    assert [record["train/objective"] for record in found] == pytest.approx(means, abs=1e-6)


def test_with_augmentation_features_are_computed_at_every_step(
    probe: Callable[..., Trial], vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    kept = losses(run_trial, probe(), tmp_path / "kept")
    # An augmentation that changes nothing: the same numbers, by another way.
    assert_close(losses(run_trial, probe({"data.augment": NO_OP}), tmp_path / "again"), kept)
    noisy = [{"kind": "gaussian_noise", "std": 1.0, "p": 1.0}]
    other = losses(run_trial, probe({"data.augment": noisy}), tmp_path / "noisy")
    assert abs(other[0]["train/objective"] - kept[0]["train/objective"]) > 1e-3


def test_the_backbone_stays_as_it_is(
    probe: Callable[..., Trial], run_trial: RunTrial, tmp_path: Path, vit: Any
) -> None:
    component = {"kind": "normed_backbone:Normed", "num_classes": 10}
    model = trained(component, tmp_path / "normed.pt")
    trial = probe({"data.augment": NO_OP}, backbone=component, weights=str(tmp_path / "normed.pt"))
    data = prepare_inputs(trial, CPU)
    assert data.augmented is not None
    x = torch.from_numpy(data.train.inputs[:50])
    expected = model.norm(x.flatten(1))  # type: ignore[operator]
    first = data.augmented.features(x)
    for _ in range(3):
        data.augmented.features(x + 1)
    again = data.augmented.features(x)
    assert not again.requires_grad
    assert torch.equal(first, again)
    assert torch.allclose(first, expected, atol=1e-6)


def test_what_is_kept_of_a_trial_is_the_head(
    probe: Callable[..., Trial], vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    _, result = run_trial(probe({"regularization.ema_decay": 0.9}), tmp_path)
    assert result.num_parameters == 8 * 10 + 10
    for path in (best_path(tmp_path), last_path(tmp_path)):
        assert torch.load(path, weights_only=True)["model"].keys() == {"head.weight", "head.bias"}


def test_an_interrupted_head_goes_on(
    probe: Callable[..., Trial], vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    head = {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [6], "dropout": 0.2}
    trial = probe({"regularization.ema_decay": 0.9, "data.augment": NO_OP}, head=head)
    records, result = run_trial(trial, tmp_path / "straight")
    epochs = train_trial(trial, folder=tmp_path / "resumed", device="cpu")
    next(epochs)
    epochs.close()
    rest, resumed = run_trial(trial, tmp_path / "resumed")
    assert [record.metrics for record in rest] == [record.metrics for record in records[1:]]
    assert resumed.best == result.best


def staged(trial: Trial) -> Trial:
    return trial.model_copy(update={"stages": Stages(prepare="a" * 64, train="b" * 64, features="c" * 64)})


def test_what_one_process_computed_another_maps(
    probe: Callable[..., Trial], vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared_files, "WORTH_S", 0.0)
    digest = f"sha256:{hashlib.sha256((tmp_path / 'vit.pt').read_bytes()).hexdigest()}"
    trial = staged(probe(weights_sha256=digest))
    made = prepare_inputs(trial, CPU, tmp_path / "prepared")
    frozen_features._features.cache_clear()
    # Without the weights nothing could be computed again.
    (tmp_path / "vit.pt").unlink()
    found = prepare_inputs(trial, CPU, tmp_path / "prepared")
    assert all(isinstance(split.inputs, np.memmap) for split in found.splits.values())
    for name, split in made.splits.items():
        assert np.array_equal(split.inputs, found.splits[name].inputs)
    assert {path.name for path in (tmp_path / "prepared").iterdir() if path.is_dir()} == {"a" * 64, "c" * 64}
    # What other weights would compute is not there.
    frozen_features._features.cache_clear()
    with pytest.raises(TrainingError, match="cannot be read"):
        prepare_inputs(staged(probe(weights_sha256=digest[:-1] + "x")), CPU, tmp_path / "prepared")


def test_trials_that_differ_in_the_head_have_one_array(probe: Callable[..., Trial], vit: Any) -> None:
    one = prepare_inputs(probe(), CPU)
    other = prepare_inputs(probe(head={"kind": "mlp", "num_features": "infer", "num_classes": "infer"}), CPU)
    assert one.splits["train"].inputs is other.splits["train"].inputs


def test_drawn_weights_are_those_of_the_seed(make_trial: MakeTrial, probe: Callable[..., Trial]) -> None:
    trial = probe(weights="random")
    first = prepare_inputs(trial, CPU).splits["train"].inputs
    frozen_features._features.cache_clear()
    assert np.array_equal(first, prepare_inputs(trial, CPU).splits["train"].inputs)
    other = prepare_inputs(trial.model_copy(update={"seed": 1}), CPU).splits["train"].inputs
    assert not np.array_equal(first, other)


def test_the_number_of_classes_is_that_of_the_weights(probe: Callable[..., Trial], tmp_path: Path) -> None:
    model = trained(VIT | FACTS | {"num_classes": 7}, tmp_path / "seven.pt")
    seen = prepare_inputs(probe(weights=str(tmp_path / "seven.pt")), CPU)
    told = prepare_inputs(probe(weights=str(tmp_path / "seven.pt"), backbone=VIT | {"num_classes": 7}), CPU)
    assert np.array_equal(seen.splits["train"].inputs, told.splits["train"].inputs)
    assert seen.facts["num_classes"] == 10
    assert model.head.out_features == 7  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("layer", "shape"), [("infer", (8,)), ("norm", (9, 8)), ("blocks.0.ffn.0", (9, 8)), ("head", (10,))]
)
def test_any_layer_can_be_read(probe: Callable[..., Trial], vit: Any, layer: str, shape: tuple[int, ...]) -> None:
    trial = probe(features=layer)
    assert prepare_inputs(trial, CPU).splits["valid"].inputs.shape[1:] == shape


def test_a_model_that_does_not_end_in_a_linear_layer_is_read_at_its_end() -> None:
    encoder = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).eval()
    x = torch.randn(5, 4)
    assert torch.equal(Backbone(encoder, "infer", x[:2])(x), encoder(x))


@pytest.mark.parametrize("layer", ["0", "infer"])
def test_what_follows_a_layer_in_place_does_not_change_its_features(layer: str) -> None:
    hidden = nn.Linear(4, 3)
    ends = [nn.ReLU(inplace=True)] if layer == "0" else [Clamped(3, 2)]
    x = torch.randn(5, 4)
    assert torch.equal(Backbone(nn.Sequential(hidden, *ends).eval(), layer, x[:2])(x), hidden(x))


class Clamped(nn.Linear):
    """A last layer that works in place on its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.relu_())


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("hed", r'no layer "hed"; did you mean head\?'),
        ("unused", "its layer was not called"),
        ("pair", r"a tuple of Tensor \(2, 64\) and Tensor \(2, 64\)"),
    ],
)
def test_a_layer_that_gives_no_features(probe: Callable[..., Trial], tmp_path: Path, layer: str, told: str) -> None:
    component = {"kind": "normed_backbone:Normed", "num_classes": 10}
    trained(component, tmp_path / "normed.pt")
    trial = probe(backbone=component, weights=str(tmp_path / "normed.pt"), features=layer)
    with pytest.raises(TrainingError, match=told) as caught:
        prepare_inputs(trial, CPU)
    assert caught.value.code == "features-unusable"


def write(path: Path, what: str, state: dict[str, Any]) -> None:
    if what == "garbage":
        path.write_bytes(b"no weights at all")
    elif what == "empty":
        path.touch()
    elif what == "broken off":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:-100])
    elif what == "damaged":
        torch.save(state, path)
        path.with_name("other.pt.sha256").write_text(f"{'0' * 64}  other.pt\n")
    elif what == "a module":
        torch.save(nn.Linear(1, 1), path)
    elif what == "a list":
        torch.save([torch.zeros(1)], path)
    elif what == "missing":
        torch.save({name: tensor for name, tensor in state.items() if not name.startswith("norm.")}, path)
    elif what == "too many":
        torch.save(state | {f"extra.{i}": torch.zeros(1) for i in range(5)}, path)
    elif what == "misshapen":
        torch.save(state | {"norm.weight": torch.zeros(9)}, path)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("nothing", "cannot be read: No such file"),
        ("garbage", r"holds no weights.*save it by torch\.save\(model\.state_dict\(\)"),
        ("empty", "holds no weights: it is no file of torch.save's"),
        ("broken off", "holds no weights: it is broken off or damaged; save it"),
        ("damaged", r"is damaged: it has not the SHA-256 of other\.pt\.sha256; copy it again"),
        ("a module", "holds no weights: Unsupported global: .*Linear"),
        ("a list", "expected a state_dict"),
        ("missing", r"it lacks norm\.bias, norm\.weight; write the backbone"),
        ("too many", r"the backbone has no extra\.0, extra\.1, extra\.2 and 2 more"),
        ("misshapen", r"other shapes: norm\.weight \(9,\) where the backbone has \(8,\)"),
    ],
)
def test_weights_that_do_not_fit(probe: Callable[..., Trial], vit: Any, tmp_path: Path, what: str, told: str) -> None:
    path = tmp_path / "other.pt"
    write(path, what, copy.deepcopy(vit.state_dict()))
    with pytest.raises(TrainingError, match=told) as caught:
        prepare_inputs(probe(weights=str(path)), CPU)
    assert caught.value.code == "weights-unusable"
    assert "\n" not in caught.value.message


def test_weights_that_changed_since_the_plan_are_not_taken(probe: Callable[..., Trial], vit: Any) -> None:
    with pytest.raises(TrainingError, match="has changed since the run was planned"):
        prepare_inputs(probe(weights_sha256="sha256:" + "0" * 64), CPU)


def test_a_checkpoint_of_a_trial_is_read_as_its_weights(
    probe: Callable[..., Trial], make_trial: MakeTrial, run_trial: RunTrial, tmp_path: Path
) -> None:
    run_trial(make_trial({"model": VIT, "training.epochs": 1, "data.augment": []}), tmp_path / "pretrained")
    path = best_path(tmp_path / "pretrained")
    state = torch.load(path, weights_only=True)["model"]
    torch.save({"state_dict": state}, tmp_path / "state.pt")
    one = build_backbone(probe(weights=str(path)).config["model"], prepare(probe().config["data"]), 0, CPU)
    other = build_backbone(
        probe(weights=str(tmp_path / "state.pt")).config["model"], prepare(probe().config["data"]), 0, CPU
    )
    x = torch.randn(4, 8, 8)
    assert torch.equal(one(x), other(x))


def test_a_head_that_does_not_fit_the_features_is_named_by_its_place(probe: Callable[..., Trial], vit: Any) -> None:
    with pytest.raises(DataError) as caught:
        prepare_inputs(probe(head=HEAD | {"num_features": 9}), CPU)
    assert caught.value.place == "model.head.num_features"


def test_features_computed_at_every_step_go_with_other_precision(
    probe: Callable[..., Trial], vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    augmented = {"data.augment": [{"kind": "gaussian_noise", "std": 0.1}]}
    usual = losses(run_trial, probe(augmented), tmp_path / "float32")
    precise = losses(run_trial, probe(augmented | {"training.precision": "float64"}), tmp_path / "float64")
    assert len(usual) == len(precise) > 0
    for one, other in zip(usual, precise, strict=True):
        assert one["train/objective"] == pytest.approx(other["train/objective"], rel=1e-3)
    assert usual != precise


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler")
def test_features_computed_at_every_step_go_with_a_compiled_step(
    probe: Callable[..., Trial], vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    augmented = {"data.augment": [{"kind": "gaussian_noise", "std": 0.1}]}
    usual = losses(run_trial, probe(augmented), tmp_path / "plain")
    records, result = run_trial(probe(augmented | {"training.compile": True}), tmp_path / "compiled")
    assert result.execution.compiled
    for one, record in zip(usual, records, strict=True):
        assert one["train/objective"] == pytest.approx(record.metrics["train/objective"], rel=1e-4)


def test_a_component_of_ones_own_that_declares_its_parts(
    probe: Callable[..., Trial], make_trial: MakeTrial, vit: Any, run_trial: RunTrial, tmp_path: Path
) -> None:
    model = {"kind": "own_probe:probe", "encoder": VIT, "checkpoint": str(tmp_path / "vit.pt"), "readout": HEAD}
    own, shipped = make_trial({"data.augment": [], "model": model}), probe()
    for name, split in prepare_inputs(shipped, CPU).splits.items():
        assert np.array_equal(prepare_inputs(own, CPU).splits[name].inputs, split.inputs)
    assert losses(run_trial, own, tmp_path / "own") == losses(run_trial, shipped, tmp_path / "shipped")
    with pytest.raises(DataError) as caught:
        prepare_inputs(make_trial({"data.augment": [], "model": model | {"encoder": VIT | {"num_lines": 9}}}), CPU)
    assert caught.value.place == "model.encoder.num_lines"
    with pytest.raises(TrainingError, match="expected a FrozenBackbone, since it declares frozen_parts"):
        prepare_inputs(make_trial({"data.augment": [], "model": model | {"kind": "own_probe:nothing"}}), CPU)
