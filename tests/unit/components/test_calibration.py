"""The calibration error against torchmetrics and plain NumPy; stages and views by themselves."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchmetrics.classification import MulticlassCalibrationError

from craftc.components.after_stages.scaling import Temperature, VectorScaling
from craftc.components.metrics.calibration import ExpectedCalibrationError
from craftc.components.views.images import Flips, Shifts, Tiles
from craftc.training.parts.views import mean_of_labels, mean_probabilities


def drawn(num_samples: int = 500, num_classes: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(num_samples, num_classes, generator=generator, dtype=torch.float64)
    right = torch.rand(num_samples, generator=generator) < 0.6
    targets = torch.where(right, logits.argmax(-1), torch.randint(num_classes, (num_samples,), generator=generator))
    return logits, targets


def measured(logits: torch.Tensor, targets: torch.Tensor) -> float:
    metric = ExpectedCalibrationError(logits.shape[1])
    for part in range(3):
        metric.update(logits[part::3], targets[part::3])
    return float(metric.compute())


def test_it_is_that_of_torchmetrics() -> None:
    logits, targets = drawn()
    reference = MulticlassCalibrationError(num_classes=7, n_bins=15, norm="l1")(logits.softmax(-1), targets)
    assert measured(logits, targets) == pytest.approx(float(reference), abs=1e-6)


def test_it_is_that_of_numpy_where_all_predictions_are_nearly_certain() -> None:
    logits, targets = drawn()
    logits = 20 * logits
    probabilities = logits.softmax(-1).numpy()
    confidence, hits = probabilities.max(1), probabilities.argmax(1) == targets.numpy()
    error = 0.0
    for low in range(15):
        within = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if within.any():
            error += within.mean() * abs(confidence[within].mean() - hits[within].mean())
    assert measured(logits, targets) == pytest.approx(error, abs=1e-12)
    assert error > 0.3


def test_logits_between_0_and_1_are_logits() -> None:
    logits = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    assert measured(logits, torch.tensor([0, 1])) == pytest.approx(1 - float(logits.softmax(-1).max(1)[0].mean()))


def test_a_temperature_of_what_is_right_everywhere_stays_finite() -> None:
    logits = torch.eye(4).repeat(5, 1)
    stage = Temperature()
    stage.fit(logits, torch.arange(4).repeat(5))
    assert 1e-3 <= stage.temperature < 0.1
    assert torch.isfinite(F.cross_entropy(stage.apply(logits), torch.arange(4).repeat(5)))


@pytest.mark.parametrize("component", [Temperature, VectorScaling])
def test_a_stage_takes_up_what_it_was_fitted_to(component) -> None:
    logits, targets = drawn()
    stage, fresh = component(), component()
    stage.fit(logits, targets)
    fresh.load_state_dict(stage.state_dict())
    assert torch.equal(fresh.apply(logits), stage.apply(logits))
    before, after = (float(F.cross_entropy(each, targets)) for each in (logits, stage.apply(logits)))
    assert after < before


def test_tiles_share_out_what_does_not_divide_evenly() -> None:
    x = torch.arange(2 * 3 * 7 * 5, dtype=torch.float32).reshape(2, 3, 7, 5)
    whole, *tiles = Tiles(n=2)(x)
    assert torch.equal(whole, x)
    assert [tuple(tile.shape) for tile in tiles] == [(2, 3, 7, 5)] * 4
    expected = F.interpolate(x[..., :4, :2], (7, 5), mode="bilinear", align_corners=False)
    assert torch.equal(tiles[0], expected)
    assert len(Tiles(n=3, whole=False)(x)) == 9
    with pytest.raises(ValueError, match="6 x 6 tiles need as many pixels"):
        Tiles(n=6)(x)


def test_flips_and_shifts() -> None:
    x = torch.arange(12.0).reshape(1, 3, 4)
    assert [view.flatten()[0].item() for view in Flips(axes="both")(x)] == [0, 3, 8, 11]
    shifted = Shifts()(x)
    assert [view[0, 0].tolist() for view in shifted[:3]] == [[0, 1, 2, 3], [0, 0, 1, 2], [1, 2, 3, 3]]
    assert [view[0, :, 0].tolist() for view in shifted[3:]] == [[0, 0, 4], [4, 8, 8]]
    with pytest.raises(ValueError, match="flips need images"):
        Flips()(torch.zeros(3, 4))


def test_probabilities_are_averaged() -> None:
    logits = torch.stack([drawn(20)[0], 2 * drawn(20)[0].roll(1, 0), -drawn(20)[0]])
    together = mean_probabilities(logits)
    assert torch.allclose(together.exp(), logits.softmax(-1).mean(0))
    surest = np.argsort(-logits.softmax(-1).amax(-1).numpy(), axis=0)[:2]
    expected = logits.softmax(-1).numpy()[surest, np.arange(20)].mean(0)
    assert np.allclose(mean_probabilities(logits, 2).exp().numpy(), expected)
    labels = mean_of_labels(logits)
    assert torch.allclose(labels.sigmoid(), logits.sigmoid().mean(0))
