"""Rules of a model of which the head alone is trained: one function and one code each."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Path

MODEL: Path = ("model",)
AUGMENT: Path = ("data", "augment")


def features_recomputed(checked: Checked) -> Iterator[Problem]:
    """Features that are computed once are those of samples that are the same in every epoch."""
    if checked.catalogue.frozen_parts(checked.spec.model.kind) is not None and checked.spec.data.augment:
        message = "the backbone computes the features of every augmented batch again, in every epoch"
        hint = "without augmentation they are computed once"
        reads = ((*MODEL, "kind"),)
        yield Problem("features-recomputed", AUGMENT, message, hint, severity="note", reads=reads)


def backbone_in_backbone(checked: Checked) -> Iterator[Problem]:
    """A backbone and a head are models that compute something by themselves."""
    model, frozen_parts = checked.spec.model, checked.catalogue.frozen_parts
    parts = frozen_parts(model.kind)
    for name in (parts.backbone, parts.head) if parts else ():
        if isinstance(inner := model.args.get(name), dict) and frozen_parts(str(inner.get("kind"))) is not None:
            place: Path = (*MODEL, name, "kind")
            message = f"{inner['kind']} cannot be the {name} of a {model.kind}"
            hint = "name a layer of the one backbone in features"
            yield Problem("unknown-kind", place, message, hint, reads=((*MODEL, "kind"),))


FROZEN_RULES: tuple[Rule, ...] = (features_recomputed, backbone_in_backbone)
"""What a model of which the head alone is trained has to keep."""
