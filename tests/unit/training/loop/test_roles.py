"""A split is read by its role alone: what chooses sees no final split, and what nobody reads is not measured."""

import json

import numpy as np
import pytest

from craftc.runtime.store.drawn_splits import write_drawn_splits
from craftc.schemas.plan import Headline, Plan
from craftc.training.data.by_role import final, measured, watched
from craftc.training.data.prepare import prepare

SPLITS = {
    "train": 0.5,
    "val_select": 0.15,
    "val_calib": {"share": 0.15, "for": "calibrate"},
    "val_test": {"share": 0.2, "for": "final"},
    "stratify": True,
    "seed": 0,
}


@pytest.fixture
def trial(make_trial):
    return make_trial({"data.splits": SPLITS, "evaluation.select": {"metric": "val_select/loss", "mode": "min"}})


def test_roles_decide_what_is_measured_and_when(trial, run_trial, tmp_path) -> None:
    records, result = run_trial(trial, tmp_path)
    for record in records:
        assert {name.partition("/")[0] for name in record.metrics} == {"train", "val_select"}
    assert {name.partition("/")[0] for name in result.best} == {"train", "val_select", "val_test"}
    assert {name.partition("/")[0] for name in result.trivial} == {"train", "val_select", "val_test"}
    assert list(result.split_sizes) == ["train", "val_select", "val_test"]


def test_names_say_nothing_where_roles_do(make_trial, run_trial, tmp_path) -> None:
    """Called otherwise, the same samples come to the same numbers."""
    plain = {"train": 0.5, "valid": 0.2, "test": 0.3, "stratify": True, "seed": 0}
    called = {"train": 0.5, "zz": 0.2, "test": {"share": 0.3, "for": "final"}, "stratify": True, "seed": 0}
    _, one = run_trial(make_trial({"data.splits": plain}), tmp_path / "a")
    select = {"metric": "zz/loss", "mode": "min"}
    _, other = run_trial(make_trial({"data.splits": called, "evaluation.select": select}), tmp_path / "b")
    assert other.best == {name.replace("valid", "zz"): value for name, value in one.best.items()}


def test_code_is_handed_splits_by_role(trial) -> None:
    splits = dict.fromkeys(prepare(trial.config["data"]).splits, 0)
    assert list(splits) == ["train", "val_calib", "val_select", "val_test"]
    assert watched(splits, trial) == ["train", "val_select"]
    assert final(splits, trial) == ["val_test"]
    assert list(measured(splits, trial)) == ["train", "val_select", "val_test"]


def test_what_is_fitted_to_data_is_fitted_on_train_alone(make_trial, tmp_path) -> None:
    """Samples of every other split are far off, and the normalizer does not see them."""
    part = np.array(["train"] * 60 + ["valid"] * 20 + ["cal"] * 20 + ["test"] * 20)
    inputs = np.random.RandomState(0).rand(120, 3) + 1000 * (part != "train")[:, None]
    np.savez(tmp_path / "d.npz", inputs=inputs, targets=np.arange(120) % 2, part=part)
    trial = make_trial(
        {
            "data.source": {"kind": "arrays", "path": str(tmp_path / "d.npz")},
            "data.splits": {
                "column": "part", "valid": {"for": "select"}, "cal": {"for": "calibrate"}, "test": {"for": "final"},
                "stratify": True, "seed": 0,
            },
            "data.normalize": {"kind": "per_feature"},
            "data.augment": [],
        }
    )  # fmt: skip
    data = prepare(trial.config["data"])
    assert np.allclose(data.splits["train"].inputs.mean(axis=0), 0, atol=1e-5)
    assert all(data.splits[name].inputs.min() > 100 for name in ("valid", "cal", "test"))


def test_what_was_drawn_is_written_and_reproduced(trial, make_trial, run_trial, tmp_path) -> None:
    headline = Headline(split="val_test", metric="accuracy", mode="max")
    plan = Plan(name="x", baseline="base", headline=headline, trials=(trial,))
    [file] = write_drawn_splits(plan, tmp_path)
    assert file.name == "splits.json"
    written = json.loads(file.read_text())
    assert written["method"] == "fractions"
    assert written["roles"]["val_calib"] == "calibrate"
    drawn = prepare(trial.config["data"])
    for name, split in written["splits"].items():
        assert sum(split["classes"].values()) == split["num_samples"] == len(drawn.splits[name])
    roles = {name: {"for": role} for name, role in written["roles"].items() if name != "train"}
    again = make_trial({"data.splits": {"file": str(file), **roles, "stratify": True, "seed": 0}} | {
        "evaluation.select": {"metric": "val_select/loss", "mode": "min"}
    })  # fmt: skip
    given = prepare(again.config["data"])
    assert given.warnings == ()
    for name, split in drawn.splits.items():
        assert np.array_equal(split.inputs, given.splits[name].inputs)
    assert given.document is not None
    assert given.document["splits"] == written["splits"]
    assert run_trial(trial, tmp_path / "a")[1].best == run_trial(again, tmp_path / "b")[1].best


def test_a_file_of_other_samples_is_told(trial, make_trial, tmp_path) -> None:
    headline = Headline(split="val_test", metric="accuracy", mode="max")
    [file] = write_drawn_splits(Plan(name="x", baseline="base", headline=headline, trials=(trial,)), tmp_path)
    splits = {"file": str(file), "val_select": {"for": "select"}, "val_calib": {"for": "calibrate"}}
    splits |= {"val_test": {"for": "final"}, "stratify": True, "seed": 0}
    source = {"kind": "digits", "line_drift": 0.3, "imbalance": 3.0, "seed": 0}
    [warning] = prepare(make_trial({"data.splits": splits, "data.source": source}).config["data"]).warnings
    assert warning.code == "split-of-other-data"
