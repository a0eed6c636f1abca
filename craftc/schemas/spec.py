"""The spec: what the user wrote, validated, every default filled in.

A field that names components carries a `ComponentGroup` in its metadata; `compiler/checking/validate.py` checks the
arguments beside `kind` against the catalogue, and fills in their defaults.
"""

from typing import Annotated, Any, Literal, TypeVar, cast

from craftc.schemas.diagnostic import Path
from craftc.schemas.section import EmptiedByNone, Field, Section, SwitchedOffByNone
from craftc.schemas.splits import Fraction, Splits
from craftc.schemas.terms import OBJECTIVE, TERMS

T = TypeVar("T")


class ComponentGroup:
    """Marks a field whose value names a component (or a list of them) of one group of the catalogue."""

    def __init__(self, name: str) -> None:
        self.name = name


class FromEnvironment:
    """Marks a field of text that may hold `${env:NAME}`: what differs between machines and decides no result."""


# One word switches an optional thing off: `none`. An empty value is more often a slip than a wish, so it is refused.
OrNone = Annotated[T | None, SwitchedOffByNone()]
OrEmpty = Annotated[T, EmptiedByNone()]
List = tuple[T, ...]
FileName = Annotated[str, Field(min_length=1)]
OneOrMore = FileName | Annotated[List[FileName], Field(min_length=1)]


class Component(Section, open_to=Any):
    """A component by name: `kind`, and its arguments beside it."""

    kind: str = Field(description="Which one: a name that the section's reference lists.")

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, defaults filled in."""
        return dict(self.extra)


class Augmentation(Component):
    """A random change of train samples, and when it is made."""

    when: Literal["before_normalize", "after_normalize"] = Field(
        "before_normalize",
        description="before_normalize: of samples as the source gives them; after_normalize: of what the model gets.",
    )


class Data(Section):
    """Where samples come from and what is done to them before a model sees them."""

    source: Annotated[Component, ComponentGroup("sources")] = Field(description="Where the samples come from.")
    target: OrNone[FileName] = Field(
        None,
        description="The column to be predicted, where it is not the one that the source says: an input that is named "
        "here, such as x, is its own target, as of an autoencoder.",
    )
    splits: Splits = Field(
        default_factory=lambda: Splits(train=0.6, valid=0.2, test=0.2),
        description="Named parts of the data, by fraction or as they are given.",
    )
    normalize: Annotated[Component, ComponentGroup("normalizers")] = Field(
        default_factory=lambda: Component(kind="none"),
        description="Normalization, fitted on the train split alone.",
    )
    layout: Literal["source", "channels", "lines", "flat"] = Field(
        "source",
        description="Shape in which a model gets a sample. source: (H, W), (C, H, W) or (F), as the source gives it; "
        "channels: images as (C, H, W), grey ones with C = 1; lines: (H, C * W), a table as one line; flat: (F).",
    )
    augment: Annotated[List[Augmentation], ComponentGroup("augmentations")] = Field(
        (),
        description="Random changes of the train samples, in order, each sample by numbers of its own.",
        semantics_version=2,
    )
    views: int = Field(
        1,
        ge=1,
        le=16,
        description="Views of a sample in a step, each changed by the augmentations with numbers of its own. An "
        "objective such as info_nce compares the embeddings of 2 or more.",
    )


class Model(Component):
    """What is trained, and what of its output is its prediction."""

    output: Literal["none", "mean", "max", "first", "last"] = Field(
        "none",
        description="Of a model that returns (B, ..., C), one output for each position, what is taken for a sample: "
        "their mean, their largest numbers, the first or the last. none: the output as it is.",
    )


class Term(Component):
    """One summand of an objective."""

    weight: float = Field(
        1.0, ge=0, description="What its mean is multiplied by; a term of weight 0 is measured, and not trained."
    )


class Objective(Component):
    """What is minimised, and what is measured beside it."""

    kind: str = Field(
        required_unless=("terms",),
        description="Which one: a name that the section's reference lists. Not given where there are `terms`.",
    )
    terms: Annotated[OrEmpty[dict[str, Term]], ComponentGroup("objectives")] = Field(
        default_factory=dict,
        description="In the place of `kind`: objectives by names of your own, whose means are multiplied by their "
        "weights and added up. `none` takes a term away.",
        examples=[{"cosine": {"kind": "cosine", "weight": 0.9}, "mse": {"kind": "mse", "weight": 0.1}}],
    )
    metrics: Annotated[List[Component], ComponentGroup("metrics")] = Field(
        default_factory=lambda: (Component(kind="accuracy"),),
        description="Computed for every split beside the loss; the first is the headline unless report.metric says.",
    )

    @property
    def summands(self) -> dict[Path, Component]:
        """What it is a sum of, by its place in a spec: its terms, or itself alone. Only one without terms has a
        `kind`."""
        if self.terms:
            return {(*TERMS, name): self.terms[name] for name in sorted(self.terms)}
        return {} if self.kind is None else {OBJECTIVE: self}


class Regularization(Section):
    """What acts on the whole experiment whatever the model is. What is not given is left to the component's default."""

    dropout: float | None = Field(None, ge=0, lt=1, description="Handed to the model's argument of that name.")
    weight_decay: float | None = Field(None, ge=0, description="Handed to the optimizer's argument of that name.")
    label_smoothing: float | None = Field(
        None, ge=0, lt=1, description="Handed to the objective's argument of that name."
    )
    clip_grad_norm: OrNone[Annotated[float, Field(gt=0)]] = Field(
        None, description="Largest L2 norm of all gradients together; none to leave them be."
    )
    ema_decay: OrNone[Fraction] = Field(
        None, description="Evaluate an exponential moving average of the weights, decayed by this factor each step."
    )


