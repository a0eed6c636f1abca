"""Transcripts: the objective `ctc`, the metric `character_error_rate` and the source `digit_lines`, and a training."""

import contextlib
import itertools
import json
import math
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from torch.nn import functional as F

from craftc.cli.main import app
from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources.bundled import digits
from craftc.components.sources.columns import Column, Columns

LOGITS = 2 * torch.randn(4, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.tensor([[1, 2, 3], [2, 2, 0], [3, 0, 0], [0, 0, 0]])
LENGTHS = [3, 2, 1, 0]
STEPS = torch.tensor([6, 4, 2, 3])
MASK = torch.arange(6) < STEPS[:, None]


def ctc() -> Any:
    return build("objectives", {"kind": "ctc"}, torch.zeros(0, dtype=torch.long))


def by_enumeration(logits_TC: torch.Tensor, transcript: list[int]) -> float:
    """-log of the probability of all ways to write it, one by one, as Graves et al. (2006) define them."""
    p_TC = logits_TC.softmax(-1)
    total = 0.0
    for way in itertools.product(range(p_TC.shape[1]), repeat=len(p_TC)):
        if [token for token, _ in itertools.groupby(way) if token] == transcript:
            total += math.prod(float(p_TC[step, token]) for step, token in enumerate(way))
    return -math.log(total)


# ----------------------------------------------------------------------------------------------------------------- ctc


@pytest.mark.parametrize("mask", [None, MASK])
def test_ctc_adds_up_all_ways_to_write_a_transcript(mask: torch.Tensor | None) -> None:
    steps = [6] * 4 if mask is None else STEPS.tolist()
    rows = [TARGETS[i, : LENGTHS[i]].tolist() for i in range(4)]
    expected = sum(by_enumeration(LOGITS[i, : steps[i]], rows[i]) for i in range(4))
    loss_sum, weight_sum = ctc()(LOGITS, TARGETS, mask)
    assert float(loss_sum) == pytest.approx(expected, rel=1e-10)
    assert float(weight_sum) == 4


def test_ctc_is_that_of_torch_with_its_gradient() -> None:
    ours, theirs = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    weight = torch.tensor([1.0, 0.5, 2.0, 3.0], dtype=torch.float64)
    loss_sum, weight_sum = ctc()(ours, TARGETS, MASK, weight)
    concatenated = torch.cat([TARGETS[i, : LENGTHS[i]] for i in range(4)])
    losses = F.ctc_loss(
        theirs.log_softmax(-1).transpose(0, 1), concatenated, tuple(STEPS.tolist()), tuple(LENGTHS), reduction="none"
    )
    expected = (losses * weight).sum()
    torch.testing.assert_close(loss_sum, expected, rtol=1e-12, atol=0)
    assert float(weight_sum) == 6.5
    loss_sum.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-14)
    assert not ours.grad[~MASK].any()
    assert ours.grad[MASK].any()


def test_ctc_of_16_bits_is_computed_in_32() -> None:
    logits = LOGITS.bfloat16()
    torch.testing.assert_close(ctc()(logits, TARGETS)[0], ctc()(logits.float(), TARGETS)[0])


def test_several_models_at_once_have_their_own_losses() -> None:
    several = torch.stack([LOGITS, 2 * LOGITS]).requires_grad_()
    loss = ctc()
    sums, weights = torch.func.vmap(lambda logits: loss(logits, TARGETS, MASK))(several)
    assert weights.tolist() == [4, 4]
    alone = torch.stack([loss(several[k], TARGETS, MASK)[0] for k in range(2)])
    torch.testing.assert_close(sums, alone, rtol=1e-12, atol=0)
    gradients = [torch.autograd.grad(found.sum(), several)[0] for found in (sums, alone)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            (LOGITS[:, :2], TARGETS, None),
            r"sample 0 of the batch \(from 0\) has a transcript that needs 3 steps, and 2",
        ),
        # Between two that are alike there is a blank.
        ((LOGITS[1:, :2], TARGETS[1:], None), "sample 0 .* needs 3 steps, and 2 count"),
        ((LOGITS, TARGETS, torch.arange(6) < torch.tensor([6, 6, 6, 0])[:, None]), None),
        ((LOGITS, TARGETS, torch.arange(6) < torch.tensor([6, 6, 0, 6])[:, None]), "sample 2 .* needs 1 steps, and 0"),
        ((LOGITS[:, :4], TARGETS, MASK), "input_mask has 6 steps, and the outputs have 4"),
        ((LOGITS, TARGETS, MASK.flip(1)), r"sample 1 of the batch .* leaves out a step before one that counts"),
        ((LOGITS[:, 0], TARGETS, None), r"outputs of each step, \(B, T, C\), not \(4, 4\)"),
    ],
)
def test_what_can_be_written_in_no_way_is_an_error(given: tuple[Any, ...], said: str | None) -> None:
    if said is None:
        assert ctc()(*given)[0].isfinite()
        return
    with pytest.raises(ValueError, match=said):
        ctc()(*given)


