"""A text's tokens -> the windows of each split, and their vocabulary."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from craftc.components.errors import DataError
from craftc.components.sources.load import united
from craftc.components.sources.tokens import Tokens, characters
from craftc.training.data.split_samples import split_samples
from craftc.training.data.split_text import UNKNOWN

SPLITS = {"test": 0.25, "train": 0.5, "valid": 0.25, "stratify": True, "seed": 0}


def failure(tokens: Tokens, splits=SPLITS) -> DataError:
    with pytest.raises(DataError) as raised:
        split_samples(tokens, splits)
    return raised.value


@given(
    text=st.text(alphabet="abc\n", min_size=60, max_size=200),
    context_length=st.integers(1, 12),
    min_count=st.integers(1, 3),
    splits=st.sampled_from([SPLITS, {"train": 0.7, "test": 0.3}, {"b": 0.2, "train": 0.5, "a": 0.2, "test": 0.1}]),
)
def test_windows_are_the_text_and_targets_what_follows(text, context_length, min_count, splits):
    tokens = characters(text, context_length=context_length, min_count=min_count)
    fractions = {name: value for name, value in splits.items() if isinstance(value, float)}
    try:
        shared = split_samples(tokens, {"stratify": True, "seed": 0} | fractions)
    except DataError:  # what else there is to say of these stands below
        assume(False)
    names = list(shared.splits)
    assert (names[0], names[-1]) == ("train", "test")
    assert names[1:-1] == sorted(names[1:-1])
    start = 0
    for name in names:
        inputs, targets = shared.splits[name].inputs, shared.splits[name].targets
        assert inputs.shape == targets.shape == (len(inputs), context_length)
        assert inputs.dtype == targets.dtype == np.int64
        # In the place where it stands in the text, and no longer than its share, so that no two splits overlap.
        share = round(sum(fractions[n] for n in names[: names.index(name) + 1]) * len(text)) - start
        stretch = text[start : start + share]
        assert len(stretch) - context_length <= inputs.size + 1 <= len(stretch)
        for row, wanted in ((inputs.ravel(), stretch[: inputs.size]), (targets.ravel(), stretch[1 : inputs.size + 1])):
            for number, character in zip(row, wanted, strict=True):
                assert shared.splits["train"].columns["y"].names[number] in (character, UNKNOWN)
        start += share
    used = text[: shared.splits["train"].inputs.size + 1]
    assert shared.class_counts.sum() == len(used)
    assert shared.class_counts.min() > 0
    for name, count in zip(shared.splits["train"].columns["y"].names, shared.class_counts, strict=True):
        if name != UNKNOWN:
            assert used.count(name) == count >= min_count


def test_the_vocabulary_is_that_of_train():
    # Train: 40 characters; é and ü stand in the others alone, and q once in train.
    text = "abababababq" + "ab" * 15 + "aé" * 10 + "üb" * 10
    error = failure(characters(text, context_length=4, min_count=1))
    assert error.code == "unknown-token"
    assert "split valid has tokens that train does not have: 'é'" in error.message
    assert "min_count: 2" in error.hint
    assert "'q'" in error.hint
    shared = split_samples(characters(text, context_length=4, min_count=2), SPLITS)
    assert shared.splits["train"].columns["y"].names == ("a", "b", UNKNOWN)
    assert (shared.splits["train"].inputs == 2).sum() == 1
    assert (shared.splits["valid"].inputs == 2).sum() > 5
    assert shared.class_counts[2] == 1


def test_a_split_shorter_than_a_window_is_empty():
    error = failure(characters("ab" * 20, context_length=10, min_count=1))
    assert error.code == "empty-split"
    assert error.place == "data.splits.valid"
    assert "10 tokens of the text, and a window takes 11" in error.message
    assert len(split_samples(characters("ab" * 20, context_length=9, min_count=1), SPLITS).splits["test"]) == 1


@pytest.mark.parametrize(("text", "min_count", "said"), [("a" * 99, 1, "'a'"), ("ab" * 50, 99, UNKNOWN)])
def test_one_token_alone_is_nothing_to_predict(text, min_count, said):
    error = failure(characters(text, context_length=4, min_count=min_count))
    assert error.code == "single-class"
    assert said in error.message


@pytest.mark.parametrize(
    ("numbers", "names", "said"),
    [
        (np.array([0, 3]), ("a", "b"), "from 0 to 3 for 2 names"),
        (np.array([[0, 1]]), ("a", "b"), "in one row"),
        (np.array([0.0, 1.0]), ("a", "b"), "float64"),
        (np.array([0, 1]), ("a", "a"), "one name"),
    ],
)
def test_tokens_that_do_not_fit_together(numbers, names, said):
    with pytest.raises(DataError, match=said):
        Tokens(numbers, names, 4)


def own_texts(**texts: str):
    return united({name: characters(text, context_length=4, min_count=2) for name, text in texts.items()})


def test_a_source_gives_a_text_for_each_split():
    texts = {"test": "hello wello", "train": "hello hellq hello hello", "valid": "lo hello hello hello"}
    shared = split_samples(own_texts(**texts), {"from_source": True, "stratify": True, "seed": 0})
    assert list(shared.splits) == ["train", "valid", "test"]
    for name, split in shared.splits.items():
        names = split.columns["x"].names
        read = "".join(names[number] for number in split.inputs.reshape(-1))
        expected = "".join(c if c in "helo " else UNKNOWN for c in texts[name])
        assert read == expected[: len(read)]
        assert len(split) == (len(texts[name]) - 1) // 4


def test_what_a_source_of_texts_does_not_give_is_refused_all_at_once():
    texts = own_texts(train="hello hello", holdout="hello hello")
    error = failure(texts, {"from_source": True, "stratify": True, "seed": 0})
    assert [(each.code, each.message) for each in error.all] == [
        ("empty-split", "the source gives no text of split valid"),
        ("empty-split", "the source gives no text of split test"),
        ("split-unusable", 'the source gives a text "holdout", which is no split here'),
    ]
    alone = failure(characters("hello", context_length=2, min_count=1), {"from_source": True, "seed": 0})
    assert alone.message == "the source gives one text, and no splits"


@pytest.mark.parametrize(
    ("key", "hint"),
    [("order", "leave it out: train is the beginning"), ("group", "keeps documents together"), ("folds", "neighbours")],
)
def test_what_is_said_of_samples_is_refused_of_a_text(key, hint):
    error = failure(
        characters("hello" * 20, context_length=2, min_count=1), SPLITS | {key: 5 if key == "folds" else "a"}
    )
    assert (error.code, error.place) == ("split-unusable", f"data.splits.{key}")
    assert hint in error.hint
