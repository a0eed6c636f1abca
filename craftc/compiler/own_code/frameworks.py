"""Finds what a model of another training framework would do by itself, and craftc does not call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from craftc.compiler.own_code.constructor import bases_of

if TYPE_CHECKING:
    import griffe

    from craftc.compiler.own_code.python_source import SourceIndex

_TRAINERS_OWN = ("training_step", "validation_step", "test_step", "configure_optimizers", "configure_callbacks")
"""What Lightning's Trainer calls of a LightningModule."""
_MODULE = "LightningModule"


def ignored_methods(found: griffe.Object, index: SourceIndex) -> tuple[str, ...]:
    """What a LightningModule defines of its training, in that order; nothing of any other model.

    Its base class is known by its name, so that Lightning need not be installed.
    """
    import griffe

    if not isinstance(found, griffe.Class):
        return ()
    family = dict(_family(found, index))
    if not any(path.rpartition(".")[2] == _MODULE for path in family):
        return ()
    defined = {
        name
        for path, class_ in family.items()
        if class_ is not None and path.rpartition(".")[2] != _MODULE and not _is_lightnings(path)
        for name in class_.members
    }
    return tuple(name for name in _TRAINERS_OWN if name in defined)


def _is_lightnings(path: str) -> bool:
    return path.partition(".")[0] in ("lightning", "pytorch_lightning")


def _family(
    class_: griffe.Class, index: SourceIndex, seen: frozenset[str] = frozenset()
) -> Iterator[tuple[str, griffe.Class | None]]:
    """A class and what it derives from, by path; Lightning's own classes are not looked into."""
    yield class_.path, class_
    for path, base in bases_of(class_, index):
        if base is None or _is_lightnings(path) or base.path in seen:
            yield path, base
        else:
            yield from _family(base, index, seen | {class_.path})
