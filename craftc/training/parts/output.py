"""Reduces the output of a model with an axis too many, as `model.output` says."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from craftc.training.parts.calls import main_of, outputs_of

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda output_BTC: output_BTC.mean(1),
    "max": lambda output_BTC: output_BTC.amax(1),
    "first": lambda output_BTC: output_BTC[:, 0],
    "last": lambda output_BTC: output_BTC[:, -1],
}


def reduce_output(model: nn.Module, how: str) -> None:
    """Have a model return (B, C) where it returns (B, ..., C), and of several outputs of the one that is measured.

    By a hook, so that its weights are called as before.
    """
    model.register_forward_hook(_Reduce(how))


class _Reduce:
    def __init__(self, how: str) -> None:
        self._how = how

    def __call__(self, model: nn.Module, given: Any, returned: Any) -> Any:
        """What is returned in the place of what the model did."""
        if isinstance(returned, Tensor):
            return self._of(returned)
        outputs = outputs_of(returned)
        main = main_of(outputs)
        if main is None:
            return returned
        reduced: Mapping[Any, Any] = {**outputs, main: self._of(outputs[main])}
        return tuple(reduced.values()) if isinstance(main, int) else dict(reduced)

    def _of(self, output: Tensor) -> Tensor:
        # What is no batch of rows is reported as the output that it is.
        return output if output.dim() < 3 else REDUCTIONS[self._how](output.flatten(1, -2))
