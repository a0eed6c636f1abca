"""Dropout with counted numbers: its rate and mean, that no two uses share a mask, and that company changes nothing."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.checkpoint import checkpoint

from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import step_key
from craftc.training.parts import dropout as drawing
from craftc.training.parts.dropout import DropoutBits, count_dropout
from craftc.training.parts.worker_group import WorkerGroup

SHAPE = (64, 40, 50)
NUM = math.prod(SHAPE)
ONES = torch.ones(SHAPE)


class Twice(nn.Module):
    """Two dropouts, of which one is used twice; what each zeroes."""

    def __init__(self, first: float = 0.5, second: float = 0.5) -> None:
        super().__init__()
        self.first, self.second = nn.Dropout(first), nn.Dropout(second)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.first(x), self.second(x), self.first(x)])


def step(model: nn.Module, draws: DropoutBits, x: Tensor = ONES, *, seed: int = 0, step: int = 0) -> Tensor:
    draws.begin(step_key(seed, "forward", step), x.shape)
    out: Tensor = model(x)
    draws.end()
    return out


def one_dropout(module: nn.Module) -> tuple[nn.Module, DropoutBits]:
    return module, count_dropout(module)


@pytest.mark.parametrize("p", [1e-3, 0.1, 0.5, 0.9])
def test_rate_and_mean_are_those_that_were_asked_for(p: float) -> None:
    dropped = step(*one_dropout(nn.Dropout(p)))
    assert abs((dropped == 0).float().mean().item() - p) < 5 * math.sqrt(p * (1 - p) / NUM) + 2**-17
    assert abs(dropped.mean().item() - 1) < 5 * math.sqrt(p / (1 - p) / NUM)
    # Along every axis: no sample, line or pixel is dropped more often than another.
    for axis in range(3):
        per_place = (dropped == 0).float().transpose(0, axis).flatten(1).mean(1)
        assert (per_place - p).abs().max() < 6 * math.sqrt(p * (1 - p) / (NUM / SHAPE[axis])) + 2**-17


def test_the_ends_of_the_range() -> None:
    assert step(*one_dropout(nn.Dropout(0.0))) is ONES
    assert not step(*one_dropout(nn.Dropout(1.0))).any()
    tiny = one_dropout(nn.Dropout(1e-7))
    assert 0 < sum(int((step(*tiny, step=number) == 0).sum()) for number in range(4)) < 30


def test_no_two_uses_calls_steps_or_seeds_share_a_mask() -> None:
    model = Twice()
    draws = count_dropout(model)
    masks = [
        mask
        for seed, number in ((0, 0), (0, 1), (1, 0))
        for mask in (step(model, draws, seed=seed, step=number) == 0).flatten(1).float() - 0.5
    ]
    agreement = torch.stack(masks) @ torch.stack(masks).T / NUM
    assert (agreement.fill_diagonal_(0).abs() < 5 * 0.25 / math.sqrt(NUM)).all()


def test_numbers_depend_on_nothing_that_happened_before() -> None:
    model = Twice()
    draws = count_dropout(model)
    first = step(model, draws, step=3)
    step(model, draws, ONES[:7], step=4)
    torch.rand(3)
    # The second time a block is drawn for the whole step at once.
    assert draws.layout(SHAPE) is not None
    assert torch.equal(step(model, draws, step=3), first)
    other = Twice()
    assert torch.equal(step(other, count_dropout(other), step=3), first)


def test_a_use_without_dropout_changes_no_other() -> None:
    with_first, without_first = Twice(0.5, 0.5), Twice(0.0, 0.5)
    masks = [step(model, count_dropout(model))[1] for model in (with_first, without_first)]
    assert torch.equal(*masks)


@pytest.mark.parametrize("warm", [False, True])
def test_under_vmap_each_trial_drops_what_it_drops_alone_at_its_own_rate(warm: bool) -> None:
    rates = [(0.1, 0.0), (0.5, 0.3), (0.0, 0.9)]
    models = [Twice(*pair) for pair in rates]
    alone = [step(model, count_dropout(model), seed=seed) for seed, model in enumerate(models)]
    template = copy.deepcopy(models[1])
    draws = count_dropout(template)
    if warm:
        step(template, draws)
    state, buffers = stack_module_state(models)  # type: ignore[arg-type]
    keys = torch.tensor([step_key(seed, "forward", 0) for seed in range(3)], dtype=torch.int32)
    layout = draws.layout(SHAPE)
    block = None if layout is None else layout.block((keys[:, :1], keys[:, 1:]))

    def of_one(buffers: dict[str, Tensor], key: Tensor, block: Tensor | None) -> Tensor:
        draws.begin((key[0], key[1]), SHAPE, block=block)
        out: Tensor = functional_call(template, buffers, (ONES,))
        draws.end()
        return out

    together = vmap(of_one, in_dims=(0, 0, 0 if warm else None))(state | buffers, keys, block)
    assert all(torch.equal(found, expected) for found, expected in zip(together, alone, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_step_of_very_many_decisions_is_that_of_few_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    x = torch.randn(SHAPE, dtype=dtype)
    found = []
    for most in (10 * NUM, 0):
        monkeypatch.setattr(drawing, "MOST_AT_ONCE", most)
        model = Twice(0.3, 0.6)
        drawn_from = count_dropout(model)
        for number in range(2):
            given = x.clone().requires_grad_()
            out = step(model, drawn_from, given, step=number)
            out.float().square().sum().backward()
        assert (drawn_from.layout(SHAPE) is None) == (most == 0)
        found.append((out, given.grad))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


class Flat(nn.Module):
    """A dropout whose samples lie beside their lines in one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.drop(x.flatten(0, 1))
        return dropped.view(x.shape)


