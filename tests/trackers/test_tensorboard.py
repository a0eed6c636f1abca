"""What TensorBoard's own readers find in a run's event files, against our own record."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from craftc.runtime.observers.tensorboard_writer import TensorboardWriter, folder_of
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFailed


def write(told: Any, *batches: list[Any]) -> Path:
    folder: Path = told.folder.path / "tensorboard"
    writer = TensorboardWriter(told.tracked())
    writer.start(told.plan, told.folder.run_name)
    for events in batches:
        for event in events:
            writer.event(event)
    writer.close()
    return folder


def read(folder: Path) -> EventMultiplexer:
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    return multiplexer


def scalars(multiplexer: EventMultiplexer, run: str) -> dict[str, list[tuple[int, float]]]:
    """Tag to (step, value) in the order of the file; TensorBoard keeps float32."""
    tags = multiplexer.GetAccumulator(run).Tags()
    found = {}
    for tag in tags["tensors"]:
        if not tag.startswith("_hparams_"):
            found[tag] = [(e.step, float(e.tensor_proto.float_val[0])) for e in multiplexer.Tensors(run, tag)]
    return found


def recorded(told: Any, trial: str) -> dict[str, list[tuple[int, float]]]:
    """The same, as the store has it."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in told.store.history(trial):
        for name, value in record.metrics.items():
            found.setdefault(name, []).append((record.epoch, value))
    return found


def assert_same(found: dict[str, list[tuple[int, float]]], expected: dict[str, list[tuple[int, float]]]) -> None:
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in points]
        assert [value for _, value in found[tag]] == pytest.approx([value for _, value in points], rel=1e-6)


def hparams(multiplexer: EventMultiplexer) -> dict[str, tuple[dict[str, Any], dict[str, float]]]:
    """The rows of the HPARAMS tab, by run: hyperparameters, metrics."""
    provider = MultiplexerDataProvider(multiplexer, "unused")
    context = backend_context.Context(TBContext(data_provider=provider))
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING]
    columns = [api_pb2.ColParams(metric=api_pb2.MetricName(tag="best/test/accuracy"))]
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=statuses, col_params=columns, start_index=0, slice_size=100, include_metrics=True
    )
    information = context.experiment_from_metadata(
        RequestContext(), "e", True, context.hparams_metadata(RequestContext(), "e"), []
    )
    rows = list_session_groups.Handler(RequestContext(), context, "e", request).run().session_groups
    assert [m.name.tag for m in information.metric_infos] == ["best/test/accuracy", "best/valid/loss"]
    found = {}
    for row in rows:
        values = {key: getattr(value, str(value.WhichOneof("kind"))) for key, value in row.hparams.items()}
        metrics = {value.name.tag: value.value for value in row.metric_values}
        found[row.sessions[0].name] = (values, metrics)
    return found


def test_scalars_and_hparams_are_what_the_store_has(make_run):
    told = make_run()
    trials = [trial.id for trial in told.plan.trials]
    found = read(write(told, *(told.train(trial) for trial in trials)))
    rows = hparams(found)
    assert len(found.Runs()) == len(rows) == 6
    for trial in told.plan.trials:
        run = str(folder_of(trial))
        result = told.store.result(trial.id)
        best = {f"best/{name}": [(result.best_epoch, value)] for name, value in result.best.items()}
        assert_same(scalars(found, run), recorded(told, trial.id) | best)
        values, metrics = rows[run]
        assert values == told.factors.values_of(trial)
        assert metrics == pytest.approx({f"best/{name}": value for name, value in result.best.items()})
    assert rows["-dropout/seed1"][0] == {
        "feature.dropout": False,
        "regularization.dropout": 0.0,
        "training.optimizer.lr": 0.01,
        "seed": 1,
    }


def test_records_that_are_no_epochs_have_their_steps_beside(make_run, by_steps):
    told = make_run(by_steps)
    trial = told.plan.trials[0].id
    found = scalars(read(write(told, told.train(trial))), "full/seed0")
    assert found["train/step"] == [(1, 17), (2, 34), (3, 51)]


def test_a_trial_taken_up_again_has_every_epoch_once(make_run):
    told = make_run()
    trial = told.plan.trials[0].id
    started, first, second, third, finished = told.train(trial)
    # The first process ends after two epochs; the next begins one earlier, and its job once more.
    folder = write(told, [started, first, second])
    again = started.model_copy(update={"epoch": 1})
    write(told, [again, second, again, second, third, finished])
    result = told.store.result(trial)
    best = {f"best/{name}": [(result.best_epoch, value)] for name, value in result.best.items()}
    assert_same(scalars(read(folder), "full/seed0"), recorded(told, trial) | best)


def test_reused_trials_are_written_whole(make_run):
    first = make_run()
    for trial in first.plan.trials:
        first.train(trial.id)
    told = make_run()
    assert {trial.status for trial in told.plan.trials} == {"reused"}
    found = read(write(told))
    assert len(hparams(found)) == 6
    trial = told.plan.trials[0]
    epochs = {tag: at for tag, at in scalars(found, str(folder_of(trial))).items() if not tag.startswith("best/")}
    assert_same(epochs, recorded(told, trial.id))


def test_a_failed_trial_keeps_its_epochs_and_has_no_row(make_run):
    told = make_run()
    trial, other = (trial.id for trial in told.plan.trials[:2])
    failure = TrialFailed(trial=trial, code="nan-loss", message="the loss is not finite", epoch=3)
    found = read(write(told, [*told.train(trial)[:-1], failure], told.train(other)))
    assert_same(scalars(found, "full/seed0"), recorded(told, trial))
    assert list(hparams(found)) == ["full/seed1"]


def test_variants_that_are_no_folder_names_stay_apart():
    def folder(variant: str, number: int) -> Path:
        return folder_of(Trial(id=f"{number:064x}"[::-1], variant=variant, seed=0, config={}))

    variants = ["a/b", "a_b", "a b", "..", ".", "-a/../../b"]
    folders = {folder(variant, number) for number, variant in enumerate(variants)}
    assert len(folders) == len(variants)
    assert all(len(path.parts) == 2 and ".." not in path.parts for path in folders)
