"""The indexes and the glossary are complete: every page, every decision and every central class has its line."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
CRAFTC = DOCS.parent / "craftc"
DECISIONS = {int(page.name[:4]): page for page in (DOCS / "decisions").glob("[0-9]*.md")}
ROW = re.compile(r"^\| \[(\d+)\]\(([\w-]+\.md)\) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
DECISION_ROWS = ROW.findall((DOCS / "decisions" / "README.md").read_text(encoding="utf-8"))
LINK = r"\[(\d+)\]\((\d{4})-[\w-]+\.md\)"
STATUS = re.compile(rf"stands|(?:stands, amended|superseded) by {LINK}")
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")
GLOSSARY_ROWS = re.findall(r"^\| \*\*([\w -]+)\*\* \| (.+) \| (.+) \|$", GLOSSARY, re.MULTILINE)

CONCEPTS = {
    "Spec": "spec",
    "Variant": "variant",
    "Trial": "trial",
    "Stages": "stage",
    "Plan": "plan",
    "Job": "job",
    "Headline": "headline",
    "Work": "work",
    "Point": "point",
    "Training": "training",
    "Member": "member",
    "WorkerGroup": "worker group",
    "Batch": "batch",
    "Store": "store",
    "Backend": "backend",
    "Observer": "observer",
    "Event": "event",
    "Result": "result",
    "Diagnostic": "diagnostic",
    "Component": "component",
    "Conclusion": "conclusion",
    "Finding": "finding",
}
"""Classes of the code that are concepts, and the words for them."""

WORDS = {
    "ablation", "baseline", "driver", "epoch record", "factor", "feature", "fingerprint", "group", "pass", "pruner",
    "run", "sampler", "search", "split", "study", "tracker", "worker",
}  # fmt: skip
"""Concepts without a class of their own."""


def test_every_page_is_in_the_index() -> None:
    by_their_own_index = {"decisions", "passes"}
    pages = {
        page.relative_to(DOCS).as_posix()
        for page in DOCS.rglob("*.md")
        if not page.name.endswith(".in.md") and (page.parent.name not in by_their_own_index or page.name == "README.md")
    }
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = [link for link in re.findall(r"\]\(([^)#]+)\)", index) if not link.startswith("..")]
    assert sorted(listed) == sorted(pages - {"README.md"})


def test_every_pass_has_its_page_in_their_index() -> None:
    index = (DOCS / "explanation" / "passes" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (DOCS / "explanation" / "passes").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", index)) == pages


@pytest.mark.parametrize("number", sorted(DECISIONS))
def test_every_decision_is_in_the_index(number: int) -> None:
    page = DECISIONS[number]
    rows = [row for row in DECISION_ROWS if row[0] == str(number)]
    assert len(rows) == 1, f"docs/decisions/README.md needs one row for decision {number}, {page.name}"
    [(_, link, title, _, _)] = rows
    heading = page.read_text(encoding="utf-8").partition("\n")[0]
    assert (link, f"# {number}. {title}") == (page.name, heading)


def test_the_index_of_decisions_is_in_order_and_has_their_status() -> None:
    numbers = [int(number) for number, *_ in DECISION_ROWS]
    assert numbers == sorted(set(numbers)) == sorted(DECISIONS)
    for number, _, _, decided, status in DECISION_ROWS:
        assert decided.endswith("."), number
        assert STATUS.fullmatch(status), f"decision {number}: {status}"
        for later, file in re.findall(LINK, status):
            assert int(number) < int(later) == int(file), f"decision {number}: {status}"


def test_the_glossary_has_every_concept_of_the_code() -> None:
    entries = {word: place for word, _, place in GLOSSARY_ROWS}
    assert len(entries) == len(GLOSSARY_ROWS)
    assert {*CONCEPTS.values(), *WORDS} - set(entries) == set()
    for name, word in CONCEPTS.items():
        assert f"`{name}` in `" in entries[word], word


@pytest.mark.parametrize(("word", "place"), [(word, place) for word, _, place in GLOSSARY_ROWS])
def test_the_code_of_a_word_is_where_the_glossary_says(word: str, place: str) -> None:
    *names, path = re.findall(r"`([^`]+)`", place)
    assert (CRAFTC / path).exists(), (word, path)
    for name in names:
        source = (CRAFTC / path).read_text(encoding="utf-8")
        assert re.search(rf"^(?:class |def )?{name}\b", source, re.MULTILINE), (word, name)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_no_page_has_a_second_word_for_a_concept(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("W&B user or team", "")
    assert re.findall(r"\b(?:lane|team|gang|company)s?\b", text) == []


def test_the_bold_words_of_the_tutorial_are_in_the_glossary() -> None:
    tutorial = (DOCS / "tutorial" / "first_experiment.md").read_text(encoding="utf-8")
    bold = set(re.findall(r"\*\*([a-z ]+)\*\*", tutorial)) - {"bold"}
    assert bold - {word for word, _, _ in GLOSSARY_ROWS} == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/README.md"])
def test_the_glossary_and_the_index_are_linked(page: str) -> None:
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    assert re.search(r"\]\((docs/)?glossary\.md\)", text)
    assert page.startswith("docs/") or "](docs/README.md)" in text
