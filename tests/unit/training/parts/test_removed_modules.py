"""Modules that are taken out of a model: what stands in their place, what remains as it was, and what cannot go."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from craftc.components.torchvision_operators import expect_torchvision
from craftc.training.assemble import assemble
from craftc.training.batched_trials.compatibility import try_out, unlike
from craftc.training.data.device_split import to_device
from craftc.training.data.prepare import prepare
from craftc.training.foundation.course import course_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.step import train_step
from craftc.training.loop.trial import train_trial
from craftc.training.parts.removed_modules import remove_modules

CPU = torch.device("cpu")
VIT = {
    "kind": "scanline_vit", "d_model": 16, "num_layers": 2, "num_heads": 2, "d_ffn": 32, "dropout": 0.0,
    "num_classes": 10, "num_lines": 8, "line_length": 8,
}  # fmt: skip


class Block(nn.Module):
    """Pre-norm, with an attention that gives its weights too."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.norm, self.attn = nn.LayerNorm(width), nn.MultiheadAttention(width, 2, batch_first=True)
        self.ffn = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width))
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.norm(x)
        x = x + self.scale * self.attn(normed, normed, normed, need_weights=False)[0]
        return x + F.dropout(self.ffn(x), 0.1, self.training)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.act = nn.ReLU(inplace=True)
        self.tied, self.used = nn.Linear(8, 8), nn.Linear(8, 8)
        self.again = self.tied
        self.twice = self.act
        self.head, self.idle = nn.Linear(8, 3), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        x = self.again(self.act(self.tied(x)))
        return self.head(F.linear(x, self.used.weight).mean(1))


def removed(model, modules, by="infer", x=None):
    x = torch.randn(2, 5, 8) if x is None else x
    modules = [modules] if isinstance(modules, str) else modules
    with torch.no_grad():
        found, returned = remove_modules(
            model.eval(), [{"modules": modules, "by": by}], lambda: model(x), "model Model"
        )
        assert torch.equal(returned, model(x))
    return found


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Model()


def parts_of(trial):
    data = prepare(trial.config["data"])
    return assemble(trial, data, CPU, course_of(trial.config, len(data.train))), data


@pytest.mark.parametrize(
    ("pattern", "zero", "identity"),
    [
        ("blocks.*.attn", ("blocks.0.attn", "blocks.1.attn"), ()),
        ("blocks.*.ffn", ("blocks.0.ffn", "blocks.1.ffn"), ()),
        ("*norm", (), ("blocks.0.norm", "blocks.1.norm")),
        ("blocks.?", (), ("blocks.0", "blocks.1")),
        ("blocks.*", (), ("blocks.0", "blocks.1")),
        ("blocks.0.ffn.1", (), ("blocks.0.ffn.1",)),
        ("act", (), ("act",)),
        ("tied", (), ("tied",)),
        ("blocks.*.scale", ("blocks.0.scale", "blocks.1.scale"), ()),
    ],
)
def test_a_branch_becomes_zero_and_all_else_its_input(model, pattern, zero, identity):
    whole = sum(p.numel() for p in model.parameters())
    found = removed(model, pattern)
    assert (found.zero, found.identity) == (zero, identity)
    assert found.num_parameters == whole - sum(p.numel() for p in model.parameters())


def test_what_remains_computes_what_the_model_without_them_does(model):
    whole, x = copy.deepcopy(model).eval(), torch.randn(4, 5, 8)
    removed(model, ["blocks.*.attn", "blocks.*.ffn.1"])

    def by_hand(x):
        for block in whole.blocks:
            x = x + block.ffn[2](block.ffn[0](x))
        return whole.head(F.linear(whole.again(whole.act(whole.tied(x))), whole.used.weight).mean(1))

    assert torch.equal(model(x), by_hand(x))
    kept = model.state_dict()
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in kept.items())
    assert whole.state_dict().keys() - kept.keys() == {n for n in whole.state_dict() if ".attn." in n}
    model(x).sum().backward()
    assert all(p.grad is not None for n, p in model.named_parameters() if n.startswith("blocks"))


def test_a_module_in_two_places_goes_from_the_one_that_is_named(model):
    found = removed(model, "again")
    assert found.num_parameters == 0
    assert isinstance(model.tied, nn.Linear)
    removed(model, "tied")
    assert not any("tied" in name for name in model.state_dict())


