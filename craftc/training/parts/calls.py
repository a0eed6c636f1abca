"""Works out, once, by which columns and outputs a model, an objective and metrics are called, and calls them so.

B: samples of a batch, M: predictions of a batch, C: classes. A *batch* is columns by name, an *output* is a tensor, or
tensors by name. What comes first is given by position: to a model the first input, to all else the output. What
follows is given by the names of parameters. Beside the columns, a batch that is handed over holds the *values* of its
step, 0-d tensors by name.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from craftc.components.sources.columns import COUNTED, MASK, Column
from craftc.schemas.catalogue import optional_in_words
from craftc.training.data.device_split import Batch
from craftc.training.data.split import Split

Output = Tensor | dict[str, Tensor]
MAIN = "logits"
"""The output that is meant where a model returns several by name, as those of `transformers` do."""
TARGET_NAMES = ("targets", "target", "labels", "label")
"""What a parameter may be called that takes the target, whatever the name of its column."""
INPUT_MASK = "input_mask"
"""What a parameter of an objective or a metric is called that takes the mask of an input."""
Alignment = Literal["rows", "dense", "same", "none"]
"""How outputs and targets are brought together. rows: (B, ..., C) and (B, ...) as (M, C) and (M,); dense: (B, C, ...)
and (B, ...) likewise; same: as many numbers, in the shape of the target; none: as they are."""


class UnknownColumnError(Exception):
    """A component asks for what there is not; the message follows its name."""


class ModelCall(NamedTuple):
    """The column that a model gets by position, and the columns and values that it gets by the names of parameters.
    `absent` are parameters that must be given and may be None, where there is no such column."""

    first: str
    named: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """All that it gets."""
        return frozenset((self.first, *(column for _, column in self.named)))

    def __call__(self, model: Callable[..., Any], batch: Batch) -> Any:
        """What the model returns of a batch."""
        if not self.named and not self.absent:
            return model(batch[self.first])
        return model(batch[self.first], **self.by_name(batch))

    def by_name(self, batch: Batch) -> dict[str, Tensor | None]:
        """What it gets by the names of parameters."""
        named: dict[str, Tensor | None] = {parameter: batch[column] for parameter, column in self.named}
        return named | dict.fromkeys(self.absent)


class MeasureCall(NamedTuple):
    """Whether an objective or a metric gets the target by position behind the output, and the columns and outputs that
    it gets by the names of parameters."""

    takes_target: bool = True
    named: tuple[tuple[str, str], ...] = ()


class Given(NamedTuple):
    """What objectives and metrics are given of a batch: the output and the target, aligned, and all else by name."""

    output: Tensor
    target: Tensor | None
    others: Mapping[str, Tensor]

    def to(self, measure: Callable[..., Any], call: MeasureCall) -> Any:
        """What an objective or a metric returns of it."""
        named = {parameter: self.others[name] for parameter, name in call.named} if call.named else {}
        if call.takes_target:
            return measure(self.output, self.target, **named)
        return measure(self.output, **named)

    def counted(self, counted_M: Tensor) -> "Given":
        """What of it is measured, of rows of predictions."""
        others = {
            n: value[counted_M] if value.shape[:1] == counted_M.shape else value for n, value in self.others.items()
        }
        return Given(self.output[counted_M], None if self.target is None else self.target[counted_M], others)

    @property
    def shapes(self) -> str:
        """In words."""
        logits = f"outputs {tuple(self.output.shape)}"
        return logits if self.target is None else f"{logits} and targets {tuple(self.target.shape)}"

    @property
    def num_predictions(self) -> int:
        """By which the mean over a batch is weighed."""
        return len(self.output) if self.target is None else self.target.numel()


@dataclass(frozen=True)
class Calls:
    """How the parts of a training are called. `main` names the output that is measured where a model returns several;
    None: what it returns is a tensor. Where `keeps_all`, some measure asks for others of them.

    Outputs of more than `num_axes` are those of a model's `num_members`, (B, K, ...): so many predictions of each
    sample, which an objective measures one by one.

    Of `num_views` above 1 the first input is (B, V, ...) and so is the output, which an objective is given as it is;
    the model is called once, with all views as samples. `teachers` are models whose outputs an objective asks for by
    these names, of the batch that the model is given.
    """

    model: ModelCall
    target: str | None
    alignment: Alignment
    main: str | int | None = None
    keeps_all: bool = False
    num_views: int = 1
    num_members: int = 1
    num_axes: int = 0
    teachers: tuple[tuple[str, Callable[[Batch], Tensor]], ...] = ()

    @property
    def first(self) -> str:
        """The column that is augmented."""
        return self.model.first

    def predict(self, model: Callable[..., Any], batch: Batch) -> Output:
        """The output of a batch."""
        if self.num_views > 1:
            return self._of_views(model, batch)
        return self.read(self.model(model, batch))

    def of_views(self, num_views: int) -> "Calls":
        """The calls of a step whose batches have so many views of each sample."""
        return self if num_views == 1 else replace(self, num_views=num_views, alignment="none")

    def _of_views(self, model: Callable[..., Any], batch: Batch) -> Output:
        num_samples, num_views = batch[self.first].shape[:2]
        others = {name: _repeated(batch[name], num_views) for name in self.model.columns if name != self.first}
        output = self.read(self.model(model, {**others, self.first: batch[self.first].flatten(0, 1)}))
        if isinstance(output, Tensor):
            return output.reshape(num_samples, num_views, *output.shape[1:])
        return {name: value.reshape(num_samples, num_views, *value.shape[1:]) for name, value in output.items()}

    def read(self, returned: Any) -> Output:
        """The output that is measured of what a model returned, or all of them where some are asked for."""
        if self.main is None:
            found: Tensor = returned
            return found
        outputs = outputs_of(returned)
        if self.keeps_all:
            return {str(name): value for name, value in outputs.items() if isinstance(value, Tensor)}
        found = outputs[self.main]
        return found

    def given(self, output: Output, batch: Batch) -> Given:
        """What objectives and metrics are given of a batch and its output."""
        others: Mapping[str, Tensor] = batch
        if isinstance(output, dict):
            others, output = {**batch, **output}, output[str(self.main)]
        target = None if self.target is None else batch[self.target]
        if self.teachers:
            taught = {name: aligned(teach(batch), target, {}, self.alignment).output for name, teach in self.teachers}
            others = {**others, **taught}
        if self.members_in(output) > 1:
            return self._of_members(output, target, others)
        given = aligned(output, target, others, self.alignment)
        return given if COUNTED not in batch else given.counted(batch[COUNTED].flatten())

    def members_in(self, output: Tensor) -> int:
        """How many predictions of each sample there are: 1 where the model has averaged them."""
        return self.num_members if output.dim() > self.num_axes else 1

    def _of_members(self, output_BK: Tensor, target: Tensor | None, others: Mapping[str, Tensor]) -> Given:
        """Each member's prediction beside the sample's own target, mask and weight."""
        num_samples, num = output_BK.shape[:2]
        beside = {
            name: value if value.shape[:1] != (num_samples,) else _repeated(value, num)
            for name, value in others.items()
        }
        repeated = None if target is None else _repeated(target, num)
        return aligned(output_BK.flatten(0, 1), repeated, beside, self.alignment)


def _repeated(column: Tensor, num_times: int) -> Tensor:
    """A column of samples for each of their views, or members of a model; what is no column is the same for all."""
    if column.dim() == 0:
        return column
    return column.unsqueeze(1).expand(-1, num_times, *column.shape[1:]).flatten(0, 1)


def aligned(output: Tensor, target: Tensor | None, others: Mapping[str, Tensor], alignment: Alignment) -> Given:
    """An output beside its target."""
    if target is None or alignment == "none":
        return Given(output, target, others)
    if alignment == "same":
        # One number of each sample may have an axis of its own in one of them alone.
        is_same = output.shape != target.shape and output.numel() == target.numel() and len(output) == len(target)
        return Given(output.reshape(target.shape) if is_same else output, target, others)
    if alignment == "dense":
        output = output.movedim(1, -1)
    if target.dim() > 1 and len(others) > 2:
        shape = target.shape
        others = {name: value.flatten() if value.shape == shape else value for name, value in others.items()}
    return Given(output.flatten(0, -2), target.flatten(), others)


def alignment_of(target: Column | None) -> Alignment:
    """By the kind of the target."""
    if target is None or target.kind == "transcript":
        return "none"
    if target.kind in ("class", "token"):
        return "dense" if target.kind == "class" and target.values.ndim > 2 else "rows"
    return "same"


def outputs_of(returned: Any) -> Mapping[str | int, Any]:
    """What a model returned, by names, or by places where it has none; empty for what holds no outputs."""
    if isinstance(returned, Tensor):
        return {0: returned}
    if isinstance(returned, Mapping):
        return dict(returned)
    if is_dataclass(returned) and not isinstance(returned, type):
        return {field.name: getattr(returned, field.name) for field in fields(returned)}
    if isinstance(returned, tuple) and hasattr(returned, "_fields"):
        return dict(zip(returned._fields, returned, strict=True))
    return dict(enumerate(returned)) if isinstance(returned, tuple | list) else {}


def main_of(outputs: Mapping[str | int, Any]) -> str | int | None:
    """The output that is measured: `logits`, or else the first that is a tensor; None where there is none."""
    if isinstance(outputs.get(MAIN), Tensor):
        return MAIN
    return next((name for name, value in outputs.items() if isinstance(value, Tensor)), None)


def call_of_model(model: nn.Module, split: Split, values: Sequence[str] = ()) -> ModelCall:
    """By the parameters of `forward`: columns, and `values` of the training. Raises UnknownColumnError.

    A model is never given a target.
    """
    offered = (*split.named("input", "mask", "weight"), *values)
    parameters = _parameters(model.forward)
    if not parameters:
        return ModelCall(split.first)
    head, *rest = parameters
    first = head.name if head.name in split.named("input") else split.first
    rest = rest if head.kind is not head.VAR_POSITIONAL else parameters
    known = {name: name for name in offered if name != first}
    absent = [each for each in rest if each.name not in known and each.default is each.empty and _may_be_none(each)]
    with _offered(offered):
        named = tuple(_asked([each for each in rest if each not in absent], known))
    return ModelCall(first, named, tuple(each.name for each in absent))


def _may_be_none(parameter: inspect.Parameter) -> bool:
    """Whether its annotation says so; one that is no type yet is looked at as it is written."""
    annotation = parameter.annotation
    if isinstance(annotation, str):
        return optional_in_words(annotation)
    return type(None) in get_args(annotation)


def call_of_measure(
    measure: Callable[..., Any], split: Split, outputs: Collection[str] = (), values: Collection[str] = ()
) -> MeasureCall:
    """By the parameters of an objective's `forward` or a metric's `update`, which come behind the output: columns,
    `outputs` of the model's, or `values` of the training. Raises UnknownColumnError.

    What is called by no such name, and is the second, is the target. A `mask` is that of the target: one of an input
    alone is called `input_mask`, unless a column or an output of the model has that name.
    """
    parameters, target = _parameters(measure), split.target
    if not parameters:  # it does not tell
        return MeasureCall(target is not None)
    known = {name: name for name in (*split.named("input", "target", "mask", "weight"), *outputs, *values)}
    if target is not None:
        known = {name: target for name in TARGET_NAMES} | known
    known = {name: column for name, column in known.items() if name != MASK}
    if split.target_mask is not None:
        known[MASK] = split.target_mask
    if MASK in split.named("mask") and split.target_mask != MASK:
        known.setdefault(INPUT_MASK, MASK)
    rest = parameters if parameters[0].kind is inspect.Parameter.VAR_POSITIONAL else parameters[1:]
    second = rest[0] if rest else None
    takes_target = (
        target is not None
        and second is not None
        and second.kind not in (second.KEYWORD_ONLY, second.VAR_KEYWORD)
        and known.get(second.name, target) == target
    )
    with _offered(dict.fromkeys(known.values())):
        named = tuple(_asked(rest[1:] if takes_target else rest, known))
    return MeasureCall(takes_target, tuple((p, name) for p, name in named if not takes_target or name != target))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Those of a method, without `self`; none where it does not tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


@contextmanager
def _offered(names: Iterable[str]) -> Iterator[None]:
    """Says what there is beside what there is not."""
    try:
        yield
    except UnknownColumnError as error:
        raise UnknownColumnError(f"{error}, and the data has {', '.join(names)}") from None


def _asked(parameters: list[inspect.Parameter], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The parameters that are given by name, and what: all that must be given, and those that can be."""
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in known and parameter.kind is not parameter.POSITIONAL_ONLY:
            yield parameter.name, known[parameter.name]
        elif parameter.default is parameter.empty:
            raise UnknownColumnError(f"must be given {parameter.name}")


def few_of(split: Split, num_samples: int, device: torch.device, kept: torch.dtype = torch.float32) -> Batch:
    """The first samples of a split as a batch. Copies: a model that works in place on its inputs must not change data
    that other trials share."""
    few = {name: torch.from_numpy(values[:num_samples].copy()) for name, values in split.in_batches().items()}
    return {
        name: values.to(device, kept) if values.dtype.is_floating_point and values.dtype != kept else values.to(device)
        for name, values in few.items()
    }
