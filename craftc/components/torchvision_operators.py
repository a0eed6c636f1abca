"""Lets torchvision be imported beside a torch of another build, whose operators its own library cannot join.

A torchvision from the package index is built for CUDA. Beside a CPU torch its library does not load. torchvision then
does without its operators, but for the descriptions that it registers for two of them, and so its import fails:
"operator torchvision::nms does not exist". With the schemas of the two declared it is imported, and all that calls no
operator of its own works: models for classes, and transforms.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "torchvision"
BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
DESCRIBED = (f"nms{BOXES}", f"qnms{BOXES}")
"""The operators that torchvision describes as it is imported, whether its library has been loaded or not."""

_libraries: list[Any] = []
"""What was declared is gone with the object that declared it."""


class _Before:
    """Finds no module. It is asked first, and so it acts just before torchvision is imported, by whomever."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None, for the usual finders to go on. Whatever else is imported costs a comparison."""
        if name == NAME:
            sys.meta_path.remove(self)
            declare_operators()
        return None


def expect_torchvision() -> None:
    """From now on, the first import of torchvision in this process declares what it lacks. Imports nothing itself."""
    if NAME not in sys.modules and not any(isinstance(finder, _Before) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Before())


def declare_operators() -> bool:
    """Declare the schemas of the operators that the import asks for, where torchvision's library cannot be loaded; say
    whether. A library that loads registers them itself."""
    import torch

    found = importlib.util.find_spec(NAME)
    if found is None or not found.submodule_search_locations or hasattr(torch.ops.torchvision, "nms"):
        return False
    for folder in found.submodule_search_locations:
        for library in (*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")):
            try:
                # As torchvision does it itself, to which a second time means nothing.
                torch.ops.load_library(library)  # type: ignore[no-untyped-call]
            except (OSError, ImportError):
                continue
            return False
    declared = torch.library.Library(NAME, "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in DESCRIBED:
        declared.define(schema)  # type: ignore[no-untyped-call]
    _libraries.append(declared)
    return True
