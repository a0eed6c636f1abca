"""The compiler on one page: YAML text in, a Plan or Diagnostics out.

text -> parse -> compose -> with_own -> substitute -> rebase -> resolve -> validate -> check -> expand -> probe
     (lint ends here)
     -> lower -> fingerprint -> fold -> reuse -> plan_search -> share -> batch -> pack -> place -> Plan
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from craftc.compiler.blame import blame
from craftc.compiler.checks import Checked, check
from craftc.compiler.code_identity import CodeIdentity
from craftc.compiler.compose import compose
from craftc.compiler.designs import BASE, FULL
from craftc.compiler.document import Document
from craftc.compiler.environment import substitute
from craftc.compiler.expand import ResolvedVariant, expand, untainted
from craftc.compiler.file_kind import FileKind, file_kind
from craftc.compiler.fingerprint import Decisive, FileDigest, fingerprint, hash_file
from craftc.compiler.identify import Identify
from craftc.compiler.import_path import import_folders
from craftc.compiler.lower import path_arguments
from craftc.compiler.own_components import with_own
from craftc.compiler.parse import parse
from craftc.compiler.part import as_search, part_problems
from craftc.compiler.passes.batch import batch
from craftc.compiler.passes.fold import fold
from craftc.compiler.passes.pack import job_resources, pack
from craftc.compiler.passes.place import num_slots, place
from craftc.compiler.passes.reuse import reuse
from craftc.compiler.passes.search import factors, is_searched, plan_search
from craftc.compiler.passes.share import share
from craftc.compiler.placeable import check_placeable
from craftc.compiler.probe import probe
from craftc.compiler.problem import MAX_TOLD, Problem, show, too_many_mistakes
from craftc.compiler.rebase import rebase
from craftc.compiler.recall import Recalled
from craftc.compiler.recorded_metrics import headline
from craftc.compiler.resolve import resolve
from craftc.compiler.rules import DESIGN_RULES, EXPERIMENT_RULES
from craftc.compiler.stages import stages
from craftc.compiler.tree import look_up
from craftc.compiler.validate import Validated, validate
from craftc.compiler.version import check_version
from craftc.compiler.watched import VARIED, plain
from craftc.compiler.weights import Trained, WeightsError, contradictions, no_store
from craftc.schemas.catalogue import TRIAL, Catalogue
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.forecast import Machine
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.spec import Spec

_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Analysis:
    """All that is known of a file's text. `spec` and `variants` are only to be used where `is_valid`.

    `base` is what the variants are made of; `fragments` the texts of the files that the spec names, by their names.
    `kind` is None where the text cannot be read, and of YAML that has nothing to do with craftc.
    """

    document: Document | None
    spec: Spec | None
    variants: tuple[ResolvedVariant, ...]
    diagnostics: tuple[Diagnostic, ...]
    base: Checked | None = None
    fragments: Mapping[str, str] = field(default_factory=dict)
    kind: FileKind | None = None

    @property
    def is_valid(self) -> bool:
        """It is a spec, and no error was found."""
        is_spec = self.kind == "spec" and self.spec is not None
        return is_spec and not any(d.severity == "error" for d in self.diagnostics)


@dataclass(frozen=True)
class Compiled:
    """A spec and its plan, or the diagnostics that keep it from having one."""

    analysis: Analysis
    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def analyse(
    text: str,
    filename: str,
    catalogue: Catalogue,
    *,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
    kind: FileKind | None = "spec",
) -> Analysis:
    """Find every mistake that the text alone can show.

    `environment` is what `${env:NAME}` refers to. `kind` is what the file is to be: None finds it out, and of a base
    or a search space tells what can be said without the spec that includes it.
    """
    document, diagnostics = parse(text, filename)
    if document is None:
        return Analysis(None, None, (), _sorted(diagnostics))
    kind = kind or file_kind(document.root)
    if kind is None:
        return Analysis(document, None, (), ())
    if not isinstance(document.root.value, dict):
        problem = Problem("wrong-type", (), f"a {kind} is a mapping, not {show(document.root.plain())}")
        return Analysis(document, None, (), tuple([*diagnostics, problem.place(document)]), kind=kind)
    if kind == "spec" and (refusal := check_version(document)) is not None:
        return Analysis(document, None, (), (refusal,), kind=kind)
    composed = compose(as_search(document) if kind == "search space" else document)
    if kind == "spec" and (refusal := check_version(composed.document)) is not None:
        return Analysis(document, None, (), (refusal,), fragments=composed.texts, kind=kind)
    catalogue = with_own(catalogue, composed.document.root.plain(), Path(filename))
    document, unsubstituted = substitute(composed.document, environment, catalogue)
    document = rebase(document, catalogue)
    diagnostics += composed.diagnostics + unsubstituted
    written = resolve(document.root.plain())
    validated = validate(written, catalogue)
    problems = validated.problems
    if kind != "spec" or not composed.is_whole:
        problems = [problem for problem in problems if problem.code != "missing-key"]
    variants: tuple[ResolvedVariant, ...] = ()
    base = None
    if validated.spec is not None:
        base = Checked(validated.spec, validated.tree, written, catalogue)
        if composed.is_whole and (kind == "spec" or _lacks_only_a_name(validated)):
            if composed.diagnostics:
                validated = replace(validated, tainted=validated.tainted | {("search", "use")})
            variants, found = _experiment(base, validated)
        else:
            found = untainted(part_problems(base), validated.tainted)
        problems = [*problems, *found]
    told = _sorted([*diagnostics, *(p.place(document) for p in _not_twice(problems, diagnostics, document))])
    return Analysis(document, validated.spec, variants, told, base, composed.texts, kind)


def _experiment(base: Checked, validated: Validated) -> tuple[tuple[ResolvedVariant, ...], list[Problem]]:
    """The variants of a spec, and what is wrong beside the problems of its values."""
    problems = untainted(check(base, EXPERIMENT_RULES + DESIGN_RULES), validated.tainted)
    if len(validated.problems) + len(problems) > MAX_TOLD:
        return (), problems
    expansion = expand(base, validated.problems + problems)
    problems += untainted(expansion.problems, validated.tainted)
    searched = [v.variant for v in expansion.variants if is_searched(base.spec, v.name)]
    problems += untainted(probe(base, searched, validated.problems + problems), validated.tainted)
    return expansion.variants, problems


def _lacks_only_a_name(validated: Validated) -> bool:
    """Whether a base has all that makes an experiment, so that the rules between its fields can be checked."""
    missing = {problem.path for problem in validated.problems if problem.code == "missing-key"}
    return missing <= {("craftc",), ("name",)}


def compile_spec(
    text: str,
    filename: str,
    catalogue: Catalogue,
    is_finished: Callable[[str], bool] = lambda _: False,
    *,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
    file_digest: FileDigest = hash_file,
    trained: Trained = no_store,
    machine: Machine | None = None,
    runs_here: bool = True,
) -> Compiled:
    """Compile a spec. `is_finished` tells of a fingerprint whether the store holds its result; `file_digest` may know
    the hash of a file that has not changed; `trained` knows the trials that weights are taken from.

    `machine` is what it is to run on; without `runs_here` it may yet run elsewhere. None where that is not known.
    """
    analysis = analyse(text, filename, catalogue, environment=environment)
    if not analysis.is_valid:
        return Compiled(analysis, None, analysis.diagnostics)
    assert analysis.spec is not None
    assert analysis.base is not None
    catalogue, resources = analysis.base.catalogue, job_resources(analysis.spec)
    plan, unreadable = _plan(analysis, Path(filename), catalogue, file_digest, trained)
    if plan is None:
        return Compiled(analysis, None, _sorted([*analysis.diagnostics, *unreadable]))
    plan = fold(plan)
    plan = reuse(plan, is_finished)
    plan = plan_search(plan, analysis.spec, catalogue)
    plan = share(plan, resources)
    plan = batch(plan, catalogue, resources)
    plan = pack(plan, resources, num_slots(resources, machine, plan.max_concurrent))
    plan = place(plan)
    problems = [] if machine is None else check_placeable(plan, resources, machine, runs_here=runs_here)
    assert analysis.document is not None
    told = _sorted([*analysis.diagnostics, *(problem.place(analysis.document) for problem in problems)])
    return Compiled(analysis, None if any(p.severity == "error" for p in problems) else plan, told)


def _plan(
    analysis: Analysis, spec_path: Path, catalogue: Catalogue, file_digest: FileDigest, trained: Trained
) -> tuple[Plan | None, list[Diagnostic]]:
    """Every variant with every seed, or what of its data and weights cannot be read."""
    spec, document = analysis.spec, analysis.document
    assert spec is not None
    assert document is not None
    trials: list[Trial] = []
    written = spec.model_dump(mode="json")
    unreadable: dict[str, Diagnostic] = {}
    folders = import_folders(spec_path)
    identify = Identify(catalogue, spec_path.parent, file_digest, CodeIdentity(folders), trained)
    unlike = Recalled(partial(contradictions, trained))
    for variant in analysis.variants:
        sections = identify.sections(variant)
        for argument, path in (file for section in sections.values() for file in section.files):
            if (error := identify.unread.get(path)) is not None:
                problem = _unreadable(argument, path, error)
                unreadable[path] = blame(problem, variant.variant, written).place(document)
        for problem in unlike(variant.source):
            unreadable[problem.message] = blame(problem, variant.variant, written).place(document)
        if not unreadable:
            trials += identify.trials(variant, sections, seeds(spec))
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
        budget_hours=spec.resources.budget_hours,
        factors=factors(spec, written, trials),
        import_folders=tuple(map(str, folders)) if catalogue.own else (),
    )
    return plan, []


def _unreadable(argument: SpecPath, path: str, error: OSError | WeightsError) -> Problem:
    if isinstance(error, WeightsError):
        return Problem(error.code, argument, error.message, error.hint)
    code = "weights-not-found" if argument == ("model", "weights") else "data-unreadable"
    hint = "a relative path starts from the folder of the spec"
    return Problem(code, argument, f"cannot read {path}: {error.strerror or error}", hint)


def data_files(analysis: Analysis) -> tuple[str, ...]:
    """The files and folders that the variants of a valid spec read; relative ones start from its folder."""
    assert analysis.base is not None
    found: dict[str, None] = {}
    files = [Recalled(partial(_files, name)) for name in VARIED]
    for variant in analysis.variants:
        found |= dict.fromkeys(path for section in files for path in section(variant.source))
    return tuple(found)


def _files(section: str, variant: Checked) -> tuple[str, ...]:
    tree = {section: plain(variant.tree[section])}
    paths = (look_up(tree, place) for place in path_arguments(tree, variant.catalogue))
    return tuple(path for path in paths if not path.startswith(TRIAL))


def named_files(text: str, filename: str) -> tuple[str, ...]:
    """The files that a spec is composed of, whatever version of the language it is in; those that can be read."""
    document, _ = parse(text, filename)
    return () if document is None else tuple(compose(document).texts)


def make_trial(
    variant: ResolvedVariant,
    config: dict[str, Any],
    seed: int,
    content: Decisive,
    catalogue: Catalogue,
) -> Trial:
    """A variant's lowered configuration with one seed, fingerprinted."""
    return Trial(
        id=fingerprint(content, seed),
        variant=variant.name,
        seed=seed,
        overrides=variant.overrides,
        config=config,
        stages=stages(content, seed, catalogue),
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
    found = sorted(
        unique, key=lambda d: (d.range.filename, d.range.start.line, d.range.start.column, d.code, d.message)
    )
    return tuple(found) if len(found) <= MAX_TOLD else (*found[:MAX_TOLD], too_many_mistakes(found[MAX_TOLD].range))
