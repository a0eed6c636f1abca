"""Compile a point of a search, a variant with values for its searched paths, to trials like any other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from craftc.compiler.analyse import Analysis
from craftc.compiler.checking.rules.all_rules import variant_rules
from craftc.compiler.checking.rules.headline import headline_rules
from craftc.compiler.own_code.code_identity import CodeIdentity
from craftc.compiler.own_code.import_path import import_folders
from craftc.compiler.pipeline import seeds
from craftc.compiler.planning.identity.fingerprint import FileDigest, hash_file
from craftc.compiler.planning.identity.lower import folds
from craftc.compiler.planning.identity.trials import TrialCompiler
from craftc.compiler.planning.identity.weights import Trained, WeightsError, contradictions, no_store
from craftc.compiler.reading.document import SPACE
from craftc.compiler.variants.filters import VariantFilters
from craftc.compiler.variants.resolve_variant import ResolvedVariant, resolve_variant, without_ablation
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.plan import Trial


@dataclass(frozen=True)
class CompiledPoint:
    """A trial per seed, of each fold where there are folds; or none, and why the point cannot be trained."""

    trials: tuple[Trial, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointCompiler:
    """Compiles the points of a valid spec's search. `spec` is where that stands, which its relative paths start from.

    Files and code are read once, so that all points are of the same experiment.
    """

    analysis: Analysis
    spec: Path
    file_digest: FileDigest = hash_file
    trained: Trained = no_store

    @cached_property
    def _trial_compiler(self) -> TrialCompiler:
        assert self.analysis.base is not None
        code_digest = CodeIdentity(import_folders(self.spec))
        return TrialCompiler(
            self.analysis.base.catalogue, self.spec.parent, code_digest, self.file_digest, self.trained
        )

    def __call__(self, variant: str, params: Mapping[str, Any], number: int) -> CompiledPoint:
        """The trials of point `number`. Raises OSError where data that it names cannot be read."""
        base = self.analysis.base
        assert base is not None
        start = next(resolved.variant for resolved in self.analysis.variants if resolved.name == variant)
        searched = tuple(Setting(path, value, (*SPACE, path)) for path, value in params.items())
        point = Variant(f"{variant}#{number}", (*start.settings, *searched))
        checked, problems = resolve_variant(
            without_ablation(base), point, variant_rules(base) + headline_rules(base, frozenset())
        )
        errors = tuple(problem.message for problem in problems if problem.severity == "error")
        if checked is None or errors:
            return CompiledPoint((), errors)
        if VariantFilters(base.spec.ablation).leave_out(point, checked):
            return CompiledPoint((), ("exclude or require leaves it out",))
        if unlike := contradictions(self.trained, checked):
            return CompiledPoint((), tuple(problem.message for problem in unlike))
        lowered = self._trial_compiler.lower(checked)
        for error in self._trial_compiler.unreadable(lowered).values():
            if isinstance(error, WeightsError):
                return CompiledPoint((), (error.message,))
            raise error
        resolved = ResolvedVariant(point, checked)
        return CompiledPoint(
            tuple(
                trial
                for fold, of_fold in folds(lowered)
                for trial in self._trial_compiler.trials(resolved, of_fold, seeds(base.spec), fold)
            )
        )
