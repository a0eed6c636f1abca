"""An ensemble of networks for tables that share most of their weights, of the package `tabm`.

Shapes: B batch, F numbers of a sample, G categories of a sample, K members, C outputs of a prediction.
"""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from rtdl_num_embeddings import LinearReLUEmbeddings, PeriodicEmbeddings, PiecewiseLinearEmbeddings
from tabm import TabM
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt, Reduction

NumberEmbeddings = Literal["none", "linear_relu", "periodic", "piecewise_linear"]


class TabMEnsemble(nn.Module):
    """TabM (Gorishniy et al. 2025), the package's own module: an ensemble of MLPs that share most of their weights.

    Each member is trained by a loss of its own; what is minimised is their mean. In evaluation the members' predictions
    are averaged: the probabilities of classes and of labels, whose logits the output then has, and quantities as they
    are. The defaults are those of the package. Normalize numbers, with per_feature say.

    Args:
        num_classes: Outputs of one sample: logits of classes or labels, or as many quantities as its target has.
        num_features: Numbers of one sample; None of a table of categories alone.
        cardinalities: How many numbers each category may have, each encoded as 0 and 1; None of a table without.
        target_kind: What is to be predicted, by which members are averaged.
        num_members: Members of the ensemble.
        architecture: tabm: members differ in vectors that scale what goes into and out of each layer; tabm-mini: in
            what scales the input alone; tabm-packed: in all weights.
        num_layers: Hidden layers; None: 3, or 2 with embeddings of numbers.
        d_hidden: Width of a hidden layer.
        dropout: Probability that a hidden value is zeroed during training.
        embeddings: What each number is turned into first (Gorishniy et al. 2022): none: itself; linear_relu: a line
            of its own; periodic: sines and cosines of learned frequencies; piecewise_linear: an encoding by bins, here
            those between the quantiles of a normal distribution, so that numbers are to be normalized to it.
        d_embedding: Width of such an embedding.
        num_bins: Bins of piecewise_linear.
    """

    takes = ("table",)
    packages: ClassVar = {"tabm": "table", "rtdl_num_embeddings": "table"}
    search_ranges: ClassVar = {
        "num_layers": {"int": [1, 5]},
        "d_hidden": {"log_int": [64, 1024]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        num_classes: PositiveInt,
        num_features: PositiveInt | None = None,
        cardinalities: Sequence[PositiveInt] | None = None,
        target_kind: Literal["class", "classes", "real", "token", "vectors", "mask"] = "class",
        num_members: Reduction = 32,
        architecture: Literal["tabm", "tabm-mini", "tabm-packed"] = "tabm",
        num_layers: PositiveInt | None = None,
        d_hidden: PositiveInt = 512,
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.1,
        embeddings: NumberEmbeddings = "none",
        d_embedding: PositiveInt = 16,
        num_bins: Reduction = 48,
    ) -> None:
        super().__init__()
        self.num_members, self.target_kind = num_members, target_kind
        self.has_numbers = num_features is not None
        embedded = None if num_features is None else _embeddings(embeddings, num_features, d_embedding, num_bins)
        given = {} if num_layers is None else {"n_blocks": num_layers}
        self.ensemble = TabM.make(
            n_num_features=num_features or 0,
            cat_cardinalities=list(cardinalities or ()),
            d_out=num_classes,
            num_embeddings=embedded,
            k=num_members,
            arch_type=architecture,
            d_block=d_hidden,
            dropout=dropout,
            **given,
        )

    def forward(self, numbers: Tensor, categories: Tensor | None = None) -> Tensor:
        """Numbers (B, F) and categories (B, G), or categories alone -> outputs (B, C), in training (B, K, C)."""
        ensemble, parts = self.ensemble, []
        if self.has_numbers:
            embed = ensemble.num_module
            parts.append(numbers.flatten(1) if embed is None else embed(numbers.flatten(1)).flatten(1))
        else:
            categories = numbers
        if categories is not None:
            parts.append(ensemble.cat_module(categories).to(self._dtype))
        # As the package's own forward, whose column_stack has no rule for several models at once.
        outputs_BKC: Tensor = ensemble.output(ensemble.backbone(ensemble.ensemble_view(torch.cat(parts, dim=1))))
        return outputs_BKC if self.training else _averaged(outputs_BKC, self.target_kind)

    @property
    def _dtype(self) -> torch.dtype:
        return self.ensemble.output.weight.dtype  # type: ignore[no-any-return]


def _averaged(outputs_BKC: Tensor, target_kind: str) -> Tensor:
    """The members' predictions as one, (B, C)."""
    if target_kind == "class":
        return outputs_BKC.log_softmax(-1).logsumexp(1) - math.log(outputs_BKC.shape[1])
    if target_kind == "classes":
        # The log odds of the mean probability.
        return F.logsigmoid(outputs_BKC).logsumexp(1) - F.logsigmoid(-outputs_BKC).logsumexp(1)
    return outputs_BKC.mean(1)


def _embeddings(kind: NumberEmbeddings, num_features: int, width: int, num_bins: int) -> nn.Module | None:
    made: nn.Module | None = None
    if kind == "linear_relu":
        made = LinearReLUEmbeddings(num_features, width)
    elif kind == "periodic":
        made = PeriodicEmbeddings(num_features, width, lite=False)
    elif kind == "piecewise_linear":
        edges = torch.special.ndtri(torch.linspace(0.001, 0.999, num_bins + 1, dtype=torch.float64)).float()
        made = PiecewiseLinearEmbeddings([edges] * num_features, width, activation=False, version="B")
    return made
