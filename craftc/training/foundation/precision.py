"""Says in which types a training computes, by `training.precision`.

Everything is kept in float32. With bf16 and fp16 the model's forward and backward compute large products in 16
bits (torch's autocast), while weights, their average, the optimizer and the objective stay in float32. float64 keeps
and computes all of it in 64 bits: slow, and for checking what is rounding and what is not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from craftc.training.foundation.errors import TrainingError

T = TypeVar("T")

LOWERED = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """`kept` is the type of weights and inputs, `lowered` that of large products where it is another. `scaler` keeps
    gradients in the range of fp16."""

    kept: torch.dtype = torch.float32
    lowered: torch.dtype | None = None
    scaler: GradScaler | None = None

    def output(self, predict: Callable[[dict[str, Tensor]], T], batch: dict[str, Tensor]) -> T:
        """What a model makes of a batch, one tensor or several by name, in the type that is kept."""
        if self.lowered is None:
            return predict(batch)
        device = next(iter(batch.values())).device
        with torch.autocast(device.type, self.lowered):
            output = predict(batch)
        if isinstance(output, Tensor):
            return cast(T, output.to(self.kept))
        named = cast(dict[str, Tensor], output)
        return cast(T, {n: value.to(self.kept) if value.is_floating_point() else value for n, value in named.items()})


FLOAT32 = Precision()


def kept_type(training: dict[str, Any]) -> torch.dtype:
    """Of weights and inputs, by the section `training`."""
    return torch.float64 if training.get("precision") == "float64" else torch.float32


def build_precision(training: dict[str, Any], device: torch.device) -> Precision:
    """From the section `training`. Raises TrainingError `precision-not-supported`."""
    name = training.get("precision", "float32")
    if device.type == "mps" and name == "float64":
        message = f"training.precision is {name}, which {device} does not compute in"
        raise TrainingError("precision-not-supported", message)
    scaler = GradScaler(device.type) if name == "fp16" else None
    return Precision(kept_type(training), LOWERED.get(name), scaler)
