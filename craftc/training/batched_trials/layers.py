"""Makes the linear and normalizing layers of a model fast where many models are one under vmap.

vmap's own rules split a linear layer into a product and an addition, whose backward passes copy what they need
transposed: measured on a CPU, twice the time of what is done here.

K: models, M: rows of an input, all its axes but the last; D: values of a row, E: values of a row of the output.
"""

from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.many import of_many


class Linear(nn.Linear):
    """What torch's linear layers become. Only for inputs of many models."""

    def forward(self, x: Tensor) -> Tensor:
        """As torch's, (..., D) -> (..., E)."""
        return of_many(_linear, x, self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """What torch's normalizing layers become. Only for inputs of many models."""

    def forward(self, x: Tensor) -> Tensor:
        """As torch's, of the shape of `x`."""
        return of_many(self._norm, x, self.weight, self.bias)

    def _norm(self, x: Tensor, weight_KD: Tensor, bias_KD: Tensor) -> Tensor:
        y: Tensor = _Norm.apply(x.reshape(len(x), -1, x.shape[-1]), weight_KD, bias_KD, self.eps)  # type: ignore[no-untyped-call]
        return y.view(x.shape)


def quicken(model: nn.Module) -> None:
    """Have a model that is only ever called under vmap use the layers of this module; the modules stay the objects that
    they are. A subclass of the user's own may do anything, and stays as it is."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = Linear
        elif type(module) is nn.LayerNorm and len(module.normalized_shape) == 1 and module.bias is not None:
            module.__class__ = LayerNorm


def _linear(x: Tensor, weight_KED: Tensor, bias_KE: Tensor | None) -> Tensor:
    y_KME: Tensor = _Linear.apply(x.reshape(len(x), -1, x.shape[-1]), weight_KED, bias_KE)  # type: ignore[no-untyped-call]
    return y_KME.view(*x.shape[:-1], -1)


class _Linear(torch.autograd.Function):
    """The linear layers of K models."""

    @staticmethod
    def forward(ctx: Any, x_KMD: Tensor, weight_KED: Tensor, bias_KE: Tensor | None) -> Tensor:
        """(K, M, E)."""
        ctx.save_for_backward(x_KMD, weight_KED)
        if bias_KE is None:
            return torch.bmm(x_KMD, weight_KED.transpose(1, 2))
        return torch.baddbmm(bias_KE[:, None], x_KMD, weight_KED.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        """As far as they are asked for."""
        (g_KME,) = gradients
        x_KMD, weight_KED = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            torch.bmm(g_KME, weight_KED) if needs_x else None,
            torch.bmm(g_KME.transpose(1, 2), x_KMD) if needs_weight else None,
            g_KME.sum(1) if needs_bias else None,
        )


class _Norm(torch.autograd.Function):
    """The normalizing layers of K models."""

    @staticmethod
    def forward(ctx: Any, x_KMD: Tensor, weight_KD: Tensor, bias_KD: Tensor, eps: float) -> Tensor:
        """(K, M, D)."""
        plain_KMD, mean, rstd = torch.native_layer_norm(x_KMD, x_KMD.shape[-1:], None, None, eps)
        ctx.save_for_backward(x_KMD, weight_KD, plain_KMD, mean, rstd)
        return torch.addcmul(bias_KD[:, None], plain_KMD, weight_KD[:, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        """Of all three."""
        (g_KMD,) = gradients
        x_KMD, weight_KD, plain_KMD, mean, rstd = ctx.saved_tensors
        scaled = g_KMD * weight_KD[:, None]
        g_x, _, _ = torch.ops.aten.native_layer_norm_backward(
            scaled, x_KMD, x_KMD.shape[-1:], mean, rstd, None, None, [True, False, False]
        )
        return g_x, torch.mul(g_KMD, plain_KMD, out=scaled).sum(1), g_KMD.sum(1), None
