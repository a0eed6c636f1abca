"""The study of a plan's own trials: what its points hold, and that Optuna's own tools go on with it."""

import optuna
import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.search import plan_study
from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.plan_study import PlanStudy
from craftc.runtime.search.study import distribution
from craftc.runtime.store.store import Store
from craftc.schemas.result import EpochRecord, Result
from craftc.training.state.history import append_record

SPEC = """\
craftc: 1
name: made
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 256, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {seeds: 2, grid: {GRID}}
"""
GRID = "training.optimizer.lr: [1e-2, 1e-3], model.hidden: [[8], [16, 8]], training.batch_size: [64, 128]"


def finished(folder, grid=GRID):
    """A plan all of whose trials have an invented result."""
    plan = compile_spec(SPEC.replace("GRID", grid), "made.yaml", built_in_catalogue()).plan
    store = Store(folder / "store")
    for number, trial in enumerate(plan.trials):
        metrics = {"valid/loss": 1 / (number + 1), "valid/accuracy": 0.5}
        store.write_result(
            Result(
                trial=trial.id, best_epoch=2, epochs_trained=2, epochs_planned=2, steps=8, best=metrics, last=metrics,
                trivial={}, identities={}, num_parameters=1, split_sizes={}, seconds=0.1, device="cpu",
                craftc_version="0",
            )
        )  # fmt: skip
        for epoch in (1, 2):
            record = EpochRecord(trial=trial.id, epoch=epoch, step=epoch, metrics=metrics, seconds=0.1)
            append_record(store.folder(trial.id), record)
    return plan, store


