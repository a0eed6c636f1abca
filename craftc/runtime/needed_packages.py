"""Which packages beside those of `craftc[run]` the components of trials need, by what they declare."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.component_fields import all_component_places, component_fields
from craftc.components.declared import packages_of
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.plan import Plan, Trial

Declared = Callable[[str, str], Mapping[str, str]]
"""From a group and a kind to the packages that it declares, with craftc's extra that brings each."""


class Needed(NamedTuple):
    """A package that a component of a trial needs, by the name that Python imports it by. `extra` is empty where craftc
    has none that brings it; `path` is the component's place in the trial's configuration."""

    package: str
    extra: str
    kind: str
    path: Path
    trial: Trial

    @property
    def install(self) -> str:
        """The command that brings it."""
        return install_of(self.package, self.extra)


def needed_packages(trials: Iterable[Trial], catalogue: Catalogue, declared: Declared) -> Iterator[Needed]:
    """Every package of every component, each once with the first trial that has it."""
    seen: set[tuple[str, str]] = set()
    for trial in trials:
        for place in all_component_places(trial.config, catalogue):
            kind = str(place.value.get("kind"))
            for package, extra in declared(place.group, kind).items():
                if (kind, package) not in seen:
                    seen.add((kind, package))
                    yield Needed(package, extra, kind, place.path, trial)


def packages_searched(
    plan: Plan, catalogue: Catalogue, declared: Declared
) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """The components that a search chooses among: the path of the range, the kind, and what it declares to need."""
    for path, form in (plan.search.space if plan.search else {}).items():
        for value in form.get("choice", ()):
            for place in all_component_places(_tree(parse_path(path), value), catalogue):
                kind = str(place.value.get("kind"))
                if packages := declared(place.group, kind):
                    yield path, kind, packages


def _tree(path: Path, value: Any) -> dict[str, Any]:
    """Sections with nothing but a value at a path; a component may be written as its kind alone."""
    is_component = isinstance(value, str) and any(field.holds(path) for field in component_fields())
    tree: Any = {"kind": value} if is_component else value
    for part in reversed(path):
        tree = [tree] if isinstance(part, int) else {part: tree}
    return tree if isinstance(tree, dict) else {}


def of_plan(plan: Plan) -> dict[str, str]:
    """The packages that the new trials of a plan need, each with the command that installs it. A user's own components
    are imported for it."""
    new = (trial for trial in plan.trials if trial.status == "new")
    catalogue = built_in_catalogue()
    found = {each.package: each.install for each in needed_packages(new, catalogue, packages_of)}
    for _, _, packages in packages_searched(plan, catalogue, packages_of):
        found |= {package: install_of(package, extra) for package, extra in packages.items()}
    return found


def install_of(package: str, extra: str) -> str:
    """The command that brings a package, by craftc's extra where one does."""
    return f"pip install 'craftc[{extra}]'" if extra else f"pip install {package}"


def is_installed(package: str) -> bool:
    """Whether Python finds it. Nothing is imported, and of its version nothing is asked."""
    return find_spec(package) is not None
