"""A loss and a metric of embeddings, against plain torch and scikit-learn."""

import pytest
import torch
from sklearn.metrics import pairwise_distances
from torch.nn import functional as F

from craftc.components.build import build


def simclr(first_BD: torch.Tensor, second_BD: torch.Tensor, temperature: float) -> torch.Tensor:
    """NT-Xent, pair by pair, as Chen et al. (2020) write it down."""
    z = F.normalize(torch.cat([first_BD, second_BD]), dim=1)
    num = len(first_BD)
    losses = []
    for i in range(2 * num):
        j = (i + num) % (2 * num)
        others = torch.stack([torch.exp(z[i] @ z[k] / temperature) for k in range(2 * num) if k != i])
        losses.append(-torch.log(torch.exp(z[i] @ z[j] / temperature) / others.sum()))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_info_nce_of_two_views_is_nt_xent_with_its_gradient(temperature: float) -> None:
    views = torch.randn(6, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    objective = build("objectives", {"kind": "info_nce", "temperature": temperature}).double()
    loss_sum, weight_sum = objective(views)
    expected = simclr(views[:, 0], views[:, 1], float(objective.temperature))
    torch.testing.assert_close(loss_sum / weight_sum, expected, rtol=1e-12, atol=0)
    (ours,) = torch.autograd.grad(loss_sum / weight_sum, views)
    (theirs,) = torch.autograd.grad(expected, views)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-14)


def test_of_more_views_it_is_the_mean_over_all_pairs() -> None:
    views = torch.randn(4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z = F.normalize(views.flatten(0, 1), dim=1)
    losses = [
        -torch.log(torch.exp(z[i] @ z[j]) / sum(torch.exp(z[i] @ z[k]) for k in range(12) if k != i))
        for i in range(12)
        for j in range(12)
        if i != j and i // 3 == j // 3
    ]
    loss_sum, weight_sum = build("objectives", {"kind": "info_nce", "temperature": 1.0}).double()(views)
    torch.testing.assert_close(loss_sum / weight_sum, torch.stack(losses).mean(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", [(4, 5), (4, 1, 5)])
def test_it_needs_views_to_compare(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="compares views of a sample"):
        build("objectives", {"kind": "info_nce"})(torch.zeros(shape))


def test_nearest_neighbour_is_that_of_scikit_learn_whatever_the_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 4, (300,), generator=generator)
    embeddings = torch.randn(300, 8, generator=generator) + F.one_hot(targets, 8)
    distances = pairwise_distances(embeddings.double().numpy(), metric="cosine")
    distances[range(300), range(300)] = float("inf")
    expected = (targets[distances.argmin(1)] == targets).double().mean()
    metric = build("metrics", {"kind": "nearest_neighbour"}, 4)
    for part in torch.arange(300).split(77):
        metric.update(embeddings[part], targets[part])
    assert 0.3 < expected < 0.9
    assert metric.compute() == pytest.approx(float(expected), abs=1e-12)


def test_a_lone_sample_has_no_neighbour() -> None:
    metric = build("metrics", {"kind": "nearest_neighbour"}, 4)
    metric.update(torch.ones(1, 3), torch.tensor([2]))
    assert metric.compute().isnan()
