"""Which packages beside those of `craftc[run]` the components of trials need, by what they declare."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import NamedTuple

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.component_fields import all_component_places
from craftc.components.declared import packages_of
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path
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
        return f"pip install 'craftc[{self.extra}]'" if self.extra else f"pip install {self.package}"


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


def of_plan(plan: Plan) -> dict[str, str]:
    """The packages that the new trials of a plan need, each with the command that installs it. A user's own components
    are imported for it."""
    new = (trial for trial in plan.trials if trial.status == "new")
    return {each.package: each.install for each in needed_packages(new, built_in_catalogue(), packages_of)}


def is_installed(package: str) -> bool:
    """Whether Python finds it. Nothing is imported, and of its version nothing is asked."""
    return find_spec(package) is not None
