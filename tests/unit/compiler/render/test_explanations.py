"""Every code is explained, and what its page shows as bad and good is so."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from craftc.compiler.fixing.fix_texts import fix_texts
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.render.explanations import codes, explain
from craftc.schemas.diagnostic import Diagnostic

BASE = {
    "craftc": "craftc: 1",
    "name": "name: example",
    "data": "data: {source: digits}",
    "model": "model: {kind: mlp}",
    "objective": "objective: {kind: cross_entropy}",
    "training": "training: {epochs: 5, batch_size: 32, optimizer: adamw}",
}


def whole(example: str, code: str) -> str:
    """An example with the sections that it leaves out; one that shows a whole file stays as it is."""
    if "craftc:" in example or code == "empty-document":
        return example
    given = {line.split(":")[0] for line in example.splitlines() if line[:1].isalpha()}
    return "\n".join([*(text for key, text in BASE.items() if key not in given), example])


with_examples = [code for code in codes() if explain(code).bad is not None]


@pytest.mark.parametrize("code", with_examples)
def test_the_bad_example_has_just_this_mistake(code: str) -> None:
    text = whole(explain(code).bad or "", code)
    found = {diagnostic.code for diagnostic in analyse(text, "example.yaml", built_in_catalogue()).diagnostics}
    assert found == {code}


@pytest.mark.parametrize("code", with_examples)
def test_the_good_example_is_clean(code: str) -> None:
    text = whole(explain(code).good or "", code)
    assert analyse(text, "example.yaml", built_in_catalogue()).diagnostics == ()


@pytest.mark.parametrize("code", with_examples)
def test_a_page_says_that_lint_mends_the_mistake_where_it_makes_the_good_example_of_the_bad(code: str) -> None:
    def lint(texts: Mapping[str, str]) -> Sequence[Diagnostic]:
        return analyse(texts["example.yaml"], "example.yaml", built_in_catalogue()).diagnostics

    page = explain(code)
    result = fix_texts({"example.yaml": whole(page.bad or "", code)}, lint, str)
    assert bool(result.num_fixed) == ("`craftc lint --fix`" in page.text)
    if result.num_fixed:
        assert result.texts["example.yaml"] == whole(page.good or "", code)


@pytest.mark.parametrize("code", codes())
def test_a_page_has_a_title_and_a_text(code: str) -> None:
    page = explain(code)
    assert page.title
    assert len(page.text) > 60


def test_every_code_in_the_source_has_a_page(root: Path) -> None:
    """Codes are the first arguments of Problem, DataError, TrainingError and the like."""
    makers = {"Problem", "DataError", "TrainingError", "StoreError", "BackendError", "_report", "_refuse", "error"}
    makers |= {"ProgramError", "ReportError"}
    used: set[str] = set()
    for file in (root / "craftc").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            given = [node.args[0]] if name in makers and node.args else []
            given += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            used |= {arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    assert {code for code in used if code} <= set(codes())
