"""The shape in which a model gets a sample."""

import numpy as np
import pytest

from craftc.components.errors import DataError
from craftc.training.data.layout import laid_out
from craftc.training.data.prepare import prepare

TABLE, GREY, COLOUR = (np.arange(n, dtype=np.float32) for n in (2 * 6, 2 * 3 * 4, 2 * 3 * 4 * 5))
TABLE, GREY, COLOUR = TABLE.reshape(2, 6), GREY.reshape(2, 3, 4), COLOUR.reshape(2, 3, 4, 5)

SQUARE = {"num_channels": 1, "image_size": 8, "image_height": 8, "image_width": 8}


@pytest.mark.parametrize(
    ("layout", "table", "grey", "colour"),
    [
        ("source", (2, 6), (2, 3, 4), (2, 3, 4, 5)),
        ("channels", None, (2, 1, 3, 4), (2, 3, 4, 5)),
        ("lines", (2, 1, 6), (2, 3, 4), (2, 4, 15)),
        ("flat", (2, 6), (2, 12), (2, 60)),
    ],
)
def test_shapes(layout, table, grey, colour):
    for x, expected in ((TABLE, table), (GREY, grey), (COLOUR, colour)):
        if expected is None:
            with pytest.raises(DataError, match=r"a sample of shape \(6,\) is no image"):
                laid_out(x, layout)
        else:
            found = laid_out(x, layout)
            assert found.shape == expected
            assert sorted(found.ravel()) == sorted(x.ravel())


def test_channels_of_a_line_stand_side_by_side():
    lines = laid_out(COLOUR, "lines")
    assert lines[1, 2].tolist() == COLOUR[1, :, 2].ravel().tolist()


def test_facts_are_those_of_the_layout(make_trial):
    config = make_trial().config["data"]
    images, flat = (prepare(config | {"layout": layout}) for layout in ("channels", "flat"))
    assert images.splits["valid"].inputs.shape[1:] == (1, 8, 8)
    of_target = {"num_classes": 10, "target_kind": "class"}
    assert images.facts == {**of_target, "num_features": 64, "num_lines": 8, "line_length": 8, **SQUARE}
    assert flat.facts == {**of_target, "num_features": 64}
    # Normalized line by line before that.
    assert np.array_equal(flat.splits["test"].inputs, prepare(config).splits["test"].inputs.reshape(-1, 64))