class EarlyStopping(Section):
    """Stop when a recorded metric has not improved for a while."""

    metric: str = Field(description="A recorded metric, `<split>/<metric>`.", examples=["valid/loss"])
    mode: Literal["min", "max", "infer"] = Field(
        "infer", description="Which way is better; infer takes the metric's own direction."
    )
    patience: int = Field(ge=1, description="Epochs without improvement before stopping.", examples=[5])
    min_delta: float = Field(0.0, ge=0, description="A change no larger than this is no improvement.")


class Training(Section):
    """How the model is fitted."""

    epochs: int = Field(ge=1, description="Passes over the train split.", examples=[20])
    batch_size: int = Field(ge=1, description="Samples per step.", examples=[32])
    optimizer: Annotated[Component, ComponentGroup("optimizers")] = Field(
        description="What turns gradients into steps."
    )
    schedule: Annotated[List[Component], ComponentGroup("schedules")] = Field(
        default_factory=lambda: (Component(kind="constant"),),
        min_length=1,
        description="Learning-rate phases in order; all but the last say how many epochs they take.",
    )
    values: Annotated[OrEmpty[dict[str, Annotated[List[Component], Field(min_length=1)]]], ComponentGroup("values")] = (
        Field(
            default_factory=dict,
            description="Numbers that change over the training, by the name of the parameter of `forward` that takes "
            "each: phases in order, of which all but the last say how many epochs they take. A number alone is one "
            "constant phase; `none` leaves the parameter's default.",
            examples=[{"teacher_forcing": [{"kind": "linear", "start": 1.0, "end": 0.0}]}],
        )
    )
    early_stopping: OrNone[EarlyStopping] = Field(None, description="When to stop before the last epoch.")
    precision: Literal["float32", "bf16", "fp16", "float64"] = Field(
        "float32",
        description="bf16 and fp16 compute the model's large products in 16 bits; weights, optimizer and loss stay in "
        "float32. float64 computes everything in 64 bits, slowly.",
    )
    compile: bool | Literal["auto"] = Field(
        False,
        description="Compile the step (torch.compile). auto: where the steps that remain are measured to repay it.",
        examples=["auto"],
    )
    deterministic: bool = Field(
        False,
        description="Only operations that give the same bits when they run again, and no choice by measured times. The "
        "CPU needs it for the latter alone.",
    )


