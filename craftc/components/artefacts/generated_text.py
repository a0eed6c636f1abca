"""Writes text with a trained language model, token by token.

T: tokens so far, V: size of the vocabulary.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from craftc.components.artefacts.trained import ArtefactError, Made, Trained
from craftc.components.bounds import PositiveInt
from craftc.components.errors import DataError


class GeneratedText:
    """Text that the model goes on with behind a prompt.

    Each token is drawn from what the model predicts behind the latest of them, as many as its context has.

    Args:
        prompt: What it begins with, at least one token of the trial's vocabulary.
        length: Tokens that are written behind the prompt.
        num_texts: How many texts, of other random numbers each.
        temperature: What logits are divided by; 0 takes the likeliest token.
        top_k: Only so many of the likeliest tokens are drawn from (Fan et al. 2018).
        top_p: Only the likeliest tokens are drawn from, as many as it takes for their probability to reach this
            (nucleus sampling; Holtzman et al. 2020).
        seed: Of the random numbers.
    """

    takes_targets = ("token",)

    def __init__(
        self,
        *,
        prompt: str = "\n",
        length: Annotated[int, Ge(1), Le(10_000)] = 300,
        num_texts: Annotated[int, Ge(1), Le(20)] = 1,
        temperature: Annotated[float, Ge(0)] = 1.0,
        top_k: PositiveInt | Literal["none"] = "none",
        top_p: Annotated[float, Gt(0), Le(1)] | Literal["none"] = "none",
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.prompt, self.length, self.num_texts = prompt, length, num_texts
        self.temperature, self.seed = temperature, seed
        self.top_k = None if top_k == "none" else top_k
        self.top_p = None if top_p == "none" else top_p

    def make(self, trained: Trained) -> Made:
        """Raises ArtefactError where the trial has no vocabulary, or it has not the prompt."""
        vocabulary = trained.vocabulary
        if vocabulary is None:
            raise ArtefactError("the tokens of the data have no texts")
        try:
            begun = vocabulary.encode(self.prompt)
        except DataError as error:
            raise ArtefactError(f"the prompt cannot be read: {error.message}") from error
        if not begun:
            raise ArtefactError("the prompt is empty; it needs one token")
        texts = []
        for number in range(self.num_texts):
            random = torch.Generator().manual_seed(self.seed * 1000 + number)
            texts.append({"prompt": self.prompt, "text": vocabulary.decode(self._written(trained, begun, random))})
        shown = [f"{each['prompt']}{each['text']}".strip("\n") for each in texts]
        return Made({"texts": texts}, "\n\n---\n\n".join(shown) + "\n")

    def _written(self, trained: Trained, begun: list[int], random: torch.Generator) -> list[int]:
        context = next(trained.batches(1))[trained.first].shape[1]
        tokens_T = torch.tensor(begun)
        for _ in range(self.length):
            latest_1T = tokens_T[-context:].unsqueeze(0)
            # A target stands beside, for the layout of the output.
            batch = {trained.first: latest_1T, str(trained.target_name): latest_1T}
            try:
                logits_TV, _ = trained.aligned(trained.output(batch), batch)
            except KeyError as error:
                raise ArtefactError(f"the model asks for {error}, which a text being written has not") from error
            tokens_T = torch.cat([tokens_T, self.drawn(logits_TV[-1], random).view(1)])
        found: list[int] = tokens_T[len(begun) :].tolist()
        return found

    def drawn(self, logits_V: Tensor, random: torch.Generator) -> Tensor:
        """The number of the next token, by the logits (V,) of all."""
        if self.temperature == 0:
            return logits_V.argmax()
        logits_V = logits_V.double() / self.temperature
        if self.top_k is not None and self.top_k < len(logits_V):
            least = logits_V.topk(self.top_k).values[-1]
            logits_V = logits_V.masked_fill(logits_V < least, -torch.inf)
        if self.top_p is not None:
            shares_V, order_V = logits_V.softmax(-1).sort(descending=True)
            # A token is left out where those before it reach top_p, so the likeliest stays.
            is_out_V = shares_V.cumsum(-1) - shares_V >= self.top_p
            logits_V = logits_V.masked_fill(is_out_V[order_V.argsort()], -torch.inf)
        return logits_V.softmax(-1).multinomial(1, generator=random)[0]
