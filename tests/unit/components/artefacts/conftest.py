"""A trained model as artefacts are handed it, without a training."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from craftc.components.artefacts.trained import Trained
from craftc.components.sources.columns import Column
from craftc.components.tokenizers.vocabulary import Vocabulary

MakeTrained = Callable[..., Trained]


@pytest.fixture
def make_trained() -> MakeTrained:
    """Of inputs (N, ...) and a target, in batches of three; by default the model's own output beside the target."""

    def make(
        model: nn.Module,
        inputs: Tensor,
        target: Column,
        *,
        vocabulary: Vocabulary | None = None,
        beside: Mapping[str, Any] = {},
        columns: Mapping[str, Tensor] = {},
    ) -> Trained:
        every = {"x": inputs, "y": torch.from_numpy(target.values), **columns}

        def batches(most: int | None) -> Iterator[dict[str, Tensor]]:
            num = len(inputs) if most is None else min(most, len(inputs))
            for start in range(0, num, 3):
                yield {name: column[start : min(start + 3, num)] for name, column in every.items()}

        def aligned(output: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            if target.kind in ("class", "token"):
                return output.flatten(0, -2), batch["y"].flatten()
            return output, batch["y"]

        return Trained(
            model.eval(), "x", target, "y", len(inputs), beside, vocabulary, batches, lambda b: model(b["x"]), aligned
        )

    return make


@pytest.fixture
def ten_classes() -> tuple[Tensor, Column]:
    """Logits (N, C) of 200 samples, and what they are of three classes, one of which no sample has."""
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(200, 4)).astype(np.float32) * 3)
    return logits, Column(rng.integers(0, 3, 200), "class", "target", ("a", "b\n", "c", "none of them"))