class Select(Section):
    """Which epoch's weights are the result."""

    metric: str = Field(
        description="A metric recorded at every epoch, `<split>/<metric>`.", examples=["valid/balanced_accuracy"]
    )
    mode: Literal["min", "max", "infer"] = Field(
        "infer", description="Which way is better; infer takes the metric's own direction."
    )


class Pass(Section, open_to=float):
    """Another way to measure the same weights. Any other key is a number that the model is given instead of its own."""

    views: Annotated[Component, ComponentGroup("views")] = Field(
        default_factory=lambda: Component(kind="none"),
        description="Views of each sample, whose predictions are averaged; none: the sample as it is.",
    )
    every_epoch: bool = Field(
        False,
        description="Whether it is measured after every epoch, on the splits for select, and not at the end alone. So "
        "is a pass by whose metric something is chosen.",
    )


class AfterStage(Component):
    """What is fitted to the outputs of the trained model, with the selected weights."""

    fit: FileName = Field(description="The split that it is fitted on, which is for calibrate.", examples=["calib"])


class Evaluation(Section):
    """How a trained model is judged."""

    select: OrNone[Select] = Field(
        None,
        is_off_by_default=False,
        description="Which epoch's weights are kept as best; by default the least valid/loss. none: the last epoch's.",
    )
    passes: OrEmpty[dict[str, Annotated[Pass | None, SwitchedOffByNone()]]] = Field(
        default_factory=dict,
        description="Name to another way to measure the best weights, recorded as `<split>/<name>.<metric>`.",
        examples=[{"tiles": {"views": {"kind": "tiles", "n": 2}}}],
    )
    after: Annotated[OrEmpty[List[AfterStage]], ComponentGroup("after_stages")] = Field(
        (),
        description="What is fitted to the outputs of the best weights, in order; recorded as "
        "`<split>/<kind>.<metric>`.",
        examples=[[{"kind": "temperature", "fit": "calib"}]],
    )


class Ablation(Section):
    """Which variants of the experiment are trained, and how often."""

    seeds: Annotated[int, Field(ge=1)] | Annotated[List[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)] = (
        Field(1, description="Replicates of each variant: how many, counted up from `seed`, or the list itself.")
    )
    features: OrEmpty[dict[str, Annotated[dict[str, Any], Field(min_length=1)]]] = Field(
        default_factory=dict,
        description="Feature name to the settings, path to value, that switch it off.",
        examples=[{"normalization": {"data.normalize": "none"}}],
    )
    sets: OrEmpty[dict[str, Annotated[List[str], Field(min_length=2)]]] = Field(
        default_factory=dict,
        description="Name to features that are off together; each set is a variant of that name.",
        examples=[{"all_off": ["normalization", "warmup"]}],
    )
    design: Annotated[
        List[Literal["leave_one_out", "add_one", "full_factorial", "one_at_a_time"]], Field(min_length=1)
    ] = Field(
        default=("leave_one_out",),
        description="Which features are off together. leave_one_out: full minus each; add_one: bare plus each; "
        "full_factorial: every combination; one_at_a_time: full minus each, and each value of `grid` by itself.",
    )
    grid: OrEmpty[dict[str, Annotated[List[Any], Field(min_length=1)]]] = Field(
        default_factory=dict,
        description="Path to values; every combination is a variant.",
        examples=[{"model.dropout": [0.0, 0.1], "training.batch_size": [32, 64]}],
    )
    zip: OrEmpty[dict[str, Annotated[List[Any], Field(min_length=1)]]] = Field(
        default_factory=dict,
        description="Path to values, all of one length; taken in step.",
        examples=[{"model.d_model": [32, 64], "model.num_heads": [2, 4]}],
    )
    combine: Literal["union", "product"] = Field(
        "union",
        description="union: features, grid and zip each vary the spec as written; product: every design of features "
        "is taken at every point of grid and zip.",
    )
    exclude: OrEmpty[List[Annotated[dict[str, Any], Field(min_length=1)]]] = Field(
        (),
        max_length=1000,
        description="Combinations, path to value, that are left out.",
        examples=[[{"model.dropout": 0.1, "training.batch_size": 64}]],
    )
    require: OrEmpty[List[str]] = Field(
        (),
        max_length=1000,
        description='Expressions over paths that every variant must meet: "model.d_model % model.num_heads == 0".',
        examples=[["model.d_model % model.num_heads == 0"]],
    )


