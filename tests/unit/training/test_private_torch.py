"""What torch keeps private: fences stand with the torch of the tests, are down where it is another, and the public ways
compute the same."""

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from craftc.components import many
from craftc.components.many import are_many, for_each_model, of_many
from craftc.training.batched_trials import vmap_fallback
from craftc.training.batched_trials.fused_adam import fused_adam
from craftc.training.batched_trials.vmap_fallback import no_vmap_fallback, without_rule
from craftc.training.foundation import foreach
from craftc.training.foundation.backward_pass import graph_task

FENCES: dict[str, Any] = {
    "torch.vmap_stack": many._stacks,
    "torch.vmap_fallback": vmap_fallback._switch,
    "torch.fused_adam": fused_adam,
    "torch.foreach": foreach._kernels,
    "torch.graph_task": graph_task,
}
functorch: Any = torch._C._functorch  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _probed_anew() -> Any:
    for each in FENCES.values():
        each.cache_clear()
    yield
    for each in FENCES.values():
        each.cache_clear()


def both_ways(name: str, compute: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What is computed with the fence, and without it."""
    assert FENCES[name]() is not None
    up = compute()
    FENCES[name].cache_clear()
    monkeypatch.setenv("CRAFTC_FENCES", name)
    assert FENCES[name]() is None
    return up, compute()


def test_all_stand(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert all(each() is not None for each in FENCES.values())
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "owner", "attribute", "other", "message"),
    [
        ("torch.vmap_stack", functorch, "get_unwrapped", lambda x: x, "Error"),
        ("torch.vmap_stack", functorch, "maybe_get_level", None, "TypeError"),
        ("torch.vmap_fallback", functorch, "_set_vmap_fallback_enabled", lambda on: None, "cannot be switched"),
        ("torch.fused_adam", torch, "_fused_adamw_", lambda *given, **options: None, "leads to 1.0, not 0.85"),
        ("torch.foreach", torch, "_foreach_norm", lambda tensors, ord: [], "TypeError"),
        ("torch.foreach", torch, "_foreach_lerp_", lambda ours, theirs, share: None, "gives other means"),
        ("torch.graph_task", torch._C, "_current_graph_task_id", lambda: -1, "within a backward pass there is none"),
    ],
)
def test_another_torch_takes_a_fence_down_with_one_line(
    name: str,
    owner: Any,
    attribute: str,
    other: Any,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(owner, attribute, other)
    with caplog.at_level(logging.WARNING):
        assert [FENCES[name](), FENCES[name]()] == [None, None]
    [record] = caplog.records
    assert record.getMessage().startswith(f"fence {name} is down (")
    assert message in record.getMessage()


def test_of_many_gives_the_same_values_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    x_KMD, weight_KED, shared_D = torch.randn(3, 4, 5), torch.randn(3, 6, 5), torch.randn(5, requires_grad=True)
    given: list[tuple[Any, ...]] = []

    def stacked(x_KMD: Tensor, weight_KED: Tensor, bias: Tensor | None, shared_KD: Tensor) -> Tensor:
        given.append((tuple(x_KMD.shape), tuple(weight_KED.shape), bias, tuple(shared_KD.shape)))
        return torch.bmm(x_KMD * shared_KD[:, None], weight_KED.transpose(1, 2))

    def one(x_MD: Tensor, weight_ED: Tensor) -> tuple[Tensor, Tensor]:
        y_ME = of_many(stacked, x_MD, weight_ED, None, shared_D)
        return y_ME.sum(), y_ME

    def compute() -> list[Tensor]:
        x, weight = x_KMD.clone().requires_grad_(), weight_KED.clone().requires_grad_()
        # The models' axis is not the first everywhere.
        sums, values = vmap(one, in_dims=(1, 0))(x.transpose(0, 1), weight)
        return [values, *torch.autograd.grad(sums.sum(), (x, weight, shared_D))]

    up, down = both_ways("torch.vmap_stack", compute, monkeypatch)
    assert all(map(torch.equal, up, down))
    assert given == [((3, 4, 5), (3, 6, 5), None, (3, 5))] * 2


def test_what_stands_for_many_models_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute() -> list[bool]:
        x_KB = torch.zeros(3, 2)
        seen = [are_many(x_KB)]
        for_each_model(lambda x_B: seen.append(are_many(x_B)) or x_B, x_KB)  # type: ignore[func-returns-value]
        return [*seen, are_many(x_KB)]

    assert both_ways("torch.vmap_stack", compute, monkeypatch) == ([False, True, False],) * 2


def test_which_operation_has_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute() -> list[str | None]:
        with pytest.raises(Exception, match="aten::bincount") as caught, no_vmap_fallback():
            vmap(torch.bincount)(torch.ones(2, 5, dtype=torch.int64))
        with no_vmap_fallback():
            vmap(torch.sin)(torch.ones(2, 5))
        return [without_rule(caught.value), without_rule(ValueError("another"))]

    assert both_ways("torch.vmap_fallback", compute, monkeypatch) == (["aten::bincount", None],) * 2


def test_lists_of_tensors_change_bit_by_bit_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute() -> list[Tensor]:
        torch.manual_seed(0)
        ours, theirs, kept = ([torch.randn(shape) for shape in ((300, 7), (5,), ())] for _ in range(3))
        norms = foreach.norms(ours)
        foreach.scale_(ours, norms[0] / 3)
        foreach.copy_(kept, ours)
        foreach.lerp_(ours, theirs, 0.1)
        return [*norms, *ours, *kept]

    up, down = both_ways("torch.foreach", compute, monkeypatch)
    assert all(map(torch.equal, up, down))
    assert not torch.equal(up[3], up[6])


POSTPONED = """\
import sys, torch
from craftc.training.foundation import postponed_compiler
from craftc.training.parts.optimizer import build_optimizer

if sys.argv[1:]:
    # A torch whose optimizers ask for more.
    postponed_compiler._Postponed.graph_break = property()
layer = torch.nn.Linear(2, 1)
optimizer = build_optimizer({"kind": "adamw", "lr": 0.1, "weight_decay": 0.0}, layer)
layer(torch.ones(3, 2)).sum().backward()
optimizer.step()
print(type(sys.modules["torch._dynamo"]).__name__, torch._dynamo is sys.modules["torch._dynamo"])
"""


@pytest.mark.parametrize(("broken", "module", "lines"), [((), "_Postponed", 0), (("broken",), "module", 1)])
def test_an_optimizer_that_asks_for_more_gets_the_compiler(broken: tuple[str, ...], module: str, lines: int) -> None:
    done = subprocess.run([sys.executable, "-c", POSTPONED, *broken], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{module} True\n"), done.stderr
    assert done.stderr.count("fence torch.postponed_compiler is down") == lines
