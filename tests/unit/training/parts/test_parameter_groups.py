"""Groups of parameters are those of plain torch, and what no group can be made of is an error that says why."""

import copy

import pytest
import torch

from craftc.training.assemble import assemble
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.step import train_step
from craftc.training.loop.trial import train_trial

CPU = torch.device("cpu")
EXACT = {"training.precision": "float64", "data.augment": [], "model.dropout": 0.0}
ADAMW = {"kind": "adamw", "lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05}
SGD = {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}


def parts_of(trial):
    data = prepare(trial.config["data"])
    splits = to_device(data.splits, CPU, torch.float64)
    parts = assemble(trial, data, CPU, course_of(trial.config, len(splits["train"])))
    parts.model.train()
    return parts, splits["train"].head(64).columns


def by_hand(parts, batch, make, groups, steps, lr):
    """The model after some steps of plain torch with param_groups of (names, lr_scale, weight_decay)."""
    model = copy.deepcopy(parts.model)
    named = dict(model.named_parameters())
    optimizer = make(
        [
            {"params": [named[name] for name in names], "lr": lr * scale, "weight_decay": decay}
            for names, scale, decay in groups
        ]
    )
    for step in range(steps):
        rate = parts.schedule.lr(lr, step)
        for group, (_, scale, _) in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = rate * scale
        loss = torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"], weight=parts.objective.weights_C)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
    return model


def names_of(parts):
    names = [name for name, _ in parts.model.named_parameters()]
    assert len(names) == 4
    return names  # two layers, each a weight and a bias


@pytest.mark.parametrize("optimizer", [ADAMW, SGD], ids=["adamw", "sgd"])
def test_weights_alone_decay(make_trial, optimizer):
    parts, batch = parts_of(make_trial(EXACT | {"training.optimizer": optimizer, "training.decay": "weights"}))
    first, first_bias, last, last_bias = names_of(parts)
    groups = [((first, last), 1.0, 0.05), ((first_bias, last_bias), 1.0, 0.0)]
    expected = by_hand(parts, batch, torchs(optimizer), groups, 5, optimizer["lr"])
    lrs = [train_step(parts, copy.deepcopy(batch), step)[2] for step in range(5)]
    assert lrs == [parts.schedule.lr(optimizer["lr"], step) for step in range(5)]
    same(parts.model, expected)


@pytest.mark.parametrize("optimizer", [ADAMW, SGD], ids=["adamw", "sgd"])
def test_groups_have_rates_and_decays_of_their_own(make_trial, optimizer):
    plain, _ = parts_of(make_trial(EXACT))
    first, first_bias, last, last_bias = names_of(plain)
    settings = {
        "training.optimizer": optimizer,
        "training.decay": "weights",
        "training.groups": [
            # A warm-up from a rate that is given as it is, is scaled too.
            {"parameters": last, "lr_scale": 10.0, "weight_decay": "none"},
            {"parameters": [f"{last.rpartition('.')[0]}.*"], "lr_scale": 0.5, "weight_decay": 0.2},
        ],
        "training.schedule": [{"kind": "linear_warmup", "epochs": 1, "start_lr": 0.001}, {"kind": "constant"}],
    }
    parts, batch = parts_of(make_trial(EXACT | settings))
    groups = [((first,), 1.0, 0.05), ((first_bias,), 1.0, 0.0), ((last,), 10.0, 0.05), ((last_bias,), 0.5, 0.2)]
    expected = by_hand(parts, batch, torchs(optimizer), groups, 5, optimizer["lr"])
    lrs = [train_step(parts, copy.deepcopy(batch), step)[2] for step in range(5)]
    assert lrs[0] == 0.001
    assert lrs == [parts.schedule.lr(optimizer["lr"], step) for step in range(5)]
    same(parts.model, expected)


def torchs(setting):
    if setting["kind"] == "sgd":
        return lambda groups: torch.optim.SGD(groups, momentum=0.9)
    return lambda groups: torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)


def same(model, other):
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-14, msg=name)


def test_a_rate_of_every_parameter_is_recorded_unscaled(make_trial, run_trial, tmp_path):
    plain, _ = run_trial(make_trial(), tmp_path / "plain")
    scaled, _ = run_trial(make_trial({"training.groups": [{"parameters": "*", "lr_scale": 3.0}]}), tmp_path / "scaled")
    assert [r.metrics["train/lr"] for r in plain] == [r.metrics["train/lr"] for r in scaled]
    assert plain[-1].metrics["train/objective"] != scaled[-1].metrics["train/objective"]


def test_a_scale_of_0_leaves_parameters_as_they_are(make_trial):
    plain, _ = parts_of(make_trial(EXACT))
    first, _, last, _ = names_of(plain)
    parts, batch = parts_of(make_trial(EXACT | {"training.groups": [{"parameters": first, "lr_scale": 0.0}]}))
    before = {name: tensor.clone() for name, tensor in parts.model.state_dict().items()}
    train_step(parts, batch, 0)
    train_step(parts, batch, 1)
    after = parts.model.state_dict()
    assert torch.equal(before[first], after[first])
    assert not torch.equal(before[last], after[last])
    assert parts.num_parameters == plain.num_parameters - before[first].numel()
    with pytest.raises(TrainingError, match="none of the 4 parameters"):
        parts_of(make_trial({"training.groups": [{"parameters": "*", "lr_scale": 0.0}]}))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (
            [{"parameters": "head.*"}],
            r'training.groups.0: no parameter of the model is named "head.\*"; the nearest are',
        ),
        ([{"parameters": "*"}, {"parameters": ["*bias"]}], "training.groups.1 has no parameter left"),
        ([{"parameters": ["*", "hed"]}], 'training.groups.0: no parameter of the model is named "hed"'),
    ],
)
def test_a_group_of_nothing_is_an_error(make_trial, groups, said):
    with pytest.raises(TrainingError, match=said) as raised:
        parts_of(make_trial({"training.groups": groups}))
    assert raised.value.code == "parameter-group-unmatched"


