"""A plan over data that only loading shows -> what contradicts the spec, before anything is trained."""

import sys
from pathlib import Path

import numpy as np
import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.preflight import DataProblem, preflight
from craftc.schemas.spec import Component, Report

SPEC = """craftc: 1
name: table
data: {source: {kind: arrays, path: data.npz}, splits: {train: 0.5, valid: 0.5}, augment: [horizontal_flip]}
model: {kind: mlp}
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 21, optimizer: sgd}
"""


def found(folder: Path, shape: tuple[int, ...]) -> list[tuple[str, tuple[str | int, ...], str]]:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=shape).astype(np.float32), np.arange(shape[0]) % 2
    np.savez(folder / "data.npz", inputs=inputs, targets=targets)
    plan = compile_spec(SPEC, str(folder / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    return [(problem.code, problem.path, problem.severity) for problem in preflight(plan, built_in_catalogue())]


def test_a_flip_of_a_table_and_a_batch_of_more_than_there_is(tmp_path: Path) -> None:
    assert found(tmp_path, (40, 3)) == [
        ("needs-images", ("data", "augment", 0), "error"),
        ("batch-too-large", ("training", "batch_size"), "warning"),
    ]


def test_images_enough_for_a_batch(tmp_path: Path) -> None:
    assert found(tmp_path, (42, 3, 3)) == []


def test_what_data_warns_of_is_told_before_anything_runs(tmp_path: Path) -> None:
    rows = [f"{1_700_000_000 + 61 * i},{i % 2}" for i in range(40)]
    (tmp_path / "events.csv").write_text("\n".join(["when,y", *rows]))
    spec = SPEC.replace("arrays, path: data.npz", "csv, path: events.csv, target: y").replace("[horizontal_flip]", "[]")
    plan = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    first, second = preflight(plan, built_in_catalogue())
    assert (first.code, first.severity, first.path) == ("feature-rounded", "warning", ("data", "normalize"))
    assert second.code == "batch-too-large"


OWN_TEXT = """import numpy as np
from craftc.components.sources.tokens import Tokens

def syllables() -> Tokens:
    return Tokens(np.arange(600) % 3, ("ba", "na", "na-"), context_length=5)
"""
OF_TEXT = """craftc: 1
name: own-text
data: {source: "syllables:syllables", splits: {train: 0.5, valid: 0.5}, augment: [horizontal_flip, line_dropout]}
model: decoder
objective: {kind: cross_entropy, metrics: [bits_per_character, auroc]}
training: {epochs: 1, batch_size: 21, optimizer: sgd}
"""


def test_what_ones_own_source_gives_is_seen_to_be_text(tmp_path: Path) -> None:
    (tmp_path / "syllables.py").write_text(OWN_TEXT)
    compiled = compile_spec(OF_TEXT, str(tmp_path / "spec.yaml"), built_in_catalogue())
    assert compiled.diagnostics == ()
    assert compiled.plan is not None
    assert compiled.analysis.base is not None
    problems = preflight(compiled.plan, compiled.analysis.base.catalogue)
    assert [(problem.code, problem.path) for problem in problems] == [
        ("needs-images", ("data", "augment", 0)),
        ("unfit-for-text", ("data", "augment", 1)),
        ("unfit-for-text", ("objective", "metrics", 1)),
    ]
    assert "syllables:syllables gives text" in problems[0].message


def test_what_it_gives_is_seen_to_be_none(tmp_path: Path) -> None:
    spec = SPEC.replace("[horizontal_flip]", "[]").replace("y}", "y, metrics: [bits_per_character]}")
    (tmp_path / "own_table.py").write_text(
        "import numpy as np\n\ndef table():\n    return np.arange(180.0).reshape(60, 3), np.arange(60) % 2\n"
    )
    spec = spec.replace("{kind: arrays, path: data.npz}", "own_table:table")
    plan = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    assert [(p.code, p.path) for p in preflight(plan, built_in_catalogue())] == [
        ("needs-text", ("objective", "metrics", 0))
    ]


DECLARING = """import numpy as np
from torch import nn
from craftc.components.declare import declares

@declares(gives={gives}, facts={facts})
def table():
    return np.arange(180.0).reshape(60, 3), np.arange(60) % 2

class Reader(nn.Identity):
    takes = ("text",)
    def __init__(self, *, num_classes: int) -> None:
        super().__init__()

class Anything(nn.Identity):
    def __init__(self, *, num_classes: int) -> None:
        super().__init__()

class Imager:
    takes = ("images",)
    def fit(self, x_train): ...
    def __call__(self, x): return x
"""


@pytest.mark.parametrize(
    ("gives", "facts", "message"),
    [
        (("text",), {}, "own_declaring:table declares that it gives text, and gives a table"),
        (("images",), {}, "own_declaring:table declares that it gives images, and gives a table"),
        (("table",), {"num_samples": 50}, "own_declaring:table declares num_samples 50, and its data has 60"),
        (("images", "table"), {"num_classes": 3}, "own_declaring:table declares num_classes 3, and its data has 2"),
        (("table",), {"num_samples": 60, "num_classes": 2, "num_features": 3}, None),
    ],
)
def test_what_ones_own_source_declares_is_held_to_what_it_gives(
    tmp_path: Path, gives: tuple[str, ...], facts: dict[str, int], message: str | None
) -> None:
    (tmp_path / "own_declaring.py").write_text(DECLARING.format(gives=gives, facts=facts))
    spec = SPEC.replace("{kind: arrays, path: data.npz}", "own_declaring:table").replace("[horizontal_flip]", "[]")
    found = [
        (p.code, p.path, p.message)
        for p in problems_of(tmp_path, spec.replace("{kind: mlp}", "own_declaring:Anything"))
    ]
    assert found == ([] if message is None else [("data-mismatch", ("data", "source"), message)])


def test_what_ones_own_components_need_is_asked_of_the_data(tmp_path: Path) -> None:
    source = DECLARING.replace("@declares(gives={gives}, facts={facts})\n", "")
    (tmp_path / "own_declaring.py").write_text(source)
    spec = SPEC.replace("{kind: arrays, path: data.npz}", "own_declaring:table").replace("[horizontal_flip]", "[]")
    spec = spec.replace("{kind: mlp}", "own_declaring:Reader").replace(
        "augment:", "normalize: own_declaring:Imager, augment:"
    )
    found = [(p.code, p.path) for p in problems_of(tmp_path, spec)]
    assert found == [("needs-text", ("model",)), ("needs-images", ("data", "normalize"))]


QUANTITIES = """
import numpy as np

def table():
    return np.random.default_rng(0).normal(size=(60, 3)), np.linspace(0.0, 1.0, 60)
"""


@pytest.mark.parametrize(
    ("objective", "found"),
    [
        ("{kind: mse, metrics: [r2]}", []),
        (
            "{kind: cross_entropy, metrics: [r2]}",
            [
                (
                    "target-not-classes",
                    ("objective",),
                    "use mse, l1, huber or cosine; or write ranges of the quantity as classes",
                )
            ],
        ),
        (
            "{kind: bce, metrics: [mae, accuracy]}",
            [
                ("unfit-for-target", ("objective",), "use mse, l1, huber or cosine"),
                (
                    "target-not-classes",
                    ("objective", "metrics", 1),
                    "use r2, mae, rmse, cosine_similarity or centred_cosine_similarity; "
                    "or write ranges of the quantity as classes",
                ),
            ],
        ),
    ],
)
def test_whether_quantities_are_a_mistake_depends_on_the_objective(
    tmp_path: Path, objective: str, found: list[object]
) -> None:
    (tmp_path / "own_declaring.py").write_text(QUANTITIES)
    spec = (
        "craftc: 1\nname: quantities\ndata: {source: own_declaring:table}\nmodel: {kind: linear}\n"
        f"objective: {objective}\ntraining: {{epochs: 1, batch_size: 8, optimizer: adamw}}\n"
    )
    assert [(p.code, p.path, p.hint) for p in problems_of(tmp_path, spec)] == found


def problems_of(folder: Path, spec: str) -> list[DataProblem]:
    compiled = compile_spec(spec, str(folder / "spec.yaml"), built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    assert compiled.analysis.base is not None
    sys.modules.pop("own_declaring", None)
    return preflight(compiled.plan, compiled.analysis.base.catalogue)


@pytest.mark.parametrize(
    ("splits", "num_rare", "mend"),
    [
        ("train: 0.4, valid: 0.3, test: 0.3", 1, "rare has 1 sample for 3 splits: add some, or leave the class out"),
        ("train: 0.9, valid: 0.05, test: 0.05", 4, "enlarge the split, or leave the class out"),
        ("train: 0.9, valid: 0.05, test: 0.05, stratify: false", 4, "stratify, enlarge the split, or leave"),
    ],
)
def test_what_would_bring_a_class_into_each_split(tmp_path: Path, splits: str, num_rare: int, mend: str) -> None:
    targets = np.array(["a", "b"] * 30 + ["rare"] * num_rare)
    inputs = np.arange(3.0 * len(targets), dtype=np.float32).reshape(-1, 3)
    np.savez(tmp_path / "data.npz", inputs=inputs, targets=targets)
    spec = SPEC.replace("train: 0.5, valid: 0.5", splits).replace("[horizontal_flip]", "[]")
    plan = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    hints = [
        problem.hint for problem in preflight(plan, built_in_catalogue()) if problem.code == "class-missing-from-split"
    ]
    assert hints
    assert all(hint and f"there; {mend}" in hint for hint in hints)


TRACKED = """craftc: 1
name: tracked
data: {source: digits}
model: {kind: mlp}
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 21, optimizer: sgd}
report: {trackers: [tensorboard, mlflow, "lab_log_of_nobody:Log"]}
"""


def test_a_tracker_that_cannot_run_is_told_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab_log_of_nobody.py").write_text(
        "import no_such_package\nclass Log:\n"
        "    def start(self, plan, run_name): ...\n    def event(self, event): ...\n    def close(self): ...\n"
    )
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("craftc.runtime.observers.make_trackers.find_spec", lambda name: None)
    compiled = compile_spec(TRACKED, str(tmp_path / "spec.yaml"), built_in_catalogue())
    assert compiled.plan is not None
    assert compiled.analysis.spec is not None
    problems = preflight(compiled.plan, built_in_catalogue(), report=compiled.analysis.spec.report)
    assert [(p.code, p.path) for p in problems] == [
        ("component-not-importable", ("report", "trackers", 1, "kind")),
        ("component-not-importable", ("report", "trackers", 2, "kind")),
    ]
    assert (problems[0].message, problems[0].hint) == (
        "mlflow needs the package mlflow, which is not installed",
        "pip install mlflow-skinny",
    )
    assert "No module named 'no_such_package'" in problems[1].message


def test_contradictions_of_several_components_are_all_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", inputs=np.random.RandomState(0).rand(42, 3), targets=np.arange(42) % 2)
    spec = SPEC.replace("[horizontal_flip]", "[]").replace("mlp}", "mlp, num_features: 5, num_classes: 3}")
    spec = spec.replace("cross_entropy}", "cross_entropy, class_weights: [1, 1, 1]}")

    compiled = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue())
    assert compiled.plan is not None
    assert compiled.analysis.base is not None
    report = Report(trackers=[Component(kind="no_such_package.module:Tracker")])
    problems = preflight(compiled.plan, built_in_catalogue(), report=report)
    assert [(problem.code, problem.path) for problem in problems] == [
        ("component-not-importable", ("report", "trackers", 0, "kind")),
        ("data-mismatch", ("model", "num_features")),
        ("data-mismatch", ("model", "num_classes")),
        ("data-mismatch", ("objective", "class_weights")),
    ]


def test_an_average_that_is_too_slow_for_the_data_is_told_once_their_number_is_known(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", inputs=np.random.RandomState(0).rand(42, 3), targets=np.arange(42) % 2)
    spec = SPEC.replace("[horizontal_flip]", "[]") + "regularization: {ema_decay: 0.9}\n"
    plan = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    [problem] = preflight(plan, built_in_catalogue())
    assert (problem.code, problem.path, problem.severity) == (
        "values-disagree", ("regularization", "ema_decay"), "warning",
    )  # fmt: skip
    assert "looks back over 10 steps, and there are about 1: 90%" in problem.message


def test_phases_are_held_to_a_training_of_another_unit_once_the_size_of_train_is_known(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def told(training: str) -> list[tuple[str, str, str]]:
        np.savez(tmp_path / "data.npz", inputs=values, targets=np.arange(40) % 2)
        spec = SPEC.replace("{epochs: 1, batch_size: 21, optimizer: sgd}", training).replace("[horizontal_flip]", "[]")
        plan = compile_spec(spec, str(tmp_path / "spec.yaml"), built_in_catalogue()).plan
        assert plan is not None
        return [(each.code, each.severity, each.message) for each in preflight(plan, built_in_catalogue())]

    # Train has 20 samples: 4 steps of 5 in a pass.
    of_two = "{epochs: 2, batch_size: 5, optimizer: sgd, schedule: [{kind: linear_warmup, steps: 9}, constant]}"
    assert told(of_two) == [("schedule-too-long", "error", "the phases take 9 steps, and the training has 8")]
    assert told(of_two.replace("9", "7")) == []
    of_steps = "{max_steps: 5, batch_size: 5, optimizer: sgd, values: none, schedule: [{kind: cosine, epochs: 1}]}"
    [(code, severity, message)] = told(of_steps)
    assert (code, severity) == ("schedule-too-short", "warning")
    assert message.startswith("the phases take 4 steps, and the training has 5")
