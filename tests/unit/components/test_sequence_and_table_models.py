"""The models `lstm`, `tabm` and `transformers`: against the libraries used plainly, and trained as a spec has them."""

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from torch import nn

from craftc.cli.main import app
from craftc.components.build import build

BERT = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
BERT |= {"intermediate_size": 8}
GPT2 = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2}
T5 = {"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
VIT = {**BERT, "model_type": "vit", "patch_size": 2}


def made(kind: str, *, seed: int = 0, **arguments: Any) -> nn.Module:
    torch.manual_seed(seed)
    # Of a batch that is no image, what is not known is None.
    of_images = {"num_channels": None} if kind == "transformers" else {}
    model: nn.Module = build("models", {"kind": kind, **of_images, **arguments})
    return model


# ---------------------------------------------------------------------------------------------------------------- lstm


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_are_those_of_torchs_module(cell: str, bidirectional: bool) -> None:
    model = made(
        "lstm", line_length=3, num_classes=2, cell=cell, d_hidden=5, num_layers=2, bidirectional=bidirectional
    ).double()
    plain = (nn.LSTM if cell == "lstm" else nn.GRU)(
        3, 5, num_layers=2, batch_first=True, bidirectional=bidirectional
    ).double()
    for index, layer in enumerate(model.layers):
        for name, weights in layer.named_parameters():
            getattr(plain, name.replace("l0", f"l{index}")).data.copy_(weights)
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    out, state = plain(x)
    last = state[0] if cell == "lstm" else state
    last = torch.cat([last[-2], last[-1]], dim=-1) if bidirectional else last[-1]
    assert torch.allclose(model(x), model.head(last), atol=1e-12)
    model.pooling = "mean"
    assert torch.allclose(model(x), model.head(out.mean(1)), atol=1e-12)
    # An image is its lines, with the values of all channels.
    image = x.view(4, 6, 3, 1).transpose(1, 2)
    assert torch.equal(model(image), model(x))


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_padding_enters_nothing(pooling: str) -> None:
    model = made(
        "lstm", vocabulary_size=9, num_classes=2, d_embedding=4, d_hidden=5, num_layers=2, bidirectional=True,
        pooling=pooling,
    ).double()  # fmt: skip
    tokens = torch.randint(1, 9, (3, 7))
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    whole = model(tokens, mask)
    assert torch.allclose(model(tokens.masked_fill(~mask, 0), mask), whole, atol=1e-12)
    for row, length in enumerate((7, 4, 1)):
        assert torch.allclose(model(tokens[row : row + 1, :length]), whole[row], atol=1e-12)


def test_a_model_of_tokens_predicts_each_and_looks_back_alone() -> None:
    model = made("lstm", vocabulary_size=9, num_classes=9, target_kind="token", d_hidden=5)
    tokens = torch.randint(9, (2, 6))
    logits = model(tokens)
    assert logits.shape == (2, 6, 9)
    changed = tokens.clone()
    changed[:, 3:] = (changed[:, 3:] + 1) % 9
    assert torch.equal(model(changed)[:, :3], logits[:, :3])
    with pytest.raises(ValueError, match="would see what it is to predict"):
        made("lstm", vocabulary_size=9, num_classes=9, target_kind="token", bidirectional=True)
    with pytest.raises(ValueError, match="neither"):
        made("lstm", num_classes=9)


# ---------------------------------------------------------------------------------------------------------------- tabm


@pytest.mark.parametrize("architecture", ["tabm", "tabm-mini", "tabm-packed"])
@pytest.mark.parametrize("embeddings", ["none", "periodic", "linear_relu", "piecewise_linear"])
def test_members_are_trained_alone_and_predict_together(architecture: str, embeddings: str) -> None:
    model = made(
        "tabm", num_features=3, cardinalities=[4, 2], num_classes=2, num_members=3, d_hidden=8, embeddings=embeddings,
        architecture=architecture, dropout=0.0, target_kind="class",
    )  # fmt: skip
    numbers, categories = torch.randn(5, 3), torch.tensor([[0, 1], [3, 0], [2, 1], [1, 1], [0, 0]])
    members = model.train()(numbers, categories)
    assert members.shape == (5, 3, 2)
    assert torch.equal(members, model.ensemble(numbers, categories))
    together = model.eval()(numbers, categories)
    assert torch.allclose(together.softmax(-1), members.softmax(-1).mean(1), atol=1e-6)
    members.sum().backward()
    # What is one-hot and never 1 in these rows has no gradient to speak of.
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_labels_are_averaged_as_probabilities_and_quantities_as_they_are() -> None:
    numbers = torch.randn(5, 3)
    for kind, as_predicted in (("classes", torch.sigmoid), ("real", lambda x: x)):
        model = made("tabm", num_features=3, num_classes=2, num_members=4, d_hidden=8, dropout=0.0, target_kind=kind)
        members = model.train()(numbers)
        assert torch.allclose(as_predicted(model.eval()(numbers)), as_predicted(members).mean(1), atol=1e-6)


def test_what_a_step_minimises_is_the_mean_of_the_members_losses() -> None:
    from craftc.training.parts.calls import Calls, ModelCall

    model = made("tabm", num_features=3, num_classes=2, num_members=4, d_hidden=8, dropout=0.0, target_kind="class")
    numbers, targets = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    calls = Calls(ModelCall("x"), "y", "rows", num_members=4, num_axes=2)
    batch = {"x": numbers, "y": targets, "weight": torch.arange(5.0)}
    members = model.train()(numbers)
    given = calls.given(calls.predict(model, batch), batch)
    losses = [nn.functional.cross_entropy(members[:, member], targets) for member in range(4)]
    assert torch.allclose(nn.functional.cross_entropy(given.output, given.target), torch.stack(losses).mean())
    assert given.others["weight"].tolist() == [float(row) for row in range(5) for _ in range(4)]
    # In evaluation there is one prediction of each sample.
    assert calls.given(calls.predict(model.eval(), batch), batch).output.shape == (5, 2)


# -------------------------------------------------------------------------------------------------------- transformers


def test_a_model_is_the_librarys_own_with_fitting_sizes() -> None:
    model = made(
        "transformers", config=BERT, num_classes=3, vocabulary_size=11, context_length=6, target_kind="class",
        dropout=0.25,
    )  # fmt: skip
    from transformers import BertConfig, BertForSequenceClassification

    values = {name: value for name, value in BERT.items() if name != "model_type"}
    config = BertConfig(
        **values, vocab_size=11, max_position_embeddings=8, num_labels=3, pad_token_id=0, hidden_dropout_prob=0.25,
        attention_probs_dropout_prob=0.25,
    )  # fmt: skip
    plain = BertForSequenceClassification(config)
    plain.load_state_dict(model.model.state_dict())
    tokens = torch.randint(1, 11, (4, 6))
    mask = torch.arange(6) < torch.tensor([[6], [3], [1], [5]])
    expected = plain.eval()(input_ids=tokens, attention_mask=mask.long()).logits
    assert torch.equal(model.eval()(tokens, mask), expected)
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0.25}


