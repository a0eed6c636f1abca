"""Finds which trials and variants of two plans are common, changed, renamed, new or gone."""

from collections.abc import Collection, Iterator, Mapping

from craftc.report.diff_fields import diff_fields
from craftc.schemas.comparison import TrialChanges, VariantChange
from craftc.schemas.plan import Plan, Trial, VariantTrials, variant_trials

Seeds = dict[int, str]
"""A variant's trials: seed to fingerprint."""


def diff_trials(a: Plan, b: Plan, finished: Collection[str]) -> TrialChanges:
    """Compare by fingerprint. The variants are those of B in its order, then those that only A has.

    `finished` are the fingerprints of B whose results there are.
    """
    ids_a, ids_b = {trial.id for trial in a.trials}, {trial.id for trial in b.trials}
    return TrialChanges(
        num_common=len(ids_a & ids_b),
        num_only_a=len(ids_a - ids_b),
        num_only_b=len(ids_b - ids_a),
        num_only_b_finished=len((ids_b - ids_a).intersection(finished)),
        variants=tuple(_variants(variant_trials(a), variant_trials(b))),
    )


def _variants(a: VariantTrials, b: VariantTrials) -> Iterator[VariantChange]:
    seeds_a, seeds_b = ({name: _seeds(trials) for name, trials in side.items()} for side in (a, b))
    gone, new = seeds_a.keys() - seeds_b.keys(), seeds_b.keys() - seeds_a.keys()
    renamed = _renamed({n: s for n, s in seeds_a.items() if n in gone}, {n: s for n, s in seeds_b.items() if n in new})
    old_names = set(renamed.values())
    first_a, first_b = _first_names(seeds_a), _first_names(seeds_b)
    for name, seeds in seeds_b.items():
        if name in seeds_a:
            yield _common(name, a[name], b[name])
        elif name in renamed:
            before = renamed[name]
            yield VariantChange(
                name=name, status="renamed", other_name=before, trials_a=seeds_a[before], trials_b=seeds
            )
        else:
            yield VariantChange(name=name, status="new", other_name=_known_as(seeds, first_a), trials_b=seeds)
    for name, seeds in seeds_a.items():
        if name in gone and name not in old_names:
            yield VariantChange(name=name, status="gone", other_name=_known_as(seeds, first_b), trials_a=seeds)


def _common(name: str, a: tuple[Trial, ...], b: tuple[Trial, ...]) -> VariantChange:
    seeds_a, seeds_b = _seeds(a), _seeds(b)
    shared = sorted(seeds_a.keys() & seeds_b.keys())
    differing = next((seed for seed in shared if seeds_a[seed] != seeds_b[seed]), None)
    one, other = a[0], b[0]
    if differing is not None:
        one, other = _of_seed(a, differing), _of_seed(b, differing)
    # Without a seed in common there are no two fingerprints to compare, but there are their fields.
    fields = diff_fields(one.config, other.config) if differing is not None or not shared else []
    if differing is not None or fields:
        return VariantChange(name=name, status="changed", trials_a=seeds_a, trials_b=seeds_b, fields=tuple(fields))
    status = "same" if seeds_a == seeds_b else "reseeded"
    return VariantChange.model_validate({"name": name, "status": status, "trials_a": seeds_a, "trials_b": seeds_b})


def _renamed(gone: Mapping[str, Seeds], new: Mapping[str, Seeds]) -> dict[str, str]:
    """New name to old name, each at most once: the pairs that share most trials first, whichever side is which."""
    by_trial: dict[str, list[str]] = {}
    for name, seeds in gone.items():
        for trial in seeds.values():
            by_trial.setdefault(trial, []).append(name)
    shared: dict[tuple[str, str], int] = {}
    for name, seeds in new.items():
        for trial in seeds.values():
            for before in by_trial.get(trial, ()):
                shared[name, before] = shared.get((name, before), 0) + 1
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for name, before in sorted(shared, key=lambda pair: (-shared[pair], sorted(pair))):
        if name not in pairs and before not in taken:
            pairs[name] = before
            taken.add(before)
    return pairs


def _seeds(trials: tuple[Trial, ...]) -> Seeds:
    return {trial.seed: trial.id for trial in trials}


def _of_seed(trials: tuple[Trial, ...], seed: int) -> Trial:
    return next(trial for trial in trials if trial.seed == seed)


def _first_names(variants: Mapping[str, Seeds]) -> dict[str, str]:
    """Trial to the first variant that has it."""
    names: dict[str, str] = {}
    for name, seeds in variants.items():
        for trial in seeds.values():
            names.setdefault(trial, name)
    return names


def _known_as(seeds: Seeds, names: Mapping[str, str]) -> str | None:
    return next((names[trial] for trial in seeds.values() if trial in names), None)
