"""Image models by name: shapes of all sizes and numbers of channels, gradients, seeds, weights, what they refuse."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.build import build, load_component
from craftc.components.models.image_weights import read_state
from craftc.components.models.resized import resized

CNN: dict[str, Any] = {"kind": "cnn", "widths": [4, 12]}
RESNET: dict[str, Any] = {"kind": "resnet", "blocks": 1, "widths": [4, 6]}
TIMM: dict[str, Any] = {"kind": "timm", "name": "test_resnet"}
VIT: dict[str, Any] = {"kind": "timm", "name": "test_vit", "patch_size": 2}
TORCHVISION: dict[str, Any] = {"kind": "torchvision", "name": "mnasnet0_5"}
SHUFFLE: dict[str, Any] = {"kind": "torchvision", "name": "shufflenet_v2_x0_5"}
BY_NAME = ("timm", "torchvision")


def model(setting: dict[str, Any], *shape: int, seed: int = 0) -> nn.Module:
    """For images of a shape, (C, H, W), and three classes."""
    torch.manual_seed(seed)
    channels, height, width = shape
    sides = {"image_height": height, "image_width": width} if setting["kind"] in BY_NAME else {}
    built: nn.Module = build("models", {"num_classes": 3, "num_channels": channels, **sides, **setting})
    return built


def images(*shape: int) -> Tensor:
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 6), (4, 7, 12)], ids=str)
@pytest.mark.parametrize(
    "setting",
    [
        CNN,
        {**CNN, "norm": "group", "pooling": "mean", "dropout": 0.1},
        {**CNN, "norm": "none", "pooling": "none", "kernel": 5, "activation": "gelu"},
        RESNET,
        {**RESNET, "norm": "group", "dropout": 0.1},
        TIMM,
        VIT,
        TORCHVISION,
    ],
    ids=lambda setting: "-".join(str(value) for value in setting.values()),
)
def test_logits_gradients_and_seed(setting: dict[str, Any], shape: tuple[int, int, int]) -> None:
    if setting is VIT and shape[1] % 2:
        setting = {**VIT, "resize": 8}
    net, x = model(setting, *shape), images(*shape)
    logits = net(x)
    assert logits.shape == (4, 3)
    # Not their sum of squares: behind a normalization of few values that is the same for all weights.
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert sum(float(p.grad.abs().sum()) for p in net.parameters() if p.grad is not None) > 0
    twin, other = model(setting, *shape), model(setting, *shape, seed=1)
    ours, same, others = (list(each.parameters()) for each in (model(setting, *shape), twin, other))
    assert all(map(torch.equal, ours, same))
    assert not all(map(torch.equal, ours, others))


def test_a_cnn_is_torchs_layers() -> None:
    net = model({**CNN, "widths": [4]}, 2, 6, 5).eval().double()
    weights = net.state_dict()
    assert [name for name in weights if name.endswith("weight")] == [
        "stages.0.weight",
        "stages.1.weight",
        "head.weight",
    ]
    x = images(2, 6, 5).double()
    # Freshly made, a batch normalization divides by the root of 1 + 1e-5.
    stage = F.relu(F.conv2d(x, weights["stages.0.weight"], padding=1) / (1 + 1e-5) ** 0.5)
    pooled = F.max_pool2d(stage, 2, ceil_mode=True).mean((2, 3))
    expected = F.linear(pooled, weights["head.weight"], weights["head.bias"])
    torch.testing.assert_close(net(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_small_resnet_is_that_of_the_paper(blocks: int) -> None:
    net = model({"kind": "resnet", "blocks": blocks}, 3, 32, 32)
    # He et al. 2016, table 6: 0.27 million of 20 layers; the two shortcuts of 1x1 come on top.
    shortcuts = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    convolutions = 3 * 16 * 9 + 9 * (16 * 16 * 2 * blocks + (16 + 32 * (2 * blocks - 1)) * 32)
    convolutions += 9 * (32 + 64 * (2 * blocks - 1)) * 64
    norms = 2 * (16 + 2 * blocks * (16 + 32 + 64))
    found = sum(p.numel() for p in net.parameters()) - sum(p.numel() for p in net.head.parameters())  # type: ignore[union-attr]
    assert found == convolutions + norms + shortcuts
    layers = sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in net.modules()) + 1
    assert layers == 6 * blocks + 2
    if blocks == 3:
        assert round(convolutions / 1e6, 2) == 0.27
    assert [tuple(stage.shape[1:]) for stage in _after_each(net, images(3, 32, 32))][-1] == (64, 8, 8)


def _after_each(net: Any, x: Tensor) -> list[Tensor]:
    found, x = [], net.stem(x)
    for stage in net.stages:
        x = stage(x)
        found.append(x)
    return found


def test_dropout_is_handed_to_the_library() -> None:
    assert model({**TIMM, "dropout": 0.4}, 1, 8, 8).drop_rate == 0.4
    assert _rates(model({**TORCHVISION, "dropout": 0.4}, 1, 8, 8)) == {0.4}
    assert _rates(model(TORCHVISION, 1, 8, 8)) == {0.0}
    assert _rates(model({**TORCHVISION, "dropout": "own"}, 1, 8, 8)) == {0.2}  # torchvision's
    with pytest.raises(ValueError, match="resnet18 of torchvision has no dropout"):
        model({"kind": "torchvision", "name": "resnet18", "dropout": 0.1}, 1, 8, 8)


def _rates(net: nn.Module) -> set[float]:
    return {module.p for module in net.modules() if isinstance(module, nn.Dropout)}


@pytest.mark.parametrize(
    ("setting", "near"),
    [
        ({"kind": "timm", "name": "resnet81"}, 'has no model "resnet81"; near are resnet18'),
        ({"kind": "timm", "name": "hf-hub:timm/resnet18"}, 'has no model "hf-hub:timm/resnet18"'),
        ({"kind": "torchvision", "name": "resnt18"}, 'has no model "resnt18" for classes; near are resnet18'),
        # Of torchvision, but for pixels.
        ({"kind": "torchvision", "name": "deeplabv3_resnet50"}, 'has no model "deeplabv3_resnet50" for classes'),
    ],
)
def test_a_name_that_there_is_not(setting: dict[str, Any], near: str) -> None:
    with pytest.raises(ValueError, match=near):
        model(setting, 1, 8, 8)


@pytest.mark.parametrize("setting", [TIMM, {**VIT, "patch_size": 4}, TORCHVISION], ids=lambda each: str(each["name"]))
def test_weights_of_a_file(setting: dict[str, Any], tmp_path: Path) -> None:
    trained, path = model(setting, 3, 16, 16, seed=5), tmp_path / "weights.pt"
    torch.save(trained.state_dict(), path)
    again = model({**setting, "pretrained": str(path)}, 3, 16, 16).eval()
    assert torch.equal(again(images(3, 16, 16)), trained.eval()(images(3, 16, 16)))
    # Of other classes the last layer alone is drawn.
    torch.save({"format": 1, "trial": "t", "model": trained.state_dict()}, path)
    other = model({**setting, "pretrained": str(path), "num_classes": 5}, 3, 16, 16).eval()
    ours, theirs = other.state_dict(), trained.state_dict()
    assert {name for name in ours if not torch.equal(ours[name], theirs[name])} == _of_head(other)
    assert other(images(3, 16, 16)).shape == (4, 5)


def _of_head(net: nn.Module) -> set[str]:
    head = [name for name, module in net.named_modules() if isinstance(module, nn.Linear) and module.out_features == 5]
    return {f"{head[0]}.weight", f"{head[0]}.bias"}


def test_weights_of_other_channels_and_sizes_are_fitted_by_timm(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    trained = model(TIMM, 3, 16, 16)
    torch.save(trained.state_dict(), path)
    grey = model({**TIMM, "pretrained": str(path)}, 1, 8, 8)
    ours, theirs = grey.state_dict()["conv1.0.weight"], trained.state_dict()["conv1.0.weight"]
    torch.testing.assert_close(ours, theirs.sum(1, keepdim=True))
    torch.save(model(VIT, 1, 16, 16).state_dict(), path)
    assert model({**VIT, "pretrained": str(path)}, 1, 8, 8)(images(1, 8, 8)).shape == (4, 3)


def test_weights_that_are_of_another_model_or_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pt"
    torch.save(nn.Linear(2, 2).state_dict(), path)
    for setting in (TIMM, SHUFFLE):
        with pytest.raises(RuntimeError, match="Missing key"):
            model({**setting, "pretrained": str(path), "num_classes": 5}, 3, 16, 16)
        with pytest.raises(ValueError, match="there is no file"):
            model({**setting, "pretrained": str(tmp_path / "none.pt")}, 3, 16, 16)
    torch.save(model(SHUFFLE, 3, 16, 16).state_dict(), path)
    with pytest.raises(ValueError, match=r"its weights have conv1\.0\.weight \(24, 3, 3, 3\)"):
        model({**SHUFFLE, "pretrained": str(path)}, 1, 16, 16)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    for setting, fetch in ((TIMM, "hf download timm/"), (SHUFFLE, "https://download.pytorch.org/")):
        with pytest.raises(ValueError, match=f"no weights of .* craftc downloads none; fetch .*{fetch}"):
            model({**setting, "pretrained": True}, 3, 16, 16)


def test_weights_that_were_downloaded_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kept = tmp_path / "hub" / "checkpoints"
    kept.mkdir(parents=True)
    trained = model(TORCHVISION, 3, 16, 16, seed=3)
    url = load_component("models", "torchvision").__globals__["models"].get_model_weights("mnasnet0_5")["DEFAULT"].url
    torch.save(trained.state_dict(), kept / url.rpartition("/")[2])
    found = model({**TORCHVISION, "pretrained": True}, 3, 16, 16)
    assert all(map(torch.equal, found.state_dict().values(), trained.state_dict().values()))


def test_a_file_of_weights_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": Path("x")}, path)
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        read_state(path)
    torch.save({"a": 1}, path)
    with pytest.raises(ValueError, match="holds no weights"):
        read_state(path)
    with pytest.raises(ValueError, match=r"has no model\.safetensors"):
        read_state(tmp_path)
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    assert torch.equal(read_state(tmp_path)["a"], torch.ones(2))


@pytest.mark.parametrize("side", [4, 16])
def test_images_are_resized_in_front_of_the_model(side: int) -> None:
    x = images(2, 8, 6)
    expected = F.interpolate(x, (side, side), mode="bilinear", antialias=side < 6)
    assert torch.equal(resized(nn.Identity(), side)(x), expected)
    assert resized(nn.Identity(), "none")(x) is x
    assert torch.equal(resized(nn.Identity(), 8)(images(2, 8, 8)), images(2, 8, 8))
