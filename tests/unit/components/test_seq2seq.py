"""Pairs of texts and a model that reads one and writes the other: against plain torch, with padding left out."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from craftc.components.errors import DataError
from craftc.components.metrics.classification import Accuracy
from craftc.components.metrics.likelihood import Perplexity
from craftc.components.models.seq2seq import Seq2Seq
from craftc.components.objectives.cross_entropy import CrossEntropy
from craftc.components.sources.text_pairs import END, PAD, START, pairs_of, python_words, text_pairs

TEXTS = (["ab", "b", "abca"], ["ba", "bbb", ""])


def batch():
    columns = pairs_of(*TEXTS).columns
    return {name: torch.from_numpy(column.values) for name, column in columns.items()}


def test_texts_end_are_padded_and_shifted():
    columns = pairs_of(*TEXTS).columns
    names = columns["tokens"].names
    assert names == (PAD, START, END, "a", "b", "c")
    assert columns["tokens"].values.tolist() == [[3, 4, 2, 0, 0], [4, 2, 0, 0, 0], [3, 4, 5, 3, 2]]
    assert columns["targets"].values.tolist() == [[4, 3, 2, 0], [4, 4, 4, 2], [2, 0, 0, 0]]
    assert columns["decoder_tokens"].values.tolist() == [[1, 4, 3, 2], [1, 4, 4, 4], [1, 2, 0, 0]]
    assert columns["mask"].values.sum(1).tolist() == [3, 2, 5]
    assert columns["targets_mask"].values.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]
    assert {name: column.role for name, column in columns.items()} == {
        "tokens": "input", "decoder_tokens": "input", "mask": "mask", "targets": "target",
        "targets_mask": "mask",
    }  # fmt: skip


def test_a_file_of_pairs_is_read_as_it_is(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("en,de\nNA,na\n1,eins\n", encoding="utf-8")
    columns = text_pairs(path=path, source="en", target="de").columns
    names = columns["targets"].names
    texts = ["".join(names[n] for n in row if n > 2) for row in columns["targets"].values.tolist()]
    assert texts == ["na", "eins"]
    same = text_pairs(path=path, source="de", target="de").columns
    assert np.array_equal(same["tokens"].values, same["targets"].values)


@pytest.mark.parametrize(
    ("text", "arguments", "code", "place"),
    [
        ("en,de\na,b\n", {"source": "fr", "target": "de"}, "data-mismatch", "data.source.source"),
        ("en,de\na,b\n", {"source": "en", "target": "fr"}, "data-mismatch", "data.source.target"),
        ("en,de\na,b\n" + "a,bcde\n", {"source": "en", "target": "de", "max_length": 3}, "data-mismatch",
         "data.source.max_length"),
        ("en,de\n", {"source": "en", "target": "de"}, "data-mismatch", "data.source.path"),
        (None, {"source": "en", "target": "de"}, "data-unreadable", "data.source.path"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_at_its_place(tmp_path, text, arguments, code, place):
    if text is not None:
        (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        text_pairs(path=tmp_path / "pairs.csv", **arguments)
    assert (caught.value.code, caught.value.place) == (code, place)


def test_words_have_their_vowels_restored():
    columns = python_words().columns
    names = columns["targets"].names
    given, wanted = (
        ["".join(names[n] for n in row if n > 2) for row in columns[name].values.tolist()]
        for name in ("tokens", "targets")
    )
    assert len(given) == len(set(given)) > 2000
    pairs = dict(zip(given, wanted, strict=True))
    assert pairs["prgrm"] == "program"


def plain_losses(model, columns):
    """The model's own modules, one sample and one step after another, without padding."""
    losses = []
    for tokens, mask, read, targets, counts in zip(
        columns["tokens"], columns["mask"], columns["decoder_tokens"], columns["targets"],
        columns["targets_mask"], strict=True,
    ):  # fmt: skip
        memory, state = model.encoder(model.embed(tokens[mask])[None])
        for token, target in zip(read[counts], targets[counts], strict=True):
            out, state = model.decoder(model.embed(token)[None, None], state)
            if model.attention is not None:
                out = torch.cat([out, model.attention(out, memory, memory)[0]], dim=-1)
            losses.append(F.cross_entropy(model.head(out)[0, 0], target))
    return torch.stack(losses)


