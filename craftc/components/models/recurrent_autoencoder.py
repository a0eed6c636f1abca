"""Reconstructs a sequence of vectors from few numbers: a recurrent encoder, a bottleneck and a recurrent decoder.

Shapes: B batch, T vectors of a sequence, F numbers of a vector, H width of the state, Z width of the bottleneck.
"""

from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt
from craftc.components.models.seq2seq import CELLS


class RecurrentAutoencoder(nn.Module):
    """Recurrent encoder and decoder of vectors around a bottleneck (Sutskever et al. 2014, Srivastava et al. 2015).

    The decoder begins with a state made of the bottleneck, and at each step is given the vector before: the right one
    with probability `teacher_forcing`, and otherwise its own (scheduled sampling, Bengio et al. 2015). Without the
    value it is always the right one. At the first step it is given zeros. With the value `max_length`, a sequence ends
    behind as many vectors, for the encoder too; the outputs behind are zeros, and are counted in no loss and no metric.

    Args:
        line_length: Numbers of a vector, F.
        cell: Which of torch's recurrent layers: `nn.GRU`, `nn.LSTM` or `nn.RNN` with tanh.
        d_hidden: Width of the state, a multiple of `num_heads` where there is attention.
        d_bottleneck: Numbers that the encoder's last state is projected to.
        num_layers: Layers of the encoder, and of the decoder.
        memory: What `nn.MultiheadAttention` of the decoder sees. none: there is no attention; bottleneck: the
            bottleneck, as one vector for each head, so that all still goes through it; encoder: what the encoder puts
            out at every step, which goes past the bottleneck.
        num_heads: Heads of the attention.
        sampling: Whether scheduled sampling draws for each sample and step anew, or once for all of a batch.
        recurrent_init: Matrices from state to state. orthogonal: each gate's (Saxe et al. 2014); uniform: as torch
            begins them.
        input_init: Matrices from input to state. xavier: each gate's by Glorot and Bengio (2010); uniform: as torch
            begins them.
        dropout: Probability that a value is zeroed during training: vectors that are read, and what the decoder puts
            out.
    """

    semantics_version = 2
    constraints = ("d_hidden % num_heads == 0",)
    search_ranges: ClassVar = {
        "d_hidden": {"choice": [64, 128, 256, 512]},
        "d_bottleneck": {"choice": [16, 32, 64, 128]},
        "num_layers": {"int": [1, 3]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        line_length: PositiveInt,
        cell: Literal["gru", "lstm", "rnn"] = "gru",
        d_hidden: PositiveInt = 512,
        d_bottleneck: PositiveInt = 64,
        num_layers: PositiveInt = 1,
        memory: Literal["none", "bottleneck", "encoder"] = "none",
        num_heads: PositiveInt = 8,
        sampling: Literal["step", "batch"] = "step",
        recurrent_init: Literal["orthogonal", "uniform"] = "orthogonal",
        input_init: Literal["xavier", "uniform"] = "xavier",
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        if d_hidden % num_heads:
            raise ValueError(f"d_hidden is {d_hidden}, which is no multiple of num_heads, {num_heads}")
        self.memory, self.num_heads, self.num_layers, self.sampling = memory, num_heads, num_layers, sampling
        num_states = num_layers * (2 if cell == "lstm" else 1)
        self.dropout = nn.Dropout(dropout)
        self.encoder = CELLS[cell](line_length, d_hidden, num_layers, batch_first=True)
        self.to_bottleneck = nn.Linear(num_states * d_hidden, d_bottleneck)
        self.to_state = nn.Linear(d_bottleneck, num_states * d_hidden)
        self.decoder = CELLS[cell](line_length, d_hidden, num_layers, batch_first=True)
        self.to_memory = nn.Linear(d_bottleneck, num_heads * d_hidden) if memory == "bottleneck" else None
        has_attention = memory != "none"
        self.attention = nn.MultiheadAttention(d_hidden, num_heads, batch_first=True) if has_attention else None
        self.head = nn.Linear(2 * d_hidden if has_attention else d_hidden, line_length)
        for layers in (self.encoder, self.decoder):
            _initialise(layers, d_hidden, recurrent_init, input_init)

    def forward(
        self,
        vectors_BTF: Tensor,
        mask: Tensor | None = None,
        teacher_forcing: Tensor | float = 1.0,
        max_length: Tensor | float | None = None,
        targets_mask: Tensor | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """Vectors (B, T, F), which are read (B, T), the first at least, a probability and a length -> (B, T, F). With a
        length, these are `logits`, and beside them stands what of the `targets_mask` (B, T), or of the mask, is within
        it."""
        if mask is None:
            mask = torch.ones(vectors_BTF.shape[:2], dtype=torch.bool, device=vectors_BTF.device)
        if max_length is None:
            return self._reconstructed(vectors_BTF, mask, teacher_forcing)
        places_T = torch.arange(mask.shape[1], device=mask.device)
        is_within_T = (places_T < max_length) | (places_T == 0)
        counted_BT = (mask if targets_mask is None else targets_mask) & is_within_T
        written_BTF = self._reconstructed(vectors_BTF, mask & is_within_T, teacher_forcing)
        return {"logits": written_BTF, "targets_mask": counted_BT}

    def _reconstructed(self, vectors_BTF: Tensor, mask: Tensor, teacher_forcing: Tensor | float) -> Tensor:
        memory_BSH, unseen_BS, state = self._read(vectors_BTF, mask)
        before_BTF = torch.cat([torch.zeros_like(vectors_BTF[:, :1]), vectors_BTF[:, :-1]], dim=1)
        if not isinstance(teacher_forcing, Tensor) and teacher_forcing >= 1:
            written_BTF = self._write(before_BTF, memory_BSH, unseen_BS, state)[0]
            return written_BTF * mask.unsqueeze(-1)
        shape_BT = (len(mask), mask.shape[1]) if self.sampling == "step" else (1, 1)
        is_forced_BT = (torch.rand(shape_BT, device=mask.device) < teacher_forcing).expand(mask.shape)
        written: list[Tensor] = []
        given_B1F = before_BTF[:, :1]
        for place in range(mask.shape[1]):
            if place:
                is_forced_B11 = is_forced_BT[:, place, None, None]
                given_B1F = torch.where(is_forced_B11, before_BTF[:, place : place + 1], written[-1])
            written_B1F, state = self._write(given_B1F, memory_BSH, unseen_BS, state)
            written.append(written_B1F)
        return torch.cat(written, dim=1) * mask.unsqueeze(-1)

    def _read(self, vectors_BTF: Tensor, mask_BT: Tensor) -> tuple[Tensor | None, Tensor | None, Any]:
        """What attention sees and which of it not, if there is attention, and the decoder's first state."""
        # Words without a vector may stand between others: what counts ends behind the last that does.
        places_T = torch.arange(1, mask_BT.shape[1] + 1, device=mask_BT.device)
        lengths_B = (mask_BT * places_T).amax(1)
        packed = pack_padded_sequence(
            self.dropout(vectors_BTF), lengths_B.cpu(), batch_first=True, enforce_sorted=False
        )
        packed, states = self.encoder(packed)
        last = torch.cat(states, dim=0) if isinstance(states, tuple) else states
        num_states, num_samples, d_hidden = last.shape
        bottleneck_BZ = self.to_bottleneck(last.transpose(0, 1).reshape(num_samples, -1))
        first = torch.tanh(self.to_state(bottleneck_BZ)).view(num_samples, num_states, d_hidden).transpose(0, 1)
        state: Any = first.contiguous()
        if isinstance(states, tuple):
            state = tuple(part.contiguous() for part in torch.split(first, self.num_layers))
        if self.memory == "encoder":
            memory_BTH, _ = pad_packed_sequence(packed, batch_first=True, total_length=mask_BT.shape[1])
            return memory_BTH, ~mask_BT, state
        if self.to_memory is not None:
            return self.to_memory(bottleneck_BZ).view(num_samples, self.num_heads, d_hidden), None, state
        return None, None, state

    def _write(
        self, given_BUF: Tensor, memory_BSH: Tensor | None, unseen_BS: Tensor | None, state: Any
    ) -> tuple[Tensor, Any]:
        """The vectors behind those given, and the decoder's state."""
        out_BUH, state = self.decoder(self.dropout(given_BUF), state)
        if self.attention is not None:
            context_BUH, _ = self.attention(
                out_BUH, memory_BSH, memory_BSH, key_padding_mask=unseen_BS, need_weights=False
            )
            out_BUH = torch.cat([out_BUH, context_BUH], dim=-1)
        return self.head(self.dropout(out_BUH)), state


def _initialise(layers: nn.Module, d_hidden: int, recurrent_init: str, input_init: str) -> None:
    """Gates stand one below the other in torch's matrices, each of `d_hidden` rows."""
    for name, parameter in layers.named_parameters():
        if name.startswith("weight_hh") and recurrent_init == "orthogonal":
            for gate in torch.split(parameter.detach(), d_hidden):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih") and input_init == "xavier":
            for gate in torch.split(parameter.detach(), d_hidden):
                nn.init.xavier_uniform_(gate)
