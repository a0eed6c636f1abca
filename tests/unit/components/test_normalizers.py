"""Normalizers learn from the train split and from nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from craftc.components.build import build

SHAPES = [(6, 5), (6, 4, 5), (6, 2, 4, 5)]
numbers = st.floats(-1e3, 1e3, width=32)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["per_line", "per_dataset", "per_feature"]),
    train=arrays(np.float32, (5, 3, 4), elements=numbers),
    sample=arrays(np.float32, (1, 3, 4), elements=numbers),
    others=arrays(np.float32, (3, 3, 4), elements=numbers),
)
def test_a_sample_is_normalized_by_the_train_split_alone(
    kind: str, train: np.ndarray, sample: np.ndarray, others: np.ndarray
) -> None:
    alone, in_other_order, repeated = (build("normalizers", {"kind": kind}) for _ in range(3))
    for normalizer in (alone, in_other_order, repeated):
        normalizer.fit(train)
    repeated(others)
    expected = alone(sample)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(in_other_order(np.concatenate([sample, others]))[:1], expected)
    np.testing.assert_array_equal(repeated(sample), expected)


@pytest.mark.parametrize("kind", ["none", "per_line", "per_dataset", "per_feature"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_and_type_are_kept(kind: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)
    normalizer = build("normalizers", {"kind": kind})
    normalizer.fit(x)
    assert (normalizer(x).shape, normalizer(x).dtype) == (shape, np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_per_line_removes_each_lines_mean_and_keeps_relative_contrast(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)
    normalizer = build("normalizers", {"kind": "per_line"})
    normalizer.fit(x)
    normalized = normalizer(x)
    np.testing.assert_allclose(normalized.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(normalized.std(), 1, rtol=1e-5)
    ratio = normalized.std(-1) / x.std(-1)
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-4)


def test_per_line_does_not_see_an_offset_per_line() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    normalizer = build("normalizers", {"kind": "per_line"})
    normalizer.fit(x)
    offsets = np.arange(12, dtype=np.float32).reshape(4, 3, 1)
    np.testing.assert_allclose(normalizer(x + offsets), normalizer(x), atol=1e-5)


def test_per_dataset_gives_train_mean_0_and_deviation_1() -> None:
    x = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    normalizer = build("normalizers", {"kind": "per_dataset"})
    normalizer.fit(x)
    assert abs(normalizer(x).mean()) < 1e-6
    assert abs(normalizer(x).std() - 1) < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_per_feature_gives_each_place_of_a_sample_train_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    units = 10.0 ** rng.integers(-3, 4, shape[1:])
    x = (rng.normal(3, 2, shape) * units).astype(np.float32)
    normalizer = build("normalizers", {"kind": "per_feature"})
    normalizer.fit(x)
    np.testing.assert_allclose(normalizer(x).mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalizer(x).std(0), 1, rtol=1e-5)
    np.testing.assert_array_equal(normalizer(x[:2]), normalizer(x)[:2])


def test_per_feature_makes_0_of_a_column_that_train_has_constant() -> None:
    train = np.array([[1, 0.1], [3, 0.1]], np.float32)
    normalizer = build("normalizers", {"kind": "per_feature"})
    normalizer.fit(train)
    assert normalizer(train).tolist() == [[-1, 0], [1, 0]]
    assert normalizer(np.array([[5, 7]], np.float32)).tolist() == [[3, 0]]


@pytest.mark.parametrize("kind", ["per_line", "per_dataset", "per_feature"])
def test_constant_data_stay_finite_and_an_unfitted_normalizer_refuses(kind: str) -> None:
    normalizer = build("normalizers", {"kind": kind})
    constant = np.full((3, 2, 4), 0.1, dtype=np.float32)
    with pytest.raises(RuntimeError, match=kind):
        normalizer(constant)
    normalizer.fit(constant)
    assert np.abs(normalizer(constant)).max() < 1e-6
