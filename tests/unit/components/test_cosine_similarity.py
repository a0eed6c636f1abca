"""The mean cosine similarity against torch's."""

import pytest
import torch

from craftc.components.build import build

VECTORS = torch.randn(2, 6, 3, 5, generator=torch.Generator().manual_seed(1))
MASK = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=torch.bool)


@pytest.mark.parametrize("is_masked", [False, True])
def test_batches_add_up_to_torchs_mean_over_the_vectors_that_count(is_masked: bool) -> None:
    metric = build("metrics", {"kind": "cosine_similarity"}, 5)
    outputs, targets = VECTORS
    for part in (slice(0, 4), slice(4, 6)):
        metric.update(outputs[part], targets[part], **({"mask": MASK[part]} if is_masked else {}))
    found = torch.nn.CosineSimilarity(dim=-1)(outputs.double(), targets.double())
    expected = found[MASK].mean() if is_masked else found.mean()
    torch.testing.assert_close(metric.compute(), expected, rtol=0, atol=1e-12)
