"""Slips that had several mends, or none that helped: each has one now, and what it says lints clean."""

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec

SECTIONS = {
    "craftc": "craftc: 1",
    "name": "name: example",
    "data": "data: {source: digits}",
    "model": "model: {kind: mlp}",
    "objective": "objective: {kind: cross_entropy}",
    "training": "training: {epochs: 5, batch_size: 32, optimizer: adamw}",
}
SEARCH = "search: {space: {training.optimizer.lr: {choice: %s}}, optimize: {metric: valid/loss}, trials: 1}"
ENV = "data: {source: {kind: csv, path: %s, target: y}}"


def complete(text: str) -> str:
    return "\n".join([*(section for name, section in SECTIONS.items() if name != text.split(":")[0]), text])


@pytest.mark.parametrize(
    ("text", "code", "hint", "mended"),
    [
        ("dataset: digits", "unknown-key", "it is data.source here",
         "data: {source: digits}"),
        ("data: {name: digits}", "unknown-key", "write source: digits", "data: {source: digits}"),
        ("data: {kind: digits}", "unknown-key", "write source: digits", "data: {source: digits}"),
        ("data: digits", "wrong-type", "write {source: digits}", "data: {source: digits}"),
        ("evaluation: {select: valid/accuracy}", "wrong-type", "write {metric: valid/accuracy}",
         "evaluation: {select: {metric: valid/accuracy}}"),
        ("data: {source: digits, splits: 80/10/10}", "wrong-type", "write {train: 0.8, valid: 0.1, test: 0.1}",
         "data: {source: digits, splits: {train: 0.8, valid: 0.1, test: 0.1}}"),
        ("data: {source: digits, splits: [0.7, 0.3]}", "wrong-type", "write {train: 0.7, test: 0.3}",
         "data: {source: digits, splits: {train: 0.7, test: 0.3}}"),
        ("data: {source: digits, splits: 0.6}", "wrong-type", "write {train: 0.6, valid: 0.2, test: 0.2}",
         "data: {source: digits, splits: {train: 0.6, valid: 0.2, test: 0.2}}"),
        (SEARCH % '[0.1, "0.1"]', "wrong-type", "remove it: 0.1 is in the list without quotes", SEARCH % "[0.1]"),
        ('ablation: {grid: {training.batch_size: [8, 16, "8"]}}', "wrong-type",
         "remove it: 8 is in the list without quotes", "ablation: {grid: {training.batch_size: [8, 16]}}"),
        ('ablation: {grid: {training.batch_size: [8, "16"]}}', "wrong-type", "a number stands without quotes",
         "ablation: {grid: {training.batch_size: [8, 16]}}"),
    ],
)  # fmt: skip
def test_one_mistake_whose_mend_is_clean(compiled, text: str, code: str, hint: str, mended: str) -> None:
    # The fixture would add data where a spec lacks it.
    whole = complete(text).replace("data: {source: digits}\n", "") if "dataset" in text else complete(text)
    [found] = compile_spec(whole, "x.yaml", built_in_catalogue()).diagnostics
    assert (found.code, found.hint) == (code, hint)
    assert compiled(mended).diagnostics == ()


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ("${env:DATA}", '"${env:DATA}"'),
        ("${env:DATA}/a.csv", '"${env:DATA}/a.csv"'),
        ("d/${env:A}.csv", '"d/${env:A}.csv"'),
    ],
)
def test_a_reference_within_braces_is_to_be_quoted(compiled, written: str, quoted: str) -> None:
    [found] = compiled(ENV % written).diagnostics
    assert (found.code, found.hint) == ("yaml-syntax", f"write {quoted}")
    assert [d.code for d in compiled(ENV % quoted).diagnostics] == ["env-unset"]
