"""A trial trained by several workers is the trial trained by one: real processes, joined by gloo."""

import multiprocessing
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from craftc.schemas.plan import CheckpointEvery, Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.loop import train_steps
from craftc.training.loop.attempt import attempt
from craftc.training.loop.trial import train_trial
from craftc.training.parts.sync_batch_norm import each_has_all, sync_batch_norms
from craftc.training.parts.worker_group import ONE_WORKER, WorkerGroup
from craftc.training.state.checkpoint import last_path

# What float32 sums in another order may change over a few epochs; measured: at most 3e-7, after 20 epochs too.
TOLERANCE = 5e-6
MOST_WORKERS = 3
NO_DROPOUT = {"model.dropout": 0.0, "regularization.ema_decay": 0.9}
# AdamW and clipping would hide gradients that are all too large by one factor.
SCALE_MATTERS = {"training.optimizer": {"kind": "sgd", "lr": 0.1}, "regularization.clip_grad_norm": "none"}
SHARP_AND_AVERAGED = {
    "regularization.ema_decay": "none",
    "regularization.sam": {"rho": 0.1},
    "regularization.average": {"start": {"epochs": 1}, "every": {"epochs": 1}},
}

TERMS = {
    "terms": {
        "weighted": {"kind": "cross_entropy", "class_weights": "balanced", "weight": 0.7},
        "plain": {"kind": "cross_entropy", "label_smoothing": 0.1, "weight": 0.3},
        "measured": {"kind": "cross_entropy", "weight": 0.0},
    },
    "metrics": [{"kind": "accuracy"}],
}


def drain(epochs, num_epochs=None):
    records: list[EpochRecord] = []
    while num_epochs is None or len(records) < num_epochs:
        try:
            records.append(next(epochs))
        except StopIteration as end:
            return records, end.value
    epochs.close()
    return records, None


def train(workers: WorkerGroup, trial: Trial, folder: Path, num_epochs: int | None) -> Any:
    return drain(train_trial(trial, folder=folder, device="cpu", workers=workers), num_epochs)


def try_by_first(workers: WorkerGroup, trial: Trial) -> Any:
    return attempt(trial, device="cpu") if workers.is_first else "waits"


def normalize(workers: WorkerGroup, batch: torch.Tensor) -> Any:
    """Forward and backward of this worker's part through batch normalization."""
    module = nn.BatchNorm1d(3)
    sync_batch_norms(module)
    part = workers.part(batch).requires_grad_()
    out = module(part)
    (out**3).sum().backward()
    grad = torch.cat([module.weight.grad, module.bias.grad])
    dist.all_reduce(grad)
    found = [workers.whole(piece.detach(), len(batch)) for piece in (out, part.grad)]
    return [piece.tolist() for piece in (*found, grad, module.running_mean, module.running_var)]


def normalize_all(_workers: WorkerGroup, batch: torch.Tensor) -> Any:
    """The whole batch through batch normalization, as each worker does with fewer samples than workers."""
    module = nn.BatchNorm1d(3)
    sync_batch_norms(module)
    with each_has_all():
        out = module(batch)
    return [piece.tolist() for piece in (out.detach(), module.running_mean, module.running_var)]


def worker(rank: int, tasks: Any, results: Any) -> None:
    """Join one team after another, each for one function; importing torch anew for each would take seconds."""
    torch.set_num_threads(1)
    for size, store, function, arguments in iter(tasks.get, None):
        try:
            dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
            results.put((rank, function(WorkerGroup(rank, size), *arguments), None))
        except BaseException as error:
            results.put((rank, (type(error).__name__, str(error)), traceback.format_exc()))
        finally:
            dist.destroy_process_group()