OWN = """
import torch

class Pair(torch.optim.Adam):
    def __init__(self, params, lr: float = 0.1):
        first, *rest = params
        super().__init__([{"params": [first]}, {"params": rest}], lr=lr)

class NoDecay(torch.optim.Rprop):
    def __init__(self, params, lr: float = 0.1):
        super().__init__(params, lr=lr)

class Tied(torch.nn.Module):
    def __init__(self, *, num_classes: int):
        super().__init__()
        self.embed = torch.nn.Linear(64, num_classes, bias=False)
        self.head = torch.nn.Linear(64, num_classes)
        self.head.weight = self.embed.weight
        self.frozen = torch.nn.Parameter(torch.zeros(3), requires_grad=False)

    def forward(self, x):
        return self.head(x.flatten(1))
"""


@pytest.fixture(autouse=True)
def _own(tmp_path, monkeypatch):
    (tmp_path / "own_groups.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("Pair", {"training.decay": "weights"}, "makes 2 groups of parameters itself, and training.decay: weights"),
        ("NoDecay", {"training.decay": "weights"}, "has no weight_decay, and training.decay: weights speaks of one"),
        ("NoDecay", {"training.groups": [{"parameters": "*", "weight_decay": 0.1}]}, "has no weight_decay"),
    ],
)
def test_an_optimizer_that_cannot_have_groups_is_named(make_trial, kind, settings, said):
    own = {"training.optimizer": {"kind": f"own_groups:{kind}", "lr": 0.1}}
    with pytest.raises(TrainingError, match=said) as raised:
        parts_of(make_trial(own | settings))
    assert raised.value.code == "parameter-groups-unfit"


def test_an_optimizer_without_decay_has_rates(make_trial):
    own = {"training.optimizer": {"kind": "own_groups:NoDecay", "lr": 0.1}}
    parts, batch = parts_of(make_trial(EXACT | own | {"training.groups": [{"parameters": "*bias", "lr_scale": 2.0}]}))
    train_step(parts, batch, 1)
    rates = [group["lr"] for group in parts.optimizer.param_groups]
    assert rates[1] == 2 * rates[0]


def test_a_parameter_is_meant_by_each_of_its_names(make_trial):
    own = EXACT | {"model": {"kind": "own_groups:Tied", "num_classes": "infer"}}
    parts, _ = parts_of(make_trial(own | {"training.groups": [{"parameters": "head.weight", "lr_scale": 2.0}]}))
    [shared] = parts.optimizer.param_groups[1]["params"]
    assert shared is parts.model.embed.weight
    with pytest.raises(TrainingError, match="names only parameters that are not trained"):
        parts_of(make_trial(own | {"training.groups": [{"parameters": "frozen"}]}))


def test_an_interrupted_training_of_groups_goes_on(make_trial, run_trial, tmp_path):
    groups = [{"parameters": "*bias", "lr_scale": 4.0, "weight_decay": 0.3}]
    trial = make_trial({"training.decay": "weights", "training.groups": groups})
    straight, _ = run_trial(trial, tmp_path / "straight")
    epochs = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    next(epochs)
    epochs.close()
    resumed, _ = run_trial(trial, tmp_path / "cut")
    assert [r.metrics for r in resumed] == [r.metrics for r in straight[1:]]


VIT = {
    "kind": "scanline_vit", "d_model": 8, "num_layers": 3, "num_heads": 2, "d_ffn": 8, "dropout": 0.0,
    "num_lines": "infer", "line_length": "infer", "num_classes": "infer",
}  # fmt: skip


def test_lower_layers_are_changed_less(make_trial):
    parts, _ = parts_of(make_trial(EXACT | {"model": VIT, "training.layer_decay": 0.5}))
    name_of = {id(parameter): name for name, parameter in parts.model.named_parameters()}
    groups = parts.optimizer.param_groups
    scales = {name_of[id(parameter)]: group["lr_scale"] for group in groups for parameter in group["params"]}
    assert set(scales) == set(name_of.values())
    names = list(name_of.values())
    last = max(number for number, name in enumerate(names) if name.startswith("blocks."))
    for number, name in enumerate(names):
        block = int(name.split(".")[1]) + 1 if name.startswith("blocks.") else 4 if number > last else 0
        assert scales[name] == 0.5 ** (4 - block), name


def test_layers_of_a_model_without_blocks_are_refused(make_trial):
    with pytest.raises(TrainingError, match=r"no list of two or more blocks of one class; write training\.groups"):
        parts_of(make_trial(EXACT | {"training.layer_decay": 0.5}))
