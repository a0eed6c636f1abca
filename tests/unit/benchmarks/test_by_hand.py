"""The sides written by hand train what craftc trains."""

import json
from typing import Any

import pytest
import torch

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.schemas.plan import Trial
from craftc.training.assemble import assemble
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of


@pytest.fixture
def trials() -> list[Trial]:
    """Of the benchmark's own spec: full, and without each of three fixes."""
    import ablation

    return planned(ablation.spec(16, 3))


def planned(spec: dict[str, Any]) -> list[Trial]:
    compiled = compile_spec(json.dumps(spec), "x.yaml", built_in_catalogue())
    assert compiled.plan is not None
    return [trial for trial in compiled.plan.trials if trial.seed == 0]


def test_samples_class_weights_and_learning_rates_are_craftcs(trials: list[Trial]) -> None:
    import by_hand

    assert len(trials) == 4
    for trial in trials:
        data = prepare(trial.config["data"])
        steps = -(-len(data.splits["train"]) // 32)
        parts = assemble(trial, data, torch.device("cpu"), course_of(trial.config, len(data.train)))
        training = by_hand.begin({"config": trial.config, "seed": 0})
        for name, (x, y) in training.data.splits.items():
            assert x.equal(torch.from_numpy(data.splits[name].inputs))
            assert y.equal(torch.from_numpy(data.splits[name].targets))
        weights = torch.ones(10) if training.class_weights is None else training.class_weights
        assert weights.equal(parts.objective.weights_C)
        for step in range(3 * steps):
            assert training._lr(step, steps) == pytest.approx(parts.schedule.lr(parts.base_lrs[0], step))
        shapes = [tuple(parameter.shape) for parameter in training.model.parameters()]
        assert shapes == [tuple(parameter.shape) for parameter in parts.model.parameters()]
        [own], [other] = training.optimizer.param_groups, parts.optimizer.param_groups
        assert {name: own[name] for name in ("betas", "eps", "weight_decay", "fused")} == {
            name: other[name] for name in ("betas", "eps", "weight_decay", "fused")
        }


def test_an_epoch_learns_and_measures_what_craftc_records(trials: list[Trial]) -> None:
    import by_hand

    found = by_hand.trained({"config": trials[0].config, "seed": 0})
    assert found["test/accuracy"] > 0.3
    measured = {
        f"{split}/{name}" for split in ("train", "valid", "test") for name in ("loss", "accuracy", "balanced_accuracy")
    }
    assert found.keys() == {"train/objective", *measured}


def test_what_a_loop_by_hand_trains_is_what_the_spec_names_unfolded() -> None:
    import ablation

    for num_trials in (1, 16, 64):
        assert len(ablation.trials_as_written(ablation.spec(num_trials, 20))) == num_trials


def test_passes_left_out_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import ablation
    import without

    from craftc.compiler import pipeline

    written = json.dumps(ablation.spec(64, 20))
    whole = compile_spec(written, "x.yaml", built_in_catalogue()).plan
    for name in without.INSTEAD:
        monkeypatch.setattr(pipeline, name, getattr(pipeline, name))  # put back in the end
    without.leave_out("fold,share,batch")
    bare = compile_spec(written, "x.yaml", built_in_catalogue()).plan
    assert whole is not None
    assert bare is not None
    assert (whole.folded, len(whole.trials)) == (4, 60)
    assert (bare.folded, len({trial.id for trial in bare.trials})) == (0, 64)
    assert any(trial.shares for trial in whole.trials)
    assert any(trial.group is not None for trial in whole.trials)
    assert not any(trial.shares or trial.group is not None for trial in bare.trials)
    assert len(bare.jobs) == 64


def test_a_pass_that_is_not_there_is_refused() -> None:
    import without

    with pytest.raises(SystemExit, match='no pass "fuse"'):
        without.leave_out("fuse")
