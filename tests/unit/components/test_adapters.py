"""Adapters of low rank: what they compute against the papers' formulas, what is trained, what they refuse."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from craftc.components.build import build


class Net(nn.Module):
    """Two layers and a head, and attention of torch's own between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        between = self.second(torch.tanh(self.first(x))).unsqueeze(1)
        logits: torch.Tensor = self.head(self.attention(between, between, between, need_weights=False)[0].squeeze(1))
        return logits


def adapted(kind: str, **arguments: Any) -> tuple[Net, nn.Module]:
    """The model as it was, and with adapters whose second factor is not 0 any more."""
    torch.manual_seed(0)
    plain, net = Net(), Net()
    net.load_state_dict(plain.state_dict())
    build("adapters", {"kind": kind, **arguments})(net)
    return plain, net


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_it_begins_as_the_model_and_trains_a_part(kind: str) -> None:
    plain, net = adapted(kind, rank=2)
    x = torch.randn(3, 6)
    torch.testing.assert_close(net(x), plain(x))
    trained = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    layers = {name.rpartition(".lora_")[0] for name in trained if ".lora_" in name}
    assert layers == {"first", "second"}
    assert {name for name in trained if ".lora_" not in name} == {"head.weight", "head.bias"}


def test_lora_is_a_scaled_product_beside_the_weights() -> None:
    plain, net = adapted("lora", rank=2, alpha=6.0, targets="first", trained="none")
    layer = net.get_submodule("first")
    a_RI, b_OR = torch.randn(2, 6), torch.randn(5, 2)
    layer.load_state_dict({"lora_A.default.weight": a_RI, "lora_B.default.weight": b_OR}, strict=False)
    x = torch.randn(3, 6)
    torch.testing.assert_close(layer(x), plain.first(x) + 6.0 / 2 * x @ a_RI.T @ b_OR.T)


def test_dora_keeps_a_norm_for_each_output() -> None:
    plain, net = adapted("dora", rank=2, alpha=2.0, targets=["first", "sec*"])
    layer = net.get_submodule("first")
    a_RI, b_OR, norm_O = torch.randn(2, 6), torch.randn(5, 2), torch.rand(5) + 0.5
    found = {name: parameter for name, parameter in layer.named_parameters() if parameter.requires_grad}
    [magnitude] = [name for name in found if "magnitude" in name]
    given = {"lora_A.default.weight": a_RI, "lora_B.default.weight": b_OR, magnitude: norm_O}
    layer.load_state_dict(given, strict=False)
    direction_OI = plain.first.weight + b_OR @ a_RI
    expected = norm_O[:, None] * direction_OI / direction_OI.norm(dim=1, keepdim=True)
    x = torch.randn(3, 6)
    torch.testing.assert_close(layer(x), F.linear(x, expected, plain.first.bias))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": "blocks.*"}, 'targets: no module of the model is named "blocks.*"; linear layers are first, sec'),
        ({"trained": ["heads"]}, 'trained: no module of the model is named "heads"'),
        ({"trained": ["first", "second", "head"]}, "targets: the model has no linear layer to adapt"),
    ],
    ids=str,
)
def test_what_names_nothing_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message[:40].replace("*", r"\*")) as raised:
        adapted("lora", **arguments)
    assert message in str(raised.value)
