"""Images of two digits, by the images of one that they are made of."""

import numpy as np

from craftc.components.build import build
from craftc.components.sources.bundled import digits


def test_every_image_is_two_digits_each_used_once_and_targets_are_theirs() -> None:
    single, pairs = digits(), build("sources", {"kind": "digit_pairs"})
    x, labels, pixels = (pairs.columns[name].values for name in ("x", "labels", "pixels"))
    places = {image.tobytes(): [] for image in single.inputs}
    for place, image in enumerate(single.inputs):
        places[image.tobytes()].append(place)
    used = []
    for image, label, pixel in zip(x, labels, pixels, strict=True):
        halves = [np.ascontiguousarray(half) for half in (image[:, :8], image[:, 8:])]
        found = [places[half.tobytes()].pop(0) for half in halves]
        used += found
        wanted = np.zeros(10)
        wanted[single.targets[found]] = 1
        assert np.array_equal(label, wanted)
        for half, place, of in zip(halves, found, (pixel[:, :8], pixel[:, 8:]), strict=True):
            assert np.array_equal(of, np.where(half >= 0.25, single.targets[place] + 1, 0))
    assert len(set(used)) == 2 * len(x) == 1796


def test_the_seed_decides_which_are_paired() -> None:
    first, again, other = (build("sources", {"kind": "digit_pairs", "seed": seed}).columns["x"] for seed in (0, 0, 1))
    assert np.array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)
