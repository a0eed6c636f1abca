"""Says which constant output is the best that knows nothing of a sample, and computes it from train.

C: classes or labels.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from craftc.components.sources.columns import Column
from craftc.schemas.catalogue import CLASS_FREQUENCIES, LABEL_FREQUENCIES, MEAN, MEDIAN
from craftc.training.data.prepare import PreparedData
from craftc.training.data.split import Split

OF_KINDS: dict[str, tuple[str, ...]] = {
    "class": (CLASS_FREQUENCIES,),
    "token": (CLASS_FREQUENCIES,),
    "classes": (LABEL_FREQUENCIES,),
    "real": (MEAN, MEDIAN),
    "vectors": (MEAN, MEDIAN),
}
"""The constants that a target of each kind has."""
OF_TORCH: dict[type[nn.Module], str] = {
    nn.CrossEntropyLoss: CLASS_FREQUENCIES,
    nn.BCEWithLogitsLoss: LABEL_FREQUENCIES,
    nn.MSELoss: MEAN,
    nn.L1Loss: MEDIAN,
}
OF_TORCHMETRICS = {
    "torchmetrics.classification": (CLASS_FREQUENCIES, LABEL_FREQUENCIES),
    "torchmetrics.regression": (MEAN,),
}
"""Of the metrics of a package, those of them that the target has."""


def best_constant(measure: object, target: Column | None) -> str | None:
    """The constant that an objective or a metric asks for, as it declares itself or as is known of torch's; None where
    it says none, or the target has no such constant."""
    known = () if target is None else OF_KINDS.get(target.kind, ())
    declared = getattr(measure, "trivial", None)
    if declared is None:
        declared = next((name for name in _of_packages(measure) if name in known), None)
    return declared if declared in known else None


def _of_packages(measure: object) -> tuple[str, ...]:
    if isinstance(measure, nn.Module) and type(measure) in OF_TORCH:
        return (OF_TORCH[type(measure)],)
    module = type(measure).__module__
    return next((names for package, names in OF_TORCHMETRICS.items() if module.startswith(f"{package}.")), ())


def constant_output(name: str, data: PreparedData) -> Tensor:
    """The output by the train split: logits (C,), or quantities in the shape of a sample's target."""
    train = data.splits["train"]
    if name == CLASS_FREQUENCIES:
        counts = torch.from_numpy(data.class_counts)
        return (counts / counts.sum()).log()
    values = train.targets.astype(np.float64)
    if name == LABEL_FREQUENCIES:
        return torch.from_numpy(values.mean(axis=0)).logit(eps=1e-6)
    counted = _counted(train, values)
    if counted is None:
        return torch.from_numpy(np.asarray(values.mean(axis=0) if name == MEAN else np.median(values, axis=0)))
    average = np.ma.mean if name == MEAN else np.ma.median
    found = np.ma.asarray(average(counted, axis=0))
    # A place that no sample of train has: what all others come to.
    return torch.from_numpy(np.where(np.ma.getmaskarray(found), average(counted), found.data))


def _counted(train: Split, values: NDArray[np.float64]) -> np.ma.MaskedArray[Any, np.dtype[np.float64]] | None:
    """The targets (N, ...) without what a mask (N, ...) of theirs leaves out, such as what fills a sequence up; None
    where there is no such mask."""
    name = train.target_mask
    mask = None if name is None else train.columns[name].values
    if mask is None or values.shape[: mask.ndim] != mask.shape:
        return None
    left_out = ~mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim))
    return np.ma.masked_array(values, mask=np.broadcast_to(left_out, values.shape))
