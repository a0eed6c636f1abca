"""Attention: one result whichever way it is computed."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import vmap

from craftc.components.models import attention
from craftc.components.models.attention import attend


def inputs(*first: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*first, 3, 2, 5, 4, generator=generator, dtype=torch.float64) for _ in range(3)]


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_textbooks(causal: bool) -> None:
    q, k, v = inputs()
    scores = q @ k.mT / math.sqrt(4)
    if causal:
        scores = scores.masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -math.inf)
    torch.testing.assert_close(attend(q, k, v, causal=causal), scores.softmax(-1) @ v)


@pytest.mark.parametrize("causal", [False, True])
def test_dropout_of_next_to_nothing_changes_next_to_nothing(causal: bool) -> None:
    q, k, v = inputs()
    almost_none = attend(q, k, v, causal=causal, dropout=nn.Dropout(1e-12))
    torch.testing.assert_close(almost_none, attend(q, k, v, causal=causal, dropout=nn.Dropout(0.0)))


def test_dropout_drops_weights_in_training_alone() -> None:
    q, k, _ = inputs()
    dropout = nn.Dropout(0.5)
    # With the unit matrix as values, what comes out are the weights.
    weights = attend(q, k, torch.eye(5, dtype=torch.float64).expand(3, 2, 5, 5), dropout=dropout)
    assert 0.2 < (weights == 0).double().mean() < 0.8
    dropout.eval()
    assert (attend(q, k, torch.eye(5, dtype=torch.float64).expand(3, 2, 5, 5), dropout=dropout) > 0).all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shares_keys", [False, True])
def test_under_vmap_each_model_gets_what_it_gets_alone(causal: bool, shares_keys: bool) -> None:
    q, k, v = (x.requires_grad_() for x in inputs(6))
    in_dims = (0, None, 0) if shares_keys else 0
    keys = k[0] if shares_keys else k
    together = vmap(lambda q, k, v: attend(q, k, v, causal=causal), in_dims=in_dims)(q, keys, v)
    alone = torch.stack([attend(q[i], keys if shares_keys else k[i], v[i], causal=causal) for i in range(6)])
    torch.testing.assert_close(together, alone)
    # Squared, so that the gradients are not all alike.
    found = torch.autograd.grad(together.square().sum(), (q, k, v))
    expected = torch.autograd.grad(alone.square().sum(), (q, k, v))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("width", [4, 8])
def test_without_gradients_it_is_the_same(causal: bool, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that three samples are several pieces.
    monkeypatch.setattr(attention, "SCORES_AT_ONCE", 100)
    q, k, v = (torch.cat([x] * (width // 4), dim=-1) for x in inputs(6))
    expected = torch.stack([attend(q[i], k[i], v[i], causal=causal) for i in range(6)])
    with torch.no_grad():
        alone = torch.stack([attend(q[i], k[i], v[i], causal=causal) for i in range(6)])
        together = vmap(lambda q, k, v: attend(q, k, v, causal=causal))(q, k, v)
    torch.testing.assert_close(alone, expected)
    torch.testing.assert_close(together, expected)
