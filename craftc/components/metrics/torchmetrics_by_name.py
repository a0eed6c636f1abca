"""Builds a metric by its name in torchmetrics, and hands it what it takes: by the kind of the target.

B: samples, M: predictions, C: classes or labels, D: quantities of a sample.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.build import load_component, parameters_of
from craftc.components.lean_torchmetrics import Metric
from craftc.schemas.catalogue import CLASS_FREQUENCIES, LABEL_FREQUENCIES, MEAN, TORCHMETRICS, TargetKind, short_name

TASKS: dict[TargetKind, str] = {
    "class": "multiclass", "token": "multiclass", "classes": "multilabel", "mask": "binary",
}  # fmt: skip
TRIVIAL: dict[TargetKind, str] = {
    "class": CLASS_FREQUENCIES, "token": CLASS_FREQUENCIES, "classes": LABEL_FREQUENCIES,
}  # fmt: skip
INFER = "infer"
NUM_OUTPUTS = "num_outputs"


def is_by_name(kind: str) -> bool:
    """Whether a kind is `torchmetrics:NAME`."""
    return kind.partition(":")[0] == TORCHMETRICS and kind != TORCHMETRICS


class ByName(nn.Module):
    """A metric of torchmetrics, given what it takes of outputs and targets.

    Of a classifier's metrics: probabilities, and whole numbers as targets, by the task that follows from the target.
    Where a spec says `task`, outputs of classes and labels are given as they are: torchmetrics then makes probabilities
    of those of a batch where one of them is none. Of two classes, `task: binary` is given the probability of the
    second. Of any other metric: outputs in the shape of the targets; where those have several quantities, and the
    metric measures one number of each, the mean of these.
    """

    def __init__(self, setting: Mapping[str, Any], target_kind: TargetKind, shape: tuple[int, ...]) -> None:
        super().__init__()
        arguments = {name: value for name, value in setting.items() if name != "kind"}
        target = load_component("metrics", setting["kind"])
        if target.__module__.endswith("._deprecated"):
            # What warns that its name is to be looked for elsewhere, and is nothing else.
            target = target.__base__
        self._target = target
        self.name, self.target_kind, self.says_task = short_name(setting["kind"]), target_kind, False
        self.measures_classes = target.__module__.startswith(f"{TORCHMETRICS}.classification")
        self.task: str | None = None
        if self.measures_classes:
            self.says_task = arguments.get("task", INFER) != INFER
            self.task = arguments["task"] if self.says_task else TASKS[target_kind]
            arguments["task"] = self.task
            if self.task == "multilabel" and arguments.get("num_labels") is None:
                arguments["num_labels"] = arguments.get("num_classes")
            self.inner: Any = target(**arguments)
        else:
            self.inner = _of_quantities(target, arguments, shape[-1] if shape and target_kind == "vectors" else shape)
        self.arguments = arguments
        self.trivial = TRIVIAL.get(target_kind) if self.measures_classes else MEAN

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        usual = parameters_of(self._target)
        said = [
            f"{name} {value}"
            for name, value in self.arguments.items()
            if name != "task" and (name not in usual or value != usual[name].default)
        ]
        return ", ".join([f"{TORCHMETRICS} {self.name}", *([self.task] if self.task else []), *said])

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Its least and its greatest value, where torchmetrics says them."""
        return getattr(self.inner, "plot_lower_bound", None), getattr(self.inner, "plot_upper_bound", None)

    def reset(self) -> None:
        """Forget every prediction."""
        self.inner.reset()

    def update(self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> None:
        """Take in a batch, but for what a mask leaves out."""
        if mask is not None:
            outputs, targets = outputs[mask], targets[mask]
        self.inner.update(*self._given(outputs, targets))

    def compute(self) -> Any:
        """One number, where the metric makes one or one of each quantity."""
        return self.one_number(self.inner.compute())

    def one_number(self, value: Any) -> Any:
        """The mean over the quantities of a sample."""
        is_several = isinstance(value, Tensor) and value.dim() == 1 and not self.measures_classes
        return value.mean() if is_several else value

    def _given(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if self.measures_classes:
            return self._classes(outputs, targets)
        if self.target_kind in ("class", "token"):
            # Of a text, what is measured of rows of predictions is measured of one text of them all.
            return outputs[None], targets[None]
        if self.inner.__class__.__module__.startswith(f"{TORCHMETRICS}.image"):
            return _images(outputs), _images(targets)
        if self.target_kind == "vectors":
            outputs, targets = outputs.flatten(0, -2), targets.flatten(0, -2)
        return _numbers(outputs), _numbers(targets)

    def _classes(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if self.task == "binary":
            if self.target_kind in ("class", "token"):
                return outputs.softmax(-1)[..., 1], targets
            return outputs.sigmoid().flatten(), targets.flatten().int()
        if self.target_kind == "classes":
            return (outputs if self.says_task else outputs.sigmoid()), targets.int()
        return (outputs if self.says_task else outputs.softmax(-1)), targets


def _numbers(values: Tensor) -> Tensor:
    """(B,) or (B, D)."""
    flat = values if values.dim() < 2 else values.flatten(1)
    return flat[:, 0] if flat.dim() == 2 and flat.shape[1] == 1 else flat


def _images(values: Tensor) -> Tensor:
    """With an axis for channels."""
    return values.unsqueeze(1) if values.dim() == 3 else values


def _of_quantities(target: Any, arguments: dict[str, Any], shape: int | tuple[int, ...]) -> Metric:
    """The metric as it is, or of as many quantities as a target has where it does not take several otherwise."""
    metric: Metric = target(**arguments)
    num = shape if isinstance(shape, int) else int(torch.Size(shape).numel())
    is_said = arguments.get(NUM_OUTPUTS, 1) != 1
    if num == 1 or is_said or NUM_OUTPUTS not in parameters_of(target):
        return metric
    tried = torch.arange(2.0 * num).reshape(2, num)
    try:
        metric.update(tried, tried)
    except (ValueError, RuntimeError):
        arguments[NUM_OUTPUTS] = num
        return target(**arguments)  # type: ignore[no-any-return]
    metric.reset()
    return metric
