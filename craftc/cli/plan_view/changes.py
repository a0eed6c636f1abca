"""For each new trial that takes the place of one of the last run, what changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.planning.identity.fingerprint import own_kinds
from craftc.compiler.planning.identity.with_defaults import with_defaults
from craftc.runtime.store.last_run import LastTrial
from craftc.schemas.catalogue import short_name
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.plan import Plan
from craftc.schemas.split_roles import setting

MOST_COMPARED = 1_000
"""Trials whose settings are compared with those before; of more, only that they changed is told."""
MOST_NAMED = 2


def replacements(plan: Plan, orphaned: Sequence[LastTrial]) -> dict[str, str]:
    """What changed, by the trial that was orphaned and by the one that is there in its place: that of its variant, seed
    and fold. A trial whose variant or seed is not in the plan any more was not replaced."""
    now = {(name, trial.seed, trial.fold): trial for trial in plan.trials for name in (trial.variant, *trial.aliases)}
    places = [(before, (before.variant, before.seed, _fold(before.config))) for before in orphaned]
    pairs = [(before, now[place]) for before, place in places if place in now]
    found: dict[str, str] = {}
    for before, trial in pairs:
        cause = _cause(_filled(before.config), trial.config) if len(pairs) <= MOST_COMPARED else "it changed"
        found[before.id] = found[trial.id] = cause
    return found


def _fold(config: Mapping[str, Any]) -> int | None:
    splits = config.get("data", {}).get("splits", {})
    return setting(splits, "fold") if setting(splits, "folds") is not None else None


def _filled(config: dict[str, Any]) -> dict[str, Any]:
    """With what was added to the language since; a damaged one as it is."""
    try:
        return with_defaults(config, built_in_catalogue())
    except (AttributeError, KeyError, TypeError):
        return config


def _cause(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Settings, or else what stands behind them: identical settings are another trial by what is read for them."""
    paths = [format_path(path) for path in _changed(dict(before), dict(now))]
    if paths:
        return f"{', '.join(paths) if len(paths) <= MOST_NAMED else f'{len(paths)} settings'} changed"
    kinds = list(dict.fromkeys(own_kinds(dict(now))))
    read = [f"code of {_listed(kinds)}"] if kinds else []
    read += ["content of its files"] if any(text.startswith("/") for text in _texts(now)) else []
    return f"{' or '.join(read)} changed" if read else "craftc trains it otherwise now"


def _changed(before: Any, now: Any, place: Path = ()) -> Iterator[Path]:
    """The innermost places at which two configurations differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*now, *(key for key in before if key not in now)]:
            if key in before and key in now:
                yield from _changed(before[key], now[key], (*place, key))
            else:
                yield (*place, key)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (item, there) in enumerate(zip(before, now, strict=True)):
            yield from _changed(item, there, (*place, index))
    elif type(before) is not type(now) or repr(before) != repr(now):
        yield place  # 1, 1.0 and true are equal, and so are 0.0 and -0.0


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds[:MOST_NAMED]) if len(kinds) <= MOST_NAMED else f"{short_name(kinds[0])} and others"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _texts(item)
