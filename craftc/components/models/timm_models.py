"""The image models of timm, by name."""

from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import timm
import torch
from torch import Tensor, nn

from craftc.components.bounds import WEIGHTS, BelowOne, Name, PositiveInt
from craftc.components.declare import declares
from craftc.components.models.image_weights import State, downloaded, not_downloaded, read_state
from craftc.components.models.pooled_features import Layers, PooledFeatures, Pooling, Tokens
from craftc.components.models.resized import resized

MAX_NAMED = 4


@declares(
    takes=("images",),
    data_layout="channels",
    packages={"timm": "vision"},
    search_ranges={"dropout": {"uniform": [0.0, 0.5]}},
)
def timm_model(
    *,
    name: Name,
    num_classes: PositiveInt,
    num_channels: PositiveInt,
    image_height: PositiveInt,
    image_width: PositiveInt,
    pretrained: bool | Annotated[Path, WEIGHTS] = False,
    resize: PositiveInt | Literal["none"] = "none",
    dropout: BelowOne = 0.0,
    pooling: Literal["own"] | Pooling = "own",
    layers: Layers = "last",
    **arguments: Any,
) -> nn.Module:
    """An image model of timm by its name there (Wightman 2019), such as resnet18 or vit_tiny_patch16_224.

    `timm.list_models()` lists the names; one that there is not is reported before anything is trained. A model of one
    size, such as a vision transformer, is built for the size of the images. Further arguments are those of
    `timm.create_model`: patch_size, drop_path_rate, img_size and others. Nothing is downloaded. timm reshapes
    pretrained weights for other sizes and numbers of channels; the last layer is drawn anew for other classes.

    Args:
        name: As timm has it; behind a dot stands which pretrained weights are meant: resnet18.a1_in1k.
        num_classes: Outputs of one image: logits of classes or labels, or as many quantities as its target has.
        num_channels: Of an image, 1 of a grey one.
        image_height: Pixels of a column of an image.
        image_width: Pixels of a line of an image.
        pretrained: Where the weights are from. false draws them; a file or folder that torch.save or safetensors wrote;
            trial:ID, a trial of this model in the store; true, what has been downloaded of that name before.
        resize: Side of the square to which images are brought first, bilinearly, for models that need larger ones.
        dropout: Probability that a number in front of the last layer is zeroed during training, timm's drop_rate.
        pooling: What the last layer is given: own: what timm gives it; cls: the class token; patches: the mean of all
            patches, or of all places of a convolution; both: the two side by side.
        layers: Where pooling is not own, whose features: last: those of the whole model; or numbers of its layers, the
            first is 1, side by side, behind the model's last norm.
    """
    if not timm.is_model(name):
        raise ValueError(f'timm {timm.__version__} has no model "{name}"; {_near(name)}')
    settings: dict[str, Any] = {"num_classes": num_classes, "in_chans": num_channels, **arguments}
    if dropout:
        settings["drop_rate"] = dropout
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size and "img_size" not in settings:
        settings["img_size"] = (image_height, image_width) if resize == "none" else (resize, resize)
    model: nn.Module = timm.create_model(name, pretrained=False, **settings)
    if pretrained:
        about = {} if config is None else asdict(config)
        path = _in_cache(name, about) if pretrained is True else Path(pretrained)
        model = _trained(name, model, read_state(path), about, settings)
    if pooling != "own":
        height, width = (image_height, image_width) if resize == "none" else (resize, resize)
        example = torch.zeros(1, num_channels, height, width)
        model.reset_classifier(0)  # type: ignore[operator]
        model = PooledFeatures(
            model, TokensOf(layers), example, pooling=pooling, dropout=dropout, num_classes=num_classes
        )
    elif layers != "last":
        raise ValueError("layers are of a pooling: write pooling: cls, patches or both")
    return resized(model, resize)


class TokensOf:
    """Finds the tokens of layers of a model of timm, `last` or numbers from 1 on."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers

    def __call__(self, model: nn.Module, x_BCHW: Tensor) -> list[Tokens]:
        """Of each layer. Raises ValueError where the model does not show its layers, or has no such one."""
        has_class = getattr(model, "cls_token", None) is not None
        if self._layers == "last":
            found = model.forward_features(x_BCHW)  # type: ignore[operator]
            if found.dim() == 4:
                return [Tokens(None, found.flatten(2).transpose(1, 2))]
            return [Tokens(found[:, 0] if has_class else None, found[:, getattr(model, "num_prefix_tokens", 0) :])]
        if not hasattr(model, "forward_intermediates"):
            raise ValueError("layers: timm does not show the layers of this model; leave layers out")
        wanted: dict[str, Any] = {"indices": [number - 1 for number in self._layers], "intermediates_only": True}
        if not has_class:
            states = model.forward_intermediates(x_BCHW, norm=True, **wanted)  # type: ignore[operator]
            return [Tokens(None, state.flatten(2).transpose(1, 2)) for state in states]
        states = model.forward_intermediates(  # type: ignore[operator]
            x_BCHW, norm=True, output_fmt="NLC", return_prefix_tokens=True, **wanted
        )
        return [Tokens(before[:, 0], patches) for patches, before in states]


def _near(name: str) -> str:
    known = timm.list_models()
    near = get_close_matches(name.partition(".")[0], known, MAX_NAMED)
    near = near or [each for each in known if each.startswith(name[:5])][:MAX_NAMED]
    return f"near are {', '.join(near)}" if near else "timm.list_models() lists them"


def _in_cache(name: str, about: Mapping[str, Any]) -> Path:
    """The file of pretrained weights that Hugging Face's cache, or that of torch.hub, has. Raises ValueError."""
    if repository := about.get("hf_hub_id"):
        from huggingface_hub import try_to_load_from_cache

        for file in (about.get("hf_hub_filename") or "model.safetensors", "pytorch_model.bin"):
            found = try_to_load_from_cache(repository, file)
            if isinstance(found, str):
                return Path(found)
    if found_url := downloaded(about.get("url") or ""):
        return found_url
    mend = f"fetch them with: hf download {repository}" if repository else "there are none to download by this name"
    raise not_downloaded(name, f"{mend}; or name a file, pretrained: PATH, or draw them, pretrained: false")


def _trained(
    name: str, model: nn.Module, state: State, about: Mapping[str, Any], settings: dict[str, Any]
) -> nn.Module:
    """The model with these weights, as timm fits them to it. Every layer but the last has to be in them."""
    own = model.state_dict()
    if own.keys() == state.keys() and all(own[each].shape == state[each].shape for each in own):
        model.load_state_dict(state)
        return model
    state, classifiers = copy(state), about.get("classifier") or ()
    for layer in (classifiers,) if isinstance(classifiers, str) else classifiers:
        for each in (f"{layer}.weight", f"{layer}.bias"):
            if each in own and each in state and own[each].shape != state[each].shape:
                state[each] = own[each]
    first = about.get("first_conv")
    weight = state.get(f"{first if isinstance(first, str) else (first or ('',))[0]}.weight")
    num_channels = 3 if weight is None or weight.dim() != 4 else weight.shape[1]
    size = (num_channels, *(about.get("input_size") or (3, 224, 224))[1:])
    # With the weights at hand timm looks for none elsewhere; of one number of classes it demands that all are there.
    given = {"state_dict": state, "num_classes": settings["num_classes"], "input_size": size}
    fitted: nn.Module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=given, **settings)
    return fitted
