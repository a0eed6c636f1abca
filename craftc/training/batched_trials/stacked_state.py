"""Makes the states of K trainings rows of common tensors.

K: trainings, N: trainable numbers of one model.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from craftc.training.assemble import Parts
from craftc.training.batched_trials.layers import quicken
from craftc.training.batched_trials.per_trial import PerTrial
from craftc.training.parts.dropout import Counted

Place = tuple[dict[str, Any], str]
"""A module's own dictionary of parameters or buffers, and the tensor's name in it. `_parameters` and `_buffers` are in
every module that was ever pickled, so that torch keeps them as they are; a tensor is put there in 0.2 us,
by `setattr` of a module in 4 us."""


class Template:
    """A model and an objective whose tensors are put in place for each call. They belong to no training.

    `trained` has the places of each trainable parameter of the model, several where it is used more than once; `held`
    those of all other tensors: frozen parameters and buffers, and all that the objective has.
    """

    def __init__(self, parts: Parts) -> None:
        # At once, for the dropout modules of the model are to draw from the copy.
        self.model, self.objective, self.dropout_bits = copy.deepcopy(
            (parts.model, parts.objective, parts.dropout_bits)
        )
        quicken(self.model)
        trained, held = _split(self.model, self.objective)
        self.trained = [places for _, places in trained]
        self.held = [places for _, places in held]
        self._num_of_model = len(held) - sum(1 for _ in places_of(self.objective))

    def serve(self, parts: Sequence[Parts]) -> None:
        """Have it do what any of these trainings does: a rate of 0 leaves out what another needs."""
        for own, *each in ((self.model, *(p.model for p in parts)), (self.objective, *(p.objective for p in parts))):
            for module, *others in zip(own.modules(), *(one.modules() for one in each), strict=True):
                if isinstance(module, PerTrial):
                    module.stand_for(others)

    @property
    def is_random(self) -> bool:
        """Whether a step draws numbers for dropout."""
        return any(isinstance(module, Counted) and module.p > 0 for module in self.model.modules())

    def fill(self, trained: Sequence[Tensor], held: Sequence[Tensor]) -> None:
        """Put tensors in place, in the order of `trained` and `held`."""
        for places, tensor in zip(self.trained, trained, strict=True):
            for owner, name in places:
                owner[name] = tensor
        for places, tensor in zip(self.held, held, strict=True):
            for owner, name in places:
                owner[name] = tensor

    def replaced(self, held: Sequence[Tensor]) -> tuple[str, str] | None:
        """The part and name of a tensor that was to be kept and updated in place, and is another one since `fill`."""
        for number, (places, tensor) in enumerate(zip(self.held, held, strict=True)):
            for owner, name in places:
                if owner.get(name) is not tensor:
                    return "model" if number < self._num_of_model else "objective", name
        return None


def places_of(module: nn.Module) -> Iterator[tuple[Tensor, list[Place]]]:
    """Each parameter and buffer of a module once, and all places that it has."""
    found: dict[int, tuple[Tensor, list[Place]]] = {}
    for part in module.modules():
        for owner in (part._parameters, part._buffers):
            for name, tensor in cast(dict[str, Tensor | None], owner).items():
                if tensor is not None:
                    found.setdefault(id(tensor), (tensor, []))[1].append((owner, name))
    yield from found.values()


class Stack:
    """The tensors of K trainings, whose own models, moving averages and objectives are views of them from here on.

    `weights` (K, N) are the trainable numbers; `average` those of the moving averages, None where there are none;
    `held` (K, *shape) each other tensor of model and objective.
    """

    def __init__(self, parts: Sequence[Parts]) -> None:
        self.parts = parts
        trained, held = zip(*(_split(each.model, each.objective) for each in parts), strict=True)
        self.shapes = [tensor.shape for tensor, _ in trained[0]]
        self.sizes = [shape.numel() for shape in self.shapes]
        self.weights = self._rows(trained).requires_grad_()
        self.held = [_stacked(column) for column in zip(*held, strict=True)]
        self.average: Tensor | None = None
        if parts[0].ema is not None:
            averages = [_split(each.evaluated)[0] for each in parts]
            self.average = self._rows(averages)

    def __len__(self) -> int:
        return len(self.parts)

    def views(self, rows: Tensor) -> list[Tensor]:
        """(K, N) as the K models' parameters, (K, *shape) each."""
        pieces = torch.split(rows, self.sizes, dim=1)
        return [piece.view(len(rows), *shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def row_views(self, row: Tensor) -> list[Tensor]:
        """(N,) as one model's parameters."""
        return [piece.view(shape) for piece, shape in zip(torch.split(row, self.sizes), self.shapes, strict=True)]

    def _rows(self, members: Sequence[Sequence[tuple[Tensor, list[Place]]]]) -> Tensor:
        """The parameters of each as a row of one tensor; the parameters become views of it."""
        rows = torch.stack([torch.cat([tensor.detach().flatten() for tensor, _ in member]) for member in members])
        for row, member in zip(rows, members, strict=True):
            for (tensor, _), view in zip(member, self.row_views(row), strict=True):
                tensor.data = view
        return rows


def _split(*modules: nn.Module) -> tuple[list[tuple[Tensor, list[Place]]], list[tuple[Tensor, list[Place]]]]:
    """The trainable parameters of the first module, and all other tensors of all."""
    model, *others = modules
    found = list(places_of(model))
    trained = [(tensor, places) for tensor, places in found if tensor.requires_grad]
    held = [(tensor, places) for tensor, places in found if not tensor.requires_grad]
    return trained, held + [pair for module in others for pair in places_of(module)]


def _stacked(column: Sequence[tuple[Tensor, list[Place]]]) -> Tensor:
    stacked = torch.stack([tensor.detach() for tensor, _ in column])
    for row, (tensor, _) in zip(stacked, column, strict=True):
        tensor.data = row
    return stacked
