"""The page of all components: what it says of one, and what makes its check fail."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.schemas.catalogue import Catalogue, ComponentEntry, Parameter

CATALOGUE = built_in_catalogue()


def script(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry(group: str, kind: str) -> ComponentEntry:
    found = CATALOGUE.find(group, kind)
    assert found is not None
    return found


def test_a_row_says_what_does_the_work_and_what_is_searched(root: Path) -> None:
    shelf = script(root, "shelf")
    rows = {line.split("](")[0].strip("| [`"): line for line in shelf.shelf(CATALOGUE).splitlines() if "[`" in line}
    version = next(
        line for line in (root / "constraints.txt").read_text().splitlines() if line.startswith("scikit-learn==")
    ).partition("==")[2]
    assert f"scikit-learn {version} | `run`" in rows["linnerud"]
    assert "`lr`: log_uniform [0.0001, 0.03]<br>`weight_decay`" in rows["adamw"]
    assert "| no: model: GRU encoder has its own _flat_weights" in rows["seq2seq"]
    assert "| yes |" in rows["mlp"]
    assert "[test_seq2seq](../../tests/unit/components/test_seq2seq.py)" in rows["seq2seq"]


def test_an_extra_is_the_one_that_a_component_declares(root: Path) -> None:
    shelf = script(root, "shelf")
    declared = entry("models", "mlp")._replace(packages={"timm": "vision"})
    assert shelf.libraries_of(declared) == ("timm",)
    assert list(shelf.extras_of(declared, ("timm",))) == ["vision"]
    assert list(shelf.extras_of(entry("models", "mlp"), ("torch",))) == ["run"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"summary": ""}, "optimizers/adamw has no docstring"),
        ({"summary": "Adam.", "doc": "No paper."}, "the docstring of optimizers/adamw names no paper"),
        ({"search_ranges": {"weight_decay": {}}}, "optimizers/adamw declares no search_ranges of lr"),
        (
            {"group": "samplers", "kind": "of_nobody", "target": "craftc.components.x:Nobody"},
            "no test names samplers/of_nobody",
        ),
        ({"kind": "nadam_of_nobody"}, "optimizers/nadam_of_nobody is not in batched.json: run python docs/batched.py"),
    ],
)
def test_what_a_component_lacks_is_reported(root: Path, changes: dict[str, object], says: str) -> None:
    shelf = script(root, "shelf")
    assert list(shelf.missing(Catalogue((entry("optimizers", "adamw"),)))) == []
    changed = Catalogue((entry("optimizers", "adamw")._replace(**changes),))  # type: ignore[arg-type]
    assert says in list(shelf.missing(changed))


def test_a_range_is_expected_of_what_anybody_would_search(root: Path) -> None:
    changed = entry("models", "linear")._replace(parameters=(Parameter("dropout", {"type": "number"}),))
    (missing,) = script(root, "shelf").missing(Catalogue((changed,)))
    assert missing == "models/linear declares no search_ranges of dropout"


@pytest.mark.parametrize("name", ["models/mlp", "models/seq2seq", "models/frozen_backbone", "objectives/info_nce"])
def test_what_the_page_says_of_batches_is_what_is_found_out(root: Path, tmp_path: Path, name: str) -> None:
    group, _, kind = name.partition("/")
    assert script(root, "batched").asked(entry(group, kind), tmp_path) == script(root, "shelf").batched()[name]
    assert "torch" in sys.modules  # it is asked of trainings
