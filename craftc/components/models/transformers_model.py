"""Models of Hugging Face's `transformers`, by a configuration: their tensors are named as craftc names columns.

Shapes: B batch, T tokens that are read, U tokens that are written, C outputs of a prediction.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from craftc.components.bounds import WEIGHTS, BelowOne, PositiveInt
from craftc.components.declare import declares
from craftc.components.models.pooled_features import Layers, PooledFeatures, Pooling, Tokens
from craftc.components.torchvision_operators import expect_torchvision

Head = Literal[
    "auto", "sequence_classification", "token_classification", "causal_lm", "seq2seq", "image_classification", "pooled"
]  # fmt: skip
AUTO_CLASSES = {
    "sequence_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
    "causal_lm": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "image_classification": "AutoModelForImageClassification",
}
OF_TOKENS = ("causal_lm", "seq2seq")
PADDING = 0
"""The token that fills rows up in all of craftc's sources that fill up."""
FIRST_POSITIONS = 2
"""Of some models (RoBERTa's) positions begin behind that of the padding, at 2."""


@declares(
    takes=("images", "text"),
    packages={"transformers": "hf"},
    search_ranges={"dropout": {"uniform": [0.0, 0.5]}},
)
def transformers(
    *,
    config: Path | Mapping[str, Any],
    head: Head = "auto",
    weights: Literal["none"] | Annotated[Path, WEIGHTS] = "none",
    dropout: BelowOne | None = None,
    pooling: Pooling = "cls",
    layers: Layers = "last",
    head_dropout: BelowOne = 0.0,
    num_classes: PositiveInt,
    target_kind: Literal["class", "classes", "real", "token", "vectors", "mask"] = "class",
    vocabulary_size: PositiveInt | None = None,
    context_length: PositiveInt | None = None,
    num_lines: PositiveInt | None = None,
    line_length: PositiveInt | None = None,
    num_channels: PositiveInt | None,
) -> nn.Module:
    """A model of Hugging Face's library `transformers`, built by its configuration with fitting sizes.

    It is called with `tokens` or images first, with `mask` as its attention mask, and with `decoder_tokens`, and gives
    what the library calls logits. Nothing is downloaded, no code that comes with weights is run, and weights are read
    of safetensors alone. Trials are trained one after another: torch has no rule for the fused attention of several
    models at once.

    Args:
        config: The configuration: its values, `{model_type: bert, hidden_size: 64}`, a file `config.json`, or the
            folder of a model.
        head: What is built on the model. auto: by the target: `causal_lm` of tokens, or `seq2seq` where the model is an
            encoder and a decoder; otherwise `sequence_classification` of texts, and `image_classification` of images
            where the library has that of such a model, else `pooled`. pooled: a linear layer on features of images,
            which `pooling` and `layers` choose, whatever the model is.
        weights: A folder or file of weights in the format safetensors, or trial:ID for the best weights of a trial in
            the store. Layers whose shapes do not fit, as those of a head, are drawn anew.
        dropout: Given to every probability of dropout that the configuration has, `hidden_dropout_prob`,
            `attention_probs_dropout_prob`, `resid_pdrop` and others; none of them is changed where it is not given.
        pooling: Of the head `pooled`, what its features are: cls: the class token; patches: the mean of all patches;
            both: the two side by side.
        layers: Of the head `pooled`, whose features: last: those of the whole model, behind its last norm; or numbers
            of layers, the first is 1, side by side as they are.
        head_dropout: Of the head `pooled`, the probability that a feature is zeroed during training.
        num_classes: Outputs of one prediction, `num_labels`.
        target_kind: What is to be predicted.
        vocabulary_size: Tokens that there are, `vocab_size`.
        context_length: Most tokens of a sample; `max_position_embeddings` is two more where a configuration that is
            written in the spec does not say it.
        num_lines: Lines of an image.
        line_length: Values of a line, all channels together.
        num_channels: Channels of an image.
    """
    expect_torchvision()
    import transformers as library

    written = dict(config) if isinstance(config, Mapping) else _read(config)
    if "model_type" not in written:
        raise ValueError(
            f"the configuration has no model_type, as bert or vit; it has {', '.join(written) or 'nothing'}"
        )
    built = library.AutoConfig.for_model(**written)
    chosen = _head(head, target_kind, is_pair=bool(built.is_encoder_decoder), is_image=vocabulary_size is None)
    if head == "auto" and chosen == "image_classification" and _has_no_head(library, built):
        chosen = "pooled"
    if chosen != "pooled" and (pooling, layers, head_dropout) != ("cls", "last", 0.0):
        raise ValueError(f"pooling, layers and head_dropout are of the head pooled, and this is {chosen}")
    if chosen not in OF_TOKENS:
        built.num_labels = num_classes
    if vocabulary_size is not None:
        is_inline = isinstance(config, Mapping)
        _fit_vocabulary(built, written, vocabulary_size, is_inline=is_inline, gives_tokens=chosen in OF_TOKENS)
        _fit_positions(built, written, context_length, is_inline=is_inline)
        if is_inline and "pad_token_id" not in written:
            # A language model reads no padding; its token 0 is one like the others.
            built.pad_token_id = None if chosen == "causal_lm" else PADDING
    elif num_lines is not None and line_length is not None:
        _fit_image(built, written, num_lines, line_length, num_channels)
    if dropout is not None:
        _drop(built, dropout)
    if chosen == "pooled":
        if num_lines is None or line_length is None:
            raise ValueError("the head pooled is of images, and the data has none")
        width = line_length // (num_channels or 1)
        example = torch.zeros(1, num_channels or 1, num_lines, width)
        backbone = _backbone(library, built, weights)
        look = TokensOf(layers, _num_before_patches(backbone))
        return PooledFeatures(backbone, look, example, pooling=pooling, dropout=head_dropout, num_classes=num_classes)
    auto_class = getattr(library, AUTO_CLASSES[chosen])
    model = auto_class.from_config(built, trust_remote_code=False)
    if weights != "none":
        _load(model, Path(weights))
    return ByColumns(model, is_image=vocabulary_size is None)


