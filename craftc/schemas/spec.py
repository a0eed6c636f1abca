"""The spec: what the user wrote, validated, every default filled in.

A field that names components carries a `ComponentGroup` in its metadata; `compiler/checking/validate.py` checks the
arguments beside `kind` against the catalogue, and fills in their defaults.
"""

from typing import Annotated, Any, Literal, TypeVar

from craftc.schemas.catalogue import RANGE_FORMS
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
    drop: OrEmpty[dict[str, OrNone[OneOrMore]]] = Field(
        default_factory=dict,
        description="Columns of a table that a model is not given, in groups by names of your own: each one name, or a "
        "list; `*` stands for anything, `?` for one character. `none` leaves the group in. Samples are divided, and "
        "copies found, before.",
        examples=[{"blood": ["s1", "s2"]}],
    )
    splits: Splits = Field(
        default_factory=lambda: Splits(train=0.6, valid=0.2, test=0.2),
        description="Named parts of the data, by fraction or as they are given.",
    )
    normalize: Annotated[Component, ComponentGroup("normalizers")] = Field(
        default_factory=lambda: Component(kind="none"),
        description="Normalization, fitted on the train split alone.",
    )
    tokenizer: Annotated[Component, ComponentGroup("tokenizers")] = Field(
        default_factory=lambda: Component(kind="char"),
        description="What a text is cut into; what is learned of it, is learned of the train split alone. Splits "
        "are the same stretches of the text whatever it is.",
    )
    layout: Literal["source", "channels", "lines", "flat"] = Field(
        "source",
        description="Shape in which a model gets a sample. source: (H, W), (C, H, W) or (F), as the source gives it, "
        "or what the model declares that it needs, such as channels; channels: images as (C, H, W), grey ones with "
        "C = 1; lines: (H, C * W), a table as one line; flat: (F).",
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


class Removal(Section):
    """Parts of a model that are taken out of it."""

    modules: OneOrMore = Field(
        description="Their names in the model, one pattern or a list: `*` stands for anything, dots included. Of "
        "modules within each other, the outermost. Where no module is so called, parameters and buffers, by zeros.",
        examples=["blocks.*.attn"],
    )
    by: Literal["infer", "zero", "identity"] = Field(
        "infer",
        description="What stands in the place of each. zero: zeros in the shape of its output, which takes away a "
        "residual branch; identity: its first input. infer: identity for normalizations, activations and dropouts; of "
        "any other module zero where the model adds its output to something, and identity elsewhere.",
    )


class Model(Component):
    """What is trained, what of its output is its prediction, and what is taken out of it or added to it."""

    output: Literal["none", "mean", "max", "first", "last"] = Field(
        "none",
        description="Of a model that returns (B, ..., C), one output for each position, what is taken for a sample: "
        "their mean, their largest numbers, the first or the last. none: the output as it is.",
    )
    remove: OrEmpty[dict[str, Annotated[Removal | None, SwitchedOffByNone()]]] = Field(
        default_factory=dict,
        description="Modules to be taken out of the model once it is built, by names of your own; what remains begins "
        "with the weights that it has in the whole model. A pattern alone is its `modules`; `none` leaves them in.",
        examples=[{"attention": {"modules": "blocks.*.attn", "by": "zero"}}],
    )
    adapter: Annotated[Component, ComponentGroup("adapters")] = Field(
        default_factory=lambda: Component(kind="none"),
        description="What is added to the model so that few of its weights are trained; none: nothing, and all are.",
        examples=[{"kind": "lora", "rank": 8}],
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


class Every(Section):
    """How long something takes to come again: exactly one of the two."""

    epochs: int | None = Field(None, ge=1, description="Passes over the train split.", examples=[1])
    steps: int | None = Field(None, ge=1, description="Steps of the whole training.", examples=[200])


class Average(Section):
    """Which weights of a training are averaged, and how; the average is evaluated and kept."""

    decay: OrNone[Fraction] = Field(
        None,
        description="What is left of the average each time: an exponential moving average. none: all weights count "
        "alike (SWA), and the statistics of batch normalization are estimated anew by a pass over train.",
    )
    start: OrNone[Every] = Field(
        None,
        description="Epochs or steps whose weights do not count; until the first that do, the weights themselves are "
        "evaluated. none: all count.",
        examples=[{"epochs": 15}],
    )
    every: Every = Field(
        default_factory=lambda: Every(steps=1),
        description="When weights are taken, counted from `start` on.",
        examples=[{"epochs": 1}],
    )


class SharpnessAware(Section):
    """Each step minimises the loss at the worst weights nearby (SAM), which takes two forward and backward passes."""

    rho: float = Field(
        0.05, gt=0, description="How far those weights are away, by the L2 norm of all of them together."
    )
    adaptive: bool = Field(
        False,
        description="Measure the distance relative to the size of each weight (ASAM); rho is then about ten times as "
        "large.",
    )


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
    adaptive_clip: OrNone[Annotated[float, Field(gt=0)]] = Field(
        None,
        description="Largest L2 norm of the gradient of a unit, which is a row of a matrix, as a share of that of its "
        "weights (adaptive gradient clipping), before clip_grad_norm; none to leave it be.",
        examples=[0.01],
    )
    ema_decay: OrNone[Fraction] = Field(
        None, description="Evaluate an exponential moving average of the weights, decayed by this factor each step."
    )
    average: OrNone[Average] = Field(
        None,
        description="Evaluate an average of the weights; `ema_decay` is short for {decay: ..., every: {steps: 1}}.",
        examples=[{"start": {"epochs": 15}, "every": {"epochs": 1}}],
    )
    sam: OrNone[SharpnessAware] = Field(
        None,
        description="Sharpness-aware minimisation, with whatever optimizer: the gradient of each step is that at the "
        "worst weights within `rho`.",
        examples=[{"rho": 0.05}],
    )


class EarlyStopping(Section):
    """Stop when a recorded metric has not improved for a while."""

    metric: str = Field(description="A recorded metric, `<split>/<metric>`.", examples=["valid/loss"])
    mode: Literal["min", "max", "infer"] = Field(
        "infer", description="Which way is better; infer takes the metric's own direction."
    )
    patience: int = Field(
        ge=1,
        description="Epochs without improvement before stopping; records, with `evaluation.every`.",
        examples=[5],
    )
    min_delta: float = Field(0.0, ge=0, description="A change no larger than this is no improvement.")


class ParameterGroup(Section):
    """Parameters that have a learning rate, or a weight decay, of their own."""

    parameters: OneOrMore = Field(
        description="Their names in the model, one pattern or a list: `*` stands for anything, dots included.",
        examples=["head.*"],
    )
    lr_scale: float = Field(
        1.0, ge=0, description="What the schedule's learning rate is multiplied by; 0: they are not trained."
    )
    weight_decay: OrNone[Annotated[float, Field(ge=0)]] = Field(
        None, description="Takes the place of the optimizer's; none: as without the group."
    )


class Training(Section):
    """How the model is fitted."""

    epochs: OrNone[Annotated[int, Field(ge=1)]] = Field(
        required_unless=("max_steps", "max_tokens"),
        description="Passes over the train split. Of `epochs`, `max_steps` and `max_tokens` one is required; of "
        "several the first that is reached ends the training.",
        examples=[20],
    )
    max_steps: OrNone[Annotated[int, Field(ge=1)]] = Field(
        None, description="Steps of the whole training, over as many passes as they take.", examples=[20000]
    )
    max_tokens: OrNone[Annotated[int, Field(ge=1)]] = Field(
        None,
        description="Tokens that the model reads in training, those that a mask leaves out not counted: the step with "
        "which they are reached is the last. Trainings of other context lengths and batches are compared by them.",
        examples=[1000000],
    )
    batch_size: int = Field(ge=1, description="Samples per step.", examples=[32])
    accumulate: int = Field(
        1,
        ge=1,
        description="Batches of a step, which is that of one batch as large as all of them. Batch normalization, and "
        "objectives that compare samples, see each batch by itself.",
    )
    optimizer: Annotated[Component, ComponentGroup("optimizers")] = Field(
        description="What turns gradients into steps."
    )
    decay: Literal["all", "weights"] = Field(
        "all",
        description="What the optimizer's weight decay is for. weights: not for parameters of fewer than two axes, as "
        "biases and the weights of normalizations are.",
    )
    groups: OrEmpty[List[ParameterGroup]] = Field(
        (),
        description="Parameters by name, with learning rates and weight decays of their own. Of several groups that "
        "name a parameter, the first has it.",
        examples=[[{"parameters": "head.*", "lr_scale": 10.0}]],
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="What the learning rate of a block of the model is multiplied by, to the power of how many blocks "
        "and the head follow it: the lower a block, the less it is changed. 1: alike for all.",
        examples=[0.75],
    )
    schedule: Annotated[List[Component], ComponentGroup("schedules")] = Field(
        default_factory=lambda: (Component(kind="constant"),),
        min_length=1,
        description="Learning-rate phases in order; all but the last say how many epochs or steps they take.",
    )
    values: Annotated[OrEmpty[dict[str, Annotated[List[Component], Field(min_length=1)]]], ComponentGroup("values")] = (
        Field(
            default_factory=dict,
            description="Numbers that change over the training, by the name of the parameter of `forward` that takes "
            "each: phases in order, of which all but the last say how many epochs or steps they take. A number alone "
            "is one constant phase; `none` leaves the parameter's default.",
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


class GradientNorms(Section):
    """The norms that a layer's gradient is expected to have."""

    below: float = Field(1e-7, ge=0, description="A layer whose mean over a record is smaller is told of as vanishing.")
    above: float = Field(
        100.0, gt=0, description="A layer whose largest norm in a record is greater is told of as exploding."
    )


class Evaluation(Section):
    """How a trained model is judged."""

    every: Every = Field(
        default_factory=lambda: Every(epochs=1),
        description="When a training records: what its steps came to, and every metric on the splits for select. "
        "Patience, plateaus and pruners count records. The end of the training is always one.",
        examples=[{"steps": 200}],
    )
    gradient_norms: OrNone[GradientNorms] = Field(
        None,
        description="Record the L2 norm of each layer's gradient before clipping: its mean over the steps of a record "
        "as `train/gradient_norm.LAYER`, the largest as `train/gradient_norm_max.LAYER`. It changes no step. The "
        "bounds decide what the report warns of, and are no part of a trial. none: no norms are recorded.",
        examples=[{"below": 1e-7, "above": 100}],
    )
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


class SeedsUntilDecided(Section):
    """Replicates that are added as long as it is undecided what a variant does."""

    at_least: int = Field(3, ge=2, description="Seeds that every variant gets.")
    at_most: int = Field(
        ge=3,
        description="Seeds that no variant gets more of. Between the two a run looks each time there are half as many "
        "more, and the boundaries of its tests allow for all looks.",
        examples=[12],
    )
    until: Literal["decided"] = Field(
        "decided",
        description="A variant whose verdict against the baseline is better, worse or equal gets no more.",
    )


class Ablation(Section):
    """Which variants of the experiment are trained, and how often."""

    seeds: (
        Annotated[int, Field(ge=1)]
        | Annotated[List[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)]
        | SeedsUntilDecided
    ) = Field(
        1,
        description="Replicates of each variant: how many, counted up from `seed`; the list itself; or {at_least: 3, "
        "at_most: 12, until: decided}, for more of what is undecided.",
    )
    features: OrEmpty[dict[str, Annotated[dict[str, Any], Field(min_length=1)]]] = Field(
        default_factory=dict,
        description="Feature name to the settings, path to value, that switch it off. `remove` is short for the entry "
        "of `model.remove` by the feature's name.",
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

    @property
    def num_seeds(self) -> int:
        """The most replicates of a variant."""
        if isinstance(self.seeds, SeedsUntilDecided):
            return self.seeds.at_most
        return self.seeds if isinstance(self.seeds, int) else len(self.seeds)


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
        given = {name: getattr(self, name) for name in RANGE_FORMS}
        return {name: values for name, values in given.items() if values is not None}


DEFAULTS = "defaults"
"""In `search.use`, stands for the ranges that the spec's components declare, and for no file."""


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
        "the folder of this file or one above, or a path from that folder. `defaults` stands for the ranges that the "
        "spec's components declare for their arguments; those of a file and of `space` replace them.",
        examples=["vit_small", "defaults"],
    )
    space: dict[str, ParameterRange] = Field(
        default_factory=dict,
        max_length=200,
        description="Path to range; takes the place of the same path in `use`, and `none` takes that out.",
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


class CheckpointEvery(Section):
    """How often the state of a training is saved within a record: exactly one of the two."""

    steps: int | None = Field(None, ge=1, description="Steps of the whole training.", examples=[500])
    minutes: float | None = Field(None, gt=0, description="Of training, since the last.", examples=[10.0])


class Resources(Section):
    """What one trial needs. Never part of a trial's identity."""

    workers: int = Field(
        1, ge=1, description="Processes that train one trial together, each with its part of every batch."
    )
    cpus: int = Field(1, ge=1, description="CPU cores, and so torch threads, per worker.")
    gpus: float = Field(
        0.0, ge=0, description="GPUs per worker; below 1, for a trial of one worker, that share of one."
    )
    micro_batch: OrNone[Annotated[int, Field(ge=1)] | Literal["auto"]] = Field(
        None,
        description="Samples of a batch that go through forward and backward at a time, so that they fit into memory; "
        "the step stays that of the whole batch. auto: as many as are found to fit.",
        examples=["auto"],
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
    checkpoint_every: OrNone[CheckpointEvery] = Field(
        None,
        description="How often the state of a training is saved within a record, so that an interrupted trial loses no "
        "more than that. It changes no result. none: at the end of each record alone.",
        examples=[{"minutes": 10.0}],
    )
    slurm: OrNone[Slurm] = Field(None, description="What `craftc submit --slurm` asks for, for the whole run.")


class Artefact(Component):
    """What is made from a trained model to be looked at."""

    name: str = Field(
        "infer",
        pattern=r"[A-Za-z0-9][A-Za-z0-9_-]*",
        max_length=100,
        description="What its files are called, in the folder of each trial; infer: its kind.",
        examples=["greedy_text"],
    )
    of: str = Field(
        "infer",
        description="Whose predictions it shows, as metrics begin: a split, or `<split>/<pass>`, or "
        "`<split>/<after-stage>`; infer: as the headline's, and with `every` of a split for select.",
        examples=["test/free"],
    )
    replicates: Literal["first", "all"] = Field(
        "first", description="Whether it is made of the first replicate of each variant alone."
    )
    every: OrNone[Annotated[int, Field(ge=1)]] = Field(
        None,
        description="Records, which are epochs by default, after each of which it is made while the trial trains, and "
        "not of its best weights alone.",
        examples=[5],
    )


class DiffersBy(Section):
    """A hypothesis about the size of a difference."""

    differs_by: str = Field(
        description="How the size of the difference to the baseline compares with a number, whatever its sign: `>=`, "
        "`>`, `<=` or `<`, and the number in the headline's own unit.",
        examples=[">= 0.01"],
    )


class Report(Section):
    """What is told of the results, and to whom. Never part of a trial's identity."""

    metric: str | None = Field(
        None,
        description="The headline, `<split>/<metric>`; by default the first metric on the test split. Of a "
        "program, what evaluation.select, or else search.optimize, names.",
    )
    mode: Literal["min", "max", "infer"] = Field(
        "infer",
        description="Which way the headline is better; infer takes the metric's own direction. A metric that a program "
        "reports has one where a built-in metric is called so.",
    )
    margin: OrNone[Annotated[float, Field(gt=0)]] = Field(
        None,
        description="The difference, in the headline's own unit, below which two variants count as equal; a variant is "
        "equal to the baseline where that is shown. none: no difference is too small to matter.",
        examples=[0.005],
    )
    correction: Literal["holm", "bh", "none"] = Field(
        "holm",
        description="How verdicts allow for the number of comparisons. holm: the chance of any false one is at most "
        "5%; bh (Benjamini, Hochberg): of all that are given, 5% are expected to be false; none: each for itself.",
    )
    hypotheses: OrEmpty[dict[str, Literal["helps", "harms", "equal"] | DiffersBy]] = Field(
        default_factory=dict,
        description="What is expected of comparisons with the baseline, by the name of a feature or a variant: each is "
        "confirmed, refuted or undecided. A feature helps where the variant without it is worse, and harms where that "
        "is better; a variant helps where it is better itself. equal: the difference is below `margin`.",
        examples=[{"warmup": "helps", "dropout": {"differs_by": ">= 0.01"}}],
    )
    trackers: Annotated[List[Component], ComponentGroup("trackers")] = Field(
        (),
        description="What is told of every trial and epoch while the run goes on.",
        examples=[[{"kind": "wandb", "project": "digits"}, "tensorboard"]],
    )
    artefacts: Annotated[OrEmpty[List[Artefact]], ComponentGroup("artefacts")] = Field(
        (),
        description="What is made from trained models to be looked at: texts, maps, tables. Kept with each trial, and "
        "made of finished trials too.",
        examples=[["confusion_matrix", {"kind": "generated_text", "prompt": "Once", "every": 5}]],
    )


class Experiment(Section):
    """What every spec has, whatever trains."""

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
    ablation: Ablation = Field(default_factory=Ablation, description="Which variants are trained.")
    search: OrNone[Search] = Field(None, description="Looks for better values than these.")
    resources: Resources = Field(default_factory=Resources, description="What one trial needs.")
    report: Report = Field(default_factory=Report, description="Headline metric, verdicts, trackers.")


class Spec(Experiment, before="ablation"):
    """An experiment."""

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


REGULARIZED: dict[str, Path] = {
    "dropout": ("model",),
    "weight_decay": ("training", "optimizer"),
    "label_smoothing": ("objective",),
}
"""Keys of `regularization` that are handed to an argument of the same name, and whose."""
