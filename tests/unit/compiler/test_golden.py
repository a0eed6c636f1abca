"""Wrong specs beside the text that lint prints for them, and right ones beside their plans. Files are discovered."""

import json
from pathlib import Path

import pytest

from craftc.cli.plan import plan_json
from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.passes.verify import verify
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.render import render_text

GOLDEN = Path(__file__).parents[2] / "golden"
WRONG = sorted((GOLDEN / "err").glob("*.yaml"))
ENVIRONMENT = {"DATA_DIR": "data", "TEAM": "owls", "EMPTY": "", "NESTED": "a-${env:TEAM}", "TWO_LINES": "a\nb"}
RIGHT = sorted((GOLDEN / "ok").glob("*.yaml"))


def check(path: Path, text: str, update: bool) -> None:
    if update:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_spec(path: Path, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")
    compiled = compile_spec(text, path.name, built_in_catalogue(), environment=ENVIRONMENT)
    texts = {path.name: text, **compiled.analysis.fragments}
    check(path.with_suffix(".txt"), render_text(compiled.diagnostics, texts) + "\n", update_goldens)
    assert compiled.diagnostics


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_right_spec(path: Path, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")
    compiled = compile_spec(text, path.name, built_in_catalogue(), environment=ENVIRONMENT)
    assert compiled.diagnostics == ()
    assert compiled.plan is not None
    verify(compiled.plan)
    check(path.with_suffix(".json"), json.dumps(plan_json(compiled.plan), indent=2) + "\n", update_goldens)