class ByColumns(nn.Module):
    """A model of `transformers`, called by the names of columns."""

    def __init__(self, model: nn.Module, *, is_image: bool) -> None:
        super().__init__()
        self.model, self.is_image = model, is_image

    def forward(self, tokens: Tensor, mask: Tensor | None = None, decoder_tokens: Tensor | None = None) -> Tensor:
        """Token numbers (B, T) or images (B, H, W) or (B, C, H, W), which tokens count (B, T), and of pairs those
        before each that is written (B, U) -> logits (B, C), (B, T, C) or (B, U, C)."""
        given: dict[str, Tensor] = {}
        if self.is_image:
            given["pixel_values"] = tokens if tokens.dim() == 4 else tokens.unsqueeze(1)
        else:
            given["input_ids"] = tokens
        if mask is not None:
            given["attention_mask"] = mask.long()
        if decoder_tokens is not None:
            given["decoder_input_ids"] = decoder_tokens
        logits: Tensor = self.model(**given).logits
        return logits


class TokensOf:
    """Finds the tokens of layers of a model of the library, `last` or numbers from 1 on; `num_before` stand in front of
    the patches, the class token first."""

    def __init__(self, layers: Layers, num_before: int) -> None:
        self._layers, self._num_before = layers, num_before

    def __call__(self, model: nn.Module, x_BCHW: Tensor) -> list[Tokens]:
        """Of each layer. Raises ValueError where there is no such layer."""
        if self._layers == "last":
            return [self._of(model(pixel_values=x_BCHW).last_hidden_state)]
        states = model(pixel_values=x_BCHW, output_hidden_states=True).hidden_states
        if (most := max(self._layers)) >= len(states):
            raise ValueError(f"layers: the model has {len(states) - 1} layers, and {most} is asked for")
        return [self._of(states[number]) for number in self._layers]

    def _of(self, state: Tensor) -> Tokens:
        """Of (B, P + T, D), or of a convolution (B, D, H, W)."""
        if state.dim() == 4:
            return Tokens(None, state.flatten(2).transpose(1, 2))
        return Tokens(state[:, 0] if self._num_before else None, state[:, self._num_before :])


def _has_no_head(library: Any, built: Any) -> bool:
    return type(built) not in library.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING


def _backbone(library: Any, built: Any, weights: Literal["none"] | Path) -> nn.Module:
    """A model without a head. A folder of weights is loaded by the library, which knows former names of layers; every
    layer has to be in it."""
    path = None if weights == "none" else Path(weights)
    if path is None or not path.is_dir():
        model: nn.Module = library.AutoModel.from_config(built, trust_remote_code=False)
        if path is not None:
            _load(model, path, beginning="backbone.")
        return model
    library.utils.logging.disable_progress_bar()
    model, found = library.AutoModel.from_pretrained(
        path, config=built, local_files_only=True, use_safetensors=True, trust_remote_code=False,
        output_loading_info=True,
    )  # fmt: skip
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"{path} has no weights of {', '.join(missing[:3])}; it is of another model")
    return model


def _num_before_patches(model: nn.Module) -> int:
    """The class token and the registers behind it; of a model without a class token, none."""
    has_class = any(name.endswith(("cls_token", "class_embedding")) for name, _ in model.named_parameters())
    return 1 + int(getattr(model.config, "num_register_tokens", 0) or 0) if has_class else 0


def _read(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(
            f"there is no configuration at {path}; a name of the hub is not looked up, save it to a folder"
        )
    written: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return written


def _head(head: str, target_kind: str, *, is_pair: bool, is_image: bool) -> str:
    if head != "auto":
        return head
    if target_kind == "token":
        return "seq2seq" if is_pair else "causal_lm"
    return "image_classification" if is_image else "sequence_classification"


def _fit_vocabulary(
    built: Any, written: Mapping[str, Any], vocabulary_size: int, *, is_inline: bool, gives_tokens: bool
) -> None:
    """A configuration of a file may have tokens that the data has not, unless it is tokens that are predicted."""
    if is_inline:
        _check_same("vocab_size", written, vocabulary_size)
    if is_inline or gives_tokens or built.vocab_size < vocabulary_size:
        built.vocab_size = vocabulary_size
    for name in ("bos_token_id", "eos_token_id", "decoder_start_token_id"):
        number = getattr(built, name, None)
        if isinstance(number, int) and number >= built.vocab_size:
            setattr(built, name, None)


def _fit_positions(built: Any, written: Mapping[str, Any], context_length: int | None, *, is_inline: bool) -> None:
    most = getattr(built, "max_position_embeddings", None)
    if context_length is None or most is None:
        return
    names = {"max_position_embeddings", built.attribute_map.get("max_position_embeddings", "")}
    # What a decoder writes may be longer than what is read.
    if is_inline and names.isdisjoint(written) and not built.is_encoder_decoder:
        built.max_position_embeddings = context_length + FIRST_POSITIONS
    elif most < context_length:
        raise ValueError(f"the configuration has {most} positions, and a sample has {context_length} tokens")


def _fit_image(
    built: Any, written: Mapping[str, Any], num_lines: int, line_length: int, num_channels: int | None
) -> None:
    if num_channels is None:
        num_channels = line_length // num_lines if line_length % num_lines == 0 else 1
    width = line_length // num_channels
    size: int | list[int] = num_lines if width == num_lines else [num_lines, width]
    for name, number in (("num_channels", num_channels), ("image_size", size)):
        _check_same(name, written, number)
        if hasattr(built, name):
            setattr(built, name, number)


def _check_same(name: str, written: Mapping[str, Any], number: Any) -> None:
    """A configuration of a file stands for weights, whose sizes are theirs; one in the spec is held to the data."""
    if name in written and written[name] != number:
        raise ValueError(f"the configuration has {name} {written[name]}, and the data {number}; leave it out")


def _drop(built: Any, dropout: float) -> None:
    """Every probability of dropout, by its name; those of whole layers or paths are others."""
    found = False
    for name, value in built.to_dict().items():
        is_dropout = name.endswith(("dropout", "pdrop", "dropout_prob", "dropout_rate"))
        if is_dropout and isinstance(value, int | float):
            setattr(built, name, dropout)
            found = True
    if not found:
        raise ValueError(f"the configuration of {built.model_type} has no probability of dropout; leave dropout out")


def _load(model: nn.Module, path: Path, beginning: str = "model.") -> None:
    """Of a folder or file, what has the names and shapes of the model's."""
    if path.suffix == ".pt":
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {name.removeprefix(beginning): value for name, value in state.get("model", state).items()}
    else:
        state = _safetensors(path)
    own = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise ValueError(f"{path} has no weights of such a model, by their names and shapes")
    model.load_state_dict(fitting, strict=False)


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files or any(file.suffix != ".safetensors" for file in files):
        raise ValueError(f"{path} holds no weights in the format safetensors")
    return {name: value for file in files for name, value in load_file(file).items()}