def test_an_input_that_stands_for_a_module_is_not_changed_by_what_works_in_place():
    model = nn.Sequential(nn.LayerNorm(8), nn.ReLU(inplace=True), nn.Linear(8, 8))
    x = torch.randn(2, 5, 8)
    before = x.clone()
    removed(model, "0", x=x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("pattern", "by", "code", "said"),
    [
        ("blocks.*.atn", "infer", "module-unmatched", "the nearest are blocks."),
        ("blocks", "infer", "module-unmatched", "its modules are blocks.*"),
        ("head", "infer", "module-not-removable", r"head \(Linear\) turns \(2, 8\) into \(2, 3\).*by: zero"),
        ("idle", "zero", "module-not-removable", r"idle \(Linear\) is not called"),
        ("used", "zero", "module-not-removable", r"used \(Linear\) is not called"),
        ("blocks.0.attn.out_proj", "zero", "module-not-removable", r"out_proj.* is not called"),
        ("blocks.0.scale", "identity", "module-not-removable", "no module but a tensor"),
        ("*", "infer", "module-not-removable", "no parameter left"),
    ],
)
def test_what_cannot_be_removed_is_refused(model, pattern, by, code, said):
    model.tail = nn.Identity()
    with pytest.raises(TrainingError, match=said) as raised:
        removed(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)) if pattern == "*" else model, pattern, by)
    assert raised.value.code == code


