"""Windows of a text that overlap, and what of them is measured."""

import numpy as np
import pytest

from craftc.components.errors import DataError
from craftc.components.sources.columns import COUNTED
from craftc.components.sources.tokens import Tokens, characters
from craftc.training.data.split_text import split_text

SHARES = {"train": 0.5, "valid": 0.2, "test": 0.3}
TEXT = "".join(chr(ord("a") + number) for number in np.random.RandomState(0).randint(5, size=1000))


def split(stride, length=16, text=TEXT):
    return split_text(characters(text, context_length=length, min_count=1, stride=stride), SHARES)


@pytest.mark.parametrize(("length", "stride"), [(16, 16), (16, 8), (16, 5), (16, 1), (7, 3), (150, 40)])
def test_every_token_of_what_is_measured_counts_once(length, stride):
    splits, *_ = split(stride, length)
    order = sorted(set(TEXT))
    numbers = np.array([order.index(letter) for letter in TEXT])
    for name, (first, last) in {"valid": (500, 700), "test": (700, 1000)}.items():
        x, y = splits[name].columns["x"], splits[name].columns["y"]
        counted = splits[name].columns[COUNTED].values
        assert x.names == tuple(order)
        # All targets that count, window after window, are the stretch without its first token.
        assert np.array_equal(y.values[counted], numbers[first + 1 : last])
        # Each has enough before it, or all that there is.
        place = np.cumsum(counted.ravel())[counted.ravel()]
        context = np.broadcast_to(np.arange(1, length + 1), counted.shape)[counted]
        assert (context >= np.minimum(place, length - stride)).all()
        # What is before it is the text before it.
        assert np.array_equal(x.values[:, 1:], y.values[:, :-1])


def test_train_has_more_samples_and_stays_within_its_stretch():
    plain, counts, _ = split(None)
    splits, more, _ = split(4)
    assert COUNTED not in splits["train"].columns
    assert COUNTED not in plain["valid"].columns
    assert len(plain["train"]) == 31
    assert len(splits["train"]) == 121
    assert np.array_equal(splits["train"].inputs[::4], plain["train"].inputs)
    # Every token of the stretch is counted once, however many windows have it.
    assert counts.sum() == 497
    assert more.sum() == 497
    assert "".join(plain["train"].columns["x"].names[n] for n in splits["train"].targets[-1]) == TEXT[481:497]


def test_a_stride_of_the_whole_length_measures_the_end_too():
    plain, *_ = split(None)
    splits, *_ = split(16)
    assert np.array_equal(plain["train"].inputs, splits["train"].inputs)
    assert plain["valid"].targets.size == 192
    assert splits["valid"].columns[COUNTED].values.sum() == 199


@pytest.mark.parametrize("stride", [0, 17])
def test_a_stride_is_at_most_a_window(stride):
    with pytest.raises(DataError, match="a stride of"):
        Tokens(np.zeros(100, dtype=np.int64), ("a",), 16, stride=stride)
