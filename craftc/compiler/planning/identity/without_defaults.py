"""A section of a lowered configuration -> what of it is part of a trial's identity: values that are no defaults, and
semantics versions above 1.

A key or an argument that is added with a default therefore leaves every trial as it is. Where a default or a meaning
changes, the version of the section or component is counted up, and with it the identity of the trials that have it:
docs/decisions/0040-identity-without-defaults.md.
"""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from craftc.compiler.language.component_fields import group_of_field
from craftc.compiler.language.value_type import group_of
from craftc.compiler.planning.identity.fingerprint import canonical_json
from craftc.schemas.catalogue import NESTED, Catalogue, ComponentEntry, Parameter, is_nested
from craftc.schemas.section import Section, SectionField, bare, is_section, options, plain_value
from craftc.schemas.spec import Component, Experiment, Spec

VERSION = "@"
"""Stands for the version of the mapping that it is in, and before a key for the version of that key. No key of the
language begins with it, and no argument of Python."""
OF_KEYS = VERSION + VERSION
"""Stands for the version of a section whose keys are in the mapping of a component."""


def without_defaults(
    name: str, section: Mapping[str, Any], catalogue: Catalogue, spec: type[Experiment] = Spec
) -> dict[str, Any]:
    """What counts of the section of that name in that kind of spec."""
    kept: dict[str, Any] = _of_field(spec.fields[name], section, catalogue)
    return kept


def counted_metrics(metrics: list[Any], catalogue: Catalogue) -> list[Any]:
    """What counts of each metric of a list, also where the list is the default."""
    return [_of_component(Component, "metrics", metric, catalogue) for metric in metrics]


def default_of(field: SectionField, catalogue: Catalogue) -> Any:
    """What counts of a key's default. It has one."""
    value = field.make_default()
    written = "none" if value is None and field.is_switch else plain_value(value)
    return _of_field(field, written, catalogue)


def default_argument(parameter: Parameter, catalogue: Catalogue) -> Any:
    """What counts of an argument's default. It has one that is a plain value."""
    return _of_argument(parameter, parameter.default, catalogue)


def has_plain_default(parameter: Parameter) -> bool:
    """Whether an argument's default is known, and so no part of an identity."""
    return not parameter.required and not parameter.computed


def is_default(value: Any, default: Any) -> bool:
    """Whether what counts of a value is its default, and nothing in it has another meaning than once.

    Values are compared as they are written: 1, 1.0 and true are three.
    """
    return canonical_json(value) == canonical_json(default) and not has_versions(value)


def has_versions(counted: Any) -> bool:
    """Whether a section or component in what counts of a value has a version above 1."""
    if isinstance(counted, Mapping):
        return any(key.startswith(VERSION) for key in counted) or any(map(has_versions, counted.values()))
    return isinstance(counted, list) and any(map(has_versions, counted))


def without_versions(counted: Any) -> Any:
    """What counts of a value, as it is where every version is 1."""
    if isinstance(counted, Mapping):
        return {key: without_versions(item) for key, item in counted.items() if not key.startswith(VERSION)}
    return [without_versions(item) for item in counted] if isinstance(counted, list) else counted


def _of_field(field: SectionField, value: Any, catalogue: Catalogue) -> Any:
    return _of_type(field.annotation, group_of_field(field), value, catalogue)


def _of_type(annotation: Any, group: str | None, value: Any, catalogue: Catalogue) -> Any:
    """What counts of a value: a section, or a component of a group; a list of such, or a mapping of names to such; or
    anything else, of which all counts."""
    for option in options(bare(annotation)[0]):
        if is_section(option) and isinstance(value, Mapping):
            if group is not None:
                return _of_component(option, group, value, catalogue)
            return _marked(option.semantics_version, _of_keys(option, value, catalogue))
        if get_origin(option) is tuple and isinstance(value, list):
            return [_of_type(get_args(option)[0], group, item, catalogue) for item in value]
        if get_origin(option) is dict and isinstance(value, Mapping):
            inner = get_args(option)[1]
            return {name: _of_type(inner, group, item, catalogue) for name, item in value.items()}
    return value


def _of_keys(section: type[Section], value: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Of a mapping, the keys that are the section's own, and those that it is open to."""
    kept: dict[str, Any] = {}
    for key, item in value.items():
        field = section.fields.get(key)
        if field is None:
            kept[key] = _of_type(section.open_to, None, item, catalogue)
            continue
        counted = _of_field(field, item, catalogue)
        if field.is_required or not is_default(counted, default_of(field, catalogue)):
            kept[key] = counted
            kept |= {VERSION + key: field.semantics_version} if field.semantics_version > 1 else {}
    return kept


def _of_component(section: type[Section], group: str, value: Any, catalogue: Catalogue) -> Any:
    """A component, which may have keys of a section beside its arguments."""
    if not isinstance(value, Mapping):
        return value
    entry = catalogue.find(group, str(value.get("kind")))
    kept = _of_keys(section, {key: item for key, item in value.items() if key in section.fields}, catalogue)
    for name, item in value.items():
        if name not in section.fields:
            kept |= _kept_argument(entry, name, item, catalogue)
    if section.semantics_version > 1:
        kept[OF_KEYS] = section.semantics_version
    return _marked(1 if entry is None else entry.semantics_version, kept)


def _kept_argument(entry: ComponentEntry | None, name: str, value: Any, catalogue: Catalogue) -> dict[str, Any]:
    parameter = None if entry is None else entry.parameter(name)
    if parameter is None:
        return {name: _nested(value, catalogue)}
    counted = _of_argument(parameter, value, catalogue)
    if has_plain_default(parameter) and is_default(counted, default_argument(parameter, catalogue)):
        return {}
    return {name: counted}


def _of_argument(parameter: Parameter, value: Any, catalogue: Catalogue) -> Any:
    group = group_of(parameter.type) if isinstance(value, Mapping) else None
    return _nested(value, catalogue) if group is None else _of_component(Component, group, value, catalogue)


def _nested(value: Any, catalogue: Catalogue) -> Any:
    """A value with whatever components of the user's own it holds."""
    if is_nested(value):
        return _of_component(Component, NESTED, value, catalogue)
    if isinstance(value, Mapping):
        return {key: _nested(item, catalogue) for key, item in value.items()}
    return [_nested(item, catalogue) for item in value] if isinstance(value, list) else value


def _marked(version: int, kept: dict[str, Any]) -> dict[str, Any]:
    return {VERSION: version} | kept if version > 1 else kept
