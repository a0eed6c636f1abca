"""The values that pass between stages: closed, strict, frozen, and the same after being written and read."""

import json
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.schemas.diagnostic import Path, format_path, parse_path
from craftc.schemas.fit import ViolationError
from craftc.schemas.plan import Plan
from craftc.schemas.section import as_tree
from craftc.schemas.spec import Spec

ROOT = FilePath(__file__).parents[3]


def flagship() -> tuple[Spec, Plan]:
    path = ROOT / "specs" / "vit_ablation.yaml"
    compiled = compile_spec(path.read_text(encoding="utf-8"), str(path), built_in_catalogue())
    assert compiled.analysis.spec is not None
    assert compiled.plan is not None
    return compiled.analysis.spec, compiled.plan


def test_a_plan_is_the_same_after_being_written_and_read() -> None:
    _, plan = flagship()
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_spec_is_the_same_after_being_written_and_read() -> None:
    spec, _ = flagship()
    written = json.loads(json.dumps(as_tree(spec, given_only=True)))
    assert Spec(**written) == spec


def test_a_plan_finds_its_trials() -> None:
    _, plan = flagship()
    assert plan.trial(plan.trials[-1].id) is plan.trials[-1]
    with pytest.raises(KeyError):
        plan.trial("0" * 64)


@pytest.mark.parametrize(
    ("field", "value"), [("name", 5), ("seed", "0"), ("seed", 1.0), ("seed", True), ("unknown", 1)]
)
def test_specs_are_strict_and_closed(field: str, value: Any) -> None:
    spec, _ = flagship()
    with pytest.raises(ViolationError) as caught:
        Spec(**{**as_tree(spec), field: value})
    assert [violation.path for violation in caught.value.violations] == [(field,)]


def test_values_are_frozen() -> None:
    spec, _ = flagship()
    with pytest.raises(AttributeError, match="frozen"):
        spec.training.epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_are_finite(number: float) -> None:
    spec, _ = flagship()
    with pytest.raises(ViolationError):
        Spec(**{**as_tree(spec), "regularization": {"weight_decay": number}})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("training", "schedule", 0, "epochs"), "training.schedule.0.epochs"),
        (("ablation", "grid", "model.num_layers", 1), 'ablation.grid["model.num_layers"].1'),
    ],
)
def test_format_path(path: Path, text: str) -> None:
    assert format_path(path) == text


@given(st.lists(st.text("abc_", min_size=1) | st.integers(0, 99), min_size=1).map(tuple))
def test_a_dotted_path_reads_back(path: Path) -> None:
    assert parse_path(format_path(path)) == path