@pytest.fixture(scope="module")
def workers():
    """The queues of three processes, and the one that all answer in."""
    context = multiprocessing.get_context("spawn")
    tasks, results = [context.Queue() for _ in range(MOST_WORKERS)], context.Queue()
    processes = [context.Process(target=worker, args=(rank, queue, results)) for rank, queue in enumerate(tasks)]
    for process in processes:
        process.start()
    yield tasks, results
    for queue in tasks:
        queue.put(None)
    for process in processes:
        process.join(20)


@pytest.fixture
def together(workers, tmp_path):
    """Run a function on `size` workers; what each returned, in order."""
    tasks, results = workers

    def run(size, function, *arguments, raises=False):
        store = tmp_path / "rendezvous"
        for queue in tasks[:size]:
            queue.put((size, store, function, arguments))
        found = sorted((results.get(timeout=300) for _ in range(size)), key=lambda item: item[0])
        store.unlink(missing_ok=True)
        assert raises or not any(error for *_, error in found), found
        return [result for _, result, _ in found]

    return run


def assert_same(found: tuple[list[EpochRecord], Result | None], expected: tuple[list[EpochRecord], Result | None]):
    for one, other in zip(found[0], expected[0], strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=TOLERANCE, abs=TOLERANCE)
    if expected[1] is not None:
        for part in ("best", "last", "trivial"):
            assert getattr(found[1], part) == pytest.approx(getattr(expected[1], part), rel=TOLERANCE, abs=TOLERANCE)
        exact = {"best", "last", "trivial", "seconds"}
        assert found[1].model_dump(exclude=exact) == expected[1].model_dump(exclude=exact)


@pytest.mark.parametrize(
    ("size", "batch_size", "last_batch", "settings"),
    [
        (2, 64, 15, {}),
        # Uneven parts; and last batches of fewer samples than workers.
        (2, 64, 15, SCALE_MATTERS),
        (2, 218, 1, SCALE_MATTERS),
        (3, 653, 2, SCALE_MATTERS),
        # Each worker drops of its own part what one worker drops of it.
        (2, 64, 15, {"model.dropout": 0.3}),
        # Terms that divide by different weights.
        (2, 64, 15, SCALE_MATTERS | {"objective": TERMS}),
        # The direction of SAM is that of the gradient of all workers.
        (2, 64, 15, SCALE_MATTERS | SHARP_AND_AVERAGED),
        # Norms of the gradient of all workers.
        (2, 64, 15, SCALE_MATTERS | {"evaluation.gradient_norms": True}),
    ],
)
def test_several_workers_train_what_one_trains(
    make_trial, run_trial, together, tmp_path, size, batch_size, last_batch, settings
):
    trial = make_trial({**NO_DROPOUT, **settings, "training.batch_size": batch_size})
    alone = run_trial(trial, tmp_path / "alone")
    assert alone[1].split_sizes["train"] % batch_size == last_batch
    first, *others = together(size, train, trial, tmp_path / "together", None)
    assert_same(first, alone)
    for other in others:
        # To the bit: what workers decide on must not differ between them.
        assert [record.metrics for record in other[0]] == [record.metrics for record in first[0]]
        assert other[1].best == first[1].best


@pytest.mark.parametrize(
    ("size", "batch_size", "accumulate", "micro_batch", "settings"),
    [
        (2, 16, 4, None, {"model.dropout": 0.3}),
        (2, 16, 4, None, {"objective": TERMS}),
        # Parts of 22 and 21 samples are 5 micro-batches each, and of 3 and 2 in the last batch.
        (3, 64, 1, 5, {"model.dropout": 0.3, "objective": TERMS}),
        # The last batch of an epoch has fewer samples than there are workers; so has one within a step.
        (3, 653, 1, "auto", {}),
        (3, 359, 4, 50, {"model.dropout": 0.3}),
    ],
)
def test_several_workers_accumulate_what_one_does(
    make_trial, run_trial, together, tmp_path, size, batch_size, accumulate, micro_batch, settings
):
    steps = {"training.batch_size": batch_size, "training.accumulate": accumulate}
    trial = make_trial({**NO_DROPOUT, **SCALE_MATTERS, **settings, **steps})
    alone = run_trial(trial, tmp_path / "alone")
    found = together(size, train, trial.model_copy(update={"micro_batch": micro_batch}), tmp_path / "together", None)
    told = found[0][1].execution.micro_batch
    assert told == (batch_size if micro_batch == "auto" else micro_batch)
    for records, result in found:
        plain = result.model_copy(update={"execution": alone[1].execution})
        assert_same((records, plain), alone)


