"""A table encoded by its train rows, beside what scikit-learn makes of the same rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources.table import Table
from craftc.training.data.encode_table import (
    MISSING,
    NO_TOKENS,
    NUM_RESERVED,
    PADDING,
    RESERVED_TOKENS,
    UNKNOWN,
    UNKNOWN_TOKEN,
    encode_table,
    one_hot,
    one_hot_names,
)

NUMBERS, CATEGORIES = ["age", "income", "height"], ["city", "job"]


def frame(num_rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Numbers and categories with gaps, of which some values are rare."""
    rng = np.random.default_rng(seed)
    cities = np.array(["Bern", "Köln", "Łódź", "Paris, France", 'the "Hague"', "rare"])
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 90, num_rows).astype(float),
            "city": cities[rng.choice(6, num_rows, p=[0.3, 0.3, 0.2, 0.1, 0.09, 0.01])],
            "income": np.round(rng.lognormal(10, 1, num_rows), 2),
            "job": rng.choice(["baker", "smith", "clerk"], num_rows),
            "height": rng.normal(170, 10, num_rows),
        }
    ).astype({"city": object, "job": object})
    for name, share in (("age", 0.1), ("income", 0.05), ("city", 0.1), ("job", 0.0)):
        table.loc[rng.uniform(size=num_rows) < share, name] = None
    return table.assign(y=rng.choice(["no", "yes"], num_rows))


@pytest.fixture
def table(tmp_path: Path) -> tuple[Table, pd.DataFrame]:
    people = frame()
    people.to_csv(tmp_path / "people.csv", index=False)
    return read(tmp_path / "people.csv", impute="median", missing_indicator=True), people


def read(path: Path, **arguments: Any) -> Table:
    asked = {"kind": "csv", "path": path, "target": "y", "columns": {"city": "category", "job": "category"}}
    found: Table = build("sources", {**asked, **arguments})
    return found


TRAIN = np.random.default_rng(1).permutation(400)[:250]


def test_numbers_and_one_hot_columns_are_those_of_a_column_transformer(table: tuple[Table, pd.DataFrame]) -> None:
    given, people = table
    as_missing = SimpleImputer(strategy="constant", fill_value="<missing>", missing_values=None)
    transformer = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", add_indicator=True), NUMBERS),
            ("city", make_pipeline(as_missing, OneHotEncoder(handle_unknown="ignore", sparse_output=False)), ["city"]),
            ("job", make_pipeline(as_missing, OneHotEncoder(handle_unknown="ignore", sparse_output=False)), ["job"]),
        ]
    )
    people = people.astype({"city": object, "job": object}).where(people.notna(), None)
    people[NUMBERS] = people[NUMBERS].astype(float)
    expected = transformer.fit(people.iloc[TRAIN]).transform(people)
    encoded = encode_table(given, TRAIN)
    assert encoded.number_names == ("age", "income", "height", "age <missing>", "income <missing>")
    found = np.concatenate([encoded.numbers, one_hot(encoded.categories, encoded.in_train)], axis=1)
    np.testing.assert_array_equal(found, expected)
    names = [name for name in transformer.get_feature_names_out() if name.startswith(("city__", "job__"))]
    assert [name.replace("city__", "").replace("job__", "").replace("_", "=", 1) for name in names] == list(
        one_hot_names(encoded)
    )


def test_numbers_of_categories_are_those_of_an_ordinal_encoder(table: tuple[Table, pd.DataFrame]) -> None:
    given, people = table
    known = people[CATEGORIES].astype(object).where(people[CATEGORIES].notna(), np.nan)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2, encoded_missing_value=-1)
    expected = encoder.fit(known.iloc[TRAIN]).transform(known)
    np.testing.assert_array_equal(encode_table(given, TRAIN).categories, expected + NUM_RESERVED)


def test_what_train_does_not_have_is_unknown(table: tuple[Table, pd.DataFrame]) -> None:
    given, people = table
    rows = np.flatnonzero((people["city"] != "rare").to_numpy())
    encoded = encode_table(given, rows)
    is_rare, is_gap = (people["city"] == "rare").to_numpy(), people["city"].isna().to_numpy()
    assert is_rare.any()
    np.testing.assert_array_equal(encoded.categories[:, 0] == UNKNOWN, is_rare)
    np.testing.assert_array_equal(encoded.categories[:, 0] == MISSING, is_gap)
    assert "rare" not in encoded.values[0]
    # Train has no gap among the jobs, but the number for one is there.
    assert encoded.values[1] == ("<unknown>", "<missing>", "baker", "clerk", "smith")
    assert encoded.cardinalities == (7, 5)
    hot = one_hot(encoded.categories, encoded.in_train)
    np.testing.assert_array_equal(hot[:, : len(encoded.in_train[0])].sum(axis=1), ~is_rare)


def test_values_that_train_has_seldom_are_unknown(tmp_path: Path) -> None:
    people = frame()
    people.to_csv(tmp_path / "people.csv", index=False)
    counts = people["city"].value_counts()
    encoded = encode_table(read(tmp_path / "people.csv", impute="mean", min_count=30), np.arange(400))
    assert set(encoded.values[0][NUM_RESERVED:]) == set(counts[counts >= 30].index)
    assert (encoded.categories[:, 0] == UNKNOWN).sum() == counts[counts < 30].sum()


