"""Records what a model attends to, whoever wrote the model.

B: samples, N: heads, T: places that attend, S: places that are attended to, D: width of a head.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from craftc.components.artefacts.pictures import new_figure, png
from craftc.components.artefacts.trained import ArtefactError, Made, Trained

MOST_PLACES = 64
"""Of a map that is written out as numbers; a larger one is in the picture alone."""
MOST_LAYERS, MOST_HEADS = 24, 16
"""In a picture."""


class AttentionMaps:
    """How much each place attends to each, by layer and head: rows attend, columns are attended to.

    It sees whatever computes attention by `F.scaled_dot_product_attention` or `nn.MultiheadAttention`; attention that
    a model writes out by itself it does not see, and says so.

    Args:
        samples: How many of the split's first samples, a picture's row of blocks for each.
    """

    def __init__(self, *, samples: Annotated[int, Ge(1), Le(16)] = 1) -> None:
        self.samples = samples

    def make(self, trained: Trained) -> Made:
        """Of the first samples. Raises ArtefactError where nothing was seen."""
        batch = next(trained.batches(self.samples))
        # craftc's own attention takes a shorter way for few places where no gradients are kept.
        with recorded(trained.model) as record, torch.enable_grad():
            trained.output(batch)
        if not record.maps:
            raise ArtefactError(
                "nothing that the model calls computes attention by torch.nn.functional.scaled_dot_product_attention "
                "or torch.nn.MultiheadAttention"
            )
        num_samples = len(batch[trained.first])
        maps = [each for each in record.maps if each.weights_BNTS.shape[0] == num_samples]
        if not maps:
            raise ArtefactError(f"attention was computed over {len(record.maps[0].weights_BNTS)} samples, not each")
        values = {"samples": num_samples, "layers": [_written(each) for each in maps]}
        return Made(values, _table(maps), _picture(maps[:MOST_LAYERS]))


@dataclass(frozen=True)
class Map:
    """The weights of one call, (B, N, T, S), rows of which add up to 1, and the module that made it."""

    module: str
    weights_BNTS: Tensor


@dataclass
class Record:
    """What was seen, in order."""

    maps: list[Map] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)

    def add(self, weights: Tensor) -> None:
        """Take up the weights of a call, (B, N, T, S)."""
        self.maps.append(Map(self.modules[-1] if self.modules else "", weights.detach().float().cpu()))


@contextmanager
def recorded(model: nn.Module) -> Iterator[Record]:
    """Record the attention that a model computes meanwhile."""
    record = Record()

    def leave(*_: Any) -> None:
        record.modules.pop()

    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda _, __, name=name: record.modules.append(name)))
        hooks.append(module.register_forward_hook(leave, always_call=True))
    fast = torch.backends.mha.get_fastpath_enabled()
    # That computes a whole layer at once, where nothing can be seen.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with _Watching(record):
            yield record
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()


class _Watching(TorchFunctionMode):
    """Sees every call of torch's attention; what it returns stays the same."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self._record = record

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            self._record.add(weights_of(*args, **kwargs))
        elif func is F.multi_head_attention_forward:
            return self._of_heads(func, args, kwargs)
        return func(*args, **kwargs)

    def _of_heads(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        with torch.no_grad():
            _, weights = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})
        # Of one sample without an axis of samples, (N, T, S).
        self._record.add(weights if weights.dim() == 4 else weights.unsqueeze(0))
        # Where it needs no weights it computes them by the function above: this call was seen already.
        seen = len(self._record.maps)
        found = func(*args, **kwargs)
        del self._record.maps[seen:]
        return found


def weights_of(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The weights (B, N, T, S) of a call of `F.scaled_dot_product_attention`, as its documentation defines them."""
    with torch.no_grad():
        query, key = query.detach().float(), key.detach().float()
        if enable_gqa:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            is_seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
            scores = scores.masked_fill(~is_seen, -torch.inf)
        if attn_mask is not None:
            is_bool = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, -torch.inf) if is_bool else scores + attn_mask.float()
        weights = scores.softmax(-1).nan_to_num(0.0)  # a row that sees nothing
        while weights.dim() < 4:
            weights = weights.unsqueeze(0)
        return weights


def _written(each: Map) -> dict[str, Any]:
    """The mean over heads in numbers, of a small map; and of each sample and head, how spread it is."""
    weights = each.weights_BNTS
    small = max(weights.shape[2:]) <= MOST_PLACES
    entropy_BN = -(weights * weights.clamp_min(1e-12).log()).sum(-1).mean(-1)
    return {
        "module": each.module,
        "heads": weights.shape[1],
        "places": list(weights.shape[2:]),
        "entropy": [[round(value, 4) for value in row] for row in entropy_BN.tolist()],
        "mean_over_heads": _rounded(weights.mean(1).tolist()) if small else None,
    }


def _rounded(values: Any) -> Any:
    return [_rounded(each) for each in values] if isinstance(values, list) else round(values, 4)


def _table(maps: Sequence[Map]) -> str:
    lines = ["layer  heads  places  entropy by head (nats; 0: one place alone)"]
    for number, each in enumerate(maps, start=1):
        _, heads, rows, columns = each.weights_BNTS.shape
        entropy_N = -(each.weights_BNTS * each.weights_BNTS.clamp_min(1e-12).log()).sum(-1).mean((0, 2))
        spread = " ".join(f"{value:.2f}" for value in entropy_N.tolist())
        lines.append(f"{number:>5}  {heads:>5}  {rows}x{columns}  {spread}  {each.module}")
    return "\n".join(lines) + "\n"


def _picture(maps: Sequence[Map]) -> bytes:
    """A row for each layer of each sample, a column for each head."""
    num_samples = len(maps[0].weights_BNTS)
    columns = min(max(each.weights_BNTS.shape[1] for each in maps), MOST_HEADS)
    rows = num_samples * len(maps)
    figure = new_figure(1.3 * columns + 0.6, min(1.3 * rows + 0.4, 60.0))
    grid = figure.subplots(rows, columns, squeeze=False)
    for row, axes_of_row in enumerate(grid):
        sample, layer = divmod(row, len(maps))
        weights_NTS = maps[layer].weights_BNTS[sample]
        for head, axes in enumerate(axes_of_row):
            axes.set_xticks([])
            axes.set_yticks([])
            if head < len(weights_NTS):
                axes.imshow(weights_NTS[head].numpy(), cmap="viridis", vmin=0, aspect="auto", interpolation="nearest")
            else:
                axes.set_axis_off()
            if row == 0:
                axes.set_title(f"head {head + 1}", fontsize=7)
        of_sample = f"sample {sample + 1}, " if num_samples > 1 else ""
        axes_of_row[0].set_ylabel(f"{of_sample}layer {layer + 1}", fontsize=7)
    return png(figure)
