"""Defines the tokenizers: characters, byte pair encoding, and what the `tokenizers` library has saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le

from craftc.components.bounds import PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError
from craftc.components.tokenizers.vocabulary import UNKNOWN, Vocabulary, of_library

PLACE = "data.tokenizer"
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What pairs are merged within: words, numbers and signs, each with the blank before it, as in GPT-2."""


class Char:
    """Each character a token."""

    def fit(self, text: str, characters: Sequence[str]) -> Vocabulary:
        """Of the train split's text, written in these characters."""
        return Vocabulary(tuple(characters), len(characters))


@declares(takes=("text",), packages={"tokenizers": "hf"}, search_ranges={"vocab_size": {"log_int": [256, 8192]}})
class BPE:
    """Byte pair encoding (Sennrich et al., 2016) of characters, by the `tokenizers` library, learned of train alone.

    Begins with the characters of train and merges the most frequent pair of neighbours, again and again, within words
    as GPT-2 cuts them, each with the blank before it. Every text of these characters can be written in it.

    Args:
        vocab_size: Tokens at most, the characters among them; train may have fewer pairs.
        min_frequency: How often train has a pair that is merged, at least.
    """

    def __init__(self, *, vocab_size: Annotated[int, Ge(2), Le(1_000_000)] = 1024, min_frequency: PositiveInt = 2):
        self.vocab_size = vocab_size
        self.min_frequency = min_frequency

    def fit(self, text: str, characters: Sequence[str]) -> Vocabulary:
        """Of the train split's text, written in these characters. Raises DataError where they are more than tokens."""
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

        if len(characters) > self.vocab_size:
            message = f"train is written in {len(characters)} characters, and vocab_size is {self.vocab_size}"
            hint = f"write vocab_size: {4 * len(characters)}, or raise min_count of data.source"
            raise DataError("data-mismatch", message, hint, f"{PLACE}.vocab_size")
        # The stub of the library lacks what is given by name.
        made: Any = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
        made.decoder = decoders.Fuse()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            min_frequency=self.min_frequency,
            initial_alphabet=[each for each in characters if each != UNKNOWN],
            show_progress=False,
        )
        made.train_from_iterator([text], trainer)
        return of_library(made, len(characters))


@declares(takes=("text",), packages={"tokenizers": "hf"})
class TokenizerFile:
    """A tokenizer that the `tokenizers` library saved, a `tokenizer.json`, as it is: nothing of it is learned.

    It has to keep the text: what it makes of a split and back is the split, or the run ends before it trains. A
    byte-level one keeps any text; one that writes all in small letters, or leaves out blanks, keeps none.

    Args:
        path: The file, as `Tokenizer.save` of the library or `save_pretrained` of transformers writes it.
    """

    def __init__(self, *, path: Path):
        self.path = path

    def fit(self, text: str, characters: Sequence[str]) -> Vocabulary:
        """What the file holds. Raises DataError where it is no tokenizer."""
        from tokenizers import Tokenizer

        try:
            made = Tokenizer.from_str(self.path.read_text(encoding="utf-8"))
        # The library raises Exception itself.
        except Exception as error:
            message = f"{self.path} is no tokenizer of the tokenizers library: {error}"
            hint = "name a tokenizer.json, as Tokenizer.save writes it"
            raise DataError("data-unreadable", message, hint, f"{PLACE}.path") from error
        made.no_padding()
        made.no_truncation()
        return of_library(made, len(characters))
