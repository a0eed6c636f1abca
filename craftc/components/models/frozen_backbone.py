"""A trained model that does not change, and the head that is trained on its features."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from craftc.components.bounds import MODEL, WEIGHTS
from craftc.components.declare import declares

LINEAR: Final = {"kind": "linear"}
Setting = Mapping[str, Any]


@dataclass(frozen=True)
class FrozenBackbone:
    """What is asked for. `backbone` and `head` are models as a spec has them: the head is built when the shape of the
    features is known."""

    backbone: Setting
    weights: Path | Literal["random"]
    features: str
    head: Setting


@declares(takes=("images", "table"), frozen_parts={"backbone": "backbone", "weights": "weights", "head": "head"})
def frozen_backbone(
    *,
    backbone: Annotated[Setting, MODEL],
    weights: Annotated[Path, WEIGHTS] | Literal["random"],
    features: str = "infer",
    head: Annotated[Setting, MODEL] = LINEAR,
) -> FrozenBackbone:
    """A trained model whose features a head is trained on; the model itself stays as it is.

    The backbone is in evaluation mode: no gradient, no dropout, no update of batch statistics. Without augmentation its
    features are computed once, kept in the store, and shared by all trials that differ in the head alone.

    Args:
        backbone: The model whose features are used, with the arguments that it was trained with.
        weights: Where its weights are from: a file that torch.save wrote of a state_dict, or trial:ID for the best
            weights of a finished trial in the store; ID may be the beginning of one. random draws them by the seed.
        features: The layer whose output the head is given, by its name in the model. infer takes what goes into the
            last linear layer where the model returns what that computes, else what the model returns.
        head: The model that is trained on the features; those are its inputs, whose shape it can infer.
    """
    return FrozenBackbone(backbone, weights, features, head)
