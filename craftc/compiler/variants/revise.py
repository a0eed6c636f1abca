"""A spec without mistakes and a variant of it in; what resolving and validating make of the sections that it changes.

What does not fit, or brings a note of its own, is left to the plain way, which tells of it.
"""

from typing import Any

from craftc.compiler.checking.arguments import check_component
from craftc.compiler.checking.resolve import resolve_sections
from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.checking.validate import Validated, empty_places
from craftc.compiler.language.component_fields import component_fields, component_places
from craftc.compiler.reading.tree import copy_tree, look_up, set_path, touch
from craftc.compiler.variants.apply_settings import apply_settings
from craftc.compiler.variants.parts import Built
from craftc.compiler.variants.variant import Variant
from craftc.schemas.fit import ViolationError
from craftc.schemas.section import as_tree, read_section
from craftc.schemas.spec import SECTIONS


def revise(base: Checked, root: Built, variant: Variant) -> Built | None:
    """The variant; None where it has to be made the plain way. `root` is the spec as written, which has no mistake."""
    changed = {str(setting.target[0]) for setting in variant.settings}
    spec = root.validated.spec
    if spec is None or not changed <= SECTIONS.keys():
        return None
    written = _with_own(root.written, changed)
    if apply_settings(written, variant, base.tree):
        return None
    resolve_sections(written, changed)
    filled = {name: copy_tree(written[name]) for name in changed}
    fields = []
    for field in component_fields():
        if any(touch(field.path, setting.target) for setting in variant.settings):
            fields.append(field)
        elif field.path[0] in changed:  # its defaults are filled in there
            set_path(filled, field.path, look_up(root.validated.filled, field.path))
    places = component_places(filled, fields)
    found = [problem for place in places for problem in check_component(place, base.catalogue)]
    touched = [field.path for field in fields]
    if found != [p for p in root.validated.problems if any(touch(p.path, path) for path in touched)]:
        return None
    if next(iter(empty_places(filled)), None) is not None:
        return None
    try:
        sections = {name: read_section(SECTIONS[name], filled[name]) for name in changed}
    except ViolationError:
        return None
    whole = {**root.validated.filled, **filled}
    complete = {**root.validated.tree, **{name: as_tree(value) for name, value in sections.items()}}
    revised = spec.changed(**sections)
    return Built(written, Validated(revised, complete, root.validated.problems, root.validated.tainted, whole))


def _with_own(tree: dict[str, Any], changed: set[str]) -> dict[str, Any]:
    """The tree with sections of its own, to be changed; all else is shared."""
    return {name: copy_tree(value) if name in changed else value for name, value in tree.items()}