# -------------------------------------------------------------------------------------------------------------- metric


def logits_of(rows: list[list[int]], num_classes: int) -> torch.Tensor:
    return F.one_hot(torch.tensor(rows), num_classes).float()


@pytest.mark.parametrize(
    ("read", "transcript", "expected"),
    [
        ([1, 1, 0, 1, 2], [1, 1, 2], 0.0),  # a blank between two that are alike
        ([1, 1, 1, 2, 2], [1, 1, 2], 1 / 3),  # no blank: one token
        ([0, 0, 0, 0, 0], [1, 2, 0], 1.0),
        ([1, 3, 2, 0, 0], [1, 2, 0], 0.5),
        ([3, 2, 1, 3, 2], [1, 0, 0], 4.0),
    ],
)
def test_a_character_error_rate_of_one_sample(read: list[int], transcript: list[int], expected: float) -> None:
    metric = build("metrics", {"kind": "character_error_rate"}, 4)
    metric.update(logits_of([read], 4), torch.tensor([transcript]))
    assert float(metric.compute()) == pytest.approx(expected)


def test_errors_are_of_all_tokens_whatever_the_batches_and_masked_steps_are_not_read() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 7, 300, generator=generator)
    targets = torch.randint(1, 300, (20, 5), generator=generator)
    targets[torch.arange(5) >= torch.randint(0, 6, (20, 1), generator=generator)] = 0
    whole, parts = (build("metrics", {"kind": "character_error_rate"}, 300) for _ in range(2))
    whole.update(logits, targets)
    for start in range(0, 20, 6):
        parts.update(logits[start : start + 6], targets[start : start + 6])
    assert float(whole.compute()) == float(parts.compute()) > 0
    masked = build("metrics", {"kind": "character_error_rate"}, 4)
    masked.update(logits_of([[1, 2, 2, 3]], 4), torch.tensor([[1, 2]]), torch.tensor([[True, True, True, False]]))
    assert float(masked.compute()) == 0


# ---------------------------------------------------------------------------------------------------------------- data


def test_every_line_is_single_digits_each_used_once() -> None:
    single, lines = digits(), build("sources", {"kind": "digit_lines"})
    x, mask, targets = (lines.columns[name].values for name in ("x", "mask", "targets"))
    places: dict[bytes, list[int]] = {}
    for place, image in enumerate(single.inputs):
        places.setdefault(image.tobytes(), []).append(place)
    lengths = (targets != 0).sum(1)
    assert np.bincount(lengths).tolist() == [0, 119, 119, 119, 119, 119]
    for line, is_digit, target, length in zip(x, mask, targets, lengths, strict=True):
        image = line.T  # lines of pixels from above, columns from left to right
        assert is_digit.tolist() == [column < 8 * length for column in range(40)]
        assert not image[:, 8 * length :].any()
        for number in range(length):
            found = places[np.ascontiguousarray(image[:, 8 * number : 8 * number + 8]).tobytes()].pop()
            assert lines.columns["targets"].names[target[number]] == str(single.targets[found])
    again, other = (build("sources", {"kind": "digit_lines", "seed": seed}).columns["x"].values for seed in (0, 1))
    assert np.array_equal(again, x)
    assert not np.array_equal(other, x)


