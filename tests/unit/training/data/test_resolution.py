"""64 bits until inputs are normalized, and what is told of those that a model does not get, beside scikit-learn."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.splits import split_indices
from craftc.training.data import prepared_files
from craftc.training.data.prepare import PreparedData, _prepare, prepare
from craftc.training.data.prepared_files import Shelf

SPLITS = {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0, "allow_duplicates": True}
NUM = 200
RNG = np.random.default_rng(0)
LABELS = np.arange(NUM) % 2
SIGNAL = LABELS * 2 + RNG.normal(size=NUM) * 0.3


def load(source: dict[str, Any], normalize: str) -> PreparedData:
    return prepare({"source": source, "splits": SPLITS, "normalize": {"kind": normalize}, "augment": []})


def table(folder: Path, **columns: Any) -> dict[str, Any]:
    path = folder / "d.csv"
    pd.DataFrame(columns | {"y": LABELS}).to_csv(path, index=False)
    return {"kind": "csv", "path": str(path), "target": "y", "features": "none", "keep_labels": False}


def archive(folder: Path, inputs: Any) -> dict[str, Any]:
    np.savez(folder / "d.npz", inputs=inputs, targets=LABELS)
    return {"kind": "arrays", "path": str(folder / "d.npz"), "inputs": "inputs", "targets": "targets"}


def values(data: PreparedData, split: str) -> Any:
    return data.splits[split].inputs, data.splits[split].targets


@pytest.mark.parametrize("offset", [0, 3e5, 1.7e9, 1.7e12])
@pytest.mark.parametrize("make", ["csv", "arrays"])
def test_an_offset_changes_nothing_that_is_scaled_by_column(tmp_path: Path, offset: float, make: str) -> None:
    column = np.round(SIGNAL, 2) + offset
    source = table(tmp_path, a=column) if make == "csv" else archive(tmp_path, column[:, None])
    data = load(source, "per_feature")
    assert data.warnings == ()
    x_train, y_train = values(data, "train")
    x_test, y_test = values(data, "test")
    assert x_train.dtype == np.float32
    raw = column[:, None]
    # The rows of train are found by their labels and by what they are scaled to.
    scaler = StandardScaler().fit(raw[_rows(data, "train", raw)])
    for split in ("train", "valid", "test"):
        np.testing.assert_allclose(
            np.sort(data.splits[split].inputs[:, 0]),
            np.sort(scaler.transform(raw[_rows(data, split, raw)])[:, 0]),
            atol=2e-3 if offset > 1e12 else 1e-5,
        )
    assert LogisticRegression().fit(x_train, y_train).score(x_test, y_test) == 1.0


def _rows(data: PreparedData, split: str, raw: Any) -> Any:
    """The rows of a split, as split_indices shares them out."""
    fractions = {name: SPLITS[name] for name in sorted(data.splits)}
    return split_indices(LABELS.astype(np.int64), fractions, stratify=True, seed=0)[split]


def test_the_normalizer_of_a_user_is_given_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "class Shift:\n    def fit(self, x):\n        self.low = x.min(axis=0)\n"
    (tmp_path / "shifting.py").write_text(code + "    def __call__(self, x):\n        return x - self.low\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    data = load(archive(tmp_path, (SIGNAL + 1.7e9)[:, None]), "shifting:Shift")
    assert len(np.unique(data.splits["train"].inputs)) == 120


CONSTANT = {
    "seconds without a normalizer": (np.arange(NUM) % 60 + 1_700_000_000, "none"),
    "a small column beside a large one, of one scale": (1 + SIGNAL * 1e-13, "per_dataset"),
    "below what a scale is": (SIGNAL * 1e-40, "per_feature"),
    "one column, of which its mean is taken": (SIGNAL, "per_line"),
}


@pytest.mark.parametrize("case", CONSTANT)
def test_a_column_that_varies_and_would_be_constant_is_refused(tmp_path: Path, case: str) -> None:
    column, normalize = CONSTANT[case]
    others = {} if normalize == "per_line" else {"other": SIGNAL * 1e3}
    with pytest.raises(DataError, match=r'column "when" varies from .* but is .* everywhere for the model') as raised:
        load(table(tmp_path, **others, when=column), normalize)
    assert (raised.value.code, raised.value.place) == ("feature-constant", "data.normalize")
    if normalize != "per_line" and "below" not in case:
        assert load(table(tmp_path, **others, when=column), "per_feature").warnings == ()


def test_a_column_that_is_constant_in_the_file_is_told_and_no_mistake(tmp_path: Path) -> None:
    data = load(table(tmp_path, a=SIGNAL, b=np.full(NUM, 1e9)), "per_feature")
    assert [warning.code for warning in data.warnings] == ["column-constant"]
    assert not data.splits["train"].inputs[:, 1].any()


def test_a_column_that_varies_outside_of_train_alone_is_no_loss_of_bits(tmp_path: Path) -> None:
    rare = np.zeros(NUM)
    data = load(table(tmp_path, a=SIGNAL, b=rare), "per_feature")
    rare[_rows(data, "test", None)[0]] = 1
    assert load(table(tmp_path, a=SIGNAL, b=rare), "per_feature").warnings == ()


def test_values_that_fall_together_are_told(tmp_path: Path) -> None:
    [warning] = load(table(tmp_path, a=SIGNAL, b=np.round(SIGNAL * 100) + 1.7e9), "none").warnings
    assert warning.code == "feature-rounded"
    assert 'column "b" has ' in warning.message
    outlier = np.where(np.arange(NUM) == NUM - 1, 1e15, np.round(SIGNAL, 1))
    inputs = np.stack([outlier, SIGNAL], axis=1)
    told = [warning.code for warning in load(archive(tmp_path, inputs), "none").warnings]
    assert told == []  # both are near zero, where 32 bits are fine


def test_random_numbers_are_not_told_of(tmp_path: Path) -> None:
    inputs = np.random.default_rng(1).normal(size=(NUM, 300))
    for normalize in ("none", "per_feature", "per_dataset"):
        assert load(archive(tmp_path, inputs), normalize).warnings == ()


def test_images_on_a_large_offset_are_refused_or_told(tmp_path: Path) -> None:
    images = RNG.normal(size=(NUM, 4, 4))
    assert load(archive(tmp_path, images + 1e5), "per_line").warnings == ()
    assert [w.code for w in load(archive(tmp_path, images + 1e5), "none").warnings] == ["feature-rounded"]
    with pytest.raises(DataError, match="what the source gives varies"):
        load(archive(tmp_path, images * 1e-6 + 1e5), "none")


def test_a_number_beyond_32_bits_is_scaled_or_refused(tmp_path: Path) -> None:
    source = table(tmp_path, a=SIGNAL, b=SIGNAL * 1e200)
    scaled = load(source, "per_feature").splits["train"].inputs
    np.testing.assert_allclose(scaled[:, 0], scaled[:, 1], rtol=1e-5)
    with pytest.raises(DataError, match=r'column "b" holds .*e\+\d{3}, which is beyond the 32 bits'):
        load(source, "none")


def test_whole_numbers_beyond_64_bits_of_floating_point(tmp_path: Path) -> None:
    ids, few = 2**60 + np.arange(NUM), 2**60 + np.arange(NUM) % 100
    with pytest.raises(DataError, match=r'column "id" has 100 different values.*and 1 is left'):
        load(table(tmp_path, a=SIGNAL, id=few), "per_feature")
    [warning] = load(table(tmp_path, a=SIGNAL, id=ids * 2 - 2**60), "per_feature").warnings
    assert warning.code == "feature-rounded"
    [warning] = load(archive(tmp_path, np.stack([ids, ids * 2], axis=1)), "per_feature").warnings
    assert warning.message.startswith(f'"inputs" in {tmp_path}')


def test_whole_numbers_that_64_bits_hold_are_not_told_of(tmp_path: Path) -> None:
    assert load(table(tmp_path, a=SIGNAL, id=2**52 + np.arange(NUM)), "per_feature").warnings == ()


def test_numbers_are_read_as_python_reads_them(tmp_path: Path) -> None:
    source = table(tmp_path, a=SIGNAL)
    lines = Path(source["path"]).read_text().splitlines()[1:]
    assert build("sources", source).inputs[:, 0].tolist() == [float(line.split(",")[0]) for line in lines]


def test_warnings_outlive_the_process_that_made_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_files, "WORTH_S", 0.0)
    settings = {"source": table(tmp_path, a=SIGNAL, b=np.round(SIGNAL * 100) + 1.7e9)}
    settings |= {"splits": SPLITS, "normalize": {"kind": "none"}, "augment": []}
    shelf = Shelf(tmp_path / "prepared", "f" * 64)
    made = prepare(settings, shelf)
    _prepare.cache_clear()
    assert prepare(settings, shelf).warnings == made.warnings != ()


def test_classes_have_one_order_in_every_process(tmp_path: Path) -> None:
    """`1` and `01` are of one value, so that their order must not be that of a set."""
    labels = np.array(["1", "01", "2", "10"])[np.arange(NUM) % 4]
    pd.DataFrame({"a": SIGNAL, "y": labels}).to_csv(tmp_path / "d.csv", index=False)
    np.savez(tmp_path / "d.npz", inputs=SIGNAL[:, None], targets=labels)
    script = f"""
from craftc.components.build import build
table = {{"kind": "csv", "path": "{tmp_path}/d.csv", "target": "y"}}
for arguments in (table, {{"kind": "arrays", "path": "{tmp_path}/d.npz"}}):
    samples = build("sources", arguments)
    print(samples.class_names, samples.targets[:4].tolist())
"""
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "3", "4")
    }
    assert printed == {"('01', '1', '2', '10') [1, 0, 2, 3]\n" * 2}
