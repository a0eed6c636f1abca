"""The rows of a plan's table: one for each variant and fate of its trials, or one for many."""

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from craftc.cli.plan_view.outlook import Outlook
from craftc.schemas.plan import Plan, Trial

Mark = Literal["+", ">", "&", "<", "=", "~", "-"]
"""New, goes on, shares another's training, read off a finished trial, reused, another name of the same, orphaned."""

MOST_ROWS = 40
MOST_VALUES = 4
MOST_SEEDS = 6


@dataclass(frozen=True)
class Row:
    """Trials with one fate. `names` are their variants, in order."""

    mark: Mark
    names: tuple[str, ...]
    sets: str
    seeds: tuple[int, ...]
    fate: str
    overrides: tuple[tuple[str, Any], ...] = ()


def plan_rows(plan: Plan, outlook: Outlook) -> list[Row]:
    """In the order of the plan, each variant followed by its other names; then what is orphaned."""
    variants: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        variants.setdefault(trial.variant, []).append(trial)
    names = {trial.id: trial.variant for trial in plan.trials}
    rows = [row for trials in variants.values() for row in _rows_of(trials, names, outlook)]
    gone: dict[tuple[str, str], list[int]] = {}
    for orphan in outlook.orphaned:
        fate = "replaced" if orphan.id in outlook.replaced else "no longer in the spec"
        gone.setdefault((orphan.variant, fate), []).append(orphan.seed)
    return rows + [Row("-", (name,), "", tuple(seeds), fate) for (name, fate), seeds in gone.items()]


def _rows_of(trials: Sequence[Trial], names: dict[str, str], outlook: Outlook) -> list[Row]:
    """One variant: a row for each fate of its trials, one for each of its other names."""
    seeds: dict[tuple[Mark, str], list[int]] = {}
    aliases: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(_fate(trial, names, outlook), []).append(trial.seed)
        for alias in trial.aliases:
            aliases.setdefault(alias, []).append(trial.seed)
    variant, overrides = trials[0].variant, tuple(trials[0].overrides.items())
    sets = ", ".join(f"{path}: {json.dumps(value)}" for path, value in overrides) or "the spec as written"
    rows = [Row(mark, (variant,), sets, tuple(each), fate, overrides) for (mark, fate), each in seeds.items()]
    return rows + [Row("~", (alias,), "", tuple(each), f"same as {variant}") for alias, each in aliases.items()]


def _fate(trial: Trial, names: dict[str, str], outlook: Outlook) -> tuple[Mark, str]:
    if trial.status == "reused":
        return "=", "reused"
    if trial.shares is not None:
        return "&", f"shared with {names[trial.shares]}"
    if trial.read_off is not None:
        return "<", "read off a finished trial"
    if trial.id in outlook.done:
        done = outlook.done[trial.id]
        return (
            ">",
            f"goes on from record {done}" if trial.epochs is None else f"goes on from epoch {done} of {trial.epochs}",
        )
    cause = outlook.replaced.get(trial.id)
    return "+", f"new: {cause}" if cause else "new"


def grouped(rows: Sequence[Row], most: int = MOST_ROWS) -> list[Row]:
    """The rows, or fewer that each stand for those with one fate that set the same paths, or just with one fate."""
    if len(rows) <= most:
        return list(rows)
    by_path = _group(rows, lambda row: (row.mark, tuple(path for path, _ in row.overrides)))
    return by_path if len(by_path) <= most else _group(rows, lambda row: row.mark)


def _group(rows: Sequence[Row], key: Callable[[Row], Hashable]) -> list[Row]:
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [group[0] if len(group) == 1 else _merge(group) for group in groups.values()]


def _merge(rows: Sequence[Row]) -> Row:
    first = rows[0]
    fates = list(dict.fromkeys(row.fate for row in rows))
    return Row(
        mark=first.mark,
        names=tuple(dict.fromkeys(name for row in rows for name in row.names)),
        sets=_values(rows),
        seeds=tuple(seed for row in rows for seed in row.seeds),
        fate=fates[0] if len(fates) == 1 else _MANY[first.mark],
    )


_MANY: dict[Mark, str] = {
    "+": "new",
    ">": "go on from their last epoch",
    "&": "shared with others",
    "<": "read off finished trials",
    "=": "reused",
    "~": "same as others",
    "-": "replaced, or no longer in the spec",
}


def _values(rows: Sequence[Row]) -> str:
    """Each path with its values, or how many there are."""
    values: dict[str, dict[str, None]] = {}
    for row in rows:
        for path, value in row.overrides:
            values.setdefault(path, {})[json.dumps(value)] = None
    if len(values) > MOST_VALUES:
        return f"{len(values)} paths"
    shown = (
        f"{path}: {', '.join(each) if len(each) <= MOST_VALUES else f'{len(each)} values'}"
        for path, each in values.items()
    )
    return "\n".join(shown)


def seeds_text(row: Row) -> str:
    """`0, 1, 2`; each in several folds; how many trials where a row stands for several variants or for many seeds."""
    if len(row.names) > 1:
        return f"{len(row.seeds):,} trials"
    if len(unique := list(dict.fromkeys(row.seeds))) < len(row.seeds):
        return f"{', '.join(map(str, unique[:MOST_SEEDS]))}, in {len(row.seeds) // len(unique)} folds"
    if len(row.seeds) <= MOST_SEEDS:
        return ", ".join(map(str, row.seeds))
    return f"{row.seeds[0]}, {row.seeds[1]} ... {row.seeds[-1]} ({len(row.seeds)})"


def names_text(row: Row) -> str:
    """The variant, or how many, with the first and the last of them."""
    if len(row.names) == 1:
        return row.names[0]
    return f"{len(row.names):,} variants:\n{row.names[0]}\n... {row.names[-1]}"
