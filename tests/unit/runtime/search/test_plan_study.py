"""The study of a run's own trials: written without Optuna, and to Optuna the same as if it had written it."""

import sqlite3

import optuna
import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.search import study_file
from craftc.runtime.search.dimension import Dimension
from craftc.runtime.search.plan_study import record_plan
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
FIELDS = ("number", "state", "value", "params", "distributions", "intermediate_values", "user_attrs", "system_attrs")


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


def tables(database):
    """Columns, and what has to be unique, of every table."""
    with sqlite3.connect(database) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: (
                [row[1:] for row in connection.execute(f"PRAGMA table_info({name})")],
                {row[2:4] for row in connection.execute(f"PRAGMA foreign_key_list({name})")},
                {
                    (bool(is_unique), *(column for _, _, column in connection.execute(f"PRAGMA index_info({index})")))
                    for _, index, is_unique, *_ in connection.execute(f"PRAGMA index_list({name})")
                },
            )
            for name in names
        }


def test_the_file_is_as_optuna_makes_it(tmp_path, monkeypatch):
    """Tables, versions, and all that Optuna reads of the study, also where its own writing is fallen back to."""
    plan, store = finished(tmp_path)
    record_plan(tmp_path / "ours.db", plan, store)
    monkeypatch.setattr(study_file, "MIGRATIONS", frozenset())
    record_plan(tmp_path / "optunas.db", plan, store)
    record_plan(tmp_path / "optunas.db", plan, store)  # has nothing to add
    assert tables(tmp_path / "ours.db") == tables(tmp_path / "optunas.db")
    ours, theirs = load(tmp_path / "ours.db"), load(tmp_path / "optunas.db")
    assert (ours.direction, ours.metric_names) == (theirs.direction, theirs.metric_names)
    assert len(ours.trials) == 9
    for one, other in zip(ours.trials, theirs.trials, strict=True):
        assert {name: getattr(one, name) for name in FIELDS} == {name: getattr(other, name) for name in FIELDS}
        assert abs((one.datetime_complete - other.datetime_complete).total_seconds()) < 100
    for table in ("alembic_version", "version_info"):
        with sqlite3.connect(tmp_path / "ours.db") as one, sqlite3.connect(tmp_path / "optunas.db") as other:
            query = f"SELECT * FROM {table}"
            assert one.execute(query).fetchall() == other.execute(query).fetchall()


def test_optuna_goes_on_with_the_file(tmp_path):
    plan, store = finished(tmp_path)
    record_plan(tmp_path / "study.db", plan, store)
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
    record_plan(tmp_path / "study.db", plan, store)
    assert [len(trial.user_attrs["trials"]) for trial in load(tmp_path / "study.db").trials] == [2] * 8 + [1]
    result.write_bytes(content)
    for _ in range(2):
        record_plan(tmp_path / "study.db", plan, store)
        trials = load(tmp_path / "study.db").trials
        assert [trial.number for trial in trials] == list(range(10))
        assert trials[9].user_attrs["trials"] == [trial.id for trial in plan.trials[-2:]]


def test_a_file_that_a_kill_left_empty_is_a_new_one(tmp_path):
    plan, store = finished(tmp_path)
    (tmp_path / "study.db").touch()
    record_plan(tmp_path / "study.db", plan, store)
    assert len(load(tmp_path / "study.db").trials) == 9


def test_a_factor_of_very_many_numbers_is_a_range(tmp_path):
    """Each trial holds all choices of its factors: of a thousand that would be a million."""
    rates = [round(1e-5 * (1 + number), 8) for number in range(150)]
    plan, store = finished(tmp_path, f"training.optimizer.lr: {rates}")
    record_plan(tmp_path / "study.db", plan, store)
    trials = load(tmp_path / "study.db").trials
    assert sorted(trial.params["training.optimizer.lr"] for trial in trials) == sorted({1e-2, *rates})
    assert trials[0].distributions["training.optimizer.lr"].high == 1e-2


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
    ],
)
def test_a_range_holds_what_optuna_says_it_does(form, value, is_held):
    dimension = Dimension(form)
    label = dimension.label(value)
    assert (label is not None) == is_held
    distribution = optuna.distributions.json_to_distribution(dimension.json)
    if label is not None:
        assert dimension.value(label) == value
        assert distribution.to_internal_repr(label) == dimension.stored(label)
        assert distribution.to_external_repr(dimension.stored(label)) == label
    elif "choice" not in form and not isinstance(value, bool):
        assert not distribution._contains(distribution.to_internal_repr(value))
