"""A class or function, read from source -> what it declares of itself, as fields of its catalogue entry.

A class declares by attributes in its body, inherited ones too, a function by `declares(...)` above it. Values are read,
never computed; what is not understood is an error, since a need that is passed over would be met by nobody.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from craftc.compiler.language.component_fields import groups_of_trials
from craftc.compiler.language.value_type import group_of, options
from craftc.compiler.own_code.annotation import Scope, expression, read_literal
from craftc.compiler.own_code.constructor import bases_of, is_declaration, member_place
from craftc.compiler.own_code.python_source import SourceIndex
from craftc.compiler.reading.problem import all_of, did_you_mean, one_of, show
from craftc.schemas.catalogue import (
    DATA_KINDS,
    NUM_SAMPLES,
    NUMBERS_OF_DATA,
    OUTPUT_KINDS,
    RANGE_FORMS,
    TARGET_KINDS,
    TRIVIAL,
    WEIGHTS,
    DataLayout,
    FrozenParts,
    Group,
    Parameter,
)
from craftc.schemas.diagnostic import Range, Related

if TYPE_CHECKING:
    import griffe

Read = Callable[[Any, Sequence[Parameter]], Any]


class DeclarationError(Exception):
    """A declared value that is not understood. `message` follows the component's name; `related` is its place."""

    def __init__(self, message: str, hint: str | None = None, related: tuple[Related, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.hint, self.related = message, hint, related


class Stated(NamedTuple):
    """A declaration as it is written."""

    name: str
    text: str
    scope: Scope
    place: Range | None
    by_decorator: bool


def read_declarations(
    found: griffe.Class | griffe.Function, group: Group, parameters: Sequence[Parameter], index: SourceIndex
) -> dict[str, Any]:
    """The fields of an entry that a component of a group declares. Raises DeclarationError."""
    fields: dict[str, Any] = {}
    settled: set[str] = set()
    for stated in _stated(found, index):
        groups, read = _DECLARED.get(stated.name, ((), None))
        try:
            if read is None and stated.by_decorator:
                hint = did_you_mean(stated.name, _DECLARED) or f"craftc knows {one_of(_DECLARED)}"
                raise DeclarationError("craftc knows no such declaration", hint)
            if group not in groups and stated.by_decorator:
                raise DeclarationError(f"that is for {all_of(groups)}, and not for {group}")
            if read is not None and group in groups and stated.name not in settled:
                settled.add(stated.name)
                value = _value(stated, read, parameters)
                fields |= {} if value is None else {stated.name: value}
        except DeclarationError as error:
            place = () if stated.place is None else (Related(message="declared here", range=stated.place),)
            said = " ".join(stated.text.split())
            message = f"declares {stated.name} = {said}: {error.message}"
            raise DeclarationError(message, error.hint, place) from None
    return fields


def _value(stated: Stated, read: Read, parameters: Sequence[Parameter]) -> Any:
    known, value = read_literal(stated.text, stated.scope)
    if not known:
        raise DeclarationError("linting reads it and computes nothing", "write the value out")
    # As if it were not declared, whatever a class inherits.
    return None if value is None else read(value, parameters)


def _stated(
    found: griffe.Class | griffe.Function, index: SourceIndex, seen: frozenset[str] = frozenset()
) -> Iterator[Stated]:
    """A class's own declarations come before those that it inherits."""
    import griffe

    yield from _decorated(found, index)
    if not isinstance(found, griffe.Class):
        return
    for name in _DECLARED:
        member = found.members.get(name)
        if isinstance(member, griffe.Attribute) and "class-attribute" in member.labels and member.value is not None:
            yield Stated(name, str(member.value), Scope(index, found.module), member_place(member, index), False)
    for _, base in bases_of(found, index):
        if base is not None and base.path not in seen:
            yield from _stated(base, index, seen | {found.path})


def _decorated(found: griffe.Class | griffe.Function, index: SourceIndex) -> Iterator[Stated]:
    scope = Scope(index, found.module)
    for decorator in found.decorators:
        call = expression(str(decorator.value))
        if not isinstance(call, ast.Call) or not is_declaration(call, scope):
            continue
        file = found.filepath
        place = index.place(file, decorator.lineno or 1) if isinstance(file, Path) else None
        for given in call.args:
            yield Stated("?", ast.unparse(given), scope, place, True)
        for keyword in call.keywords:
            yield Stated(keyword.arg or "**", ast.unparse(keyword.value), scope, place, True)


def _kinds(value: Any, _: Sequence[Parameter]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise DeclarationError(f"expected a tuple of {one_of(DATA_KINDS)}", f'write ("{value}",)')
    if not isinstance(value, list) or not value:
        raise DeclarationError(f"expected a tuple of {one_of(DATA_KINDS)}")
    for kind in value:
        if kind not in DATA_KINDS:
            near = did_you_mean(kind, DATA_KINDS) if isinstance(kind, str) else None
            raise DeclarationError(f"{show(kind)} is no kind of data", near or f"there are {all_of(DATA_KINDS)}")
    return tuple(kind for kind in DATA_KINDS if kind in value)


def _facts(value: Any, _: Sequence[Parameter]) -> dict[str, int]:
    known = (NUM_SAMPLES, *NUMBERS_OF_DATA)
    if not isinstance(value, dict):
        raise DeclarationError(f"expected whole numbers by name: {all_of(known)}")
    for name, number in value.items():
        if name not in known:
            raise DeclarationError(
                f"{show(name)} is no fact", did_you_mean(name, known) or f"there are {all_of(known)}"
            )
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise DeclarationError(f"{name} is {show(number)}; expected a whole number >= 1")
    return value


def _values(value: Any, parameters: Sequence[Parameter]) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise DeclarationError("expected values by the names of arguments")
    for name in value:
        _argument(name, parameters)
    _argument("seed", parameters)
    return value


def _words(value: Any, _: Sequence[Parameter]) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DeclarationError("expected words that say what it does")
    return value


def _words_of(value: Any, parameters: Sequence[Parameter]) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise DeclarationError("expected names of arguments with a text for each")
    return {_argument(name, parameters): text for name, text in value.items()}


def _argument(value: Any, parameters: Sequence[Parameter]) -> str:
    known = [parameter.name for parameter in parameters]
    if not isinstance(value, str) or value not in known:
        near = did_you_mean(value, known) if isinstance(value, str) else None
        raise DeclarationError(f"it has no argument {show(value)}", near)
    return value


def _frozen(value: Any, parameters: Sequence[Parameter]) -> FrozenParts:
    parts = FrozenParts._fields
    if not isinstance(value, dict) or set(value) != set(parts):
        raise DeclarationError(f"expected the names of arguments for {all_of(parts)}")
    frozen = FrozenParts(**{part: _argument(value[part], parameters) for part in parts})
    types = {parameter.name: parameter.type for parameter in parameters}
    for name in (frozen.backbone, frozen.head):
        if group_of(types[name]) != "models":
            hint = "annotate it as Annotated[dict[str, Any], MODEL], of craftc.components.bounds"
            raise DeclarationError(f"its argument {name} takes no model as it is written", hint)
    # Else the content of the file would be no part of a trial's identity.
    if not any(option.get("format") == WEIGHTS for option in options(types[frozen.weights])):
        hint = "annotate it as Annotated[Path, WEIGHTS], of craftc.components.bounds"
        raise DeclarationError(f"its argument {frozen.weights} takes no path of weights", hint)
    return frozen


def _is_so(value: Any, _: Sequence[Parameter]) -> bool:
    if not isinstance(value, bool):
        raise DeclarationError(f"{show(value)} is neither True nor False")
    return value


def _version(value: Any, _: Sequence[Parameter]) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DeclarationError(f"{show(value)} is no whole number >= 1")
    return value


def _bounds(value: Any, _: Sequence[Parameter]) -> tuple[float, float]:
    numbers = isinstance(value, list) and len(value) == 2 and all(type(end) in (int, float) for end in value)
    if not numbers or not value[0] < value[1]:
        raise DeclarationError("expected its least and its greatest value", "write (0.0, 1.0), say")
    return (value[0], value[1])


def _some_of(known: Mapping[Any, str], what: str) -> Callable[[Any, Sequence[Parameter]], tuple[str, ...]]:
    """Reads a tuple of known words, each of which is a kind of something."""

    def read(value: Any, _: Sequence[Parameter]) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            hint = f'write ("{value}",)' if isinstance(value, str) else None
            raise DeclarationError(f"expected a tuple of {one_of(known)}", hint)
        for kind in value:
            if kind not in known:
                near = did_you_mean(kind, known) if isinstance(kind, str) else None
                raise DeclarationError(f"{show(kind)} is no kind of {what}", near or f"there are {all_of(known)}")
        return tuple(kind for kind in known if kind in value)

    return read


def _names(value: Any, _: Sequence[Parameter]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(n, str) and n.isidentifier() for n in value):
        raise DeclarationError("expected a tuple of names that parameters can have")
    return tuple(value)


def _trivial(value: Any, _: Sequence[Parameter]) -> str:
    if value not in TRIVIAL:
        near = did_you_mean(value, TRIVIAL) if isinstance(value, str) else None
        raise DeclarationError("there is no such predictor", near or f"write {one_of(TRIVIAL)}, or leave it out")
    return str(value)


def _packages(value: Any, _: Sequence[Parameter]) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(extra, str) for extra in value.values()):
        raise DeclarationError("expected packages, with an extra for each", 'write {"timm": "vision"}, say')
    for name in value:
        if not isinstance(name, str) or not name.isidentifier():
            raise DeclarationError(f"{show(name)} is no name that Python imports")
    return value


def _search_ranges(value: Any, parameters: Sequence[Parameter]) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not value:
        raise DeclarationError("expected ranges by the names of arguments")
    for name, given in value.items():
        _argument(name, parameters)
        forms = [form for form in RANGE_FORMS if form in given] if isinstance(given, dict) else []
        if len(forms) != 1:
            hint = 'write it as in search.space: {"log_uniform": [1e-4, 1e-2]}'
            raise DeclarationError(f"the range of {name} is {show(given)}; expected one of {one_of(RANGE_FORMS)}", hint)
    return value


def _layout(value: Any, _: Sequence[Parameter]) -> str:
    layouts = get_args(DataLayout)
    if value not in layouts:
        near = did_you_mean(value, layouts) if isinstance(value, str) else None
        raise DeclarationError("there is no such layout", near or f"write {one_of(layouts)}, or leave it out")
    return str(value)


_TAKE: tuple[Group, ...] = ("models", "augmentations", "normalizers", "tokenizers", "metrics", "objectives", "views")
_DECLARED: dict[str, tuple[tuple[Group, ...], Read]] = {
    "takes": (_TAKE, _kinds),
    "gives": (("sources",), _kinds),
    "facts": (("sources",), _facts),
    "seed_unused_at": (("sources",), _values),
    "pools_columns": (("normalizers",), _words),
    "frozen_parts": (("models",), _frozen),
    "patience_argument": (("schedules",), _argument),
    "min_lr_argument": (("schedules",), _argument),
    "low_lr_argument": (("schedules",), _argument),
    "semantics_version": (groups_of_trials(), _version),
    "empty_means": (groups_of_trials(), _words_of),
    "bounds": (("metrics",), _bounds),
    "gives_targets": (("sources",), _some_of(TARGET_KINDS, "target")),
    "gives_columns": (("sources",), _names),
    "takes_targets": (("metrics", "objectives", "after_stages", "artefacts"), _some_of(TARGET_KINDS, "target")),
    "takes_outputs": (("metrics", "objectives"), _some_of(OUTPUT_KINDS, "output")),
    "trivial": (("metrics", "objectives"), _trivial),
    "mixes_targets": (("augmentations",), _is_so),
    "data_layout": (("models",), _layout),
    "packages": ((*groups_of_trials(), "artefacts"), _packages),
    "search_ranges": (groups_of_trials(), _search_ranges),
    "switches_weights": (("optimizers",), _is_so),
}
"""Each declaration: the groups that have it, and how its value is read."""
