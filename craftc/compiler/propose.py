"""A variant, and values for its searched paths, in; the trials of that point, compiled like any other, out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from craftc.compiler.document import SPACE
from craftc.compiler.expand import ResolvedVariant, resolve_variant
from craftc.compiler.fingerprint import content_digest
from craftc.compiler.leave_out import Filters
from craftc.compiler.lower import lower, path_arguments
from craftc.compiler.pipeline import Analysis, make_trial, seeds
from craftc.compiler.variant import Setting, Variant
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.plan import Trial


@dataclass(frozen=True)
class Proposal:
    """A trial per seed; or none, and why the point cannot be trained."""

    trials: tuple[Trial, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposer:
    """Compiles the points of a valid spec's search. `folder` is what its relative paths start from."""

    analysis: Analysis
    catalogue: Catalogue
    folder: Path
    _digests: dict[str, str] = field(default_factory=dict)

    def __call__(self, variant: str, params: Mapping[str, Any], number: int) -> Proposal:
        """The trials of point `number`. Raises OSError where data that it names cannot be read."""
        base = self.analysis.base
        assert base is not None
        start = next(resolved.variant for resolved in self.analysis.variants if resolved.name == variant)
        searched = tuple(Setting(path, value, (*SPACE, path)) for path, value in params.items())
        point = Variant(f"{variant}#{number}", (*start.settings, *searched))
        spec, tree, problems = resolve_variant(base, point)
        errors = tuple(problem.message for problem in problems if problem.severity == "error")
        if spec is None or errors:
            return Proposal((), errors)
        if Filters(base.spec.ablation).leaves_out(point, tree):
            return Proposal((), ("exclude or require leaves it out",))
        config = lower(spec, self.catalogue, self.folder)
        paths = path_arguments(config, self.catalogue)
        for name in paths:
            path = config["data"]["source"][name]
            if path not in self._digests:
                self._digests[path] = content_digest(Path(path))
        resolved = ResolvedVariant(point, spec)
        return Proposal(
            tuple(make_trial(resolved, config, seed, paths, self._digests, self.catalogue) for seed in seeds(base.spec))
        )
