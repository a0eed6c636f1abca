"""Models: shapes, gradients, seeds, and what each option means."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from craftc.components.build import build

VIT: dict[str, Any] = {
    "kind": "scanline_vit", "num_lines": 6, "line_length": 5, "num_classes": 3,
    "d_model": 8, "num_layers": 2, "num_heads": 2, "d_ffn": 16,
}  # fmt: skip
MLP: dict[str, Any] = {"kind": "mlp", "num_features": 30, "num_classes": 3, "hidden": [7, 4]}
OPTIONS = [
    {"positions": positions, "mask": mask, "pooling": pooling}
    for positions, mask, pooling in itertools.product(
        ["learned", "sinusoidal"], ["causal", "none"], ["cls", "mean", "last"]
    )
]


def model(component: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    built: torch.nn.Module = build("models", component)
    return built


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("component", [MLP, *({**VIT, **options} for options in OPTIONS)])
def test_logits_gradients_and_seed(component: dict[str, Any]) -> None:
    x = images(4, 6, 5)
    net = model({**component, "dropout": 0.1})
    logits = net(x)
    assert logits.shape == (4, 3)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    net.eval()
    assert torch.equal(net(x), model({**component, "dropout": 0.1}).eval()(x))
    assert not torch.equal(net(x), model({**component, "dropout": 0.1}, seed=1).eval()(x))


def test_dropout_acts_in_training_alone() -> None:
    for component in (MLP, VIT):
        net = model({**component, "dropout": 0.5})
        x = images(4, 6, 5)
        assert not torch.equal(net(x), net(x))
        net.eval()
        assert torch.equal(net(x), net(x))


def test_linear_is_linear() -> None:
    net = model({"kind": "linear", "num_features": 30, "num_classes": 3})
    x, y = images(4, 6, 5), images(4, 6, 5) + 1
    zero = net(torch.zeros_like(x))
    torch.testing.assert_close(net(x + y) - zero, (net(x) - zero) + (net(y) - zero))
    assert not torch.equal(net(x), net(y))


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
def test_mlp_activations(activation: str) -> None:
    assert model({**MLP, "activation": activation})(images(2, 5, 6)).shape == (2, 3)


def seen_lines(options: dict[str, str]) -> list[bool]:
    """Which of the six lines the logits depend on."""
    x = images(1, 6, 5).requires_grad_()
    model({**VIT, **options})(x).sum().backward()
    assert x.grad is not None
    return (x.grad.abs().sum((0, 2)) > 0).tolist()


@pytest.mark.parametrize("options", OPTIONS)
def test_every_pooling_sees_every_line_under_both_masks(options: dict[str, str]) -> None:
    assert seen_lines(options) == [True] * 6


def test_a_causal_mask_hides_the_lines_below() -> None:
    net = model({**VIT, "mask": "causal", "pooling": "cls"})
    states: list[Tensor] = []
    net.blocks[-1].register_forward_hook(lambda _module, _args, out: states.append(out))  # type: ignore[union-attr, index]
    x = images(1, 6, 5)
    changed = x.clone()
    changed[0, 4:] += 1
    net(x), net(changed)
    same = (states[0] == states[1]).all(-1)[0].tolist()
    assert same == [True] * 4 + [False] * 3


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_positions_tell_lines_apart(positions: str) -> None:
    net = model({**VIT, "positions": positions, "pooling": "mean"})
    x = images(1, 6, 5)
    assert not torch.allclose(net(x), net(x.flip(1)), atol=1e-6)


def test_channels_are_part_of_a_line() -> None:
    net = model({**VIT, "line_length": 10})
    x = images(3, 2, 6, 5)
    lines = torch.cat([x[:, 0], x[:, 1]], dim=-1)
    assert torch.equal(net(x), net(lines))
    with pytest.raises(ValueError, match="needs images"):
        net(images(3, 10))


def test_sinusoids_need_no_even_width_and_no_weights() -> None:
    net = model({**VIT, "d_model": 7, "num_heads": 1, "positions": "sinusoidal", "pooling": "mean"})
    assert net(images(2, 6, 5)).shape == (2, 3)
    assert not any("positions" in name for name in net.state_dict())
