"""A small valid spec to make mistakes in, and its diagnostics."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from craftc.compiler.language import component_fields
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, compile_spec
from craftc.schemas import section as sections
from craftc.schemas.section import Section

SECTIONS = {
    "craftc": "craftc: 1",
    "name": "name: example",
    "data": "data: {source: digits}",
    "model": "model: {kind: mlp}",
    "objective": "objective: {kind: cross_entropy}",
    "training": "training: {epochs: 5, batch_size: 32, optimizer: adamw}",
}


def complete(text: str) -> str:
    """A text with the sections that it leaves out put before it, each on a line of its own."""
    given = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    return "\n".join([*(section for name, section in SECTIONS.items() if name not in given), text])


@pytest.fixture
def compiled() -> Callable[[str], Compiled]:
    """Compile a spec of which only the sections of interest are written."""
    return lambda text: compile_spec(complete(text), "x.yaml", built_in_catalogue())


@pytest.fixture
def told(compiled: Callable[[str], Compiled]) -> Callable[[str], list[tuple[str, str]]]:
    """Each mistake of a spec as its code and the text that it points at."""

    def tell(text: str) -> list[tuple[str, str]]:
        lines = complete(text).splitlines()
        ranges = [(d.code, d.range) for d in compiled(text).diagnostics]
        return [(code, lines[r.start.line - 1][r.start.column - 1 : r.end.column - 1]) for code, r in ranges]

    return tell


@pytest.fixture
def messages(compiled: Callable[[str], Compiled]) -> Callable[[str], str]:
    """All messages and hints of a spec, a line each."""
    return lambda text: "\n".join(f"{d.message}; {d.hint}" for d in compiled(text).diagnostics)


@pytest.fixture(scope="session")
def changed_section() -> Callable[..., AbstractContextManager[None]]:
    """Of a section and attributes, a context in which the language has it so."""
    return _changed


@contextmanager
def _changed(section: type[Section], **attributes: Any) -> Iterator[None]:
    """The language with another section."""
    before = {name: getattr(section, name) for name in attributes}
    caches = (sections._fit_section, component_fields.component_fields)
    try:
        for name, value in attributes.items():
            setattr(section, name, value)
        for cache in caches:
            cache.cache_clear()
        yield
    finally:
        for name, value in before.items():
            setattr(section, name, value)
        for cache in caches:
            cache.cache_clear()
