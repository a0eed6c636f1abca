"""A language model that sees the tokens that it is to predict is found out; one that does not is left alone."""

import pytest
import torch
from torch import Tensor, nn

from craftc.components.models.decoder import Decoder
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.causality import check_causal

NUM_TOKENS, LENGTH = 7, 12
X_BT = torch.arange(2 * LENGTH).reshape(2, LENGTH) % NUM_TOKENS


class Convolution(nn.Module):
    """Looks at a token, and at as many after it as it is padded on the right for."""

    def __init__(self, ahead: int, branch_scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokens = nn.Embedding(NUM_TOKENS, 16)
        self.mix = nn.Conv1d(16, 16, 3)
        self.padding = (2 - ahead, ahead)
        self.head = nn.Linear(16, NUM_TOKENS)
        self.mix.weight.data *= branch_scale
        self.dropout = nn.Dropout(0.5)

    def forward(self, x_BT: Tensor) -> Tensor:
        x_BCT = self.tokens(x_BT).transpose(1, 2)
        mixed = self.mix(nn.functional.pad(x_BCT, self.padding))
        logits: Tensor = self.head(self.dropout((x_BCT + mixed).transpose(1, 2)))
        return logits


def test_the_built_in_decoder_and_a_causal_convolution_pass() -> None:
    decoder = Decoder(vocabulary_size=NUM_TOKENS, context_length=LENGTH, d_model=16, num_heads=2)
    for model in (decoder, Convolution(0)):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        check_causal(model.train(), X_BT, NUM_TOKENS, "model")
        assert model.training
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("ahead", [1, 2])
def test_one_that_looks_ahead_is_refused_by_the_token_that_does(ahead: int) -> None:
    with pytest.raises(TrainingError) as raised:
        check_causal(Convolution(ahead), X_BT, NUM_TOKENS, "model nets:Convolution")
    assert raised.value.code == "model-sees-target"
    assert raised.value.message.startswith("model nets:Convolution sees what it is to predict: changing token 1 of")
    assert "moves the logits of token 0" in raised.value.message


def test_a_branch_that_begins_at_zero_hides_nothing() -> None:
    with pytest.raises(TrainingError, match="sees what it is to predict"):
        check_causal(Convolution(1, branch_scale=0.0), X_BT, NUM_TOKENS, "model")


def test_attention_without_a_mask_is_refused() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(NUM_TOKENS, 16)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
            self.head = nn.Linear(16, NUM_TOKENS)

        def forward(self, x_BT: Tensor) -> Tensor:
            logits: Tensor = self.head(self.layer(self.tokens(x_BT)))
            return logits

    with pytest.raises(TrainingError, match="a causal mask"):
        check_causal(Encoder(), X_BT, NUM_TOKENS, "model")


def test_what_a_model_draws_in_eval_mode_is_no_sight() -> None:
    class Noisy(Convolution):
        def forward(self, x_BT: Tensor) -> Tensor:
            logits = super().forward(x_BT)
            return logits + torch.rand_like(logits)

    check_causal(Noisy(0), X_BT, NUM_TOKENS, "model")
