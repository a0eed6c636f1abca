"""The compiler on one page: YAML text in, a Plan or Diagnostics out.

text -> analyse (all that lint tells)
     -> lower -> fingerprint -> fold -> reuse -> plan_search -> plan_artefacts -> read_off -> share -> batch -> pack
     -> place -> Plan
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from craftc.compiler.analyse import NO_ENVIRONMENT, Analysis, analyse, by_position
from craftc.compiler.language.headline import headline
from craftc.compiler.own_code.code_identity import CodeIdentity
from craftc.compiler.own_code.import_path import import_folders
from craftc.compiler.planning.analysis_plan import analysis_plan
from craftc.compiler.planning.identity.fingerprint import FileDigest, hash_file
from craftc.compiler.planning.identity.lower import folds, path_arguments
from craftc.compiler.planning.identity.trials import TrialCompiler
from craftc.compiler.planning.identity.weights import Trained, WeightsError, contradictions, no_store
from craftc.compiler.planning.passes.artefacts import plan_artefacts
from craftc.compiler.planning.passes.batch import batch
from craftc.compiler.planning.passes.fold import fold
from craftc.compiler.planning.passes.pack import FindingOf, job_resources, nothing_known, pack
from craftc.compiler.planning.passes.place import num_slots, place
from craftc.compiler.planning.passes.read_off import FinishedWith, nothing_finished, read_off
from craftc.compiler.planning.passes.reuse import reuse
from craftc.compiler.planning.passes.search import factors, plan_search
from craftc.compiler.planning.passes.share import share
from craftc.compiler.planning.placeable import check_placeable
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import look_up
from craftc.compiler.variants.blame import blame
from craftc.compiler.variants.designs import BASE, FULL
from craftc.schemas.catalogue import TRIAL, Catalogue, FrozenParts
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.forecast import Machine
from craftc.schemas.language import sections_of
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.section import as_tree
from craftc.schemas.spec import Experiment


@dataclass(frozen=True)
class Compiled:
    """A spec and its plan, or the diagnostics that keep it from having one."""

    analysis: Analysis
    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def compile_spec(
    text: str,
    filename: str,
    catalogue: Catalogue,
    is_finished: Callable[[str], bool] = lambda _: False,
    *,
    environment: Mapping[str, str] = NO_ENVIRONMENT,
    file_digest: FileDigest = hash_file,
    trained: Trained = no_store,
    machine: Machine | None = None,
    runs_here: bool = True,
    concurrent: int | None = None,
    finding_of: FindingOf = nothing_known,
    finished_with: FinishedWith = nothing_finished,
) -> Compiled:
    """Compile a spec. `is_finished` tells of a fingerprint whether the store holds its result; `file_digest` may know
    the hash of a file that has not changed; `trained` knows the trials that weights are taken from.

    `machine` is what it is to run on; without `runs_here` it may yet run elsewhere. None where that is not known.
    `concurrent` is how many jobs run at a time, where machine and spec do not say. `finding_of` tells what is known of
    training a trial's group as one batch, and `finished_with` which finished trial has the weights of a fingerprint.
    """
    analysis = analyse(text, filename, catalogue, environment=environment)
    if not analysis.is_valid:
        return Compiled(analysis, None, analysis.diagnostics)
    assert analysis.spec is not None
    assert analysis.base is not None
    catalogue, resources = analysis.base.catalogue, job_resources(analysis.spec)
    plan, unreadable = _plan(analysis, Path(filename), catalogue, file_digest, trained)
    if plan is None:
        return Compiled(analysis, None, by_position([*analysis.diagnostics, *unreadable]))
    plan = fold(plan)
    plan = reuse(plan, is_finished)
    plan = plan_search(plan, analysis.spec, catalogue)
    plan = plan_artefacts(plan, analysis.spec, CodeIdentity(import_folders(Path(filename))))
    plan = read_off(plan, finished_with, resources)
    plan = share(plan, resources)
    plan = batch(plan, catalogue, resources)
    slots = concurrent or num_slots(resources, machine, plan.max_concurrent)
    plan = pack(plan, resources, slots, finding_of)
    plan = place(plan)
    problems = [] if machine is None else check_placeable(plan, resources, machine, runs_here=runs_here)
    assert analysis.document is not None
    told = by_position([*analysis.diagnostics, *(problem.place(analysis.document) for problem in problems)])
    return Compiled(analysis, None if any(p.severity == "error" for p in problems) else plan, told)


def _plan(
    analysis: Analysis,
    spec_path: Path,
    catalogue: Catalogue,
    file_digest: FileDigest = hash_file,
    trained: Trained = no_store,
) -> tuple[Plan | None, list[Diagnostic]]:
    """Every variant with every seed, or what of its data and weights cannot be read."""
    spec, document = analysis.spec, analysis.document
    assert spec is not None
    assert document is not None
    trials: list[Trial] = []
    written = as_tree(spec)
    unreadable: dict[str, Diagnostic] = {}
    folders = import_folders(spec_path)
    compiler = TrialCompiler(catalogue, spec_path.parent, CodeIdentity(folders), file_digest, trained)
    for variant in analysis.variants:
        lowered = compiler.lower(variant.checked)
        for argument, error in compiler.unreadable(lowered).items():
            model = lowered.config.get("model", {})
            problem = _unreadable(
                argument, lowered.files[argument], error, catalogue.frozen_parts(str(model.get("kind")))
            )
            unreadable.setdefault(lowered.files[argument], blame(problem, variant.variant, written).place(document))
        for problem in contradictions(trained, variant.checked):
            unreadable.setdefault(problem.message, blame(problem, variant.variant, written).place(document))
        if not unreadable:
            for fold, of_fold in folds(lowered):
                trials += compiler.trials(variant, of_fold, seeds(spec), fold)
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
        analysis_plan=analysis_plan(spec),
    )
    return plan, []


def _unreadable(argument: SpecPath, path: str, error: OSError | WeightsError, frozen: FrozenParts | None) -> Problem:
    if isinstance(error, WeightsError):
        return Problem(error.code, argument, error.message, error.hint)
    of_backbone = frozen is not None and argument == ("model", frozen.weights)
    code = "weights-not-found" if of_backbone else "data-unreadable"
    hint = "a relative path starts from the folder of the spec"
    return Problem(code, argument, f"cannot read {path}: {error.strerror or error}", hint)


def data_files(analysis: Analysis) -> tuple[str, ...]:
    """The files and folders that the variants of a valid spec read; relative ones start from its folder."""
    assert analysis.base is not None
    found: dict[str, None] = {}
    for variant in analysis.variants:
        tree = {name: variant.checked.tree[name] for name in sections_of(variant.checked.tree)}
        paths = (look_up(tree, place) for place in path_arguments(tree, analysis.base.catalogue))
        found |= dict.fromkeys(path for path in paths if not path.startswith(TRIAL))
    return tuple(found)


def seeds(spec: Experiment) -> tuple[int, ...]:
    """The seeds of the replicates."""
    asked = spec.ablation.seeds
    return asked if isinstance(asked, tuple) else tuple(range(spec.seed, spec.seed + spec.ablation.num_seeds))
