"""Keeps the ledger of defaults, and refuses to forget one: a default that changes is a change of meaning.

A value that is its default is no part of a trial's identity, so old results would pass for those of the new default.
`python -m craftc.components.ledger` enters what is new; with `--check` it exits with 1 where something is missing.
Either refuses a changed default whose section or component has the version of before.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.component_fields import groups_of_trials
from craftc.compiler.planning.identity.fingerprint import canonical_json
from craftc.compiler.planning.identity.without_defaults import (
    default_argument,
    default_of,
    has_plain_default,
    has_versions,
    without_versions,
)
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.language import SECTIONS
from craftc.schemas.section import Section
from craftc.schemas.spec import Component

LEDGER_FILE = Path(__file__).with_name("ledger.json")


@dataclass(frozen=True)
class Entry:
    """A section or component.

    Attributes:
        of: `training.early_stopping`, or `models.mlp`.
        version: Its semantics version.
        defaults: Its keys or arguments that have a default, and what counts of that.
        versions: Those of its keys that have a version above 1.
        is_gone: Whether there is none any more; its version is never used again.
    """

    of: str
    version: int
    defaults: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    is_gone: bool = False


def entries(catalogue: Catalogue) -> tuple[Entry, ...]:
    """Every section that decides a result and every component that one can hold, as the code has them."""
    return (
        *(e for name, section in SECTIONS.items() for e in _sections(name, section, catalogue)),
        *_components(catalogue),
    )


def _sections(name: str, section: type[Section], catalogue: Catalogue) -> Iterator[Entry]:
    known = {key: declared for key, declared in section.fields.items() if key != "kind"}
    if known:
        defaults = {key: default_of(declared, catalogue) for key, declared in known.items() if not declared.is_required}
        versions = {
            key: declared.semantics_version for key, declared in known.items() if declared.semantics_version > 1
        }
        yield Entry(name, section.semantics_version, defaults, versions)
    for key, declared in known.items():
        for inner in declared.sections:
            if inner is not Component:
                yield from _sections(f"{name}.{key}", inner, catalogue)


def _components(catalogue: Catalogue) -> Iterator[Entry]:
    groups = groups_of_trials()
    for entry in catalogue.entries:
        if entry.group in groups:
            known = [parameter for parameter in entry.parameters if has_plain_default(parameter)]
            defaults = {parameter.name: default_argument(parameter, catalogue) for parameter in known}
            yield Entry(f"{entry.group}.{entry.kind}", entry.semantics_version, defaults)


def contradictions(before: Iterable[Entry], now: Iterable[Entry]) -> list[str]:
    """In a sentence each: what changed and is not counted."""
    found = {entry.of: entry for entry in now}
    sentences: list[str] = []
    known = {entry.of: entry for entry in before}
    for entry in known.values():
        if entry.of in found:
            sentences += _uncounted(entry, found[entry.of])
    for entry in found.values():
        old = known.get(entry.of)
        for name, default in entry.defaults.items():
            if (old is None or name not in old.defaults) and has_versions(default):
                sentences.append(
                    f"{entry.of}: the default of {name}, which is new, names what has a version above 1, so that every "
                    "trial would become another; let the default be none"
                )
    return sentences


def _uncounted(before: Entry, now: Entry) -> Iterator[str]:
    mend = f"give it semantics_version={before.version + 1}"
    if now.version < before.version or (before.is_gone and now.version == before.version):
        yield f"{now.of}: its version is {now.version}, and {before.version} was used before; {mend}"
        return
    for name, version in before.versions.items():
        if now.version == before.version and now.versions.get(name, 1) < version:
            yield f"{now.of}: the version of {name} is {now.versions.get(name, 1)}, and {version} was used before"
    if now.version > before.version or before.is_gone:
        return
    for name, default in before.defaults.items():
        if name not in now.defaults:
            yield f"{now.of}: {name} is gone, or has no default any more; {mend}"
        elif canonical_json(without_versions(default)) != canonical_json(without_versions(now.defaults[name])):
            yield (
                f"{now.of}: the default of {name} is {canonical_json(now.defaults[name])}, and was "
                f"{canonical_json(default)}; {mend}"
            )


def entered(before: Iterable[Entry], now: Iterable[Entry]) -> tuple[Entry, ...]:
    """The ledger with all that there is now; what is gone stays, as gone."""
    found = {entry.of: entry for entry in now}
    gone = [Entry(e.of, e.version, is_gone=True) for e in before if e.of not in found]
    return (*found.values(), *gone)


def read(text: str) -> tuple[Entry, ...]:
    """What `render` wrote."""
    return tuple(Entry(**entry) for entry in json.loads(text))


def render(ledger: Iterable[Entry]) -> str:
    """JSON with one line per entry, so that a diff shows what changed; what is empty is left out."""
    lines = (json.dumps({name: v for name, v in asdict(entry).items() if v not in ({}, False)}) for entry in ledger)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main() -> int:
    """Write or check the file; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m craftc.components.ledger", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where something is missing")
    check = parser.parse_args().check
    text = LEDGER_FILE.read_text(encoding="utf-8") if LEDGER_FILE.is_file() else "[]"
    before, now = read(text), entries(built_in_catalogue())
    for sentence in (uncounted := contradictions(before, now)):
        print(sentence, file=sys.stderr)
    if uncounted:
        return 1
    if (new := render(entered(before, now))) == text:
        return 0
    if check:
        print(f"{LEDGER_FILE.name} is out of date; run python -m craftc.components.ledger", file=sys.stderr)
        return 1
    LEDGER_FILE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
