"""Builds an objective that is a sum of terms, and adds up what its terms come to.

A term is an objective, and gives a sum and the weight by which that is divided. The weights of two terms may differ:
one counts classes by their own weights, another counts numbers that no mask leaves out. So it is means that are added
up, each of a term's sum over a batch, or over a whole split, by its weight there.

T: terms, K: trainings of a batch.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from craftc.components.sources.columns import Column
from craftc.schemas.result import Metrics
from craftc.schemas.terms import loss_names, objective_names, summands, term_names
from craftc.training.data.prepare import PreparedData
from craftc.training.parts.calls import Given, MeasureCall
from craftc.training.parts.model import Tried
from craftc.training.parts.objective import build_objective, sum_and_weight
from craftc.training.parts.trivial import best_constant

Sums = float | list[float]
"""Of the losses of one objective, or (T,) of those of each term."""


class Terms(nn.Module):
    """Several objectives of one output, which give the sum and the weight of each, (T,) and (T,).

    Called by names as any objective is: with the output, the target where there is one, and whatever columns and
    outputs any of its terms asks for.
    """

    per_trial_attributes: ClassVar = ("weights",)

    def __init__(self, terms: Mapping[str, nn.Module], calls: Sequence[MeasureCall], weights: Sequence[float]) -> None:
        super().__init__()
        self.names, self.calls = tuple(terms), tuple(calls)
        self.parts = nn.ModuleList(terms.values())
        self.weights = tuple(map(float, weights))
        # Trainings of a batch have these in common; their weights they need not.
        self.is_trained = tuple(weight > 0 for weight in self.weights)

    def stand_for(self, others: Sequence["Terms"]) -> None:
        """Nothing: means are weighed outside of it."""

    def forward(self, output: Tensor, target: Tensor | None = None, /, **others: Tensor) -> tuple[Tensor, Tensor]:
        """(T,) and (T,)."""
        given, sums, weights = Given(output, target, others), [], []
        for term, call, is_trained in zip(self.parts, self.calls, self.is_trained, strict=True):
            with torch.set_grad_enabled(is_trained and torch.is_grad_enabled()):
                loss_sum, weight_sum = sum_and_weight(term, call, given)
            sums.append(loss_sum.reshape(()))
            weights.append(weight_sum.reshape(()).to(loss_sum.dtype))
        return torch.stack(sums), torch.stack(weights)

    def added(self, means: Tensor) -> Tensor:
        """What is minimised, of the means (T,). One that is no number, and weighs nothing, changes nothing."""
        weighed = [
            weight * mean
            for weight, mean, is_trained in zip(self.weights, means.unbind(), self.is_trained, strict=True)
            if is_trained
        ]
        total = weighed[0]
        for more in weighed[1:]:
            total = total + more
        return total


def build_sum(
    setting: Mapping[str, Any], data: PreparedData, tried: Tried, device: torch.device, values: Collection[str] = ()
) -> tuple[nn.Module, MeasureCall]:
    """The objective of a spec on the device, and how it is called, which may be by `values`: one alone, or a sum.
    Raises what `build_objective` does."""
    names = term_names(setting)
    if not names:
        return build_objective(setting, data, tried, device, values)
    built = [
        build_objective(term, data, tried, device, values, place=".".join(map(str, place)))
        for place, term in summands(setting).items()
    ]
    terms = Terms(
        {name: term for name, (term, _) in zip(names, built, strict=True)},
        [call for _, call in built],
        [setting["terms"][name]["weight"] for name in names],
    )
    asked = dict.fromkeys(name for call in terms.calls for _, name in call.named)
    return terms, MeasureCall(data.splits["train"].target is not None, tuple((name, name) for name in asked))


def shape_of_losses(objective: nn.Module) -> tuple[int, ...]:
    """() of one objective, (T,) of a sum."""
    return (len(objective.names),) if isinstance(objective, Terms) else ()


def mean_of(objective: nn.Module, loss: Tensor, weight: Tensor) -> Tensor:
    """What a step minimises, by what the objective gave of a batch."""
    means = loss / weight
    return objective.added(means) if isinstance(objective, Terms) else means


def weighing(objectives: Sequence[nn.Module], like: Tensor) -> tuple[Tensor, list[int]] | None:
    """The weights (K, T) of the terms of K trainings that train the same terms, and which those are; None where they
    have no terms."""
    terms = [each for each in objectives if isinstance(each, Terms)]
    if not terms:
        return None
    trained = [place for place, is_trained in enumerate(terms[0].is_trained) if is_trained]
    weights = [[each.weights[place] for place in trained] for each in terms]
    return torch.tensor(weights, dtype=like.dtype, device=like.device), trained


def losses_of(objective: nn.Module, loss: Sums, weight: Sums, word: Literal["loss", "objective"]) -> Metrics:
    """What is recorded of sums and weights: the loss as it is called, and the mean of each term, which its own weight
    leaves alone. NaN where nothing counted."""
    if not isinstance(objective, Terms):
        assert isinstance(loss, float)
        assert isinstance(weight, float)
        return {word: _ratio(loss, weight)}
    assert isinstance(loss, list)
    assert isinstance(weight, list)
    means = [_ratio(one, other) for one, other in zip(loss, weight, strict=True)]
    total = sum(by * mean for by, mean in zip(objective.weights, means, strict=True) if by > 0)
    names = loss_names(objective.names) if word == "loss" else objective_names(objective.names)
    return {word: total, **dict(zip(names, means, strict=True))}


def _ratio(loss: float, weight: float) -> float:
    return loss / weight if weight else math.nan


def parts_of(objective: nn.Module) -> dict[str, nn.Module]:
    """What an objective is a sum of, by what each is recorded as: itself alone, as the loss, where it is none."""
    if not isinstance(objective, Terms):
        return {"loss": objective}
    return dict(zip(loss_names(objective.names), objective.parts, strict=True))


def constants_of_losses(objective: nn.Module, target: Column | None) -> dict[str, str | None]:
    """The constant output that is to be beaten in each loss. That of a sum is that of its first term; where a term has
    none, nothing in it can be computed for a constant."""
    found = {name: best_constant(part, target) for name, part in parts_of(objective).items()}
    if not isinstance(objective, Terms):
        return found
    return {"loss": next(iter(found.values())), **found} if all(found.values()) else {}


def loss_names_of(objective: nn.Module) -> list[str]:
    """What is recorded of it in evaluation: `loss`, and each term."""
    return ["loss", *(loss_names(objective.names) if isinstance(objective, Terms) else ())]


def is_shipped(objective: nn.Module) -> bool:
    """Whether it, or every term of it, ships with craftc; of what is a user's own nobody knows what it does beside."""
    return all(type(part).__module__.startswith("craftc.") for part in parts_of(objective).values())
