"""The Optuna studies of a run: what is asked, reported and told, and that Optuna's own tools read it."""

import optuna
import pytest

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.search_source import PointEnd
from craftc.runtime.search.study import OptunaStudies
from craftc.schemas.plan import SearchPlan

SPACE = {
    "training.optimizer.lr": {"log_uniform": [1e-4, 1e-1]},
    "model.width": {"int": [16, 64], "step": 16},
    "model.depth": {"log_int": [1, 8]},
    "model.dropout": {"uniform": [0.0, 0.5], "step": 0.1},
    "data.normalize": {"choice": ["none", {"kind": "per_line"}, True, 1, 1.0]},
}
SAMPLERS = [{"kind": "random"}, {"kind": "tpe", "startup_trials": 3, "candidates": 8, "multivariate": False}]
PRUNERS = [
    {"kind": "none"},
    {"kind": "median", "startup_trials": 2, "warmup_epochs": 0, "interval_epochs": 1},
    {"kind": "successive_halving", "min_epochs": 1, "reduction_factor": 2},
]


def search(**changes):
    values = {
        "metric": "valid/accuracy", "mode": "max", "space": SPACE, "sampler": SAMPLERS[0], "pruner": PRUNERS[0],
        "trials": 5, "seed": 0, "variants": ("base",),
    }  # fmt: skip
    return SearchPlan(**{**values, **changes})


def played(studies, num_points=12, num_epochs=4):
    """Points whose accuracy rises with the rate; each with its parameters and the epochs that it was given."""
    told = []
    for _ in range(num_points):
        number, params = studies.ask("base")
        studies.begin("base", number, params, [f"{number:064x}"], num_epochs)
        height = params["training.optimizer.lr"] ** 0.1
        for epoch in range(1, num_epochs + 1):
            if not studies.report("base", number, epoch, height * epoch):
                studies.tell("base", number, PointEnd("pruned"))
                break
        else:
            studies.tell("base", number, PointEnd("finished", height * num_epochs))
        told.append((params, epoch))
    return told


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s["kind"])
@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda p: p["kind"])
def test_every_sampler_with_every_pruner(tmp_path, sampler, pruner):
    """Within the ranges, seeded, and only a pruner saves epochs."""

    def play(name, num_points, seed=0):
        plan = search(sampler=sampler, pruner=pruner, seed=seed)
        return played(OptunaStudies(tmp_path / f"{name}.db", "x", plan), num_points)

    runs = [play(name, 7) for name in ("first", "again")]
    assert runs[0] == runs[1]
    assert play("other", 2, seed=1) != runs[0][:2]
    for params, _ in runs[0]:
        assert 1e-4 <= params["training.optimizer.lr"] <= 1e-1
        assert params["model.width"] in (16, 32, 48, 64)
        assert 1 <= params["model.depth"] <= 8
        assert params["model.dropout"] in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
        assert params["data.normalize"] in SPACE["data.normalize"]["choice"]
    num_epochs = sum(epochs for _, epochs in runs[0])
    assert num_epochs == 28 if pruner["kind"] == "none" else num_epochs < 28


def test_both_ends_of_a_range_belong_to_it(tmp_path):
    space = {"a": {"int": [1, 2]}, "b": {"uniform": [0.0, 1.0], "step": 0.5}}
    studies = OptunaStudies(tmp_path / "study.db", "x", search(space=space))
    asked = [studies.ask("base")[1] for _ in range(20)]
    assert {params["a"] for params in asked} == {1, 2}
    assert {params["b"] for params in asked} == {0.0, 0.5, 1.0}


def test_choices_of_any_kind_come_back_as_they_were_written(tmp_path):
    studies = OptunaStudies(tmp_path / "study.db", "x", search())
    seen = [studies.ask("base")[1]["data.normalize"] for _ in range(40)]
    assert {repr(value) for value in seen} == {repr(value) for value in SPACE["data.normalize"]["choice"]}


def test_a_starting_point_keeps_the_parameters_that_are_within_their_ranges(tmp_path):
    studies = OptunaStudies(tmp_path / "study.db", "x", search())
    start = {
        "training.optimizer.lr": 1e-3, "model.width": 20, "model.depth": 9, "model.dropout": None,
        "data.normalize": {"kind": "per_line"},
    }  # fmt: skip
    number = studies.begin("base", None, start, ["a" * 64], 4)
    studies.report("base", number, 1, 0.5)
    studies.tell("base", number, PointEnd("finished", 0.5, trained=1))
    (trial,) = load(tmp_path).trials
    assert trial.params == {"training.optimizer.lr": 1e-3, "data.normalize": '{"kind": "per_line"}'}
    assert (trial.value, trial.intermediate_values, trial.user_attrs["kind"]) == (0.5, {1: 0.5}, "start")


