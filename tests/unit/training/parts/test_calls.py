"""By which columns and outputs components are called, as their parameters say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from craftc.components.sources.columns import Column
from craftc.training.data.split import Split
from craftc.training.parts.calls import (
    MeasureCall,
    ModelCall,
    UnknownColumnError,
    aligned,
    call_of_measure,
    call_of_model,
    main_of,
    outputs_of,
)

NUMBERS = Column(np.zeros((4, 3), dtype=np.float32), "real")
MASK = Column(np.ones(4, bool), "mask", "mask")
Y = Column(np.zeros(4), "real", "target")
SPLIT = Split({"numbers": NUMBERS, "other": NUMBERS, "mask": MASK, "y": Y})


def model(forward: Callable[..., Any]) -> torch.nn.Module:
    made = torch.nn.Module()
    made.forward = forward
    return made


@pytest.mark.parametrize(
    ("forward", "call"),
    [
        (lambda x: x, ModelCall("numbers")),
        (lambda other: other, ModelCall("other")),
        (lambda x, mask: x, ModelCall("numbers", (("mask", "mask"),))),
        (lambda other, numbers, mask=None: other, ModelCall("other", (("numbers", "numbers"), ("mask", "mask")))),
        (lambda x, *, other, scale=1: x, ModelCall("numbers", (("other", "other"),))),
        (lambda x, y=None: x, ModelCall("numbers")),
        (lambda *inputs, **more: inputs, ModelCall("numbers")),
    ],
)
def test_a_model_gets_the_first_input_first_and_others_by_name(forward: Callable[..., Any], call: ModelCall) -> None:
    assert call_of_model(model(forward), SPLIT) == call


def test_what_may_be_none_is_none_where_there_is_no_such_column() -> None:
    def as_types(x: Any, categories: torch.Tensor | None, mask: torch.Tensor | None) -> Any:
        return x, categories, mask

    def as_words(x: Any, categories: "Optional[Tensor]", mask: "Tensor | None") -> Any:  # type: ignore[name-defined]  # noqa: F821
        return x, categories, mask

    batch = {"numbers": torch.zeros(4, 3), "mask": torch.ones(4)}
    for forward in (as_types, as_words):
        call = call_of_model(model(forward), SPLIT)
        assert call == ModelCall("numbers", (("mask", "mask"),), ("categories",))
        returned = call(model(forward), batch)
        assert [
            each is given for each, given in zip(returned, (batch["numbers"], None, batch["mask"]), strict=True)
        ] == [True] * 3


@pytest.mark.parametrize("forward", [lambda x, y: x, lambda x, *, labels: x, lambda x, token_types: x])
def test_a_model_that_asks_for_what_there_is_not_is_told_what_there_is(forward: Callable[..., Any]) -> None:
    with pytest.raises(UnknownColumnError, match=r"must be given .*, and the data has numbers, other, mask"):
        call_of_model(model(forward), SPLIT)


@pytest.mark.parametrize(
    ("measure", "call"),
    [
        (lambda logits, targets: 0, MeasureCall()),
        (lambda input, whatever: 0, MeasureCall()),
        (lambda output, y: 0, MeasureCall()),
        (lambda *given: 0, MeasureCall()),
        (lambda output, mask, target: 0, MeasureCall(False, (("mask", "mask"), ("target", "y")))),
        (lambda output, targets, mask=None, weight=None: 0, MeasureCall(True, (("mask", "mask"),))),
        (lambda output: 0, MeasureCall(False)),
        (lambda output, numbers: 0, MeasureCall(False, (("numbers", "numbers"),))),
        (lambda output, targets, hidden: 0, MeasureCall(True, (("hidden", "hidden"),))),
    ],
)
def test_a_measure_gets_the_output_the_target_and_others_by_name(
    measure: Callable[..., Any], call: MeasureCall
) -> None:
    assert call_of_measure(measure, SPLIT, ["hidden"]) == call


@pytest.mark.parametrize(
    ("masks", "given"),
    [
        ({"mask": (5,), "targets_mask": (7,)}, "targets_mask"),
        ({"mask": (7,)}, "mask"),
        ({"mask": ()}, "mask"),
        ({"mask": (5,)}, None),
    ],
)
def test_a_measure_is_given_the_mask_of_the_target(masks: dict[str, tuple[int, ...]], given: str | None) -> None:
    tokens = {
        "tokens": Column(np.zeros((4, 5), np.int64), "token"),
        "y": Column(np.zeros((4, 7), np.int64), "token", "target"),
    }
    split = Split(tokens | {name: Column(np.ones((4, *shape), bool), "mask", "mask") for name, shape in masks.items()})
    call = call_of_measure(lambda output, targets, mask=None: 0, split)
    assert call == MeasureCall(True, () if given is None else (("mask", given),))
    assert call_of_model(model(lambda tokens, mask=None: tokens), split).named == (("mask", "mask"),)


@pytest.mark.parametrize("num_tokens", [3, 5])
def test_the_mask_of_an_input_has_a_name_of_its_own(num_tokens: int) -> None:
    lines = {
        "x": Column(np.zeros((4, 5, 2), np.float32), "real"),
        "mask": Column(np.ones((4, 5), bool), "mask", "mask"),
        "y": Column(np.ones((4, num_tokens), np.int64), "transcript", "target"),
    }

    def measure(output: Any, targets: Any, input_mask: Any = None, mask: Any = None) -> int:
        return 0

    # Of a transcript no mask is the target's, whatever its shape.
    assert call_of_measure(measure, Split(lines)).named == (("input_mask", "mask"),)
    assert call_of_measure(measure, Split(lines), ["input_mask"]).named == (("input_mask", "input_mask"),)
    own = lines | {"input_mask": lines["mask"]}
    assert call_of_measure(measure, Split(own)).named == (("input_mask", "input_mask"),)
    tokens = lines | {"y": Column(np.ones((4, num_tokens), np.int64), "token", "target")}
    expected = (("mask", "mask"),) if num_tokens == 5 else (("input_mask", "mask"),)
    assert call_of_measure(measure, Split(tokens)).named == expected


def test_of_several_targets_each_is_asked_for_by_name() -> None:
    split = Split({"x": NUMBERS, "boxes": Y, "labels": Y})
    call = call_of_measure(lambda output, boxes, labels: 0, split)
    assert call == MeasureCall(False, (("boxes", "boxes"), ("labels", "labels")))
    with pytest.raises(UnknownColumnError, match="must be given targets, and the data has x, boxes, labels"):
        call_of_measure(lambda output, targets: 0, split)


def test_outputs_and_targets_are_brought_together() -> None:
    others = {"a": torch.zeros(1), "b": torch.zeros(1), "mask": torch.ones(2, 5, dtype=torch.bool)}
    rows = aligned(torch.zeros(2, 5, 3), torch.zeros(2, 5), others, "rows")
    assert (rows.output.shape, rows.others["mask"].shape) == ((10, 3), (10,))
    dense = aligned(torch.arange(24.0).view(1, 2, 3, 4), torch.zeros(1, 3, 4), {}, "dense")
    assert dense.output.shape == (12, 2)
    assert dense.output[1].tolist() == [1.0, 13.0]
    assert aligned(torch.zeros(4, 1), torch.zeros(4), {}, "same").output.shape == (4,)
    assert aligned(torch.zeros(4, 6), torch.zeros(4, 2, 3), {}, "same").output.shape == (4, 2, 3)
    # Another number of outputs is left for the objective to refuse.
    assert aligned(torch.zeros(4, 2), torch.zeros(4), {}, "same").output.shape == (4, 2)


def test_which_of_several_outputs_is_meant() -> None:
    x = torch.zeros(2)
    for returned, main in [(x, 0), ((x, None), 0), ({"hidden": x, "logits": x}, "logits"), ({"a": 1, "b": x}, "b")]:
        assert main_of(outputs_of(returned)) == main
    assert main_of(outputs_of(7)) is None
