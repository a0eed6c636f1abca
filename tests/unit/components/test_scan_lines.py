"""Scans of images, and models that decide line by line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from craftc.components.errors import DataError
from craftc.components.metrics.exits import ExitLine
from craftc.components.models.scanline_sequence import LRCN, LineTokenizer, ScanlineTransformer, decided
from craftc.components.normalizers.numeric import PerLine
from craftc.components.objectives.cross_entropy import LineCrossEntropy
from craftc.components.sources.image_scans import image_scans


def _images(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    inputs = draws.random((31, 6, 5)).astype(np.float32)
    inputs[30] = 0.5  # alike everywhere
    np.savez(folder / "images.npz", inputs=inputs, targets=np.arange(31) % 3)
    return folder / "images.npz"


def test_each_line_has_mean_0_and_deviation_1() -> None:
    x = np.random.default_rng(1).normal(3, 4, (4, 6, 5))
    x[0, 0] = 0.1
    normalizer = PerLine(scale="line")
    normalizer.fit(x)
    expected = np.array([[(line - line.mean()) / (line.std() if i + j else np.inf) for j, line in enumerate(image)]
                         for i, image in enumerate(x)])  # fmt: skip
    np.testing.assert_allclose(normalizer(x), expected, atol=1e-6)
    np.testing.assert_allclose(normalizer.of_batch(torch.from_numpy(x)).numpy(), expected, atol=1e-6)


def test_classes_are_drawn_and_merged_and_copies_know_their_image(tmp_path: Path) -> None:
    path = _images(tmp_path)
    scans = image_scans(path=path, per_class=[4, 2, 3], merge_classes=[1, 0, 1], copies=2, line_offset=0.1)
    assert scans.class_names == ("1", "0+2")
    assert np.bincount(scans.targets).tolist() == [4, 14]
    numbers, counts = np.unique(scans.by_sample["scan"], return_counts=True)
    assert counts.tolist() == [2] * 9
    assert 30 not in numbers
    # What a copy differs by from its image is the same along each line.
    drift = scans.inputs - np.load(path)["inputs"][scans.by_sample["scan"]]
    np.testing.assert_allclose(drift, np.broadcast_to(drift[..., :1], drift.shape), atol=1e-6)
    assert not np.allclose(drift[0], drift[1])


def test_a_window_is_consecutive_lines(tmp_path: Path) -> None:
    path = _images(tmp_path)
    images = np.load(path)["inputs"].repeat(2, axis=1).repeat(2, axis=2)
    scans = image_scans(path=path, magnify=2, window=7, window_start="random")
    starts = []
    for scan, number in zip(scans.inputs, scans.by_sample["scan"], strict=True):
        starts += [at for at in range(6) if np.array_equal(scan, images[number][at : at + 7])]
    assert len(starts) == 30
    assert len(set(starts)) > 1
    with pytest.raises(DataError, match="window of 7 lines of images of 6"):
        image_scans(path=path, window=7)
    with pytest.raises(DataError, match="counted from 0 without a gap"):
        image_scans(path=path, merge_classes=[0, 2, 2])
    with pytest.raises(DataError, match="asks for 99 images of 0, of 10"):
        image_scans(path=path, per_class=[99])


@pytest.mark.parametrize("kind", ["transformer", "lrcn"])
def test_what_is_below_changes_no_line(kind: str) -> None:
    torch.manual_seed(0)
    shape = {"line_length": 9, "num_classes": 3, "num_convs": 3}
    model = ScanlineTransformer(num_lines=6, **shape) if kind == "transformer" else LRCN(**shape)  # type: ignore[arg-type]
    x = torch.randn(4, 6, 9)
    before = model(x)["line_logits"]
    after = model(torch.cat([x[:, :4], torch.randn(4, 2, 9)], 1))["line_logits"]
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    assert model(x)["exit_line"].tolist() == [6] * 4
    torch.testing.assert_close(model(x)["logits"], before[:, -1])


def test_without_a_mask_lines_see_what_is_below_and_none_decides_early() -> None:
    model = ScanlineTransformer(num_lines=6, line_length=9, num_classes=3, mask="none", positions="learned")
    assert model(torch.randn(4, 6, 9), exit_threshold=0.0)["exit_line"].tolist() == [6] * 4


def test_the_first_line_above_the_threshold_decides() -> None:
    probabilities = torch.tensor([[[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]], [[0.6, 0.4], [0.7, 0.3], [0.5, 0.5]]])
    found = decided(probabilities.log(), 0.75)
    assert found["exit_line"].tolist() == [2, 3]
    torch.testing.assert_close(found["logits"].exp(), torch.tensor([[0.2, 0.8], [0.5, 0.5]]))
    metric = ExitLine(2)
    metric.update(found["logits"], torch.tensor([0, 1]), found["exit_line"])
    assert metric.compute() == 2.5


def test_the_loss_of_lines_is_the_mean_over_lines() -> None:
    line_logits, targets = torch.randn(5, 4, 3), torch.tensor([0, 1, 2, 1, 0])
    objective = LineCrossEntropy(torch.tensor([2, 2, 1]), class_weights=[1.0, 2.0, 3.0])
    loss, weight = objective(line_logits[:, -1], targets, line_logits)
    expected = F.cross_entropy(
        line_logits.reshape(20, 3), targets.repeat_interleave(4), weight=torch.tensor([1.0, 2.0, 3.0])
    )
    torch.testing.assert_close(loss / weight, expected)


def test_a_tokenizer_reads_a_line_of_any_length() -> None:
    for length in (1, 8, 28):
        assert LineTokenizer(length, 16, 5, 7, 4)(torch.randn(2, 3, length)).shape == (2, 3, 16)