@pytest.mark.parametrize(
    ("config", "arguments", "given", "shape"),
    [
        (GPT2, {"target_kind": "token", "num_classes": 11, "vocabulary_size": 11, "context_length": 6},
         {"tokens": torch.ones(2, 6, dtype=torch.int64)}, (2, 6, 11)),
        (GPT2, {"target_kind": "real", "num_classes": 2, "vocabulary_size": 11, "context_length": 6},
         {"tokens": torch.ones(2, 6, dtype=torch.int64)}, (2, 2)),
        (BERT, {"target_kind": "token", "num_classes": 4, "vocabulary_size": 11, "context_length": 6,
                "head": "token_classification"}, {"tokens": torch.ones(2, 6, dtype=torch.int64)}, (2, 6, 4)),
        (T5, {"target_kind": "token", "num_classes": 11, "vocabulary_size": 11, "context_length": 6},
         {"tokens": torch.ones(2, 6, dtype=torch.int64), "decoder_tokens": torch.ones(2, 4, dtype=torch.int64)},
         (2, 4, 11)),
        (VIT, {"num_classes": 5, "num_lines": 8, "line_length": 8}, {"tokens": torch.randn(2, 8, 8)}, (2, 5)),
        (VIT, {"num_classes": 5, "num_lines": 8, "line_length": 24}, {"tokens": torch.randn(2, 3, 8, 8)}, (2, 5)),
    ],
)  # fmt: skip
def test_the_head_is_that_of_the_target(
    config: dict[str, Any], arguments: dict[str, Any], given: dict[str, torch.Tensor], shape: tuple[int, ...]
) -> None:
    logits = made("transformers", config=config, **arguments)(**given)
    assert logits.shape == shape
    logits.sum().backward()


