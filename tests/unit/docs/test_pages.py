"""What the hand-written pages show and name is so."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import COMMANDS, app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse, compile_spec
from craftc.schemas.forecast import Machine

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")), *(ROOT / "docs").rglob("*.md")]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPEC = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if block.startswith("craftc:"))


def test_the_first_spec_is_clean_and_short() -> None:
    assert analyse(SPEC, "first.yaml", built_in_catalogue()).diagnostics == ()
    assert len(SPEC.splitlines()) == 10


def test_its_plan_is_the_one_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("craftc.cli.plan.this_machine", lambda: Machine(cpus=2))
    Path("first.yaml").write_text(SPEC, encoding="utf-8")
    shown = CliRunner().invoke(app, ["plan", "first.yaml"], env={"COLUMNS": "100"})
    assert "\n".join(line.rstrip() for line in shown.stdout.splitlines()) in README


@pytest.mark.parametrize(
    ("page", "spec", "columns"),
    [
        ("how_to/search.md", "specs/vit_search.yaml", 80),
        ("explanation/passes/share.md", "tests/golden/ok/share.yaml", 110),
    ],
)
def test_the_plan_of_a_page_is_the_one_shown(
    page: str, spec: str, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("craftc.cli.plan.this_machine", lambda: Machine(cpus=2))
    arguments = ["plan", str(ROOT / spec), "--runs-dir", str(tmp_path)]
    planned = CliRunner().invoke(app, arguments, env={"COLUMNS": str(columns)})
    table, _, _ = planned.stdout.partition("estimate: ")
    text = re.sub(r"\n\n", "\n", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert "\n".join(line.rstrip() for line in table.splitlines() if line.strip()) in text


def test_its_conclusion_has_the_variants_shown() -> None:
    plan = compile_spec(SPEC, "first.yaml", built_in_catalogue()).plan
    assert plan is not None
    for trial in plan.trials:
        assert re.search(rf"^{re.escape(trial.variant)} +3/3 ", README, re.MULTILINE)


def test_the_mistakes_are_told_and_mended_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = SPEC.replace("hidden: [", "hiden: [").replace("batch_size: 32", "batch_size: 0").replace("[acc", "[ac")
    monkeypatch.chdir(tmp_path)
    Path("first.yaml").write_text(wrong, encoding="utf-8")
    told, shown = (CliRunner().invoke(app, ["lint", *more, "first.yaml"]) for more in ([], ["--diff"]))
    assert told.stdout.count("error[") == 3
    for result in (told, shown):
        assert f"{result.stdout}{result.stderr}" in README


def test_the_command_table_is_that_of_the_command_line() -> None:
    table = re.findall(r"^\| `craftc (\w+)", README, re.MULTILINE)
    assert table == list(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), target


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {_anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
