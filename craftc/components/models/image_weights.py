"""Reads trained weights of image models from files, and finds what has been downloaded before. Downloads nothing."""

from collections.abc import Mapping, MutableMapping
from copy import copy
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

State = MutableMapping[str, Tensor]

IN_FOLDER = ("model.safetensors", "pytorch_model.bin")
"""What the file of weights in a folder is called, as Hugging Face's libraries write it."""
OF_CHECKPOINT = ("model", "state_dict")
"""Under what a checkpoint has its weights: craftc's under the first."""


def read_state(path: Path) -> State:
    """The tensors by name in a file that `torch.save` or safetensors wrote, in a checkpoint or in a folder with one.

    Raises ValueError for what holds none; no code that a file may hold is run.
    """
    file = path
    if path.is_dir():
        found = [path / name for name in IN_FOLDER if (path / name).is_file()]
        if not found:
            raise ValueError(f"the folder {path} has no {' or '.join(IN_FOLDER)}")
        file = found[0]
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    loaded: Any = _loaded(file)
    for name in OF_CHECKPOINT:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ValueError(f"{file} holds no weights; expected a state_dict: names, and a tensor for each")
    # No copy: a state_dict of torch's knows of which version its layers are.
    return cast("State", loaded)


def _loaded(file: Path) -> Any:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)


def downloaded(url: str) -> Path | None:
    """What `torch.hub` has kept of a URL, where it has."""
    file = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    return file if url and file.is_file() else None


def not_downloaded(name: str, mend: str) -> ValueError:
    """That there are no weights by that name on this machine."""
    return ValueError(f"no weights of {name} have been downloaded on this machine, and craftc downloads none; {mend}")


def with_own_head(state: State, model: nn.Module, num_classes: int) -> State:
    """Weights whose last layer is the model's own where it tells apart another number of classes.

    Raises ValueError where other layers differ.
    """
    own = model.state_dict()
    kept = copy(state)
    for name in [name for name in own if name in state and own[name].shape != state[name].shape]:
        here, there = own[name].shape, state[name].shape
        if here[0] != num_classes or here[1:] != there[1:]:
            raise ValueError(f"its weights have {name} {tuple(there)}, and the model has {tuple(here)}")
        kept[name] = own[name]
    return kept
