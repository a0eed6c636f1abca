"""The base of a section of the language: its keys are its annotations, read once; its values are immutable.

A section is declared like a pydantic model and checks as strictly. It is not one, because linting has to start
fast: docs/decisions/0025-a-short-start.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar, Union, get_args, get_origin

from craftc.schemas.diagnostic import Path
from craftc.schemas.fit import (
    Fit,
    Violation,
    ViolationError,
    anything,
    either,
    items,
    mapping,
    number,
    of_type,
    one_of_values,
    or_empty,
    or_null,
    text,
    unless_none,
)

REQUIRED: Final[Any] = object()
"""The default of a key that has to be given."""
_NUMBER = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_BOUNDS: Mapping[Any, Mapping[str, str]] = {
    int: _NUMBER,
    float: _NUMBER,
    str: {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"},
    tuple: {"min_length": "minItems", "max_length": "maxItems"},
    dict: {"min_length": "minProperties", "max_length": "maxProperties"},
}


class SwitchedOffByNone:
    """In `Annotated`, marks what the word `none` switches off; it is None in Python."""


class EmptiedByNone:
    """In `Annotated`, marks a list or mapping that is empty where nothing is written, and by the word `none`."""


class SectionField:
    """What is declared of a key. `annotation` is without `Annotated`, whose other marks are `metadata`.

    `is_switch`: `none` switches it off, as does leaving it out where it `is_off_by_default`. `is_emptied`: `none`
    empties it. `sections` are those that it holds: itself, as an option, or as items. `semantics_version` counts up
    when any other value than the default comes to mean something else.
    """

    __slots__ = (
        "annotation", "bounds", "default", "description", "examples", "factory", "is_emptied", "is_off_by_default",
        "is_switch",
        "metadata", "required_unless", "sections", "semantics_version",
    )  # fmt: skip

    def __init__(
        self,
        default: Any = REQUIRED,
        factory: Callable[[], Any] | None = None,
        description: str = "",
        examples: Sequence[Any] = (),
        bounds: Mapping[str, Any] | None = None,
        semantics_version: int = 1,
        is_off_by_default: bool = True,
        required_unless: Sequence[str] = (),
    ) -> None:
        self.required_unless = required_unless
        self.default, self.factory, self.description, self.examples = default, factory, description, examples
        self.is_off_by_default = is_off_by_default
        self.semantics_version = semantics_version
        self.bounds: Mapping[str, Any] = bounds or {}

    def annotate(self, annotation: Any) -> None:
        """Take up the type."""
        self.annotation, self.metadata, bounds = bare(annotation)
        self.bounds = {**bounds, **self.bounds}
        self.is_switch = any(isinstance(mark, SwitchedOffByNone) for mark in self.metadata)
        self.is_emptied = any(isinstance(mark, EmptiedByNone) for mark in self.metadata)
        self.sections: tuple[type[Section], ...] = tuple(_sections_in(self.annotation))

    @property
    def parts(self) -> tuple[Any, ...]:
        """The type, and what it is made of: the options of a union, the items of a list."""
        return (self.annotation, *get_args(self.annotation))

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping whose keys are the user's."""
        return get_origin(self.annotation) is dict

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED and self.factory is None

    def make_default(self) -> Any:
        """The value where none is given; REQUIRED where one must be."""
        return self.default if self.factory is None else self.factory()


def Field(  # noqa: N802 (it declares a key as pydantic's does)
    default: Any = REQUIRED,
    *,
    default_factory: Callable[[], Any] | None = None,
    description: str = "",
    examples: Sequence[Any] = (),
    semantics_version: int = 1,
    is_off_by_default: bool = True,
    required_unless: Sequence[str] = (),
    **bounds: Any,
) -> Any:
    """Declare a key. `bounds` are `ge`, `gt`, `le`, `lt` of numbers; `min_length` and `max_length` of texts, lists and
    mappings; `pattern` of texts, from the first character to the last. In `Annotated`, bounds alone. A key without a
    default may be left out, and is None, where one of the keys `required_unless` is given."""
    return SectionField(
        default, default_factory, description, examples, bounds, semantics_version, is_off_by_default, required_unless
    )


