"""A spec's ablation to its variants: the baseline, the features switched off by design, the grid and the zip.

Order: the baseline, leave_one_out, add_one (bare first), grid, zip. The baseline is always a variant, since every
other is compared with it. `exclude` and `require` then leave out variants, never the baseline.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

from craftc.compiler.blame import blame, is_changed
from craftc.compiler.checks import EXPERIMENT_RULES, Checked, check
from craftc.compiler.leave_out import Filters, unknown_exclude_paths
from craftc.compiler.lower import SECTIONS
from craftc.compiler.parse import MAX_DEPTH
from craftc.compiler.problem import MAX_TOLD, Problem, did_you_mean, one_of
from craftc.compiler.resolve import resolve
from craftc.compiler.tree import Touching, copy_tree, count_values, set_path
from craftc.compiler.validate import validate
from craftc.compiler.variant import Setting, Variant
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import Ablation, Spec

MAX_TRIALS = 100_000
"""Of one spec; a product of a few long lists is soon more than anyone could train or wait for."""
MAX_VARIANTS = 2_500
"""Of one ablation. Each is resolved and checked as a spec of its own, which takes a third of a millisecond."""
MAX_SETTINGS = 500
"""Values that features set and paths that grid and zip vary, all together."""
MAX_WORK = 400_000
"""Values of the spec, and rules of exclude and require, times the variants that they are looked at in."""
FULL = "full"
BASE = "base"
BARE = "bare"


@dataclass(frozen=True)
class ResolvedVariant:
    """A variant with its own complete spec; `spec.ablation` is empty in it."""

    variant: Variant
    spec: Spec

    @property
    def name(self) -> str:
        """The variant's name, unique in its spec."""
        return self.variant.name

    @property
    def overrides(self) -> dict[str, Any]:
        """What it sets, path to value."""
        return {setting.path: setting.value for setting in self.variant.settings}


@dataclass(frozen=True)
class Expansion:
    """All variants that can be trained, and what is wrong with the others."""

    variants: tuple[ResolvedVariant, ...]
    problems: list[Problem]


def expand(base: Checked, base_problems: list[Problem]) -> Expansion:
    """Resolve, validate and check every variant, telling each mistake once, where the ablation makes it."""
    ablation = base.spec.ablation
    too_large = _too_large(base)
    if too_large is not None:
        return Expansion((), [Problem("too-many-trials", ("ablation",), *too_large, at_key=True)])
    known = {(problem.code, problem.path, problem.message) for problem in base_problems}
    told: dict[tuple[str, Path, str], Problem] = {}
    resolved: list[ResolvedVariant] = []
    filters = Filters(ablation)
    num_errors = 0
    for variant in _variants(base.spec):
        if not variant.settings:
            own = base.spec.model_copy(update={"ablation": Ablation()})  # what is wrong with it is told already
            resolved.append(ResolvedVariant(variant, own))
            continue
        spec, tree, found = resolve_variant(base, variant)
        num_errors += sum(problem.severity == "error" for problem in found)
        if num_errors > 2 * MAX_TOLD:
            return Expansion((), [*told.values(), *islice(_placed(found, variant, base), MAX_TOLD)])
        for problem in found:
            inherited = (problem.code, problem.path, problem.message) in known
            if not (inherited and not is_changed(problem, variant, base.tree)):
                placed = blame(problem, variant, base.tree)
                told.setdefault((placed.code, placed.path, problem.message), placed)
        if spec is not None and not filters.leaves_out(variant, tree):
            resolved.append(ResolvedVariant(variant, spec))
    unreadable = {problem.path for problem in base_problems if problem.code == "bad-expression"}
    failed = [problem for problem in filters.problems() if problem.path not in unreadable]
    problems = [*told.values(), *failed, *islice(unknown_exclude_paths(base), MAX_TOLD + 1)]
    if not problems:
        problems += filters.idle()
        if len(resolved) == 1 and _asks_for_more(ablation):
            message = "exclude and require leave no variant but the spec as written"
            problems = [Problem("nothing-left", ("ablation",), message, at_key=True)]
    return Expansion(tuple(resolved), problems)


def _placed(found: list[Problem], variant: Variant, base: Checked) -> Iterator[Problem]:
    yield from (blame(problem, variant, base.tree) for problem in found)


def _too_large(base: Checked) -> tuple[str, str] | None:
    """What of an ablation is more than can be told within seconds, and the mend."""
    ablation = base.spec.ablation
    num_variants = _num_variants(ablation)
    num_trials = num_variants * (ablation.seeds if isinstance(ablation.seeds, int) else len(ablation.seeds))
    if num_trials > MAX_TRIALS:
        message = f"the ablation asks for {num_trials:,} trials; at most {MAX_TRIALS:,} are possible"
        return message, "shorten its lists"
    if num_variants > MAX_VARIANTS:
        message = f"the ablation asks for {num_variants:,} variants; at most {MAX_VARIANTS:,} are possible"
        return message, "shorten its lists, or search"
    num_settings = len(ablation.grid) + len(ablation.zip) + sum(map(len, ablation.features.values()))
    if num_settings > MAX_SETTINGS:
        return f"the ablation sets {num_settings:,} values; at most {MAX_SETTINGS:,} are possible", "set fewer"
    written = {key: value for key, value in base.written.items() if key != "ablation"}
    num_rules = sum(map(len, ablation.exclude)) + sum(map(len, ablation.require)) // 10
    size = count_values(written) + num_settings + num_rules
    if num_variants > 1 and size * num_variants > MAX_WORK:
        message = f"{num_variants:,} variants of a spec of {size:,} values are too much to check"
        return message, "shorten the spec's lists, or the ablation's"
    return None


