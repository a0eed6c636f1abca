"""The catalogue: the components that a spec can name, with the arguments of their signatures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from craftc.schemas.diagnostic import Range, Related

Group = Literal[
    "sources",
    "normalizers",
    "tokenizers",
    "augmentations",
    "models",
    "adapters",
    "objectives",
    "metrics",
    "views",
    "after_stages",
    "optimizers",
    "schedules",
    "values",
    "programs",
    "samplers",
    "pruners",
    "trackers",
    "artefacts",
]
"""The kinds of component, named as the folders of `craftc/components/`; trackers are in `craftc/runtime/observers/`."""

DataKind = Literal["images", "table", "text"]
"""What samples are: images, rows of a table, or tokens of a text."""
DATA_KINDS: tuple[DataKind, ...] = get_args(DataKind)

DataLayout = Literal["channels", "lines", "flat"]
"""What a model may declare that it is given its inputs in."""

TargetKind = Literal["class", "classes", "real", "token", "vectors", "mask", "transcript"]
TARGET_KINDS: dict[TargetKind, str] = {
    "class": "classes",
    "classes": "several labels",
    "real": "quantities",
    "token": "tokens",
    "vectors": "rows of quantities",
    "mask": "masks",
    "transcript": "transcripts",
}
"""What a target may be, and in words."""

OutputKind = Literal["views", "embeddings"]
OUTPUT_KINDS: dict[OutputKind, str] = {
    "views": "embeddings of several views of a sample",
    "embeddings": "embeddings",
}
"""What a model may give in the place of predictions, and in words."""

CARDINALITIES = "cardinalities"
"""How many numbers each category of a table may have: the one fact that is a list of numbers."""
TARGET_KIND = "target_kind"
"""What the target is: the one fact that is a word."""
IMAGE_FACTS = ("num_channels", "image_size", "image_height", "image_width")
"""Facts of an image. Code that never heard of craftc often has such names for what is no number of the data, so of a
user's own component they are inferred where it has no default, and never held to the data."""
DATA_FACTS = (
    "num_classes", "num_lines", "line_length", "num_features", "vocabulary_size", "context_length", CARDINALITIES,
    "num_characters", *IMAGE_FACTS, TARGET_KIND,
)  # fmt: skip
"""Arguments of a model, objective or metric that the data decides; a spec may leave them to be inferred."""
NUMBERS_OF_DATA = tuple(name for name in DATA_FACTS if name not in (CARDINALITIES, TARGET_KIND))
"""Those that are one number."""
NUM_SAMPLES = "num_samples"
"""What a source may declare beside them: the number of its samples."""

OFFERED: dict[Group, tuple[str, ...]] = {
    "sources": (),
    "normalizers": (),
    "tokenizers": (),
    "augmentations": (),
    "models": (),
    "adapters": (),
    "objectives": ("class_counts",),
    "metrics": ("num_classes",),
    "views": (),
    "after_stages": (),
    "optimizers": ("params", "model"),
    "schedules": (),
    "values": (),
    "programs": ("run",),
    "samplers": ("seed",),
    "pruners": (),
    "trackers": ("run",),
    "artefacts": (),
}
"""What craftc hands a component by position. It takes as many as it has positional-only parameters; an optimizer
takes the first whatever the kind of its parameters, and a program takes `run` wherever it stands. What is taken is no
argument that a spec writes."""


ANY_OTHER = "**"
"""Stands for `**kwargs` in an entry: any further argument of that type is accepted."""
NESTED: Literal["nested"] = "nested"
"""In the place of a group: a component in an argument of another."""


TORCHMETRICS = "torchmetrics"
"""Before the name of a metric of that library, which craftc then gives what it takes: `torchmetrics:CohenKappa`."""


def is_own(kind: str) -> bool:
    """Whether a kind is a user's own, `package.module:Name`, and not a built-in name."""
    return ":" in kind


def optional_in_words(annotation: str) -> bool:
    """Whether an annotation says that a value may be None, as it is written."""
    text = annotation.replace(" ", "")
    return "Optional[" in text.partition("[")[0] + "[" or "None" in text.split("|")


def short_name(kind: str) -> str:
    """What a metric is recorded as: `Parity` for `my.metrics:Parity`, a built-in by its kind."""
    return kind.rpartition(":")[2]


def is_nested(value: Any) -> bool:
    """Whether a value within an argument is a component to be built: a mapping whose `kind` is a user's own.

    A mapping with any other `kind`, or none, is handed over as it is.
    """
    return isinstance(value, Mapping) and isinstance(value.get("kind"), str) and is_own(value["kind"])


CLASS_FREQUENCIES, LABEL_FREQUENCIES, MEAN, MEDIAN = "class_frequencies", "label_frequencies", "mean", "median"
TRIVIAL = (CLASS_FREQUENCIES, LABEL_FREQUENCIES, MEAN, MEDIAN)
"""What a metric or an objective declares as `trivial` where the same output for every sample means something."""
AS = "as"
"""Beside the `kind` of a component in an argument's place; a word that no argument of Python can be called by."""
AS_CLASS = "class"