def test_weights_are_read_of_safetensors_alone_and_what_does_not_fit_is_drawn(tmp_path: Path) -> None:
    sizes = {"vocabulary_size": 11, "context_length": 6, "target_kind": "class"}
    model = made("transformers", config=BERT, num_classes=3, **sizes)
    model.model.save_pretrained(tmp_path)
    again = made("transformers", seed=1, config=tmp_path, weights=str(tmp_path), num_classes=2, **sizes)
    state, other = model.model.state_dict(), again.model.state_dict()
    assert {name for name in state if state[name].shape != other[name].shape} == {
        "classifier.weight",
        "classifier.bias",
    }
    assert all(torch.equal(state[name], other[name]) for name in state if "classifier" not in name)
    torch.save(state, tmp_path / "weights.bin")
    with pytest.raises(ValueError, match="no weights in the format safetensors"):
        made("transformers", config=BERT, num_classes=3, weights=str(tmp_path / "weights.bin"), **sizes)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_size": 8}, "no model_type"),
        ({**BERT, "vocab_size": 7}, "vocab_size 7, and the data 11"),
        ({**BERT, "max_position_embeddings": 3}, "3 positions, and a sample has 6 tokens"),
        ("google-bert/bert-base", "a name of the hub is not looked up"),
    ],
)
def test_what_does_not_fit_is_said(config: Any, message: str) -> None:
    config = Path(config) if isinstance(config, str) else config
    with pytest.raises(ValueError, match=message):
        made("transformers", config=config, num_classes=3, vocabulary_size=11, context_length=6, target_kind="class")


# ------------------------------------------------------------------------------------------------------------- trained


RHYME = "one for the money, two for the show, three to get ready, and four to go\n"
WORDS = {"a": ["good", "fine", "nice"], "b": ["bad", "poor", "sad"]}


def write_files(folder: Path) -> None:
    """A text, and rows of a text, a category, a number and a class, which the text decides."""
    draw = random.Random(0)
    rows = [
        f"{' '.join(draw.choices(WORDS[label], k=4))} n{number},{draw.choice('xyz')},{draw.randint(1, 90)},{label}"
        for number, label in enumerate(draw.choices("ab", k=60))
    ]
    (folder / "notes.csv").write_text("\n".join(["text,maker,age,label", *rows]))
    (folder / "rhyme.txt").write_text(RHYME * 20)


TEXT = {"kind": "csv", "path": "notes.csv", "target": "label"}
NOTES = {**TEXT, "columns": {"text": "text", "maker": "ignore", "age": "ignore"}}
MIXED = {**TEXT, "columns": {"text": "ignore", "maker": "category", "age": "number"}}
CHARACTERS = {"kind": "text_file", "path": "rhyme.txt", "context_length": 12}
TRAINED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "lstm_lines": ({"source": "digits"}, {"kind": "lstm", "d_hidden": 8, "bidirectional": True}, {}),
    "lstm_text": ({"source": NOTES}, {"kind": "lstm", "d_hidden": 8, "pooling": "mean"}, {}),
    "lstm_characters": (
        {"source": CHARACTERS},
        {"kind": "lstm", "d_hidden": 8, "d_embedding": 8}, {},
    ),
    "bert_text": ({"source": NOTES}, {"kind": "transformers", "config": BERT}, {}),
    "gpt2_characters": (
        {"source": CHARACTERS},
        {"kind": "transformers", "config": GPT2}, {},
    ),
    "t5_pairs": ({"source": "python_words"}, {"kind": "transformers", "config": T5}, {}),
    "vit_digits": ({"source": "digits"}, {"kind": "transformers", "config": VIT}, {}),
    "tabm_diabetes": (
        {"source": "diabetes", "normalize": "per_feature"}, {"kind": "tabm", "d_hidden": 8, "num_members": 3},
        {"kind": "mse", "metrics": ["r2"]},
    ),
    "tabm_linnerud": (
        {"source": "linnerud", "normalize": "per_feature"}, {"kind": "tabm", "d_hidden": 8, "num_members": 3},
        {"kind": "mse", "metrics": ["mae"]},
    ),
    "tabm_mixed": (
        {"source": MIXED, "normalize": "per_feature"},
        {"kind": "tabm", "d_hidden": 8, "num_members": 3, "embeddings": "periodic"}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_a_spec_trains_it(name: str, tmp_path: Path) -> None:
    data, model, objective = TRAINED[name]
    write_files(tmp_path)
    spec = {
        "craftc": 1,
        "name": name.replace("_", "-"),
        "data": data,
        "model": model,
        "objective": objective or {"kind": "cross_entropy", "metrics": ["accuracy"]},
        "training": {"max_steps": 3, "batch_size": 8, "optimizer": {"kind": "adamw", "lr": 0.01}},
        "regularization": {"dropout": 0.1},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    with contextlib.chdir(tmp_path):
        result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["run", "spec.yaml", "--backend", "inline"])
    assert result.exit_code == 0, result.stderr
    assert len(list(tmp_path.glob("runs/store/*/result.json"))) == 1