@torch.no_grad()
@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_the_loss_is_that_of_plain_torch_whatever_the_padding(cell, attention):
    torch.manual_seed(0)
    columns = batch()
    model = Seq2Seq(vocabulary_size=6, cell=cell, d_embedding=5, d_hidden=7, num_layers=2, attention=attention).double()
    objective = CrossEntropy(torch.ones(6)).double()
    for forced in (1.0, torch.tensor(1.0)):
        logits = model(columns["tokens"], columns["decoder_tokens"], columns["mask"], forced)
        loss_sum, weight = objective(logits, columns["targets"], columns["targets_mask"])
        expected = plain_losses(model, columns)
        assert float(weight) == len(expected)
        assert float(loss_sum) == pytest.approx(float(expected.sum()), rel=1e-6)
    mean = float(expected.mean())
    perplexity, accuracy = Perplexity(6), Accuracy(6)
    rows = logits.flatten(0, 1), columns["targets"].flatten(), columns["targets_mask"].flatten()
    perplexity.update(*rows)
    accuracy.update(*rows)
    assert float(perplexity.compute()) == pytest.approx(float(np.exp(mean)), rel=1e-6)
    hits = (rows[0].argmax(-1) == rows[1])[rows[2]]
    assert float(accuracy.compute()) == pytest.approx(float(hits.double().mean()))


def test_without_teacher_forcing_it_reads_what_it_wrote():
    torch.manual_seed(0)
    columns = batch()
    model = Seq2Seq(vocabulary_size=6, d_embedding=5, d_hidden=7).eval()
    other = torch.randint(0, 6, columns["decoder_tokens"].shape)
    other[:, 0] = columns["decoder_tokens"][:, 0]
    given = columns["tokens"], columns["mask"]
    free = [model(given[0], read, given[1], torch.tensor(0.0)) for read in (columns["decoder_tokens"], other)]
    assert torch.equal(*free), "it sees nothing of the right tokens"
    written = torch.cat([other[:, :1], free[0].argmax(-1)[:, :-1]], dim=1)
    torch.testing.assert_close(model(given[0], written, given[1]), free[0])
    forced = model(given[0], columns["decoder_tokens"], given[1], torch.tensor(0.5))
    assert not torch.equal(forced, free[0])


@pytest.mark.parametrize("arguments", [{}, {"label_smoothing": 0.1}, {"class_weights": [1.0, 2.0, 3.0, 1.0, 1.0, 0.5]}])
def test_masked_cross_entropy_is_that_of_what_counts_alone(arguments):
    torch.manual_seed(0)
    logits, targets = torch.randn(3, 4, 6), torch.randint(0, 6, (3, 4))
    mask = torch.rand(3, 4) < 0.6
    objective = CrossEntropy(torch.ones(6), **arguments)
    masked = objective(logits, targets, mask)
    alone = objective(logits[mask], targets[mask])
    assert [float(part) for part in masked] == pytest.approx([float(part) for part in alone], rel=1e-6)
    many = objective._of_many(logits.flatten(0, 1), targets.flatten(), mask.flatten())
    assert [float(part) for part in many] == pytest.approx([float(part) for part in alone], rel=1e-5)


def test_packing_ends_where_a_text_does():
    torch.manual_seed(0)
    columns = batch()
    model = Seq2Seq(vocabulary_size=6, cell="lstm", d_embedding=5, d_hidden=7)
    lengths = columns["mask"].sum(1)
    packed = pack_padded_sequence(model.embed(columns["tokens"]), lengths, batch_first=True, enforce_sorted=False)
    _, (expected, _) = model.encoder(packed)
    _, (found, _) = model._read(columns["tokens"], columns["mask"])
    assert torch.equal(found, expected)
