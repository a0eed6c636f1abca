"""Makes named columns of a table, as it is read and as it is encoded."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.column_roles import token_names
from craftc.components.errors import DataWarning
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.samples import TARGET, Samples, columns_of
from craftc.components.sources.table import CATEGORIES, NUMBERS, Table
from craftc.components.sources.tokenize_cells import TokenizedColumn
from craftc.training.data.encode_table import EncodedTable


def raw_columns(loaded: Samples | Columns | Table) -> Mapping[str, Column]:
    """What a source gives, as named columns: of a table before anything is learnt of it."""
    if not isinstance(loaded, Table):
        return columns_of(loaded)
    target = Column(loaded.targets, "class" if loaded.class_names else "real", "target", loaded.class_names)
    inputs = {
        NUMBERS: Column(loaded.numbers, "real", "input", loaded.number_names),
        CATEGORIES: Column(loaded.categories, "class", "input", loaded.category_names),
    }
    pairs = zip(token_names([text.name for text in loaded.texts]), loaded.texts, strict=True)
    texts = {name: Column(_digests(text), "token", "input") for (name, _), text in pairs}
    return {**{name: column for name, column in inputs.items() if column.names}, **texts, TARGET: target}


def _digests(text: TokenizedColumn) -> NDArray[np.int64]:
    """A number for the whole text of each row, (N, 1), by which copies are found: of what train does not have, the
    tokens will all be one."""
    rows = np.split(np.array(text.names, dtype=object)[text.numbers], np.cumsum(text.lengths)[:-1])
    found = [int.from_bytes(hashlib.sha256("\0".join(row).encode()).digest()[:7], "big") for row in rows]
    return np.array(found, dtype=np.int64)[:, None]


def encoded_columns(encoded: EncodedTable) -> Mapping[str, Column]:
    """The inputs of a table."""
    inputs = {
        NUMBERS: Column(encoded.numbers, "real", "input", encoded.number_names),
        CATEGORIES: Column(encoded.categories, "class", "input", encoded.category_names, encoded.cardinalities),
    }
    found = {name: column for name, column in inputs.items() if column.names}
    for (name, mask), text in zip(token_names([text.name for text in encoded.texts]), encoded.texts, strict=True):
        found |= {name: Column(text.tokens, "token", "input", text.names), mask: Column(text.mask, "mask", "mask")}
    return found


def cut_texts(encoded: EncodedTable, kept: int | None) -> tuple[DataWarning, ...]:
    """What is not read of texts."""
    return tuple(
        DataWarning(
            "text-cut",
            f'{text.num_cut:,} of {len(text.tokens):,} texts of column "{text.name}" are longer than '
            f"{text.tokens.shape[1]:,} tokens, {'the longest of train' if kept is None else 'max_tokens'}, "
            "and what is beyond is left out",
            "raise max_tokens",
            "data.source.max_tokens",
        )
        for text in encoded.texts
        if text.num_cut
    )