def _num_variants(ablation: Ablation) -> int:
    """How many there are before exclude and require."""
    num_features = len(ablation.features)
    designed = num_features * len(set(ablation.design)) + (num_features > 0 and "add_one" in ablation.design)
    grid = prod(len(values) for values in ablation.grid.values()) if ablation.grid else 0
    return 1 + designed + grid + min((len(values) for values in ablation.zip.values()), default=0)


def _asks_for_more(ablation: Ablation) -> bool:
    return bool(ablation.features or ablation.grid or ablation.zip)


def _variants(spec: Spec) -> Iterator[Variant]:
    """Every variant by name, before exclude and require."""
    ablation = spec.ablation
    off = {
        name: tuple(Setting(path, value, ("ablation", "features", name, path)) for path, value in settings.items())
        for name, settings in ablation.features.items()
    }
    yield Variant(FULL if off else BASE, ())
    if off and "leave_one_out" in ablation.design:
        yield from (Variant(f"-{name}", settings) for name, settings in off.items())
    if off and "add_one" in ablation.design:
        yield Variant(BARE, _merge(off.values()))
        for name in off:
            yield Variant(f"+{name}", _merge(settings for other, settings in off.items() if other != name))
    yield from _named(_grid_points(ablation))


def _merge(groups: Iterable[tuple[Setting, ...]]) -> tuple[Setting, ...]:
    return tuple({setting.path: setting for settings in groups for setting in settings}.values())


def _grid_points(ablation: Ablation) -> Iterator[tuple[Setting, ...]]:
    def axis(section: str, path: str, values: tuple[Any, ...]) -> list[Setting]:
        return [Setting(path, value, ("ablation", section, path, index)) for index, value in enumerate(values)]

    if ablation.grid:
        yield from product(*(axis("grid", path, values) for path, values in ablation.grid.items()))
    if ablation.zip:
        yield from zip(*(axis("zip", path, values) for path, values in ablation.zip.items()), strict=False)


def _named(points: Iterator[tuple[Setting, ...]]) -> Iterator[Variant]:
    points_list = list(points)
    short = short_names({setting.path for point in points_list for setting in point})
    taken: set[str] = set()
    for point in points_list:
        name = wanted = ",".join(f"{short[setting.path]}={_value_name(setting.value)}" for setting in point)
        count = 1
        while name in taken:
            count += 1
            name = f"{wanted}#{count}"
        taken.add(name)
        yield Variant(name, point)


def short_names(paths: set[str]) -> dict[str, str]:
    """Each path by as few of its last parts as tell it from the others: `model.num_layers` to `num_layers`."""
    endings = Counter(ending for path in paths for ending in _endings(path))
    names: dict[str, str] = {}
    for path in paths:
        names[path] = next((name for name in _endings(path) if endings[name] == 1 and not _begins_with_digits(name)), path)
    return names


def _endings(path: str) -> Iterator[str]:
    parts = path.split(".")[-MAX_DEPTH:]
    return (".".join(parts[-count:]) for count in range(1, len(parts) + 1))


def _begins_with_digits(name: str) -> bool:
    return name.partition(".")[0].isdigit()


def _value_name(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("kind"), str):
        return _cut(str(value["kind"]))
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return _cut(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def resolve_variant(base: Checked, variant: Variant) -> tuple[Spec | None, dict[str, Any], list[Problem]]:
    """A variant's own spec, its tree, and what is wrong with it. Without a spec the tree means nothing."""
    written = {key: copy_tree(value) for key, value in base.written.items() if key != "ablation"}
    # The widest first, so that `model` and `model.dropout` can be set together in whatever order they are written.
    unsettable: list[Problem] = []
    for setting in sorted(variant.settings, key=lambda setting: len(setting.target)):
        problem = _not_settable(setting)
        if problem is None and not set_path(written, setting.target, copy_tree(setting.value)):
            problem = Problem("unknown-factor", setting.target, f'there is no "{setting.path}" to set')
        if problem is not None:
            unsettable.append(problem)
    written = resolve(written)
    validated = validate(written, base.catalogue)
    problems = unsettable + validated.problems
    if validated.spec is not None:
        checked = Checked(validated.spec, validated.tree, written, base.catalogue)
        problems += untainted(check(checked, EXPERIMENT_RULES), validated.tainted)
    return validated.spec, validated.tree, problems


def _not_settable(setting: Setting) -> Problem | None:
    """Only what decides a result can be varied."""
    section = setting.target[0]
    if len(setting.target) > MAX_DEPTH:
        message = f"this path is {len(setting.target):,} keys long; no spec is that deep"
        return Problem("unknown-factor", setting.target, message)
    if section in SECTIONS:
        return None
    if section in Spec.model_fields:
        message = f'"{setting.path}" cannot be varied: it makes no other experiment'
        hint = "ablation.seeds says how many replicates there are" if section == "seed" else None
    else:
        message = f'there is no "{setting.path}" to set'
        hint = did_you_mean(str(section), SECTIONS) or f"a path begins with {one_of(sorted(SECTIONS))}"
    return Problem("unknown-factor", setting.target, message, hint)


def untainted(problems: list[Problem], tainted: frozenset[Path]) -> list[Problem]:
    """The problems that do not stand on a mistaken value."""
    if not tainted:
        return problems
    bad = Touching(tainted)
    return [p for p in problems if not any(path in bad for path in (p.path, *p.reads))]