def test_the_first_worker_tries_a_trial_without_the_others(make_trial, together):
    """What it measures is its own alone: a metric that asked the others would wait for them."""
    assert together(2, try_by_first, make_trial()) == [None, "waits"]


@pytest.mark.parametrize("augment", [[], [{"kind": "gaussian_noise", "std": 0.05, "p": 1.0}]], ids=["kept", "computed"])
def test_the_head_of_a_frozen_backbone_is_trained_by_several_workers(
    make_trial, run_trial, together, tmp_path, augment
):
    facts = {"num_features": "infer", "num_classes": "infer"}
    model = {
        "kind": "frozen_backbone",
        "backbone": {"kind": "mlp", "hidden": [12], **facts},
        "weights": "random",
        "features": "infer",
        "head": {"kind": "linear", **facts},
    }
    trial = make_trial({"model": model, "data.augment": augment})
    alone = run_trial(trial, tmp_path / "alone")
    for found in together(2, train, trial, tmp_path / "together", None):
        assert_same(found, alone)


def test_a_language_model_of_several_workers_is_that_of_one(make_trial, run_trial, together, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("a text, and once again: a text; what follows is known, mostly\n" * 30)
    decoder = {
        "kind": "decoder", "vocabulary_size": "infer", "context_length": "infer", "d_model": 16, "num_layers": 1,
        "num_heads": 2, "d_ffn": 32, "dropout": 0.1, "positions": "rotary", "tied": True,
    }  # fmt: skip
    settings = {
        "data.source": {"kind": "text_file", "path": str(text), "context_length": 16, "min_count": 1},
        "data.normalize": {"kind": "none"},
        "data.augment": [],
        "model": decoder,
        "objective.metrics": [{"kind": "bits_per_character"}, {"kind": "accuracy"}],
        # The last batch of an epoch, 5 of 69 windows, is split too; the last of evaluation is not.
        "training.batch_size": 16,
    }
    trial = make_trial(settings)
    alone = run_trial(trial, tmp_path / "alone")
    for found in together(3, train, trial, tmp_path / "together", None):
        assert_same(found, alone)


def test_an_interrupted_team_goes_on_from_the_store(make_trial, run_trial, together, tmp_path):
    trial = make_trial(NO_DROPOUT)
    straight = together(2, train, trial, tmp_path / "straight", None)[0]
    together(2, train, trial, tmp_path / "cut", 1)
    resumed, result = together(2, train, trial, tmp_path / "cut", None)[0]
    assert [record.epoch for record in resumed] == [2, 3]
    assert [record.metrics for record in resumed] == [record.metrics for record in straight[0][1:]]
    assert result.last == straight[1].last
    # And one worker goes on where several stopped.
    together(2, train, trial, tmp_path / "handed on", 2)
    assert_same((straight[0][2:], straight[1]), run_trial(trial, tmp_path / "handed on"))


def test_early_stopping_and_selection_are_those_of_one_worker(make_trial, run_trial, together, tmp_path):
    stopping = {"metric": "valid/loss", "mode": "min", "patience": 1, "min_delta": 0.2}
    trial = make_trial({**NO_DROPOUT, "training.early_stopping": stopping, "training.epochs": 8})
    alone = run_trial(trial, tmp_path / "alone")
    assert alone[1].epochs_trained < alone[1].epochs_planned
    for found in together(2, train, trial, tmp_path / "together", None):
        assert_same(found, alone)


def test_a_diverging_trial_fails_alike_on_every_worker(make_trial, together, tmp_path):
    trial = make_trial({"training.optimizer.lr": 1e30})
    failures = together(2, train, trial, tmp_path, None, raises=True)
    assert {name for name, _ in failures} == {"TrainingError"}
    assert "epoch 1" in failures[0][1]


def test_batch_normalization_is_over_the_whole_batch(together):
    # Five samples: parts of three and of two.
    batch = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 1.0, 100.0])
    module, whole = nn.BatchNorm1d(3), batch.clone().requires_grad_()
    out = module(whole)
    (out**3).sum().backward()
    grad = torch.cat([module.weight.grad, module.bias.grad])
    expected = [out.detach(), whole.grad, grad, module.running_mean, module.running_var]
    for found in together(2, normalize, batch):
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(torch.tensor(one), other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_batch_normalization_of_16_bits_is_summed_in_32(together, dtype):
    # Autocast gives it what a product came to. 1,200 samples: 16 bits cannot count them, nor add them up.
    batch = (torch.randn(1200, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 8.0, 60.0])).to(
        dtype
    )
    module = nn.BatchNorm1d(3)
    out = module(batch)
    assert out.dtype == dtype
    for found in together(2, normalize, batch):
        normalized, _, _, mean, var = found
        torch.testing.assert_close(torch.tensor(normalized), out.float(), rtol=0, atol=0.02)
        torch.testing.assert_close(torch.tensor([mean, var]), torch.stack([module.running_mean, module.running_var]))


