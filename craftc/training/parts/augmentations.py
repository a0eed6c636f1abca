"""Builds the augmentations of a spec, which change a batch by the trial's seed and the step."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from craftc.components.augmentations.mixing import Mixed
from craftc.components.build import build
from craftc.components.numbers import Key, Numbers
from craftc.schemas.catalogue import is_own
from craftc.training.data.device_split import Batch
from craftc.training.data.normalize import NormalizeBatch
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import key, named_key, seed_everything, step_key
from craftc.training.parts.mixing import with_partners

MOST_SAMPLES = 2**32
"""More than a batch has."""
MOST_LEFT = 0.5
"""Of the range of values: what an augmentation may go beyond it. Noise of a tenth of the range stays within that."""


@dataclass(frozen=True)
class Augmentation:
    """A callable from (B, *shape) to (B, *shape), `place` counts those of a spec. It draws from what it `takes` as its
    second argument; of those that take nothing, from the global generators.

    Only what takes `numbers` is known to draw for each sample. Any other is called with one sample at a time, (1,
    *shape), and with numbers of that sample: many draw once for all that they are given.
    """

    kind: str
    apply: Callable[..., Tensor | Mixed]
    takes: Literal["numbers", "generator", "nothing"]
    place: int
    apart: str | None = None
    """The name of random numbers of its own. Without one it draws after those before it, or by its place."""
    mixes: bool = False
    """Whether it mixes samples, and so returns Mixed."""

    def by_numbers(self, x_B: Tensor, numbers: Numbers) -> Tensor | Mixed:
        """The batch, changed by the numbers of its step."""
        return self.apply(x_B, numbers if self.apart is None else numbers.of(self.apart))


@dataclass(frozen=True)
class Augmentations:
    """What is done to each batch of training: changes of samples as the source gives them, the normalization, and
    changes of what the model is given. `normalize` is None where what comes in is normalized.

    Of several views (B, ...) becomes (B, V, ...): the samples of a batch are taken V times, one view after another, and
    each is changed by the numbers of its place among all of them.
    """

    before: tuple[Augmentation, ...]
    normalize: Callable[[Tensor], Tensor] | None
    after: tuple[Augmentation, ...]
    are_keyed: bool
    """Whether all of it runs under vmap, with random numbers that come from a key alone."""
    num_views: int = 1
    mixed_names: tuple[str, ...] = ()
    """Where one of them mixes samples, the columns that are mixed beside the first input."""

    def __call__(self, x_B: Tensor, *, seed: int, step: int) -> Tensor:
        """What the model is given in a trial's step, which counts from 0; random numbers depend on the seed, the step
        and the place of a sample in its batch alone."""
        return self._of_step(x_B, seed, step)[0]

    def of_batch(self, batch: Batch, first: str, *, seed: int, step: int) -> Batch:
        """The same of the first input of a batch, with the columns of the samples that others are mixed with."""
        x_B, mixed = self._of_step(batch[first], seed, step)
        return self._with_columns(batch, first, x_B, mixed)

    def _with_columns(self, batch: Batch, first: str, x_B: Tensor, mixed: Mixed | None) -> Batch:
        if not self.mixes:
            return {**batch, first: x_B}
        return {**with_partners(batch, mixed, first, self.mixed_names), first: x_B}

    def _of_step(self, x_B: Tensor, seed: int, step: int) -> tuple[Tensor, Mixed | None]:
        if self.is_empty:
            return x_B, None
        numbers = Numbers(step_key(seed, "augmentation", step), x_B.device)

        def change(augmentation: Augmentation, x_B: Tensor) -> Tensor | Mixed:
            if augmentation.takes == "numbers":
                return augmentation.by_numbers(x_B, numbers)
            return _one_by_one(augmentation, x_B, seed, step)

        return self._changed(x_B, change)

    @property
    def mixes(self) -> bool:
        """Whether one of them mixes samples."""
        return any(augmentation.mixes for augmentation in (*self.before, *self.after))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is done."""
        return not self.before and not self.after and self.normalize is None and self.num_views == 1

    def by_key(self, batch: Batch, first: str, key: Key) -> Batch:
        """Where `are_keyed`, as `of_batch` by the key of the trial and step; under vmap over K of both, too."""
        numbers = Numbers(key, batch[first].device)
        changed = self._changed(batch[first], lambda augmentation, x_B: augmentation.by_numbers(x_B, numbers))
        return self._with_columns(batch, first, *changed)

    def normalized(self, x_B: Tensor) -> Tensor:
        """What the model is given of a batch that is not augmented."""
        return x_B if self.normalize is None else self.normalize(x_B)

    def unchanged(self, batch: Batch, first: str) -> Batch:
        """The same of a batch, in as many views and with as many columns as there are of an augmented one."""
        return self._with_columns(batch, first, self._by_sample(self.normalized(self._by_view(batch[first]))), None)

    def _by_view(self, x_B: Tensor) -> Tensor:
        return x_B if self.num_views == 1 else x_B.repeat(self.num_views, *[1] * (x_B.dim() - 1))

    def _by_sample(self, x_VB: Tensor) -> Tensor:
        if self.num_views == 1:
            return x_VB
        return x_VB.view(self.num_views, -1, *x_VB.shape[1:]).transpose(0, 1).contiguous()

    def _changed(
        self, x_B: Tensor, change: Callable[[Augmentation, Tensor], Tensor | Mixed]
    ) -> tuple[Tensor, Mixed | None]:
        mixed: Mixed | None = None
        x_B = self._by_view(x_B)
        # By number: two empty tuples are one.
        for place, group in enumerate((self.before, self.after)):
            if place == 1:
                x_B = self.normalized(x_B)
            for augmentation in group:
                found = change(augmentation, x_B)
                mixed = found if isinstance(found, Mixed) else mixed
                x_B = found.x if isinstance(found, Mixed) else found
        return self._by_sample(x_B), mixed