class Section:
    """A section. Takes plain values as YAML gives them, or sections; raises MisfitError on what does not fit.

    `open_to` is the type of keys beside the declared ones; None where there are none. `extra` are those of them that
    were given, `given` the declared keys that were. None of it is to be changed. `semantics_version` counts up when the
    section, or the default of one of its keys, comes to mean something else.
    """

    fields: ClassVar[Mapping[str, SectionField]] = {}
    open_to: ClassVar[Any] = None
    semantics_version: ClassVar[int] = 1

    def __init_subclass__(cls, open_to: Any = None, semantics_version: int = 1, before: str | None = None) -> None:
        """`before` is the inherited key that the section's own ones stand before; by default they come last."""
        super().__init_subclass__()
        cls.semantics_version = semantics_version
        # A key that Python reserves ends with an underscore there, as in PEP 8.
        own = {name.rstrip("_"): _declared(cls, name) for name in cls.__annotations__}
        inherited = list(cls.fields)
        first = inherited.index(before) if before is not None else len(inherited)
        names = [*inherited[:first], *own, *inherited[first:]]
        cls.fields = {name: own[name] if name in own else cls.fields[name] for name in names}
        if open_to is not None:
            cls.open_to = open_to

    def __init__(self, /, **values: Any) -> None:
        self.__dict__.update(read_section(type(self), values).__dict__)

    @property
    def extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = self.__dict__["_extra"]
        return extra

    @property
    def given(self) -> frozenset[str]:
        given: frozenset[str] = self.__dict__["_given"]
        return given

    def changed(self, /, **values: Any) -> Self:
        """A copy with other values, which are taken as they are."""
        return _make(type(self), {**self.__dict__, **values, "_given": self.given | values.keys()})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _content(self) == _content(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in _content(self).items())})"


_Some = TypeVar("_Some", bound=Section)


def _make(section: type[_Some], content: dict[str, Any]) -> _Some:
    made = section.__new__(section)
    made.__dict__.update(content)
    return made


def _content(section: Any) -> dict[str, Any]:
    return {**{name: section.__dict__[name] for name in section.fields}, **section.extra}


def _declared(section: type[Section], name: str) -> SectionField:
    if hasattr(Section, name):
        raise TypeError(f"a key cannot be called {name}: every section has something of that name")
    field = section.__dict__.get(name, None)
    if field is None:
        field = SectionField()
    else:
        delattr(section, name)
    field.annotate(section.__annotations__[name])
    assert isinstance(field, SectionField)
    return field


def is_section(annotation: Any) -> bool:
    """Whether a type is a section."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _sections_in(annotation: Any) -> Iterator[Any]:
    """A type itself, or what it is made of: the options of a union, the items of a list, the values of a mapping."""
    kind, _, _ = bare(annotation)
    if is_section(kind):
        yield kind
    for part in get_args(kind) if get_origin(kind) is not Literal else ():
        yield from _sections_in(part)


def bare(annotation: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A type without `Annotated`, its marks, and its bounds."""
    if get_origin(annotation) is not Annotated:
        return annotation, (), {}
    marks = tuple(mark for mark in annotation.__metadata__ if not isinstance(mark, SectionField))
    bounds = [mark.bounds for mark in annotation.__metadata__ if isinstance(mark, SectionField)]
    return annotation.__origin__, marks, {name: bound for given in bounds for name, bound in given.items()}


