"""Word vectors as a source, and a model that reconstructs them: against plain torch, with padding left out."""

import contextlib
import json

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from torch.nn import functional as F

from craftc.cli.main import app
from craftc.components.errors import DataError
from craftc.components.metrics.cosine_similarity import CentredCosineSimilarity
from craftc.components.models.recurrent_autoencoder import RecurrentAutoencoder
from craftc.components.objectives.cosine import Cosine
from craftc.components.sources.word_vectors import word_vectors

VECTORS = "the 1 0\nrose 0 1\nlove's 2 2\nunread x y\n"


def source(tmp_path, text='"The rose, the\nROSE zyx"\n"love\u2019s rose"\n', vectors=VECTORS, **given):
    (tmp_path / "poems.csv").write_text(f"text\n{text}", encoding="utf-8")
    (tmp_path / "vectors.txt").write_text(vectors, encoding="utf-8")
    return word_vectors(path=tmp_path / "poems.csv", text="text", vectors=tmp_path / "vectors.txt", **given)


def test_windows_overlap_within_a_text_and_count_known_words(tmp_path):
    found = source(tmp_path, length=3, stride=2)
    columns = found.columns
    assert columns["words"].values.tolist() == ["the rose the", "the rose <unknown>", "love's rose"]
    assert found.by_sample["document"].tolist() == [0, 0, 1]
    assert columns["mask"].values.tolist() == [[1, 1, 1], [1, 1, 1], [1, 1, 0]]
    assert columns["targets_mask"].values.tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 0]]
    # Two of `the`, three of `rose`, one of `love's`.
    assert columns["vectors"].values[1, 2] == pytest.approx(np.array([4 / 6, 5 / 6]))
    assert columns["vectors"].values[2].tolist() == [[2, 2], [0, 1], [0, 0]]
    (warning,) = found.warnings
    assert (warning.code, "1 of 7 words (14.3%)" in warning.message) == ("unknown-words", True)


def test_unknown_words_are_handled_as_asked(tmp_path):
    assert source(tmp_path, unknown="zero").columns["vectors"].values[0, 4].tolist() == [0, 0]
    assert source(tmp_path, unknown="skip").columns["vectors"].values.shape == (2, 4, 2)
    with pytest.raises(DataError, match="zyx"):
        source(tmp_path, unknown="error")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"vectors": "the 1 0\nrose 0 1 2\n"}, "line 2 of .* is no vector of 2 finite numbers"),
        ({"vectors": "the 1 nan\n"}, "finite"),
        ({"vectors": "sun 1 0\n"}, "none of the words"),
        ({"length": 2, "stride": 3}, "read by none"),
    ],
)
def test_what_is_no_vector_or_no_window_is_refused(tmp_path, given, said):
    with pytest.raises(DataError, match=said):
        source(tmp_path, **given)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("memory", ["none", "bottleneck", "encoder"])
def test_step_by_step_is_the_whole_and_padding_changes_nothing(cell, memory):
    torch.manual_seed(0)
    model = RecurrentAutoencoder(line_length=5, cell=cell, d_hidden=8, d_bottleneck=4, memory=memory, num_heads=2)
    x, mask = torch.randn(2, 6, 5), torch.arange(6) < torch.tensor([[6], [3]])
    whole = model(x, mask)
    torch.testing.assert_close(model(x, mask, torch.tensor(1.0)), whole)
    assert (whole[1, 3:] == 0).all()
    for forcing in (1.0, 0.0):
        short = model(x[1:, :3], mask[1:, :3], forcing)
        torch.testing.assert_close(model(x, mask, forcing)[1:, :3], short)
        found = model(x, mask, forcing, torch.tensor(3.0))
        assert found["targets_mask"].tolist() == [[1, 1, 1, 0, 0, 0]] * 2
        cut = found["logits"]
        torch.testing.assert_close(cut[1], model(x, mask, forcing)[1])
        torch.testing.assert_close(cut[:1, :3], model(x[:1, :3], mask[:1, :3], forcing))


def test_free_running_reads_nothing_but_the_bottleneck_and_itself():
    torch.manual_seed(0)
    model = RecurrentAutoencoder(line_length=3, d_hidden=8, d_bottleneck=2, memory="bottleneck", num_heads=4)
    x = torch.randn(1, 4, 3)
    bottleneck = model.to_bottleneck(model.encoder(x)[1].transpose(0, 1).reshape(1, -1))
    state, memory = torch.tanh(model.to_state(bottleneck))[None], model.to_memory(bottleneck).view(1, 4, 8)
    given, written = torch.zeros(1, 1, 3), []
    for _ in range(4):
        out, state = model.decoder(given, state)
        given = model.head(torch.cat([out, model.attention(out, memory, memory)[0]], dim=-1))
        written.append(given)
    torch.testing.assert_close(model(x, teacher_forcing=0.0), torch.cat(written, dim=1))


