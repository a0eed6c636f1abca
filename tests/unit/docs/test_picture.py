"""The picture in the README shows the report of the flagship as it is now."""

import html
import re
from pathlib import Path

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec


def test_it_has_every_row(root: Path) -> None:
    picture = (root / "docs/images/conclusion.svg").read_text(encoding="utf-8")
    shown = html.unescape(re.sub("<[^>]+>", " ", picture)).split()
    spec = root / "specs/vit_ablation.yaml"
    plan = compile_spec(spec.read_text(encoding="utf-8"), str(spec), built_in_catalogue()).plan
    assert plan is not None
    assert plan.baseline in shown
    assert {trial.variant for trial in plan.trials} - set(shown) == set()
