"""Compile a variant to the trials of its seeds: lower its spec, read the files it names, fingerprint the result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from craftc.compiler.checking.rules.rule import CheckedExperiment
from craftc.compiler.planning.identity.fingerprint import (
    Decisive,
    FileDigest,
    content_digest,
    decisive,
    fingerprint,
)
from craftc.compiler.planning.identity.lower import Lowered, lower, note_digests
from craftc.compiler.planning.identity.stage_fingerprints import stage_fingerprints
from craftc.compiler.planning.identity.weights import Trained, WeightsError, no_store, of_trial
from craftc.compiler.planning.identity.without_defaults import without_defaults
from craftc.compiler.variants.resolve_variant import ResolvedVariant
from craftc.schemas.catalogue import TRIAL, Catalogue
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.language import PROGRAM, class_of
from craftc.schemas.plan import CheckpointEvery, GradientBounds, Trial
from craftc.schemas.spec import CheckpointEvery as Given
from craftc.schemas.spec import Experiment, Spec


@dataclass
class TrialCompiler:
    """Compiles variants to trials. Each file is read once, so that all trials are of the same experiment.

    `folder` is what relative paths start from; `trained` knows the trials that weights are taken from.
    """

    catalogue: Catalogue
    folder: Path
    code_digest: Callable[[str], str]
    file_digest: FileDigest
    trained: Trained = no_store
    _digests: dict[str, str | OSError | WeightsError] = field(default_factory=dict)
    _sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    _counted: dict[str, dict[str, Any]] = field(default_factory=dict)

    def lower(self, variant: CheckedExperiment) -> Lowered:
        """The configuration of a variant's trials."""
        return lower(variant, self.folder, self.trained)

    def unreadable(self, lowered: Lowered) -> dict[SpecPath, OSError | WeightsError]:
        """The places of the paths that cannot be read, and why."""
        read = ((place, self._digest(path)) for place, path in lowered.files.items())
        return {place: found for place, found in read if not isinstance(found, str)}

    def trials(
        self, variant: ResolvedVariant, lowered: Lowered, seeds: Iterable[int], fold: int | None = None
    ) -> list[Trial]:
        """The variant's trials, in one fold of its splits. All of its files must be readable."""
        content = self._content(lowered)
        config = {name: self._shared(section) for name, section in lowered.config.items()}
        overrides = variant.overrides
        return [
            Trial(
                id=fingerprint(content, seed),
                variant=variant.name,
                seed=seed,
                fold=fold,
                overrides=overrides,
                config=config,
                stages=None if PROGRAM in config else stage_fingerprints(content, seed, self.catalogue),
                checkpoint_every=_checkpoint_every(variant.spec.resources.checkpoint_every),
                micro_batch=variant.spec.resources.micro_batch,
                gradient_bounds=_gradient_bounds(variant.spec),
            )
            for seed in seeds
        ]

    def _content(self, lowered: Lowered) -> Decisive:
        """What of the configuration decides a result. Notes the digests of weights in the configuration."""
        digests = {place: str(self._digest(path)) for place, path in lowered.files.items()}
        count = partial(self._count, class_of(lowered.config))
        content = decisive(lowered.config, digests, self.code_digest, count)
        note_digests(lowered.config, digests, self.catalogue)
        return content

    def _digest(self, path: str) -> str | OSError | WeightsError:
        """The digest of what a path holds, or why it cannot be read."""
        if path not in self._digests:
            try:
                if path.startswith(TRIAL):
                    of_trial(path, self.trained)  # says why it names no file
                self._digests[path] = content_digest(Path(path), self.file_digest)
            except (OSError, WeightsError) as error:
                self._digests[path] = error
        return self._digests[path]

    def _count(self, spec: type[Experiment], name: str, section: dict[str, Any]) -> dict[str, Any]:
        """What counts of the section of that name, found once for all trials that have it."""
        text = f"{name}{section!r}"
        if text not in self._counted:
            self._counted[text] = without_defaults(name, section, self.catalogue, spec)
        return self._counted[text]

    def _shared(self, section: dict[str, Any]) -> dict[str, Any]:
        """The section, as one object for all trials that have it, written in the same order."""
        return self._sections.setdefault(repr(section), section)


def _checkpoint_every(given: Given | None) -> CheckpointEvery | None:
    return None if given is None else CheckpointEvery(steps=given.steps, minutes=given.minutes)


def _gradient_bounds(spec: Experiment) -> GradientBounds | None:
    given = spec.evaluation.gradient_norms if isinstance(spec, Spec) else None
    return None if given is None else GradientBounds(below=given.below, above=given.above)