def load(tmp_path):
    return optuna.load_study(study_name="x/base", storage=f"sqlite:///{tmp_path / 'study.db'}")


def test_opened_again_it_goes_on_with_other_proposals(tmp_path):
    first = played(OptunaStudies(tmp_path / "study.db", "x", search()), num_points=4)
    studies = OptunaStudies(tmp_path / "study.db", "x", search())
    assert studies.report("base", 2, 1, 0.1)  # it has ended: nothing is stopped, nothing is written
    second = played(studies, num_points=4)
    assert len(load(tmp_path).trials) == 8
    assert not {repr(params) for params, _ in first} & {repr(params) for params, _ in second}


def test_a_step_that_is_reported_again_keeps_its_value(tmp_path):
    studies = OptunaStudies(tmp_path / "study.db", "x", search())
    number, _ = studies.ask("base")
    for value in (0.5, 0.7):
        assert studies.report("base", number, 1, value)
    assert load(tmp_path).trials[0].intermediate_values == {1: 0.5}


def test_optunas_own_plots_and_importances_open_it(tmp_path):
    played(OptunaStudies(tmp_path / "study.db", "x", search(pruner=PRUNERS[2])), num_points=16)
    study = load(tmp_path)
    assert study.metric_names == ["valid/accuracy"]
    assert next(iter(optuna.importance.get_param_importances(study))) == "training.optimizer.lr"
    plots = optuna.visualization
    for plot in (plots.plot_optimization_history, plots.plot_intermediate_values, plots.plot_parallel_coordinate):
        assert plot(study).data
    assert len(plots.plot_intermediate_values(study).data) == 16


FOUR = [1, "1", 1.0, True, "true", None, "null", '"1"']


def test_choices_that_look_alike_are_told_apart(tmp_path):
    studies = OptunaStudies(tmp_path / "study.db", "x", search(space={"what": {"choice": FOUR}}))
    asked = [studies.ask("base")[1]["what"] for _ in range(50)]
    assert {(type(value), value) for value in asked} == {(type(value), value) for value in FOUR}
    for value in FOUR:
        number = studies.begin("base", None, {"what": value}, [], 1)
        label = load(tmp_path).trials[number].params["what"]
        kept = Dimension({"choice": FOUR}).value(label)
        assert (type(kept), kept) == (type(value), value)


@pytest.mark.parametrize("choice", [[16, 32], [0.5, 1.5, 2.5], ["adam", 3], [True, False]])
def test_numbers_are_numbers_in_the_study(tmp_path, choice):
    studies = OptunaStudies(tmp_path / "study.db", "x", search(space={"x": {"choice": choice}}))
    _, params = studies.ask("base")
    (trial,) = load(tmp_path).trials
    assert trial.distributions["x"] == optuna.distributions.CategoricalDistribution(choice)
    assert (trial.params["x"], type(trial.params["x"])) == (params["x"], type(params["x"]))


@pytest.mark.parametrize("sampler", [SAMPLERS[0], SAMPLERS[1] | {"multivariate": True}], ids=["random", "tpe"])
def test_values_on_a_step_are_decimals(tmp_path, sampler):
    space = {
        "momentum": {"uniform": [0.0, 0.9], "step": 0.3}, "lr": {"uniform": [0.1, 0.7], "step": 0.1},
        "eps": {"uniform": [-0.0003, 0.0003], "step": 1e-4},
    }  # fmt: skip
    studies = OptunaStudies(tmp_path / "study.db", "x", search(space=space, sampler=sampler))
    for height in range(15):
        number, params = studies.ask("base")
        studies.begin("base", number, params, [f"{number:064x}"], 1)
        studies.tell("base", number, PointEnd("finished", float(height % 7)))
    expected = {
        "momentum": {0.0, 0.3, 0.6, 0.9}, "lr": {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7},
        "eps": {-0.0003, -0.0002, -0.0001, 0.0, 0.0001, 0.0002, 0.0003},
    }  # fmt: skip
    for path, values in expected.items():
        seen = {trial.params[path] for trial in load(tmp_path).trials}
        assert seen <= values
        assert len(seen) > 2


def test_a_study_of_other_ranges_is_refused(tmp_path):
    """Not taken further with points that mean something else: its choices were texts in an earlier version."""
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'study.db'}", study_name="x/base")
    study.ask({"size": optuna.distributions.CategoricalDistribution(["16", "32"])})
    with pytest.raises(BackendError, match=r'"x/base" has other values of size than .* run the spec again') as caught:
        OptunaStudies(tmp_path / "study.db", "x", search(space={"size": {"choice": [16, 32]}}))
    assert caught.value.code == "study-unusable"