class Slurm(Section):
    """What `craftc submit --slurm` asks of Slurm for the whole run."""

    nodes: int = Field(1, ge=1, description="Machines.")
    gpus_per_node: int | None = Field(
        None, ge=0, description="GPUs on each; by default those of a trial's workers there."
    )
    cpus_per_node: int | None = Field(
        None, ge=1, description="CPU cores on each; by default those of the trials that run there at the same time."
    )
    time_limit: str | None = Field(
        None, description="HH:MM:SS or D-HH:MM:SS; by default the partition's own.", examples=["04:00:00"]
    )
    partition: Annotated[str | None, FromEnvironment()] = Field(
        None, description="Where to run; by default Slurm's own choice."
    )
    account: Annotated[str | None, FromEnvironment()] = Field(
        None, description="Whom to charge; by default the user's own."
    )


Real = float
Whole = int
"""Names for the two in the class below, whose fields are called after the forms of a range."""
Ends = Field(min_length=2, max_length=2)


class ParameterRange(Section):
    """The values that a search may give a path: exactly one form, and `step` beside `uniform` or `int`."""

    uniform: Annotated[tuple[Real, ...], Ends] | None = Field(None, description="Lowest and highest number.")
    log_uniform: Annotated[tuple[Real, ...], Ends] | None = Field(
        None, description="Lowest and highest number above 0; each factor of ten is as likely as any other."
    )
    int: Annotated[tuple[Whole, ...], Ends] | None = Field(None, description="Lowest and highest whole number.")
    log_int: Annotated[tuple[Whole, ...], Ends] | None = Field(
        None, description="Lowest and highest whole number above 0; each factor of ten is as likely as any other."
    )
    choice: Annotated[tuple[Any, ...], Field(min_length=1)] | None = Field(
        None, description="The values themselves, in no order."
    )
    step: Annotated[Real, Field(gt=0)] | None = Field(None, description="Distance between values, from the lowest on.")

    @property
    def forms(self) -> "dict[str, tuple[Any, ...]]":
        """Each form that is given, with its ends or choices."""
        given = {name: getattr(self, name) for name in ("uniform", "log_uniform", "int", "log_int", "choice")}
        return {name: values for name, values in given.items() if values is not None}


class Optimize(Section):
    """What a search makes better."""

    metric: str = Field(
        description="A metric recorded at every epoch, `<split>/<metric>`; its mean over seeds and folds.",
        examples=["valid/loss"],
    )
    mode: Literal["min", "max", "infer"] = Field(
        "infer", description="Which way is better; infer takes the metric's own direction."
    )


class Search(Section):
    """Looks for better values than the spec's own; in an ablation, for each variant by itself."""

    use: OneOrMore | None = Field(
        None,
        description="Ranges from files, one or a list, the later winning: each the NAME of search_spaces/NAME.yaml in "
        "the folder of this file or one above, or a path from that folder.",
        examples=["vit_small"],
    )
    space: dict[str, ParameterRange] = Field(
        default_factory=dict,
        max_length=200,
        description="Path to range; takes the place of the same path in `use`.",
        examples=[{"training.optimizer.lr": {"log_uniform": [1e-4, 1e-2]}}],
    )
    optimize: Optimize = Field(description="What is made better.")
    sampler: Annotated[Component, ComponentGroup("samplers")] = Field(
        default_factory=lambda: Component(kind="tpe"), description="What proposes the next point."
    )
    pruner: Annotated[Component, ComponentGroup("pruners")] = Field(
        default_factory=lambda: Component(kind="none"), description="What stops a point that falls behind."
    )
    trials: int = Field(
        ge=1,
        description="Points that are proposed, each trained with all seeds, and folds; the spec's own is extra.",
        examples=[50],
    )