ARGS = "args"
"""Beside the `kind` of a component in an argument's place: a list of arguments by position."""
INFERRED = "infer "
"""Before the name of a fact: what stands for the data's own number in an argument of any name."""


OUTPUT = "output"
"""Beside the arguments of a model: what of its output is its prediction."""
REMOVE = "remove"
"""Beside the arguments of a model: what is taken out of it. In a feature of an ablation, short for an entry of that."""


GRADIENT_NORMS = "gradient_norms"
"""The key of `evaluation`; in a trial's configuration it is there, and true, where norms are recorded."""
MEAN_GRADIENT_NORM, LARGEST_GRADIENT_NORM = "train/gradient_norm.", "train/gradient_norm_max."
"""Stand before the name of a layer in a record."""
ADAPTER = "adapter"
"""Beside the arguments of a model: what is added to it so that few of its weights are trained."""
BESIDE_MODEL = (OUTPUT, REMOVE, ADAPTER)
"""Keys of the section of a model that are no arguments of it."""


def fact_of(value: Any) -> str | None:
    """The fact whose number a text stands for; None of any other value. There may be no such fact."""
    return value.removeprefix(INFERRED) if isinstance(value, str) and value.startswith(INFERRED) else None


def is_class(value: Mapping[str, Any]) -> bool:
    """Whether a component in an argument's place is handed over itself, its arguments given, and not called."""
    return value.get(AS) == AS_CLASS


PER_TRIAL = "per trial"
"""In `Annotated`, marks an argument that trials trained as one batch may differ in."""
COMPONENT_OF = "component of "
"""In `Annotated`, before a group: marks an argument that takes a component of that group, built-in ones too, as it is
written. The component that takes it builds it, once it has all that this needs."""
AS_WRITTEN = "component as written"
"""In `Annotated`, marks an argument that takes a component of the user's own as it is written, and builds it itself."""
WEIGHTS = "weights"
"""In `Annotated`, marks a path that may also name a trial of the store, for the weights that it came to."""
FROM_ENVIRONMENT = "from environment"
"""In `Annotated`, marks an argument of a tracker whose text may hold `${env:NAME}`: it decides no result."""
RANGE_FORMS = ("uniform", "log_uniform", "int", "log_int", "choice")
"""How the range of an argument may be written, in `search.space` and where a component declares one."""
TRIAL = "trial:"
"""Before the id of a trial, or the beginning of one, in the place of a path of weights."""


class Parameter(NamedTuple):
    """One argument of a component. `type` is a JSON Schema fragment; `default` means nothing when `required`.

    `computed`: its default is no plain value, so that the component's own holds where a spec leaves the argument out.
    `per_trial`: trials trained as one batch may differ in it. `from_environment`: its text may hold `${env:NAME}`.
    """

    name: str
    type: dict[str, Any]
    required: bool = True
    default: Any = None
    computed: bool = False
    doc: str = ""
    per_trial: bool = False
    from_environment: bool = False
    defined_at: Range | None = None


class FrozenParts(NamedTuple):
    """The arguments of a model of which the head alone is trained: the model that stays as it is, where its weights are
    from, and the model that is trained on what that computes."""

    backbone: str
    weights: str
    head: str


class Reported(NamedTuple):
    """The metrics that a program reports, as its source shows: those of its records, and what it finishes with."""

    records: tuple[str, ...]
    at_end: tuple[str, ...]


