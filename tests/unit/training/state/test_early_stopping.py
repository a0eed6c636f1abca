"""The best value so far, and when to stop waiting for a better one."""

import pytest

from craftc.training.foundation.best import Best, select
from craftc.training.state.early_stopping import is_stopped, watch


def stopped_after(values, *, mode="min", patience=2, min_delta=0.0):
    """The epoch at which training stops; None where it does not."""
    setting = {"metric": "valid/ratio", "mode": mode, "patience": patience, "min_delta": min_delta}
    best = Best()
    for epoch, value in enumerate(values, start=1):
        metrics = {"valid/loss": 1.0} | ({} if value is None else {"valid/ratio": value})
        best = watch(best, setting, metrics, ["ratio"], epoch)
        if is_stopped(best, setting, epoch):
            return epoch
    return None


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([3, 2, 1, 0], {}, None),
        ([1, 2, 3, 4], {}, 3),
        ([1, 1, 1, 1], {}, 3),
        ([1, 2, 0.5, 2, 2], {}, 5),
        ([1, 2, 3, 4], {"mode": "max"}, None),
        ([4, 3, 2, 1], {"mode": "max", "patience": 1}, 2),
        ([1.0, 0.95, 0.91, 0.9], {"min_delta": 0.2}, 3),
        ([1.0, 0.75, 0.75], {"min_delta": 0.25}, 3),
        ([1.0, 0.5, 0.0], {"min_delta": 0.25}, None),
        ([1.0, None, 0.5, None], {}, None),
        ([1.0, None, None, 0.5], {}, 3),
        ([None, None, 1.0], {}, 2),
        ([None, 1.0, None, 0.5], {}, None),
    ],
)
def test_stops_after_patience_epochs_without_improvement(values, options, expected):
    assert stopped_after(values, **options) == expected


def test_none_never_stops():
    assert not is_stopped(Best(), "none", 1000)


def test_of_equal_epochs_the_first_is_selected():
    setting = {"metric": "valid/accuracy", "mode": "max"}
    best = Best()
    for epoch, value in enumerate([0.5, 0.7, 0.7, 0.6], start=1):
        best = select(best, setting, {"valid/accuracy": value}, [], epoch)
    assert best == Best(2, 0.7)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None, 0.5, None, 0.7, None], Best(4, 0.7)),
        ([None, 0.5, None, None], Best(2, 0.5)),
        ([0.5, None, None], Best(1, 0.5)),
        ([None, None, None], Best(3)),
    ],
)
def test_an_epoch_without_a_value_is_not_selected_unless_none_has_one(values, expected):
    setting = {"metric": "valid/ratio", "mode": "max"}
    best = Best()
    for epoch, value in enumerate(values, start=1):
        metrics = {"valid/loss": 1.0} | ({} if value is None else {"valid/ratio": value})
        best = select(best, setting, metrics, ["ratio"], epoch)
    assert best == expected
