"""What the store holds, and what it promises of what it holds."""

import json
import subprocess
import sys
import time

import pytest

from craftc.runtime.store.store import Store, StoreError
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.state.history import append_record

ID = "a" * 64
TRIAL = Trial(id=ID, variant="base", seed=3, config={"model": {"kind": "mlp"}})
RESULT = Result(
    trial=ID,
    best_epoch=1,
    epochs_trained=1,
    epochs_planned=1,
    steps=1,
    best={"valid/loss": 0.1},
    last={"valid/loss": 0.1},
    trivial={"valid/loss": 2.3},
    identities={"loss": "cross entropy"},
    num_parameters=1,
    split_sizes={"valid": 1},
    seconds=0.1,
    device="cpu",
    craftc_version="0.1.0",
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_result_is_read_back_as_it_was_written(store):
    assert not store.is_finished(ID)
    store.write_result(RESULT)
    assert store.is_finished(ID)
    assert store.result(ID) == RESULT
    assert [path.name for path in store.folder(ID).iterdir()] == ["result.json"]


def test_an_unfinished_trial_has_no_result(store):
    with pytest.raises(KeyError):
        store.result(ID)
    assert store.history(ID) == []


@pytest.mark.parametrize("content", ["", '{"trial": ', "{}", "null"])
def test_a_damaged_result_is_told_apart_from_none_and_finishes_nothing(store, content):
    store.write_result(RESULT)
    (store.folder(ID) / "result.json").write_text(content)
    with pytest.raises(StoreError, match=r"is (no result: |empty)") as caught:
        store.result(ID)
    assert caught.value.code == "result-unreadable"
    told = []
    is_finished = store.finished_of_many(told.append)
    assert not store.is_finished(ID)
    assert not is_finished(ID)
    assert not is_finished("b" * 64)
    assert told == [caught.value.message]


def test_a_write_that_fails_leaves_the_old_result(store, monkeypatch):
    store.write_result(RESULT)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        store.write_result(RESULT.model_copy(update={"steps": 2}))
    assert store.result(ID) == RESULT
    assert [path.name for path in store.folder(ID).iterdir()] == ["result.json"]


def test_a_writer_that_is_killed_leaves_no_half_result(store):
    script = (
        "import os, sys, pathlib\n"
        "from craftc.runtime.store.store import Store\n"
        "from craftc.schemas.result import Result\n"
        "os.replace = lambda *_: os._exit(9)\n"
        "Store(pathlib.Path(sys.argv[1])).write_result(Result.model_validate_json(sys.argv[2]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(store.root), RESULT.model_dump_json()], check=False)
    assert killed.returncode == 9
    assert not store.is_finished(ID)


def test_the_configuration_names_the_trial_and_its_seed(store):
    store.write_config(TRIAL)
    written = json.loads((store.folder(ID) / "config.json").read_text())
    assert written.pop("seal").startswith("sha256:")
    assert written == {"trial": ID, "seed": 3, "model": {"kind": "mlp"}}


def test_history_is_read_back_without_a_line_cut_short(store):
    store.write_config(TRIAL)
    records = [EpochRecord(trial=ID, epoch=n, step=10 * n, metrics={"valid/loss": 1 / n}, seconds=0.5) for n in (1, 2)]
    for record in records:
        append_record(store.folder(ID), record)
    with (store.folder(ID) / "metrics.jsonl").open("a") as file:
        file.write('{"trial": "aaa')
    assert store.history(ID) == records


def test_a_lock_keeps_others_out_until_it_is_released(store):
    with store.lock(ID):
        with pytest.raises(TimeoutError, match="is being trained by another process"), store.lock(ID, timeout_s=0.05):
            pass
        with store.lock("b" * 64, timeout_s=0.05):
            pass
    with store.lock(ID, timeout_s=0.05):
        pass


def test_a_lock_dies_with_its_process(store):
    script = (
        "import sys, time, pathlib\n"
        "from craftc.runtime.store.store import Store\n"
        "with Store(pathlib.Path(sys.argv[1])).lock(sys.argv[2]):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store.root), ID], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError), store.lock(ID, timeout_s=0.05):
            pass
        holder.kill()
        holder.wait()
    start = time.monotonic()
    with store.lock(ID, timeout_s=5):
        assert time.monotonic() - start < 5


def test_the_store_is_light_to_import():
    script = (
        "import sys, craftc.runtime.store.store, craftc.runtime.worker.job\n"
        "assert not {'torch', 'ray', 'numpy', 'wandb'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