class ComponentEntry(NamedTuple):
    """One component. `target` is `package.module:Name`; `constraints` are expressions over the arguments.

    `mode` is the better direction of a metric ("min" or "max"); None for everything else, and for a metric that does
    not say. `defined_at` is its name in its Python file; None of what ships with craftc. A component in another's
    argument is of no group, but `nested`. `depends_on_length` says of a phase that takes all epochs that remain whether
    its rates or values depend on how many; None where it does not say.

    What follows is declared on the component. `semantics_version` is part of a trial's identity; the others decide
    nothing of its result.

    Attributes:
        semantics_version: Counts up when an argument's default changes, or the same arguments come to another result.
        gives: Of a source, the kinds of data that it may give; empty: any.
        facts: Of a source, numbers of its data that are the same whatever its arguments are.
        seed_unused_at: Of a source, the values of its arguments at which its `seed` draws nothing.
        takes: The kinds of data that it can work with; empty: any.
        data_layout: Of a model, the layout that it is given its inputs in where `data.layout` says nothing else.
        pools_columns: Of a normalizer that computes one number from different columns of a table, what it does.
        frozen_parts: Of a model of which the head alone is trained, its arguments.
        patience_argument: Of a schedule's phase, the argument with the epochs that it waits before the rate falls.
        min_lr_argument: Of a schedule's phase, the argument with the rate below which it does not fall.
        low_lr_argument: Of a schedule's phase, the argument with a rate below the optimizer's, where it starts or ends.
        empty_means: What to write in the place of an empty list, by the name of an argument that takes none.
        bounds: Of a metric, its least and its greatest value.
        gives_targets: Of a source, the kinds of target that it may give; empty: any.
        gives_columns: Of a source, the names of its inputs; empty: not known.
        takes_targets: Of a metric or an objective, the kinds of target that it can work with; empty: any.
        takes_outputs: Of a metric or an objective, what it can work with beside predictions of the target: `views`,
            embeddings of several views of each sample, or `embeddings`, one of each.
        trivial: Of a metric or an objective, the predictor that a model has to beat; None: there is none.
        mixes_targets: Of an augmentation, whether it mixes each sample with another, and so its target.
        packages: What it imports beside the packages of `craftc[run]`, with craftc's extra that brings each, or "".
        search_ranges: The range that a search without one of its own gives an argument, as `search.space` writes it.
        switches_weights: Of an optimizer, whether its weights are others in training than in evaluation.
        asks: Of a user's own model, objective or metric, the names of what it must be given beside the output and the
            target: columns, values of the training, or outputs of the model. Of a model, its first parameter too, which
            may have any name.
        named: Of a model or an objective, all names that its `forward` can be given behind its first parameter; None
            where that cannot be read.
        by_position: Of a component in another's argument, the arguments that can be given by position, in their order.
        ignored: Of a model, the methods of its own by which another framework trains it, and craftc does not.
        reported: Of a user's own program, what it reports; None where its source leaves that open.
    """

    group: Group | Literal["nested"]
    kind: str
    target: str
    summary: str
    doc: str = ""
    parameters: tuple[Parameter, ...] = ()
    constraints: tuple[str, ...] = ()
    mode: Literal["min", "max"] | None = None
    depends_on_length: bool | None = None
    semantics_version: int = 1
    gives: tuple[DataKind, ...] = ()
    facts: Mapping[str, int] = {}
    seed_unused_at: Mapping[str, Any] = {}
    takes: tuple[DataKind, ...] = ()
    data_layout: DataLayout | None = None
    pools_columns: str | None = None
    frozen_parts: FrozenParts | None = None
    patience_argument: str | None = None
    min_lr_argument: str | None = None
    low_lr_argument: str | None = None
    empty_means: Mapping[str, str] = {}
    bounds: tuple[float, float] | None = None
    gives_targets: tuple[str, ...] = ()
    gives_columns: tuple[str, ...] = ()
    takes_targets: tuple[str, ...] = ()
    takes_outputs: tuple[str, ...] = ()
    trivial: str | None = None
    mixes_targets: bool = False
    packages: Mapping[str, str] = {}
    search_ranges: Mapping[str, Mapping[str, Any]] = {}
    switches_weights: bool = False
    asks: tuple[str, ...] = ()
    named: tuple[str, ...] | None = None
    by_position: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    reported: Reported | None = None
    defined_at: Range | None = None

    def parameter(self, name: str) -> Parameter | None:
        """The argument of that name, or None."""
        return next((p for p in self.parameters if p.name == name), None)

    def definition(self, name: str = "") -> tuple[Related, ...]:
        """Where an argument, or else the component, is defined, for a mistake to tell; nothing of built-in ones."""
        parameter = self.parameter(name)
        place = parameter.defined_at if parameter and parameter.defined_at else self.defined_at
        return () if place is None else (Related(message="defined here", range=place),)


class Unreadable(NamedTuple):
    """A user's kind that is no component, or none of some group, and why."""

    kind: str
    code: Literal["unknown-component", "unfit-component"]
    message: str
    hint: str | None = None
    related: tuple[Related, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Every component that ships with craftc, in the order of the registry, and those of its user's own a spec names.

    A user's component is in `own` once for each group that it can be of, for craftc hands each group other things;
    for the others `unreadable` says why not.
    """

    entries: tuple[ComponentEntry, ...]
    own: dict[tuple[str, str], ComponentEntry] = field(default_factory=dict)
    unreadable: dict[tuple[str, str], Unreadable] = field(default_factory=dict)

    def find(self, group: str, kind: str) -> ComponentEntry | None:
        """The entry of that group and kind, or None."""
        if is_own(kind):
            return self.own.get((group, kind))
        return self.by_name.get((group, kind))

    @cached_property
    def by_name(self) -> dict[tuple[str, str], ComponentEntry]:
        """Every built-in entry by group and kind."""
        return {(entry.group, entry.kind): entry for entry in reversed(self.entries)}

    def frozen_parts(self, kind: str) -> FrozenParts | None:
        """Of a model of which the head alone is trained, its arguments; None of any other."""
        entry = self.find("models", kind)
        return None if entry is None else entry.frozen_parts

    def kinds(self, group: str) -> list[str]:
        """The built-in names that a `kind:` of that group may have."""
        return [e.kind for e in self.entries if e.group == group]
