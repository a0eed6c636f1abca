"""The catalogue, the pins and the tests in; the page of all components out, and what is missing of one."""

import ast
import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from craftc.schemas.catalogue import RANGE_FORMS, Catalogue, ComponentEntry, Group

ROOT = Path(__file__).parents[1]
BATCHED = ROOT / "docs" / "reference" / "batched.json"
"""What `docs/batched.py` found out: why components keep trials out of a batch, null of those that do not."""
DISTRIBUTIONS = {
    "PIL": "pillow",
    "datasets": "datasets",
    "lightning": "lightning",
    "mlflow": "mlflow-skinny",
    "mlxtend": "mlxtend",
    "optuna": "optuna",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tensorboardX": "tensorboardX",
    "timm": "timm",
    "torch": "torch",
    "torchmetrics": "torchmetrics",
    "torchvision": "torchvision",
    "transformers": "transformers",
    "wandb": "wandb",
}
"""Packages that do a component's work, by the names that Python imports them by, where the two may differ."""
TUNED = {"lr", "dropout", "label_smoothing"}
"""Arguments that anybody would search, whatever the component."""
CITED: tuple[Group, ...] = ("optimizers",)
"""Groups of which every component follows a paper."""
_NO_EXTRA = ("dev", "bench", "report")


def shelf(catalogue: Catalogue) -> str:
    """A table of every group."""
    parts = [_group(catalogue, group) for group in get_args(Group)]
    return "\n\n".join(part for part in parts if part)


def missing(catalogue: Catalogue) -> Iterator[str]:
    """What a component lacks that every one of its kind has."""
    known = batched()
    for entry in catalogue.entries:
        name = f"{entry.group}/{entry.kind}"
        if not entry.summary.strip():
            yield f"{name} has no docstring"
        if entry.group in CITED and not re.search(r"\b(19|20)\d\d\b", entry.summary + entry.doc):
            yield f"the docstring of {name} names no paper"
        without = sorted(p.name for p in entry.parameters if p.name in TUNED - entry.search_ranges.keys())
        if without and entry.group not in ("programs", "values"):
            yield f"{name} declares no search_ranges of {', '.join(without)}"
        if not tests_of(entry):
            yield f"no test names {name}"
        if entry.group in {key.partition("/")[0] for key in known} and name not in known:
            yield f"{name} is not in {BATCHED.name}: run python docs/batched.py"


def batched() -> dict[str, str | None]:
    """Why a component keeps trials out of a batch, by group and kind."""
    found: dict[str, str | None] = json.loads(BATCHED.read_text(encoding="utf-8")) if BATCHED.is_file() else {}
    return found


def _group(catalogue: Catalogue, group: Group) -> str:
    entries = [entry for entry in catalogue.entries if entry.group == group]
    if not entries:
        return ""
    reasons = batched()
    is_batched = any(f"{group}/{entry.kind}" in reasons for entry in entries)
    has_ranges = any(entry.search_ranges for entry in entries)
    header = ["component", "what it is", "library", "extra", *["in a batch of trials"] * is_batched]
    header += [*["default ranges"] * has_ranges, "tests"]
    rows = [header, ["---"] * len(header)]
    for entry in entries:
        libraries = libraries_of(entry)
        cells = [f"[`{entry.kind}`](language.md#{entry.kind})", entry.summary]
        cells += [", ".join(f"{name} {pins().get(_plain(name), '')}".strip() for name in libraries) or "craftc"]
        cells += [", ".join(dict.fromkeys(f"`{extra}`" for extra in extras_of(entry, libraries)))]
        cells += [_batched(reasons, f"{group}/{entry.kind}")] * is_batched
        cells += ["<br>".join(_ranges(entry.search_ranges))] * has_ranges
        cells += ["<br>".join(f"[{Path(test).stem}](../../{test})" for test in tests_of(entry)[:2])]
        rows.append(cells)
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return f"## {group}\n\n" + "\n".join(lines)


def _batched(reasons: Mapping[str, str | None], name: str) -> str:
    return "" if name not in reasons else "yes" if reasons[name] is None else f"no: {reasons[name]}"


