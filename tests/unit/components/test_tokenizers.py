"""Tokenizers: text to tokens and back, learned of train alone, and bits for each character whatever the tokens are."""

import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional as F

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources.columns import CHARACTERS, COUNTED
from craftc.components.sources.tokens import characters
from craftc.components.tokenizers.vocabulary import REPLACEMENT, Vocabulary
from craftc.training.data.split_text import split_text

SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "then", "there", "was", "\n"]
TEXT = " ".join(WORDS[number] for number in np.random.RandomState(0).randint(len(WORDS), size=800))
BPE = {"kind": "bpe", "vocab_size": 40}


def split(tokenizer, text=TEXT, min_count=1):
    tokens = characters(text, context_length=16, min_count=min_count, stride=8)
    return split_text(tokens, SHARES, tokenizer)


def measured(found, name):
    columns = found.splits[name].columns
    counted = columns[COUNTED].values
    sizes = columns[CHARACTERS].values[counted] if CHARACTERS in columns else np.ones(counted.sum())
    return columns["y"].values[counted], sizes


@pytest.mark.parametrize("name", ["valid", "test"])
def test_every_tokenizer_measures_the_same_characters(name):
    by_char, by_bpe = split({"kind": "char"}), split(BPE)
    (chars, ones), (pieces, sizes) = measured(by_char, name), measured(by_bpe, name)
    assert len(pieces) < len(chars) == ones.sum() == sizes.sum()
    text = by_char.vocabulary.decode(chars)
    assert by_bpe.vocabulary.decode(pieces) == text
    assert text in TEXT
    assert [len(by_bpe.vocabulary.names[number]) for number in pieces] == sizes.tolist()
    assert by_bpe.vocabulary.num_characters == len(by_char.vocabulary) == len(set(TEXT))


def test_merges_are_learned_of_train_alone():
    cut = round(0.6 * len(TEXT))
    other = TEXT[:cut] + "".join(sorted(TEXT[cut:]))
    assert split(BPE).vocabulary == split(BPE, other).vocabulary


def test_a_rare_character_is_the_unknown_one_of_every_tokenizer():
    found = split(BPE, "Q" + TEXT + "Z", min_count=2)
    assert REPLACEMENT in found.vocabulary.names
    assert found.vocabulary.decode(measured(found, "test")[0]).endswith(REPLACEMENT)
    assert "Z" not in "".join(found.vocabulary.names)


def test_what_is_kept_of_a_trial_writes_and_reads_text():
    for tokenizer in ({"kind": "char"}, BPE):
        kept = split(tokenizer).vocabulary
        read = Vocabulary.from_json(kept.as_json())
        assert read == kept
        assert read.decode(read.encode("the cat was there")) == "the cat was there"
    with pytest.raises(DataError, match="'Z' is none of the"):
        split({"kind": "char"}).vocabulary.encode("Z")


def byte_level(normalizer=None):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if normalizer is not None:
        made.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def test_a_saved_tokenizer_of_bytes_keeps_characters_of_several_bytes(tmp_path):
    made = byte_level()
    made.save(str(tmp_path / "tokenizer.json"))
    found = split({"kind": "tokenizer_file", "path": str(tmp_path / "tokenizer.json")}, TEXT.replace("cat", "châ"))
    pieces, sizes = measured(found, "test")
    assert sizes.sum() == measured(split({"kind": "char"}, TEXT.replace("cat", "châ")), "test")[0].size
    assert "châ" in found.vocabulary.decode(pieces)


def test_a_tokenizer_that_does_not_keep_the_text_is_refused(tmp_path):
    byte_level(normalizers.Lowercase()).save(str(tmp_path / "small.json"))
    with pytest.raises(DataError, match="does not keep the text of train: 'T"):
        split({"kind": "tokenizer_file", "path": str(tmp_path / "small.json")}, TEXT.replace("the", "The"))
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(DataError, match="is no tokenizer"):
        split({"kind": "tokenizer_file", "path": str(tmp_path / "none.json")})
    with pytest.raises(DataError, match="vocab_size is 3"):
        split({"kind": "bpe", "vocab_size": 3})


def test_bits_are_of_each_character():
    torch.manual_seed(0)
    logits, targets, sizes = torch.randn(30, 7), torch.randint(7, (30,)), torch.randint(1, 4, (30,)).float()
    metric = build("metrics", {"kind": "bits_per_character", "num_characters": 5}, 7)
    for part in range(0, 30, 10):
        rows = slice(part, part + 10)
        metric.update(logits[rows], targets[rows], characters=sizes[rows])
    expected = F.cross_entropy(logits, targets, reduction="sum") / math.log(2) / sizes.sum()
    torch.testing.assert_close(metric.compute().float(), expected)
    assert "5 characters" in metric.identity
