"""A recurrent network of torch's own layers: for lines of images, for texts, and for rows of quantities.

Shapes: B batch, C channels, L steps of a sequence, F numbers of a step, H width of the state, D what the head is given.
"""

from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt

CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}


class LSTM(nn.Module):
    """Recurrent layers over a sequence (Hochreiter and Schmidhuber 1997): `torch.nn.LSTM`, or `torch.nn.GRU`.

    Of an image, each line with all its channels is a step; of a text, each token, by an embedding; of rows of
    quantities, each row. Where the target is tokens, one of each step, there is a prediction for each step, as of a
    language model, and of a transcript too, for `ctc`; otherwise one of each sample. What a mask leaves out is packed
    away, and so enters nothing.

    torch has no rule for recurrent layers of several models at once, so that trials are trained one after another.

    Args:
        num_classes: Outputs of one prediction: logits of classes, labels or tokens, or as many quantities as its
            target has.
        line_length: Numbers of one step; None of tokens.
        vocabulary_size: Tokens that there are; None of quantities.
        target_kind: What is to be predicted: with token and transcript, each step has a prediction.
        cell: lstm: `torch.nn.LSTM`; gru: `torch.nn.GRU` (Cho et al. 2014).
        d_embedding: Width of a token.
        d_hidden: Width of the state, in each direction.
        num_layers: Layers one above the other.
        bidirectional: Whether each layer reads the sequence backwards too. Not of a model that predicts tokens, which
            would see them.
        pooling: What a prediction of the whole sequence is read from: last the state behind the last step, of both
            directions; mean and max all steps.
        dropout: Probability that a value is zeroed during training: embeddings, and what each layer puts out.
    """

    takes = ("images", "text")
    constraints = ("not bidirectional or target_kind != 'token'",)
    search_ranges: ClassVar = {
        "d_hidden": {"log_int": [32, 256]},
        "num_layers": {"int": [1, 3]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        num_classes: PositiveInt,
        line_length: PositiveInt | None = None,
        vocabulary_size: PositiveInt | None = None,
        target_kind: Literal["class", "classes", "real", "token", "vectors", "mask", "transcript"] = "class",
        cell: Literal["lstm", "gru"] = "lstm",
        d_embedding: PositiveInt = 64,
        d_hidden: PositiveInt = 128,
        num_layers: PositiveInt = 1,
        bidirectional: bool = False,
        pooling: Literal["last", "mean", "max"] = "last",
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        if line_length is None and vocabulary_size is None:
            raise ValueError("lstm reads lines or tokens, and the data has neither num_lines nor a vocabulary_size")
        self.predicts_steps = target_kind in ("token", "transcript")
        if bidirectional and target_kind == "token":
            raise ValueError("a model of tokens that reads backwards too would see what it is to predict")
        self.pooling = pooling
        self.embed = nn.Embedding(vocabulary_size, d_embedding) if vocabulary_size is not None else None
        num_directions = 2 if bidirectional else 1
        first = line_length if self.embed is None or vocabulary_size is None else d_embedding
        widths = [first, *[num_directions * d_hidden] * (num_layers - 1)]
        # One by one, and not `num_layers` of one module: dropout between them is then torch's own module, whose numbers
        # are the same for a trial alone and over several workers.
        self.layers = nn.ModuleList(
            CELLS[cell](width, d_hidden, batch_first=True, bidirectional=bidirectional) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(num_directions * d_hidden, num_classes)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Token numbers (B, L), lines (B, L, F) or images (B, C, H, W), and which steps count (B, L)
        -> outputs (B, num_classes), or of each step (B, L, num_classes)."""
        x_BLF = _lines(tokens) if self.embed is None else self.dropout(self.embed(tokens))
        out_BLD, last_BD = self._read(x_BLF, mask)
        if self.predicts_steps:
            return self.head(self.dropout(out_BLD))  # type: ignore[no-any-return]
        return self.head(self.dropout(self._pooled(out_BLD, last_BD, mask)))  # type: ignore[no-any-return]

    def _read(self, x_BLF: Tensor, mask_BL: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the last layer puts out, (B, L, D), and its state behind the last step of each direction, (B, D)."""
        length = x_BLF.shape[1]
        lengths_B = None if mask_BL is None else mask_BL.sum(1).cpu()
        state_XBH = x_BLF
        for index, layer in enumerate(self.layers):
            given: Any = self.dropout(x_BLF) if index else x_BLF
            if lengths_B is not None:
                given = pack_padded_sequence(given, lengths_B, batch_first=True, enforce_sorted=False)
            out, state = layer(given)
            x_BLF = out if lengths_B is None else pad_packed_sequence(out, batch_first=True, total_length=length)[0]
            state_XBH = state[0] if isinstance(state, tuple) else state
        return x_BLF, state_XBH.transpose(0, 1).flatten(1)

    def _pooled(self, out_BLD: Tensor, last_BD: Tensor, mask_BL: Tensor | None) -> Tensor:
        if self.pooling == "last":
            return last_BD
        if self.pooling == "max":
            counted = out_BLD if mask_BL is None else out_BLD.masked_fill(~mask_BL[..., None], -torch.inf)
            return counted.amax(1)
        # Steps that are packed away are zero.
        return out_BLD.mean(1) if mask_BL is None else out_BLD.sum(1) / mask_BL.sum(1, keepdim=True)


def _lines(x: Tensor) -> Tensor:
    if x.dim() == 3:
        return x
    if x.dim() == 4:
        return x.transpose(1, 2).flatten(2)
    raise ValueError(f"lstm needs lines, (B, L, F), or images, (B, C, H, W), not a batch of shape {tuple(x.shape)}")
