"""Trials on a table with categories and gaps: models of one input, and models of numbers and categories."""

import importlib
import math
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from craftc.components.errors import DataError
from craftc.schemas.batching import BatchFinding
from craftc.schemas.result import Result
from craftc.training.batched_trials.train import Findings, train_batched
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import prepare
from craftc.training.loop.trial import train_trial
from craftc.training.state.member import Member

NUMBERS = ["age", "income"]
OWN = """
import torch
from torch import Tensor, nn


class Embedded(nn.Module):
    def __init__(self, *, num_features: int, cardinalities: list[int], num_classes: int, width: int = 4) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size in cardinalities)
        self.head = nn.Linear(num_features + width * len(cardinalities), num_classes)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        embedded = [embedding(column) for embedding, column in zip(self.embeddings, categories.unbind(1))]
        return self.head(torch.cat([numbers, *embedded], dim=1))


class Backwards(Embedded):
    def forward(self, categories: Tensor, numbers: Tensor) -> Tensor:
        return super().forward(numbers, categories)
"""


def people(num_rows=3000):
    """Who buys, by a formula of numbers and categories, some of which are missing."""
    rng = np.random.default_rng(0)
    cities = np.array(["Bern", "Köln", "Łódź", "Paris"])
    city, job = rng.integers(4, size=num_rows), rng.integers(3, size=num_rows)
    age, income = rng.uniform(18, 90, num_rows), rng.lognormal(10, 0.5, num_rows)
    score = (age - 54) / 20 + np.log(income) - 10 + np.array([2, 0, -1, -1])[city] + np.array([0.5, 0, -0.5])[job]
    buys = rng.uniform(size=num_rows) < 1 / (1 + np.exp(-1.5 * score))
    table = pd.DataFrame({"age": age.round(1), "city": cities[city], "income": income.round(2)})
    table["job"] = np.array(["baker", "smith", "clerk"])[job]
    table = table.astype({"city": object, "job": object})
    for name, share in (("age", 0.1), ("income", 0.05), ("city", 0.1)):
        table.loc[rng.uniform(size=num_rows) < share, name] = None
    return table.assign(buys=np.where(buys, "yes", "no"))


@pytest.fixture
def table(tmp_path):
    frame = people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    return frame


@pytest.fixture
def make_table_trial(make_trial, table, tmp_path, monkeypatch):
    (tmp_path / "own_tables.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    def make(settings=None, *, seed=0):
        asked = {
            "data.source": {
                "kind": "csv", "path": str(tmp_path / "people.csv"), "target": "buys", "features": "none",
                "columns": {"city": "category", "job": "category"}, "impute": "median",
            },
            "data.splits.allow_duplicates": True,  # rows without age and income may be equal, and are other people
            "data.normalize": {"kind": "per_feature"},
            "data.augment": [],
            "model": {"kind": "linear", "num_features": "infer", "num_classes": "infer"},
            "objective.class_weights": "none",
            "regularization.clip_grad_norm": "none",
            "training.epochs": 12,
        }  # fmt: skip
        return make_trial({**asked, **(settings or {})}, seed=seed)

    return make


def transformer():
    as_missing = SimpleImputer(strategy="constant", fill_value="<missing>", missing_values=None)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encoder = make_pipeline(as_missing, OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("categories", encoder, ["city", "job"])])


def by_split(table, config):
    """The rows of each split, found by a column of the same file that numbers them."""
    numbered = table.assign(row=np.arange(len(table)) + 0.5)
    path = config["source"]["path"].replace("people", "numbered")
    numbered.to_csv(path, index=False)
    source = {**config["source"], "path": path, "features": ["row"], "columns": {"row": "number"}}
    plain = prepare({**config, "source": source, "normalize": {"kind": "none"}})
    rows = {name: (split.inputs[:, 0] - 0.5).astype(int) for name, split in plain.splits.items()}
    frame = table.astype({"city": object, "job": object})
    frame[["city", "job"]] = frame[["city", "job"]].where(frame[["city", "job"]].notna(), None)
    return {name: frame.iloc[index] for name, index in rows.items()}


def test_a_model_of_one_input_gets_what_a_column_transformer_gives(make_table_trial, table):
    trial = make_table_trial()
    data = prepare(trial.config["data"], None, trial.config["model"])
    rows = by_split(table, trial.config["data"])
    fitted = transformer().fit(rows["train"])
    for name, split in data.splits.items():
        assert split.named("input") == ("x",)
        np.testing.assert_allclose(split.inputs, fitted.transform(rows[name]), rtol=1e-6, atol=1e-6)
    assert data.facts == {"num_classes": 2, "target_kind": "class", "num_features": 2 + 5 + 3}


def test_linear_reaches_the_accuracy_of_logistic_regression(make_table_trial, run_trial, table, tmp_path):
    trial = make_table_trial({"training.optimizer.weight_decay": 0.0, "training.optimizer.lr": 0.03})
    rows = by_split(table, trial.config["data"])
    model = make_pipeline(transformer(), LogisticRegression(C=1e6, max_iter=1000))
    fitted = model.fit(rows["train"], rows["train"]["buys"])
    expected = fitted.score(rows["test"], rows["test"]["buys"])
    _, result = run_trial(trial, tmp_path / "trial")
    assert expected > 0.75
    # Of 600 samples, 1.5 % are 9; the standard error of either accuracy is 1.6 %.
    assert result.best["test/accuracy"] == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("kind", ["own_tables:Embedded", "own_tables:Backwards"])
