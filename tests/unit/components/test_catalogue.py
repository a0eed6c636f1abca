"""The registry, the signatures and the catalogue say the same."""

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from craftc.compiler.language.catalogue import read_catalogue
from craftc.components import describe
from craftc.components.build import build, load_component
from craftc.components.registry import REGISTRY
from craftc.runtime.observers.factors import Factors
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.store.store import Store
from craftc.schemas.catalogue import ANY_OTHER, ComponentEntry

CATALOGUE = read_catalogue(describe.CATALOGUE_FILE.read_text(encoding="utf-8"))
MODELS = {
    "num_features": 12, "num_lines": 3, "line_length": 4, "num_classes": 5, "vocabulary_size": 5, "context_length": 3,
    "target_kind": "class", "cardinalities": [3, 2], "num_channels": 1, "image_size": 32, "image_height": 32,
    "image_width": 32,
}  # fmt: skip
NEEDED: dict[str, dict[str, Any]] = {
    "cutout": {"size": 4},
    "time_mask": {"max_length": 2},
    "frequency_mask": {"max_length": 2},
    "token_dropout": {"token": 0},
    "gaussian_noise": {"std": 0.1},
    "linear_warmup": {"epochs": 1},
    "wandb": {"project": "p", "mode": "offline"},
    "frozen_backbone": {"backbone": {"kind": "linear"}, "weights": "random"},
    "transformers": {
        "config": {"model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1},
    },
    "timm": {"name": "test_resnet"},
    "torchvision": {"name": "shufflenet_v2_x0_5"},
    "sequence": {"modules": [{"kind": "torch.nn:ReLU"}]},
    "step": {"step_size": 3},
    "multi_step": {"milestones": [3]},
    "exponential": {"gamma": 0.9},
    "cosine_restarts": {"period": 3},
}
NEEDED_OF_VALUES: dict[str, Any] = {"value": 1.0, "start": 1.0, "end": 0.5}
INJECTED: dict[str, Callable[[], list[Any]]] = {
    "objectives": lambda: [torch.tensor([3, 4, 5])],
    "metrics": lambda: [3],
    "samplers": lambda: [0],
    "trackers": lambda: [TrackedRun(Path("run"), Store(Path("store")), Factors(axes={}), print)],
    "optimizers": lambda: [[torch.nn.Parameter(torch.zeros(2))], torch.nn.Linear(1, 1)],
}


def key(entry: ComponentEntry) -> str:
    return f"{entry.group}-{entry.kind}"


def test_the_catalogue_is_up_to_date() -> None:
    assert describe.CATALOGUE_FILE.read_text(encoding="utf-8") == describe.render(describe.describe())


def test_the_catalogue_file_holds_every_entry_unabridged() -> None:
    assert describe.describe() == CATALOGUE
    assert [(e.group, e.kind) for e in CATALOGUE.entries] == [(g, k) for g, kinds in REGISTRY.items() for k in kinds]


def test_check_exits_with_1_on_a_stale_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "catalogue.json"
    stale.write_text("{}")
    monkeypatch.setattr(describe, "CATALOGUE_FILE", stale)
    monkeypatch.setattr(sys, "argv", ["describe", "--check"])
    assert describe.main() == 1
    assert "out of date" in capsys.readouterr().err
    assert stale.read_text() == "{}"


@pytest.mark.parametrize("entry", CATALOGUE.entries, ids=key)
def test_every_component_is_documented(entry: ComponentEntry) -> None:
    assert entry.summary
    # What follows without a name is described in the text of the component.
    assert [p.name for p in entry.parameters if not p.doc and p.name != ANY_OTHER] == []


@pytest.mark.parametrize("entry", CATALOGUE.entries, ids=key)
def test_the_entry_agrees_with_the_live_signature(entry: ComponentEntry) -> None:
    signature = inspect.signature(load_component(entry.group, entry.kind))
    live = [p for p in signature.parameters.values() if p.kind is not p.POSITIONAL_ONLY]
    if entry.group == "programs":
        live = [p for p in live if p.name != "run"]
    assert [p.name for p in entry.parameters] == [ANY_OTHER if p.kind is p.VAR_KEYWORD else p.name for p in live]
    for described, parameter in zip(entry.parameters, live, strict=True):
        if (described.default == "infer" and entry.group == "models") or described.name == ANY_OTHER:
            continue
        assert described.required == (parameter.default is parameter.empty)
        if not described.required:
            as_json = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert described.default == as_json


ALONE = ("distillation", "tokenizer_file")
BUILT = [e for e in CATALOGUE.entries if e.group not in ("sources", "programs") and e.kind not in ALONE]
"""Without what needs a finished trial, or a file."""


@pytest.mark.parametrize("entry", BUILT, ids=key)
def test_every_component_builds_with_its_defaults(entry: ComponentEntry) -> None:
    args = {p.name: p.default for p in entry.parameters if not p.required and p.name != ANY_OTHER}
    args |= {name: value for name, value in MODELS.items() if name in args} | NEEDED.get(entry.kind, {})
    if entry.group == "values":
        args = {name: value for name, value in (args | NEEDED_OF_VALUES).items() if entry.parameter(name)}
    assert build(entry.group, {"kind": entry.kind, **args}, *INJECTED.get(entry.group, list)()) is not None


@pytest.mark.parametrize(
    ("group", "component", "injected"),
    [
        ("optimizers", {"kind": "sgd", "momentum": 0.0, "nesterov": True}, [[torch.nn.Parameter(torch.zeros(2))]]),
        (
            "models",
            {"kind": "scanline_vit", "d_model": 6, "num_heads": 4}
            | {k: MODELS[k] for k in ("num_lines", "line_length", "num_classes")},
            [],
        ),
    ],
)
def test_what_a_constraint_forbids_does_not_build(group: str, component: dict[str, Any], injected: list[Any]) -> None:
    entry = CATALOGUE.find(group, component["kind"])
    assert entry is not None
    assert entry.constraints
    args = {name: component.get(name, p.default) for p in entry.parameters for name in [p.name]}
    assert not all(eval(text, {"__builtins__": {}}, args) for text in entry.constraints)
    with pytest.raises(ValueError, match=r"num_heads|momentum"):
        build(group, component, *injected)


def test_regularization_finds_its_arguments() -> None:
    without = {"linear", "frozen_backbone", "sequence", "mse", "l1", "huber", "bce", "info_nce", "cosine"}
    without |= {"focal", "multilabel_focal", "asymmetric", "dice", "distillation", "ctc"}
    for group, name in [("models", "dropout"), ("optimizers", "weight_decay"), ("objectives", "label_smoothing")]:
        taking = [e.kind for e in CATALOGUE.entries if e.group == group and e.parameter(name)]
        assert set(CATALOGUE.kinds(group)) - without == set(taking)


def test_build_imports_a_users_own_class() -> None:
    assert build("models", {"kind": "torch.nn:Linear", "in_features": 2, "out_features": 3}).weight.shape == (3, 2)


def test_build_names_the_kinds_that_there_are() -> None:
    with pytest.raises(LookupError, match='"mlpp" among models; there are linear, mlp, scanline_vit'):
        build("models", {"kind": "mlpp"})


def test_light_modules_stay_light() -> None:
    names = ["registry", "build", "describe", "bounds", "errors", "splits", "sources.bundled", "normalizers.numeric"]
    assert all(importlib.import_module(f"craftc.components.{name}") for name in names)
    imports = "; ".join(f"import craftc.components.{name}" for name in names)
    heavy = "{'torch', 'sklearn', 'pandas', 'ray', 'torchmetrics'} & set(sys.modules)"
    code = f"import sys; {imports}; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = f"import sys; from craftc.components.describe import describe; describe(); print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
