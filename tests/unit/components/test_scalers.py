"""Normalizers by channel and those of scikit-learn: the numbers are scikit-learn's, of batches and of whole splits."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler
from torch.func import vmap

from craftc.components.build import build

KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "min_max": ({}, MinMaxScaler()),
    "robust": ({}, RobustScaler()),
    "robust, wide": ({"low": 0.1, "high": 0.9}, RobustScaler(quantile_range=(10, 90))),
    "quantile": ({}, QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=None)),
    "quantile, few": (
        {"num_quantiles": 10},
        QuantileTransformer(n_quantiles=10, output_distribution="normal", subsample=None),
    ),
    "quantile, even": ({"output": "uniform"}, QuantileTransformer(n_quantiles=200, subsample=None)),
}


def table(num: int, seed: int) -> np.ndarray[Any, Any]:
    """Skewed, with ties, wild values, and mostly one value."""
    rng = np.random.default_rng(seed)
    columns = [rng.lognormal(size=num), rng.integers(0, 4, num), rng.standard_cauchy(num), rng.random(num) < 0.2]
    return np.stack([*columns, 1e6 + rng.normal(size=num)], axis=1)


def fitted(kind: str) -> Any:
    normalizer = build("normalizers", {"kind": kind.partition(",")[0], **KINDS[kind][0]})
    normalizer.fit(table(200, 0))
    return normalizer


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_scikit_learns(kind: str, seed: int) -> None:
    x = table(200 if seed == 0 else 60, seed)
    expected = KINDS[kind][1].fit(table(200, 0)).transform(x)
    np.testing.assert_allclose(fitted(kind)(x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_normalized_as_the_whole(kind: str) -> None:
    normalizer, x = fitted(kind), np.concatenate([table(200, 0), table(50, 1)])
    batch = torch.from_numpy(x)
    np.testing.assert_allclose(normalizer.of_batch(batch).numpy(), normalizer(x), rtol=1e-6, atol=1e-6)
    several = torch.stack([batch, batch.flip(0)])
    assert torch.equal(vmap(normalizer.of_batch)(several), torch.stack([normalizer.of_batch(each) for each in several]))


@pytest.mark.parametrize("kind", ["min_max", "robust", "quantile", "per_channel"])
def test_what_is_constant_becomes_0(kind: str) -> None:
    x = np.full((20, 1, 2, 2), 0.1) if kind == "per_channel" else np.full((20, 3), 0.1)
    normalizer = build("normalizers", {"kind": kind})
    normalizer.fit(x)
    other = x + 5
    for given in (x, other):
        assert not normalizer(given).any()
        assert not normalizer.of_batch(torch.from_numpy(given)).any()


@pytest.mark.parametrize("shape", [(50, 4, 5), (50, 3, 4, 5)])
def test_each_channel_has_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    if len(shape) == 4:
        x = x * np.array([1.0, 10.0, 0.01])[:, None, None] + np.array([5.0, -3.0, 0.0])[:, None, None]
    normalizer = build("normalizers", {"kind": "per_channel"})
    normalizer.fit(x)
    found, axes = normalizer(x), (0, -2, -1)
    np.testing.assert_allclose(found.mean(axes), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axes), 1, rtol=1e-5)
    np.testing.assert_allclose(normalizer.of_batch(torch.from_numpy(x)).numpy(), found, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="needs images"):
        normalizer.fit(np.zeros((4, 3)))


@pytest.mark.parametrize("kind", ["min_max", "robust", "quantile"])
def test_a_table_trains_with_it(kind: str, tmp_path: Any) -> None:
    from craftc.training.data.prepare import prepare

    config = {
        "source": {"kind": "diabetes"},
        "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "seed": 0},
        "normalize": {"kind": kind},
        "augment": [{"kind": "gaussian_noise", "std": 0.1}],
    }
    data = prepare(config)
    assert data.augmented is not None
    normalize = data.augmented.normalize
    assert normalize is not None
    train = torch.from_numpy(data.augmented.train.inputs.copy())
    np.testing.assert_allclose(normalize(train).numpy(), data.splits["train"].inputs, rtol=1e-5, atol=1e-5)