X = Column(np.random.default_rng(0).random((2, 4, 3)).astype(np.float32), "real")
MASKS = Column(np.ones((2, 2), bool), "mask", "mask")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"y": Column(np.array([[1, 0], [0, 1]]), "transcript", "target")},
            r"sample 1 \(from 0\) has a blank, 0, before",
        ),
        ({"y": Column(np.array([[1, 0], [2, 1]]), "transcript")}, "a transcript in the role of input; it is a target"),
        (
            {"y": Column(np.array([[1, 0], [2, 1]]), "transcript", "target"), "targets_mask": MASKS},
            "nothing for targets_mask to leave out",
        ),
        ({"y": Column(np.array([[1, 0], [3, 1]]), "transcript", "target", ("-", "a"))}, "numbers from 0 to 3"),
    ],
)
def test_what_is_no_transcript(columns: dict[str, Column], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Columns({"x": X, **columns})


# ------------------------------------------------------------------------------------------------------------- trained

CONVOLUTIONS = [
    {"kind": "torch.nn:Unflatten", "args": [1, [1, 40]]},
    {"kind": "torch.nn:Conv2d", "args": [1, 32, [7, 8]], "padding": [3, 0]},
    {"kind": "torch.nn:ReLU"},
    {"kind": "torch.nn:Conv2d", "args": [32, 32, [7, 1]], "padding": [3, 0]},
    {"kind": "torch.nn:ReLU"},
    {"kind": "torch.nn:Conv2d", "args": [32, 11, 1]},
    {"kind": "torch.nn:Flatten", "start_dim": 2},
    {"kind": "own_steps:Turned"},
]
OWN = textwrap.dedent(
    '''
    import numpy as np
    from torch import nn

    from craftc.components.sources.columns import Column, Columns


    class Turned(nn.Module):
        def forward(self, x_BCT):
            return x_BCT.transpose(1, 2)


    class Halved(nn.Module):
        """Two steps of the input are one of the output, of which it says how many count."""

        def __init__(self, num_classes: int = 11, is_told: bool = True):
            super().__init__()
            self.read, self.is_told = nn.Linear(16, num_classes), is_told

        def forward(self, x, mask):
            logits = self.read(x.unflatten(1, (-1, 2)).flatten(2))
            return {"logits": logits, "input_mask": mask[:, ::2]} if self.is_told else logits


    def short():
        """Four steps of each sample, and of one a transcript of three tokens alike, which needs five."""
        rng = np.random.default_rng(0)
        targets = np.repeat([[1, 2, 0]], 40, axis=0)
        targets[7] = [2, 2, 2]
        mask = np.ones((40, 4), bool)
        x = rng.random((40, 4, 8)).astype(np.float32)
        return Columns({"x": Column(x, "real"), "mask": Column(mask, "mask", "mask"),
                        "targets": Column(targets, "transcript", "target")})
    '''
)
LSTM = {"kind": "lstm", "d_hidden": 8, "bidirectional": True}


def ran(folder: Path, **sections: Any) -> tuple[Any, dict[str, Any] | None]:
    """The outcome of a run, and its result where there is one."""
    spec = {
        "craftc": 1,
        "name": "lines",
        "data": {"source": "digit_lines", "normalize": "per_dataset"},
        "objective": {"kind": "ctc", "metrics": ["character_error_rate"]},
        "training": {"max_steps": 3, "batch_size": 16, "optimizer": {"kind": "adamw", "lr": 0.01}},
        **sections,
    }
    (folder / "own_steps.py").write_text(OWN)
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    # Each test has its own.
    sys.modules.pop("own_steps", None)
    sys.path[:] = [place for place in sys.path if not Path(place, "own_steps.py").is_file()]
    with contextlib.chdir(folder):
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["run", "spec.yaml", "--backend", "inline"])
    found = [json.loads(file.read_text()) for file in folder.glob("runs/store/*/result.json")]
    return result, found[0] if found else None


def test_a_model_learns_to_read_lines(tmp_path: Path) -> None:
    training = {"epochs": 5, "batch_size": 16, "optimizer": {"kind": "adamw", "lr": 0.01}}
    outcome, result = ran(tmp_path, model={"kind": "sequence", "modules": CONVOLUTIONS}, training=training)
    assert outcome.exit_code == 0, outcome.stderr
    assert result is not None
    rows = [json.loads(line) for line in next(tmp_path.glob("runs/store/*/metrics.jsonl")).read_text().splitlines()]
    assert rows[0]["valid/character_error_rate"] > 0.9
    assert result["best"]["valid/character_error_rate"] < 0.3
    assert result["trivial"] == {}


@pytest.mark.parametrize("model", [LSTM, {"kind": "own_steps:Halved"}])
def test_a_spec_trains_models_of_steps(model: dict[str, Any], tmp_path: Path) -> None:
    outcome, result = ran(tmp_path, model=model)
    assert outcome.exit_code == 0, outcome.stderr
    assert result is not None
    assert 0 < result["best"]["valid/loss"] < 100


@pytest.mark.parametrize(
    ("sections", "code", "said"),
    [
        (
            {"data": {"source": "own_steps:short"}, "model": LSTM},
            "transcript-too-long", "sample 7 (from 0) needs 5 steps, and the model has 4 of it; let",
        ),
        (
            {"model": {"kind": "own_steps:Halved", "is_told": False}},
            "objective-failed", "input_mask has 40 steps, and the outputs have 20",
        ),
        (
            {"model": {"kind": "mlp", "hidden": [8]}},
            "model-output-shape", "expected logits (batch, steps, num_classes) = (2, any, 11)",
        ),
        (
            {"model": LSTM, "data": {"source": "digit_lines", "augment": ["mixup"]}},
            "mixing-unfit", "the mask of a sample says how long its own is",
        ),
        (
            {"model": LSTM, "evaluation": {"passes": {"shifted": {"views": "shifts"}}}},
            "views-failed", "the target has a value for each place of a sample",
        ),
        (
            {"model": LSTM, "objective": {"kind": "cross_entropy"}},
            "unfit-for-target", "the target that digit_lines gives is transcripts; use ctc",
        ),
        (
            {"model": LSTM, "data": {"source": "digits"}},
            "unfit-for-target", "ctc measures transcripts, and the target that digits gives is classes",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(sections: dict[str, Any], code: str, said: str, tmp_path: Path) -> None:
    outcome, _ = ran(tmp_path, **sections)
    assert outcome.exit_code != 0
    shown = " ".join((outcome.output + outcome.stderr).split())
    assert code in shown
    assert said in shown