@pytest.mark.parametrize(("impute", "statistic"), [("median", np.nanmedian), ("mean", np.nanmean)])
def test_nothing_but_train_decides_what_fills_a_gap(impute: str, statistic: Any, tmp_path: Path) -> None:
    people = frame()
    people.to_csv(tmp_path / "people.csv", index=False)
    first = encode_table(read(tmp_path / "people.csv", impute=impute), TRAIN)
    others = np.setdiff1d(np.arange(400), TRAIN)
    people.loc[others, NUMBERS] *= 1000
    people.loc[others, "city"] = "elsewhere"
    people.to_csv(tmp_path / "people.csv", index=False)
    second = encode_table(read(tmp_path / "people.csv", impute=impute), TRAIN)
    np.testing.assert_array_equal(first.numbers[TRAIN], second.numbers[TRAIN])
    np.testing.assert_array_equal(first.categories[TRAIN], second.categories[TRAIN])
    assert (first.values, first.in_train) == (second.values, second.in_train)
    gap = int(np.flatnonzero(people["age"].isna().to_numpy())[0])
    assert second.numbers[gap, 0] == pytest.approx(statistic(people["age"].to_numpy()[TRAIN]), rel=1e-12)


def test_dates_are_days_since_the_earliest_of_train(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("d,y\n2020-01-05,u\n2020-01-01,v\n2020-01-02T12:00,u\n2019-12-31,v\n")
    given = build("sources", {"kind": "csv", "path": tmp_path / "t.csv", "target": "y", "columns": {"d": "date"}})
    encoded = encode_table(given, np.array([0, 1, 2]))
    assert encoded.numbers[:, 0].tolist() == [4, 0, 1.5, -1]


def test_a_column_that_train_has_no_value_of_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n1,,u\n2,,v\n3,5,u\n")
    asked = {"target": "y", "columns": {"b": "number"}, "impute": "median"}
    given = build("sources", {"kind": "csv", "path": tmp_path / "t.csv", **asked})
    with pytest.raises(DataError, match='"b" has no value in train'):
        encode_table(given, np.array([0, 1]))


REVIEWS = ["A fine film!", "fine, FINE cast", "", "Dull - a waste of 90 minutes.", "não é ruim", "unseen words only"]


def reviews(folder: Path, **arguments: Any) -> Table:
    pd.DataFrame({"review": REVIEWS, "y": ["u", "v"] * 3}).to_csv(folder / "reviews.csv", index=False)
    asked = {"kind": "csv", "path": folder / "reviews.csv", "target": "y", "columns": {"review": "text"}}
    found: Table = build("sources", {**asked, **arguments})
    return found


@pytest.mark.parametrize("tokenizer", ["words", "characters"])
@pytest.mark.parametrize("min_count", [1, 2])
def test_tokens_are_those_of_a_count_vectorizer(tokenizer: str, min_count: int, tmp_path: Path) -> None:
    train = np.array([0, 1, 2, 3])
    [found] = encode_table(reviews(tmp_path, tokenizer=tokenizer, min_count=min_count, max_tokens=40), train).texts
    how: dict[str, Any] = {"token_pattern": r"\w+|[^\w\s]"}
    if tokenizer == "characters":
        how = {"analyzer": "char", "lowercase": False}
    vectorizer = CountVectorizer(**how).fit([REVIEWS[row] for row in train])
    counts = vectorizer.transform(REVIEWS).toarray()
    kept = counts[train].sum(axis=0) >= min_count
    names = [name for name, is_kept in zip(vectorizer.get_feature_names_out(), kept, strict=True) if is_kept]
    assert found.names == (*RESERVED_TOKENS, *names)
    for row, expected in zip(found.tokens, counts[:, kept], strict=True):
        np.testing.assert_array_equal(np.bincount(row, minlength=len(found.names))[len(RESERVED_TOKENS) :], expected)
    every = CountVectorizer(**how).fit(REVIEWS).transform(REVIEWS).toarray()
    unknown = every.sum(axis=1) - counts[:, kept].sum(axis=1)
    np.testing.assert_array_equal((found.tokens == UNKNOWN_TOKEN).sum(axis=1), unknown)
    np.testing.assert_array_equal(found.mask.sum(axis=1), np.maximum(every.sum(axis=1), 1))
    assert (found.tokens[~found.mask] == PADDING).all()
    assert found.tokens[2].tolist() == [NO_TOKENS, *[PADDING] * 39]


def test_texts_are_as_long_as_the_longest_of_train(tmp_path: Path) -> None:
    [found] = encode_table(reviews(tmp_path), np.array([0, 1])).texts
    assert found.tokens.shape == (6, 4)
    assert found.num_cut == 1
    [short] = encode_table(reviews(tmp_path, max_tokens=2), np.array([0, 1])).texts
    assert [short.names[token] for token in short.tokens[1]] == ["fine", ","]
    assert short.num_cut == 5  # all but the empty one
