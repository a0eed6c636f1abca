"""exclude and require: which variants they leave out, and what is wrong with the rules themselves."""

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any, TypeVar

from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.language.expression import ExpressionError, parse_expression
from craftc.compiler.reading.nearest import surely_meant
from craftc.compiler.reading.problem import Problem, did_you_mean, show
from craftc.compiler.reading.tree import hashable, look_up
from craftc.compiler.reading.tree_edit import rename
from craftc.compiler.variants.parts import Assembled
from craftc.compiler.variants.recall import Recalled
from craftc.compiler.variants.variant import Variant
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import Ablation

MAX_ASKED = 100_000
"""Answers that are worked out, each of one rule for one combination of the values that it reads: some hundredths of a
millisecond. All others are recalled."""
MAX_RECALLED = 2_000_000
"""Answers in all, where there are more rules than a few; a recalled one takes half a microsecond."""
FEW = 20
_CHARACTERS = 40
"""Of an expression: what takes as long to compute as all else that an answer takes."""
_MISSING = object()

Answer = bool | ExpressionError
Value = TypeVar("Value")


class Filters:
    """What exclude and require leave out, and what they never do."""

    def __init__(self, ablation: Ablation) -> None:
        self._num_asked = 0
        self._exclude = [Recalled(partial(self._ask, 1, group.matching)) for group in _groups(ablation)]
        self._require: dict[str, Recalled[Answer]] = {}
        self._indices: dict[str, list[int]] = {}
        for index, text in enumerate(ablation.require):
            cost = 1 + len(text) // _CHARACTERS
            self._require[text] = Recalled(partial(self._ask, cost, partial(_answer, text)))
            self._indices.setdefault(text, []).append(index)
        self._varying: tuple[list[Recalled[tuple[int, ...]]], list[str]] | None = None
        self._is_idle = [True] * len(ablation.exclude)
        self._failed: dict[int, Problem] = {}
        self._num_recalled = 0

    @property
    def is_spent(self) -> bool:
        """Whether more was asked than can be answered within seconds."""
        return self._num_asked > MAX_ASKED or self._num_recalled > MAX_RECALLED

    def leaves_out(self, variant: Variant, source: Checked | Assembled) -> bool:
        """Whether a variant is excluded, or does not meet a requirement."""
        if not (self._exclude or self._require):
            return False
        exclude, require = self._exclude, list(self._require)
        if self._varying is not None and isinstance(source, Assembled):
            exclude, require = self._varying
        excluded = False
        for matching in exclude:
            for index in matching(source):
                self._is_idle[index] = False
                excluded = True
        left_out = excluded or not all(self._meets(text, variant, source) for text in require)
        if self._varying is None and isinstance(source, Assembled):
            # What reads nothing that varies says the same of all that are put together of parts.
            always = {text for text, answer in self._require.items() if answer.is_always(True)}
            kept = [matching for matching in exclude if not matching.is_always(())]
            self._varying = kept, [text for text in require if text not in always]
        num_rules = len(exclude) + len(require)
        self._num_recalled += num_rules if num_rules > FEW else 0
        return left_out

    def _ask(self, cost: int, function: Callable[[Checked], Value], checked: Checked) -> Value:
        self._num_asked += cost
        return function(checked)

    def _meets(self, text: str, variant: Variant, source: Checked | Assembled) -> bool:
        answer = self._require[text](source)
        if not isinstance(answer, ExpressionError):
            return answer
        for index in self._indices[text]:
            message = f'variant "{variant.name}": {show(text)} {answer}'
            self._failed.setdefault(index, _unreadable(index, message, answer))
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


def _answer(text: str, checked: Checked) -> Answer:
    """Whether a tree meets a requirement, or why that cannot be said."""
    try:
        return bool(parse_expression(text).evaluate(checked.tree))
    except ExpressionError as error:
        return error


class _Group:
    """Rules of exclude with values for the same paths, looked up all at once."""

    def __init__(self, paths: tuple[str, ...], are_text: tuple[bool, ...]) -> None:
        self._paths = [(parse_path(path), is_text) for path, is_text in zip(paths, are_text, strict=True)]
        self._rules: dict[Hashable, list[int]] = {}

    def add(self, index: int, values: tuple[Any, ...]) -> None:
        self._rules.setdefault(hashable(values), []).append(index)

    def matching(self, checked: Checked) -> tuple[int, ...]:
        """The rules that leave a variant out, by their indices. A text stands for a component of that kind too."""
        found = []
        for path, is_text in self._paths:
            value = _found(checked.tree, path)
            if value is _MISSING:
                return ()
            is_component = is_text and isinstance(value, dict) and isinstance(value.get("kind"), str)
            found.append(value["kind"] if is_component else value)
        return tuple(self._rules.get(hashable(tuple(found)), ()))


def _groups(ablation: Ablation) -> list[_Group]:
    groups: dict[tuple[tuple[str, bool], ...], _Group] = {}
    for index, rule in enumerate(ablation.exclude):
        paths = sorted(rule)
        are_text = tuple(isinstance(rule[path], str) for path in paths)
        group = groups.setdefault(tuple(zip(paths, are_text, strict=True)), _Group(tuple(paths), are_text))
        group.add(index, tuple(rule[path] for path in paths))
    return list(groups.values())


def _found(tree: dict[str, Any], path: Path) -> Any:
    try:
        return look_up(tree, path)
    except KeyError:
        return _MISSING


def _unreadable(index: int, message: str, error: ExpressionError) -> Problem:
    return Problem("bad-expression", ("ablation", "require", index), message, within=error.within)


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
                    meant = surely_meant(path, factors)
                    fix = rename(place, meant) if meant is not None else None
                    message = f'there is no "{path}" to exclude by'
                    yield Problem("unknown-factor", place, message, hint, at_key=True, fix=fix)
