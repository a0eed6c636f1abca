"""A craftc with a key more in every section and an argument more in every component knows the trials of before."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Those of data that is fetched cannot be planned without it.
_OURS = [path for path in sorted((ROOT / "specs").glob("*.yaml")) if "../data/" not in path.read_text(encoding="utf-8")]
SPECS = [*_OURS, *sorted((ROOT / "tests" / "golden" / "ok").glob("*.yaml"))]
PLAN = """
import json, os, sys
from pathlib import Path
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.store import Store
from craftc.runtime.store.trained_weights import trained_trials

found = {}
for path in map(Path, sys.argv[2:]):
    os.chdir(path.parent)
    store = Store(Path(sys.argv[1]))
    compiled = compile_spec(
        path.read_text(), path.name, built_in_catalogue(), environment={"TEAM": "owls"}, trained=trained_trials(store)
    )
    assert compiled.plan is not None, (path, compiled.diagnostics)
    trials = compiled.plan.trials
    names = "key_since", "argument_since"
    stages = [t.stages and t.stages.model_dump() for t in trials]
    added = [[name in json.dumps(t.config) for name in names] for t in trials]
    found[path.name] = [list(each) for each in zip((t.id for t in trials), stages, added, strict=True)]
json.dump(found, sys.stdout)
"""
SECTIONS = {
    "spec": ["Data", "Objective", "Regularization", "EarlyStopping", "Training", "Select", "Evaluation"],
    "program_spec": ["ProgramTraining", "ProgramEvaluation"],
    "splits": ["Splits"],
}
KEY = '    key_since: int = Field(7, ge=0, description="Added since.")\n'
ARGUMENT = {"name": "argument_since", "type": {"type": "number"}, "required": False, "default": 0.5, "doc": "Added."}


@pytest.fixture
def plans(tmp_path: Path) -> tuple[dict[str, list[list[object]]], ...]:
    """The trials of every spec, by the craftc that is here and by the one that has grown."""
    folder = tmp_path / "grown"
    shutil.copytree(ROOT / "craftc", folder / "craftc", ignore=shutil.ignore_patterns("__pycache__"))
    for module, sections in SECTIONS.items():
        path = folder / "craftc" / "schemas" / f"{module}.py"
        heads = rf'(class (?:{"|".join(sections)})\(.*\):\n    """.*"""\n\n)'
        text, num_grown = re.subn(heads, rf"\1{KEY}", path.read_text(encoding="utf-8"))
        assert num_grown == len(sections)
        path.write_text(text, encoding="utf-8")
    catalogue = folder / "craftc" / "compiler" / "language" / "catalogue.json"
    content = json.loads(catalogue.read_text(encoding="utf-8"))
    for entry in content["entries"]:
        entry.setdefault("parameters", []).append(ARGUMENT)
    catalogue.write_text(json.dumps(content), encoding="utf-8")
    return tuple(_plan(root) for root in (ROOT, folder))


def _plan(root: Path) -> dict[str, list[list[object]]]:
    store = ROOT / "tests" / "golden" / "store"
    command = [sys.executable, "-P", "-c", PLAN, str(store), *map(str, SPECS)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[list[object]]] = json.loads(done.stdout)
    return found


def test_a_key_and_an_argument_more_leave_every_fingerprint(plans: tuple[dict[str, list[list[object]]], ...]) -> None:
    before, after = plans
    assert len(before) == len(SPECS) > 10
    for name, trials in before.items():
        assert [trial[:2] for trial in after[name]] == [trial[:2] for trial in trials]
        # They are there, and in what is trained; of a program whose stages nobody knows, no component is craftc's.
        assert all(trial[2] == [False, False] for trial in trials)
        assert all(trial[2] == [True, trial[1] is not None] for trial in after[name])
