"""Muon for the matrices within a model, and AdamW for everything else, as one optimizer."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from craftc.components.bounds import PER_TRIAL, BelowOne, Name, NonNegativeFloat, PositiveFloat, PositiveInt
from craftc.components.declare import declares
from craftc.components.optimizers.torch_optimizers import Betas

MUON, ADAMW = "muon", "adamw"
ALGORITHM = "algorithm"
"""Of a group of parameters, which of the two takes its steps."""


@declares(
    search_ranges={
        "lr": {"log_uniform": [2e-3, 1e-1]},
        "adamw_lr": {"log_uniform": [1e-4, 1e-2]},
        "weight_decay": {"log_uniform": [1e-4, 1e-1]},
    }
)
class MuonWithAdamW(torch.optim.Optimizer):
    """Muon for the matrices within a model (Jordan et al. 2024), torch's own, and AdamW for all other parameters.

    AdamW has what is no matrix, the weights of embeddings, and the head. The schedule sets the rates of both, each in
    its share of its own. Needs torch 2.9 or later.

    Args:
        lr: Learning rate of Muon that the schedule starts from.
        momentum: Decay of Muon's running sum of gradients.
        nesterov: Look ahead along the momentum.
        ns_steps: Newton-Schulz iterations by which an update is made orthogonal.
        adjust_lr: How the rate follows the shape of a matrix of A x B: original takes sqrt(max(1, A / B)) of it,
            match_rms_adamw 0.2 * sqrt(max(A, B)), so that a rate of AdamW fits.
        weight_decay: Share of each weight, times its learning rate, that a step takes away; of both.
        adamw_lr: Learning rate of AdamW that the schedule starts from.
        betas: AdamW's decay of the running means of the gradient and of its square.
        eps: Added to AdamW's denominator.
        head: The matrices that AdamW has beside embeddings: last, the last of the model, which is mostly its head;
            none; or names as in training.groups, `*` for anything.
    """

    has_divisible_groups = True

    def __init__(
        self,
        params: Iterable[Tensor],
        model: nn.Module,
        /,
        *,
        lr: Annotated[PositiveFloat, PER_TRIAL] = 0.02,
        momentum: BelowOne = 0.95,
        nesterov: bool = True,
        ns_steps: PositiveInt = 5,
        adjust_lr: Literal["original", "match_rms_adamw"] = "original",
        weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.01,
        adamw_lr: Annotated[PositiveFloat, PER_TRIAL] = 3e-4,
        betas: Betas = (0.9, 0.95),
        eps: PositiveFloat = 1e-8,
        head: Literal["last", "none"] | Sequence[Name] = "last",
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ImportError(
                f"muon is torch.optim.Muon, which torch has from 2.9 on; this is torch {torch.__version__}"
            )
        params = list(params)
        spared = _not_hidden(model, params, head)
        matrices = [parameter for parameter in params if parameter.ndim == 2 and id(parameter) not in spared]
        others = [parameter for parameter in params if parameter.ndim != 2 or id(parameter) in spared]
        groups: list[dict[str, Any]] = []
        if matrices:
            muon = torch.optim.Muon(
                matrices,
                lr=lr,
                weight_decay=weight_decay,
                momentum=momentum,
                nesterov=nesterov,
                ns_steps=ns_steps,
                adjust_lr_fn=adjust_lr,
            )
            groups += [{**group, ALGORITHM: MUON} for group in muon.param_groups]
        if others:
            adamw = torch.optim.AdamW(
                others, lr=adamw_lr, betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay, fused=True
            )
            groups += [{**group, ALGORITHM: ADAMW} for group in adamw.param_groups]
        self._parts: list[torch.optim.Optimizer] = []
        super().__init__(groups, {})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As of any optimizer; the group says which of the two takes its steps."""
        self._parts = []
        super().add_param_group(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._parts = []

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """A step of each."""
        self._parts = self._parts or self._made()
        for part in self._parts:
            part.step()

    def _made(self) -> list[torch.optim.Optimizer]:
        """torch's optimizers, which use the groups and the state of this one, those that are set and saved."""
        found: list[torch.optim.Optimizer] = []
        for name, optimizer in ((MUON, torch.optim.Muon), (ADAMW, torch.optim.AdamW)):
            groups = [group for group in self.param_groups if group[ALGORITHM] == name]
            if groups:
                part = optimizer([parameter for group in groups for parameter in group["params"]])
                part.param_groups, part.state = groups, self.state
                found.append(part)
        return found


def _not_hidden(model: nn.Module, params: Sequence[Tensor], head: str | Sequence[str]) -> set[int]:
    """The identities of the weights of embeddings, and of those that `head` means."""
    embeddings = (nn.Embedding, nn.EmbeddingBag)
    spared = {id(module.weight) for module in model.modules() if isinstance(module, embeddings)}
    if head == "last":
        return spared | {id(parameter) for parameter in [p for p in params if p.ndim == 2][-1:]}
    trained = {id(parameter) for parameter in params}
    for pattern in () if isinstance(head, str) else head:
        named = model.named_parameters(remove_duplicate=False)
        found = {id(parameter) for name, parameter in named if fnmatchcase(name, pattern)} & trained
        if not found:
            raise ValueError(f'head: no parameter that is trained is named "{pattern}"')
        spared |= found
    return spared
