"""Features of image models by token and layer: against the libraries used plainly, and from a saved folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from craftc.components.build import build

DINO: dict[str, Any] = {
    "model_type": "dinov3_vit", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 2, "patch_size": 4, "num_register_tokens": 2,
}  # fmt: skip
FACTS = {"num_classes": 3, "num_lines": 8, "line_length": 8, "num_channels": 1, "target_kind": "class"}
OF_IMAGES = {**FACTS, "vocabulary_size": None, "context_length": None}
OF_TIMM = {"num_classes": 3, "num_channels": 1, "image_height": 8, "image_width": 8}
VIT = {"kind": "timm", "name": "test_vit", "patch_size": 4}


def of_transformers(**arguments: Any) -> Any:
    torch.manual_seed(0)
    return build("models", {"kind": "transformers", "config": DINO, **OF_IMAGES, **arguments}).eval()


def images() -> Tensor:
    return torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(0))


def expected(states: list[Tensor], pooling: str, num_before: int) -> Tensor:
    parts = []
    for state in states:
        cls, mean = state[:, 0], state[:, num_before:].mean(1)
        parts += {"cls": [cls], "patches": [mean], "both": [cls, mean]}[pooling]
    return torch.cat(parts, 1)


@pytest.mark.parametrize("pooling", ["cls", "patches", "both"])
def test_of_transformers(pooling: str) -> None:
    x = images()
    for layers in ("last", [1, 3]):
        model = of_transformers(pooling=pooling, layers=layers, head_dropout=0.5)
        found = model.backbone(pixel_values=x[:, None], output_hidden_states=True)
        states = [found.last_hidden_state] if layers == "last" else [found.hidden_states[number] for number in layers]
        features = expected(states, pooling, num_before=3)
        torch.testing.assert_close(model(x), model.head(features))


@pytest.mark.parametrize("pooling", ["cls", "patches", "both"])
def test_of_timm(pooling: str) -> None:
    torch.manual_seed(0)
    model: Any = build("models", {**VIT, "pooling": pooling, **OF_TIMM}).eval()
    x = images()[:, None]
    states = [model.backbone.forward_features(x)]
    torch.testing.assert_close(model(x), model.head(expected(states, pooling, num_before=1)))
    by_layer: Any = build("models", {**VIT, "pooling": pooling, "layers": [1, 2], **OF_TIMM}).eval()
    kept: list[Tensor] = []
    hooks = [by_layer.backbone.blocks[n].register_forward_hook(lambda *a: kept.append(a[2])) for n in (0, 1)]
    logits = by_layer(x)
    for hook in hooks:
        hook.remove()
    features = expected([by_layer.backbone.norm(state) for state in kept], pooling, num_before=1)
    torch.testing.assert_close(logits, by_layer.head(features))


def test_a_folder_that_the_library_saved(tmp_path: Path) -> None:
    """It calls layers otherwise there than in the model."""
    made = of_transformers()
    made.backbone.save_pretrained(tmp_path)
    torch.manual_seed(1)
    setting = {"kind": "transformers", "config": tmp_path, "weights": tmp_path, **OF_IMAGES}
    again: Any = build("models", setting).eval()
    features = made.features(images()[:, None])
    torch.testing.assert_close(again.features(images()[:, None]), features)
    other = {**setting, "config": {**DINO, "num_hidden_layers": 4}}
    with pytest.raises(ValueError, match="has no weights of "):
        build("models", other)


def test_a_convolution_has_places_and_no_class_token() -> None:
    setting = {"kind": "timm", "name": "test_resnet", **OF_TIMM, "image_height": 32, "image_width": 32}
    x = torch.randn(2, 1, 32, 32)
    model: Any = build("models", {**setting, "pooling": "patches"}).eval()
    torch.testing.assert_close(model(x), model.head(model.backbone.forward_features(x).mean((2, 3))))
    with pytest.raises(ValueError, match="no class token, which pooling: cls needs; write pooling: patches"):
        build("models", {**setting, "pooling": "cls"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": [4]}, "layers: the model has 3 layers, and 4 is asked for"),
        ({"config": {"model_type": "vit", "patch_size": 4}, "pooling": "both"}, "are of the head pooled, and this is"),
    ],
    ids=["layer", "head"],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of_transformers(**arguments)


def test_it_takes_gradients_in_training() -> None:
    model: nn.Module = of_transformers(pooling="both").train()
    model(images()).sum().backward()
    names = [name for name, each in model.named_parameters() if each.grad is None]
    assert names == ["backbone.embeddings.mask_token"]
