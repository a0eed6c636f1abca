"""Any valid spec with a slip in it is the valid spec again, whatever its style, comments and line ends; and no text at
all becomes worse by being mended."""

import copy
import importlib.util
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from craftc.compiler.fixing.fix_texts import Fixed, fix_texts
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.compiler.reading.parse import parse
from craftc.compiler.reading.tree import look_up
from craftc.schemas.diagnostic import Path
from craftc.schemas.section import as_tree

TESTS = FilePath(__file__).parents[3]
CATALOGUE = built_in_catalogue()
Tree = dict[str, Any]
DRAW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"of_fixing_{name}", next(TESTS.rglob(f"{name}.py")))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


specs = load("test_spec_properties")
fuzz = load("fuzz_lint")


def fixed(text: str, filename: str = "x.yaml") -> Fixed:
    def lint(texts: Any) -> Any:
        return analyse(texts[filename], filename, CATALOGUE).diagnostics

    return fix_texts({filename: text}, lint, str)


def meaning(text: str) -> Tree:
    """A valid spec as it is understood, every default filled in."""
    analysis = analyse(text, "x.yaml", CATALOGUE)
    assert analysis.is_valid, (text, analysis.diagnostics)
    assert analysis.spec is not None
    return as_tree(analysis.spec)


# Each yields the places of a valid tree where its slip can be made, and the slip there.
Slip = tuple[str, Callable[[Tree], None]]


def slips(tree: Tree, draw: random.Random) -> Iterator[Slip]:
    """Every slip that has one sure mend."""
    for path, value in specs.leaves(tree):
        if path[:2] == ("ablation", "seeds") and len(path) > 2:
            continue  # of one seed: its number and a list of it are different things
        if isinstance(value, bool):
            words = ["yes", "on", "Yes"] if value else ["no", "off", "OFF"]
            yield "truth value of YAML 1.1", setter(path, draw.choice(words))
        elif isinstance(value, int) and abs(value) < 2**31 and path != ("craftc",):
            yield "whole number with a point", setter(path, float(value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield "number in quotes", setter(path, repr(value))
    for path in collections(tree):
        value = look_up(tree, path) if path else tree
        is_seeds = path == ("ablation", "seeds")
        if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list) and not is_seeds:
            yield "list without brackets", setter(path, value[0])
        for key in value if isinstance(value, dict) and path != ("data", "splits") else ():
            if len(max(key.split("_"), key=len)) > 5:
                yield "letters swapped in a key", renamer(path, key, swapped(key, draw))
        if isinstance(value, dict) and isinstance(value.get("kind"), str) and len(value["kind"]) > 5:
            yield "letter doubled in a kind", setter((*path, "kind"), doubled(value["kind"], draw))
    for name in ("epochs", "batch_size"):
        for section in ("data", "model", "resources"):
            if section in tree and len(tree[section]) > 0:
                yield "key in the wrong section", mover(("training", name), (section, name))


def setter(path: Path, value: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        look_up(tree, path[:-1])[path[-1]] = copy.deepcopy(value)

    return change


def renamer(path: Path, key: str, name: str) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        section = look_up(tree, path)
        entries = [(name if each == key else each, value) for each, value in section.items()]
        section.clear()
        section.update(entries)

    return change


def mover(path: Path, to: Path) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        look_up(tree, to[:-1])[to[-1]] = look_up(tree, path[:-1]).pop(path[-1])

    return change


def swapped(key: str, draw: random.Random) -> str:
    """Two neighbours within the longest word, which are no first letter and not the same."""
    word = max(key.split("_"), key=len)
    at = draw.choice([i for i in range(1, len(word) - 1) if word[i] != word[i + 1]])
    return key.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :])


def doubled(kind: str, draw: random.Random) -> str:
    at = draw.choice([i for i, letter in enumerate(kind) if letter.isalpha()])
    return kind[: at + 1] + kind[at:]


