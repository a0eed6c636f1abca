"""Which parameter of a function takes the Run, and with what it is called."""

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest

import craftc
from craftc.components.build import parameters_of
from craftc.runtime.programs.call import call_of, run_parameter


def annotated(lr: float, job: craftc.Run) -> None: ...
def optional(job: Optional[craftc.Run], lr: float = 0.1) -> None: ...  # noqa: UP045
def as_text(job: "craftc.Run", lr: float = 0.1) -> None: ...
def only_for_types(job: "absent.Run | None", lr: float = 0.1) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def by_name(lr: float, run: Any) -> None: ...
def by_place(job: craftc.Run, /, lr: float) -> None: ...
def without(lr: float) -> None: ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (annotated, "job"),
        (optional, "job"),
        (as_text, "job"),
        (only_for_types, "job"),
        (by_name, "run"),
        (by_place, "job"),
        (without, None),
    ],
)
def test_the_parameter_of_the_run(function: Callable[..., Any], name: str | None) -> None:
    assert run_parameter(parameters_of(function)) == name


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Any:
    lab = types.ModuleType("lab")
    lab.__dict__.update(by_place=by_place, annotated=annotated, without=without)
    monkeypatch.setitem(sys.modules, "lab", lab)
    return lab


def test_it_is_given_by_its_place_or_by_its_name(lab: Any, tmp_path: Path) -> None:
    run = craftc.Run.by_hand(tmp_path)
    placed = call_of({"kind": "lab:by_place", "lr": 0.5}).arguments()
    assert (placed.positional(run), placed.named(run)) == ((run,), {"lr": 0.5})
    named = call_of({"kind": "lab:annotated", "lr": 0.5}).arguments()
    assert (named.positional(run), named.named(run)) == ((), {"job": run, "lr": 0.5})


def test_a_function_without_one_is_no_program(lab: Any) -> None:
    with pytest.raises(TypeError, match="lab:without has no parameter for the Run"):
        call_of({"kind": "lab:without", "lr": 0.5}).arguments()
