"""Tables as people have them: exports with gaps, categories and dates, as CSV and as Parquet."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from craftc.compiler.data_files.look import look
from craftc.compiler.data_files.seen import MOST_BYTES, Seen
from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources.samples import Samples
from craftc.components.sources.table import GAP, Table

EXPORT = Path(__file__).parents[2] / "data/export.csv"
"""With a byte order mark, quotes, NA, ?, dates of two forms, thousands' separators and codes with leading zeros."""
SAID = {"id": "id", "note": "ignore", "cyl": "category"}
ASKED: dict[str, Any] = {"target": "class", "columns": SAID, "impute": "median", "unlabelled": "drop"}


def table(kind: str = "csv", path: Path = EXPORT, **arguments: Any) -> Table:
    found: Table = build("sources", {"kind": kind, "path": path, **ASKED, **arguments})
    assert isinstance(found, Table)
    return found


def seen(path: Path, **arguments: Any) -> Seen:
    return look({"kind": "csv", "path": str(path), **arguments}, ".", MOST_BYTES)


def with_pandas() -> pd.DataFrame:
    """The export as its owner would read it with pandas, told everything about it."""
    read = pd.read_csv(EXPORT, dtype={"zip": str}, thousands=",", na_values="?", parse_dates=["built"])
    read["sold"] = pd.to_datetime(read["sold"], format="%d/%m/%Y")
    return read[read["class"].notna()].reset_index(drop=True)


def test_an_export_is_read_as_pandas_reads_it_that_is_told_everything() -> None:
    found, expected = table(), with_pandas()
    assert found.number_names == ("hp", "price", "built", "sold", "mpg")
    assert found.is_date == (False, False, True, True, False)
    assert found.category_names == ("maker", "zip", "cyl")
    epoch = pd.Timestamp("1970-01-01")
    for name, column in zip(found.number_names, found.numbers.T, strict=True):
        cells = expected[name]
        np.testing.assert_array_equal(column, (cells - epoch).dt.days if name in ("built", "sold") else cells)
    for name, values, codes in zip(found.category_names, found.values, found.categories.T, strict=True):
        texts = [None if code == GAP else values[code] for code in codes]
        assert texts == [None if pd.isna(cell) else str(cell) for cell in expected[name]]
    assert [found.class_names[number] for number in found.targets] == expected["class"].tolist()
    assert found.by_sample["id"].tolist() == expected["id"].astype(str).tolist()
    assert set(found.by_sample) == {"id", "built", "sold"}
    assert found.warnings == ()


def test_parquet_gives_the_same_table(tmp_path: Path) -> None:
    whole = pd.read_csv(EXPORT, dtype={"zip": str}, thousands=",", na_values="?", parse_dates=["built"])
    whole["maker"] = whole["maker"].astype("category")
    whole["tags"] = [[1, 2]] * len(whole)
    whole.to_parquet(tmp_path / "t.parquet")
    found, expected = table("parquet", tmp_path / "t.parquet"), table()
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    np.testing.assert_array_equal(found.categories, expected.categories)
    np.testing.assert_array_equal(found.targets, expected.targets)
    assert (found.number_names, found.values) == (expected.number_names, expected.values)


def test_parquet_reads_no_column_that_is_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    pd.DataFrame({"a": [1.5, 2.5], "b": [3.5, 4.5], "y": ["u", "v"]}).to_parquet(tmp_path / "t.parquet")
    asked = []
    read = pyarrow.parquet.ParquetFile.read

    def spied(self: Any, columns: list[str]) -> Any:
        asked.append(columns)
        return read(self, columns=columns)

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "read", spied)
    found = build("sources", {"kind": "parquet", "path": tmp_path / "t.parquet", "target": "y", "features": ["b"]})
    assert (found.number_names, asked) == (("b",), [["b", "y"]])


