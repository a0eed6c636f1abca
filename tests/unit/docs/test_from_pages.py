"""Of docs/from, every spec lints clean, and every file of another tool is recognized as what its page is about."""

import re
from pathlib import Path

import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.spec_places import fragment_at
from craftc.schemas.diagnostic import parse_path

FOLDER = Path(__file__).parents[3] / "docs" / "from"
PAGES = sorted(FOLDER.glob("*.md"))
BLOCKS = [
    pytest.param(page.stem, block, id=f"{page.stem}-{index}")
    for page in PAGES
    for index, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]
SPECS = [block for block in BLOCKS if str(block.values[1]).startswith("craftc: 1")]
FOREIGN = [block for block in BLOCKS if block not in SPECS]


@pytest.mark.parametrize(("page", "block"), SPECS)
def test_a_spec_is_clean(page: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("customers.csv").write_text("age,income,bought\n" + "1,2,no\n3,4,yes\n" * 20, encoding="utf-8")
    assert analyse(block, "x.yaml", built_in_catalogue()).diagnostics == ()


@pytest.mark.parametrize(("page", "block"), FOREIGN)
def test_a_file_of_another_tool_is_told_as_that_and_names_its_page(page: str, block: str) -> None:
    (found,) = analyse(block, "x.yaml", built_in_catalogue()).diagnostics
    assert found.code == "foreign-file"
    assert f"docs/from/{page}.md" in (found.hint or "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_both_sides_and_the_paths_that_it_names_are_in_the_language(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len([block for block in SPECS if block.values[0] == page.stem]) >= 1
    assert len([block for block in FOREIGN if block.values[0] == page.stem]) >= 1
    for row in re.findall(r"^\| .+ \| (.+) \|$", text, re.MULTILINE):
        for path in re.findall(r"`((?:data|training|search|ablation|resources|report|regularization)\.[a-z_.]+)`", row):
            assert fragment_at(parse_path(path)[:2]), path
