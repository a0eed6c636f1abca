"""The same trial gives the same numbers: again, after another, in another process, and after an interruption."""

import json
import subprocess
import sys

import pytest
import torch

from craftc.training.foundation.random import key
from craftc.training.loop.trial import num_epochs_trained, train_trial

# All that has state: dropout, augmentation, EMA, Adam's moments, a plateau that reduces, early stopping that counts.
STATEFUL = {
    "training.epochs": 5,
    "regularization.ema_decay": 0.9,
    "training.schedule": [
        {"kind": "linear_warmup", "epochs": 1},
        {"kind": "reduce_on_plateau", "metric": "train/objective", "mode": "max", "factor": 0.5, "patience": 1},
    ],
    "training.early_stopping": {"metric": "train/objective", "mode": "max", "patience": 4, "min_delta": 0.0},
}


def numbers(records, result):
    """All that was measured, without the clock."""
    history = [record.model_dump(exclude={"seconds"}) for record in records]
    return history, result.model_dump(exclude={"seconds"})


def weights(folder):
    state = torch.load(folder / "checkpoints/last.pt", weights_only=True)
    return state["model"]


def interrupt(trial, folder, num_epochs):
    epochs = train_trial(trial, folder=folder, device="cpu")
    for _ in range(num_epochs):
        next(epochs)
    epochs.close()


def test_a_trial_does_not_depend_on_what_ran_before(make_trial, run_trial, tmp_path):
    a, b = make_trial(), make_trial({"model.hidden": [8], "training.epochs": 2}, seed=1)
    first = numbers(*run_trial(a, tmp_path / "first"))
    run_trial(b, tmp_path / "between")
    torch.rand(3)
    assert numbers(*run_trial(a, tmp_path / "again")) == first


def test_another_seed_gives_other_numbers(make_trial, run_trial, tmp_path):
    first, _ = run_trial(make_trial(), tmp_path / "first")
    other, _ = run_trial(make_trial(seed=1), tmp_path / "other")
    assert first[0].metrics["train/objective"] != other[0].metrics["train/objective"]


def test_another_process_gives_the_same_numbers(make_trial, run_trial, tmp_path):
    trial = make_trial()
    script = (
        "import sys, json, pathlib, torch\n"
        "from craftc.schemas.plan import Trial\n"
        "from craftc.training.loop.trial import train_trial\n"
        "torch.set_num_threads(1)\n"
        "trial = Trial.model_validate_json(sys.argv[1])\n"
        "records = train_trial(trial, folder=pathlib.Path(sys.argv[2]), device='cpu')\n"
        "print(json.dumps([record.metrics for record in records]))\n"
    )
    command = [sys.executable, "-c", script, trial.model_dump_json(), str(tmp_path / "elsewhere")]
    elsewhere = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    here, _ = run_trial(trial, tmp_path / "here")
    assert elsewhere == [record.metrics for record in here]


@pytest.mark.parametrize("num_epochs", [1, 2, 3, 4, 5])
def test_a_resumed_trial_equals_a_straight_one_bit_by_bit(make_trial, run_trial, tmp_path, num_epochs):
    trial = make_trial(STATEFUL)
    straight = numbers(*run_trial(trial, tmp_path / "straight"))
    folder = tmp_path / "resumed"
    interrupt(trial, folder, num_epochs)
    assert num_epochs_trained(trial, folder) == num_epochs
    rest, result = run_trial(trial, folder)
    assert numbers(rest, result) == (straight[0][num_epochs:], straight[1])
    resumed, expected = weights(folder), weights(tmp_path / "straight")
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, len(straight[0]) + 1))


def test_early_stopping_goes_on_counting_after_an_interruption(make_trial, run_trial, tmp_path):
    stopping = {"metric": "valid/accuracy", "mode": "max", "patience": 3, "min_delta": 1.0}
    trial = make_trial({"training.epochs": 9, "training.early_stopping": stopping})
    interrupt(trial, tmp_path, 2)
    _, result = run_trial(trial, tmp_path)
    assert result.epochs_trained == 4


def test_every_use_seed_and_counter_has_its_own_key():
    keys = {key(seed, use, n) for seed in range(20) for use in ("init", "order", "forward") for n in range(20)}
    assert len(keys) == 20 * 3 * 20
    assert key(0, "init") == 3445102780308344660, "a changed key changes every result: raise the semantics version"