def test_what_lint_shows_of_columns_is_what_training_gets() -> None:
    found = seen(EXPORT, **ASKED)
    assert (found.problems, found.num_samples, found.class_names) == ((), 59, ("fast", "slow"))
    by_name = {column.name: column for column in found.columns}
    given = table()
    gaps = dict(zip(given.number_names, np.isnan(given.numbers).sum(axis=0), strict=True))
    gaps |= dict(zip(given.category_names, (given.categories == GAP).sum(axis=0), strict=True))
    assert {name: by_name[name].gaps for name in gaps} == gaps
    distinct = {name: len(values) for name, values in zip(given.category_names, given.values, strict=True)}
    assert {name: by_name[name].distinct for name in distinct} == distinct
    assert {name for name, column in by_name.items() if column.role in ("number", "date")} == set(given.number_names)


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("a,y\n1,u\n,v\n", {}, "row 2", "impute: median"),
    ("a,y\n1,u\n?,v\n", {}, 'column "a"', "impute: median"),
    ("a,y\nred,u\nblue,v\n", {}, '"red" is not a finite number', "columns: {a: category}"),
    ("a,y\n1,u\n,v\n", {"columns": {"a": "number"}}, "row 2", "impute: median"),
    ("a,y\n1,u\nx,v\n", {"columns": {"a": "number"}}, '"x" is not a finite number', "columns: {a: category}"),
    (
        "a,y\n1,u\n-9,v\noops,v\n",
        {"columns": {"a": "number"}, "missing": ["-9"], "impute": "mean"},
        "row 3",
        "missing:",
    ),
    ("a,y\n1,u\n12,v\n", {"columns": {"a": "date"}}, '"1" is no date', "2024-12-31"),
    ("a,y\n1/2/2020,u\n3/4/2021,v\n", {"columns": {"a": "date"}}, "either number may be the day", "day_first: true"),
    ("a,y\n1,u\n2,\n", {"columns": "infer"}, "no label", "unlabelled: drop"),
    ("a,y\n1,u\n2,NA\n", {"columns": "infer"}, "reads as a missing value", "unlabelled: drop"),
    ("a,y\n1,1.5\n2,\n", {"columns": {"y": "number"}}, "row 2", "unlabelled: drop"),
    ("a,y\n1,1.5\n2,x\n", {"columns": {"y": "number"}}, '"x" is not a finite number', "columns: {y: category}"),
    ("a,y\n1,u\n2,v\n", {"columns": {"b": "number"}}, 'no column "b"', "it has a, y"),
    ("a,y\n1,u\n2,v\n", {"columns": {"y": "date"}}, "role date", "category for classes"),
    ("a,b,y\n1,2,u\n2,3,v\n", {"columns": {"a": "group"}, "features": ["a"]}, "one of the features", "leave it out"),
    ("a,y\n1,u\n2,v\n", {"columns": {"a": "ignore"}}, "no column is an input", "number, category or text"),
    ("a,y\n1,u,3\n2,v\n", {"columns": "infer"}, "3", "every row needs as many cells"),
]


@pytest.mark.parametrize(("text", "arguments", "message", "hint"), WRONG)
def test_what_is_wrong_is_said_alike_by_lint_and_by_the_source(
    text: str, arguments: dict[str, Any], message: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    problems = [p for p in seen(path, target="y", **arguments).problems if p.severity == "error"]
    assert any(message in problem.message and hint in (problem.hint or "") for problem in problems), problems
    with pytest.raises(DataError) as raised:
        build("sources", {"kind": "csv", "path": path, "target": "y", **arguments})
    assert raised.value.code in {problem.code for problem in problems}
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_rows_without_a_target_are_dropped_where_the_spec_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n1,u\n2,\n3,NA\nx,?\n5,v\n")
    samples = build("sources", {"kind": "csv", "path": tmp_path / "t.csv", "target": "y", "unlabelled": "drop"})
    assert isinstance(samples, Samples)
    assert samples.inputs.tolist() == [[1], [5]]
    found = seen(tmp_path / "t.csv", target="y", unlabelled="drop")
    assert (found.problems, found.num_samples) == ((), 2)


def test_a_row_keeps_its_number_where_rows_before_it_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n1,u\n2,\nx,v\n")
    for arguments in ({}, {"columns": {"a": "number"}}):
        asked = {"target": "y", "unlabelled": "drop", **arguments}
        [problem] = seen(tmp_path / "t.csv", **asked).problems
        with pytest.raises(DataError, match="row 3 below the header"):
            build("sources", {"kind": "csv", "path": tmp_path / "t.csv", **asked})
        assert "row 3 below the header" in problem.message


def test_a_quantity_is_a_target_where_columns_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,y\n1,"1,500"\n2,2.5\n3,-4\n')
    found = build("sources", {"kind": "csv", "path": tmp_path / "t.csv", "target": "y", "columns": {"y": "number"}})
    assert (found.targets.tolist(), found.class_names) == ([1500.0, 2.5, -4.0], ())


def test_columns_that_are_numbers_give_what_they_gave_without_roles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.normal(size=(50, 3)), columns=["a", "b", "c"])
    numbers.assign(y=["u", "v"] * 25).to_csv(tmp_path / "t.csv", index=False)
    plain = build("sources", {"kind": "csv", "path": tmp_path / "t.csv", "target": "y"})
    typed = build("sources", {"kind": "csv", "path": tmp_path / "t.csv", "target": "y", "columns": "infer"})
    assert isinstance(plain, Samples)
    np.testing.assert_array_equal(plain.inputs, typed.numbers)
    np.testing.assert_array_equal(plain.targets, typed.targets)


