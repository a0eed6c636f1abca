"""Labels that are no classes, or hardly different ones."""

import pytest

from craftc.compiler.data_files.labels import crowded, label_problems


def told(labels: list[str], *, keep: bool = False) -> list[tuple[str, str]]:
    return [(problem.code, problem.severity) for problem in label_problems(labels, "y", keep=keep)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["cat", "dog", "cat"], []),
        (["1", "2", "10"], []),
        (["yes", "no"], []),
        (["True", "False"], []),
        (["0", "1", "2"], []),
        (["cat", "NA", "dog"], [("label-missing", "error")]),
        (["1", "?", "2"], [("label-missing", "error")]),
        (["a", "None", "<NA>", "null"], [("label-missing", "error")]),
        (["True", "TRUE", "False"], [("labels-alike", "error")]),
        (["true", "false", "1", "0"], [("labels-alike", "error")]),
        (["yes", "no", "Yes"], [("labels-alike", "error")]),
        (["Cat", "cat", "dog"], [("labels-alike", "warning")]),
        (["1", "01", "2"], [("labels-alike", "warning")]),
        (["1.0", "1", "2"], [("labels-alike", "warning")]),
        (["a b", "a  b"], [("labels-alike", "warning")]),
        (["\u00e9", "e\u0301"], [("labels-alike", "warning")]),
        (["x", "x\u200b", "z"], [("labels-alike", "warning")]),
        (["on", "off", "ON"], [("labels-alike", "error")]),
        (["a", "N.A.", "b"], [("label-missing", "error")]),
        (["1", "#DIV/0!", "2"], [("label-missing", "error")]),
        (["0.5", "1.5", "0.5"], [("target-not-classes", "warning")]),
        (["0.5", "1.5", "unknown"], []),
    ],
)
def test_what_is_told(labels: list[str], expected: list[tuple[str, str]]) -> None:
    assert told(labels) == expected
    assert told(labels, keep=True) == []


def test_a_missing_label_is_named_with_its_row_and_the_others_counted() -> None:
    [problem] = label_problems(["a", "b", "NA", "?", "na", "b"], "kind")
    assert problem.message == 'row 3 below the header, column "kind": "NA" reads as a missing value; so do 2 more'
    assert "if ?, NA or na is a class" in (problem.hint or "")


@pytest.mark.parametrize(("num_classes", "num_samples", "is_told"), [(60, 60, True), (31, 60, True), (30, 60, False)])
def test_a_class_needs_two_samples_on_average(num_classes: int, num_samples: int, is_told: bool) -> None:
    problem = crowded(num_classes, num_samples, "y holds")
    assert (problem is not None) == is_told


def test_a_handful_of_rows_is_not_judged() -> None:
    assert crowded(7, 7, "y holds") is None
