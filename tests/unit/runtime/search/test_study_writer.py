"""The study of a run: written in a thread while it goes on, whole when it is over, copied where nothing is new."""

import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress

import optuna
import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.search import plan_study
from craftc.runtime.search.earlier_study import copy_earlier_study
from craftc.runtime.search.study_writer import StudyWriter
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.result import EpochEnded, EpochRecord, Result, TrialFinished, TrialStarted
from craftc.training.state.history import append_record

SPEC = """\
craftc: 1
name: made
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 1, batch_size: 256, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {seeds: 2, grid: {training.optimizer.lr: LRS}}
"""
METRICS = {"valid/loss": 0.5, "valid/accuracy": 0.5}


class Made:
    """A plan, its store, and runs of it whose trials finish when a test says so."""

    def __init__(self, root):
        self.root = root
        self.store = Store(root / "store")
        self.warned, self.said = [], []

    def plan(self, lrs="[1e-3]"):
        finished = self.store.is_finished
        return compile_spec(SPEC.replace("LRS", lrs), "made.yaml", built_in_catalogue(), finished).plan

    def writer(self, plan, number=0):
        folder = RunFolder(self.root / "made" / f"20260101_00000{number}")
        folder.path.mkdir(parents=True)
        (folder.path / "plan.json").write_text(plan.model_dump_json())
        return StudyWriter(plan, self.store, folder, warn=self.warned.append, say=self.said.append), folder

    def epoch(self, writer, trial):
        record = EpochRecord(trial=trial.id, epoch=1, step=4, metrics=METRICS, seconds=0.1)
        append_record(self.store.folder(trial.id), record)
        writer.event(EpochEnded(record=record))

    def finish(self, writer, *trials):
        for trial in trials:
            self.store.folder(trial.id).mkdir(parents=True)
            self.epoch(writer, trial)
            result = Result(
                trial=trial.id, best_epoch=1, epochs_trained=1, epochs_planned=1, steps=4, best=METRICS, last=METRICS,
                trivial={}, identities={}, num_parameters=1, split_sizes={}, seconds=0.1, device="cpu",
                craftc_version="0",
            )  # fmt: skip
            self.store.write_result(result)
            writer.event(TrialFinished(result=result))

    def whole_run(self, lrs="[1e-3]", number=0):
        plan = self.plan(lrs)
        writer, folder = self.writer(plan, number)
        with writer:
            self.finish(writer, *(trial for trial in plan.trials if trial.status == "new"))
        return folder


@pytest.fixture
def made(tmp_path):
    yield Made(tmp_path)
    assert "craftc-study" not in {thread.name for thread in threading.enumerate()}


def points(folder):
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder.database}")
    study = optuna.load_study(study_name="made/base", storage=storage)
    found = [(point.user_attrs["variant"], len(point.user_attrs["trials"])) for point in study.trials]
    storage.engine.dispose()
    return found


def wait_for_points(folder, number):
    """Wait until another thread has written so many points. Optuna would make the tables that it does not find yet."""
    address, deadline = f"file:{folder.database}?mode=ro", time.monotonic() + 600
    while True:
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(address, uri=True)) as database:
            # An error: no file or no table yet.
            if database.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0] >= number:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_variant_is_in_the_study_as_soon_as_its_trials_are_finished(made):
    plan = made.plan()
    writer, folder = made.writer(plan)
    with writer:
        writer.start(plan, "run")
        writer.event(TrialStarted(trial=plan.trials[0].id))
        assert not folder.database.exists()
        made.finish(writer, *plan.trials[:3])
        wait_for_points(folder, 1)
        assert points(folder) == [("base", 2)]
        made.finish(writer, plan.trials[3])
        wait_for_points(folder, 2)
        writer.close()
    assert points(folder) == [("base", 2), ("lr=1e-3", 2)]
    assert (made.warned, made.said) == ([], [])


def test_reused_trials_are_points_too(made):
    made.whole_run()
    folder = made.whole_run("[1e-3, 1e-4]", number=1)
    assert points(folder) == [("base", 2), ("lr=1e-3", 2), ("lr=1e-4", 2)]


@contextmanager
def interrupted(writer):
    """Ctrl-C behind what is done in here."""
    with suppress(KeyboardInterrupt), writer:
        yield
        raise KeyboardInterrupt


