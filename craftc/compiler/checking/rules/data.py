"""Rules between a spec and what is known of its data without reading it: one function and one idea each."""

from collections.abc import Iterator, Mapping

from craftc.compiler.checking.rules.data_kinds import (
    LAYOUT,
    SOURCE,
    SOURCE_KIND,
    Kinds,
    Named,
    given,
    layout_of,
    misfits,
)
from craftc.compiler.checking.rules.rule import Checked, Rule, gives_embeddings
from craftc.compiler.checking.rules.tables import kinds_of
from craftc.compiler.language.pass_names import passes_of
from craftc.compiler.reading.problem import Problem, one_of, show
from craftc.schemas.catalogue import IMAGE_FACTS, NUM_SAMPLES, is_own
from craftc.schemas.diagnostic import Path
from craftc.schemas.split_roles import FIT

NORMALIZE: Path = ("data", "normalize")
_TEXT: Kinds = ("text",)


def kinds_of_data(checked: Checked) -> Iterator[Problem]:
    """What is given the data can work with data of its kind."""
    data = checked.spec.data
    yield from misfits(_named(checked), given(data.source.kind, kinds_of(checked), _layout(checked)), checked.catalogue)


def _layout(checked: Checked) -> str:
    return layout_of(checked.spec, checked.catalogue)


def _named(checked: Checked) -> Iterator[Named]:
    """What is given the data, or what a model makes of it. Of text, nothing is normalized: see `text_left_alone`."""
    spec = checked.spec
    yield Named("models", ("model", "kind"), spec.model.kind, True)
    parts = checked.catalogue.frozen_parts(spec.model.kind)
    if parts is not None and isinstance(backbone := spec.model.args.get(parts.backbone), dict):
        yield Named("models", ("model", parts.backbone, "kind"), backbone["kind"], True)
    if kinds_of(checked) != _TEXT:
        yield Named("normalizers", (*NORMALIZE, "kind"), spec.data.normalize.kind)
    yield Named("tokenizers", ("data", "tokenizer", "kind"), spec.data.tokenizer.kind)
    for index, augmentation in enumerate(spec.data.augment):
        is_laid_out = augmentation.when == "after_normalize"
        yield Named("augmentations", ("data", "augment", index, "kind"), augmentation.kind, is_laid_out)
    for name, each in passes_of(spec).items():
        yield Named("views", ("evaluation", "passes", name, "views", "kind"), each.views.kind, True)
    for place, objective in spec.objective.summands.items():
        yield Named("objectives", (*place, "kind"), objective.kind)
    for index, metric in enumerate(spec.objective.metrics):
        yield Named("metrics", ("objective", "metrics", index, "kind"), metric.kind)


def channels_of_a_table(checked: Checked) -> Iterator[Problem]:
    """What is laid out as an image with channels is an image."""
    source = checked.spec.data.source.kind
    if checked.spec.data.layout == "channels" and kinds_of(checked) == ("table",):
        message = f"data.layout is channels, but {source} gives a table"
        yield Problem("data-mismatch", LAYOUT, message, "write lines, flat or source", reads=(LAYOUT, SOURCE_KIND))


def channels_of_the_model(checked: Checked) -> Iterator[Problem]:
    """A model that declares that it needs an axis of channels is given one."""
    entry = checked.catalogue.find("models", checked.spec.model.kind)
    layout = checked.spec.data.layout
    if entry is not None and entry.data_layout == "channels" and layout == "lines":
        message = f"{entry.kind} needs images with an axis of channels, and data.layout {layout} puts them into lines"
        hint = "leave data.layout out: the model then gets (C, H, W)"
        reads = (("model", "kind"), LAYOUT)
        yield Problem("needs-images", LAYOUT, message, hint, reads=reads, related=entry.definition())


def text_left_alone(checked: Checked) -> Iterator[Problem]:
    """Nothing normalizes or lays out text: the numbers of tokens are names."""
    data = checked.spec.data
    source = data.source.kind
    if kinds_of(checked) != _TEXT:
        return
    if data.normalize.kind != "none":
        message = (
            f"{data.normalize.kind} computes with numbers, and {source} gives text, whose tokens are no quantities"
        )
        reads = ((*NORMALIZE, "kind"), SOURCE_KIND)
        yield Problem("unfit-for-text", NORMALIZE, message, "write none, or leave it out", reads=reads)
    if data.layout != "source":
        message = f"layout {data.layout} is one of images and tables, and {source} gives text"
        hint = "leave it out: a sample of text is a row of tokens"
        yield Problem("unfit-for-text", LAYOUT, message, hint, reads=(LAYOUT, SOURCE_KIND))


