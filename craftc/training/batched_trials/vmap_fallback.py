"""Operations without a rule for several models at once, which vmap takes one model after another: none of that here."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from craftc.fence import fence, require

WARNED = "There is a performance drop because we have not yet implemented the batching rule for"
"""How torch's warning begins, which tells of the same."""


@fence("torch.vmap_fallback", instead="torch's warnings say which operation has no rule for several models at once")
def _switch() -> Any:
    functorch: Any = torch._C._functorch
    before = functorch._is_vmap_fallback_enabled()
    try:
        for wanted in (False, True):
            functorch._set_vmap_fallback_enabled(wanted)
            require(functorch._is_vmap_fallback_enabled() is wanted, "the fallback of vmap cannot be switched")
    finally:
        functorch._set_vmap_fallback_enabled(before)
    return functorch


@contextmanager
def no_vmap_fallback() -> Iterator[None]:
    """Within it, an operation that has no rule raises what `without_rule` knows."""
    functorch = _switch()
    if functorch is None:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=WARNED)
            yield
        return
    before = functorch._is_vmap_fallback_enabled()
    functorch._set_vmap_fallback_enabled(False)
    try:
        yield
    finally:
        functorch._set_vmap_fallback_enabled(before)


def without_rule(error: Exception) -> str | None:
    """The operation that an error says has no rule, or None."""
    text = str(error)
    found = re.search(r"(aten::\w+)[.\w]* hit the vmap fallback", text) or re.search(rf"{WARNED} (aten::\w+)", text)
    return None if found is None else found[1]
