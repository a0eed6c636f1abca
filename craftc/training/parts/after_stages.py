"""Builds the stages after training, and keeps what they were fitted to as JSON.

M: predictions, C: classes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.schemas.catalogue import short_name
from craftc.training.data.device_split import Batch
from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import Calls, Output

FAILED = "after-stage-failed"
FOLDER = "after"
FORMAT = 1
Predict = Callable[[Batch], Output]


class AfterStage(Protocol):
    """What is fitted to the outputs of a trained model."""

    def fit(self, outputs: Tensor, targets: Tensor) -> None:
        """From outputs beside their targets: of classes logits (M, C) and class numbers (M,)."""
        ...

    def apply(self, outputs: Tensor) -> Tensor:
        """Other outputs of the same shape."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """What it was fitted to: numbers, text, lists, mappings and tensors."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """The reverse of `state_dict`."""
        ...


@dataclass(frozen=True)
class Stage:
    """An after-stage; `split` is what it is fitted on."""

    name: str
    split: str
    setting: Mapping[str, Any]
    component: AfterStage

    def fit(self, outputs: Tensor, targets: Tensor) -> None:
        """Fit it. Raises TrainingError `after-stage-failed`."""
        given = f"outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)}"
        with errors_of(f"after-stage {self.name} on {given}", code=FAILED, hint=GUIDE), torch.enable_grad():
            self.component.fit(outputs.detach(), targets)

    def of(self, predict: Predict, calls: Calls) -> Predict:
        """What it makes of what is predicted."""

        def of_batch(batch: Batch) -> Output:
            output = predict(batch)
            if isinstance(output, Tensor):
                return self._applied(output, calls)
            return {**output, str(calls.main): self._applied(output[str(calls.main)], calls)}

        return of_batch

    def _applied(self, output: Tensor, calls: Calls) -> Tensor:
        """The output in its own shape, applied to in that in which the stage was fitted."""
        rows = output
        if calls.alignment in ("rows", "dense"):
            rows = (output.movedim(1, -1) if calls.alignment == "dense" else output).flatten(0, -2)
        with errors_of(f"after-stage {self.name} on outputs {tuple(rows.shape)}", code=FAILED, hint=GUIDE):
            found = self.component.apply(rows)
        if not isinstance(found, Tensor) or found.shape != rows.shape:
            message = f"after-stage {self.name} made {described(found)} of outputs {tuple(rows.shape)}"
            raise TrainingError(FAILED, f"{message}; expected a Tensor of the same shape; {GUIDE}")
        if rows is output:
            return found
        if calls.alignment == "dense":
            moved = output.movedim(1, -1)
            return found.reshape(moved.shape).movedim(-1, 1)
        return found.reshape(output.shape)

    def text(self, epoch: int) -> str:
        """What is kept of it: JSON, with the epoch of the weights that it was fitted with."""
        with errors_of(f"after-stage {self.name}, state_dict()", code=FAILED, hint=GUIDE):
            state = {str(name): _plain(value) for name, value in self.component.state_dict().items()}
            kept = {"format": FORMAT, "stage": dict(self.setting), "epoch": epoch, "state": state}
            return json.dumps(kept, indent=2, allow_nan=False) + "\n"

    def load(self, text: str) -> None:
        """Take up what was kept."""
        with errors_of(f"after-stage {self.name}, load_state_dict()", code=FAILED, hint=GUIDE):
            state = json.loads(text)["state"]
            self.component.load_state_dict({name: _restored(value) for name, value in state.items()})


def build_stages(settings: Any, device: torch.device) -> tuple[Stage, ...]:
    """From `evaluation.after`. Raises TrainingError `after-stage-failed`."""
    return tuple(_build(setting, device) for setting in settings)


def _build(setting: Mapping[str, Any], device: torch.device) -> Stage:
    name = short_name(setting["kind"])
    with errors_of(f"after-stage {name}", code=FAILED):
        component: Any = build("after_stages", {key: value for key, value in setting.items() if key != "fit"})
        for method in ("fit", "apply", "state_dict", "load_state_dict"):
            if not callable(getattr(component, method, None)):
                raise TypeError(f"it gave {described(component)}, which has no {method}(); {GUIDE}")
    if isinstance(component, nn.Module):
        component = component.to(device)
    return Stage(name, setting["fit"], setting, component)


def state_path(folder: Path, name: str) -> Path:
    """Where what a stage was fitted to is kept, in the folder of its trial."""
    return folder / FOLDER / f"{name}.json"


def keep(stage: Stage, text: str, folder: Path) -> None:
    """Write what a stage was fitted to."""
    path = state_path(folder, stage.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return {"dtype": str(value.dtype).removeprefix("torch."), "values": value.detach().cpu().tolist()}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"dtype", "values"}:
            return torch.tensor(value["values"], dtype=getattr(torch, value["dtype"]))
        return {name: _restored(item) for name, item in value.items()}
    return [_restored(item) for item in value] if isinstance(value, list) else value
