"""Rules of an objective that is a sum of terms: one function and one idea each."""

import re
from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem, show
from craftc.schemas.terms import OBJECTIVE, TERM_NAME, TERMS

NAME = re.compile(TERM_NAME.removesuffix("$"))


def kind_or_terms(checked: Checked) -> Iterator[Problem]:
    """An objective is one component, or a sum of them."""
    objective = checked.spec.objective
    if not objective.terms:
        return
    if objective.kind is not None:
        message = f"the objective is {objective.kind}, and a sum of terms; only one can count"
        hint = f"make {objective.kind} a term, with its arguments, or take the terms away"
        kind = (*OBJECTIVE, "kind")
        yield Problem("kind-and-terms", TERMS, message, hint, at_key=True, reads=(kind, TERMS))
        return
    for name in objective.args:
        message = f'unknown key {show(name)} in "objective"'
        hint = f"an objective of terms has no arguments; it belongs to a term: objective.terms.NAME.{name}"
        yield Problem("unknown-key", (*OBJECTIVE, name), message, hint, at_key=True)


def empty_sum(checked: Checked) -> Iterator[Problem]:
    """Something is trained."""
    objective = checked.spec.objective
    if objective.terms and not any(term.weight > 0 for term in objective.terms.values()):
        message = "every term has the weight 0, so that nothing is trained"
        reads = tuple((*TERMS, name, "weight") for name in objective.terms)
        yield Problem("empty-sum", TERMS, message, "give one of them a weight above 0", True, reads=reads)
    elif not objective.terms and objective.kind is None:
        hint = "name a term, or give the objective a kind"
        yield Problem("empty-sum", TERMS, "the objective has no terms, and no kind", hint, True, reads=(TERMS,))


def term_names(checked: Checked) -> Iterator[Problem]:
    """A term has a name that a path and a metric can have."""
    for name in checked.spec.objective.terms:
        if NAME.fullmatch(name) is None:
            message = f"a term is called {show(name)}; its name is part of a path and of a metric's name"
            hint = 'letters, digits and "_", and no digit first'
            yield Problem("wrong-name", (*TERMS, name), message, hint, at_key=True)


TERM_RULES: tuple[Rule, ...] = (kind_or_terms, empty_sum, term_names)
"""What an objective is a sum of."""