def test_batch_statistics_of_fewer_samples_than_workers_are_those_of_one(together):
    batch = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    module = nn.BatchNorm1d(3)
    expected = module(batch).detach()
    for out, mean, var in together(3, normalize_all, batch):
        assert out == expected.tolist()
        assert [mean, var] == [module.running_mean.tolist(), module.running_var.tolist()]


def test_parts_of_a_batch_are_the_batch():
    batch = torch.arange(7)
    for size in (1, 2, 3, 7):
        parts = [WorkerGroup(rank, size).part(batch) for rank in range(size)]
        assert torch.cat(parts).tolist() == batch.tolist()
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert WorkerGroup(1, 8).part(batch) is batch
    assert ONE_WORKER.part(batch) is batch
    assert ONE_WORKER.whole(batch, 7) is batch
    assert ONE_WORKER.share(batch) is batch


def stopped_at(workers: WorkerGroup, trial: Trial, folder: Path, step: int) -> str:
    """Train up to a step at which all workers end."""
    take = train_steps.train_step

    def ending(parts: Any, batch: Any, number: int, norms: Any = None) -> Any:
        if number == step:
            raise InterruptedError
        return take(parts, batch, number, norms)

    train_steps.train_step = ending
    try:
        train(workers, trial, folder, None)
    except InterruptedError:
        return "stopped"
    finally:
        train_steps.train_step = take
    raise AssertionError("it came to its end")


def test_several_workers_go_on_within_a_record(together, make_trial, tmp_path):
    made = make_trial({"training.batch_size": 256, "training.epochs": 4, "evaluation.every": {"steps": 9}})
    trial = made.model_copy(update={"checkpoint_every": CheckpointEvery(steps=2)})
    straight, *_ = together(2, train, trial, tmp_path / "straight", None)
    assert together(2, stopped_at, trial, tmp_path / "cut", 5) == ["stopped", "stopped"]
    state = torch.load(last_path(tmp_path / "cut"), weights_only=True)
    assert (state["running"]["step"], state["progress"]["step"]) == (4, 0)
    resumed, *_ = together(2, train, trial, tmp_path / "cut", None)
    lines = [[record.model_dump(exclude={"seconds"}) for record in records] for records, _ in (straight, resumed)]
    assert lines[0] == lines[1]
    assert resumed[1].best == straight[1].best
