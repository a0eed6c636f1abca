"""The decorator sets attributes and nothing else; what trains finds what a component declares."""

from pathlib import Path

import pytest

from craftc.components.declare import declares
from craftc.components.declared import frozen_parts
from craftc.schemas.catalogue import FrozenParts

OWN = """
class Model:
    pass

class Frozen:
    frozen_parts = {"backbone": "encoder", "weights": "file", "head": "readout"}

class Odd:
    frozen_parts = True
"""


def test_what_is_decorated_is_the_same_with_attributes() -> None:
    def source(x: int) -> int:
        return x + 1

    decorated = declares(gives=("text",), facts={"num_samples": 3})(source)
    assert decorated is source
    assert decorated(1) == 2
    assert {name: vars(source)[name] for name in vars(source)} == {"gives": ("text",), "facts": {"num_samples": 3}}


def test_an_unknown_word_is_an_error_when_imported_too() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'give'"):
        declares(give=("text",))  # type: ignore[call-arg]


def test_which_models_train_their_head_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "declared_models.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert frozen_parts("frozen_backbone") == FrozenParts("backbone", "weights", "head")
    assert frozen_parts("declared_models:Frozen") == FrozenParts("encoder", "file", "readout")
    without = ("mlp", "declared_models:Model", "declared_models:Odd", "declared_models:Missing", "nowhere_at_all:X")
    assert [frozen_parts(kind) for kind in without] == [None] * 5
