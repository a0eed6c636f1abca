"""Counted numbers: what they are, how often, and that no two streams have anything to do with each other."""

import math

import pytest
import torch
from torch import Tensor

from craftc.components.numbers import GOLDEN, Key, Numbers, hashed, walk
from craftc.training.foundation.random import step_key

CPU = torch.device("cpu")
NUM = 200_000


def bits_of(key: Key, num: int = NUM) -> Tensor:
    """(num, 32) zeros and ones."""
    drawn = hashed(walk(0, num, CPU), key)
    return (drawn[:, None] >> torch.arange(32, dtype=torch.int32)) & 1


def test_the_numbers_are_these_and_stay_these() -> None:
    drawn = hashed(walk(0, 3, CPU), step_key(0, "forward", 0)).tolist()
    assert drawn == [2071304635, -1552632475, 1074398934], "changed numbers: raise the semantics version"


def test_every_bit_is_even_and_independent_of_the_others_and_of_its_neighbours() -> None:
    # 5 deviations of the mean of NUM fair bits.
    tolerance = 5 * 0.5 / math.sqrt(NUM)
    bits = bits_of(step_key(3, "forward", 7)).float()
    assert ((bits.mean(0) - 0.5).abs() < tolerance).all()
    centered = bits - 0.5
    between_bits = centered.T @ centered / NUM
    assert (between_bits.fill_diagonal_(0).abs() < tolerance).all()
    for lag in (1, 2, 17, 64, 1000):
        assert ((centered[lag:].T @ centered[:-lag] / NUM).abs() < tolerance).all()


@pytest.mark.parametrize(
    "other",
    [("forward", 1, 4), ("forward", 0, 5), ("augmentation", 0, 4), ("forward", 2**32 - 1, 10**7)],
    ids=["seed", "step", "use", "far"],
)
def test_two_keys_have_nothing_in_common(other: tuple[str, int, int]) -> None:
    use, seed, step = other
    one = bits_of(step_key(0, "forward", 4)).float() - 0.5
    two = bits_of(step_key(seed, use, step)).float() - 0.5  # type: ignore[arg-type]
    assert ((one.T @ two / NUM).abs() < 5 * 0.5 / math.sqrt(NUM)).all()
    assert (one == two).all(1).sum() <= 1


def test_a_key_repeats_no_number() -> None:
    assert len(hashed(walk(0, NUM, CPU), step_key(0, "forward", 0)).unique()) == NUM


def test_no_key_draws_what_another_draws_later() -> None:
    # Keys by a multiple of the constant that counters are spread by: hashed at once, they would be one walk.
    for distance in (1, 31):
        key = step_key(0, "augmentation", 0)
        other = (int(torch.tensor(key[0] + distance * GOLDEN, dtype=torch.int64).to(torch.int32)), 12345)
        one, two = (Numbers(each, CPU).uniform(NUM).double() for each in (key, other))
        for shifted in (one[distance:] - two[:-distance], two[distance:] - one[:-distance]):
            # Of independent numbers a difference is triangular, of variance 1/6.
            assert abs(shifted.var().item() - 1 / 6) < 0.005
            assert (shifted[:1000, None] == shifted[None, :1000]).sum() < 1000 + 100


def test_uniform_and_normal_are_what_they_are_called() -> None:
    numbers = Numbers(step_key(1, "augmentation", 0), CPU)
    uniform = numbers.uniform(NUM)
    assert 0 <= uniform.min() < 1e-4
    assert 1 - 1e-4 < uniform.max() < 1
    counts = torch.histc(uniform, 50, 0, 1)
    assert (counts - NUM / 50).square().sum().item() / (NUM / 50) < 49 + 5 * math.sqrt(2 * 49)
    normal = numbers.normal(NUM // 2, 2).flatten().double()
    assert abs(normal.mean().item()) < 5 / math.sqrt(NUM)
    assert abs(normal.var().item() - 1) < 5 * math.sqrt(2 / NUM)
    assert abs((normal**4).mean().item() - 3) < 5 * math.sqrt(96 / NUM)
    inside = (normal.abs() < 1.96).double().mean().item()
    assert abs(inside - 0.95) < 0.003


def test_later_draws_are_other_numbers_and_odd_shapes_are_filled() -> None:
    numbers = Numbers((1, 2), CPU)
    first, second = numbers.normal(3, 5), numbers.normal(3, 5)
    assert first.shape == (3, 5)
    assert not (first == second).any()
    assert numbers.uniform().shape == ()
    assert numbers.uniform(0, 4).shape == (0, 4)
