"""The artefacts of a plan, and the records after which trials keep weights for them."""

from collections.abc import Callable

from craftc.compiler.language.artefact_places import artefact_name, shown_of
from craftc.schemas.artefact import PlannedArtefact
from craftc.schemas.catalogue import is_own
from craftc.schemas.plan import Plan, Trial, first_replicates
from craftc.schemas.spec import Artefact, Experiment, Spec


def plan_artefacts(plan: Plan, spec: Experiment, code_digest: Callable[[str], str]) -> Plan:
    """With the artefacts that a spec asks for; a program's has none. No identity changes.

    The points that a search proposes have no artefacts, so its trials keep no weights.
    """
    if not isinstance(spec, Spec) or not spec.report.artefacts:
        return plan
    planned = tuple(_planned(artefact, spec, code_digest) for artefact in spec.report.artefacts)
    first = first_replicates(plan)
    keeps = plan.search is None

    def with_kept(trial: Trial) -> Trial:
        every = {each.every for each in planned if each.every and (each.replicates == "all" or trial.id in first)}
        return trial.model_copy(update={"keep_weights_every": tuple(sorted(every))}) if every and keeps else trial

    return plan.model_copy(update={"artefacts": planned, "trials": tuple(map(with_kept, plan.trials))})


def _planned(artefact: Artefact, spec: Spec, code_digest: Callable[[str], str]) -> PlannedArtefact:
    return PlannedArtefact(
        name=artefact_name(artefact),
        component={"kind": artefact.kind, **artefact.args},
        of=shown_of(artefact, spec),
        replicates=artefact.replicates,
        every=artefact.every,
        code=code_digest(artefact.kind) if is_own(artefact.kind) else None,
    )