@pytest.mark.parametrize("sampling", ["step", "batch"])
def test_scheduled_sampling_follows_the_seed(sampling):
    torch.manual_seed(0)
    model, x = RecurrentAutoencoder(line_length=3, d_hidden=8, d_bottleneck=2, sampling=sampling), torch.randn(4, 6, 3)
    forced, free = model(x), model(x, teacher_forcing=0.0)
    found = set()
    for seed in range(8):
        drawn = []
        for _ in range(2):
            torch.manual_seed(seed)
            drawn.append(model(x, teacher_forcing=torch.tensor(0.5)))
        assert torch.equal(*drawn)
        found.add(next((n for n, each in enumerate((forced, free)) if torch.allclose(drawn[0], each, atol=1e-5)), 2))
    assert found == ({0, 1} if sampling == "batch" else {2})


def test_matrices_begin_as_asked():
    torch.manual_seed(0)
    model = RecurrentAutoencoder(line_length=3, cell="lstm", d_hidden=8, d_bottleneck=2)
    for layers in (model.encoder, model.decoder):
        for gate in layers.weight_hh_l0.split(8):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8))
        assert layers.weight_ih_l0.abs().max() <= (6 / 11) ** 0.5
        assert layers.weight_ih_l0.abs().max() > 8**-0.5  # the bound of torch's own


def test_a_temperature_tilts_the_loss_of_each_vector():
    torch.manual_seed(0)
    outputs, targets = torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 4, 5, dtype=torch.float64)
    mask = torch.arange(4) < torch.tensor([[4], [2], [1]])
    distances = (1 - F.cosine_similarity(outputs, targets, dim=-1))[mask]
    total, weight = Cosine(temperature=0.5)(outputs, targets, mask)
    torch.testing.assert_close(total / weight, (0.5 * ((distances / 0.5).exp() - 1)).mean())
    plain = [each(outputs, targets, mask)[0] for each in (Cosine(), Cosine(temperature=1e6))]
    torch.testing.assert_close(*plain, rtol=1e-5, atol=0)


def test_centred_similarity_gives_nothing_for_the_mean():
    torch.manual_seed(0)
    targets, noise = torch.randn(4, 3, 5) + 3, torch.randn(4, 3, 5)
    mask = torch.arange(3) < torch.tensor([[3], [2], [1], [3]])
    metric = CentredCosineSimilarity()
    for rows in (slice(0, 1), slice(1, 4)):
        metric.update((targets + noise)[rows], targets[rows], mask[rows])
    mean = targets[mask].mean(0)
    wanted = F.cosine_similarity((targets + noise)[mask] - mean, targets[mask] - mean, dim=-1).mean()
    assert metric.compute().item() == pytest.approx(wanted.item(), abs=1e-5)


def test_what_is_not_written_counts_in_no_loss(tmp_path):
    """The vectors behind the second place are so far from zeros that they would be seen in the loss."""
    (tmp_path / "vectors.txt").write_text("rose 0 1\nlove 1 0\nfar 100 100\n")
    rows = "\n".join(["rose love far far", "love rose far far"] * 10)
    (tmp_path / "poems.csv").write_text(f"text\n{rows}\n")
    spec = {
        "craftc": 1,
        "name": "lengths",
        "data": {
            "source": {
                "kind": "word_vectors",
                "path": "poems.csv",
                "text": "text",
                "vectors": "vectors.txt",
                "length": 4,
            },
            "splits": {"train": 0.5, "valid": 0.5, "allow_duplicates": True},
        },
        "model": {"kind": "recurrent_autoencoder", "d_hidden": 8, "d_bottleneck": 4},
        "objective": {"terms": {"mse": {"kind": "mse"}}, "metrics": ["cosine_similarity"]},
        "training": {
            "epochs": 1,
            "batch_size": 4,
            "optimizer": {"kind": "sgd", "lr": 1e-9},
            "values": {"max_length": [{"kind": "constant", "value": 2}]},
        },
        "evaluation": {"passes": {"whole": {"max_length": 4}}},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    with contextlib.chdir(tmp_path):
        done = CliRunner().invoke(app, ["run", "spec.yaml", "--backend", "inline"])
    assert done.exit_code == 0, done.stderr
    [file] = tmp_path.glob("runs/store/*/result.json")
    best = json.loads(file.read_text())["best"]
    [lines] = tmp_path.glob("runs/store/*/metrics.jsonl")
    assert json.loads(lines.read_text())["train/objective"] < 2
    assert best["valid/loss"] < 2
    assert best["valid/whole.loss"] > 1000
