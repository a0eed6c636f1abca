"""Copies of samples on two sides: exact ones are refused, images that look alike are named."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from craftc.components.errors import DataError
from craftc.components.sources.samples import Samples
from craftc.training.data.duplicates import check_copies, near_copies, sample_digests
from craftc.training.data.split_samples import split_samples

SPLITS = {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0}
RNG = np.random.RandomState(0)


def pictures(num: int) -> np.ndarray:
    """Smooth grey pictures, (num, 64, 64), no two alike."""
    small = (RNG.rand(num, 8, 8) * 255).astype(np.uint8)
    large = [np.asarray(Image.fromarray(each).resize((64, 64), Image.Resampling.BICUBIC)) for each in small]
    return (np.stack(large) / 255).astype(np.float32)


def table(num: int = 100) -> Samples:
    inputs = RNG.rand(num, 3).astype(np.float32)
    return Samples(inputs, np.arange(num) % 2, ("a", "b"))


def test_a_copy_in_another_split_is_a_leak() -> None:
    samples = table()
    clean = split_samples(samples, SPLITS)
    assert clean.warnings == ()
    assert clean.document is not None
    train, test = (clean.document["splits"][name]["indices"] for name in ("train", "test"))
    samples.inputs[test[:4]] = samples.inputs[train[:4]]
    with pytest.raises(DataError) as caught:
        split_samples(samples, SPLITS)
    assert caught.value.code == "split-leak"
    first = f"sample {test[0]} of test is sample {train[0]}"
    assert caught.value.message.startswith(f"4 samples of test are in train too: {first}; ")
    assert caught.value.message.count("is sample") == 3
    assert "allow_duplicates: true" in caught.value.hint
    assert len(split_samples(samples, SPLITS | {"allow_duplicates": True}).splits["test"]) == len(test)


def test_a_copy_within_train_or_between_others_is_none() -> None:
    inputs = RNG.rand(12, 2).astype(np.float32)
    inputs[1], inputs[9] = inputs[0], inputs[6]
    indices = {"train": np.arange(6), "valid": np.arange(6, 9), "test": np.arange(9, 12)}
    assert check_copies(sample_digests([inputs]), inputs, indices, None, allowed=False) == ()


def test_zero_is_zero() -> None:
    assert len(set(sample_digests([np.array([[0.0, 1.0], [-0.0, 1.0]], np.float32)]))) == 1


def test_images_are_called_by_their_files() -> None:
    inputs = np.repeat(RNG.rand(1, 8, 8).astype(np.float32), 2, axis=0)
    names = np.array(["train/cat/1.png", "val/dog/9.png"])
    with pytest.raises(DataError, match=r"val/dog/9.png of valid is train/cat/1.png"):
        check_copies(
            sample_digests([inputs]), inputs, {"train": np.array([0]), "valid": np.array([1])}, names, allowed=False
        )


@pytest.mark.parametrize("quality", [90, 50])
def test_a_picture_saved_again_is_near_itself(quality: int) -> None:
    originals = pictures(200)

    def saved(picture: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray((picture * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer).convert("L")) / np.float32(255)

    again = np.stack([saved(each) for each in originals[:40]]).astype(np.float32)
    inputs = np.concatenate([originals, again])
    found = near_copies(inputs, {"train": np.arange(200), "test": np.arange(200, 240)})
    assert found is not None
    assert len(found.pairs) >= 36
    assert all(test - 200 == train for train, test in found.pairs)
    [warning] = check_copies(
        sample_digests([inputs]), inputs, {"train": np.arange(200), "test": np.arange(200, 240)}, None, allowed=False
    )
    assert warning.code == "near-duplicates"


def test_other_pictures_are_not_near() -> None:
    found = near_copies(pictures(400), {"train": np.arange(300), "test": np.arange(300, 400)})
    assert found is not None
    assert not found.pairs


def test_small_images_and_tables_are_not_compared() -> None:
    indices = {"train": np.arange(5), "test": np.arange(5, 10)}
    assert near_copies(np.zeros((10, 8, 8), np.float32), indices) is None
    assert near_copies(np.zeros((10, 80), np.float32), indices) is None


def test_five_thousand_images_take_less_than_half_a_second() -> None:
    inputs = RNG.rand(5000, 32, 32).astype(np.float32)
    indices = {"train": np.arange(4000), "test": np.arange(4000, 5000)}
    start = time.process_time()
    assert check_copies(sample_digests([inputs]), inputs, indices, None, allowed=False) == ()
    assert time.process_time() - start < 0.5
