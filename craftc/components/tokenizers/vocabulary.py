"""The tokens of a trial's text, kept with the trial: text becomes their numbers, and numbers become text."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from craftc.components.errors import DataError

UNKNOWN = "<unknown>"
"""The name of the token that stands for all rare ones."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands in a text for a character that train has too seldom, or not at all."""
VOCABULARY = "vocabulary.json"
"""The file of a finished trial's folder, see `Vocabulary.as_json`."""
_FORMAT = 1


@dataclass(frozen=True)
class Vocabulary:
    """What each number stands for.

    Args:
        names: The text of each token, by its number; each name once.
        num_characters: How many characters the text is written in, `UNKNOWN` among them where train has rare ones.
        library: The tokenizer as JSON of the `tokenizers` library; None where each token is one character, or a name
            that a source of the user's own gave it.
    """

    names: tuple[str, ...]
    num_characters: int
    library: str | None = None

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text. A character that is not known becomes the unknown one, and raises DataError where
        there is none."""
        if self._tokenizer is not None:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
            return ids
        unknown = self._numbers.get(UNKNOWN)
        ids = [number for each in text if (number := self._numbers.get(each, unknown)) is not None]
        if len(ids) < len(text):
            lacking = next(each for each in text if each not in self._numbers)
            raise DataError("unknown-token", f"{lacking!r} is none of the {len(self)} tokens of the trial")
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of numbers; what is unknown is written as U+FFFD. Tokens that a source of the user's own named by
        more than one character are put apart by blanks."""
        if self._tokenizer is not None:
            text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
            return text
        names = [REPLACEMENT if self.names[number] == UNKNOWN else self.names[number] for number in ids]
        return ("" if self._are_characters else " ").join(names)

    def spans(self, text: str) -> tuple[list[int], list[int]]:
        """The numbers of a text, and how many of its characters begin with each, which are all of them together."""
        if self._tokenizer is None:
            ids = self.encode(text)
            return ids, [1] * len(ids)
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        ends = [0, *(end for _, end in encoded.offsets)]
        return encoded.ids, [max(0, end - before) for before, end in pairwise(ends)]

    def as_json(self) -> str:
        """One document with all of it."""
        library = None if self.library is None else json.loads(self.library)
        about = {"format": _FORMAT, "num_characters": self.num_characters, "names": self.names, "tokenizer": library}
        return json.dumps(about, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """The reverse of `as_json`."""
        about = json.loads(text)
        library = about["tokenizer"]
        return cls(tuple(about["names"]), about["num_characters"], None if library is None else _as_written(library))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def _are_characters(self) -> bool:
        return all(len(name) == 1 or name == UNKNOWN for name in self.names)

    @cached_property
    def _tokenizer(self) -> Any:
        if self.library is None:
            return None
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self.library)


def of_library(tokenizer: Any, num_characters: int) -> Vocabulary:
    """The vocabulary of a tokenizer of the `tokenizers` library."""
    by_number = {number: name for name, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    names: Sequence[str] = [by_number.get(number, f"<{number}>") for number in range(max(by_number) + 1)]
    return Vocabulary(tuple(names), num_characters, _as_written(json.loads(tokenizer.to_str())))


def _as_written(library: Any) -> str:
    return json.dumps(library, ensure_ascii=False, separators=(",", ":"))
