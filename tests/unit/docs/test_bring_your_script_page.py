"""The differences that docs/how_to/bring_your_script.md shows are those of the files, and its specs are clean."""

import difflib
import re
from pathlib import Path

import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how_to" / "bring_your_script.md").read_text()
SIMCLR = ROOT / "tests" / "end_to_end" / "simclr"
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SIMCLR / "script.py", SIMCLR / "train.py"),
        (EXAMPLES / "06_transformers/digit_bert/script.py", EXAMPLES / "06_transformers/digit_bert/finetune.py"),
        (EXAMPLES / "07_command/script.pl", EXAMPLES / "07_command/train.pl"),
    ],
)
def test_the_differences_are_those_of_the_files(before: Path, after: Path) -> None:
    lines = difflib.unified_diff(before.read_text().splitlines(), after.read_text().splitlines(), n=1, lineterm="")
    shown = "\n".join([*lines][2:])
    assert f"```diff\n{shown}\n```" in PAGE


def test_what_lightning_needs_no_more_is_the_end_of_its_script() -> None:
    script = (EXAMPLES / "05_lightning/digit_net/script.py").read_text().splitlines()
    end = "\n".join(f"-{line}" for line in script[script.index('if __name__ == "__main__":') :])
    assert f"```diff\n{end}\n```" in PAGE


@pytest.mark.parametrize("number", range(4))
def test_the_specs_are_clean(number: int) -> None:
    block = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[number]
    folders = (SIMCLR.parent, EXAMPLES / "05_lightning", EXAMPLES / "06_transformers", EXAMPLES / "07_command")
    head = "" if block.startswith("craftc:") else "craftc: 1\nname: shown\nreport: {metric: valid/accuracy}\n"
    path = folders[number] / "shown.yaml"
    analysis = analyse(head + block, str(path), built_in_catalogue())
    assert [diagnostic.message for diagnostic in analysis.diagnostics] == []
