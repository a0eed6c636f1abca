"""Reads one sequence of tokens and writes another: a recurrent encoder and decoder of torch's own.

Shapes: B batch, T tokens that are read, U tokens that are written, V vocabulary, H width of the state.
"""

from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt

CELLS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


class Seq2Seq(nn.Module):
    """Recurrent encoder and decoder (Sutskever et al. 2014), with attention to what was read where that is wished.

    The decoder begins with the encoder's last state. Without attention that state is all that it knows: reconstructing
    a sequence then goes through a bottleneck of `d_hidden` numbers.

    By the value `teacher_forcing`, each next token is the right one with that probability, and otherwise the likeliest
    by the model itself (scheduled sampling, Bengio et al. 2015), for each sample and token anew. Without the value it
    is always the right one.

    Args:
        vocabulary_size: Tokens that there are, and so logits of each.
        cell: Which of torch's recurrent layers: `nn.GRU`, `nn.LSTM` or `nn.RNN`.
        d_embedding: Width of a token.
        d_hidden: Width of the state.
        num_layers: Layers of the encoder, and of the decoder.
        attention: Whether each written token sees all that was read, by one head of `nn.MultiheadAttention`.
        dropout: Probability that a value is zeroed during training: embeddings, and what the decoder puts out.
    """

    search_ranges: ClassVar = {
        "d_embedding": {"choice": [16, 32, 64, 128]},
        "d_hidden": {"choice": [64, 128, 256, 512]},
        "num_layers": {"int": [1, 3]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        vocabulary_size: PositiveInt,
        cell: Literal["gru", "lstm", "rnn"] = "gru",
        d_embedding: PositiveInt = 32,
        d_hidden: PositiveInt = 128,
        num_layers: PositiveInt = 1,
        attention: bool = False,
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        layers = CELLS[cell]
        self.embed = nn.Embedding(vocabulary_size, d_embedding)
        self.dropout = nn.Dropout(dropout)
        self.encoder = layers(d_embedding, d_hidden, num_layers, batch_first=True)
        self.decoder = layers(d_embedding, d_hidden, num_layers, batch_first=True)
        self.attention = nn.MultiheadAttention(d_hidden, 1, batch_first=True) if attention else None
        self.head = nn.Linear(2 * d_hidden if attention else d_hidden, vocabulary_size)

    def forward(
        self,
        tokens_BT: Tensor,
        decoder_tokens: Tensor,
        mask: Tensor | None = None,
        teacher_forcing: Tensor | float = 1.0,
    ) -> Tensor:
        """Tokens (B, T), those before each written one (B, U), which of the former count (B, T), and a probability
        -> logits (B, U, V)."""
        memory_BTH, state = self._read(tokens_BT, mask)
        if not isinstance(teacher_forcing, Tensor) and teacher_forcing >= 1:
            return self._write(decoder_tokens, memory_BTH, mask, state)[0]
        written: list[Tensor] = []
        token_B1 = decoder_tokens[:, :1]
        for place in range(decoder_tokens.shape[1]):
            if place:
                is_forced_B1 = torch.rand(token_B1.shape, device=token_B1.device) < teacher_forcing
                own_B1 = written[-1].argmax(-1)
                token_B1 = torch.where(is_forced_B1, decoder_tokens[:, place : place + 1], own_B1)
            logits_B1V, state = self._write(token_B1, memory_BTH, mask, state)
            written.append(logits_B1V)
        return torch.cat(written, dim=1)

    def _read(self, tokens_BT: Tensor, mask_BT: Tensor | None) -> tuple[Tensor, Any]:
        """What the encoder puts out (B, T, H), and its state behind the last token that counts."""
        embedded = self.dropout(self.embed(tokens_BT))
        if mask_BT is None:
            found: tuple[Tensor, Any] = self.encoder(embedded)
            return found
        lengths_B = mask_BT.sum(1).cpu()
        packed = pack_padded_sequence(embedded, lengths_B, batch_first=True, enforce_sorted=False)
        packed, state = self.encoder(packed)
        memory_BTH, _ = pad_packed_sequence(packed, batch_first=True, total_length=tokens_BT.shape[1])
        return memory_BTH, state

    def _write(self, tokens_BU: Tensor, memory_BTH: Tensor, mask_BT: Tensor | None, state: Any) -> tuple[Tensor, Any]:
        """The logits behind each of these tokens, and the decoder's state."""
        out_BUH, state = self.decoder(self.dropout(self.embed(tokens_BU)), state)
        if self.attention is not None:
            unseen_BT = None if mask_BT is None else ~mask_BT
            context_BUH, _ = self.attention(
                out_BUH, memory_BTH, memory_BTH, key_padding_mask=unseen_BT, need_weights=False
            )
            out_BUH = torch.cat([out_BUH, context_BUH], dim=-1)
        return self.head(self.dropout(out_BUH)), state
