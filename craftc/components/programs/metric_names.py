"""Names metrics of other frameworks as craftc does, `<split>/<metric>`."""

import re
from typing import Final

SPLITS: Final = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}
"""What other frameworks write before a metric's name, and the split that it means."""

_PREFIX = re.compile(rf"({'|'.join(SPLITS)})[/_](.+)")
_LOADER = re.compile(r"/(dataloader_idx_\d+)$")
"""What Lightning writes behind a metric's name where there are several loaders."""


def metric_name(name: str, otherwise: str) -> str:
    """`valid/loss` for `val_loss`, `valid_loss` and `val/loss`; `probe/auc` for `probe/auc`.

    Args:
        name: What the framework calls it.
        otherwise: The split of a name that names none: `loss` is `train/loss`.
    """
    name = "_".join(name.split())
    if (found := _PREFIX.fullmatch(name)) is not None:
        return f"{SPLITS[found[1]]}/{found[2]}"
    return name if "/" in _LOADER.sub("", name) else f"{otherwise}/{name}"
