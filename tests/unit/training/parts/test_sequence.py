"""Models from modules, and outputs with an axis too many, against plain torch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.training.assemble import assemble
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import key, seed_everything
from craftc.training.parts.output import reduce_output

CPU = torch.device("cpu")
CONV = {
    "kind": "sequence",
    "modules": [
        {"kind": "torch.nn:Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 3, "padding": "same"},
        {"kind": "torch.nn:ReLU"},
        {"kind": "torch.nn:Flatten"},
        {"kind": "torch.nn:LazyLinear", "out_features": 8},
        {"kind": "torch.nn:Linear", "in_features": 8, "out_features": "infer num_classes"},
    ],
}


class Body(nn.Module):
    """One output for each line, and what else public models return."""

    def __init__(self, *, num_classes: int, form: str = "tensor") -> None:
        super().__init__()
        self.head, self.form = nn.Linear(8, num_classes), form

    def forward(self, x: torch.Tensor) -> Any:
        logits = self.head(x)
        return {"tensor": logits, "named": {"hidden": x, "logits": logits}, "tuple": (logits, x)}[self.form]


def test_a_sequence_is_that_of_torch_with_the_same_weights(make_trial):
    trial = make_trial({"model": CONV, "data.layout": "channels", "data.augment": []})
    data = prepare(trial.config["data"])
    ours = assemble(trial, data, CPU, course_of(trial.config, len(data.train))).model
    seed_everything(key(trial.seed, "init"), CPU)
    theirs = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"), nn.ReLU(), nn.Flatten(), nn.LazyLinear(8), nn.Linear(8, 10)
    )
    x = torch.from_numpy(data.splits["valid"].inputs[:5])
    assert list(ours.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias", "4.weight", "4.bias"]
    theirs(x)
    torch.testing.assert_close(ours[4].weight.shape, theirs[4].weight.shape)
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours.eval()(x), theirs(x))


def test_it_trains_and_beats_chance(make_trial, run_trial, tmp_path):
    settings = {"model": CONV, "data.layout": "channels", "data.augment": [], "training.epochs": 4}
    _, result = run_trial(make_trial(settings), tmp_path / "trial")
    assert result.best["test/accuracy"] > 0.5


def test_facts_stand_in_arguments_of_any_name_and_depth():
    facts = {"num_classes": 3, "num_features": 12}
    inner = {"kind": "a.b:C", "width": "infer num_features", "inner": [{"kind": "a.b:D", "n": "infer num_classes"}]}
    found = infer_facts({"kind": "x.y:Z", "n_out": "infer num_classes", "inner": inner, "text": "infer nothing"}, facts)
    assert (found["n_out"], found["inner"]["width"], found["inner"]["inner"][0]["n"]) == (3, 12, 3)
    assert found["text"] == "infer nothing"
    with pytest.raises(DataError, match="the data has no context_length"):
        infer_facts({"kind": "x.y:Z", "n": "infer context_length"}, facts)


@pytest.mark.parametrize("form", ["tensor", "named", "tuple"])
@pytest.mark.parametrize(
    ("how", "numpy"),
    [
        ("mean", lambda lines: lines.mean(1)),
        ("max", lambda lines: lines.max(1)),
        ("first", lambda lines: lines[:, 0]),
        ("last", lambda lines: lines[:, -1]),
    ],
)
def test_of_an_output_of_every_line_one_is_made_for_a_sample(make_trial, how, numpy, form):
    model = {"kind": f"{__name__}:Body", "num_classes": "infer", "form": form, "output": how}
    trial = make_trial({"model": model, "data.augment": []})
    data = prepare(trial.config["data"])
    parts = assemble(trial, data, CPU, course_of(trial.config, len(data.train)))
    assert list(parts.model.state_dict()) == ["head.weight", "head.bias"]
    x = data.splits["valid"].inputs[:6]
    weight, bias = (parameter.detach().numpy() for parameter in parts.model.parameters())
    with torch.no_grad():
        found = parts.calls.predict(parts.model, {"x": torch.from_numpy(x)})
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), numpy(x @ weight.T + bias), rtol=1e-5, atol=1e-6)


def test_axes_between_are_positions_and_what_has_none_stays():
    model = nn.Identity()
    reduce_output(model, "mean")
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(model(x), x.mean((1, 2)))
    assert torch.equal(model(x[:, 0, 0]), x[:, 0, 0])


def test_without_it_such_an_output_is_refused(make_trial):
    trial = make_trial({"model": {"kind": f"{__name__}:Body", "num_classes": "infer"}, "data.augment": []})
    with pytest.raises(TrainingError, match=r"expected logits \(batch, num_classes\)"):
        assemble(trial, prepare(trial.config["data"]), CPU, course_of(trial.config, 4))


def test_channels_last_is_a_module_at_the_beginning():
    modules = [
        {"kind": "einops.layers.torch:Rearrange", "pattern": "b c h w -> b h w c"},
        {"kind": "torch.nn:Linear", "in_features": 1, "out_features": 3},
        {"kind": "einops.layers.torch:Rearrange", "pattern": "b h w c -> b c h w"},
    ]
    model = build("models", {"kind": "sequence", "modules": modules})
    assert model(torch.zeros(2, 1, 4, 5)).shape == (2, 3, 4, 5)
