"""exclude and require: which variants they leave out, and what is wrong with the rules themselves."""

from collections.abc import Iterator
from typing import Any

from craftc.compiler.checks import Checked
from craftc.compiler.expression import ExpressionError, parse_expression
from craftc.compiler.parts import Assembled
from craftc.compiler.problem import Problem, did_you_mean, show
from craftc.compiler.tree import look_up
from craftc.compiler.variant import Variant
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import Ablation


class Filters:
    """What exclude and require leave out, and what they never do."""

    def __init__(self, ablation: Ablation) -> None:
        self._exclude = [[(parse_path(path), value) for path, value in rule.items()] for rule in ablation.exclude]
        self._require = ablation.require
        self._is_idle = [True] * len(ablation.exclude)
        self._failed: dict[int, Problem] = {}

    def leaves_out(self, variant: Variant, source: Checked | Assembled) -> bool:
        """Whether a variant is excluded, or does not meet a requirement."""
        if not (self._exclude or self._require):
            return False
        tree = source.tree
        excluded = False
        for index, rule in enumerate(self._exclude):
            if all(_is(tree, path, value) for path, value in rule):
                self._is_idle[index] = False
                excluded = True
        return excluded or not all(self._meets(index, variant, tree) for index in range(len(self._require)))

    def _meets(self, index: int, variant: Variant, tree: dict[str, Any]) -> bool:
        try:
            return bool(parse_expression(self._require[index]).evaluate(tree))
        except ExpressionError as error:
            message = f'variant "{variant.name}": {show(self._require[index])} {error}'
            self._failed.setdefault(index, _unreadable(index, message, error))
            return True

    def problems(self) -> Iterator[Problem]:
        """The requirements that could not be computed for some variant."""
        yield from self._failed.values()

    def idle(self) -> Iterator[Problem]:
        """The rules of exclude that no variant fell under."""
        for index, is_idle in enumerate(self._is_idle):
            if is_idle:
                message = "this excludes nothing: no variant has all these values"
                yield Problem("no-effect", ("ablation", "exclude", index), message, severity="warning")


def _unreadable(index: int, message: str, error: ExpressionError) -> Problem:
    return Problem("bad-expression", ("ablation", "require", index), message, within=error.within)


def _is(tree: dict[str, Any], path: Path, value: Any) -> bool:
    try:
        found = look_up(tree, path)
    except KeyError:
        return False
    return bool(found == value) or (isinstance(found, dict) and found.get("kind") == value)


def unknown_exclude_paths(base: Checked) -> Iterator[Problem]:
    ablation = base.spec.ablation
    factors = {*ablation.grid, *ablation.zip, *(path for settings in ablation.features.values() for path in settings)}
    for index, rule in enumerate(ablation.exclude):
        for path in rule:
            try:
                look_up(base.tree, parse_path(path))
            except KeyError:
                if path not in factors:
                    place: Path = ("ablation", "exclude", index, path)
                    hint = did_you_mean(path, factors)
                    yield Problem("unknown-factor", place, f'there is no "{path}" to exclude by', hint, at_key=True)
