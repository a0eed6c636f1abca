"""The types a training computes in, and what is promised of its bits."""

import pytest
import torch

from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.trial import train_trial

SHORT = {"training.epochs": 2}
VIT = {
    "model": {
        "kind": "scanline_vit", "num_lines": "infer", "line_length": "infer", "num_classes": "infer",
        "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ffn": 16, "dropout": 0.1,
    },
    "regularization.ema_decay": 0.9,
}  # fmt: skip


def losses(found) -> list[float]:
    records, _ = found
    return [record.metrics["train/objective"] for record in records]


def state(folder):
    return torch.load(folder / "checkpoints/last.pt", weights_only=True)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("settings", [{}, VIT], ids=["mlp", "scanline_vit"])
def test_sixteen_bits_train_nearly_the_same_and_keep_weights_in_float32(
    make_trial, run_trial, tmp_path, precision, settings
):
    plain = losses(run_trial(make_trial(SHORT | settings), tmp_path / "plain"))
    lowered = losses(run_trial(make_trial(SHORT | settings | {"training.precision": precision}), tmp_path / "lowered"))
    assert lowered != plain
    assert lowered == pytest.approx(plain, rel=0.02)
    kept = state(tmp_path / "lowered")
    assert {weight.dtype for weight in kept["model"].values()} == {torch.float32}


def test_float64_starts_from_the_same_weights_and_differs_by_rounding(make_trial, run_trial, tmp_path):
    plain = losses(run_trial(make_trial(SHORT | VIT), tmp_path / "plain"))
    exact = losses(run_trial(make_trial(SHORT | VIT | {"training.precision": "float64"}), tmp_path / "exact"))
    assert exact != plain
    assert exact == pytest.approx(plain, rel=1e-4)
    assert {weight.dtype for weight in state(tmp_path / "exact")["model"].values()} == {torch.float64}


@pytest.mark.parametrize("precision", ["bf16", "fp16", "float64"])
def test_a_resumed_trial_equals_a_straight_one(make_trial, run_trial, tmp_path, precision):
    trial = make_trial({"training.precision": precision, "training.epochs": 3})
    straight = losses(run_trial(trial, tmp_path / "straight"))
    epochs = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    next(epochs)
    epochs.close()
    assert losses(run_trial(trial, tmp_path / "cut")) == straight[1:]


def test_gradients_too_large_for_fp16_cost_a_step_and_no_weight(make_trial, run_trial, tmp_path):
    # A sample's share of the gradient times 65,536, the first scale, is beyond fp16 in batches of 2.
    settings = {"training.precision": "fp16", "training.batch_size": 2, "training.epochs": 1}
    _, result = run_trial(make_trial(settings), tmp_path)
    assert state(tmp_path)["scaler"]["scale"] < 65536
    assert result.last["valid/accuracy"] > 0.5


def test_a_deterministic_trial_is_that_trial_and_leaves_the_process_as_it_was(make_trial, run_trial, tmp_path):
    plain = losses(run_trial(make_trial(SHORT), tmp_path / "plain"))
    fixed = losses(run_trial(make_trial(SHORT | {"training.deterministic": True}), tmp_path / "fixed"))
    assert fixed == plain
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_deterministic_form_is_named(make_trial, run_trial, tmp_path, monkeypatch):
    (tmp_path / "puts.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, *, num_classes): super().__init__(64, num_classes)\n"
        "    def forward(self, x):\n"
        "        x = x.flatten(1).clone()\n"
        "        return super().forward(x.put_(torch.tensor([0]), torch.zeros(1)))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = {"model": {"kind": "puts:Net", "num_classes": "infer"}}
    run_trial(make_trial(SHORT | own), tmp_path / "free")
    with pytest.raises(TrainingError, match="deterministic is true, and put_ does not have a deterministic") as caught:
        run_trial(make_trial(SHORT | own | {"training.deterministic": True}), tmp_path / "fixed")
    assert caught.value.code == "not-deterministic"
    assert not torch.are_deterministic_algorithms_enabled()