class Resources(Section):
    """What one trial needs. Never part of a trial's identity."""

    workers: int = Field(
        1, ge=1, description="Processes that train one trial together, each with its part of every batch."
    )
    cpus: int = Field(1, ge=1, description="CPU cores, and so torch threads, per worker.")
    gpus: float = Field(
        0.0, ge=0, description="GPUs per worker; below 1, for a trial of one worker, that share of one."
    )
    max_concurrent: OrNone[Annotated[int, Field(ge=1)]] = Field(
        None, description="Trials at the same time; none: as many as fit."
    )
    budget_hours: OrNone[Annotated[float, Field(gt=0)]] = Field(
        None,
        description="Hours of training, each worker's counted, after which a run begins no more trials; those that run "
        "finish, and the next run goes on. none: no bound.",
        examples=[12],
    )
    slurm: OrNone[Slurm] = Field(None, description="What `craftc submit --slurm` asks for, for the whole run.")


class Report(Section):
    """What is told of the results, and to whom. Never part of a trial's identity."""

    metric: str | None = Field(
        None, description="The headline, `<split>/<metric>`; by default the first metric on the test split."
    )
    trackers: Annotated[List[Component], ComponentGroup("trackers")] = Field(
        (),
        description="What is told of every trial and epoch while the run goes on.",
        examples=[[{"kind": "wandb", "project": "digits"}, "tensorboard"]],
    )


class Spec(Section):
    """An experiment."""

    craftc: Literal[1] = Field(description="Version of the language.")
    name: str = Field(
        pattern=r"^(?!.*\.$)[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="Names the folder of the experiment's runs.",
        examples=["vit-ablation"],
    )
    description: str = Field("", description="The question that the experiment asks.")
    extends: OneOrMore | None = Field(
        None,
        description="Specs, or parts of them, that this one goes on from: a path from the folder of this file, or a "
        "list of them, the later winning. What is written here wins over all of them.",
        examples=["base.yaml"],
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the first replicate.")
    data: Data = Field(description="Samples, splits, normalization, augmentation.")
    model: Annotated[Model, ComponentGroup("models")] = Field(description="What is trained.")
    objective: Annotated[Objective, ComponentGroup("objectives")] = Field(
        description="What is minimised, and the metrics."
    )
    regularization: Regularization = Field(
        default_factory=Regularization, description="What keeps any model from fitting noise."
    )
    training: Training = Field(description="Epochs, batches, optimizer, schedule, early stopping.")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="How a trained model is judged.")
    ablation: Ablation = Field(default_factory=Ablation, description="Which variants are trained.")
    search: OrNone[Search] = Field(None, description="Looks for better values than these.")
    resources: Resources = Field(default_factory=Resources, description="What one trial needs.")
    report: Report = Field(default_factory=Report, description="Trackers and the headline metric.")


REGULARIZED: dict[str, Path] = {
    "dropout": ("model",),
    "weight_decay": ("training", "optimizer"),
    "label_smoothing": ("objective",),
}
"""Keys of `regularization` that are handed to an argument of the same name, and whose."""

SECTIONS: dict[str, type[Section]] = {
    name: cast("type[Section]", Spec.fields[name].annotation)
    for name in ("data", "model", "objective", "regularization", "training", "evaluation")
}
"""The sections that decide a result, and their classes; an ablation varies nothing else."""
