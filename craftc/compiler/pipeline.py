"""The compiler on one page: YAML text in, a Plan or Diagnostics out.

text -> parse -> graft -> resolve -> with_own -> validate -> check -> expand -> probe    (lint ends here)
     -> lower -> fingerprint -> fold -> reuse -> plan_search -> pack -> Plan
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from craftc.compiler.blame import blame
from craftc.compiler.checks import ABLATION_RULES, EXPERIMENT_RULES, Checked, check
from craftc.compiler.code_identity import CodeIdentity
from craftc.compiler.designs import BASE, FULL
from craftc.compiler.document import Document
from craftc.compiler.expand import ResolvedVariant, expand, untainted
from craftc.compiler.fingerprint import content_digest, fingerprint
from craftc.compiler.fragment import graft
from craftc.compiler.import_path import import_folders
from craftc.compiler.lower import SECTIONS, lower, path_arguments
from craftc.compiler.own_components import with_own
from craftc.compiler.parse import parse
from craftc.compiler.passes.fold import fold
from craftc.compiler.passes.pack import job_resources, pack
from craftc.compiler.passes.reuse import reuse
from craftc.compiler.passes.search import factors, is_searched, plan_search
from craftc.compiler.probe import probe
from craftc.compiler.problem import Problem, show
from craftc.compiler.recorded_metrics import headline
from craftc.compiler.resolve import resolve
from craftc.compiler.search_checks import SEARCH_RULES
from craftc.compiler.tree import look_up
from craftc.compiler.validate import validate
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.spec import Spec


@dataclass(frozen=True)
class Analysis:
    """All that is known of a spec's text. `spec` and `variants` are only to be used where `is_valid`.

    `base` is what the variants are made of; `fragments` the texts of the files that the spec names, by their names.
    """

    document: Document | None
    spec: Spec | None
    variants: tuple[ResolvedVariant, ...]
    diagnostics: tuple[Diagnostic, ...]
    base: Checked | None = None
    fragments: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        """No error was found."""
        return self.spec is not None and not any(d.severity == "error" for d in self.diagnostics)


@dataclass(frozen=True)
class Compiled:
    """A spec and its plan, or the diagnostics that keep it from having one."""

    analysis: Analysis
    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def analyse(text: str, filename: str, catalogue: Catalogue) -> Analysis:
    """Find every mistake that the text alone can show."""
    document, diagnostics = parse(text, filename)
    if document is None:
        return Analysis(None, None, (), tuple(diagnostics))
    if not isinstance(document.root.value, dict):
        problem = Problem("wrong-type", (), f"a spec is a mapping, not {show(document.root.plain())}")
        return Analysis(document, None, (), tuple([*diagnostics, problem.place(document)]))
    grafted = graft(document)
    document = grafted.document
    diagnostics += grafted.diagnostics
    written = resolve(document.root.plain())
    catalogue = with_own(catalogue, written, Path(filename))
    validated = validate(written, catalogue)
    problems = list(validated.problems)
    variants: tuple[ResolvedVariant, ...] = ()
    base = None
    if validated.spec is not None:
        base = Checked(validated.spec, validated.tree, written, catalogue)
        tainted = validated.tainted | ({("search", "use")} if grafted.diagnostics else set())
        problems += untainted(check(base, EXPERIMENT_RULES + ABLATION_RULES + SEARCH_RULES), tainted)
        expansion = expand(base, problems)
        problems += untainted(expansion.problems, validated.tainted)
        variants = expansion.variants
        searched = [v.variant for v in variants if is_searched(validated.spec, v.name)]
        problems += untainted(probe(base, searched, problems), validated.tainted)
    found = _sorted([*diagnostics, *(p.place(document) for p in _not_twice(problems, diagnostics, document))])
    return Analysis(document, validated.spec, variants, found, base, grafted.texts)


def compile_spec(
    text: str, filename: str, catalogue: Catalogue, is_finished: Callable[[str], bool] = lambda _: False
) -> Compiled:
    """Compile a spec. `is_finished` tells of a fingerprint whether the store holds its result."""
    analysis = analyse(text, filename, catalogue)
    if not analysis.is_valid:
        return Compiled(analysis, None, analysis.diagnostics)
    assert analysis.spec is not None
    assert analysis.base is not None
    catalogue = analysis.base.catalogue
    plan, unreadable = _plan(analysis, Path(filename), catalogue)
    if plan is None:
        return Compiled(analysis, None, _sorted([*analysis.diagnostics, *unreadable]))
    plan = fold(plan)
    plan = reuse(plan, is_finished)
    plan = plan_search(plan, analysis.spec, catalogue)
    plan = pack(plan, job_resources(analysis.spec))
    return Compiled(analysis, plan, analysis.diagnostics)


def _plan(analysis: Analysis, spec_path: Path, catalogue: Catalogue) -> tuple[Plan | None, list[Diagnostic]]:
    """Every variant with every seed, or what of its data cannot be read."""
    spec, document = analysis.spec, analysis.document
    assert spec is not None
    assert document is not None
    trials: list[Trial] = []
    written = spec.model_dump(mode="json")
    digests: dict[str, str] = {}
    unreadable: dict[str, Diagnostic] = {}
    folders = import_folders(spec_path)
    code_digest = CodeIdentity(folders)
    for variant in analysis.variants:
        config = lower(variant.spec, catalogue, spec_path.parent)
        paths = path_arguments(config, catalogue)
        for place in paths:
            path = look_up(config, place)
            try:
                digests[path] = digests.get(path) or content_digest(Path(path))
            except OSError as error:
                hint = "a relative path starts from the folder of the spec"
                problem = Problem("data-unreadable", place, f"cannot read {path}: {error.strerror or error}", hint)
                unreadable[path] = blame(problem, variant.variant, written).place(document)
        if not unreadable:
            trials += [make_trial(variant, config, seed, paths, digests, code_digest) for seed in seeds(spec)]
    if unreadable:
        return None, list(unreadable.values())
    baseline = FULL if spec.ablation.features else BASE
    plan = Plan(
        name=spec.name,
        baseline=baseline,
        headline=headline(spec, catalogue),
        trials=tuple(trials),
        folded=0,
        max_concurrent=spec.resources.max_concurrent,
        factors=factors(spec, written, trials),
        import_folders=tuple(map(str, folders)) if catalogue.own else (),
    )
    return plan, []


def data_files(text: str, filename: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The files and folders that the variants of a valid spec read, as they are written there."""
    analysis = analyse(text, filename, catalogue)
    found: dict[str, None] = {}
    extended = analysis.base.catalogue if analysis.base else catalogue
    for variant in analysis.variants:
        config = variant.spec.model_dump(mode="json", include=SECTIONS)
        found |= {look_up(config, place): None for place in path_arguments(config, extended)}
    return tuple(found)


