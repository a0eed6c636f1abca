"""A variant to the trials of its seeds: the configuration, its fingerprint and those of its stages.

The same as `lower`, `fingerprint` and `stages` say of a variant by itself, with every section's part of it computed
once for all variants that are alike in what it reads: what is hashed is put together from the sections' texts.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.planning.identity.fingerprint import (
    SEMANTICS_VERSION,
    FileDigest,
    canonical_json,
    content_digest,
    own_kinds,
)
from craftc.compiler.planning.identity.lower import lower_section, note_digests
from craftc.compiler.planning.identity.stage_fingerprints import features_of, minimised, prepared_of, steps_of
from craftc.compiler.planning.identity.weights import Trained, WeightsError, no_store, of_trial
from craftc.compiler.reading.tree import copy_tree, set_path
from craftc.compiler.variants.expand import ResolvedVariant
from craftc.compiler.variants.recall import Recalled
from craftc.schemas.catalogue import TRIAL, Catalogue
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.plan import Stages, Trial
from craftc.schemas.spec import SECTIONS

_IN_ORDER = sorted(SECTIONS)


@dataclass(frozen=True)
class Text:
    """Canonical JSON, and the user's own components that it names."""

    json: str
    own: frozenset[str]


@dataclass(frozen=True)
class Section:
    """A lowered section. `whole` is all of it that decides a result, `steps` what of that the steps of training read.

    `files` are the places of the paths in it, and the paths; `content` has what they hold in their place.
    """

    config: dict[str, Any]
    content: dict[str, Any]
    whole: Text
    steps: Text
    files: tuple[tuple[SpecPath, str], ...] = ()
    prepare: str = ""


@dataclass
class Identify:
    """Makes trials. Files and code are read once. `unread` are the paths that could not be read, and why.

    `trained` knows the trials that weights are taken from.
    """

    catalogue: Catalogue
    folder: Path
    file_digest: FileDigest
    code_digest: Callable[[str], str]
    trained: Trained = no_store
    unread: dict[str, OSError | WeightsError] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sections = {name: Recalled(partial(self._section, name)) for name in SECTIONS}
        self._minimised = Recalled(self._minimised_of)

    def sections(self, variant: ResolvedVariant) -> dict[str, Section]:
        """Every section of the variant's configuration."""
        return {name: section(variant.source) for name, section in self._sections.items()}

    def trials(self, variant: ResolvedVariant, sections: Mapping[str, Section], seeds: Iterable[int]) -> list[Trial]:
        """The variant's trials. All files must have been read."""
        overrides = variant.overrides
        config = {name: section.config for name, section in sections.items()}
        identity, rest = self._identity(sections)
        train, after_seed = self._train(variant, sections)
        data, model = sections["data"], sections["model"]
        return [
            Trial(
                id=_sha256(identity, f"{seed}{rest}"),
                variant=variant.name,
                seed=seed,
                overrides=overrides,
                config=config,
                stages=Stages(
                    prepare=data.prepare,
                    train=_sha256(train, f"{seed}{after_seed}"),
                    features=features_of(data.content, model.content, seed, self.catalogue, self.code_digest),
                ),
            )
            for seed in seeds
        ]

    def _identity(self, sections: Mapping[str, Section]) -> tuple[Any, str]:
        """The fingerprint's hash up to the seed, and the text behind that."""
        code = self._code(section.whole for section in sections.values())
        inner = ",".join(f'"{name}":{sections[name].whole.json}' for name in _IN_ORDER)
        of_code = f'"code":{code},' if code != "{}" else ""
        begin = f'{{{of_code}"config":{{{inner}}},"seed":'
        return hashlib.sha256(begin.encode()), f',"semantics":{SEMANTICS_VERSION}}}'

    def _train(self, variant: ResolvedVariant, sections: Mapping[str, Section]) -> tuple[Any, str]:
        """As `_identity`, of the train stage."""
        read = {name: sections[name].steps for name in ("data", "model", "regularization", "training")}
        read["objective"] = self._minimised(variant.source)
        inner = ",".join(f'"{name}":{read[name].json}' for name in ("data", "model", "objective", "regularization"))
        begin = f'{{"code":{self._code(read.values())},"reads":{{{inner},"seed":'
        after = f',"training":{read["training"].json}}},"semantics":{SEMANTICS_VERSION},"stage":"train"}}'
        return hashlib.sha256(begin.encode()), after

    def _section(self, name: str, variant: Checked) -> Section:
        config, files = lower_section(name, variant, self.folder, self.trained)
        content = self._decisive(config, files)
        note_digests(config, [place[1:] for place, _ in files], self._digests, self.catalogue)
        whole = _text(content)
        if name == "data":
            prepared = _text(prepared_of(content))
            begin = f'{{"code":{self._code([prepared])},"reads":{prepared.json},'
            prepare = _sha256(hashlib.sha256(begin.encode()), f'"semantics":{SEMANTICS_VERSION},"stage":"prepare"}}')
            return Section(config, content, whole, whole, tuple(files), prepare)
        steps = _text(steps_of(content, self.catalogue)) if name == "training" else whole
        return Section(config, content, whole, steps, tuple(files))

    def _minimised_of(self, variant: Checked) -> Text:
        objective = self._section("objective", variant)
        content = self._decisive(objective.config, objective.files)
        return _text(minimised(content, variant.tree["training"]["schedule"]))

    def _decisive(self, config: dict[str, Any], files: Sequence[tuple[SpecPath, str]]) -> dict[str, Any]:
        """A section with the content of files in the place of their paths."""
        content: dict[str, Any] = copy_tree(config) if files else config
        for place, path in files:
            set_path(content, place[1:], self._digest(path))
        return content

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            try:
                if path.startswith(TRIAL):
                    of_trial(path, self.trained)  # says why it names no file
                self._digests[path] = content_digest(Path(path), self.file_digest)
            except (OSError, WeightsError) as error:
                self.unread[path] = error
                self._digests[path] = ""
        return self._digests[path]

    def _code(self, texts: Iterable[Text]) -> str:
        own = {kind for text in texts if text.own for kind in text.own}
        return canonical_json({kind: self.code_digest(kind) for kind in own}) if own else "{}"


def _text(value: Any) -> Text:
    return Text(canonical_json(value), frozenset(own_kinds(value)))


def _sha256(begun: Any, rest: str) -> str:
    """Of what was hashed so far, and the rest."""
    hashed = begun.copy()
    hashed.update(rest.encode())
    digest: str = hashed.hexdigest()
    return digest