@pytest.mark.parametrize(("content", "message"), [(b"a,y\n1,u\n", "is no Parquet file"), (None, "cannot be read")])
def test_what_is_no_parquet_file_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match=message):
        build("sources", {"kind": "parquet", "path": tmp_path / "t.parquet", "target": "y"})


def test_lists_in_parquet_are_no_inputs_and_refused_where_they_are_named(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.5, 2.5], "b": [[1], [2]], "y": ["u", "v"]}).to_parquet(tmp_path / "t.parquet")
    asked = {"kind": "parquet", "path": tmp_path / "t.parquet", "target": "y"}
    assert build("sources", asked).number_names == ("a",)
    with pytest.raises(DataError, match="does not hold one value in each row"):
        build("sources", {**asked, "columns": {"b": "number"}})


def of_arrays(path: Path, values: Any, labels: list[str | None], **arguments: Any) -> Samples:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"x": values, "y": pyarrow.array(labels), "who": ["a", "b"] * (len(labels) // 2)})
    pyarrow.parquet.write_table(table, path, row_group_size=3)
    found: Samples = build("sources", {"kind": "parquet", "path": path, "target": "y", "input": "x", **arguments})
    return found


@pytest.mark.parametrize("shape", [(3,), (2, 4), (3, 2, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_arrays_of_a_parquet_file(shape: tuple[int, ...], dtype: type[Any], tmp_path: Path) -> None:
    import pyarrow

    expected = (np.random.default_rng(0).normal(size=(8, *shape)) * 50).astype(dtype)
    fixed = pyarrow.array(expected.ravel())
    for size in reversed(shape):
        fixed = pyarrow.FixedSizeListArray.from_arrays(fixed, size)
    labels: list[str | None] = ["u", "v", None, "u"] * 2
    for number, values in enumerate((expected.tolist(), fixed)):
        found = of_arrays(tmp_path / f"{number}.parquet", values, labels, unlabelled="drop")
        kept = [row for row, label in enumerate(labels) if label is not None]
        np.testing.assert_array_equal(found.inputs, expected[kept])
        assert [found.class_names[number] for number in found.targets] == [labels[row] for row in kept]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 2.0], [1.0]] * 2, "arrays of 2 lengths: 1, 2"),
        ([[1.0, 2.0], None] * 2, "arrays of 2 lengths: 2, nothing"),
        ([[1.0, None], [1.0, 2.0]] * 2, "2 numbers are missing"),
        ([["a"], ["b"]] * 2, "of which no samples can be made"),
        ([1.0, 2.0] * 2, "of which no samples can be made"),
    ],
)
def test_what_is_no_array_of_one_shape(values: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        of_arrays(tmp_path / "t.parquet", values, ["u", "v", "u", "v"])


def test_a_column_of_arrays_has_to_be_there(tmp_path: Path) -> None:
    for name in ("y", "z"):
        with pytest.raises(DataError, match=f'has no column "{name}" beside the target'):
            of_arrays(tmp_path / "t.parquet", [[1.0], [2.0]] * 2, ["u", "v", "u", "v"], input=name)


@pytest.mark.parametrize("names", [("a b", "a-b"), ("numbers", "other"), ("note", "note_mask")])
def test_two_columns_of_text_that_a_model_could_not_tell_apart(names: tuple[str, str], tmp_path: Path) -> None:
    pd.DataFrame({names[0]: ["u", "v"], names[1]: ["v", "w"], "y": ["a", "b"]}).to_csv(tmp_path / "t.csv", index=False)
    columns = dict.fromkeys(names, "text")
    with pytest.raises(DataError, match="would be given to a model as"):
        table(path=tmp_path / "t.csv", target="y", columns=columns)
