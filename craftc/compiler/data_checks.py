"""Rules between a spec and what is known of its data without reading it: one function and one code each."""

from collections.abc import Iterator

from craftc.compiler.checks import Checked, Rule
from craftc.compiler.problem import Problem, show
from craftc.schemas.diagnostic import Path

KNOWN_FACTS: dict[str, dict[str, int]] = {
    "digits": {"num_samples": 1797, "num_classes": 10, "num_features": 64, "num_lines": 8, "line_length": 8},
    "mnist_5k": {"num_samples": 5000, "num_classes": 10, "num_features": 784, "num_lines": 28, "line_length": 28},
}
"""Of the sources that ship with craftc and always hold the same; a test reads them all."""
TABLES = {"csv"}
"""Sources of rows, not of images."""
NEED_IMAGES = {"augmentations": {"horizontal_flip", "vertical_flip"}, "models": {"scanline_vit"}}
SOURCE: Path = ("data", "source")


def needs_images(checked: Checked) -> Iterator[Problem]:
    """What works on the lines of images is given images."""
    spec = checked.spec
    if spec.data.source.kind not in TABLES:
        return
    places: list[tuple[Path, str]] = []
    places += [
        (("data", "augment", i), a.kind)
        for i, a in enumerate(spec.data.augment)
        if a.kind in NEED_IMAGES["augmentations"]
    ]
    places += [(("model",), spec.model.kind)] if spec.model.kind in NEED_IMAGES["models"] else []
    for path, kind in places:
        message = f"{kind} needs images, and {spec.data.source.kind} is a table"
        yield Problem("needs-images", (*path, "kind"), message, reads=((*path, "kind"), (*SOURCE, "kind")))


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


DATA_RULES: tuple[Rule, ...] = (needs_images, known_facts, batch_too_large)
"""What the data of known sources has to do with the rest."""