def windows_apart(checked: Checked) -> Iterator[Problem]:
    """Windows of a text that are said to overlap leave no character between them out."""
    source = checked.spec.data.source
    stride, length = source.args.get("stride"), source.args.get("context_length")
    if kinds_of(checked) == _TEXT and isinstance(stride, int) and isinstance(length, int) and stride > length:
        message = f"windows of {length} that begin {stride} characters after each other leave some of them out"
        path: Path = (*SOURCE, "stride")
        reads = (path, (*SOURCE, "context_length"), SOURCE_KIND)
        yield Problem("constraint-broken", path, message, f"write stride: {length} or less", reads=reads)


def columns_mixed(checked: Checked) -> Iterator[Problem]:
    """The columns of a table are seldom of one unit, so that one scale for all of them drowns some."""
    source, kind = checked.spec.data.source.kind, checked.spec.data.normalize.kind
    normalizer = checked.catalogue.find("normalizers", kind)
    pools = normalizer.pools_columns if normalizer else None
    if pools is not None and kinds_of(checked) == ("table",):
        message = f"{kind} {pools} of all columns that {source} gives, whatever they measure"
        entries = [entry for entry in checked.catalogue.entries if entry.group == "normalizers"]
        by_column = [e.kind for e in entries if e.pools_columns is None and "table" in e.takes]
        hint = f"{one_of(by_column)} scales each by itself; this is right where all have one unit"
        reads = ((*NORMALIZE, "kind"), SOURCE_KIND)
        yield Problem("columns-mixed", NORMALIZE, message, hint, severity="warning", reads=reads)


def _facts(checked: Checked) -> Mapping[str, int]:
    """What the source declares of its data."""
    entry = checked.catalogue.find("sources", checked.spec.data.source.kind)
    return entry.facts if entry else {}


def known_facts(checked: Checked) -> Iterator[Problem]:
    """What a spec says of the data is so."""
    source = checked.spec.data.source.kind
    facts = _facts(checked)
    # An embedding has as many numbers as it is given.
    free = {"num_classes"} if gives_embeddings(checked) else set()
    for name, value in checked.spec.model.args.items():
        if name in facts and name not in free and isinstance(value, int) and value != facts[name]:
            if is_own(checked.spec.model.kind) and name in IMAGE_FACTS:
                continue
            message = f"model.{name} is {value}, but {source} has {facts[name]}"
            path: Path = ("model", name)
            yield Problem("data-mismatch", path, message, f"write {name}: infer", reads=(path, (*SOURCE, "kind")))
    num_classes = facts.get("num_classes")
    for place, objective in checked.spec.objective.summands.items():
        weights = objective.args.get("class_weights")
        if num_classes is not None and isinstance(weights, list | tuple) and len(weights) != num_classes:
            message = f"class_weights has {len(weights)} entries, but {source} has {num_classes} classes"
            path = (*place, "class_weights")
            hint = "give one weight per class, or balanced, or none"
            yield Problem("data-mismatch", path, message, hint, reads=(path, (*SOURCE, "kind")))


def num_train_samples(checked: Checked) -> int | None:
    """About how many samples train has, where that is known without reading data."""
    splits, num_samples = checked.spec.data.splits, _facts(checked).get(NUM_SAMPLES)
    # An imbalance only leaves samples out, and how many is told before anything runs.
    share = splits.shares.get(FIT)
    if num_samples is None or share is None:
        return None
    return round(num_samples * share * splits.train_share)


def batch_too_large(checked: Checked) -> Iterator[Problem]:
    """A batch is a part of the train split, where the size of that is known without reading data."""
    training, num_train = checked.spec.training, num_train_samples(checked)
    if num_train is not None and (told := too_large(training.batch_size, training.accumulate, num_train, "about ")):
        path, message = told
        reads = (*(("training", key) for key in ("batch_size", "accumulate")), (*SOURCE, "kind"), ("data", "splits"))
        yield Problem("batch-too-large", path, message, severity="warning", reads=reads)


def too_large(batch_size: int, accumulate: int, num_train: int, about: str = "") -> tuple[Path, str] | None:
    """Where and how a step takes more samples than train has, and what is wrong with that."""
    if batch_size * accumulate <= num_train:
        return None
    size, key = f"the train split, {about}{num_train:,} samples: an epoch is one step", "batch_size"
    if batch_size > num_train:
        return ("training", key), f"a batch of {show(batch_size)} is more than {size}"
    return ("training", "accumulate"), f"{accumulate} batches of {show(batch_size)} are more than {size}"


DATA_RULES: tuple[Rule, ...] = (
    kinds_of_data,
    channels_of_a_table,
    channels_of_the_model,
    text_left_alone,
    windows_apart,
    columns_mixed,
    known_facts,
    batch_too_large,
)
"""What the data of sources has to do with the rest, as far as they declare it."""
