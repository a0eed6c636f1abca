"""A tree as written to a tree in which every component is a mapping and default components are spelled out."""

from collections.abc import Container
from typing import Any

from craftc.compiler.language.component_fields import ComponentField, fields_of, values_at
from craftc.compiler.language.removals import PLACE as REMOVALS
from craftc.compiler.language.removals import as_removals
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.tree import copy_tree
from craftc.schemas.catalogue import REMOVE
from craftc.schemas.language import class_of
from craftc.schemas.section import REQUIRED, Section, as_tree


def resolve(tree: dict[str, Any]) -> dict[str, Any]:
    """A copy of the tree with `adamw` written as `{kind: adamw}` wherever a component is named.

    A field whose default is a component gets it, so that what is checked, varied and fingerprinted is complete.
    What does not fit is left as it is, for `validate` to tell.
    """
    resolved: dict[str, Any] = copy_tree(tree)
    resolve_sections(resolved, {str(field.path[0]) for field in fields_of(class_of(tree))})
    return resolved


def resolve_sections(tree: dict[str, Any], names: Container[object]) -> None:
    """The same of some sections, in place."""
    for field in fields_of(class_of(tree)):
        if field.path[0] not in names:
            continue
        for _, section in values_at(tree, field.path[:-1]):
            if isinstance(section, dict):
                _resolve_field(section, str(field.path[-1]), field)
    if "model" in names and isinstance(model := tree.get("model"), dict) and REMOVE in model:
        model[REMOVE] = as_removals(REMOVALS, model[REMOVE])


def _resolve_field(section: dict[str, Any], name: str, field: ComponentField) -> None:
    if name not in section:
        default = field.field.make_default()
        if isinstance(default, Section):
            section[name] = as_tree(default)
        elif default is not REQUIRED and not field.by_name:
            section[name] = [as_tree(component) for component in default]
    elif field.by_name:
        if isinstance(section[name], dict):
            # `none` takes one away: what an ablation switches off.
            kept = {key: item for key, item in section[name].items() if item != "none"}
            section[name] = {key: as_component((*field.path, key), item) for key, item in kept.items()}
    else:
        section[name] = as_component(field.path, section[name])
