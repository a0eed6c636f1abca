"""Tries a trial before it is trained: the steps and the evaluation of training itself, on a few batches.

B: samples of a batch, T: tokens of a sample.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from craftc.compiler.reading.problem import all_of
from craftc.components.declared import gives_embeddings
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialWarning
from craftc.training.assemble import Parts
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.evaluate import evaluate_splits
from craftc.training.loop.live_memory import peak_bytes
from craftc.training.loop.train_steps import begin_record, came_to, train_steps
from craftc.training.loop.training import Training
from craftc.training.loop.trial import Ground, lay_ground, open_training
from craftc.training.parts.augmentations import leaves_range
from craftc.training.parts.causality import check_causal
from craftc.training.parts.model import check_output
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

NUM_STEPS = NUM_BATCHES = 2
MOST_AUGMENTED = 32
MOST_TIMED, TIMED_S = 20, 0.2
"""Steps that are timed beside those two: so many, or as many as take that long."""


@dataclass(frozen=True)
class Figures:
    """What was measured of a trial. `flops_per_sample` are those of the forward pass alone, `memory_bytes` the most
    that the model, its gradients, the optimizer and one step take at once; None where they cannot be counted. A loss
    that is no number leaves nothing to time. `micro_batch` counts the samples at a time, where that was asked for or
    found out, `num_removed` the parameters that `model.remove` takes away."""

    device: str
    num_parameters: int
    flops_per_sample: float | None
    seconds_per_step: float | None
    memory_bytes: int | None
    micro_batch: int | None = None
    num_removed: int = 0


def attempt(trial: Trial, *, device: str, prepared: Path | None = None, compiles: bool = False) -> TrialWarning | None:
    """Build all parts of a trial, take two steps and evaluate two batches of every split, as training does.

    Returns a warning: a loss that is no number depends on the seed, and ends one trial alone; an augmentation may leave
    the range of its inputs. Writes nothing but what
    takes long to prepare, into `prepared`. Without `compiles`, steps are taken as they stand. Raises DataError and
    TrainingError, and whatever else the user's own code raises.
    """
    ground = lay_ground(trial, device, prepared)
    with _opened(trial, ground, compiles=compiles) as training:
        return _try(training)


def measure(trial: Trial, *, device: str, prepared: Path | None = None) -> tuple[Figures, TrialWarning | None]:
    """As `attempt`, with the step compiled where the spec says so; and what a step then costs."""
    ground = lay_ground(trial, device, prepared)
    with _opened(trial, ground, compiles=True) as training:
        warning = _try(training)
        num_parameters, flops = training.parts.num_parameters, _flops_per_sample(training.parts, training)
        seconds = None
        with _unless_nan():
            seconds = _seconds_per_step(training)
        micro_batch, num_removed = training.parts.micro_batches.told, training.parts.num_removed
    with peak_bytes(ground.device) as peak, _opened(trial, ground, compiles=False) as training, _unless_nan():
        _take_steps(training, NUM_STEPS)
    return Figures(device, num_parameters, flops, seconds, peak.num_bytes, micro_batch, num_removed), warning


@contextmanager
def _unless_nan() -> Iterator[None]:
    """Leave off where the loss is no number: that depends on the seed, and ends one trial alone."""
    try:
        yield
    except TrainingError as error:
        if error.code != "nan-loss":
            raise


@contextmanager
def _opened(trial: Trial, ground: Ground, *, compiles: bool) -> Iterator[Training]:
    """The training of a trial as it stands before its first step, with its files in a folder that is removed."""
    wanted = trial.config["training"].get("compile", False)
    if wanted == "auto" or not compiles:
        wanted = False
    config = {**trial.config, "training": {**trial.config["training"], "compile": wanted}}
    with TemporaryDirectory(prefix="craftc_check_") as folder:
        member = Member(trial.model_copy(update={"config": config}), Path(folder))
        yield open_training(Start([member]), ground)


def _try(training: Training) -> TrialWarning | None:
    try:
        with _watched(training):
            _take_steps(training, NUM_STEPS)
        _check_causal(training)
        _evaluate(training)
    except TrainingError as error:
        if error.code != "nan-loss":
            raise
        # An augmentation that makes other values of its inputs is the likelier cause.
        return _left_range(training) or TrialWarning(code=error.code, message=error.message)
    return _left_range(training) or _unread(training)


def _unread(training: Training) -> TrialWarning | None:
    """Where the data has inputs that nothing is given."""
    parts, inputs = training.parts, training.examiner.inputs
    measures = (parts.objective_call, *parts.metric_set.calls.values())
    asked = parts.calls.model.columns.union(name for call in measures for _, name in call.named)
    unread = [name for name in inputs if name not in asked]
    if not unread:
        return None
    model = training.trial.config["model"]["kind"]
    given = f"model {model} is given {all_of(n for n in inputs if n in asked)} alone"
    message = f"{all_of(unread)} of the data {'is' if len(unread) == 1 else 'are'} read by nothing: {given}"
    return TrialWarning(code="column-unread", message=f"{message}; name it as a parameter of forward, or leave it out")


def _left_range(training: Training) -> TrialWarning | None:
    """Where an augmentation makes of some samples what no sample is like."""
    source, model = training.train.x[:MOST_AUGMENTED], training.splits["train"].x[:MOST_AUGMENTED]
    device = training.parts.device
    sentence = leaves_range(training.parts.augmentations, source.to(device), model.to(device))
    return None if sentence is None else TrialWarning(code="augmentation-range", message=sentence)


def _evaluate(training: Training) -> None:
    """Two batches of every split, by every pass and behind every stage after training too. On the CPU, where those are
    seconds of work, as few samples as two steps take, unless a metric needs more of them."""
    few, num_steps = 2 * training.batch_size, training.course.end_of(1)
    if training.parts.device.type == "cpu":
        splits = {name: split.head(few) for name, split in training.splits.items()}
        try:
            evaluate_splits(
                training.parts, splits, splits, epoch=1, num_steps=num_steps, batch_size=training.batch_size
            )
            training.examiner.try_others(training.trial, num_steps, few=few)
            return
        except TrainingError as error:
            if error.code == "nan-loss":
                raise
    evaluate_splits(
        training.parts,
        training.splits,
        training.splits,
        epoch=1,
        num_steps=num_steps,
        batch_size=training.batch_size,
        num_batches=NUM_BATCHES,
    )
    training.examiner.try_others(training.trial, num_steps, num_batches=NUM_BATCHES)


@contextmanager
def _watched(training: Training) -> Iterator[None]:
    """Raise TrainingError `model-output-shape` where the model gives no such output in training mode as it was seen to
    give in eval mode."""
    name = f"model {training.trial.config['model']['kind']}"

    def look(module: torch.nn.Module, given: tuple[torch.Tensor, ...], returned: object) -> None:
        calls = training.parts.calls
        is_one = calls.main is None
        target = None if gives_embeddings(training.trial.config) else training.examiner.target
        num_members = calls.members_in(returned) if isinstance(returned, torch.Tensor) else calls.num_members
        check_output(returned, name, given[0], target, " in training mode", is_one=is_one, num_members=num_members)

    handle = training.parts.model.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()


def _take_steps(training: Training, num_steps: int) -> None:
    """The first steps of the training; fewer where it has fewer. Raises TrainingError `nan-loss`."""
    parts, course = training.parts, training.course
    end, record = min(num_steps, course.num_steps), 1
    while course.first_of(record) < end:
        running = begin_record(parts, course.first_of(record))
        train_steps(parts, training.train, course, running, min(end, course.end_of(record)), record=record)
        came_to(parts, running, record)
        record += 1


def _check_causal(training: Training) -> None:
    """Of a model of text, whose targets are the tokens after its inputs."""
    split, calls = training.splits["train"], training.parts.calls
    if split.y is None or split.y.dim() != 2 or split.x.shape != split.y.shape or split.x.is_floating_point():
        return
    batch = split.batch(dict(split.head(2).columns)) | training.parts.values.at(0)
    x_BT, y_BT = batch[split.first], batch[split.target or ""]
    if not torch.equal(x_BT[:, 1:], y_BT[:, :-1]):
        return

    def logits(model: torch.nn.Module, x_BT: torch.Tensor) -> torch.Tensor:
        given = calls.given(calls.predict(model, {**batch, split.first: x_BT}), batch)
        return given.output.view(*x_BT.shape, -1)

    name = f"model {training.trial.config['model']['kind']}"
    check_causal(training.parts.evaluated, x_BT, split.num_classes, name, logits)


def _seconds_per_step(training: Training) -> float:
    start = time.perf_counter()
    _take_steps(training, 1)
    once = time.perf_counter() - start
    num_steps = min(MOST_TIMED, training.course.steps_per_pass, int(TIMED_S / once))
    if num_steps < 2:
        return once
    start = time.perf_counter()
    _take_steps(training, num_steps)
    return (time.perf_counter() - start) / num_steps


def _flops_per_sample(parts: Parts, training: Training) -> float | None:
    """By torch's own counter: a multiplication and an addition are two."""
    from torch.utils.flop_counter import FlopCounterMode

    split = training.splits["train"]
    few = split.head(2).columns
    batch = split.batch({name: column.clone() for name, column in few.items()}) | parts.values.at(0)
    parts.evaluated.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            parts.predict(batch)
    except Exception:
        return None  # an operation of the user's own that has no rule for it
    return float(counter.get_total_flops()) / len(batch[split.first])
