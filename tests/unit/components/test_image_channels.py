"""Pictures of every mode of Pillow: scaled rightly, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources.image_channels import UnknownScaleError, channels
from craftc.components.sources.samples import Samples

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8))
GREY = RGB.convert("L")
ODD = {
    "LAB": lambda: ImageCms.profileToProfile(
        RGB, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    ),
    "RGBa": lambda: RGB.convert("RGBA").convert("RGBa"),
    "La": lambda: GREY.convert("LA").convert("La"),
    "PA": lambda: RGB.quantize(256).convert("PA"),
    "P": lambda: RGB.quantize(256),
}
DEEP = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2"}
ROUNDING = {"YCbCr": 0.02, "HSV": 0.02, "LAB": 0.08, "P": 0.05, "PA": 0.05}
"""What Pillow itself loses on the way to the mode, in 0..1."""


def picture(mode: str) -> Image.Image:
    if mode in DEEP:
        values = (np.asarray(GREY).astype(np.uint16) * 257).astype(DEEP[mode])
        return Image.frombytes(mode, GREY.size, values.tobytes())
    if mode == "1":
        return GREY.point(lambda value: 255 * (value > 127)).convert("1")
    if mode == "F":
        return Image.fromarray((np.asarray(GREY) / np.float32(255)).astype(np.float32))
    return ODD[mode]() if mode in ODD else (GREY if mode in ("L", "LA") else RGB).convert(mode)


@pytest.mark.parametrize("mode", Image.MODES)
@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_every_mode_gives_what_a_person_sees_in_0_to_1(mode: str, color: Any) -> None:
    if mode == "I":
        with pytest.raises(UnknownScaleError, match="mode I, whole numbers of 32 bits, here from"):
            channels(picture(mode), color)
        return
    found = np.stack(channels(picture(mode), color), axis=-1)
    is_grey = mode in ("1", "L", "LA", "La", "F", *DEEP)
    shown = np.asarray(GREY if is_grey or color == "grey" else RGB).astype(np.float64) / 255
    expected = (shown if shown.ndim == 3 else shown[..., None]) > 127.5 / 255 if mode == "1" else shown
    expected = np.broadcast_to(expected if expected.ndim == 3 else expected[..., None], found.shape)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=ROUNDING.get(mode, 1e-6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        GREY.save(tmp_path / name / "plain.png")
    return tmp_path


def load(folder: Path, **arguments: Any) -> Samples:
    samples: Samples = build("sources", {"kind": "image_folder", "path": folder, "size": [6, 5], **arguments})
    return samples


@pytest.mark.parametrize(
    ("file", "values", "part"),
    [
        ("wide.tif", np.full((4, 4), 200, np.int32), "mode I, whole numbers of 32 bits, here from 200 to 200"),
        ("bright.tif", np.full((4, 4), 200, np.float32), "mode F, floating-point numbers, here from 200 to 200"),
        ("dark.tif", np.full((4, 4), -0.5, np.float32), "mode F, floating-point numbers, here from -0.5 to -0.5"),
        ("broken.tif", np.full((4, 4), np.nan, np.float32), "mode F, floating-point numbers, here from nan to nan"),
    ],
)
def test_a_scale_that_nobody_knows_is_refused_by_name(folder: Path, file: str, values: Any, part: str) -> None:
    Image.fromarray(values).save(folder / "a" / file)
    with pytest.raises(DataError, match=part) as raised:
        load(folder)
    assert f"a/{file}" in raised.value.message


def test_floating_point_numbers_within_0_to_1_are_taken_as_they_are(folder: Path) -> None:
    values = np.linspace(0, 1, 30, dtype=np.float32).reshape(6, 5)
    Image.fromarray(values).save(folder / "a" / "float.tif")
    np.testing.assert_array_equal(load(folder).inputs[0], values)


def test_sixteen_bits_of_a_pgm_are_sixteen_bits(folder: Path) -> None:
    deep = (np.asarray(GREY).astype(np.uint16) * 257).astype(">u2")
    (folder / "a" / "deep.pgm").write_bytes(b"P5 5 6 65535\n" + deep.tobytes())
    np.testing.assert_allclose(load(folder).inputs[0], np.asarray(GREY) / 255, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_orientation_says(folder: Path, orientation: int) -> None:
    """As EXIF 2.32 has it: which side of the stored rows and columns is the top, and which the left."""
    upright = np.asarray(GREY)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(folder / "a" / "photo.png", exif=exif)
    np.testing.assert_allclose(load(folder).inputs[0], upright / 255, atol=1e-6)


def test_what_is_left_out_of_a_file_is_told_once(folder: Path) -> None:
    frames = [GREY, GREY.rotate(180)]
    for name in ("x", "y"):
        frames[0].save(folder / "a" / f"{name}.gif", save_all=True, append_images=frames[1:])
        half = GREY.convert("LA")
        half.putalpha(128)
        half.save(folder / "b" / f"{name}.png")
    opaque = GREY.convert("LA")
    opaque.putalpha(255)
    opaque.save(folder / "b" / "z.png")
    told = [warning.message.replace(f"{folder}/", "") for warning in load(folder).warnings]
    assert told == [
        "a/x.gif holds several images: the first is taken; so it is with 1 more file",
        "b/x.png is transparent in places: its alpha is left out; so it is with 1 more file",
    ]


def test_folders_that_look_alike_are_told(folder: Path) -> None:
    (folder / "A").mkdir()
    GREY.save(folder / "A" / "plain.png")
    [warning] = load(folder).warnings
    assert (warning.code, '"A" and "a"' in warning.message) == ("labels-alike", True)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 60, b"GIF89a" + b"\xff" * 9]
)
def test_a_damaged_file_is_named(folder: Path, content: bytes) -> None:
    (folder / "a" / "damaged.png").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.png cannot be read as an image"):
        load(folder)
