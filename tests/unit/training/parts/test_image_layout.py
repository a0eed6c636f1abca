"""A model that declares its layout is given it, whatever the source gives; the facts of images that it can infer."""

import sys
from pathlib import Path

import numpy as np
import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.preflight import preflight
from craftc.schemas.plan import Plan
from craftc.training.data.prepare import prepare

SPEC = """craftc: 1
name: images
data: {source: SOURCE, splits: {train: 0.5, valid: 0.5}}
model: MODEL
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 32, optimizer: sgd}
"""
SQUARE = {"num_channels": 1, "image_size": 8, "image_height": 8, "image_width": 8}
LABS = """import torch
from torch import nn

class Net(nn.Module):
    data_layout = "channels"
    packages = PACKAGES

    def __init__(self, *, num_channels: int, image_size: int, num_classes: int, num_lines: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(num_channels * image_size**2, num_classes))

    def forward(self, x):
        assert x.dim() == 4
        return self.layers(x)

class Wide(nn.Module):
    def __init__(self, *, num_classes: int, num_channels: int = 64, image_size: int = 224) -> None:
        super().__init__()
        self.num_channels, self.image_size = num_channels, image_size
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_channels), nn.Linear(num_channels, num_classes))

    def forward(self, x):
        return self.layers(x)
"""


def spec(model: str, source: str = "digits", layout: str = "") -> str:
    text = SPEC.replace("MODEL", model).replace("SOURCE", source)
    return text.replace("splits:", f"layout: {layout}, splits:") if layout else text


def plan_of(text: str, folder: Path) -> Plan:
    analysis = compile_spec(text, str(folder / "spec.yaml"), built_in_catalogue())
    assert analysis.plan is not None, analysis.analysis.diagnostics
    return analysis.plan


def told(text: str, folder: Path) -> list[tuple[str, str]]:
    """What linting reports."""
    found = analyse(text, str(folder / "spec.yaml"), built_in_catalogue())
    return [(each.code, each.message) for each in found.diagnostics]


@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("{kind: cnn}", "channels"),
        ("{kind: frozen_backbone, backbone: {kind: cnn}, weights: random}", "channels"),
        ("{kind: mlp}", "source"),
    ],
)
def test_the_layout_follows_the_model(tmp_path: Path, model: str, layout: str) -> None:
    [trial] = plan_of(spec(model), tmp_path).trials
    assert trial.config["data"]["layout"] == layout
    # Written out, it is the same trial.
    if layout != "source":
        [written] = plan_of(spec(model, layout=layout), tmp_path).trials
        assert written.id == trial.id


def test_what_was_planned_before_keeps_its_identity(tmp_path: Path) -> None:
    [trial] = plan_of(spec("{kind: mlp}"), tmp_path).trials
    [linear] = plan_of(spec("{kind: scanline_vit}", layout="channels"), tmp_path).trials
    # As of the commit before images had facts and models a layout.
    assert (trial.id[:12], linear.id[:12]) == ("392d75f24173", "14df0c24b517")


@pytest.mark.parametrize(
    ("source", "model", "layout", "code", "message"),
    [
        ("digits", "{kind: cnn}", "lines", "needs-images", "cnn needs images with an axis of channels"),
        ("digits", "{kind: cnn}", "flat", "needs-images", "cnn needs images, and data.layout flat makes flat vectors"),
        ("diabetes", "{kind: cnn}", "", "needs-images", "cnn needs images, and diabetes gives a table"),
        ("digits", "{kind: cnn, num_channels: 3}", "", "data-mismatch", "model.num_channels is 3, but digits has 1"),
        ("digits", "{kind: cnn, kernel: 4}", "", "constraint-broken", "kernel % 2 == 1"),
        ("diabetes", "{kind: lab_nets:Net}", "", "needs-images", "lab_nets:Net needs images, and diabetes gives"),
    ],
)
def test_what_does_not_go_together(
    tmp_path: Path, source: str, model: str, layout: str, code: str, message: str
) -> None:
    (tmp_path / "lab_nets.py").write_text(LABS.replace("    packages = PACKAGES\n", ""))
    found = told(spec(model, source, layout), tmp_path)
    assert any(each == code and message in said for each, said in found), found


@pytest.mark.parametrize("shape", [(8, 8), (1, 5, 9), (3, 6, 6), (4, 7, 3)], ids=str)
def test_facts_of_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", inputs=rng.normal(size=(20, *shape)).astype(np.float32), targets=np.arange(20) % 2)
    [trial] = plan_of(spec("{kind: cnn, widths: [4]}", "{kind: arrays, path: data.npz}"), tmp_path).trials
    data = prepare(trial.config["data"])
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    expected = {"num_channels": channels, "image_height": height, "image_width": width}
    expected |= {"image_size": height} if height == width else {}
    assert {name: value for name, value in data.facts.items() if name in SQUARE} == expected
    assert data.train.inputs.shape[1:] == (channels, height, width)


def test_facts_for_ones_own_model_where_it_has_no_default(tmp_path: Path) -> None:
    (tmp_path / "lab_nets.py").write_text(LABS.replace("    packages = PACKAGES\n", ""))
    [trial] = plan_of(spec("{kind: lab_nets:Net}"), tmp_path).trials
    assert {name: trial.config["model"][name] for name in ("num_channels", "image_size", "num_lines")} == {
        "num_channels": "infer",
        "image_size": "infer",
        "num_lines": "infer",
    }
    assert trial.config["data"]["layout"] == "channels"
    # What is called alike and has a default is the model's own: a width, say, or a size to resize to.
    [own] = plan_of(spec("{kind: lab_nets:Wide}"), tmp_path).trials
    assert (own.config["model"]["num_channels"], own.config["model"]["image_size"]) == (64, 224)
    assert told(spec("{kind: lab_nets:Wide, num_channels: 32, image_size: 32}"), tmp_path) == []


def test_a_missing_package_is_reported_at_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab_nets.py").write_text(LABS.replace("PACKAGES", '{"lab_kernels": ""}'))
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    text = spec("{kind: timm, name: resnet18}")
    text += "ablation: {grid: {model: [{kind: resnet}, {kind: cnn}, {kind: 'lab_nets:Net'}]}}\n"
    assert told(text, tmp_path) == []
    assert _missing(text, tmp_path) == [
        ("timm needs the package timm, which is not installed", "pip install 'craftc[vision]'"),
        ("resnet needs the package torchvision, which is not installed", "pip install 'craftc[vision]'"),
        ("lab_nets:Net needs the package lab_kernels, which is not installed", "pip install lab_kernels"),
    ]


def test_a_missing_package_of_what_a_search_may_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    text = spec("{kind: cnn}") + "search: {trials: 2, optimize: {metric: valid/loss}, space: SPACE}\n"
    needs = "which the search may choose, needs the package torchvision, which is not installed"
    for space in ("{model.kind: {choice: [cnn, resnet]}}", "{model: {choice: [cnn, {kind: resnet, blocks: 1}]}}"):
        found = _missing(text.replace("SPACE", space), tmp_path)
        assert found == [(f"resnet, {needs}", "pip install 'craftc[vision]'")]


def _missing(text: str, folder: Path) -> list[tuple[str, str | None]]:
    compiled = compile_spec(text, str(folder / "spec.yaml"), built_in_catalogue())
    assert compiled.plan is not None
    assert compiled.analysis.base is not None
    problems = preflight(compiled.plan, compiled.analysis.base.catalogue)
    assert {each.code for each in problems} == {"package-missing"}
    return [(each.message, each.hint) for each in problems]
