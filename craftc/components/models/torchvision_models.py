"""The image models of torchvision that tell classes apart, by name."""

import inspect
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import torchvision
from torch import nn
from torchvision import models

from craftc.components.bounds import WEIGHTS, BelowOne, Name, PositiveInt
from craftc.components.declare import declares
from craftc.components.models.image_weights import downloaded, not_downloaded, read_state, with_own_head
from craftc.components.models.resized import resized

MAX_NAMED = 4
DROPOUTS = ("dropout", "drop_rate")
"""What the classes of torchvision call the probability that a number is zeroed."""
RGB = 3


@declares(
    takes=("images",),
    data_layout="channels",
    packages={"torchvision": "vision"},
    search_ranges={"dropout": {"uniform": [0.0, 0.5]}},
)
def torchvision_model(
    *,
    name: Name,
    num_classes: PositiveInt,
    num_channels: PositiveInt,
    image_height: PositiveInt,
    image_width: PositiveInt,
    pretrained: bool | Annotated[Path, WEIGHTS] = False,
    resize: PositiveInt | Literal["none"] = "none",
    dropout: BelowOne | Literal["own"] = 0.0,
    **arguments: Any,
) -> nn.Module:
    """A model of torchvision for classes by its name there, such as resnet18 or mobilenet_v3_small.

    `torchvision.models.list_models(module=torchvision.models)` lists the names; one that there is not is reported
    before anything is trained. For images of other than 3 channels its first convolution is drawn anew, as He et al.
    (2015) draw it. Further arguments are those of the model's builder. Nothing is downloaded. Auxiliary outputs are
    left out.

    Args:
        name: As torchvision has it.
        num_classes: Outputs of one image: logits of classes or labels, or as many quantities as its target has.
        num_channels: Of an image, 1 of a grey one.
        image_height: Pixels of a column of an image.
        image_width: Pixels of a line of an image.
        pretrained: Where the weights are from. false draws them; a file or folder that torch.save or safetensors wrote;
            trial:ID, a trial of this model in the store; true, what has been downloaded of that name before. The last
            layer is drawn anew for other classes.
        resize: Side of the square to which images are brought first, bilinearly, for models that need larger ones.
        dropout: Probability that a number is zeroed during training, where the model has it; own is its own.
    """
    known = models.list_models(module=models)
    if name not in known:
        near = get_close_matches(name, known, MAX_NAMED) or [each for each in known if each.startswith(name[:5])]
        said = f"near are {', '.join(near[:MAX_NAMED])}" if near else f"it has {', '.join(known)}"
        raise ValueError(f'torchvision {torchvision.__version__} has no model "{name}" for classes; {said}')
    takes = _arguments_of(name)
    settings = {"num_classes": num_classes, **arguments}
    if dropout != "own":
        of_dropout = next((each for each in DROPOUTS if each in takes), None)
        if of_dropout is None and dropout:
            raise ValueError(f"{name} of torchvision has no dropout; leave it out, or take a model that has it")
        settings |= {} if of_dropout is None else {of_dropout: dropout}
    if "aux_logits" in takes:
        settings = {"aux_logits": False, "init_weights": True, **settings}
    if "image_size" in takes and "image_size" not in settings:
        settings["image_size"] = _side(name, image_height, image_width) if resize == "none" else resize
    model: nn.Module = models.get_model(name, weights=None, **settings)
    if num_channels != RGB:
        _take_channels(model, num_channels)
    if pretrained:
        state = read_state(_in_cache(name) if pretrained is True else Path(pretrained))
        model.load_state_dict(with_own_head(state, model, num_classes))
    return resized(model, resize)


def _arguments_of(name: str) -> tuple[str, ...]:
    """Those of the class that a builder returns, to which it hands what it does not know."""
    class_ = inspect.signature(models.get_model_builder(name), eval_str=True).return_annotation
    return tuple(inspect.signature(class_).parameters)


def _side(name: str, height: int, width: int) -> int:
    if height != width:
        raise ValueError(
            f"{name} takes square images, and these are {height} x {width}; write resize: {max(height, width)}"
        )
    return height


def _take_channels(model: nn.Module, num_channels: int) -> None:
    """Put a convolution for so many channels in the place of the first."""
    found = ((n, each) for n, each in model.named_modules() if isinstance(each, nn.Conv2d) and each.in_channels == RGB)
    name, old = next(found)
    new = nn.Conv2d(
        num_channels, old.out_channels, old.kernel_size, old.stride, old.padding, old.dilation, old.groups,  # type: ignore[arg-type]
        old.bias is not None, old.padding_mode,
    )  # fmt: skip
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    model.set_submodule(name, new)


def _in_cache(name: str) -> Path:
    """The file that torch.hub has kept of the default weights. Raises ValueError."""
    url: str = models.get_model_weights(name)["DEFAULT"].url
    if found := downloaded(url):
        return found
    raise not_downloaded(name, f"fetch {url}, and name the file, pretrained: PATH, or draw them, pretrained: false")
