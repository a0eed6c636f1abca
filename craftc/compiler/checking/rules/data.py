"""Rules between a spec and what is known of its data without reading it: one function and one code each."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem, show
from craftc.schemas.catalogue import FROZEN_BACKBONE
from craftc.schemas.diagnostic import Path

KNOWN_FACTS: dict[str, dict[str, int]] = {
    "digits": {"num_samples": 1797, "num_classes": 10, "num_features": 64, "num_lines": 8, "line_length": 8},
    "mnist_5k": {"num_samples": 5000, "num_classes": 10, "num_features": 784, "num_lines": 28, "line_length": 28},
}
"""Of the sources that ship with craftc and always hold the same; a test reads them all."""
GIVES = {
    "digits": "images",
    "mnist_5k": "images",
    "image_folder": "images",
    "arrays": "numbers",
    "csv": "a table",
    "text_file": "text",
    "python_docs": "text",
}
"""What each source that ships with craftc gives; `arrays` may hold images or a table."""
NEED_IMAGES = {"augmentations": {"horizontal_flip", "vertical_flip"}, "models": {"scanline_vit"}}
NEED_TEXT = {"models": {"decoder"}, "metrics": {"bits_per_character"}}
UNFIT_FOR_TEXT = {
    "augmentations": {"gaussian_noise", "line_dropout"},
    "models": {"linear", "mlp", FROZEN_BACKBONE},
    "metrics": {"auroc"},
}
"""Beside what needs images."""
COMPUTES_ACROSS = {
    "per_line": "subtracts from each row the mean",
    "per_dataset": "takes one mean and one scale",
}
"""Normalizers for which the numbers of a sample are all of one kind, and what they do with them."""
SOURCE: Path = ("data", "source")
SOURCE_KIND: Path = (*SOURCE, "kind")
LAYOUT: Path = ("data", "layout")


def needs_images(checked: Checked) -> Iterator[Problem]:
    """What works on the lines of images is given images."""
    source = checked.spec.data.source.kind
    if GIVES.get(source) in ("a table", "text"):
        yield from without_images(_named(checked), f"{source} is {GIVES[source]}")
    elif checked.spec.data.layout == "flat":
        for problem in without_images(_named(checked), "data.layout flat makes flat vectors of them"):
            hint = "leave data.layout out: linear and mlp take images as they are"
            yield replace(problem, hint=hint, reads=(problem.path, LAYOUT))


def channels_of_a_table(checked: Checked) -> Iterator[Problem]:
    """What is laid out as an image with channels is an image."""
    source = checked.spec.data.source.kind
    if checked.spec.data.layout == "channels" and GIVES.get(source) == "a table":
        message = f"data.layout is channels, but {source} gives a table"
        yield Problem("data-mismatch", LAYOUT, message, "write lines, flat or source", reads=(LAYOUT, SOURCE_KIND))


def needs_text(checked: Checked) -> Iterator[Problem]:
    """What works on tokens is given text."""
    source = checked.spec.data.source.kind
    if GIVES.get(source, "text") != "text":
        yield from without_text(_named(checked), f"{source} gives {GIVES[source]}")


def unfit_for_text(checked: Checked) -> Iterator[Problem]:
    """Nothing computes with the numbers of tokens, which are names."""
    data = checked.spec.data
    source = data.source.kind
    if GIVES.get(source) != "text":
        return
    yield from with_text(_named(checked), f"{source} gives text")
    if data.normalize.kind != "none":
        message = (
            f"{data.normalize.kind} computes with numbers, and {source} gives text, whose tokens are no quantities"
        )
        path: Path = ("data", "normalize")
        reads = ((*path, "kind"), SOURCE_KIND)
        yield Problem("unfit-for-text", path, message, "write none, or leave it out", reads=reads)
    if data.layout != "source":
        message = f"layout {data.layout} is one of images and tables, and {source} gives text"
        path = LAYOUT
        hint = "leave it out: a sample of text is a row of tokens"
        yield Problem("unfit-for-text", path, message, hint, reads=(path, SOURCE_KIND))


def columns_mixed(checked: Checked) -> Iterator[Problem]:
    """The columns of a table are seldom of one unit, so that one scale for all of them drowns some."""
    data = checked.spec.data
    source, kind = data.source.kind, data.normalize.kind
    if GIVES.get(source) == "a table" and kind in COMPUTES_ACROSS:
        message = f"{kind} {COMPUTES_ACROSS[kind]} of all columns that {source} gives, whatever they measure"
        hint = "per_feature scales each by itself; this is right where all have one unit"
        path: Path = ("data", "normalize")
        reads = ((*path, "kind"), SOURCE_KIND)
        yield Problem("columns-mixed", path, message, hint, severity="warning", reads=reads)


Named = tuple[str, Path, str]
"""A component by its group, the place of its kind, and the kind."""


def _named(checked: Checked) -> Iterator[Named]:
    """What is given the data, or what a model makes of it."""
    spec = checked.spec
    yield "models", ("model", "kind"), spec.model.kind
    if isinstance(backbone := spec.model.args.get("backbone"), dict) and spec.model.kind == FROZEN_BACKBONE:
        yield "models", ("model", "backbone", "kind"), backbone["kind"]
    for index, augmentation in enumerate(spec.data.augment):
        yield "augmentations", ("data", "augment", index, "kind"), augmentation.kind
    for index, metric in enumerate(spec.objective.metrics):
        yield "metrics", ("objective", "metrics", index, "kind"), metric.kind


def without_images(named: Iterable[Named], found: str) -> Iterator[Problem]:
    """Which of the components cannot do without images. `found` says what there is instead."""
    for group, path, kind in named:
        if kind in NEED_IMAGES.get(group, ()):
            yield Problem("needs-images", path, f"{kind} needs images, and {found}", reads=(path, SOURCE_KIND))


def without_text(named: Iterable[Named], found: str) -> Iterator[Problem]:
    """Which of the components cannot do without text. `found` says what there is instead."""
    hint = "sources of text are text_file and python_docs"
    for group, path, kind in named:
        if kind in NEED_TEXT.get(group, ()):
            yield Problem("needs-text", path, f"{kind} needs text, and {found}", hint, reads=(path, SOURCE_KIND))


def with_text(named: Iterable[Named], found: str) -> Iterator[Problem]:
    """Which of the components can do nothing with text. `found` says that there is text."""
    for group, path, kind in named:
        if kind not in UNFIT_FOR_TEXT.get(group, ()):
            continue
        message, hint = f"{kind} computes with numbers, and {found}, whose tokens are no quantities", None
        if group == "models":
            hint = "use decoder, or a model of your own that embeds tokens"
        elif group == "metrics":
            message = f"{kind} ranks all predictions anew for each class, and {found}, in which every token is a class"
            hint = "bits_per_character, perplexity and accuracy measure a language model"
        yield Problem("unfit-for-text", path, message, hint, reads=(path, SOURCE_KIND))


def known_facts(checked: Checked) -> Iterator[Problem]:
    """What a spec says of the data is so."""
    source = checked.spec.data.source.kind
    facts = KNOWN_FACTS.get(source, {})
    for name, value in checked.spec.model.args.items():
        if name in facts and isinstance(value, int) and value != facts[name]:
            message = f"model.{name} is {value}, but {source} has {facts[name]}"
            path: Path = ("model", name)
            yield Problem("data-mismatch", path, message, f"write {name}: infer", reads=(path, (*SOURCE, "kind")))
    weights = checked.spec.objective.args.get("class_weights")
    if facts and isinstance(weights, list | tuple) and len(weights) != facts["num_classes"]:
        message = f"class_weights has {len(weights)} entries, but {source} has {facts['num_classes']} classes"
        path = ("objective", "class_weights")
        hint = "give one weight per class, or balanced, or none"
        yield Problem("data-mismatch", path, message, hint, reads=(path, (*SOURCE, "kind")))


def batch_too_large(checked: Checked) -> Iterator[Problem]:
    """A batch is a part of the train split, where the size of that is known without reading data."""
    data, batch_size = checked.spec.data, checked.spec.training.batch_size
    facts = KNOWN_FACTS.get(data.source.kind)
    if facts is None:
        return
    # An imbalance only leaves samples out, and how many is told before anything runs.
    num_train = round(facts["num_samples"] * data.splits.train)
    if batch_size > num_train:
        size = f"the train split, about {num_train:,} samples"
        message = f"a batch of {show(batch_size)} is more than {size}: an epoch is one step"
        path: Path = ("training", "batch_size")
        reads = (path, (*SOURCE, "kind"), ("data", "splits"))
        yield Problem("batch-too-large", path, message, severity="warning", reads=reads)


DATA_RULES: tuple[Rule, ...] = (
    needs_images,
    channels_of_a_table,
    needs_text,
    unfit_for_text,
    columns_mixed,
    known_facts,
    batch_too_large,
)
"""What the data of known sources has to do with the rest."""