def _ranges(ranges: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, given in ranges.items():
        form = next(form for form in RANGE_FORMS if form in given)
        step = f", step {given['step']}" if "step" in given else ""
        yield f"`{name}`: {form} {json.dumps(given[form])}{step}"


@cache
def pins() -> dict[str, str]:
    """The version of each package that craftc is tested with."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_plain(name): version.strip() for name, version in pairs}


@cache
def _extras() -> dict[str, tuple[str, ...]]:
    """The extras that bring a package, by its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, tuple[str, ...]] = {}
    for extra, needs in project["optional-dependencies"].items():
        for need in needs if extra not in _NO_EXTRA else ():
            name = _plain(re.split(r"[\[<>=!~ ;]", need)[0])
            found[name] = (*found.get(name, ()), extra)
    return found


def extras_of(entry: ComponentEntry, libraries: tuple[str, ...]) -> Iterator[str]:
    """The extras of craftc that bring what a component imports."""
    declared = [extra for extra in entry.packages.values() if extra]
    for library in () if declared else libraries:
        extras = _extras().get(_plain(library), ())
        if extras:
            yield "run" if "run" in extras else extras[0]
    yield from declared
    if not declared and not libraries:
        yield "run"


def libraries_of(entry: ComponentEntry) -> tuple[str, ...]:
    """The packages that do its work: those that it declares, or else those that its module imports."""
    if entry.packages:
        return tuple(DISTRIBUTIONS.get(name, name) for name in entry.packages)
    if entry.kind in DISTRIBUTIONS:
        return (DISTRIBUTIONS[entry.kind],)
    found = _imported(entry.target.partition(":")[0])
    others = [name for name in found if name != "torch"]
    return tuple(sorted(DISTRIBUTIONS[name] for name in others or found))


def _imported(module: str) -> frozenset[str]:
    """Those of the packages above that a module imports, wherever it does, or else what it imports of craftc's."""
    names = _imports(module)
    found = set(names & DISTRIBUTIONS.keys())
    if "craftc.components.lean_torchmetrics" in names:
        found |= {"torchmetrics"}
    if not found:
        of_ours = sorted(name for name in names if name.startswith("craftc.components."))
        found = {package for inner in of_ours for package in _imports(inner) & DISTRIBUTIONS.keys()}
    return frozenset(found)


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of craftc by their whole names, other packages by their own."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Constant) and node.value in DISTRIBUTIONS.keys() - {"datasets", "torch"}:
            names.add(str(node.value))  # whose files are read where it is installed
    return frozenset(name if name.startswith("craftc.") else name.partition(".")[0] for name in names)


def tests_of(entry: ComponentEntry) -> list[str]:
    """The files of tests that name a component, those that name it most surely first.

    Surest is its class or function; then its kind in a call beside its group; then its group's registry, all of which
    a file tries; then its kind as a spec has it. Tests of the documentation are none of a component.
    """
    found = ((_surest(entry, text), "/components/" not in path, path) for path, text in _tests().items())
    return [path for rank, _, path in sorted(each for each in found if each[0] is not None)]


def _surest(entry: ComponentEntry, text: str) -> int | None:
    module, _, name = entry.target.partition(":")
    if module in text and re.search(rf"\b{name}\b", text):
        return 0
    group, kind = entry.group, entry.kind
    if f'"{group}"' in text and re.search(rf"""["']{group}["'],\s*(\{{["']kind["']:\s*)?["']{kind}["']""", text):
        return 1
    if f"{group}/{kind}" in text:
        return 1
    if f'REGISTRY["{group}"]' in text:
        return 2
    if kind in text and re.search(rf"""\b(kind|{group[:-1]})["']?: *["']?{kind}\b|["']{kind}["']""", text):
        return 3
    return None


@cache
def _tests() -> dict[str, str]:
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    paths = {file.relative_to(ROOT).as_posix(): file for file in files}
    return {
        path: file.read_text(encoding="utf-8")
        for path, file in paths.items()
        if not path.startswith("tests/unit/docs/")
    }


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
