"""What differs in what is measured alone is read off a finished trial."""

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.passes.verify import verify, verify_placed

SPEC = """\
craftc: 1
name: it
data:
  source: digits
  splits: {train: 0.5, valid: 0.2, calib: {share: 0.1, for: calibrate}, test: 0.2}
model: mlp
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 4, batch_size: 32, optimizer: {kind: adamw, lr: 1e-3}}
"""
CHANGES = {
    "a pass": "evaluation: {passes: {tiles: {views: tiles}}}",
    "a number": "evaluation: {passes: {free: {teacher_forcing: 0}}}",
    "a stage": "evaluation: {after: [{kind: temperature, fit: calib}]}",
}


def plan_of(text: str, **given):
    compiled = compile_spec(text, "it.yaml", built_in_catalogue(), **given)
    assert compiled.plan is not None, compiled.diagnostics
    verify(compiled.plan)
    verify_placed(compiled.plan)
    return compiled.plan


PLAIN = plan_of(SPEC)
[TRAINED] = PLAIN.trials


def with_store(text: str, **given):
    """Planned where the trial of the plain spec is finished."""
    assert TRAINED.stages is not None
    known = {TRAINED.stages.weights: TRAINED.id}
    return plan_of(text, is_finished=lambda trial: trial == TRAINED.id, finished_with=known.get, **given)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_trial_that_is_measured_otherwise_is_read_off(change) -> None:
    [trial] = with_store(SPEC + change).trials
    assert trial.id != TRAINED.id
    assert (trial.status, trial.read_off, trial.is_trained) == ("new", TRAINED.id, False)


def test_a_metric_that_is_added_is_read_off() -> None:
    [trial] = with_store(SPEC.replace("[accuracy]", "[accuracy, ece]")).trials
    assert trial.read_off == TRAINED.id


@pytest.mark.parametrize(
    "change",
    [
        "evaluation: {select: none}",
        "evaluation: {select: {metric: valid/accuracy}}",
        "evaluation: {passes: {tiles: {views: tiles}}, select: {metric: valid/tiles.loss}}",
        "evaluation: {passes: {tiles: {views: tiles, every_epoch: true}}}",
        "seed: 1",
        "regularization: {dropout: 0.1}",
    ],
)
def test_other_weights_are_trained(change) -> None:
    [trial] = with_store(SPEC + change).trials
    assert trial.is_trained


@pytest.mark.parametrize("change", ["epochs: 5", "epochs: 4, early_stopping: {metric: valid/loss, patience: 2}"])
def test_another_length_is_trained(change) -> None:
    [trial] = with_store(SPEC.replace("epochs: 4", change)).trials
    assert trial.is_trained
    # Although it takes the same steps.
    assert trial.stages.train == TRAINED.stages.train


def test_what_a_search_starts_from_is_trained() -> None:
    search = "search: {space: {model.dropout: {uniform: [0, 0.5]}}, optimize: {metric: valid/loss}, trials: 3}"
    [trial] = with_store(SPEC + CHANGES["a pass"] + "\n" + search).trials
    assert trial.is_trained


def test_several_workers_train() -> None:
    [trial] = with_store(SPEC + CHANGES["a pass"] + "\nresources: {workers: 2}").trials
    assert trial.is_trained


def test_none_and_what_is_as_by_default_change_no_trial() -> None:
    for evaluation in ("{passes: none}", "{after: none}", "{passes: {tiles: none}}", "{passes: {}, after: []}"):
        assert plan_of(f"{SPEC}evaluation: {evaluation}").trials[0].id == TRAINED.id


def test_a_pass_that_is_chosen_by_is_measured_after_every_epoch() -> None:
    for chosen in (
        "evaluation: {passes: {tiles: {views: tiles}}, select: {metric: valid/tiles.loss}}",
        "evaluation: {passes: {tiles: {views: tiles}}}\nsearch: {space: {model.dropout: {uniform: [0, 0.5]}}, "
        "optimize: {metric: valid/tiles.loss}, pruner: median, trials: 8}",
    ):
        [trial] = plan_of(SPEC + chosen).trials
        assert trial.config["evaluation"]["passes"]["tiles"]["every_epoch"] is True
    [trial] = plan_of(SPEC + CHANGES["a pass"]).trials
    assert trial.config["evaluation"]["passes"]["tiles"]["every_epoch"] is False
