"""Files as linting and planning look at them, beside what the sources themselves make of them."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from craftc.compiler.data_files.delimited import SEPARATORS
from craftc.compiler.data_files.image_files import SUFFIXES
from craftc.compiler.data_files.look import look
from craftc.compiler.data_files.seen import HEAD_BYTES, MOST_BYTES, NOTHING, Seen
from craftc.components.build import build
from craftc.components.errors import DataError


def csv(tmp_path: Path, text: str, *, most: int = HEAD_BYTES, **arguments: Any) -> Seen:
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    return look({"kind": "csv", "path": "d.csv", "target": "y", **arguments}, str(tmp_path), most)


BAD_TABLES: list[tuple[str, dict[str, Any], str]] = [
    ("", {}, "d.csv is empty"),
    ("a,y\n", {}, "no row below its header"),
    ("a,z\n1,0\n", {}, 'no column "y"'),
    ("a,y\n1,0\n", {"features": ["b"]}, 'no column "b"'),
    ("a,a,y\n1,1,0\n", {}, 'two columns "a"'),
    (",a,y\n0,1,0\n", {}, "column 1 of 3 has no name"),
    ("Unnamed: 0,a,y\n0,1,0\n", {}, 'column 1 of 3, "Unnamed: 0", has no name'),
    ("y\n1\n", {}, "no column beside the target"),
    ("a,y\n1,0\nx,1\n", {}, 'row 2 below the header, column "a": "x" is not a finite number'),
    ("a,y\n1,0\nNA,1\n", {}, '"NA" is not a finite number'),
    ("a,y\n1,0\ninf,1\n", {}, '"inf" is not a finite number'),
    ("a,y\n1_0,0\n", {}, '"1_0" is not a finite number'),
    ("a,y\n1,0\n2\n", {}, 'column "y": no label, as it is empty or its row ends before it'),
    ("a,y\n1,0\n\n,1\n", {}, 'row 2 below the header, column "a": not a finite number, as it is empty'),
    ("a,y\n1,0\n2,NA\n", {}, '"NA" reads as a missing value'),
    ("a;y\n1;0\n", {}, "d.csv separates its columns by semicolons, and is read by commas"),
    ("a\ty\n1\t0\n", {}, "d.csv separates its columns by tabs, and is read by commas"),
    ("a|y\n1|0\n", {}, "d.csv separates its columns by |, and is read by commas"),
    ("a,y\n1,0\n", {"separator": "tab"}, "d.csv separates its columns by commas, and is read by tabs"),
    ("1;0\n2;1\n", {"header": False}, "d.csv separates its columns by semicolons, and is read by commas"),
    ("1;0\n2;1\n", {"header": False, "separator": "semicolon"}, 'no column "y"'),
    (
        "5.1,3.5,a\n4.9,3,a\n4.7,3.2,b\n4.6,3.1,b\n",
        {},
        "the first row of d.csv is taken for the names of its columns, and looks like a sample",
    ),
    (
        "0,0,1\n4,9,0\n1,4,1\n1,3,0\n",
        {"target": "1"},
        "the first row of d.csv is taken for the names of its columns, and looks like a sample",
    ),
]


@pytest.mark.parametrize(("text", "arguments", "part"), BAD_TABLES)
def test_a_table_that_the_source_refuses_is_refused_before(
    tmp_path: Path, text: str, arguments: dict[str, Any], part: str
) -> None:
    seen = csv(tmp_path, text, **arguments)
    assert any(part in problem.message for problem in seen.problems)
    with pytest.raises(DataError) as raised:
        build("sources", {"kind": "csv", "path": tmp_path / "d.csv", "target": "y", **arguments})
    assert raised.value.code in [problem.code for problem in seen.problems]
    assert part in raised.value.message.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    "text",
    [
        "a,y\n1,0\n2,1\n",
        "\ufeffa,y\r\n1,0\r\n2,1\r\n",
        'a,y\n"1","0"\n\n 2 , 1 \n',
        "a,y\n\u00a01,0\n2\u00a0,1\n",
        "y,a\n0,1e-3\n1,-2\n",
        'a,y\n1,"two\nlines"\n2,1\n',
        "a,y,\n1,0,5\n2,1,6\n",
    ],
)
def test_a_table_that_the_source_takes_is_taken(tmp_path: Path, text: str) -> None:
    arguments: dict[str, Any] = {"features": ["a"]}
    seen = csv(tmp_path, text, **arguments)
    samples = build("sources", {"kind": "csv", "path": tmp_path / "d.csv", "target": "y", **arguments})
    assert (seen.problems, seen.num_samples, seen.class_names) == ((), 2, samples.class_names)


@pytest.mark.parametrize("name", ["comma", "semicolon", "tab", "pipe"])
def test_each_separator_reads_the_same_table(tmp_path: Path, name: str) -> None:
    rows = [["a", "b", "y"], ["1", "2.5", "x"], ["3", "4", "z"]]
    text = "".join(SEPARATORS[name].join(row) + "\n" for row in rows)
    assert csv(tmp_path, text, separator=name) == Seen((), 2, ("x", "z"))
    samples = build("sources", {"kind": "csv", "path": tmp_path / "d.csv", "target": "y", "separator": name})
    assert samples.inputs.tolist() == [[1, 2.5], [3, 4]]
    assert samples.columns == ("a", "b")


IRIS = "5.1,3.5,setosa\n4.9,3.0,setosa\n6.2,3.4,virginica\n5.9,3.0,virginica\n"


def test_a_first_row_that_looks_like_a_sample_is_told_and_kept_with_the_mend(tmp_path: Path) -> None:
    [warning] = csv(tmp_path, IRIS, target="setosa").problems
    assert (warning.code, warning.severity) == ("header-missing", "warning")
    assert warning.hint == "write header: false beside path; then target is column_3"
    source = {"kind": "csv", "path": tmp_path / "d.csv"}
    [told] = [each for each in build("sources", {**source, "target": "setosa"}).warnings if "first row" in each.message]
    assert (told.code, told.hint) == (warning.code, warning.hint)
    assert csv(tmp_path, IRIS, target="column_3", header=False) == Seen((), 4, ("setosa", "virginica"))
    samples = build("sources", {**source, "target": "column_3", "header": False})
    assert samples.inputs.tolist() == [[5.1, 3.5], [4.9, 3.0], [6.2, 3.4], [5.9, 3.0]]
    assert samples.columns == ("column_1", "column_2")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("0,1,y\n5,1,a\n4,2,a\n3,4,b\n", "y"),
        ("0,1,2\n5,1,0\n4,2,0\n3,4,1\n", "2"),
        ("400,410.5,y\n5,1,0\n4,2,0\n3,4,1\n", "y"),
        ("a,b,y\n1,2,a\n2,4,b\n3,3,y\n", "y"),
        ("7,8,a\n1,2,a\n2,4,b\n", "a"),
    ],
)
def test_a_header_of_numbers_is_one(tmp_path: Path, text: str, target: str) -> None:
    assert [problem.code for problem in csv(tmp_path, text, target=target).problems] == []


def test_linting_reads_the_beginning_and_planning_all(tmp_path: Path) -> None:
    rows = [f"{i},{i % 3}" for i in range(20_000)]
    text = "\n".join(["a,y", *rows, "x,0"]) + "\n"
    assert len(text) > HEAD_BYTES
    assert csv(tmp_path, text) == Seen()
    seen = csv(tmp_path, text, most=MOST_BYTES)
    assert "row 20001 below the header" in seen.problems[0].message
    seen = csv(tmp_path, "\n".join(["a,y", *rows]), most=MOST_BYTES)
    assert seen == Seen((), 20_000, ("0", "1", "2"))


def test_a_changed_file_is_looked_at_again(tmp_path: Path) -> None:
    assert csv(tmp_path, "a,y\n1,0\n2,1\n").problems == ()
    assert csv(tmp_path, "a,z\n1,0\n2,1\n3,1\n").problems != ()


@pytest.mark.parametrize("path", ["nowhere.csv", "", "table.csv.gz"])
def test_what_is_not_there_or_packed_is_left_to_the_source(tmp_path: Path, path: str) -> None:
    (tmp_path / "table.csv.gz").write_bytes(b"\x1f\x8b")
    assert look({"kind": "csv", "path": path, "target": "y"}, str(tmp_path)) == NOTHING


@pytest.mark.parametrize("kind", ["csv", "arrays"])
def test_a_folder_is_no_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "d").mkdir()
    assert "d is a folder" in look({"kind": kind, "path": "d", "target": "y"}, str(tmp_path)).problems[0].message


LABELS = [
    np.array([3, 1, 2, 1]),
    np.array([1, 0, 1, 1], bool),
    np.array(["b", "ab", "b", "é"]),
    np.arange(4, dtype="u1"),
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: labels.dtype.str)
def test_the_labels_of_an_archive_are_those_of_the_source(tmp_path: Path, labels: Any) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((4, 2)), targets=labels)
    seen = look({"kind": "arrays", "path": "d.npz"}, str(tmp_path), MOST_BYTES)
    expected = build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"}).class_names
    assert seen == Seen((), 4, expected, target="class")
    assert look({"kind": "arrays", "path": "d.npz"}, str(tmp_path)) == Seen((), 4, None, target="class")


@pytest.mark.parametrize(
    ("arrays", "arguments", "part"),
    [
        ({"x": np.zeros((4, 2)), "targets": np.zeros(4)}, {}, 'no array "inputs"'),
        ({"inputs": np.zeros((4, 8, 8, 3)), "targets": np.zeros(4, int)}, {}, "channels look to be the last axis"),
        ({"inputs": np.zeros((4, 8, 8, 1)), "targets": np.zeros(4, int)}, {}, "inputs[..., 0] of grey images"),
        ({"inputs": np.zeros((4, 8)), "targets": np.zeros(3, int)}, {}, "(4, 8)"),
    ],
)
def test_headers_of_an_archive(tmp_path: Path, arrays: dict[str, Any], arguments: Any, part: str) -> None:
    np.savez_compressed(tmp_path / "d.npz", **arrays)
    [problem] = look({"kind": "arrays", "path": "d.npz", **arguments}, str(tmp_path)).problems
    assert part in f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28), (512, 4, 4), (16, 3, 3), (64, 1, 1), (4, 8, 4)])
def test_images_whose_channels_come_first_are_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.random.default_rng(0).random((4, *shape)), targets=np.zeros(4, int))
    assert look({"kind": "arrays", "path": "d.npz"}, str(tmp_path)).problems == ()
    assert build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"}).warnings == ()


def test_what_may_be_no_picture_is_told_and_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.random.default_rng(0).random((4, 16, 100, 1)), targets=np.zeros(4, int))
    [problem] = look({"kind": "arrays", "path": "d.npz"}, str(tmp_path)).problems
    [warning] = build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"}).warnings
    assert (problem.severity, problem.code) == ("warning", warning.code)


def images(root: Path, names: list[str], num: int = 2) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        for index in range(num):
            Image.new("L", (4, 4), index).save(root / name / f"{index}.png")


def test_folders_of_images_are_counted_and_in_the_order_of_numbers(tmp_path: Path) -> None:
    images(tmp_path / "imgs", ["10", "9", "2"])
    (tmp_path / "imgs" / "9" / "notes.txt").write_text("no image")
    seen = look({"kind": "image_folder", "path": "imgs"}, str(tmp_path), MOST_BYTES)
    assert seen == Seen((), 6, ("2", "9", "10"))
    samples = build("sources", {"kind": "image_folder", "path": tmp_path / "imgs", "size": 4})
    assert (samples.class_names, samples.targets.tolist()) == (("2", "9", "10"), [0, 0, 1, 1, 2, 2])


def test_folders_of_splits_are_told_by_lint_and_by_the_source(tmp_path: Path) -> None:
    images(tmp_path / "imgs", ["train/a", "train/b", "test/a", "test/b"])
    [problem] = look({"kind": "image_folder", "path": "imgs"}, str(tmp_path)).problems
    assert "imgs holds folders of splits (test, train)" in problem.message
    assert "path be imgs/train" in (problem.hint or "")
    assert look({"kind": "image_folder", "path": "imgs/train"}, str(tmp_path)).problems == ()
    with pytest.raises(DataError, match="folders of splits"):
        build("sources", {"kind": "image_folder", "path": tmp_path / "imgs"})


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    images(tmp_path / "imgs", ["train", "test"])
    assert look({"kind": "image_folder", "path": "imgs"}, str(tmp_path)).problems == ()


def test_an_empty_folder_and_a_file_in_its_place(tmp_path: Path) -> None:
    images(tmp_path / "imgs", ["a"])
    (tmp_path / "imgs" / "b").mkdir()
    (tmp_path / "file").write_text("")
    assert "imgs/b holds no image" in look({"kind": "image_folder", "path": "imgs"}, str(tmp_path)).problems[0].message
    assert "not a folder" in look({"kind": "image_folder", "path": "file"}, str(tmp_path)).problems[0].message


def test_what_counts_as_an_image_is_what_pillow_opens() -> None:
    assert set(Image.registered_extensions()) <= SUFFIXES


def test_looking_needs_no_numpy(tmp_path: Path) -> None:
    import subprocess
    import sys

    csv(tmp_path, "a,y\n1,0\n2,1\n")
    script = (
        "import sys; from craftc.compiler.data_files.look import look; "
        "print(look({'kind': 'csv', 'path': 'd.csv', 'target': 'y'}, sys.argv[1]).class_names, "
        "'numpy' in sys.modules or 'pandas' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert found.stdout == "('0', '1') False\n"


ENCODED = [
    ("a,y\n1,x\n2,z\n".encode("utf-16"), "d.csv is UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8 d.csv"),
    (gzip.compress(b"a,y\n1,x\n2,z\n", mtime=0), "d.csv is packed (gzip)", ".csv.gz"),
    ("gr\u00f6\u00dfe,y\n1,x\n".encode("latin-1"), "d.csv is no UTF-8: a byte is 0xf6", "iconv -f ISO-8859-1"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", "d.csv is an Excel workbook, not a text", "export it as CSV"),
    (np.arange(999.0).tobytes(), "d.csv is no UTF-8", "no text at all"),
]


@pytest.mark.parametrize(("content", "message", "hint"), ENCODED)
def test_a_file_that_is_no_utf8_is_told_by_lint_and_by_the_source(
    tmp_path: Path, content: bytes, message: str, hint: str
) -> None:
    file = tmp_path / "d.csv"
    file.write_bytes(content)
    [problem] = look({"kind": "csv", "path": "d.csv", "target": "y"}, str(tmp_path)).problems
    with pytest.raises(DataError) as raised:
        build("sources", {"kind": "csv", "path": file, "target": "y"})
    for told in (problem, raised.value):
        assert told.code == "data-unreadable"
        assert message in told.message.replace(f"{tmp_path}/", "")
        assert hint in str(told.hint)


@pytest.mark.parametrize("arguments", [{}, {"target": None}, {"target": 2}])
def test_a_table_without_the_name_of_its_target_is_not_looked_at(tmp_path: Path, arguments: dict[str, Any]) -> None:
    (tmp_path / "d.csv").write_text("a,y\n1,0\n")
    assert look({"kind": "csv", "path": "d.csv", **arguments}, str(tmp_path)) == NOTHING


def test_samples_of_one_class_are_told(tmp_path: Path) -> None:
    images(tmp_path / "i", ["only"])
    np.savez(tmp_path / "a.npz", inputs=np.zeros((4, 2)), targets=np.ones(4, dtype=int))
    (tmp_path / "t.csv").write_text("a,y\n1,x\n2,x\n")
    table = {"kind": "csv", "path": "t.csv", "target": "y"}
    for source in (table, {"kind": "image_folder", "path": "i"}, {"kind": "arrays", "path": "a.npz"}):
        [problem] = look(source, str(tmp_path), MOST_BYTES).problems
        assert problem.code == "single-class"


Y = np.arange(6) % 2
UNFIT = [
    (np.zeros(6), Y, "is of shape (6,)", "a table (N, F)"),
    (np.zeros((6, 1, 2, 2, 2)), Y, "is of shape (6, 1, 2, 2, 2)", "(N, C, H, W)"),
    (np.zeros((6, 2), "c16"), Y, "is of type complex128", "integers or floats"),
    (np.zeros((6, 2), "M8[s]"), Y, "is of type datetime", "integers or floats"),
    (np.zeros((6, 2), object), Y, "is of type object", "integers or floats"),
    (np.zeros((6, 2)).astype(str), Y, "is of type text", "integers or floats"),
    (np.zeros(6, [("a", "f8"), ("b", "f8")]), Y, "is of type record", "integers or floats"),
    (np.zeros((6, 2)), Y.astype("c8"), '"targets" in d.npz is of type complex64', "one whole number or text"),
    (np.zeros((6, 2)), Y.astype("S1"), "is of type bytes", "targets.astype(str)"),
    (np.zeros((6, 2)), Y.astype(object), "is of type object", "targets.astype(str)"),
    (np.zeros((6, 2)), np.eye(2, dtype=int)[Y], "shape (6, 2)", "targets.argmax(1)"),
    (np.zeros((6, 2)), Y[:, None], "shape (6, 1)", "targets[:, 0]"),
]


@pytest.mark.parametrize(("inputs", "targets", "message", "hint"), UNFIT)
def test_arrays_that_are_no_samples_are_told_by_lint_and_by_the_source(
    tmp_path: Path, inputs: Any, targets: Any, message: str, hint: str
) -> None:
    np.savez(tmp_path / "d.npz", inputs=inputs, targets=targets)
    [problem] = look({"kind": "arrays", "path": "d.npz"}, str(tmp_path)).problems
    with pytest.raises(DataError) as raised:
        build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"})
    assert (problem.code, problem.hint) == (raised.value.code, raised.value.hint)
    assert message in problem.message
    assert message in raised.value.message.replace(f"{tmp_path}/", "")
    assert hint in str(problem.hint)


def test_half_an_archive_and_a_single_array_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((9, 2)), targets=np.zeros(9, int))
    content = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(content[: len(content) // 2])
    np.save(tmp_path / "d.npy", np.zeros(3))
    for name, part in (("d.npz", "not a whole one"), ("d.npy", "holds a single array")):
        [problem] = look({"kind": "arrays", "path": name}, str(tmp_path)).problems
        assert part in problem.message
        with pytest.raises(DataError, match=part):
            build("sources", {"kind": "arrays", "path": tmp_path / name})


@pytest.mark.parametrize("name", ["NA", "", " ", "nan"])
def test_a_missing_label_among_texts_is_warned_of(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.arange(8).reshape(4, 2), targets=np.array(["a", name] * 2))
    [warning] = build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"}).warnings
    assert warning.code == "label-missing"


def test_what_programs_leave_behind_is_no_class(tmp_path: Path) -> None:
    images(tmp_path / "i", ["a", "b", "__MACOSX", "@eaDir"])
    assert look({"kind": "image_folder", "path": "i"}, str(tmp_path), MOST_BYTES) == Seen((), 4, ("a", "b"))
    assert build("sources", {"kind": "image_folder", "path": tmp_path / "i"}).class_names == ("a", "b")


def test_images_in_folders_within_a_class_are_told(tmp_path: Path) -> None:
    images(tmp_path / "i", ["a", "b", "a/more"])
    [problem] = look({"kind": "image_folder", "path": "i"}, str(tmp_path)).problems
    [warning] = build("sources", {"kind": "image_folder", "path": tmp_path / "i"}).warnings
    assert (problem.code, problem.severity) == (warning.code, "warning")
    assert "i/a/more holds images, which are not taken" in problem.message
    images(tmp_path / "j", ["a/more", "b/more"])
    [problem] = look({"kind": "image_folder", "path": "j"}, str(tmp_path)).problems
    assert "j/a holds no image" in problem.message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "t.txt is empty"),
        (b"aaaa", "all characters of t.txt are 'a'"),
        ("text".encode("utf-16"), "t.txt is UTF-16"),
        ("\u00e9t\u00e9".encode("latin-1"), "t.txt is no UTF-8: a byte is 0xe9"),
        ("\u00e9".encode() * HEAD_BYTES, None),
        (("a" + "\u00e9" * HEAD_BYTES).encode(), None),
        ("\ufeffab".encode(), None),
    ],
)
def test_a_text_is_looked_at_as_far_as_it_is_read(tmp_path: Path, content: bytes, part: str | None) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    problems = look({"kind": "text_file", "path": "t.txt"}, str(tmp_path)).problems
    assert [part in problem.message for problem in problems if part] == ([] if part is None else [True])
    assert part is not None or not problems


@pytest.mark.parametrize("kind", ["csv", "arrays", "text_file", "image_folder"])
def test_what_might_never_end_is_not_looked_at(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert look({"kind": kind, "path": "pipe", "target": "y"}, str(tmp_path)) == NOTHING
    assert look({"kind": kind, "path": "/dev/zero", "target": "y"}, str(tmp_path)) == NOTHING


@pytest.mark.parametrize(
    ("targets", "kind"),
    [(np.zeros(4), "real"), (np.zeros((4, 3), "f4"), "real"), (np.zeros((4, 3), bool), "classes")],
)
def test_what_an_archive_gives_to_be_predicted_is_seen_and_read(tmp_path: Path, targets: Any, kind: str) -> None:
    np.savez(tmp_path / "d.npz", inputs=np.zeros((4, 2)), targets=targets)
    assert look({"kind": "arrays", "path": "d.npz"}, str(tmp_path)) == Seen((), 4, None, target=kind)
    assert build("sources", {"kind": "arrays", "path": tmp_path / "d.npz"}).columns["y"].kind == kind