class Reader(nn.Module):
    """Calls a module, and uses its weight or another of its methods beside."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.fc, self.first, self.how = nn.Linear(8, 8), nn.Linear(8, 8), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.first(x))
        if self.how == "weight":
            return F.linear(x, self.fc.weight)
        return self.fc.extra(x) if self.how == "method" else x * self.fc.in_features


@pytest.mark.parametrize("how", ["weight", "method"])
def test_a_module_whose_parts_are_used_elsewhere_is_refused(how):
    model = Reader(how)
    nn.Linear.extra = nn.Linear.forward
    try:
        with pytest.raises(TrainingError, match=r"does not run without fc: .*; where the model uses the weights"):
            removed(model, "fc")
    finally:
        del nn.Linear.extra


def test_numbers_of_a_module_may_be_read_elsewhere():
    model, x = Reader("number"), torch.randn(2, 8)
    removed(model, "fc", x=x)
    assert torch.equal(model(x), model.first(x) * 8)


def test_entries_that_disagree_are_refused(model):
    x = torch.randn(2, 5, 8)
    entries = [{"modules": ["act"], "by": "zero"}, {"modules": ["a?t"], "by": "identity"}]
    with pytest.raises(TrainingError, match=r"removes act by zero, and .* by identity"):
        remove_modules(model.eval(), entries, lambda: model(x), "model Model")


@pytest.mark.parametrize("part", ["self_attn", "norm1", "linear2", "dropout1"])
def test_torchs_own_transformer_passes_over_nothing_in_evaluation(part):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(3, 5, 8)
    removed(model, f"layers.*.{part}", "zero", x=x[:2])
    with torch.no_grad():
        in_evaluation = model.eval()(x)
    torch.testing.assert_close(in_evaluation, model.train()(x))


def test_embeddings_and_lazy_layers():
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places, self.fc = nn.Embedding(9, 8), nn.Embedding(5, 8), nn.LazyLinear(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.tokens(x) + self.places(torch.arange(x.shape[1])))

    model, x = Words(), torch.randint(9, (3, 4))
    assert removed(model, "places", x=torch.randint(9, (2, 5))).zero == ("places",)
    assert torch.equal(model(x), model.fc(model.tokens(x)))
    assert model.double()(x).dtype == torch.float64
    assert removed(model.float(), "fc", "zero", x=x[:2]).num_parameters == 36
    assert model(x).shape == (3, 4, 4)


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_modules_of_public_models():
    expect_torchvision()
    import torchvision
    from x_transformers import ContinuousTransformerWrapper, Encoder

    net, images = torchvision.models.resnet18(num_classes=5), torch.randn(2, 3, 32, 32)
    with pytest.raises(TrainingError, match=r"layer3.0 \(BasicBlock\) turns \(2, 128, 4, 4\) into \(2, 256, 2, 2\)"):
        removed(copy.deepcopy(net), "layer3.*", x=images)
    assert removed(net, ["layer?.1", "*.bn2"], x=images).zero == ()
    assert net(images).shape == (2, 5)
    wrapper = ContinuousTransformerWrapper(
        dim_in=8, dim_out=3, max_seq_len=5, attn_layers=Encoder(dim=8, depth=2, heads=2, attn_dim_head=4)
    )
    found = removed(wrapper, "attn_layers.layers.[02].1")
    assert found.zero == ("attn_layers.layers.0.1", "attn_layers.layers.2.1")
    assert removed(wrapper, "attn_layers.layers.[13].1").zero == ("attn_layers.layers.1.1", "attn_layers.layers.3.1")


def test_dropout_that_remains_draws_what_it_draws_in_the_whole_model(make_trial):
    """A ffn before others goes; the masks of the blocks after it stay."""
    model = VIT | {"dropout": 0.3}
    whole, _ = parts_of(make_trial({"model": model, "data.augment": []}))
    part, _ = parts_of(make_trial({"model": model | {"remove": [{"modules": ["blocks.0.ffn"]}]}, "data.augment": []}))
    assert part.num_removed == whole.num_parameters - part.num_parameters == 2 * 16 * 32 + 16 + 32
    numbers = {name: m.module for name, m in whole.model.named_modules() if hasattr(m, "dropout_bits")}
    remaining = {name: m.module for name, m in part.model.named_modules() if hasattr(m, "dropout_bits")}
    assert remaining == {name: number for name, number in numbers.items() if not name.startswith("blocks.0.ffn")}
    for name, value in part.model.state_dict().items():
        assert torch.equal(value, whole.model.state_dict()[name])


def test_steps_are_those_of_a_model_written_without_them(make_trial):
    """In float64, against plain torch."""
    trial = make_trial(
        {"model": VIT | {"remove": [{"modules": ["positions_TD", "blocks.*.ffn"]}]}, "data.augment": []}
        | {"training.precision": "float64"}
    )
    parts, data = parts_of(trial)
    train = to_device(data.splits, CPU, torch.float64)["train"]
    model = copy.deepcopy(parts.model)
    for block in model.blocks:
        block.ffn = nn.Identity()
        block.residual_dropout = nn.Identity()
        block.forward = lambda x, block=block: x + block._attend(block.attention_norm(x))
    optimizer = torch.optim.AdamW(
        [p for n, p in model.named_parameters() if "ffn" not in n], lr=1e-3, weight_decay=0.05
    )
    batch = train.head(32).columns
    for step in range(2):
        loss = F.cross_entropy(model(batch["x"]), batch["y"], weight=parts.objective.weights_C)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for n, p in model.named_parameters() if "ffn" not in n], 1.0)
        for group in optimizer.param_groups:
            group["lr"] = parts.schedule.lr(parts.base_lrs[0], step)
            group["weight_decay"] = parts.optimizer.param_groups[0]["weight_decay"]
        optimizer.step()
        loss_sum, weight_sum, _ = train_step(parts, batch, step)
        torch.testing.assert_close(loss_sum / weight_sum, loss.detach())


def test_seeds_of_a_variant_are_one_batch_and_variants_are_not(make_trial):
    removal = {"remove": [{"modules": ["blocks.*.attention_out"]}]}
    settings = {"model": VIT | removal, "data.augment": [], "training.batch_size": 16}
    built = [parts_of(make_trial(settings, seed=seed)) for seed in (0, 1)]
    train = to_device(built[0][1].splits, CPU)["train"]
    assert unlike([parts for parts, _ in built]) is None
    assert try_out([parts for parts, _ in built], train, batch_size=16) is None
    whole, _ = parts_of(make_trial({**settings, "model": VIT}))
    assert unlike([built[0][0], whole]) == "model: its modules differ from training to training"


def test_an_interrupted_variant_ends_as_one_that_was_not(make_trial, tmp_path):
    removal = {"remove": [{"modules": ["blocks.*.ffn", "positions_TD"]}]}
    trial = make_trial({"model": VIT | removal, "training.epochs": 2})
    records = list(train_trial(trial, folder=tmp_path / "straight", device="cpu"))
    interrupted = train_trial(trial, folder=tmp_path / "resumed", device="cpu")
    next(interrupted)
    interrupted.close()
    again = list(train_trial(trial, folder=tmp_path / "resumed", device="cpu"))
    assert again[-1].metrics == records[-1].metrics
