"""Data in, splits and facts out."""

import json
import subprocess
import sys

import numpy as np
import pytest

from craftc.components.errors import DataError
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import prepare

SPLITS = {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0, "allow_duplicates": True}

SQUARE = {"num_channels": 1, "image_size": 8, "image_height": 8, "image_width": 8}
WIDE = {"num_channels": 3, "image_height": 4, "image_width": 5}


def arrays(folder, inputs, targets, **changes):
    path = folder / "data.npz"
    np.savez(path, inputs=np.asarray(inputs, np.float32), targets=np.asarray(targets, np.int64))
    source = {"kind": "arrays", "path": str(path)}
    return {"source": source, "splits": SPLITS, "normalize": {"kind": "none"}, "augment": []} | changes


@pytest.fixture
def digits_config(make_trial):
    return make_trial().config["data"]


def test_normalization_is_fitted_on_train_alone(tmp_path):
    inputs = np.arange(100, dtype=np.float32).reshape(50, 2)
    data = prepare(arrays(tmp_path, inputs, np.arange(50) % 2, normalize={"kind": "per_dataset"}))
    train, test = data.splits["train"].inputs, data.splits["test"].inputs
    assert train.mean() == pytest.approx(0, abs=1e-5)
    assert train.std() == pytest.approx(1, abs=1e-5)
    assert abs(test.mean()) + abs(test.std() - 1) > 1e-3


def test_the_facts_of_images(digits_config):
    data = prepare(digits_config)
    of_target = {"num_classes": 10, "target_kind": "class"}
    assert data.facts == {**of_target, "num_features": 64, "num_lines": 8, "line_length": 8, **SQUARE}
    assert data.class_counts.sum() == len(data.splits["train"])


def test_the_order_in_which_splits_are_written_changes_nothing(digits_config):
    backwards = dict(reversed(digits_config["splits"].items()))
    data = prepare(digits_config | {"splits": backwards})
    assert data is prepare(digits_config)
    assert list(data.splits) == ["train", "valid", "test"]


def test_channels_stand_side_by_side_in_a_line(tmp_path):
    data = prepare(arrays(tmp_path, np.zeros((20, 3, 4, 5)), np.arange(20) % 2))
    of_target = {"num_classes": 2, "target_kind": "class"}
    assert data.facts == {**of_target, "num_features": 60, "num_lines": 4, "line_length": 15, **WIDE}


def test_variants_that_differ_in_augmentation_share_their_data(digits_config):
    flip = {"kind": "horizontal_flip", "p": 0.5}
    assert prepare(digits_config) is prepare(digits_config | {"augment": [flip]})
    behind = flip | {"when": "after_normalize"}
    assert prepare(digits_config | {"augment": [behind]}) is prepare(digits_config | {"augment": []})
    assert prepare(digits_config) is not prepare(digits_config | {"normalize": {"kind": "none"}})


def test_a_changed_file_is_read_again(tmp_path):
    targets = np.arange(20) % 2
    first = prepare(arrays(tmp_path, np.zeros((20, 2)), targets))
    second = prepare(arrays(tmp_path, np.ones((20, 2)), targets))
    assert first.splits["train"].inputs.max() == 0
    assert second.splits["train"].inputs.max() == 1


def test_an_empty_split_is_refused(tmp_path):
    splits = {"train": 0.8, "valid": 0.19, "tiny": 0.01, "stratify": False, "seed": 0, "allow_duplicates": True}
    with pytest.raises(DataError) as caught:
        prepare(arrays(tmp_path, np.zeros((10, 2)), np.arange(10) % 2, splits=splits))
    assert caught.value.code == "empty-split"


def test_a_class_that_is_missing_from_train_is_refused(tmp_path):
    targets = [0] * 19 + [1]
    splits = {"train": 0.5, "valid": 0.5, "stratify": False, "seed": 0, "allow_duplicates": True}
    codes = set()
    for seed in range(4):
        try:
            prepare(arrays(tmp_path, np.zeros((20, 2)), targets, splits=splits | {"seed": seed}))
        except DataError as error:
            codes.add(error.code)
    assert codes == {"class-missing-from-train"}


def test_infer_takes_the_number_from_the_data():
    facts = {"num_classes": 10, "num_features": 64}
    model = {"kind": "mlp", "num_classes": "infer", "num_features": 64, "hidden": [8], "name": "infer_not"}
    assert infer_facts(model, facts) == model | {"num_classes": 10}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"num_classes": 12}, "model.num_classes is 12, but the data has 10"),
        ({"num_lines": "infer"}, "the data has no num_lines; it has num_classes: 10"),
    ],
)
def test_a_number_that_contradicts_the_data_is_refused(argument, message):
    with pytest.raises(DataError, match=message) as caught:
        infer_facts({"kind": "mlp", **argument}, {"num_classes": 10})
    assert caught.value.code == "data-mismatch"


def test_preparing_needs_no_torch(digits_config):
    script = (
        "import sys, json\n"
        "from craftc.training.data.prepare import prepare\n"
        "prepare(json.loads(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, json.dumps(digits_config)], check=True)
