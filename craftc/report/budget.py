"""Says in a sentence what a run left out because its budget was spent."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from craftc.report.read_run import parse_file
from craftc.report.wording import listed
from craftc.schemas.conclusion import Finding
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import BudgetSpent, Result


def read_budget(run_dir: Path) -> BudgetSpent | None:
    """What a run did not begin for lack of budget; None where it began everything. Raises RunUnreadableError."""
    path = run_dir / "budget.json"
    return parse_file(path, BudgetSpent) if path.is_file() else None


def find_budget(plan: Plan, results: Mapping[str, Result], spent: BudgetSpent | None) -> list[Finding]:
    """What was left out and is still missing: another run may have trained it since."""
    if spent is None:
        return []
    missing = [trial for trial in plan.trials if trial.id in set(spent.trials) - results.keys()]
    if not missing and not spent.num_points:
        return []
    text = f"{spent_text(spent)}: {left_out(missing, spent.num_points)}."
    return [Finding(kind="budget", text=text, variants=tuple(dict.fromkeys(trial.variant for trial in missing)))]


def spent_text(spent: BudgetSpent) -> str:
    """`The budget of 2 hours of training is spent (2.04)`."""
    return f"The budget of {hours(spent.budget_hours)} of training is spent ({_number(spent.spent_hours)})"


def left_out(trials: Sequence[Trial], num_points: int) -> str:
    """`12 trials were not begun: full (seed 0, 1), -warmup (seed 2)`; of a search, how many points."""
    parts = []
    if trials:
        seeds: dict[str, list[int]] = {}
        for trial in trials:
            seeds.setdefault(trial.variant, []).append(trial.seed)
        names = listed([f"{variant} (seed {listed([*map(str, each)])})" for variant, each in seeds.items()])
        parts.append(f"{len(trials):,} {'trial was' if len(trials) == 1 else 'trials were'} not begun: {names}")
    if num_points:
        parts.append(f"{num_points:,} {'point' if num_points == 1 else 'points'} of the search not proposed")
    return "; ".join(parts)


def hours(number: float) -> str:
    """`2 hours`, `0.25 hours`; what is below a hundredth keeps two digits."""
    return f"{_number(number)} hour{'' if number == 1 else 's'}"


def _number(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") if number >= 0.01 else f"{number:.2g}"
