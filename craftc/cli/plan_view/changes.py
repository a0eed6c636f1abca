"""For each new trial that takes the place of one of the last run, what changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from craftc.compiler.planning.identity.fingerprint import own_kinds
from craftc.compiler.reading.difference import differences
from craftc.runtime.store.last_run import LastTrial
from craftc.schemas.catalogue import short_name
from craftc.schemas.diagnostic import format_path
from craftc.schemas.plan import Plan

MOST_COMPARED = 1_000
"""Trials whose settings are compared with those before; of more, only that they changed is told."""
MOST_NAMED = 2


def replacements(plan: Plan, orphaned: Sequence[LastTrial]) -> dict[str, str]:
    """What changed, by the trial that was orphaned and by the one that is there in its place: that of its variant and
    seed. A trial whose variant or seed is not in the plan any more was not replaced."""
    now = {(name, trial.seed): trial for trial in plan.trials for name in (trial.variant, *trial.aliases)}
    pairs = [(before, now[place]) for before in orphaned if (place := (before.variant, before.seed)) in now]
    found: dict[str, str] = {}
    for before, trial in pairs:
        cause = _cause(before.config, trial.config) if len(pairs) <= MOST_COMPARED else "it changed"
        found[before.id] = found[trial.id] = cause
    return found


def _cause(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Settings, or else what stands behind them: identical settings are another trial by what is read for them."""
    paths = [format_path(path) for path, _ in differences(dict(before), dict(now))]
    if paths:
        return f"{', '.join(paths) if len(paths) <= MOST_NAMED else f'{len(paths)} settings'} changed"
    kinds = list(dict.fromkeys(own_kinds(dict(now))))
    read = [f"code of {_listed(kinds)}"] if kinds else []
    read += ["content of its files"] if any(text.startswith("/") for text in _texts(now)) else []
    return f"{' or '.join(read)} changed" if read else "craftc trains it otherwise now"


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds[:MOST_NAMED]) if len(kinds) <= MOST_NAMED else f"{short_name(kinds[0])} and others"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _texts(item)
