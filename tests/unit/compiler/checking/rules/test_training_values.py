"""Values over time: what takes them, their names, how long their phases last, and what a plan makes of them."""

import json
from pathlib import Path

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, *, num_classes: int, width: int = 8): ...
    def forward(self, x, scale, keep=1.0): ...

class Wild(nn.Module):
    @decorated
    def forward(self, x): ...

class Loss(nn.Module):
    def forward(self, logits, targets, beta=0.0): ...

class Second(nn.Module):
    def forward(self, output, beta): ...
"""
LINEAR = {"kind": "linear", "start": 1.0, "end": 0.0}


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taking.py").write_text(NET)
    monkeypatch.chdir(tmp_path)


def compiled(values, *, model="taking:Net", objective="cross_entropy", epochs=4, **sections):
    spec = {
        "craftc": 1,
        "name": "n",
        "data": {"source": "digits"},
        "model": {"kind": model} | ({"num_classes": "infer"} if model == "taking:Net" else {}),
        "objective": {"kind": objective},
        "training": {"epochs": epochs, "batch_size": 32, "optimizer": "adamw", "values": values},
    } | sections
    return compile_spec(json.dumps(spec), "x.yaml", built_in_catalogue())


def told(*arguments, **sections):
    return [(d.code, d.severity) for d in compiled(*arguments, **sections).diagnostics]


SCALE = {"scale": 1.0}


@pytest.mark.parametrize(
    ("values", "others"),
    [
        ({"scale": [LINEAR], "keep": 0.5}, {}),
        ({"scale": [LINEAR], "beta": 1}, {"objective": "taking:Loss"}),
        ({"scale": [LINEAR], "beta": 1}, {"objective": "taking:Second"}),
        ({"anything": 1}, {"model": "taking:Wild"}),
        ("none", {"model": "mlp"}),
        ({}, {"model": "mlp"}),
        ({"keep": "none"} | SCALE, {}),
    ],
)
def test_what_is_taken_or_may_be_is_right(values, others):
    codes = [code for code, _ in told(values, **others)]
    assert not {"value-unused", "value-name", "missing-column"} & set(codes)


@pytest.mark.parametrize(
    ("values", "others", "message"),
    [
        (SCALE | {"kep": 1}, {}, 'did you mean "keep"?'),
        ({"keep": 1}, {"model": "mlp"}, "give forward a parameter of that name, or remove it"),
        (SCALE | {"mask": 1, "weight": 1}, {"objective": "taking:Loss"}, "there is scale, keep, beta"),
        (SCALE | {"beta": 1}, {}, "forward of neither taking:Net nor cross_entropy"),
    ],
)
def test_what_nothing_takes_is_an_error(values, others, message):
    found = [d for d in compiled(values, **others).diagnostics if d.code == "value-unused"]
    assert found
    assert found[0].severity == "error"
    assert message in f"{found[0].message}; {found[0].hint}"


def test_a_parameter_that_must_be_given_may_be_a_value_and_else_is_missed():
    assert told(SCALE) == []
    assert told({"keep": 1.0}) == [("missing-column", "error")]


@pytest.mark.parametrize("name", ["x", "targets", "lr", "objective", "loss", "accuracy"])
def test_a_name_that_is_taken_is_refused(name):
    assert told(SCALE | {name: 1.0}) == [("value-name", "error")]


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ([LINEAR | {"epochs": 5}, {"kind": "constant", "value": 1}], ("schedule-too-long", "error")),
        ([LINEAR, {"kind": "constant", "value": 1}], ("schedule-open-phase", "error")),
        ([LINEAR | {"epochs": 2}], ("schedule-too-short", "warning")),
        ([LINEAR | {"epochs": 4}, {"kind": "constant", "value": 1}], ("no-effect", "warning")),
    ],
)
def test_phases_are_held_to_what_those_of_a_schedule_are(phases, expected):
    assert told({"scale": phases}) == [expected]
    schedule = [{"kind": "cosine", **({"epochs": p["epochs"]} if "epochs" in p else {})} for p in phases]
    training = {"epochs": 4, "batch_size": 32, "optimizer": "adamw", "schedule": schedule}
    assert told({}, model="mlp", training=training) == [expected]


def trials(values, **sections):
    found = compiled(values, **sections)
    assert found.plan is not None, found.diagnostics
    return {trial.variant: trial for trial in found.plan.trials}


def only(values, **sections):
    [trial] = trials(values, **sections).values()
    return trial


def test_a_number_is_a_constant_phase_and_none_takes_a_value_away():
    long = only({"scale": [{"kind": "constant", "value": 0.5}], "keep": 1})
    assert long.id == only({"scale": 0.5, "keep": 1.0}).id
    ablation = {"features": {"keep": {"training.values.keep": "none"}}, "grid": {"training.values.scale": [0.5, 0.25]}}
    found = trials({"scale": 0.5, "keep": 1}, ablation=ablation)
    assert set(found) == {"full", "-keep", "scale=0.25"}
    assert found["full"].aliases == ("scale=0.5",)
    assert found["-keep"].id == only({"scale": 0.5}).id
    assert found["scale=0.25"].config["training"]["values"]["scale"] == [
        {"kind": "constant", "value": 0.25, "epochs": "none"}
    ]


def test_a_spec_without_values_has_none_in_its_trials():
    plain = only("none", model="mlp")
    assert "values" not in plain.config["training"]
    assert plain.id == only({}, model="mlp").id


def test_trials_of_other_numbers_may_be_one_batch_and_of_other_names_not():
    grid = {"training.values.scale.0.start": [1.0, 0.5, 0.25]}
    found = trials(
        {"scale": [LINEAR], "keep": 1.0}, ablation={"grid": grid, "features": {"k": {"training.values.keep": "none"}}}
    )
    assert len({t.group for name, t in found.items() if name != "-k"}) == 1
    assert found["-k"].group is None


@pytest.mark.parametrize(
    ("phases", "is_shared"),
    [
        (0.5, True),
        ([LINEAR | {"epochs": 2}, {"kind": "constant", "value": 0.0}], True),
        ([LINEAR], False),
    ],
)
def test_trainings_of_other_lengths_share_steps_where_no_value_depends_on_the_length(phases, is_shared):
    found = trials({"scale": phases}, ablation={"grid": {"training.epochs": [4, 8]}})
    stages = {trial.stages.train for trial in found.values()}
    assert (len(stages) == 1) == is_shared
