"""Trials of variants: what they share, and what is read for them."""

import json
from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.identity.fingerprint import hash_file
from craftc.compiler.planning.identity.trials import TrialCompiler

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "trials",
    "data": {"source": {"kind": "digits"}},
    "model": {"kind": "mlp"},
    "objective": {"kind": "cross_entropy"},
    "training": {"epochs": 5, "batch_size": 32, "optimizer": "adamw"},
}


def test_trials_share_the_sections_in_which_they_do_not_differ() -> None:
    grid = {
        "training.epochs": [4, 6, 7],
        "model.dropout": [0.1, 0.2, 0.3],
        "regularization.label_smoothing": [0.0, 0.1],
    }
    plan = compile_spec(json.dumps(SPEC | {"ablation": {"grid": grid}}), "x.yaml", built_in_catalogue()).plan
    assert plan is not None
    sections = {name: {id(trial.config[name]) for trial in plan.trials} for name in plan.trials[0].config}
    # The label smoothing is handed on to the objective, so that regularization itself has one value.
    assert {name: len(ids) for name, ids in sections.items()} == {
        "data": 1, "model": 4, "objective": 2, "regularization": 1, "training": 4, "evaluation": 1,
    }  # fmt: skip


def test_a_file_is_read_once_for_all_variants(tmp_path: Path) -> None:
    data = tmp_path / "x.csv"
    data.write_text("a,target\n" + "".join(f"{number},{number % 2}\n" for number in range(20)))
    spec = SPEC | {
        "data": {"source": {"kind": "csv", "path": "x.csv", "target": "target"}},
        "ablation": {"grid": {"training.epochs": [1, 2, 3]}, "seeds": 2},
    }
    read: list[Path] = []

    def digest(path: Path) -> str:
        read.append(path)
        return hash_file(path)

    filename = str(tmp_path / "x.yaml")
    compiled = compile_spec(json.dumps(spec), filename, built_in_catalogue(), file_digest=digest)
    assert compiled.plan is not None
    assert len(compiled.plan.trials) == 8
    assert read == [data]


@pytest.mark.parametrize("is_there", [True, False])
def test_what_cannot_be_read_is_named_by_its_place(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        (tmp_path / "x.csv").write_text("a,target\n1,0\n")
    spec = SPEC | {"data": {"source": {"kind": "csv", "path": "x.csv", "target": "target"}}}
    analysis = analyse(json.dumps(spec), str(tmp_path / "x.yaml"), built_in_catalogue())
    compiler = TrialCompiler(built_in_catalogue(), tmp_path, lambda kind: kind, hash_file)
    lowered = compiler.lower(analysis.variants[0].checked)
    assert lowered.files == {("data", "source", "path"): str(tmp_path / "x.csv")}
    assert list(compiler.unreadable(lowered)) == ([] if is_there else [("data", "source", "path")])
