"""The plan: every trial of a spec, and the jobs they run in."""

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field

from craftc.schemas.analysis_plan import AnalysisPlan
from craftc.schemas.artefact import PlannedArtefact
from craftc.schemas.frozen import Frozen, List


class Headline(Frozen):
    """The metric that the conclusion is drawn from; `mode` says which way is better."""

    split: str
    metric: str
    mode: Literal["min", "max"]

    @property
    def name(self) -> str:
        """As it stands in a record: `<split>/<metric>`."""
        return f"{self.split}/{self.metric}"


class Stages(Frozen):
    """Fingerprints of what a trial's stages read: those of its prepared data, and of the steps of its training.

    `weights` is that of the weights that training ends with and of those that are the best: also of when it stops and
    which epoch is selected. None in a plan of earlier versions. `features` is that of what a frozen backbone makes of
    the data; None of a model that has none.
    """

    prepare: str
    train: str
    weights: str | None = None
    features: str | None = None


class CheckpointEvery(Frozen):
    """How often the state of a training is saved within a record: one of the two is given. Steps are those of the whole
    training."""

    steps: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0)


class GradientBounds(Frozen):
    """The norms that a layer's gradient is expected to have; both ends are within."""

    below: float = Field(ge=0)
    above: float = Field(gt=0)


