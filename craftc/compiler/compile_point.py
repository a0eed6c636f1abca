"""A variant, and values for its searched paths, in; the trials of that point, compiled like any other, out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from craftc.compiler.analyse import Analysis
from craftc.compiler.checking.rules.all_rules import EXPERIMENT_RULES
from craftc.compiler.checking.rules.headline import headline_rules
from craftc.compiler.own_code.code_identity import CodeIdentity
from craftc.compiler.own_code.import_path import import_folders
from craftc.compiler.pipeline import make_trial, seeds
from craftc.compiler.planning.identity.fingerprint import FileDigest, content_digest, decisive, hash_file
from craftc.compiler.planning.identity.lower import lower, note_digests, path_arguments
from craftc.compiler.planning.identity.weights import Trained, WeightsError, contradictions, no_store, of_trial
from craftc.compiler.reading.document import SPACE
from craftc.compiler.reading.tree import look_up
from craftc.compiler.variants.expand import ResolvedVariant, resolve_variant
from craftc.compiler.variants.filters import Filters
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.catalogue import TRIAL
from craftc.schemas.plan import Trial


@dataclass(frozen=True)
class CompiledPoint:
    """A trial per seed; or none, and why the point cannot be trained."""

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
    _digests: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _code_digest(self) -> CodeIdentity:
        return CodeIdentity(import_folders(self.spec))

    def __call__(self, variant: str, params: Mapping[str, Any], number: int) -> CompiledPoint:
        """The trials of point `number`. Raises OSError where data that it names cannot be read."""
        base = self.analysis.base
        assert base is not None
        start = next(resolved.variant for resolved in self.analysis.variants if resolved.name == variant)
        searched = tuple(Setting(path, value, (*SPACE, path)) for path, value in params.items())
        point = Variant(f"{variant}#{number}", (*start.settings, *searched))
        checked, problems = resolve_variant(base, point, EXPERIMENT_RULES + headline_rules(base, frozenset()))
        errors = tuple(problem.message for problem in problems if problem.severity == "error")
        if checked is None or errors:
            return CompiledPoint((), errors)
        if Filters(base.spec.ablation).leaves_out(point, checked):
            return CompiledPoint((), ("exclude or require leaves it out",))
        if unlike := contradictions(self.trained, checked):
            return CompiledPoint((), tuple(problem.message for problem in unlike))
        config = lower(checked.spec, base.catalogue, self.spec.parent, self.trained)
        paths = path_arguments(config, base.catalogue)
        try:
            self._read([look_up(config, place) for place in paths])
        except WeightsError as error:
            return CompiledPoint((), (error.message,))
        resolved = ResolvedVariant(point, checked)
        content = decisive(config, paths, self._digests, self._code_digest)
        note_digests(config, paths, self._digests, base.catalogue)
        return CompiledPoint(
            tuple(make_trial(resolved, config, seed, content, base.catalogue) for seed in seeds(base.spec))
        )

    def _read(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path not in self._digests:
                if path.startswith(TRIAL):
                    of_trial(path, self.trained)  # says why it names no file
                self._digests[path] = content_digest(Path(path), self.file_digest)
