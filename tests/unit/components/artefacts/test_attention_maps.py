"""Attention as it is recorded, beside the weights that torch itself returns."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.artefacts.attention_maps import AttentionMaps, recorded, weights_of
from craftc.components.artefacts.trained import ArtefactError
from craftc.components.models.decoder import Decoder
from craftc.components.sources.columns import Column


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.3},
        {"attn_mask": randn(5, 5, seed=9)},
        {"attn_mask": torch.ones(5, 5, dtype=torch.bool).tril(1)},
    ],
)
def test_the_weights_make_what_torch_makes(options: dict[str, object]) -> None:
    q, k, v = (randn(2, 3, 5, 4, seed=seed) for seed in range(3))
    weights = weights_of(q, k, v, **options)
    torch.testing.assert_close(weights @ v, F.scaled_dot_product_attention(q, k, v, **options))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5))


def test_heads_that_share_keys() -> None:
    q, k, v = randn(2, 4, 5, 4), randn(2, 2, 5, 4, seed=1), randn(2, 2, 5, 4, seed=2)
    weights = weights_of(q, k, v, enable_gqa=True)
    torch.testing.assert_close(
        weights @ v.repeat_interleave(2, 1), F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    )


@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_attention_is_seen_once_and_returns_what_it_did(need_weights: bool) -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x, hidden = randn(3, 6, 8), torch.zeros(3, 6, dtype=torch.bool)
    hidden[1, 4:] = True
    with torch.no_grad():
        plain = attention(x, x, x, key_padding_mask=hidden, need_weights=need_weights)
        _, wanted = attention(x, x, x, key_padding_mask=hidden, average_attn_weights=False)
    with recorded(attention) as record, torch.enable_grad():
        seen = attention(x, x, x, key_padding_mask=hidden, need_weights=need_weights)
    [only] = record.maps
    torch.testing.assert_close(only.weights_BNTS, wanted)
    torch.testing.assert_close(seen[0].detach(), plain[0])
    assert (seen[1] is None) == (plain[1] is None) == (not need_weights)


def test_every_layer_of_torchs_encoder_is_seen_and_named(make_trained: Any) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 3), nn.Flatten(), nn.Linear(40, 4))
    target = Column(np.zeros(4, dtype=np.int64), "class", "target", sizes=(4,))
    with torch.no_grad():
        made = AttentionMaps(samples=2).make(make_trained(model, randn(4, 5, 8), target))
    assert [each["module"] for each in made.values["layers"]] == [f"0.layers.{n}.self_attn" for n in range(3)]
    assert [(each["heads"], each["places"]) for each in made.values["layers"]] == [(2, [5, 5])] * 3
    means = torch.tensor(made.values["layers"][1]["mean_over_heads"])
    assert means.shape == (2, 5, 5)
    torch.testing.assert_close(means.sum(-1), torch.ones(2, 5), atol=1e-3, rtol=0)
    assert torch.backends.mha.get_fastpath_enabled()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_craftcs_own_attention_is_seen_for_few_places_too(make_trained: Any) -> None:
    model = Decoder(vocabulary_size=5, context_length=4, d_model=8, num_layers=2, num_heads=2, d_ffn=8)
    tokens = torch.tensor([[1, 2, 3, 4]])
    target = Column(tokens.numpy(), "token", "target", sizes=(5,))
    with torch.no_grad():
        made = AttentionMaps().make(make_trained(model, tokens, target))
    [first, second] = (torch.tensor(each["mean_over_heads"])[0] for each in made.values["layers"])
    assert first[0].tolist() == second[0].tolist() == [1, 0, 0, 0]
    entropy = made.values["layers"][0]["entropy"][0]
    assert all(0 < value < math.log(4) for value in entropy)


def test_attention_that_nobody_can_see_is_said(make_trained: Any) -> None:
    target = Column(np.zeros(2, dtype=np.int64), "class", "target", sizes=(3,))
    with pytest.raises(ArtefactError, match="nothing that the model calls computes attention"):
        AttentionMaps().make(make_trained(nn.Linear(4, 3), randn(2, 4), target))