def test_what_is_interrupted_keeps_what_is_finished(made):
    plan = made.plan()
    writer, folder = made.writer(plan)
    with interrupted(writer):
        made.finish(writer, *plan.trials[:3])
    assert points(folder) == [("base", 2), ("lr=1e-3", 1)]
    assert not folder.study_seal.exists()


def test_what_is_interrupted_before_an_epoch_writes_nothing(made):
    plan = made.plan()
    writer, folder = made.writer(plan)
    with interrupted(writer):
        writer.event(TrialStarted(trial=plan.trials[0].id))
    assert not folder.database.exists()


@contextmanager
def interrupt_once(condition):
    """Ctrl-C, pressed by another thread when the condition holds."""

    def press():
        while not condition():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    yield
    thread.join()


def test_an_interrupt_while_the_end_waits_ends_it_between_two_points(made, monkeypatch):
    plan = made.plan()
    writer, folder = made.writer(plan)
    is_at_point, may_go_on = threading.Event(), threading.Event()
    add = plan_study.PlanStudy.add

    def slow(study, variant):
        is_at_point.set()
        may_go_on.wait(600)
        add(study, variant)

    monkeypatch.setattr(plan_study.PlanStudy, "add", slow)
    monkeypatch.setattr("craftc.runtime.search.study_writer.PATIENCE_S", 0.1)

    def waits():
        """The end says that it waits, and the point is let go only after the interrupt."""
        if made.said and is_at_point.is_set():
            threading.Timer(0.5, may_go_on.set).start()
            return True
        return False

    with interrupt_once(waits), pytest.raises(KeyboardInterrupt), writer:
        made.finish(writer, *plan.trials)
    assert made.said == [f"writing {folder.database}; Ctrl-C leaves it incomplete"]
    assert points(folder) == [("base", 2)]
    assert not folder.study_seal.exists()


def test_what_cannot_be_written_is_one_warning(made):
    plan = made.plan()
    writer, folder = made.writer(plan)
    folder.database.write_text("no database, and longer than the sixteen bytes of its head")
    with writer:
        made.finish(writer, *plan.trials)
    (warning,) = made.warned
    assert warning.startswith(f"{folder.database} is incomplete: ")
    assert "\n" not in warning


def reused_run(made, monkeypatch, lrs="[1e-3]", number=1):
    """A run that trains nothing; its folder, and whether it needed Optuna."""
    asked = []
    monkeypatch.setattr(StudyWriter, "_begin", lambda self, begin=StudyWriter._begin: (asked.append(1), begin(self)))
    plan = made.plan(lrs)
    assert {trial.status for trial in plan.trials} == {"reused"}
    writer, folder = made.writer(plan, number)
    with writer:
        pass
    return folder, bool(asked)


def test_a_run_of_the_same_trials_has_a_copy(made, monkeypatch):
    first = made.whole_run()
    again, is_written = reused_run(made, monkeypatch)
    assert not is_written
    assert again.database.read_bytes() == first.database.read_bytes()
    first.database.unlink()
    third, is_written = reused_run(made, monkeypatch, number=2)
    assert not is_written
    assert third.database.read_bytes() == again.database.read_bytes()


def test_a_study_that_another_tool_wrote_to_is_not_copied(made, monkeypatch):
    first = made.whole_run()
    storage = optuna.storages.RDBStorage(f"sqlite:///{first.database}")
    optuna.load_study(study_name="made/base", storage=storage).set_user_attr("note", "mine")
    storage.engine.dispose()
    again, is_written = reused_run(made, monkeypatch)
    assert is_written
    assert points(again) == points(first)
    assert b"mine" not in again.database.read_bytes()


def test_a_study_of_other_variants_is_not_copied(made, monkeypatch):
    made.whole_run("[1e-3, 1e-4]")
    fewer, is_written = reused_run(made, monkeypatch, "[1e-4]")
    assert is_written
    assert points(fewer) == [("base", 2), ("lr=1e-4", 2)]


def test_a_damaged_seal_is_passed_over(made):
    first = made.whole_run()
    plan = made.plan()
    _, again = made.writer(plan, 1)
    whole = first.study_seal.read_bytes()
    for content in (b"", b"[]", b"{", b"\xff", b"{}", json.dumps({**json.loads(whole), "sha256": None}).encode()):
        first.study_seal.write_bytes(content)
        assert not copy_earlier_study(again, plan)
        assert not again.database.exists()
    first.study_seal.write_bytes(whole)
    assert copy_earlier_study(again, plan)
