"""Text that a model goes on with: what is drawn from, beside the samplers of transformers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from craftc.components.artefacts.generated_text import GeneratedText
from craftc.components.artefacts.trained import ArtefactError
from craftc.components.sources.columns import Column
from craftc.components.tokenizers.vocabulary import Vocabulary

LETTERS = Vocabulary(("a", "b", "c", "\n"), 4)


class Next(nn.Module):
    """Is sure that the next letter follows the last in the alphabet; keeps how many tokens it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[int] = []

    def forward(self, tokens_BT: Tensor) -> Tensor:
        self.lengths.append(tokens_BT.shape[1])
        return nn.functional.one_hot((tokens_BT + 1) % 4, 4) * 50.0


def of_letters(make_trained, model: nn.Module, vocabulary: Vocabulary | None = LETTERS):
    tokens = torch.zeros(2, 5, dtype=torch.int64)
    target = Column(np.zeros((2, 5), dtype=np.int64), "token", "target", ("a", "b", "c", "\n"))
    return make_trained(model, tokens, target, vocabulary=vocabulary)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_sure_model_is_followed_within_its_context(make_trained: Any, temperature: float) -> None:
    model = Next()
    made = GeneratedText(prompt="b", length=7, temperature=temperature).make(of_letters(make_trained, model))
    assert made.values == {"texts": [{"prompt": "b", "text": "c\nabc\na"}]}
    assert model.lengths == [1, 2, 3, 4, 5, 5, 5]


def test_each_text_has_random_numbers_of_its_own_and_the_same_each_time(make_trained: Any) -> None:
    flat = nn.Sequential(nn.Embedding(4, 4))
    nn.init.zeros_(flat[0].weight)
    trained = of_letters(make_trained, flat)
    first, again = (GeneratedText(prompt="a", length=40, num_texts=2).make(trained) for _ in range(2))
    other = GeneratedText(prompt="a", length=40, num_texts=2, seed=1).make(trained)
    texts = [each["text"] for each in (*first.values["texts"], *other.values["texts"])]
    assert len(set(texts)) == 4
    assert first == again


def test_a_prompt_of_unknown_letters_and_no_vocabulary(make_trained: Any) -> None:
    with pytest.raises(ArtefactError, match=r"prompt cannot be read.*'z'"):
        GeneratedText(prompt="z").make(of_letters(make_trained, Next()))
    with pytest.raises(ArtefactError, match="have no texts"):
        GeneratedText().make(of_letters(make_trained, Next(), None))
    with pytest.raises(ArtefactError, match="empty"):
        GeneratedText(prompt="").make(of_letters(make_trained, Next()))


@pytest.mark.parametrize(
    ("arguments", "warpers"),
    [
        ({"top_k": 3}, [TopKLogitsWarper(3)]),
        ({"top_p": 0.6}, [TopPLogitsWarper(0.6)]),
        ({"top_p": 1e-6}, [TopPLogitsWarper(1e-6)]),
        (
            {"temperature": 0.5, "top_k": 5, "top_p": 0.7},
            [TemperatureLogitsWarper(0.5), TopKLogitsWarper(5), TopPLogitsWarper(0.7)],
        ),
    ],
)
def test_what_is_drawn_is_what_transformers_would_draw_from(arguments: dict[str, Any], warpers: list[Any]) -> None:
    logits_V = torch.randn(12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    wanted = logits_V.unsqueeze(0)
    for warper in warpers:
        wanted = warper(None, wanted)
    shares_V = wanted.softmax(-1)[0]
    text, random = GeneratedText(**arguments), torch.Generator().manual_seed(0)
    counts_V = torch.bincount(torch.tensor([int(text.drawn(logits_V, random)) for _ in range(4000)]), minlength=12)
    assert set(counts_V.nonzero().flatten().tolist()) == set(shares_V.nonzero().flatten().tolist())
    # Within five standard errors.
    errors_V = (shares_V * (1 - shares_V) / 4000).sqrt()
    assert ((counts_V / 4000 - shares_V).abs() <= 5 * errors_V + 1e-9).all()
