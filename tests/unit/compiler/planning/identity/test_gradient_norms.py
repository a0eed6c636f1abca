"""That norms of gradients are recorded is part of a trial, their bounds are not, and without them nothing changes."""

import copy
import json
from typing import Any

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.schemas.plan import GradientBounds, Trial

CATALOGUE = built_in_catalogue()
SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "norms",
    "data": {"source": "digits"},
    "model": "mlp",
    "objective": "cross_entropy",
    "training": {"epochs": 5, "batch_size": 32, "optimizer": "adamw"},
}


def trial(norms: Any = None, **others: Any) -> Trial:
    tree = copy.deepcopy(SPEC) | others
    if norms is not None:
        tree["evaluation"] = {"gradient_norms": norms}
    result = compile_spec(json.dumps(tree), "x.yaml", CATALOGUE)
    assert result.plan is not None, result.diagnostics
    [found] = result.plan.trials
    return found


def test_a_trial_that_records_norms_is_another_one_whatever_their_bounds() -> None:
    plain, off, watched, bounded = trial(), trial("none"), trial({}), trial({"below": 1e-3, "above": 10})
    assert off == plain
    assert "gradient_norms" not in plain.config["evaluation"]
    assert plain.gradient_bounds is None
    assert watched.id == bounded.id != plain.id
    assert watched.stages == bounded.stages
    assert watched.config == bounded.config
    assert watched.config["evaluation"]["gradient_norms"] is True
    assert watched.gradient_bounds == GradientBounds(below=1e-7, above=100.0)
    assert bounded.gradient_bounds == GradientBounds(below=1e-3, above=10.0)


def test_trials_with_and_without_norms_share_neither_training_nor_weights() -> None:
    plain, watched = trial().stages, trial({}).stages
    assert plain is not None
    assert watched is not None
    assert watched.prepare == plain.prepare
    assert watched.train != plain.train
    assert watched.weights != plain.weights


def test_they_are_batched_among_themselves() -> None:
    ablation = {"grid": {"evaluation.gradient_norms": ["none"]}, "seeds": 2}
    tree = SPEC | {"evaluation": {"gradient_norms": {}}, "ablation": ablation}
    result = compile_spec(json.dumps(tree), "x.yaml", CATALOGUE)
    assert result.plan is not None, result.diagnostics
    groups = {(each.gradient_bounds is None, each.group) for each in result.plan.trials}
    assert len(groups) == 2
    assert len({group for _, group in groups}) == 2
