"""Makes the Results of trials whose training is over; only this module measures the splits that are final."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

import craftc
from craftc.components.sources.columns import Column
from craftc.components.tokenizers.vocabulary import VOCABULARY
from craftc.schemas.plan import Trial
from craftc.schemas.result import Execution, Metrics, Result
from craftc.training.assemble import Parts
from craftc.training.data.by_role import calibrating, final, judging, of_role, selecting
from craftc.training.data.device_split import DeviceSplit, to_device
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.best import not_finite
from craftc.training.loop.after_training import (
    Amount,
    Pass,
    build_passes,
    fit_stages,
    measure_pass,
    measure_stages,
    others_in_words,
)
from craftc.training.loop.evaluate import evaluate_splits, evaluate_trivial
from craftc.training.parts.after_stages import keep
from craftc.training.parts.terms import is_shipped
from craftc.training.parts.trivial import constant_output
from craftc.training.state.checkpoint import load_best
from craftc.training.state.gradient_norms import is_of_gradients
from craftc.training.state.member import Member
from craftc.training.state.progress import prefixes

Weights = Callable[[], Mapping[str, Any]]
_LATEST_OF_NOTHING: list[tuple[object, tuple[object, ...], Metrics]] = []
"""What predictors that know nothing of a sample came to, with the splits and what was measured: the trials of a job
mostly have the same, and of a short trial it is a tenth."""


class Examiner:
    """Measures the weights of an epoch on what is final once, for whichever trials ask; `keeps` the weights of the
    parts as they are, for trials that go on."""

    def __init__(
        self,
        parts: Parts,
        splits: dict[str, DeviceSplit],
        data: PreparedData,
        *,
        batch_size: int,
        keeps: bool,
    ) -> None:
        self._parts, self._splits, self._data = parts, splits, data
        self._batch_size, self._keeps = batch_size, keeps
        self._tested: dict[tuple[int, int], Metrics] = {}
        self._built: dict[str, Sequence[Pass]] = {}
        self._trivial: dict[tuple[float, ...], Metrics] = {}

    @property
    def target(self) -> Column | None:
        """What is to be predicted."""
        return self._data.splits["train"].target_column

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the columns that a model may be given."""
        return self._data.splits["train"].named("input")

    def conclude(self, member: Member) -> Result:
        """Its Result. Raises TrainingError `checkpoint-corrupt` and `nan-loss`."""
        parts, progress, config = self._parts, member.progress, member.trial.config
        if self._data.vocabulary is not None and parts.workers.is_first:
            # So that text can be made of its tokens where the data is no longer there.
            write_atomically(member.folder / VOCABULARY, self._data.vocabulary.as_json().encode())
        last = best = self._with_test(member, progress.metrics, progress.epoch)
        weights = None if progress.is_best else partial(self._best, member)
        if weights is not None:
            best = self._with_test(member, progress.best_metrics, progress.selected.epoch, weights)
        best = member.own(best | self._otherwise(member, weights))
        return Result(
            trial=member.trial.id,
            best_epoch=progress.selected.epoch,
            epochs_trained=progress.epoch,
            epochs_planned=member.known_course.num_records,
            steps=progress.step,
            best=best,
            last=last,
            trivial=member.own(self._of_nothing(member.known_course.end_of(progress.selected.epoch))),
            identities=self._identities(member),
            shares=self._shares(member),
            not_finite=progress.not_finite | _not_finite(best, last, member),
            num_parameters=parts.num_parameters,
            split_sizes={name: len(split) for name, split in self._splits.items()},
            seconds=progress.seconds,
            device=str(parts.device),
            craftc_version=craftc.__version__,
            execution=Execution(
                precision=config["training"].get("precision", "float32"),
                compiled=parts.compilation.is_compiled,
                uncompiled_because=parts.compilation.because,
                micro_batch=parts.micro_batches.told,
            ),
            classes=() if self._is_of_text else parts.class_names,
        )

    def know(self, member: Member, epoch: int, metrics: Metrics) -> None:
        """Take what an epoch's weights come to on what is final from these metrics, and do not measure it."""
        self._tested[epoch, member.known_course.end_of(epoch)] = metrics

    def _with_test(self, member: Member, metrics: Metrics, epoch: int, weights: Weights | None = None) -> Metrics:
        """The metrics of an epoch with those of what is final; `weights` are its own where the parts have others."""
        # The last records of members may be of one number, and end apart.
        place = epoch, member.known_course.end_of(epoch)
        if place not in self._tested:
            self._tested[place] = self._test(member, *place, weights)
        held = {n: value for n, value in metrics.items() if n not in member.trained and not is_of_gradients(n)}
        return member.own(held | self._tested[place])

    def _test(self, member: Member, epoch: int, num_steps: int, weights: Weights | None) -> Metrics:
        tested, size = final(self._splits, member.trial), self._batch_size
        with self._loaded(weights):
            return evaluate_splits(self._parts, self._splits, tested, epoch=epoch, num_steps=num_steps, batch_size=size)

    @contextmanager
    def _loaded(self, weights: Weights | None) -> Iterator[None]:
        """Within it the parts have these weights; None: those that they have."""
        model = self._parts.evaluated
        kept = copy.deepcopy(model.state_dict()) if self._keeps else None
        if weights is not None:
            model.load_state_dict(weights())
        try:
            yield
        finally:
            if kept is not None:
                model.load_state_dict(kept)

    def at_epoch(self, trial: Trial, epoch: int, num_steps: int) -> Metrics:
        """What the passes of a trial that are measured after every epoch come to, on the splits for select, behind so
        many steps."""
        found: Metrics = {}
        for each in self._passes(trial):
            if each.every_epoch:
                selects = selecting(self._splits, trial)
                amount = Amount(epoch, num_steps, self._batch_size)
                found |= measure_pass(self._parts, each, self._splits, selects, amount)
        return found

    def try_others(
        self, trial: Trial, num_steps: int, *, few: int | None = None, num_batches: int | None = None
    ) -> None:
        """Measure the first `few` samples, or `num_batches`, by every pass and behind every stage after training, with
        the values of the last of `num_steps` steps, and keep nothing. Raises TrainingError."""

        def some(splits: Mapping[str, DeviceSplit]) -> dict[str, DeviceSplit]:
            return dict(splits) if few is None else {name: split.head(few) for name, split in splits.items()}

        parts, splits, amount = self._parts, some(self._splits), Amount(1, num_steps, self._batch_size, num_batches)
        names = judging(splits, trial)
        for each in self._passes(trial):
            measure_pass(parts, each, splits, names, amount)
        if fitted_on := calibrating(self._data.splits, trial):
            fitted = fit_stages(parts, trial, some(to_device(fitted_on, parts.device, parts.precision.kept)), amount)
            measure_stages(parts, [stage for stage, _ in fitted], splits, names, amount)

    def _passes(self, trial: Trial) -> Sequence[Pass]:
        if trial.id not in self._built:
            self._built[trial.id] = build_passes(trial, self._parts, self.target)
        return self._built[trial.id]

    def _otherwise(self, member: Member, weights: Weights | None) -> Metrics:
        """What passes and after-stages come to, with the best weights."""
        trial, parts = member.trial, self._parts
        passes, fitted_on = self._passes(trial), calibrating(self._data.splits, trial)
        if not passes and not fitted_on:
            return {}
        epoch = member.progress.selected.epoch
        amount = Amount(epoch, member.known_course.end_of(epoch), self._batch_size)
        names, finals = judging(self._splits, trial), final(self._splits, trial)
        found: Metrics = {}
        with self._loaded(weights):
            for each in passes:
                # On the splits for select its epoch has it.
                of = finals if each.every_epoch else names
                found |= measure_pass(parts, each, self._splits, of, amount)
            if fitted_on:
                fitted = fit_stages(parts, trial, to_device(fitted_on, parts.device, parts.precision.kept), amount)
                for stage, text in fitted if parts.workers.is_first else ():
                    keep(stage, text, member.folder)
                found |= measure_stages(parts, [stage for stage, _ in fitted], self._splits, names, amount)
        return found

    def _identities(self, member: Member) -> dict[str, str]:
        """All that defines each number, of passes and after-stages with their names."""
        of_all, evaluation = self._parts.metric_set.identities, member.trial.config["evaluation"]
        plain = {name: of_all[name] for name in ("loss", *member.names)}
        how = others_in_words(evaluation)
        return plain | {f"{of}.{name}": f"{what}, {said}" for of, said in how.items() for name, what in plain.items()}

    def _shares(self, member: Member) -> tuple[str, ...]:
        """The names of the metrics that lie between 0 and 1."""
        shares = self._parts.metric_set.shares
        names = [name for name in member.names if name in shares]
        return (*names, *(f"{prefix}.{name}" for prefix in prefixes(member.trial) for name in names))

    def _best(self, member: Member) -> Mapping[str, Any]:
        parts = self._parts
        # What is shared with other workers must not be on a device of this one.
        device = parts.device if parts.workers.size == 1 else torch.device("cpu")
        weights = (
            load_best(member.folder, member.trial, device, epoch=member.progress.selected.epoch)
            if parts.workers.is_first
            else {}
        )
        return parts.workers.share(weights)

    def _of_nothing(self, num_steps: int) -> Metrics:
        """The metrics of predictors that know train and nothing of a sample, by an objective with the values of the
        last of so many steps."""
        numbers = tuple(float(value) for value in self._parts.values.after(num_steps).values())
        if numbers not in self._trivial:
            self._trivial[numbers] = self._known_of_nothing(numbers) or self._measured_of_nothing(num_steps, numbers)
        return self._trivial[numbers]

    def _measured_of_nothing(self, num_steps: int, numbers: tuple[float, ...]) -> Metrics:
        wanted = dict.fromkeys(self._parts.metric_set.trivial.values())
        constants = {name: constant_output(name, self._data) for name in wanted}
        measured = evaluate_trivial(
            self._parts, self._splits, constants, num_steps=num_steps, batch_size=self._batch_size
        )
        if self._is_built_in:
            _LATEST_OF_NOTHING[:] = [(self._data.splits, (self._what_is_measured, numbers), measured)]
        return measured

    def _known_of_nothing(self, numbers: tuple[float, ...]) -> Metrics | None:
        """What the latest trial came to, where this one has its data and is measured as it was."""
        for splits, measured, known in _LATEST_OF_NOTHING:
            is_same = measured == (self._what_is_measured, numbers)
            if splits is self._data.splits and is_same and self._is_built_in:
                return known
        return None

    @property
    def _is_of_text(self) -> bool:
        """Whether every token is a class."""
        return self.target is not None and self.target.kind == "token"

    @property
    def _what_is_measured(self) -> tuple[object, ...]:
        parts = self._parts
        how = (parts.device, parts.precision.kept, parts.deterministic, parts.workers.size, self._batch_size)
        return *parts.metric_set.identities.items(), *self._splits, *how

    @property
    def _is_built_in(self) -> bool:
        """Of what is a user's own nobody knows what else it depends on."""
        metrics = self._parts.metric_set.metrics.values()
        return is_shipped(self._parts.objective) and all(type(m).__module__.startswith("craftc.") for m in metrics)


def _not_finite(best: Metrics, last: Metrics, member: Member) -> dict[str, int]:
    """How often, of the best and the last epoch, each metric of what is final came to no finite number; and what is
    measured of the best alone, by passes and behind after-stages."""
    progress = member.progress
    plain = [last] if progress.is_best else [best, last]
    missing = [name for metrics in plain for name in not_finite(metrics, member.names) if not _is_other(name, member)]
    missing = [name for name in missing if of_role(name.partition("/")[0], member.trial) == "final"]
    others = [name for name in not_finite(best, member.names) if _is_other(name, member)]
    # Of a pass that is measured after every epoch, its epochs have said so.
    missing += [name for name in others if name not in progress.not_finite]
    return {name: missing.count(name) for name in missing}


def _is_other(name: str, member: Member) -> bool:
    """Whether a pass or an after-stage records a metric `<split>/<metric>`."""
    return name.partition("/")[2] not in ("loss", *member.names)