def load(database, name="made/base"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{database}")


def record(database, plan, store):
    study = PlanStudy(database, plan, store)
    is_whole = study.add_rest(lambda: False)
    study.close()
    return is_whole


def test_a_point_is_a_variant_with_its_factors_and_what_its_seeds_measured(tmp_path):
    plan, store = finished(tmp_path)
    assert record(tmp_path / "study.db", plan, store)
    study = load(tmp_path / "study.db")
    assert (study.direction.name, study.metric_names) == ("MINIMIZE", ["valid/loss"])
    assert len(study.trials) == 9
    first, second = study.trials[:2]
    seeds = [trial for trial in plan.trials if trial.variant == second.user_attrs["variant"]]
    losses = [store.result(trial.id).best["valid/loss"] for trial in seeds]
    mean = sum(losses) / 2
    assert (second.state.name, second.value) == ("COMPLETE", mean)
    assert second.intermediate_values == {1: losses[0], 2: losses[0], 3: mean, 4: mean}
    assert second.user_attrs == {
        "kind": "grid", "variant": seeds[0].variant, "trials": [trial.id for trial in seeds], "epochs_planned": 4,
        "state": "finished",
    }  # fmt: skip
    assert first.params == {"training.optimizer.lr": 0.01, "model.hidden": "[8]", "training.batch_size": 256}
    assert first.user_attrs["kind"] == "start"
    choices = optuna.distributions.CategoricalDistribution
    assert first.distributions == {
        "training.optimizer.lr": choices((0.01, 0.001)), "model.hidden": choices(("[8]", "[16, 8]")),
        "training.batch_size": choices((256, 64, 128)),
    }  # fmt: skip
    assert {len(trial.params) for trial in study.trials} == {3}


def test_a_variant_that_did_not_measure_the_metric_is_a_failed_point(tmp_path):
    plan, store = finished(tmp_path)
    last = plan.trials[-1]
    store.write_result(store.result(last.id).model_copy(update={"best": {}}))
    assert record(tmp_path / "study.db", plan, store)
    *others, failed = load(tmp_path / "study.db").trials
    assert {trial.state.name for trial in others} == {"COMPLETE"}
    assert (failed.state.name, failed.value, failed.intermediate_values) == ("FAIL", None, {})
    assert (failed.user_attrs["state"], failed.user_attrs["variant"]) == ("failed", last.variant)
    assert failed.user_attrs["reason"] == "valid/loss was not measured in every trial"


def test_a_variant_with_a_failed_seed_is_no_complete_point(tmp_path):
    """The seeds that survived would make it the best of the study."""
    plan, store = finished(tmp_path)
    lost = plan.trials[-1]
    (store.folder(lost.id) / "result.json").unlink()
    study = PlanStudy(tmp_path / "study.db", plan, store)
    assert not study.add_rest(lambda: False, {lost.id})
    study.close()
    *others, failed = load(tmp_path / "study.db").trials
    assert {trial.state.name for trial in others} == {"COMPLETE"}
    assert (failed.state.name, failed.value, failed.user_attrs["variant"]) == ("FAIL", None, lost.variant)
    assert failed.user_attrs["reason"] == "1 of 2 trials finished, 1 failed"
    assert failed.user_attrs["epochs_planned"] == 4
    assert load(tmp_path / "study.db").best_trial.user_attrs["variant"] != lost.variant


def test_optuna_goes_on_with_the_file(tmp_path):
    plan, store = finished(tmp_path)
    record(tmp_path / "study.db", plan, store)
    study = load(tmp_path / "study.db")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [trial.number for trial in study.trials] == list(range(11))
    assert set(optuna.importance.get_param_importances(study, params=list(plan.factors))) == set(plan.factors)
    assert optuna.visualization.plot_intermediate_values(study).data


def test_only_what_is_not_there_yet_is_added(tmp_path):
    plan, store = finished(tmp_path)
    last = plan.trials[-1]
    result = store.folder(last.id) / "result.json"
    content = result.read_bytes()
    result.unlink()
    assert not record(tmp_path / "study.db", plan, store)
    assert [len(trial.user_attrs["trials"]) for trial in load(tmp_path / "study.db").trials] == [2] * 8 + [1]
    result.write_bytes(content)
    for _ in range(2):
        assert record(tmp_path / "study.db", plan, store)
        trials = load(tmp_path / "study.db").trials
        assert [trial.number for trial in trials] == list(range(10))
        assert trials[9].user_attrs["trials"] == [trial.id for trial in plan.trials[-2:]]


def test_a_file_that_a_kill_left_empty_is_a_new_one(tmp_path):
    plan, store = finished(tmp_path)
    (tmp_path / "study.db").touch()
    record(tmp_path / "study.db", plan, store)
    assert len(load(tmp_path / "study.db").trials) == 9


def test_a_factor_of_very_many_numbers_is_a_range(tmp_path, monkeypatch):
    """Each trial holds all choices of its factors: of a thousand that would be a million."""
    rates = [round(1e-3 * (1 + number), 8) for number in range(5)]
    plan, store = finished(tmp_path, f"training.optimizer.lr: {rates}")
    monkeypatch.setattr(plan_study, "MAX_CHOICES", 5)
    record(tmp_path / "study.db", plan, store)
    trials = load(tmp_path / "study.db").trials
    assert sorted(trial.params["training.optimizer.lr"] for trial in trials) == sorted({1e-2, *rates})
    assert {trial.distributions["training.optimizer.lr"].high for trial in trials} == {1e-2}


@pytest.mark.parametrize(
    ("form", "value", "is_held"),
    [
        ({"int": [16, 64], "step": 16}, 48, True),
        ({"int": [16, 64], "step": 16}, 20, False),
        ({"int": [16, 64]}, 17.5, False),
        ({"uniform": [0.0, 0.5], "step": 0.1}, 0.3, True),
        ({"uniform": [0.0, 0.5], "step": 0.1}, 0.35, False),
        ({"uniform": [0.0, 0.5]}, 0.6, False),
        ({"log_int": [1, 8]}, 8, True),
        ({"log_uniform": [1e-4, 1e-1]}, 1e-4, True),
        ({"log_uniform": [1e-4, 1e-1]}, True, False),
        ({"choice": ["none", 1, True, {"kind": "per_line"}]}, {"kind": "per_line"}, True),
        ({"choice": ["none", 1]}, True, False),
        ({"choice": [1, "1", 1.0, True]}, "1", True),
        ({"choice": [32.0, 64.0]}, 32, True),
    ],
)
def test_a_range_holds_what_optuna_says_it_does(form, value, is_held):
    dimension = Dimension(form)
    label = dimension.label(value)
    assert (label is not None) == is_held
    stored = distribution(dimension)
    if label is not None:
        assert dimension.value(label) == value
        assert stored._contains(stored.to_internal_repr(label))
        assert stored.to_external_repr(stored.to_internal_repr(label)) == label
    elif "choice" not in form and not isinstance(value, bool):
        assert not stored._contains(stored.to_internal_repr(value))