def test_a_model_of_numbers_and_categories_learns(kind, make_table_trial, run_trial, tmp_path):
    model = {"kind": kind, "num_features": "infer", "cardinalities": "infer", "num_classes": "infer"}
    trial = make_table_trial({"model": model})
    data = prepare(trial.config["data"], None, trial.config["model"])
    facts = {"num_features": 2, "cardinalities": [6, 5]}
    assert data.facts == {"num_classes": 2, "target_kind": "class", **facts}
    assert data.splits["train"].columns["categories"].values.dtype == np.int64
    _, result = run_trial(trial, tmp_path / "trial")
    assert result.best["test/accuracy"] > 0.75


def test_categories_alone_are_an_input(make_table_trial, run_trial, tmp_path):
    trial = make_table_trial({"data.normalize": {"kind": "none"}, "data.source.features": ["city", "job"]})
    data = prepare(trial.config["data"], None, trial.config["model"])
    assert data.facts["num_features"] == 8
    assert set(np.unique(data.splits["train"].inputs)) == {0, 1}
    _, result = run_trial(trial, tmp_path / "trial")
    assert result.best["test/accuracy"] > result.trivial["test/accuracy"] + 0.05


def test_augmented_numbers_are_normalized_and_columns_of_0_and_1_are_not(make_table_trial):
    noise = [{"kind": "gaussian_noise", "std": 0.05, "p": 1.0}]
    trial = make_table_trial({"data.augment": noise})
    plain = prepare(trial.config["data"] | {"augment": []}, None, trial.config["model"])
    augmented = prepare(trial.config["data"], None, trial.config["model"]).augmented
    given = augmented.normalize(torch.from_numpy(augmented.train.inputs[:100]))
    np.testing.assert_allclose(given, plain.splits["train"].inputs[:100], rtol=1e-5, atol=1e-6)


def test_cardinalities_are_inferred_from_tables_alone(make_table_trial, make_trial):
    config = make_table_trial().config["data"]
    setting = {"kind": "own_tables:Embedded", "cardinalities": "infer"}
    assert infer_facts(setting, prepare(config).facts)["cardinalities"] == [6, 5]
    with pytest.raises(DataError, match="the data has no cardinalities"):
        infer_facts(setting, prepare(make_trial().config["data"]).facts)


def test_trials_on_a_table_are_a_batch(make_table_trial, run_trial, tmp_path):
    model = {"kind": "own_tables:Embedded", "num_features": "infer", "cardinalities": "infer", "num_classes": "infer"}
    trials = [
        make_table_trial({"model": model, "training.epochs": 2, "training.optimizer.lr": lr}, seed=seed)
        for seed, lr in ((0, 0.01), (1, 0.03))
    ]
    members = [[Member(trial, tmp_path / trial.id)] for trial in trials]
    findings = Findings(BatchFinding(seconds={1: 1.0, 2: 1.0}), lambda finding: None)
    with closing(train_batched(members, device="cpu", findings=findings, decide=lambda record: True)) as training:
        told = list(training)
    results = {item.trial: item for item in told if isinstance(item, Result)}
    assert set(results) == {trial.id for trial in trials}, told
    for trial in trials:
        _, alone = run_trial(trial, tmp_path / f"alone{trial.seed}")
        assert results[trial.id].best["valid/loss"] == pytest.approx(alone.best["valid/loss"], rel=1e-4)


def test_a_quantity_is_predicted_as_well_as_by_least_squares(make_table_trial, run_trial, table, tmp_path):
    source = make_table_trial().config["data"]["source"]
    changed = {"target": "income", "columns": {**source["columns"], "income": "number", "buys": "category"}}
    drawn = np.random.default_rng(3).normal(size=len(table))
    cities = table["city"].map({"Bern": 3.0, "Köln": 1.0}).fillna(0)
    line = table["age"].fillna(table["age"].median()) / 10 + cities + (table["buys"] == "yes") + drawn / 2
    table.assign(income=line.round(3)).to_csv(tmp_path / "people.csv", index=False)
    trial = make_table_trial(
        {
            "data.source": {**source, **changed, "features": ["age", "city", "buys"]},
            "objective": {"kind": "mse", "metrics": [{"kind": "r2"}]},
            "training.epochs": 20,
            "training.optimizer.lr": 0.1,
            "training.optimizer.weight_decay": 0.0,
        }
    )
    data = prepare(trial.config["data"], None, trial.config["model"])
    train, test = data.splits["train"], data.splits["test"]
    expected = LinearRegression().fit(train.inputs, train.targets).score(test.inputs, test.targets)
    assert data.facts == {"num_classes": 1, "target_kind": "real", "num_features": 1 + 5 + 2}
    _, result = run_trial(trial, tmp_path / "trial")
    assert expected > 0.8
    assert result.best["test/r2"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "linear", "num_features": "infer", "num_classes": "infer"},
        {
            "kind": "own_tables:Embedded",
            "num_features": "infer",
            "cardinalities": "infer",
            "num_classes": "infer",
        },
    ],
    ids=["one input", "numbers and categories"],
)
@pytest.mark.parametrize("resident_bytes", [0, 9_000], ids=["all streamed", "some streamed"])
def test_a_streamed_table_is_bit_by_bit_that_of_a_resident_one(model, resident_bytes, make_table_trial, tmp_path):
    trial = make_table_trial({"model": model, "training.epochs": 2})

    def run(folder, resident_bytes):
        return list(train_trial(trial, folder=tmp_path / folder, device="cpu", resident_bytes=resident_bytes))

    resident, streamed = run("resident", math.inf), run("streamed", resident_bytes)
    assert [record.metrics for record in streamed] == [record.metrics for record in resident]
    weights = [torch.load(tmp_path / way / "checkpoints/last.pt")["model"] for way in ("resident", "streamed")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
