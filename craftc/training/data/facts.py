"""What the data show that a component may ask for: numbers of classes, features, lines, tokens, categories."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from craftc.components.declared import frozen_parts, gives_embeddings, takes_none
from craftc.components.errors import DataError, added_to, raise_all
from craftc.components.sources.table import CATEGORIES
from craftc.schemas.catalogue import CARDINALITIES, DATA_FACTS, TARGET_KIND, fact_of, is_nested, is_own
from craftc.training.data.split import Split

Facts = dict[str, Any]
"""What `infer` can take, by name: a number, of `cardinalities` a list of them, of `target_kind` a word."""


def infer_facts(
    component: Mapping[str, Any], facts: Mapping[str, Any], place: str = "model", *, reserved: Sequence[str] = ()
) -> dict[str, Any]:
    """A component's arguments with each `infer` replaced by the data's own number, those `reserved` left out.

    A number is held to the data; in a component of the user's own `num_classes` alone, since the other names may mean
    something else there. Raises DataError `data-mismatch` where a number contradicts the data, or where the data has no
    such number and the argument of a model takes no None in its place.
    """
    filled = {name: value for name, value in component.items() if name not in reserved}
    errors: list[DataError] = []
    if frozen_parts(component.get("kind", "")) is None:  # whose head is given other data
        for name, value in list(filled.items()):
            with added_to(errors):
                filled[name] = _with_facts(value, facts, f"{place}.{name}")
    for name, value in list(filled.items()):
        if value == "infer" and name in DATA_FACTS:
            with added_to(errors):
                is_left_out = name not in facts and takes_none(component["kind"], name)
                filled[name] = None if is_left_out else _fact(name, facts, place)
        elif name in facts and value != facts[name] and (name == "num_classes" or not is_own(component["kind"])):
            message = f"{place}.{name} is {value}, but the data has {facts[name]}"
            hint = f"write {name}: infer, or {name}: {facts[name]}"
            errors.append(DataError("data-mismatch", message, hint, f"{place}.{name}"))
    raise_all(errors)
    return filled


def model_facts(config: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a trial's model with each `infer` replaced; embeddings may have any number of dimensions.

    Raises DataError `data-mismatch`.
    """
    model: Mapping[str, Any] = config["model"]
    return backbone_facts(model, facts, "model") if gives_embeddings(config) else infer_facts(model, facts)


def backbone_facts(setting: Mapping[str, Any], facts: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The arguments of the backbone at a place of the spec with each `infer` replaced; it may tell apart other classes
    than those of the data.

    Raises DataError `data-mismatch`.
    """
    classes = setting.get("num_classes")
    own = {"num_classes": classes} if isinstance(classes, int) else {}
    return infer_facts(setting, {**facts, **own}, place)


def _with_facts(value: Any, facts: Mapping[str, Any], place: str) -> Any:
    """A value with the data's own number wherever `infer` and the name of a fact stand, in components within it too."""
    if (name := fact_of(value)) in DATA_FACTS:
        return _fact(name, facts, place)
    if isinstance(value, list):
        return [_with_facts(item, facts, f"{place}.{index}") for index, item in enumerate(value)]
    if is_nested(value):
        return {name: _with_facts(item, facts, f"{place}.{name}") for name, item in value.items()}
    return value


def _fact(name: str, facts: Mapping[str, Any], place: str) -> Any:
    if name in facts:
        return facts[name]
    raise DataError(
        "data-mismatch",
        f"{place}.{name} is to be inferred, but the data has no {name}; it has {_listed(facts)}",
        f"give {place}.{name} a number",
        f"{place}.{name}",
    )


def facts_of(train: Split) -> Facts:
    """Of the target, how many numbers a prediction has; of the first input its shape; how many categories there are,
    and tokens of the one text. Lines are rows; the channels of an image stand side by side in a line. Of an image as
    (H, W) or (C, H, W), its channels and sides."""
    first, target = train.columns[train.first], train.target_column
    facts: Facts = {} if target is None else {"num_classes": target.num_outputs, TARGET_KIND: target.kind}
    if (categories := train.columns.get(CATEGORIES)) is not None and categories.is_several:
        facts[CARDINALITIES] = list(categories.sizes)
    texts = [column for name in train.named("input") if (column := train.columns[name]).kind == "token"]
    if first.kind == "token" or len(texts) == 1:
        facts |= {"vocabulary_size": texts[0].num_classes, "context_length": texts[0].shape[-1]}
    if first.kind == "token" or first.is_several:
        return facts
    shape = first.shape
    facts["num_features"] = int(np.prod(shape))
    if len(shape) >= 2:
        facts["num_lines"] = shape[-2]
        facts["line_length"] = shape[-1] * int(np.prod(shape[:-2]))
        facts |= _facts_of_image(*(shape if len(shape) == 3 else (1, *shape)))
    return facts


def _facts_of_image(num_channels: int, height: int, width: int) -> Facts:
    """Only a square one has a size."""
    facts = {"num_channels": num_channels, "image_height": height, "image_width": width}
    return facts | ({"image_size": height} if height == width else {})


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in facts.items())
