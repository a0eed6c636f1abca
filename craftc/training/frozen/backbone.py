"""Builds the function from a batch of inputs to its features that a frozen backbone computes.

B: samples of a batch.
"""

import hashlib
import io
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from craftc.compiler.planning.identity.weights import DIGEST
from craftc.compiler.reading.nearest import nearest
from craftc.components.build import build
from craftc.components.declared import frozen_parts
from craftc.components.models.frozen_backbone import FrozenBackbone
from craftc.schemas.catalogue import BESIDE_MODEL
from craftc.training.data.facts import backbone_facts
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import key, seed_everything
from craftc.training.parts.model import instantiate

MAX_NAMED = 3
"""Weights that a message names at most."""

State = Mapping[str, Tensor]


class Backbone:
    """The features (B, *shape) of a batch of inputs (B, ...): a layer's output, or what goes into the last linear one.

    It stays as it is: evaluation mode, no gradient. Never of a forward pass alone, since layers are found by it.
    """

    def __init__(self, model: nn.Module, layer: str, few_B: Tensor) -> None:
        """Finds the layer on a few inputs. Raises TrainingError `features-unusable` and `model-forward`."""
        self._model = model
        self._layer = _head_of(model, few_B) if layer == "infer" else _find(model, layer)
        self._takes_input = layer == "infer"
        self._name = f"the output of {layer}" if layer != "infer" else "what the backbone computes"
        self._caught: Any = None
        if self._layer is None:
            pass
        elif self._takes_input:
            self._layer.register_forward_pre_hook(self._catch_input)
        else:
            self._layer.register_forward_hook(self._catch_output)
        _check(self(few_B), self._name, len(few_B))

    @torch.no_grad()
    def __call__(self, x_B: Tensor) -> Tensor:
        """No gradient leads back to the inputs; float32."""
        self._caught = None
        returned = _forward(self._model, x_B)
        caught = returned if self._layer is None else self._caught
        self._caught = None
        if not isinstance(caught, Tensor) or not caught.is_floating_point():
            found = "nothing: its layer was not called" if caught is None else described(caught)
            raise _unusable(f"{self._name} is {found}; expected floating-point numbers (batch, ...)")
        return caught.float()

    def _catch_input(self, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._caught = _copied(inputs[0]) if inputs else None

    def _catch_output(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self._caught = _copied(output)


def _copied(caught: Any) -> Any:
    """What follows the layer may work in place on what it is given."""
    return caught.clone() if isinstance(caught, Tensor) else caught


def build_backbone(setting: Mapping[str, Any], data: PreparedData, seed: int, device: torch.device) -> Backbone:
    """The backbone of a model of which the head alone is trained; `setting` is that of the trial's configuration.

    Raises TrainingError `weights-unusable`, `features-unusable`, `model-not-buildable` and `model-forward`, and
    DataError `data-mismatch`.
    """
    parts = frozen_parts(setting["kind"])
    assert parts is not None
    place = f"model.{parts.backbone}"
    asked = _asked(setting)
    seed_everything(key(seed, "backbone"), device)
    if asked.weights == "random":
        model = _instantiate(asked.backbone, data.facts, place)
    else:
        model = _trained(asked, setting.get(DIGEST), data.facts, place)
    model = model.to(device).eval().requires_grad_(False)
    few_B = torch.from_numpy(data.splits["train"].inputs[:2].copy()).to(device)
    return Backbone(model, asked.features, few_B)


def _asked(setting: Mapping[str, Any]) -> FrozenBackbone:
    with errors_of("model", code="model-not-buildable"):
        asked = build("models", {name: value for name, value in setting.items() if name not in (DIGEST, *BESIDE_MODEL)})
    if not isinstance(asked, FrozenBackbone):
        expected = "expected a FrozenBackbone, since it declares frozen_parts"
        raise TrainingError("model-not-buildable", f"model {setting['kind']} gave {described(asked)}; {expected}")
    return asked


def _instantiate(setting: Mapping[str, Any], facts: Mapping[str, int], place: str) -> nn.Module:
    return instantiate(backbone_facts(setting, facts, place), "backbone")


def _trained(asked: FrozenBackbone, digest: str | None, facts: Mapping[str, int], place: str) -> nn.Module:
    """The model with its weights. How many classes it was trained to tell apart is seen from their shapes."""
    path = Path(asked.weights)
    state = read_weights(path, digest)
    model = _instantiate(asked.backbone, facts, place)
    if asked.backbone.get("num_classes") == "infer" and (classes := _num_classes(model, state, facts["num_classes"])):
        model = _instantiate(asked.backbone, {**facts, "num_classes": classes}, place)
    own = model.state_dict()
    faults = [
        *_listed("it lacks", own.keys() - state.keys()),
        *_listed("the backbone has no", state.keys() - own.keys()),
        *_listed("other shapes:", (_shapes(name, state, own) for name in _misshapen(state, own))),
    ]
    if not faults:
        with errors_of(f"weights of {path}", code="weights-unusable"):
            model.load_state_dict(dict(state))
        return model
    hint = "write the backbone with the arguments that it was trained with"
    raise TrainingError("weights-unusable", f"{path} holds other weights than {place}: {'; '.join(faults)}; {hint}")


def read_weights(path: Path, digest: str | None) -> State:
    """The `state_dict` in a file, or in a checkpoint of craftc's; the file must have the digest, if there is one.

    Raises TrainingError `weights-unusable`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror or error}") from None
    if digest is not None and f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise _unreadable(path, "has changed since the run was planned; start the run again")
    _check_whole(path, content)
    try:
        loaded: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind, as the bytes have it
        hint = "save it by torch.save(model.state_dict(), path)"
        raise _unreadable(path, f"holds no weights: {_reason(content, error)}; {hint}") from error
    state = loaded["model"] if isinstance(loaded, dict) and {"format", "trial", "model"} <= loaded.keys() else loaded
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise _unreadable(path, f"holds {described(loaded)}; expected a state_dict: names, and a tensor for each")
    return state


def _check_whole(path: Path, content: bytes) -> None:
    """Raise where a checkpoint does not have the SHA-256 that craftc wrote beside it."""
    try:
        written = path.with_name(f"{path.name}.sha256").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return
    if hashlib.sha256(content).hexdigest() not in written:
        folder = path.parent.parent
        mend = (
            f"to train its trial again, delete {folder} and run its spec" if path.parent.name == "checkpoints" else ""
        )
        raise _unreadable(path, f"is damaged: it has not the SHA-256 of {path.name}.sha256; {mend or 'copy it again'}")


def _reason(content: bytes, error: Exception) -> str:
    """What torch says of a file, without what it recommends."""
    if isinstance(error, pickle.UnpicklingError):
        said = " ".join(str(error).split())
        return said.partition("WeightsUnpickler error: ")[2].partition(". ")[0][:120] or "it is no pickle of tensors"
    is_archive = content.startswith(b"PK\x03\x04")
    return "it is broken off or damaged" if is_archive else "it is no file of torch.save's"


def _num_classes(model: nn.Module, state: State, wrong: int) -> int | None:
    """The one number that has to stand wherever the model's shapes have `wrong` and the weights another."""
    own, found = model.state_dict(), set()
    for name in _misshapen(state, own):
        if own[name].dim() != state[name].dim():
            return None
        differing = {pair for pair in zip(own[name].shape, state[name].shape, strict=True) if pair[0] != pair[1]}
        if any(here != wrong for here, _ in differing):
            return None
        found |= {there for _, there in differing}
    return found.pop() if len(found) == 1 else None


def _misshapen(state: State, own: State) -> list[str]:
    return [name for name in own if name in state and own[name].shape != state[name].shape]


def _shapes(name: str, state: State, own: State) -> str:
    return f"{name} {tuple(state[name].shape)} where the backbone has {tuple(own[name].shape)}"


def _listed(what: str, names: Iterable[str]) -> list[str]:
    listed = sorted(names)
    more = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return [f"{what} {', '.join(listed[:MAX_NAMED])}{more}"] if listed else []


def _find(model: nn.Module, layer: str) -> nn.Module:
    modules: dict[str, nn.Module] = {name: module for name, module in model.named_modules() if name}
    if layer in modules:
        return modules[layer]
    near = nearest(layer, modules)
    hint = f"did you mean {near}?" if near else f"it has {', '.join(list(modules)[:12])}"
    raise _unusable(f'the backbone has no layer "{layer}"; {hint}')


@torch.no_grad()
def _head_of(model: nn.Module, few_B: Tensor) -> nn.Module | None:
    """The linear layer called last, if the model returns what it computes; else None."""
    called: list[tuple[nn.Module, Any]] = []
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    hooks = [m.register_forward_hook(lambda module, _, output: called.append((module, output))) for m in linear]
    try:
        returned = _forward(model, few_B)
    finally:
        for hook in hooks:
            hook.remove()
    return called[-1][0] if called and called[-1][1] is returned else None


def _forward(model: nn.Module, x_B: Tensor) -> Any:
    on = f"the backbone on a batch of inputs, {x_B.dtype} of shape {tuple(x_B.shape)}"
    with errors_of(on, code="model-forward", hint=GUIDE):
        return model(x_B)


def _check(features_B: Tensor, name: str, num_samples: int) -> None:
    if features_B.dim() < 2 or len(features_B) != num_samples:
        raise _unusable(f"{name} is {described(features_B)} for {num_samples} inputs; expected (batch, ...)")


def _unusable(message: str) -> TrainingError:
    return TrainingError("features-unusable", f"model.features: {message}")


def _unreadable(path: Path, what: str) -> TrainingError:
    return TrainingError("weights-unusable", f"{path} {what}")