def in_words_of_schema(annotation: Any, bounds: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds of a type, without `Annotated`, as JSON Schema calls them."""
    words = _BOUNDS.get(get_origin(annotation) or annotation, {})
    return {words[name]: bound for name, bound in bounds.items()}


def options(annotation: Any) -> tuple[Any, ...]:
    """The types of a union but None, or the type alone."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return tuple(part for part in get_args(annotation) if part is not NoneType) if is_union else (annotation,)


def _fit_of(annotation: Any, outer: Mapping[str, Any], is_switch: bool = False) -> Fit:
    kind, marks, inner = bare(annotation)
    is_switch = is_switch or any(isinstance(mark, SwitchedOffByNone) for mark in marks)
    bounds = {**inner, **outer}
    several = options(kind)
    if len(several) > 1 or several[0] is not kind:
        assert len(several) == 1 or not bounds, f"bounds of {kind} belong to one of its options"
        fits = [_fit_of(option, bounds) for option in several]
        fit = fits[0] if len(fits) == 1 else either(fits)
        if is_switch:
            return unless_none(fit)
        return or_null(fit) if NoneType in get_args(kind) else fit
    if kind is Any:
        return anything
    if is_section(kind):
        return fit_section(kind)
    words = in_words_of_schema(kind, bounds)
    if kind in (int, float):
        return number(words, whole=kind is int)
    if kind in (str, bool):
        return text(words) if kind is str else of_type(bool)
    if get_origin(kind) is Literal:
        return one_of_values(get_args(kind))
    item = _fit_of(get_args(kind)[-1 if get_origin(kind) is dict else 0], {})
    return mapping(item, words) if get_origin(kind) is dict else items(item, words, as_tuple=True)


def _fit_of_field(field: SectionField) -> Fit:
    fit = _fit_of(field.annotation, field.bounds, field.is_switch)
    return or_empty(fit, field.make_default()) if field.is_emptied else fit


def fit_section(section: Any) -> Fit:
    """What takes a mapping, or a section of that class as it is, and makes the section."""
    return _fit_section(section)


@cache
def _fit_section(section: Any) -> Fit:
    declared = [(name, field, _fit_of_field(field)) for name, field in section.fields.items()]
    other = None if section.open_to is None else _fit_of(section.open_to, {})

    def fit(value: Any, path: Path, violations: list[Violation]) -> Any:
        if isinstance(value, section):
            return value
        if not isinstance(value, dict):
            violations.append(Violation(path, "type", value))
            return value
        before = len(violations)
        content: dict[str, Any] = {}
        for name, field, inner in declared:
            if name in value:
                content[name] = inner(value[name], (*path, name), violations)
            elif field.is_required and not any(other in value for other in field.required_unless):
                violations.append(Violation((*path, name), "missing", value))
            elif field.is_required:
                content[name] = None
            else:
                content[name] = field.make_default()
        extra: dict[str, Any] = {}
        for name in value:
            if name not in section.fields:
                if other is None:
                    violations.append(Violation((*path, name), "unknown", value[name]))
                else:
                    extra[name] = other(value[name], (*path, name), violations)
        if len(violations) > before:
            return value
        return _make(
            section, {**content, "_extra": extra, "_given": frozenset(name for name in value if name in content)}
        )

    return fit


def read_section(section: type[_Some], value: Any) -> _Some:
    """The section of a plain value. Raises MisfitError."""
    violations: list[Violation] = []
    made: _Some = fit_section(section)(value, (), violations)
    if violations:
        raise ViolationError(section.__name__, violations)
    return made


def as_tree(section: Section, *, given_only: bool = False) -> dict[str, Any]:
    """Its plain values, as YAML would have them; None for what is left out and has no default."""
    tree: dict[str, Any] = {}
    for name, field in section.fields.items():
        if not given_only or name in section.given:
            value = section.__dict__[name]
            is_off = value is None and field.is_switch and (field.is_off_by_default or name in section.given)
            tree[name] = "none" if is_off else plain_value(value)
    for name, value in section.extra.items():
        tree[name] = plain_value(value)
    return tree


def plain_value(value: Any) -> Any:
    """A value of a key, sections in it as mappings."""
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    return as_tree(value) if isinstance(value, Section) else value
