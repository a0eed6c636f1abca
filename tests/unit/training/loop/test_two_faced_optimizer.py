"""An optimizer whose weights in training are not those that are judged, as schedulefree's: train() and eval()."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.loop.trial import train_trial

MODULE = '''
import torch

class ScheduleFree(torch.optim.Optimizer):
    """Schedule-free SGD (Defazio et al. 2024): steps are taken from y, and x, the mean of z, is judged."""

    def __init__(self, params, lr=0.1, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta, "num_steps": 0, "trains": False})

    @torch.no_grad()
    def train(self):
        self._switch(True, lambda beta: 1 - beta)

    @torch.no_grad()
    def eval(self):
        self._switch(False, lambda beta: 1 - 1 / beta)

    def _switch(self, trains, weight):
        for group in self.param_groups:
            for p in group["params"] if group["trains"] != trains else ():
                if "z" in self.state[p]:
                    p.lerp_(self.state[p]["z"], weight(group["beta"]))
            group["trains"] = trains

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            assert group["trains"], "a step outside of training"
            group["num_steps"] += 1
            for p in group["params"]:
                z = self.state[p].setdefault("z", p.clone())
                x = p.lerp(z, 1 - 1 / group["beta"])
                z.sub_(p.grad, alpha=group["lr"])
                x.lerp_(z, 1 / group["num_steps"])
                p.copy_(x.lerp(z, 1 - group["beta"]))
'''


@pytest.fixture
def trial(make_trial: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    (tmp_path / "schedule_free_sgd.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    optimizer = {"kind": "schedule_free_sgd:ScheduleFree", "lr": 0.5, "beta": 0.9}
    made = make_trial({"training.optimizer": optimizer, "training.epochs": 4})
    made.config["training"]["schedule"] = [{"kind": "constant"}]
    return made


def test_it_trains_by_hand_to_the_same_numbers(
    trial: Trial, run_trial: Callable[..., tuple[list[EpochRecord], Result]], tmp_path: Path
) -> None:
    records, result = run_trial(trial, tmp_path / "trial")
    assert result.best["valid/accuracy"] > 0.5
    # What is kept is what was judged: the weights of evaluation.
    state = torch.load(tmp_path / "trial" / "checkpoints" / "last.pt", weights_only=True)
    assert state["optimizer"] is not None
    assert records[-1].metrics["valid/loss"] < records[0].metrics["valid/loss"]


def test_a_resumed_trial_is_a_straight_one(
    trial: Trial, run_trial: Callable[..., tuple[list[EpochRecord], Result]], tmp_path: Path
) -> None:
    straight, whole = run_trial(trial, tmp_path / "straight")
    cut = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    first = [next(cut), next(cut)]
    cut.close()
    rest, resumed = run_trial(trial, tmp_path / "cut")
    assert [record.metrics for record in first + rest] == [record.metrics for record in straight]
    assert resumed.best == whole.best
