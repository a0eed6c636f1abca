"""Shows what a model makes of samples beside what it should make: as words, or as pictures.

B: samples, T: places of a sample, F: numbers of a vector, W: different words.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from craftc.components.artefacts.pictures import new_figure, png
from craftc.components.artefacts.trained import ArtefactError, Batch, Made, Trained
from craftc.components.sources.columns import MASK, TARGETS_MASK

WORDS = "words"
"""The column of the words of each sample, separated by spaces, as `word_vectors` gives it."""


class Reconstructions:
    """The targets of a split's first samples, and the model's outputs beside them.

    Vectors of words are shown as words: each output is the word of the split whose vector has the greatest cosine
    similarity to it. Quantities in the shape of an image are shown as pictures.

    Args:
        samples: How many of the first samples are shown. The share of right words is that of all.
    """

    takes_targets = ("real", "vectors")

    def __init__(self, *, samples: Annotated[int, Ge(1), Le(100)] = 8) -> None:
        self.samples = samples

    def make(self, trained: Trained) -> Made:
        """Raises ArtefactError where a sample is neither words nor a picture."""
        target = trained.target
        if target is None:
            raise ArtefactError("the data has no target, or more than one")
        if target.kind == "vectors" and WORDS in trained.beside:
            return self._as_words(trained)
        if target.kind == "real" and _is_image(target.shape):
            return self._as_pictures(trained)
        what = "vectors without words" if target.kind == "vectors" else f"quantities of shape {target.shape}"
        raise ArtefactError(f"targets are {what}, and it shows vectors of words and images")

    def _as_words(self, trained: Trained) -> Made:
        names, vectors_WF = _dictionary(trained)
        by_name = {name: number for number, name in enumerate(names)}
        directions_WF = F.normalize(vectors_WF, dim=-1)
        shown: list[dict[str, Any]] = []
        num_right = num_words = 0
        texts = iter(trained.beside[WORDS].tolist())
        for batch in trained.batches(None):
            output_BTF = trained.output(batch)
            for output_TF in output_BTF:
                words = next(texts).split(" ")
                nearest = (F.normalize(output_TF[: len(words)], dim=-1) @ directions_WF.T).argmax(-1).tolist()
                written = [names[number] for number in nearest]
                known = [word in by_name for word in words]
                num_words += sum(known)
                num_right += sum(a == b for a, b, is_known in zip(words, written, known, strict=True) if is_known)
                if len(shown) < self.samples:
                    shown.append({"target": " ".join(words), "output": " ".join(written)})
        share = num_right / num_words
        lines = [f"{share:.1%} of {num_words:,} words are right; {len(names):,} different ones"]
        lines += [f"\n  target: {each['target']}\n  output: {each['output']}" for each in shown]
        values = {"share_right": share, "words": num_words, "different_words": len(names), "samples": shown}
        return Made(values, "\n".join(lines) + "\n")

    def _as_pictures(self, trained: Trained) -> Made:
        batch = next(trained.batches(self.samples))
        target_B = batch[str(trained.target_name)][: self.samples].float()
        output_B = trained.output(batch)[: self.samples].reshape(target_B.shape).float()
        errors = (output_B - target_B).flatten(1).square().mean(1).tolist()
        lines = ["sample  mean squared error", *(f"{n:>6}  {error:.4g}" for n, error in enumerate(errors, start=1))]
        return Made({"mse": errors}, "\n".join(lines) + "\n", _picture(target_B.numpy(), output_B.numpy()))


def _dictionary(trained: Trained) -> tuple[list[str], Tensor]:
    """Every word of the split that counts, and its vector."""
    found: dict[str, Tensor] = {}
    texts = iter(trained.beside[WORDS].tolist())
    for batch in trained.batches(None):
        for target_TF, is_known_T in _counted(batch, str(trained.target_name)):
            for word, vector_F, is_known in zip(next(texts).split(" "), target_TF, is_known_T, strict=False):
                if is_known:
                    found.setdefault(word, vector_F)
    names = sorted(found)
    return names, torch.stack([found[name] for name in names])


def _counted(batch: Batch, target: str) -> Iterator[tuple[Tensor, Sequence[bool]]]:
    """The target of each sample, and which of its places count: all where no mask says so."""
    targets_BTF = batch[target]
    mask = batch.get(TARGETS_MASK, batch.get(MASK))
    mask_BT = torch.ones(targets_BTF.shape[:2], dtype=torch.bool) if mask is None else mask
    return zip(targets_BTF, mask_BT.tolist(), strict=True)


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))


def _picture(target_B: NDArray[Any], output_B: NDArray[Any]) -> bytes:
    """Targets above, outputs below, in one range of values for each sample."""
    num = len(target_B)
    figure = new_figure(0.9 * num + 0.5, 2.1)
    grid = figure.subplots(2, num, squeeze=False)
    for column in range(num):
        low, high = float(target_B[column].min()), float(target_B[column].max())
        for row, image in enumerate((target_B[column], output_B[column])):
            scaled = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
            shown = scaled.squeeze(0) if scaled.ndim == 3 and scaled.shape[0] == 1 else scaled
            shown = np.moveaxis(shown, 0, -1) if shown.ndim == 3 else shown
            axes = grid[row][column]
            axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
    grid[0][0].set_ylabel("target", fontsize=8)
    grid[1][0].set_ylabel("output", fontsize=8)
    return png(figure)
