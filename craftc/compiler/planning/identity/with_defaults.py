"""A trial's configuration as it was once written -> the same with the keys and arguments that were added since.

Each has its default, as the trial had in effect: else it would have another fingerprint.
"""

from collections.abc import Mapping
from typing import Any, cast

from craftc.compiler.language.component_fields import ComponentPlace, all_component_places, places_in_arguments
from craftc.compiler.planning.identity.plain_lengths import plain_phases
from craftc.compiler.planning.identity.plain_sections import plain_sections
from craftc.compiler.planning.identity.without_defaults import has_plain_default
from craftc.compiler.reading.tree import copy_tree
from craftc.schemas.catalogue import ANY_OTHER, Catalogue
from craftc.schemas.language import PROGRAM, class_of, sections_of
from craftc.schemas.section import Section, plain_value
from craftc.schemas.spec import REGULARIZED


def with_defaults(config: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """A copy in which nothing is left out that the language and the components of the catalogue have a default for.

    Raises AttributeError, KeyError or TypeError for what is no configuration.
    """
    filled: dict[str, Any] = copy_tree(dict(config))
    for name in sections_of(filled):
        _fill(cast("type[Section]", class_of(filled).fields[name].annotation), filled[name])
    if PROGRAM not in filled:
        plain_sections(filled)
        for key in REGULARIZED:
            filled["regularization"].pop(key, None)  # handed on to the components
    for place in all_component_places(filled, catalogue):
        _fill_arguments(place, catalogue)
    plain_phases(filled["training"])
    return filled


def filled_component(component: Mapping[str, Any], group: str, catalogue: Catalogue) -> dict[str, Any]:
    """A copy of one component, and of those in its arguments, with every argument that has a default."""
    filled: dict[str, Any] = copy_tree(dict(component))
    place = ComponentPlace((), group, frozenset(), filled)
    _fill_arguments(place, catalogue)
    for inner in places_in_arguments(place, catalogue):  # looks into each only once it is filled
        _fill_arguments(inner, catalogue)
    return filled


def _fill_arguments(place: ComponentPlace, catalogue: Catalogue) -> None:
    entry = catalogue.find(place.group, str(place.value.get("kind")))
    for parameter in entry.parameters if entry is not None else ():
        if has_plain_default(parameter) and parameter.name not in (*place.value, ANY_OTHER):
            place.value[parameter.name] = copy_tree(parameter.default)


def _fill(section: type[Section], value: dict[str, Any]) -> None:
    for key, field in section.fields.items():
        if not field.is_required and key not in value:
            default = field.make_default()
            value[key] = "none" if default is None and field.is_switch else plain_value(default)
        found = value.get(key)
        of_mapping = list(found.values()) if field.is_mapping and isinstance(found, dict) else [found]
        for item in found if isinstance(found, list) else of_mapping:
            if isinstance(item, dict) and field.sections:
                _fill(field.sections[0], item)
