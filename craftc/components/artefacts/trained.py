"""What an artefact is made from, and what it comes to.

B: samples of a batch, M: predictions of a batch.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor, nn

from craftc.components.sources.columns import Column
from craftc.components.tokenizers.vocabulary import Vocabulary

Batch = dict[str, Tensor]


class ArtefactError(Exception):
    """An artefact cannot be made of this trial; the message says why."""


@dataclass(frozen=True)
class Trained:
    """A trained model on the CPU, in evaluation mode, beside the samples of one split.

    Args:
        model: The module whose weights are judged.
        first: The name of the first input's column.
        target: The target, of all `num_samples` samples; None where there is none, or more than one.
        target_name: Its name in batches.
        num_samples: Samples of the split.
        beside: Columns that no batch has, such as ids, (N,) each, by name.
        vocabulary: What the tokens of a text are; None of other data.
        batches: Columns by name, (B, ...) each, of so many of the first samples, in order; None: of all.
        output: What the model, as the pass or the after-stages have it, makes of a batch: the output that is measured.
        aligned: An output beside the target, as objectives and metrics are given them: of classes logits (M, C) and
            numbers (M,).
    """

    model: nn.Module
    first: str
    target: Column | None
    target_name: str | None
    num_samples: int
    beside: Mapping[str, NDArray[Any]]
    vocabulary: Vocabulary | None
    batches: Callable[[int | None], Iterator[Batch]]
    output: Callable[[Batch], Tensor]
    aligned: Callable[[Tensor, Batch], tuple[Tensor, Tensor]]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the target, in the order of its numbers, which are the names where it has no others."""
        if self.target is None:
            return ()
        return self.target.names or tuple(map(str, range(self.target.num_classes)))

    def predictions(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs beside targets, batch by batch, of all samples. No gradients are kept.

        Raises ArtefactError where there is no target.
        """
        if self.target is None:
            raise ArtefactError("the data has no target, or more than one")
        for batch in self.batches(None):
            yield self.aligned(self.output(batch), batch)


@dataclass(frozen=True)
class Made:
    """An artefact.

    Args:
        values: Its content for programs: JSON.
        text: The same for people; None where it is a picture alone.
        picture: A PNG; None where there is none.
    """

    values: Mapping[str, Any]
    text: str | None = None
    picture: bytes | None = None


class ArtefactComponent(Protocol):
    """What makes an artefact."""

    def make(self, trained: Trained) -> Made:
        """Of a trained model; without gradients, but what enables them. Raises ArtefactError."""
        ...
