"""Every name becomes one of the form <split>/<metric>."""

import pytest

from craftc.components.programs.metric_names import metric_name
from craftc.training.programs.metrics import checked_metrics


@pytest.mark.parametrize(
    ("logged", "recorded"),
    [
        ("val_loss", "valid/loss"),
        ("valid_loss", "valid/loss"),
        ("validation_f1_macro", "valid/f1_macro"),
        ("val/loss", "valid/loss"),
        ("train_loss_epoch", "train/loss_epoch"),
        ("training/acc", "train/acc"),
        ("test_acc", "test/acc"),
        ("probe/auc", "probe/auc"),
        ("loss", "train/loss"),
        ("value", "train/value"),
        ("val_loss/dataloader_idx_1", "valid/loss/dataloader_idx_1"),
        ("acc/dataloader_idx_0", "train/acc/dataloader_idx_0"),
        ("Learning Rate", "train/Learning_Rate"),
        ("val_", "train/val_"),
    ],
)
def test_names(logged: str, recorded: str) -> None:
    assert metric_name(logged, "train") == recorded
    assert checked_metrics({recorded: 1.0})
