"""`regularization` hands a key to every component that it is for and that takes it."""

import json
from typing import Any

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.handed_on import is_handed
from craftc.compiler.pipeline import compile_spec

BRIER = """
import torch

class Brier(torch.nn.Module):
    def forward(self, logits, targets):
        return logits.square().mean()
"""


def objective_of(objective: Any, **more: Any) -> dict[str, Any]:
    training = {"epochs": 2, "batch_size": 32, "optimizer": "adamw"}
    spec = {"craftc": 1, "name": "handed", "data": {"source": "digits"}, "model": "mlp", "training": training}
    result = compile_spec(json.dumps(spec | {"objective": objective} | more), "x.yaml", built_in_catalogue())
    assert result.plan is not None, result.diagnostics
    config: dict[str, Any] = result.plan.trials[-1].config["objective"]
    return config


def test_smoothing_is_handed_to_the_terms_that_take_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brier.py").write_text(BRIER)
    monkeypatch.chdir(tmp_path)
    terms = {"plain": "cross_entropy", "own": "brier:Brier", "weighted": {"kind": "cross_entropy", "weight": 2}}
    found = objective_of({"terms": terms}, regularization={"label_smoothing": 0.1})["terms"]
    assert {name: term.get("label_smoothing") for name, term in found.items()} == {
        "plain": 0.1,
        "own": None,
        "weighted": 0.1,
    }


def test_an_ablation_takes_it_from_all_of_them() -> None:
    terms = {"one": "cross_entropy", "other": {"kind": "cross_entropy", "class_weights": "balanced"}}
    ablation = {"features": {"smoothing": {"regularization.label_smoothing": 0.0}}}
    found = objective_of({"terms": terms}, regularization={"label_smoothing": 0.1}, ablation=ablation)["terms"]
    assert [term["label_smoothing"] for term in found.values()] == [0.0, 0.0]


def test_a_place_is_one_that_a_key_may_be_handed_to() -> None:
    assert is_handed("label_smoothing", ("objective",))
    assert is_handed("label_smoothing", ("objective", "terms", "one"))
    assert is_handed("dropout", ("model",))
    assert not is_handed("dropout", ("objective", "terms", "one"))
    assert not is_handed("label_smoothing", ("objective", "terms"))
