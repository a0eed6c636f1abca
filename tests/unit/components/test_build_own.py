"""Components of the user's own: what they are handed, and what stands in their arguments."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

from craftc.components.build import build

MODULE = """
    from __future__ import annotations
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass
    from pathlib import Path
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        from nowhere import Nothing

    @dataclass
    class Layer:
        width: int
        inner: object = None

    def model(layers, first: Layer, settings: dict, shape: tuple[int, int] = (1, 1), names: Sequence[str] = ()):
        return layers, first, settings, shape, names

    def source(path: Path, also: Path | None = None, text: str = "", either: str | Path = ""):
        return path, also, text, either

    def untyped(path: Path, nothing: Nothing = None):
        return path

    def tuples(
        size=(8, 8), pairs: list[tuple[int, int]] = [], grid: tuple[tuple[int, ...], ...] = (),
        by_name: dict[str, tuple[int, int]] = {}, either: int | tuple[int, int] = 1, *, nothing: Nothing = None,
        later: "tuple[Nothing, ...]" = (),
    ):
        return size, pairs, grid, by_name, either, later

    def takes_class(act, norm: Callable[..., object] = dict, *, layers=()):
        return act, norm, layers

    def none_taken(**arguments):
        return arguments

    def one_taken(offered, /, **arguments):
        return offered, arguments

    def with_params(params, lr):
        return params, lr
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build_own_parts.py").write_text(dedent(MODULE))
    monkeypatch.syspath_prepend(tmp_path)


def own(name: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": f"build_own_parts:{name}", **arguments}


def test_components_in_arguments_are_built_at_any_depth() -> None:
    layer = own("Layer", width=3, inner=own("Layer", width=2))
    settings = {"kind": "plain", "deep": own("Layer", width=4)}
    layers, first, passed, *_ = build("models", own("model", layers=[layer, 5], first=layer, settings=settings))
    assert (first.width, first.inner.width) == (3, 2)
    assert (layers[0].inner.width, layers[1]) == (2, 5)
    assert layers[0] is not first, "two places are two objects"
    assert (passed["kind"], passed["deep"].width) == ("plain", 4)


def test_values_of_yaml_become_what_the_annotation_says() -> None:
    arguments = {"layers": [], "first": 0, "settings": {}, "shape": [2, 3], "names": ["a"]}
    assert build("models", own("model", **arguments))[3:] == ((2, 3), ["a"])
    assert build("sources", own("source", path="/a", also="/b", text="/c", either="/d")) == (
        Path("/a"), Path("/b"), "/c", "/d",
    )  # fmt: skip
    assert build("sources", own("untyped", path="/a")) == Path("/a"), "where a name is for type checking alone"
    assert build("models", {"kind": "torch.nn:Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": [1, 3]}
                 ).kernel_size == (1, 3)  # fmt: skip


def test_tuples_are_tuples_at_any_depth() -> None:
    written = {"size": [4, 4], "pairs": [[1, 2]], "grid": [[1], [2, 3]], "by_name": {"a": [1, 2]}, "either": [2, 2]}
    built = build("models", own("tuples", **written, later=[1]))
    assert built == ((4, 4), [(1, 2)], ((1,), (2, 3)), {"a": (1, 2)}, (2, 2), (1,))


def test_a_class_is_handed_over_as_it_is_or_with_its_arguments_given() -> None:
    layer = own("Layer", **{"as": "class"})
    norm = own("Layer", width=3, **{"as": "class"})
    act, made, (inner,) = build("models", own("takes_class", act=layer, norm=norm, layers=[layer]))
    assert act is inner
    assert act(width=2).width == 2
    assert (made().width, made(inner=1).inner) == (3, 1)


def test_what_is_offered_is_taken_by_position() -> None:
    assert build("metrics", own("none_taken", a=1), 10) == {"a": 1}
    assert build("metrics", own("one_taken", a=1), 10) == (10, {"a": 1})
    assert build("optimizers", own("with_params", lr=0.1), [1, 2]) == ([1, 2], 0.1)


def test_any_optimizer_of_torch_gets_the_parameters() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = build("optimizers", {"kind": "torch.optim:NAdam", "lr": 0.5, "betas": [0.8, 0.9]}, [parameter])
    assert optimizer.param_groups[0]["params"] == [parameter]
    assert optimizer.param_groups[0]["lr"] == 0.5