class Trial(Frozen):
    """A variant with its seed, fully resolved. `id` is its fingerprint.

    `config` holds the sections data, model, objective, regularization, training and evaluation as plain JSON values,
    every default filled in, file paths absolute. `aliases` are the other variants that came out the same. `shares` is
    the trial in whose training this one is trained along, in the same job. `read_off` is the finished trial of the
    store that has the weights of this one, of which no step is taken. Trials of one `group` could be trained as
    one batch; None where no other could be trained with it. `fold`, from 0, is held out of the splits; None without.
    `checkpoint_every` is how often the state of its training is saved within a record; None: at its end alone.
    `micro_batch` is how many samples a step takes at a time, "auto": as many as fit, None: all.
    `keep_weights_every` are numbers of records: after each multiple of one of them the weights are kept for artefacts.
    `gradient_bounds` are what the report holds the norms of its gradients to; None where they are not recorded.
    """

    id: str = Field(pattern=r"^[0-9a-f]{64}$")
    variant: str
    aliases: List[str] = ()
    seed: int = Field(ge=0)
    fold: int | None = Field(None, ge=0)
    overrides: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any]
    status: Literal["new", "reused"] = "new"
    job: int | None = None
    stages: Stages | None = None
    shares: str | None = None
    read_off: str | None = None
    group: int | None = None
    checkpoint_every: CheckpointEvery | None = None
    micro_batch: int | Literal["auto"] | None = None
    keep_weights_every: List[int] = ()
    gradient_bounds: GradientBounds | None = None

    @property
    def replicate(self) -> str:
        """What it is called among the trials of its variant: `seed0`, `seed0_fold2`."""
        return f"seed{self.seed}{'' if self.fold is None else f'_fold{self.fold}'}"

    @property
    def is_trained(self) -> bool:
        """Whether steps are taken for it, and not for another trial or in an earlier run."""
        return self.shares is None and self.read_off is None

    @property
    def is_program(self) -> bool:
        """Whether a function of the user's trains it, and not craftc."""
        return "program" in self.config

    @property
    def record_name(self) -> Literal["epoch", "record"]:
        """What people call one of its records: an epoch, where there is one after each."""
        return "record" if self.is_program or "every" in self.config.get("evaluation", {}) else "epoch"

    @property
    def epochs(self) -> int | None:
        """The most records that it makes, which are epochs unless its spec says otherwise; None where that is not known
        before it is trained."""
        every: dict[str, int] = self.config.get("evaluation", {}).get("every", {"epochs": 1})
        (unit, length), *_ = every.items()
        most = self.config.get("training", {}).get("epochs" if unit == "epochs" else "max_steps")
        return -(-most // length) if isinstance(most, int) else None


class JobResources(Frozen):
    """What a job's process is given; with several `workers`, each of them. `gpu` may be a fraction for one worker."""

    workers: int = Field(1, ge=1)
    cpu: int = Field(1, ge=1)
    gpu: float = Field(0.0, ge=0)


class Job(Frozen):
    """Trials that run in one process, one after another; those that share a training, together. `trials` are ids of
    the plan."""

    trials: List[str]
    batched: bool = False
    resources: JobResources = Field(default_factory=JobResources)


class SearchPlan(Frozen):
    """What is searched, and how. Each of `variants` gets a study of its own, of `trials` proposed points.

    `space` is path to range as written (`{"log_uniform": [1e-5, 1e-2]}`); `sampler` and `pruner` have every argument.
    A point is trained with all `seeds`, one after another, and judged by the mean of `metric` over them.
    """

    metric: str
    mode: Literal["min", "max"]
    space: dict[str, dict[str, Any]]
    sampler: dict[str, Any]
    pruner: dict[str, Any]
    trials: int = Field(ge=1)
    seed: int = Field(ge=0)
    variants: List[str]
    resources: JobResources = Field(default_factory=JobResources)


class Plan(Frozen):
    """Everything that a spec asks for. `trials` are in the order in which variants and seeds were written.

    `budget_hours`: hours of training, times workers, after which a run begins no more of them.
    `factors` are the paths that the trials vary, with the value of the spec as written; None where it has none.
    `unshared` says why trials that could share a training do not.
    `import_folders` are where workers find the user's own components, absolute; none where no trial names one.
    `artefacts` are made from the trials that have ended.
    `analysis_plan` says how the report judges.
    """

    format_version: Literal["1.0"] = "1.0"
    name: str
    baseline: str
    headline: Headline
    trials: List[Trial]
    folded: int = Field(0, ge=0)
    jobs: List[Job] = ()
    max_concurrent: int | None = None
    budget_hours: float | None = None
    factors: dict[str, Any] = Field(default_factory=dict)
    search: SearchPlan | None = None
    unshared: str | None = None
    import_folders: List[str] = ()
    artefacts: List[PlannedArtefact] = ()
    analysis_plan: AnalysisPlan = Field(default_factory=AnalysisPlan)

    def look_of(self, trial: Trial) -> int:
        """The look for which a trial is trained, counted from 0: where seeds are added until its variant is decided."""
        return self.analysis_plan.look_of(trial.seed - self._first_seed)

    @cached_property
    def _first_seed(self) -> int:
        return min((trial.seed for trial in self.trials), default=0)

    def trial(self, trial_id: str) -> Trial:
        """The trial of that fingerprint. Raises KeyError where there is none."""
        return self._by_id[trial_id]

    @cached_property
    def _by_id(self) -> dict[str, Trial]:
        return {trial.id: trial for trial in self.trials}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; a copy finds its own trials."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("_by_id", None)
        copied.__dict__.pop("_first_seed", None)
        return copied

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """As pydantic's, with Python's collector of cycles paused.

        Nothing that is made here can be garbage, and looking through all of it again and again would take two thirds of
        the time that a hundred thousand trials need.
        """
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return super().model_validate_json(json_data, **options)
        finally:
            if was_enabled:
                gc.enable()

    def json_lines(self) -> Iterator[str]:
        """The plan as JSON, each of its many trials and jobs a line, so that no one text holds them all."""
        rest = self.model_dump(mode="json", exclude={"trials", "jobs"})
        yield "{\n"
        yield from (f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in rest.items())
        yield from _json_list("trials", self.trials)
        yield ",\n"
        yield from _json_list("jobs", self.jobs)
        yield "}\n"


def _json_list(name: str, values: Iterable[Frozen]) -> Iterator[str]:
    yield f'"{name}": ['
    for index, value in enumerate(values):
        yield f"{',' if index else ''}\n{value.model_dump_json()}"
    yield "]"


VariantTrials = dict[str, tuple[Trial, ...]]


def first_replicates(plan: Plan) -> frozenset[str]:
    """The trials that are the first of a variant."""
    return frozenset(trials[0].id for trials in variant_trials(plan).values())


def variant_trials(plan: Plan) -> VariantTrials:
    """Every variant's trials, in the order of the plan; a variant that was folded into another follows it."""
    by_variant: dict[str, dict[tuple[int, int | None], Trial]] = {}
    for trial in plan.trials:
        for name in (trial.variant, *trial.aliases):
            by_variant.setdefault(name, {}).setdefault((trial.seed, trial.fold), trial)
    return {name: tuple(trials.values()) for name, trials in by_variant.items()}
