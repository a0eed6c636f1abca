"""Wrong specs beside the text that lint prints for them, and right ones beside their plans. Files are discovered."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from craftc.cli.plan import plan_json
from craftc.compiler.fixing.fix_texts import fix_texts
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse, compile_spec
from craftc.compiler.planning.passes.verify import verify_placed
from craftc.compiler.render.text import render_text
from craftc.runtime.store.store import Store
from craftc.runtime.store.trained_weights import trained_trials
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.forecast import Machine

GOLDEN = Path(__file__).parents[2] / "golden"
WRONG = sorted((GOLDEN / "err").glob("*.yaml"))
ENVIRONMENT = {"DATA_DIR": "data", "TEAM": "owls", "EMPTY": "", "NESTED": "a-${env:TEAM}", "TWO_LINES": "a\nb"}
RIGHT = sorted((GOLDEN / "ok").glob("*.yaml"))
TRAINED = trained_trials(Store(Path("../store")))
"""One finished trial, and one that is not; from the folder of the specs, where each test runs."""


MACHINE = Machine(cpus=4, gpus=1)


def finished(path: Path) -> frozenset[str]:
    """What a store holds: `<stem>.finished` beside a spec has lines of a variant and a seed."""
    listed = path.with_suffix(".finished")
    if not listed.exists():
        return frozenset()
    named = {tuple(line.rsplit(" ", 1)) for line in listed.read_text(encoding="utf-8").splitlines()}
    plan = compile_spec(path.read_text(encoding="utf-8"), path.name, built_in_catalogue()).plan
    assert plan is not None
    return frozenset(t.id for t in plan.trials if (t.variant, str(t.seed)) in named)


def check(path: Path, text: str, update: bool) -> None:
    if update:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_spec(path: Path, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")
    compiled = compile_spec(
        text, path.name, built_in_catalogue(), environment=ENVIRONMENT, machine=MACHINE, trained=TRAINED
    )
    texts = {path.name: text, **compiled.analysis.fragments}
    check(path.with_suffix(".txt"), render_text(compiled.diagnostics, texts) + "\n", update_goldens)
    assert compiled.diagnostics


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_sure_mends_of_a_wrong_spec(path: Path, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `fix/`, the file as `craftc lint --fix` leaves it; nothing there of one that it leaves as it is."""
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")

    def lint(texts: Mapping[str, str]) -> Sequence[Diagnostic]:
        found = analyse(texts[path.name], path.name, built_in_catalogue(), environment=ENVIRONMENT)
        return found.diagnostics

    result = fix_texts({path.name: text}, lint, str)
    golden = GOLDEN / "fix" / path.name
    if result.num_fixed:
        check(golden, result.texts[path.name], update_goldens)
    else:
        assert not golden.exists()


def test_every_mended_golden_is_of_a_wrong_spec() -> None:
    assert {path.name for path in (GOLDEN / "fix").iterdir()} <= {path.name for path in WRONG}


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_right_spec(path: Path, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")
    compiled = compile_spec(
        text,
        path.name,
        built_in_catalogue(),
        finished(path).__contains__,
        environment=ENVIRONMENT,
        machine=MACHINE,
        trained=TRAINED,
    )
    assert compiled.diagnostics == ()
    assert compiled.plan is not None
    verify_placed(compiled.plan)
    check(path.with_suffix(".json"), json.dumps(plan_json(compiled.plan), indent=2) + "\n", update_goldens)
