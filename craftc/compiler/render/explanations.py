"""Reads the page of a diagnostic: what it means, why it is one, a bad and a good example."""

from functools import lru_cache
from pathlib import Path

from craftc.schemas.frozen import Frozen

FOLDER = Path(__file__).with_name("explanations")
FENCE = "```yaml\n"


class Explanation(Frozen):
    """One page. `bad` and `good` are YAML, or None for what does not come from a spec's text alone."""

    code: str
    title: str
    text: str
    bad: str | None
    good: str | None


@lru_cache(maxsize=1)
def codes() -> tuple[str, ...]:
    """Every code, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))


def explain(code: str) -> Explanation:
    """The page of a code. Raises KeyError for an unknown one."""
    if code not in codes():
        raise KeyError(code)
    return parse_explanation(code, source(code))


def source(code: str) -> str:
    """A page as written: Markdown with the title first, then text, then `Bad:` and `Good:` with their YAML."""
    return (FOLDER / f"{code}.md").read_text(encoding="utf-8")


def parse_explanation(code: str, page: str) -> Explanation:
    """Split a page into its parts."""
    title, _, body = page.partition("\n")
    text, _, examples = body.partition("\nBad:\n")
    bad, _, good = examples.partition("\nGood:\n")
    return Explanation(
        code=code, title=title.removeprefix("# ").strip(), text=text.strip(), bad=_yaml(bad), good=_yaml(good)
    )


def _yaml(section: str) -> str | None:
    _, fence, rest = section.partition(FENCE)
    return rest.partition("```")[0] if fence else None
