"""Augmentations that are computed for a whole batch: what torchvision makes of each image, and what they draw."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from craftc.components.augmentations import colours, erasing, geometry, mixing
from craftc.components.build import build
from craftc.components.numbers import Numbers
from craftc.components.torchvision_operators import expect_torchvision

expect_torchvision()
from torchvision.transforms.v2 import InterpolationMode  # noqa: E402
from torchvision.transforms.v2 import functional as F  # noqa: E402

CPU = torch.device("cpu")
KEY = (123, 456)
CHANGES: dict[str, dict[str, Any]] = {
    "random_affine": {"degrees": 20.0, "translate": 0.2, "min_scale": 0.8, "max_scale": 1.2, "shear": 10.0, "p": 0.9},
    "random_rotation": {"degrees": 40.0},
    "random_resized_crop": {"min_area": 0.2},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
    "gaussian_blur": {"size": 5},
    "random_erasing": {"p": 0.9},
    "cutout": {"size": 4, "num": 2},
    "time_mask": {"max_length": 4},
    "frequency_mask": {"max_length": 4, "num": 2},
    "random_grayscale": {"p": 0.5},
}
MIXED: dict[str, dict[str, Any]] = {"mixup": {"alpha": 1.0}, "cutmix": {}, "mixup_or_cutmix": {"mixup_alpha": 1.0}}


def images(num: int = 16, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    return torch.rand((num, channels, height, width), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def numbers(key: Any = KEY) -> Numbers:
    return Numbers(key, CPU)


@pytest.mark.parametrize("kind", CHANGES)
def test_each_image_changes_by_numbers_of_its_own_and_of_the_step(kind: str) -> None:
    augment, x = build("augmentations", {"kind": kind, **CHANGES[kind]}), images()
    alike = x[:1].expand_as(x).contiguous()
    changed = augment(alike, numbers())
    assert changed.shape == x.shape
    assert changed.dtype == x.dtype
    assert torch.equal(changed, augment(alike, numbers()))
    assert not torch.equal(changed, augment(alike, numbers((1, 2))))
    assert len({tuple(each.flatten().tolist()) for each in changed}) > 1
    assert 0 <= changed.min() <= changed.max() <= 1.0 + 1e-12


@pytest.mark.parametrize("kind", [*CHANGES, *MIXED])
def test_under_vmap_the_numbers_are_those_of_each_key(kind: str) -> None:
    augment, x = build("augmentations", {"kind": kind, **CHANGES.get(kind, MIXED.get(kind, {}))}), images().float()
    keys = torch.tensor([[1, 2], [3, 4], [5, 6]], dtype=torch.int32)
    stacked = torch.stack([x, x.flip(0), x.flip(1)])

    def changed(x_B: Tensor, key: Any) -> tuple[Tensor, ...]:
        found = augment(x_B, numbers(key).of("it"))
        return (found,) if isinstance(found, Tensor) else tuple(each for each in found if each is not None)

    def one(x_B: Tensor, key: Tensor) -> tuple[Tensor, ...]:
        return changed(x_B, (key[:1], key[1:]))

    found = vmap(one)(stacked, keys)
    for index, (first, second) in enumerate(keys.tolist()):
        for together, alone in zip(found, changed(stacked[index], (first, second)), strict=True):
            assert torch.allclose(together[index], alone, atol=1e-6)


@pytest.mark.parametrize("kind", ["random_affine", "random_rotation", "random_resized_crop", "random_erasing"])
def test_an_image_without_channels_is_one_with_a_channel(kind: str) -> None:
    augment, x = build("augmentations", {"kind": kind, **CHANGES[kind]}), images(channels=1)
    assert torch.equal(augment(x[:, 0], numbers()), augment(x, numbers())[:, 0])


def test_affine_is_torchvisions() -> None:
    x, generator = images(6), torch.Generator().manual_seed(0)
    angle_B, shear_B = (torch.rand((2, 6), generator=generator, dtype=torch.float64) * 60 - 30).unbind()
    scale_B = 0.7 + 0.6 * torch.rand(6, generator=generator, dtype=torch.float64)
    move_B2 = torch.randint(-3, 4, (6, 2), generator=generator).double()
    found = geometry.affine(x, angle_B * math.pi / 180, move_B2, scale_B, shear_B * math.pi / 180)
    for index in range(6):
        expected = F.affine(
            x[index],
            float(angle_B[index]),
            [int(n) for n in move_B2[index]],
            float(scale_B[index]),
            [float(shear_B[index]), 0.0],
            InterpolationMode.BILINEAR,
        )
        assert torch.allclose(found[index], expected, atol=1e-5)


@pytest.mark.parametrize("rectangle", [(0, 0, 12, 10), (2, 3, 5, 4), (11, 9, 1, 1), (0, 4, 7, 6)])
def test_resized_crop_is_torchvisions(rectangle: tuple[int, int, int, int]) -> None:
    x = images(2)
    found = geometry.resized_crop(x, *(torch.full((2,), float(n), dtype=torch.float64) for n in rectangle))
    assert torch.allclose(found, F.resized_crop(x, *rectangle, size=[12, 10]), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_torchvisions(channels: int) -> None:
    x, factors = images(4, channels), torch.tensor([0.0, 0.5, 1.0, 1.7], dtype=torch.float64)
    one = torch.ones_like(factors)
    for place, adjust in enumerate((F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)):
        given = [factors if place == other else one for other in range(3)]
        expected = torch.stack([adjust(x[i], float(factors[i])) for i in range(4)])
        if place < 2 or channels == 3:
            assert torch.allclose(colours.jittered(x, *given), expected, atol=1e-6)


def test_blur_is_torchvisions() -> None:
    x, sigma_B = images(4), torch.tensor([0.1, 0.5, 1.0, 2.5], dtype=torch.float64)
    expected = torch.stack([F.gaussian_blur(x[i], [5, 5], [float(sigma_B[i])]) for i in range(4)])
    assert torch.allclose(colours.blurred(x, sigma_B, 5), expected, atol=1e-6)


def test_an_erased_rectangle_has_an_area_and_a_ratio_that_are_allowed() -> None:
    x = torch.ones(500, 1, 40, 40)
    erased = erasing.RandomErasing(p=1.0, min_area=0.1, max_area=0.3, min_ratio=0.5, max_ratio=2.0)(x, numbers()) == 0
    rows, columns = erased[:, 0].any(2).sum(1), erased[:, 0].any(1).sum(1)
    areas = erased.sum((1, 2, 3))
    assert torch.equal(rows * columns, areas)  # a rectangle
    assert 0.09 < float(areas.min()) / 1600 < 0.12
    assert 0.28 < float(areas.max()) / 1600 < 0.32
    ratios = columns / rows
    assert 0.45 < float(ratios.min()) < 0.55
    assert 1.8 < float(ratios.max()) < 2.2
    assert not erased.all()


def test_erasing_fills_with_noise_or_a_number() -> None:
    x = torch.zeros(50, 1, 20, 20)
    assert set(erasing.RandomErasing(p=1.0, fill=0.5)(x, numbers()).unique().tolist()) == {0.0, 0.5}
    noisy = erasing.RandomErasing(p=1.0, fill="noise")(x, numbers())
    assert abs(float(noisy[noisy != 0].std()) - 1) < 0.05


def test_cutout_takes_squares_that_may_stand_over_the_edge() -> None:
    cut = erasing.Cutout(size=4)(torch.ones(400, 16, 16), numbers()) == 0
    counts = cut.sum((1, 2))
    assert int(counts.max()) == 16
    assert int(counts.min()) >= 4  # the centre and what is before it
    assert (counts < 16).any()


def test_masks_are_stretches_of_their_axis() -> None:
    x = torch.ones(300, 10, 6)
    in_time = erasing.TimeMask(max_length=3)(x, numbers()) == 0
    assert torch.equal(in_time.any(2), in_time.all(2))
    assert set(in_time.all(2).sum(1).tolist()) == {0, 1, 2, 3}
    in_frequency = erasing.FrequencyMask(max_length=20)(x, numbers()) == 0
    assert torch.equal(in_frequency.any(1), in_frequency.all(1))
    assert set(in_frequency.all(1).sum(1).tolist()) == set(range(7))


def test_tokens_are_replaced() -> None:
    x = torch.full((50, 40), 7)
    replaced = erasing.TokenDropout(p=0.25, token=3)(x, numbers())
    assert set(replaced.unique().tolist()) == {3, 7}
    assert replaced.dtype == torch.int64
    assert abs(float((replaced == 3).float().mean()) - 0.25) < 0.03


def test_mixup_adds_samples_by_their_shares() -> None:
    x = images(64)
    mixed = mixing.Mixup(alpha=1.0, p=0.5)(x, numbers())
    share = mixed.share_B.double().view(-1, 1, 1, 1)
    assert torch.allclose(mixed.x, share * x + (1 - share) * x[mixed.partner_B])
    assert sorted(mixed.partner_B.tolist()) == list(range(64))
    assert 0.3 < float((mixed.share_B == 1).float().mean()) < 0.7


def test_cutmix_pastes_rectangles_and_counts_their_pixels() -> None:
    x = images(200)
    mixed = mixing.CutMix()(x, numbers())
    is_pasted = mixed.is_pasted_BHW
    assert is_pasted is not None
    assert torch.equal(mixed.x, torch.where(is_pasted[:, None], x[mixed.partner_B], x))
    assert torch.allclose(mixed.share_B, 1 - is_pasted.float().mean((1, 2)))
    rows, columns = is_pasted.any(2).sum(1), is_pasted.any(1).sum(1)
    assert torch.equal(rows * columns, is_pasted.sum((1, 2)))


def test_cutmix_is_that_of_torchvision_where_the_same_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.transforms import v2

    share, row, column = 0.6, 7, 2
    drawn = iter([column, row])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: torch.tensor([next(drawn)]))
    monkeypatch.setattr(v2.CutMix, "_dist", property(lambda _: None, lambda *_: None), raising=False)
    box = v2.CutMix.make_params(_Sampled(share), [images(2)])["box"]
    centre = torch.tensor([row / 12 + 1e-3]), torch.tensor([column / 10 + 1e-3])
    shares = torch.tensor([share])
    within = mixing._within(12, shares, centre[0])[0], mixing._within(10, shares, centre[1])[0]
    left, top, right, bottom = (int(n) for n in box)
    assert within[0].nonzero().flatten().tolist() == list(range(top, bottom))
    assert within[1].nonzero().flatten().tolist() == list(range(left, right))


class _Sampled:
    """What torchvision's CutMix asks of itself."""

    def __init__(self, share: float) -> None:
        class _Distribution:
            @staticmethod
            def sample(_: Any) -> Tensor:
                return torch.tensor(share)

        self._dist = _Distribution()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_those_of_the_beta_distribution(alpha: float) -> None:
    drawn = mixing.SymmetricBeta(alpha).sample(20_000, numbers()).double()
    assert abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(drawn.var()) - 1 / (4 * (2 * alpha + 1))) < 0.005
    from scipy.stats import beta

    for point in (0.001, 0.1, 0.3, 0.5, 0.8, 0.99):
        assert abs(float((drawn <= point).double().mean()) - beta(alpha, alpha).cdf(point)) < 0.012


