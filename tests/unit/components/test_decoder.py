"""The language model: what each token sees, what its options mean, and several of them at once."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from craftc.components.build import build

SMALL: dict[str, Any] = {
    "kind": "decoder", "vocabulary_size": 11, "context_length": 7,
    "d_model": 8, "num_layers": 2, "num_heads": 2, "d_ffn": 16,
}  # fmt: skip
POSITIONS = ["learned", "rotary", "none"]


def model(seed: int = 0, **options: Any) -> torch.nn.Module:
    torch.manual_seed(seed)
    built: torch.nn.Module = build("models", {**SMALL, **options})
    return built


def tokens(*shape: int) -> Tensor:
    return torch.randint(11, shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("tied", [True, False])
def test_logits_gradients_and_seed(positions: str, tied: bool) -> None:
    options = {"positions": positions, "tied": tied, "dropout": 0.1}
    net, x = model(**options), tokens(4, 7)
    logits = net(x)
    assert logits.shape == (4, 7, 11)
    F.cross_entropy(logits.flatten(0, 1), x.flatten()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    net.eval()
    assert torch.equal(net(x), model(**options).eval()(x))
    assert not torch.equal(net(x), model(seed=1, **options).eval()(x))


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_token_sees_itself_and_what_stands_before(positions: str) -> None:
    net, x = model(positions=positions).double(), tokens(1, 7)
    for place in range(7):
        changed = x.clone()
        changed[0, place] = (x[0, place] + 1) % 11
        same = torch.isclose(net(x), net(changed), rtol=0, atol=1e-12).all(-1)[0].tolist()
        assert same == [True] * place + [False] * (7 - place)


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_shorter_text_is_the_beginning_of_a_longer_one(positions: str) -> None:
    net, x = model(positions=positions).double(), tokens(2, 7)
    torch.testing.assert_close(net(x[:, :4]), net(x)[:, :4])


def test_the_order_counts_by_place_by_distance_or_by_the_mask_alone() -> None:
    # One block: with more, what a token has gathered of those before it tells their order whatever the positions are.
    x = torch.tensor([[1, 2, 3, 4]])
    swapped = x[:, [1, 0, 2, 3]]
    for positions, is_same in (("learned", False), ("rotary", False), ("none", True)):
        net = model(positions=positions, num_layers=1).double()
        for parameter in net.parameters():  # away from the small initial weights, with which all attend alike
            torch.nn.init.normal_(parameter) if parameter.dim() == 2 else None
        last, other = net(x)[0, -1], net(swapped)[0, -1]
        assert torch.allclose(last, other, atol=1e-9) is is_same, positions


def test_rotary_positions_see_distances_and_not_places() -> None:
    net = model(positions="rotary", num_layers=1).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter) if parameter.dim() == 2 else None
    # Of a text that repeats one token up to the same two, attention weights differ by distance alone: a token that
    # attends to equal values gets that value, wherever it stands.
    x = torch.full((1, 7), 3)
    logits = net(x)
    torch.testing.assert_close(logits, logits[:, :1].expand(-1, 7, -1))
    learned = model(positions="learned", num_layers=1).double()(x)
    assert not torch.allclose(learned[:, 0], learned[:, 6])


def test_tied_weights_are_the_embedding() -> None:
    tied, free = (sum(p.numel() for p in model(tied=tied).parameters()) for tied in (True, False))
    assert free - tied == 11 * 8


def test_the_first_loss_is_that_of_knowing_nothing() -> None:
    net, x = model(vocabulary_size=100, d_model=64, num_layers=4), tokens(8, 7)
    loss = F.cross_entropy(net(x).flatten(0, 1), x.flatten() + 50)
    assert loss.item() == pytest.approx(math.log(100), abs=0.2)


def test_odd_heads_cannot_turn() -> None:
    with pytest.raises(ValueError, match="even width, and d_model / num_heads is 3"):
        model(d_model=6, positions="rotary")


@pytest.mark.parametrize("positions", POSITIONS)
def test_several_at_once_are_each_alone(positions: str) -> None:
    nets = [model(seed, positions=positions).double() for seed in range(3)]
    params, buffers = stack_module_state(nets)
    x, y = tokens(3, 4, 7), tokens(3, 4, 7).flip(1)

    def loss(parameters: dict[str, Tensor], kept: dict[str, Tensor], x_BT: Tensor, y_BT: Tensor) -> Tensor:
        logits = functional_call(nets[0], (parameters, kept), (x_BT,))
        return F.cross_entropy(logits.flatten(0, -2), y_BT.flatten())

    losses_K = vmap(loss)(params, buffers, x, y)
    losses_K.sum().backward()
    for index, net in enumerate(nets):
        alone = F.cross_entropy(net(x[index]).flatten(0, -2), y[index].flatten())
        torch.testing.assert_close(losses_K[index], alone, rtol=1e-12, atol=1e-12)
        alone.backward()
        for name, parameter in net.named_parameters():
            stacked = params[name].grad
            assert stacked is not None
            torch.testing.assert_close(stacked[index], parameter.grad, rtol=1e-10, atol=1e-12)
