"""Steps that are compiled: the same training but for rounding, compiled once, and not where that is not worth it."""

import json
import logging
import math
import shutil
from dataclasses import asdict

import pytest
import torch
from torch._dynamo.utils import counters

from craftc.training.compiling import compiling
from craftc.training.compiling.compile_finding import FOLDER, CompileFinding
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.trial import train_trial

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler")

# 655 samples in batches of 32: the last of an epoch is of 15.
SHORT = {
    "regularization.ema_decay": 0.9,
    "training.epochs": 2,
    "training.batch_size": 32,
}
COMPILED = SHORT | {"training.compile": True}
AUTO = SHORT | {"training.compile": "auto"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One for all tests of the file, so that what is compiled for one is there for the next."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def run(store):
    def run(trial, folder, num_epochs=None):
        # For every test anyway; what a whole file looks at runs before that is done.
        torch.set_num_threads(1)
        epochs = train_trial(trial, folder=folder, device="cpu", prepared=store / "prepared")
        records = []
        while len(records) != num_epochs:
            try:
                records.append(next(epochs))
            except StopIteration as end:
                return [record.metrics for record in records], end.value
        epochs.close()
        return [record.metrics for record in records], None

    return run


@pytest.fixture
def findings(store):
    """The findings of the store; forgotten afterwards, while what was compiled is kept."""
    yield lambda: [json.loads(path.read_text()) for path in (store / FOLDER).glob("*.json")]
    for path in (store / FOLDER).glob("*.json"):
        path.unlink()


@pytest.fixture(scope="module")
def plain(make_trial, run, tmp_path_factory):
    """The trial as it stands: its metrics, and its result."""
    return run(make_trial(SHORT), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def compiled(make_trial, run, tmp_path_factory):
    """The same compiled, with the number of graphs that this took."""
    counters.clear()
    metrics, result = run(make_trial(COMPILED), tmp_path_factory.mktemp("compiled"))
    return metrics, result, counters["stats"]["unique_graphs"]


def losses(metrics):
    return [epoch["train/objective"] for epoch in metrics]


def test_a_compiled_trial_is_the_trial_but_for_rounding(plain, compiled, store):
    metrics, result = plain
    assert not result.execution.compiled
    of_compiled, result, num_graphs = compiled
    assert result.execution.compiled
    assert losses(of_compiled) == pytest.approx(losses(metrics), rel=1e-4)
    # One graph for both epochs: a last batch that is smaller is not compiled.
    assert num_graphs == 1
    assert list((store / FOLDER / "kernels").glob("*"))


def test_a_resumed_trial_equals_a_straight_one_and_finds_its_step_compiled(make_trial, run, compiled, tmp_path):
    trial = make_trial(COMPILED)
    straight, *_ = compiled
    run(trial, tmp_path / "cut", num_epochs=1)
    counters.clear()
    rest, _ = run(trial, tmp_path / "cut")
    assert rest == straight[1:]
    found = counters["inductor"]["fxgraph_cache_hit"] + counters["aot_autograd"]["autograd_cache_hit"]
    assert found
    assert not counters["inductor"]["fxgraph_cache_miss"]


def test_the_batches_of_a_step_are_compiled(make_trial, run, tmp_path):
    # Each has dropout of its own, which what is compiled for the first is given.
    parts = {"training.batch_size": 8, "training.accumulate": 4, "training.epochs": 1, "model.dropout": 0.3}
    plain, _ = run(make_trial(SHORT | parts), tmp_path / "plain")
    compiled, result = run(make_trial(COMPILED | parts), tmp_path / "compiled")
    assert result.execution.compiled
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-4)


def test_a_sum_of_terms_is_compiled_as_one_objective_is(make_trial, run, tmp_path):
    term = {"kind": "cross_entropy", "class_weights": "balanced"}
    terms = {"plain": {"kind": "cross_entropy", "weight": 0.25}, "weighted": {**term, "weight": 0.75}}
    own = {"objective": {"terms": terms, "metrics": []}, "training.epochs": 1}
    plain, _ = run(make_trial(SHORT | own), tmp_path / "plain")
    compiled, result = run(make_trial(COMPILED | own), tmp_path / "compiled")
    assert result.execution.compiled
    for name in ("train/objective", "train/plain_objective", "train/weighted_objective"):
        assert compiled[0][name] == pytest.approx(plain[0][name], rel=1e-4)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A model that looks at its numbers to decide what to do, which torch cannot compile; and has running means."""
    (tmp_path / "looks.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, *, num_classes):\n"
        "        super().__init__()\n"
        "        self.norm = torch.nn.BatchNorm1d(64)\n"
        "        self.head = torch.nn.Linear(64, num_classes)\n"
        "    def forward(self, x):\n"
        "        x = self.norm(x.flatten(1))\n"
        "        x = x if x.sum().item() > 0 else x + 1\n"
        "        return self.head(torch.nn.functional.dropout(x, 0.1, self.training))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return {"model": {"kind": "looks:Net", "num_classes": "infer"}}


def test_a_step_that_cannot_be_compiled_is_said_to_be(make_trial, run, tmp_path, own):
    with pytest.raises(
        TrainingError, match=r"^training\.compile is true, and torch cannot compile the step: "
    ) as caught:
        run(make_trial(COMPILED | own), tmp_path / "compiled")
    assert caught.value.code == "not-compilable"
    assert "\n" not in caught.value.message


def test_auto_goes_on_with_what_cannot_be_compiled(make_trial, run, tmp_path, own, findings, monkeypatch, caplog):
    monkeypatch.setattr(compiling, "LEAST_TRY_S", 0.0)
    plain, _ = run(make_trial(SHORT | own), tmp_path / "plain")
    with caplog.at_level(logging.WARNING):
        tried, result = run(make_trial(AUTO | own), tmp_path / "auto")
    assert tried == plain
    assert result.execution.uncompiled_because.startswith("torch cannot compile the step: ")
    assert "training goes on with its step as it stands: torch cannot compile the step" in caplog.text
    assert [found["because"] for found in findings()] == [result.execution.uncompiled_because]


def test_a_model_that_changes_itself_is_not_compiled_for_every_step(make_trial, run, tmp_path, monkeypatch):
    (tmp_path / "counts.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    calls = 0\n"
        "    def __init__(self, *, num_classes): super().__init__(64, num_classes)\n"
        "    def forward(self, x):\n"
        "        self.calls += 1\n"
        "        return super().forward(x.flatten(1)) / self.calls\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = COMPILED | {"model": {"kind": "counts:Net", "num_classes": "infer"}}
    with pytest.raises(TrainingError, match="changes from step to step what a compiled step takes as given"):
        run(make_trial(settings), tmp_path / "compiled")


def test_auto_leaves_a_short_training_as_it_is(make_trial, run, plain, tmp_path, findings):
    auto, result = run(make_trial(AUTO), tmp_path / "auto")
    assert auto == plain[0]
    assert not result.execution.compiled
    assert "too few for a first try" in result.execution.uncompiled_because
    # What is left is counted behind the steps that were measured.
    [found] = findings()
    assert 0 < found["num_left"] < 2 * 21
    assert not found["compiled"]


def test_many_short_trainings_are_tried_as_a_long_one_is(make_trial, run, store, tmp_path, findings):
    run(make_trial(AUTO, seed=1), tmp_path / "first")
    _, result = run(make_trial(AUTO, seed=2), tmp_path / "second")
    assert "s of trials like it: too few" in result.execution.uncompiled_because
    [path] = (store / FOLDER).glob("*.json")
    found = json.loads(path.read_text())
    # Ten times as many as it takes: the third measures its own steps, which a busy machine may let be faster.
    path.write_text(json.dumps(found | {"num_left": math.ceil(10 * compiling.LEAST_TRY_S / found["plain"])}))
    run(make_trial(AUTO, seed=3), tmp_path / "third")
    [found] = findings()
    assert found["compiled"] > 0
    assert found["num_left"] == 0


def test_auto_measures_and_keeps_what_it_found(make_trial, run, plain, tmp_path, findings, monkeypatch):
    monkeypatch.setattr(compiling, "LEAST_TRY_S", 0.0)
    measured, result = run(make_trial(AUTO), tmp_path / "auto")
    [found] = findings()
    assert min(found["plain"], found["compiled"], found["cost"]) > 0
    assert result.execution.compiled == (found["plain"] >= compiling.LEAST_GAIN * found["compiled"])
    assert losses(measured) == pytest.approx(losses(plain[0]), rel=1e-4)


@pytest.fixture(scope="module")
def finding_of_auto(make_trial, run, store, tmp_path_factory):
    """Where the store keeps what it found of the trial."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiling, "LEAST_TRY_S", 0.0)
        run(make_trial(AUTO), tmp_path_factory.mktemp("auto"))
    [path] = (store / FOLDER).glob("*.json")
    return path


@pytest.mark.parametrize(
    ("finding", "because"),
    [
        (CompileFinding(1.0, 0.5, 2.0), None),
        (CompileFinding(1.0, 0.5, 200.0), "that takes 200.0 s, and the steps that remain would take 21.0 s less"),
        (CompileFinding(1.0, 0.5, 200.0, num_left=800), None),
        (
            CompileFinding(1.0, 0.5, 200.0, num_left=60),
            "that takes 200.0 s, and the steps that remain would take 21.0 s less, after 30.0 s of trials like it",
        ),
        (CompileFinding(1.0, 0.99, 0.0), "compiled it takes 990 ms, and 1e+03 ms as it stands"),
    ],
    ids=["pays", "costs too much", "has long been left", "has not been left long", "gains nothing"],
)
def test_auto_decides_by_what_was_found(
    make_trial, run, plain, compiled, finding_of_auto, tmp_path, findings, finding, because
):
    finding_of_auto.write_text(json.dumps(asdict(finding)))
    found, result = run(make_trial(AUTO), tmp_path / "then")
    assert result.execution.compiled == (because is None)
    assert result.execution.uncompiled_because == because
    dear = because is not None and because.startswith("that takes")
    assert [left["num_left"] for left in findings()] == [finding.num_left + 42 if dear else 0]
    # From its first step on.
    assert found == (compiled if because is None else plain)[0]


def test_values_that_change_at_every_step_are_compiled_once(make_trial, run, tmp_path, monkeypatch):
    (tmp_path / "scaled.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, *, num_classes): super().__init__(64, num_classes)\n"
        "    def forward(self, x, scale): return super().forward(x.flatten(1)) * scale\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    values = {"scale": [{"kind": "linear", "start": 0.5, "end": 1.0, "epochs": 1}, {"kind": "constant", "value": 1.0}]}
    settings = {"model": {"kind": "scaled:Net", "num_classes": "infer"}, "training.values": values}
    plain, _ = run(make_trial(SHORT | settings), tmp_path / "plain")
    counters.clear()
    compiled, result = run(make_trial(COMPILED | settings), tmp_path / "compiled")
    assert result.execution.compiled
    assert counters["stats"]["unique_graphs"] == 1
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-4)