def test_each_does_one_of_two_things() -> None:
    x = images(300)
    mixed = mixing.MixupOrCutMix(mixup_alpha=1.0, p=0.8, p_cutmix=0.25)(x, numbers())
    assert mixed.is_pasted_BHW is not None
    is_cut = mixed.is_pasted_BHW.flatten(1).any(1)
    pasted = torch.where(mixed.is_pasted_BHW[:, None], x[mixed.partner_B], x)
    share = mixed.share_B.double().view(-1, 1, 1, 1)
    summed = share * x + (1 - share) * x[mixed.partner_B]
    assert torch.equal(mixed.x[is_cut], pasted[is_cut])
    assert torch.allclose(mixed.x[~is_cut], summed[~is_cut])
    assert 0.1 < float(is_cut.float().mean()) < 0.3
    assert 0.1 < float((mixed.share_B == 1).float().mean()) < 0.35


@pytest.mark.parametrize("kind", [*CHANGES, *MIXED])
def test_what_is_no_image_is_refused(kind: str) -> None:
    augment = build("augmentations", {"kind": kind, **CHANGES.get(kind, MIXED.get(kind, {}))})
    if kind != "mixup":
        with pytest.raises(ValueError, match=r"needs|channels"):
            augment(torch.rand(4, 7), numbers())


POLICIES = ["auto_augment", "rand_augment", "trivial_augment", "aug_mix", "random_perspective"]


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize("kind", POLICIES)
def test_torchvisions_policies_keep_shape_type_and_range(kind: str, channels: int) -> None:
    x = images(1, max(channels, 1)).float()
    x = x if channels else x[:, 0]
    torch.manual_seed(3)
    augment = build("augmentations", {"kind": kind})
    found = torch.stack([augment(x) for _ in range(8)])
    assert found.shape[1:] == x.shape
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert not torch.equal(found[0], found[1]) or not torch.equal(found[2], found[3])
    with pytest.raises(ValueError, match="1 or 3 channels"):
        augment(images(1, 2).float())