@pytest.mark.parametrize("size", [2, 3])
def test_workers_drop_what_one_would_where_samples_are_no_axis(size: int) -> None:
    x = ONES[:12, :5, :7]
    model = Flat()
    whole = step(model, count_dropout(model), x)
    parts = []
    for rank in range(size):
        workers, own = WorkerGroup(rank, size), Flat()
        drawn_from = count_dropout(own)
        part = workers.part(x)
        drawn_from.begin(step_key(0, "forward", 0), part.shape, first_sample=workers.first_sample(len(x)))
        parts.append(own(part))
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("num_samples", [64, 7])
@pytest.mark.parametrize("size", [2, 3])
def test_workers_drop_what_one_would(num_samples: int, size: int) -> None:
    x = ONES[:num_samples, :3, :5]
    model = Twice(0.3, 0.6)
    whole = step(model, count_dropout(model), x)
    parts = []
    for rank in range(size):
        workers, own = WorkerGroup(rank, size), Twice(0.3, 0.6)
        draws = count_dropout(own)
        part = workers.part(x)
        draws.begin(step_key(0, "forward", 0), part.shape, first_sample=workers.first_sample(num_samples))
        parts.append(own(part))
    assert torch.equal(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize(
    ("module", "shape", "decided"),
    [
        (nn.Dropout1d(0.5), (64, 40, 5), (64, 40, 1)),
        (nn.Dropout1d(0.5), (400, 5), (400, 1)),
        (nn.Dropout2d(0.5), (64, 40, 3, 5), (64, 40, 1, 1)),
        (nn.Dropout2d(0.5), (64, 40, 5), (64, 40, 1)),
        (nn.Dropout3d(0.5), (64, 40, 2, 3, 5), (64, 40, 1, 1, 1)),
        (nn.Dropout3d(0.5), (400, 2, 3, 5), (400, 1, 1, 1)),
    ],
    ids=str,
)
def test_channels_are_dropped_whole(module: nn.Module, shape: tuple[int, ...], decided: tuple[int, ...]) -> None:
    dropped = step(*one_dropout(module), torch.ones(shape)) == 0
    axes = tuple(axis for axis, size in enumerate(decided) if size == 1)
    assert torch.equal(dropped.amax(axes, True), dropped.amin(axes, True))
    assert 0.3 < dropped.float().mean() < 0.7


def test_gradients_flow_through_what_is_kept() -> None:
    x = ONES.clone().requires_grad_()
    out = step(*one_dropout(nn.Dropout(0.25)), x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_mean_is_kept_in_every_precision(dtype: torch.dtype) -> None:
    dropped = step(*one_dropout(nn.Dropout(0.1)), ONES.to(dtype) * 3)
    assert dropped.dtype == dtype
    assert abs(dropped.double().mean().item() - 3) < 0.02


def test_the_model_stays_what_it_was() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    names = list(model.state_dict())
    drop = model[1]
    model[1].register_forward_hook(lambda module, inputs, output: output + 1)
    draws = count_dropout(model)
    assert list(model.state_dict()) == names
    assert model[1] is drop
    assert isinstance(drop, nn.Dropout)
    assert (step(model, draws, torch.ones(8, 4)) >= 1).any()
    model.eval()
    assert torch.equal(step(model, draws, torch.ones(8, 4)), model[0](torch.ones(8, 4)) + 1)


def test_a_rate_that_the_model_changes_counts_from_then_on() -> None:
    model, draws = one_dropout(nn.Dropout(0.1))
    step(model, draws)
    model.p = 0.7
    assert abs((step(model, draws) == 0).float().mean().item() - 0.7) < 0.01


@pytest.mark.parametrize("fences", ["up", "down"])
def test_what_is_computed_again_in_the_backward_draws_the_same(fences: str, request: pytest.FixtureRequest) -> None:
    if fences == "down":
        request.getfixturevalue("fences_down")

    class Checkpointed(nn.Module):
        def __init__(self, times: int) -> None:
            super().__init__()
            self.drop, self.times = nn.Dropout(0.5), times

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(self.times):
                x = checkpoint(lambda x: self.drop(x).square(), x, use_reentrant=False)
            return x

    def gradient(times: int) -> tuple[Tensor, Tensor]:
        model = Checkpointed(times)
        draws = count_dropout(model)
        x = ONES.clone().requires_grad_()
        draws.begin(step_key(0, "forward", 0), SHAPE)
        out = model(x)
        draws.turn()
        out.sum().backward()
        return out.detach(), x.grad  # type: ignore[return-value]

    out, grad = gradient(1)
    assert torch.equal(grad, 2 * out)
    with pytest.raises(TrainingError, match="used 2 times in a step, and checkpointed; give each use"):
        gradient(2)