def leaves_range(augmentations: Augmentations, source_B: Tensor, model_B: Tensor) -> str | None:
    """A sentence about an augmentation that turns values into others far outside of those that there are, as what
    is meant for other inputs does: by more than half their range. None where there is none.

    `source_B` and `model_B` are samples of train, as augmentations before and behind the normalization get them.
    """
    for group, x_B in ((augmentations.before, source_B), (augmentations.after, model_B)):
        for augmentation in group if x_B.is_floating_point() else ():
            low, high = float(x_B.min()), float(x_B.max())
            changed = Augmentations((augmentation,), None, (), are_keyed=False)(x_B.clone(), seed=0, step=0)
            if not changed.isfinite().all():
                return f"augmentation {augmentation.kind} turns values from {low:g} to {high:g} into NaN or infinity"
            least, most = float(changed.min()), float(changed.max())
            if max(low - least, most - high) > MOST_LEFT * (high - low):
                turned = f"values from {low:g} to {high:g} into values from {least:g} to {most:g}"
                asked = "is it meant for other inputs, or for when: after_normalize?"
                return f"augmentation {augmentation.kind} turns {turned}: {asked}"
    return None


def _one_by_one(augmentation: Augmentation, x_B: Tensor, seed: int, step: int) -> Tensor:
    """The batch, each sample by a call of its own with numbers of its own."""
    changed: list[Tensor] = []
    for index, x_1 in enumerate(torch.split(x_B, 1)):
        if augmentation.apart is None:
            number = key(seed, "augmentation", step, rank=augmentation.place * MOST_SAMPLES + index + 1)
        else:
            number = named_key(seed, "augmentation", step, f"{augmentation.apart}/{index}")
        if augmentation.takes == "generator":
            found = augmentation.apply(x_1, torch.Generator(x_B.device).manual_seed(number))
        else:
            seed_everything(number, x_B.device)
            found = augmentation.apply(x_1)
        if not isinstance(found, Tensor):
            turned = f"turned a sample {tuple(x_1.shape)} into {described(found)}"
            message = f"augmentation {augmentation.kind} {turned}"
            raise TrainingError("augmentation-failed", f"{message}; expected a Tensor of the same shape and type")
        changed.append(found)
    return torch.cat(changed)