def collections(tree: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(tree, dict | list):
        yield path
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from collections(value, (*path, key))


def with_comments(text: str, draw: random.Random) -> str:
    """Comments beside lines and between them, of any indentation."""
    lines: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if draw.random() < 0.3:
            lines.append(" " * draw.randrange(9) + f"# above {number}")
        if draw.random() < 0.1:
            lines.append("")
        lines.append(f"{line}  # beside {number}" if draw.random() < 0.3 else line)
    return "\n".join(lines)


def comments(text: str) -> list[str]:
    return sorted(re.findall(r"# (?:above|beside) \d+", text))


@given(specs.trees(), st.data(), st.randoms(use_true_random=False))
@settings(DRAW, max_examples=80)
def test_a_valid_spec_with_a_slip_is_the_valid_spec_again(tree: Tree, data: st.DataObject, draw: random.Random) -> None:
    right = specs.written(tree, data).text
    expected = meaning(right)
    possible: dict[str, list[Callable[[Tree], None]]] = {}
    for name, change in slips(tree, draw):
        possible.setdefault(name, []).append(change)
    name = data.draw(st.sampled_from(sorted(possible)))
    wrong = copy.deepcopy(tree)
    draw.choice(possible[name])(wrong)
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = with_comments(specs.written(wrong, data).text, draw).replace("\n", newline)
    text = data.draw(st.sampled_from(["", "\ufeff"])) + text + data.draw(st.sampled_from(["", newline]))
    result = fixed(text)
    after = result.texts["x.yaml"]
    if name in ("key in the wrong section", "list without brackets") and after == text:
        return  # a comment or a bracket stands in the way
    assert meaning(after) == expected, (name, text, after)
    assert comments(after) == comments(text)
    assert after.count("\n") == after.count(newline)
    assert after.startswith("\ufeff") == text.startswith("\ufeff")
    assert fixed(after).num_fixed == {}


def test_every_kind_of_slip_is_mended_in_a_plain_spec() -> None:
    """So that none of those above is always passed over."""
    tree: Tree = {
        "craftc": 1, "name": "x",
        "data": {"source": {"kind": "digits"}, "splits": {"train": 0.5, "valid": 0.5, "stratify": True}},
        "model": {"kind": "linear"}, "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
        "training": {"epochs": 5, "batch_size": 32, "optimizer": {"kind": "adamw"}, "schedule": [{"kind": "cosine"}]},
        "resources": {"cpus": 1},
    }  # fmt: skip
    seen = set()
    for is_flow in (True, False):
        writer = specs.Writer(lambda path, is_flow=is_flow: is_flow)
        writer.write(tree)
        expected = meaning(writer.text)
        for name, change in slips(tree, random.Random(0)):
            wrong = copy.deepcopy(tree)
            change(wrong)
            writer = specs.Writer(lambda path, is_flow=is_flow: is_flow)
            writer.write(wrong)
            after = fixed(writer.text).texts["x.yaml"]
            assert meaning(after) == expected, (name, writer.text, after)
            seen.add(name)
    assert len(seen) == 7


@given(specs.trees(), st.sampled_from(specs.PLANTS), st.data(), st.randoms(use_true_random=False))
@DRAW
def test_what_is_left_is_what_would_be_left_without_the_slip(
    tree: Tree, planted: Any, data: st.DataObject, draw: random.Random
) -> None:
    """Beside another mistake, whatever it is, a slip is mended as by itself, and neither adds to the other."""
    specs.plant(tree, planted)
    if planted[0] in ("newer-version", "number-out-of-range"):
        return  # nothing else is looked at, or the number is not written as it is
    found = [slip for slip in slips(tree, draw) if slip[0] == "truth value of YAML 1.1"]
    found += [slip for slip in slips(tree, draw) if slip[0] == "letter doubled in a kind"]
    if not found:
        return
    alone = fixed(specs.written(tree, data).text)
    wrong = copy.deepcopy(tree)
    draw.choice(found)[1](wrong)
    both = fixed(specs.written(wrong, data).text)
    if sum(both.num_fixed.values()) > sum(alone.num_fixed.values()):
        left, left_alone = (sorted((d.code, d.path, d.message) for d in each.diagnostics) for each in (both, alone))
        assert left == left_alone, both.texts["x.yaml"]


def slipped(text: str, draw: random.Random) -> str:
    """One to four words with a letter less, more, or swapped."""
    tokens = fuzz.TOKEN.findall(text)
    words = [index for index, token in enumerate(tokens) if token.isidentifier() and len(token) > 2]
    for _ in range(draw.choice([1, 1, 2, 4]) if words else 0):
        index = draw.choice(words)
        word = tokens[index]
        at = draw.randrange(1, len(word)) if len(word) > 1 else 0
        swap = word[: at - 1] + word[at : at + 1] + word[at - 1 : at] + word[at + 1 :]
        tokens[index] = draw.choice([word[:at] + word[at + 1 :], word[:at] + word[at - 1 :], swap])
    return "".join(tokens)


@pytest.mark.parametrize("seed", range(3))
def test_no_text_becomes_worse(seed: int) -> None:
    """Mutated as by the fuzzer: what can be read still can, with no new mistake of its YAML, and nothing is left to be
    mended."""
    corpus = fuzz.corpus()
    others = [text for _, text in corpus]
    draw = random.Random(seed)
    num_fixed, num_better, num_worse = 0, 0, 0
    for _ in range(60):
        name, text = draw.choice(corpus)
        text = slipped(fuzz.mutate(text, others, draw) if draw.random() < 0.5 else text, draw)
        name = name.replace(".yaml", "-of-fuzz.yaml")
        before = analyse(text, name, CATALOGUE).diagnostics
        result = fixed(text, name)
        after = result.texts[name]
        num_fixed += sum(result.num_fixed.values())
        if not result.num_fixed:
            assert after == text
            continue
        assert parse(after, name)[0] is not None or parse(text, name)[0] is None
        assert len(parse(after, name)[1]) <= len(parse(text, name)[1])
        assert fixed(after, name).texts[name] == after
        own = [d for d in result.diagnostics if d.fix and d.fix.edits[0].range.filename == name]
        assert own == [], (text, after)
        change = sum(d.severity == "error" for d in result.diagnostics) - sum(d.severity == "error" for d in before)
        num_better, num_worse = num_better + (change < 0), num_worse + (change > 0)
    assert num_fixed > 10
    # A mended key can uncover what was wrong below it, in one text 50 mistakes; in most texts less is wrong.
    assert num_better > 2 * num_worse
