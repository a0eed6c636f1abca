"""Made-up scans of a surface, as a probe takes them: line by line, drifting."""

from typing import Annotated

import numpy as np
from annotated_types import Ge

CLASSES = ("terrace", "step", "islands", "double_tip")


def scans(
    *,
    num_images: Annotated[int, Ge(4)] = 400,
    size: Annotated[int, Ge(8)] = 24,
    drift: Annotated[float, Ge(0)] = 0.5,
    noise: Annotated[float, Ge(0)] = 0.15,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """As many images of each class: a flat terrace, a step, islands, and islands seen by a probe with two tips.

    Args:
        num_images: Images of all classes together.
        size: Lines of an image, and values of a line.
        drift: Standard deviation of the height by which a line is off; a step or an island is 1 high.
        noise: Standard deviation of the noise of each value.
        seed: Seed of everything that is random.
    """
    random = np.random.default_rng(seed)
    targets = np.arange(num_images) % len(CLASSES)
    images = np.stack([_surface(CLASSES[target], size, random) for target in targets])
    images += random.normal(0, drift, (num_images, size, 1)) + random.normal(0, noise, images.shape)
    return images, targets, CLASSES


def _surface(name: str, size: int, random: np.random.Generator) -> np.ndarray:
    """Heights (size, size) without drift and noise."""
    y, x = np.mgrid[:size, :size] / size
    if name == "terrace":
        return np.zeros((size, size))
    if name == "step":
        angle = random.uniform(-0.6, 0.6)
        return (x + angle * (y - 0.5) > random.uniform(0.3, 0.7)).astype(float)
    heights = np.zeros((size, size))
    for centre_x, centre_y in random.uniform(0.15, 0.7, (3, 2)):
        for shift in (0.0, 0.17) if name == "double_tip" else (0.0,):
            heights += np.exp(-((x - centre_x - shift) ** 2 + (y - centre_y) ** 2) / 0.004)
    return heights
