"""Checks that a language model does not see the tokens that it is to predict.

B: samples of a batch, T: tokens of a sample, C: tokens that there are.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import seed_everything

TOLERANCE = 1e-4
"""Of the largest logit: 16-bit kernels aside, what a later token may move an earlier logit by rounding. A model that
sees its targets moves it by a percent and more."""
NUDGE = 0.02
"""Standard deviation of what weights that are all zero are set to: a branch that begins at zero hides what it sees."""


Predict = Callable[[nn.Module, Tensor], Tensor]
"""What a model makes of tokens (B, T): logits (B, T, C)."""


def check_causal(
    model: nn.Module, x_BT: Tensor, num_tokens: int, name: str, predict: Predict = nn.Module.__call__
) -> None:
    """Change the tokens from some position on, and compare the logits of those before it, in eval mode.

    Raises TrainingError `model-sees-target`. `x_BT` are inputs of the train split; the model stays as it is.
    """
    length = x_BT.shape[1]
    if length < 2 or num_tokens < 2:
        return
    device = x_BT.device
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        seed_everything(0, device)
        tried = _nudged(model).eval()
        logits_BTC = _logits(predict, tried, x_BT)
        allowed = TOLERANCE * max(logits_BTC.abs().max().item(), 1e-3)
        for cut in sorted({1, length // 2, length - 1}):
            changed_BT = x_BT.clone()
            changed_BT[:, cut:] = (changed_BT[:, cut:] + 1) % num_tokens
            moved_T = (_logits(predict, tried, changed_BT) - logits_BTC)[:, :cut].abs().amax(dim=(0, 2))
            if moved_T.max().item() > allowed:
                raise TrainingError("model-sees-target", _message(name, moved_T, allowed, cut))


def _message(name: str, moved_T: Tensor, allowed: float, cut: int) -> str:
    first = int((moved_T > allowed).nonzero()[-1].item())
    return (
        f"{name} sees what it is to predict: changing token {cut} of the input moves the logits of token {first} by "
        f"{moved_T[first].item():.3g}; a model of text may look at earlier tokens alone (a causal mask)"
    )


def _nudged(model: nn.Module) -> nn.Module:
    """A copy whose weights that are all zero are not; the model itself where it cannot be copied."""
    try:
        tried = copy.deepcopy(model)
    except Exception:
        return model
    for parameter in tried.parameters():
        if parameter.is_floating_point() and not parameter.any():
            parameter.normal_(std=NUDGE)
    return tried


def _logits(predict: Predict, model: nn.Module, x_BT: Tensor) -> Tensor:
    # Seeded anew: what a model draws in eval mode is the same for both inputs.
    seed_everything(0, x_BT.device)
    logits = predict(model, x_BT.clone())
    return logits.double() if x_BT.device.type != "mps" else logits.float()