def build_augmentations(
    settings: Sequence[Mapping[str, Any]],
    x_B: Tensor,
    normalize: NormalizeBatch | None,
    kept: torch.dtype,
    num_views: int = 1,
    mixed_names: tuple[str, ...] = (),
) -> Augmentations:
    """From `data.augment`. Those of the user's own are tried on a few inputs, `x_B`, as the source gives them where
    there is a `normalize`; what that returns is made `kept`.

    Raises TrainingError `augmentations-not-buildable` and `augmentation-failed`.
    """
    with errors_of("augmentations", code="augmentations-not-buildable"):
        built = _build_all(settings, x_B.device)
    if normalize is not None and x_B.dtype == torch.int64:
        normalize = None
    is_first = [normalize is not None and setting.get("when") != "after_normalize" for setting in settings]
    augmentations = Augmentations(
        tuple(each for each, first in zip(built, is_first, strict=True) if first),
        None if normalize is None else _kept_as(kept, normalize),
        tuple(each for each, first in zip(built, is_first, strict=True) if not first),
        all(each.takes == "numbers" for each in built) and (normalize is None or not normalize.is_own),
        num_views,
        mixed_names,
    )
    normalized = augmentations.normalized(x_B)
    for setting, augmentation, first in zip(settings, built, is_first, strict=True):
        if is_own(setting["kind"]) or augmentation.apart is not None:
            _try(setting["kind"], augmentation, x_B if first else normalized)
    return augmentations


def _kept_as(kept: torch.dtype, normalize: NormalizeBatch) -> Callable[[Tensor], Tensor]:
    """What is normalized is float32, whatever it is trained in."""
    return normalize if kept == torch.float32 else lambda x_B: normalize(x_B).to(kept)


def _build_all(settings: Sequence[Mapping[str, Any]], device: torch.device) -> list[Augmentation]:
    """Of those that draw apart, two of one kind draw other numbers."""
    built: list[Augmentation] = []
    for place, setting in enumerate(settings):
        kind = str(setting["kind"])
        num_before = sum(augmentation.kind == kind for augmentation in built)
        built.append(_build(setting, place, f"{kind}/{num_before}", device))
    return built


def _build(setting: Mapping[str, Any], place: int, name: str, device: torch.device) -> Augmentation:
    found = build("augmentations", {name: value for name, value in setting.items() if name != "when"})
    if not callable(found):
        raise TypeError(f"{setting['kind']} gave {described(found)}, which cannot be called; {GUIDE}")
    if isinstance(found, nn.Module):
        found = found.to(device)
    apart = name if getattr(found, "draws_apart", False) else None
    return Augmentation(setting["kind"], found, _takes(found), place, apart, getattr(found, "mixes_targets", False))


def _takes(augment: Callable[..., Any]) -> Literal["numbers", "generator", "nothing"]:
    """What it names, or else the generator if it cannot do without a second argument."""
    try:
        signature = inspect.signature(augment.forward if isinstance(augment, nn.Module) else augment)
    except (TypeError, ValueError):
        return "nothing"
    if "numbers" in signature.parameters:
        return "numbers"
    if "generator" in signature.parameters:
        return "generator"
    required = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return "generator" if len(required) == 2 else "nothing"


def _try(kind: str, augmentation: Augmentation, x_B: Tensor) -> None:
    name = f"augmentation {kind}"
    alone = Augmentations((augmentation,), None, (), are_keyed=False)
    if getattr(augmentation.apply, "unit_range", False) and (x_B.min() < 0 or x_B.max() > 1):
        found = f"values from {float(x_B.min()):g} to {float(x_B.max()):g}"
        asked = "leave out when: after_normalize, or have the source give such images"
        raise TrainingError("augmentation-failed", f"{name} needs images from 0 to 1, and was given {found}; {asked}")
    with errors_of(f"{name} on inputs {tuple(x_B.shape)}", code="augmentation-failed", hint=GUIDE):
        augmented = alone(x_B.clone(), seed=0, step=0)
    if not isinstance(augmented, Tensor) or augmented.shape != x_B.shape or augmented.dtype != x_B.dtype:
        message = f"{name} turned inputs {tuple(x_B.shape)} of {x_B.dtype} into {described(augmented)}"
        raise TrainingError("augmentation-failed", f"{message}; expected the same shape and type")