def make_trial(
    variant: ResolvedVariant,
    config: dict[str, Any],
    seed: int,
    paths: list[SpecPath],
    digests: Mapping[str, str],
    code_digest: Callable[[str], str],
) -> Trial:
    """A variant's lowered configuration with one seed, fingerprinted."""
    return Trial(
        id=fingerprint(config, seed, paths, digests, code_digest),
        variant=variant.name,
        seed=seed,
        overrides=variant.overrides,
        config=config,
    )


def seeds(spec: Spec) -> tuple[int, ...]:
    """The seeds of the replicates."""
    asked = spec.ablation.seeds
    return tuple(range(spec.seed, spec.seed + asked)) if isinstance(asked, int) else asked


def _not_twice(problems: Iterable[Problem], found: list[Diagnostic], document: Document) -> Iterable[Problem]:
    """The problems whose text was not refused already when it was read."""
    refused = {(diagnostic.range.filename, diagnostic.range.start) for diagnostic in found}
    places = ((problem, document.locate(problem.path, key=problem.at_key)) for problem in problems)
    return [problem for problem, place in places if (place.filename, place.start) not in refused]


def _sorted(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By place, each once: what an alias repeats is a mistake in one place."""
    unique = {(d.code, d.range, d.message): d for d in diagnostics}.values()
    return tuple(
        sorted(unique, key=lambda d: (d.range.filename, d.range.start.line, d.range.start.column, d.code, d.message))
    )
