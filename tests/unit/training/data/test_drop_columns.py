"""Groups of columns that are left out: the same samples, of the same splits, without them."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.components.errors import DataError
from craftc.training.data.prepare import prepare

SPLITS = {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0}
NONE = {"kind": "none"}


def data(source, *drop, **more):
    return prepare(
        {"source": source, "splits": SPLITS, "normalize": NONE, **({"drop": list(drop)} if drop else {}), **more}
    )


def table(tmp_path, **arguments):
    rows = [f"{i},{i % 7},{'xyz'[i % 3]},{'uv'[i % 2]},word{i} is {i},{'ab'[i % 2]}" for i in range(40)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["age,size,maker,colour,note,label", *rows]))
    columns = {"age": "number", "size": "number", "maker": "category", "colour": "category", "note": "text"}
    defaults = {
        "features": "none", "keep_labels": False, "impute": "none", "missing_indicator": False, "missing": "none",
        "min_count": 1, "tokenizer": "words", "max_tokens": "infer", "day_first": "infer", "unlabelled": "refuse",
    }  # fmt: skip
    return {"kind": "csv", "path": str(path), "target": "label", "columns": columns, **defaults, **arguments}


def test_a_bundled_table_keeps_its_samples_and_loses_its_columns():
    whole, without = data({"kind": "diabetes"}), data({"kind": "diabetes"}, "s?", "bmi")
    assert without.facts["num_features"] == 3
    for name, split in whole.splits.items():
        assert without.splits[name].columns["x"].names == ("age", "sex", "bp")
        assert np.array_equal(without.splits[name].inputs, split.inputs[:, [0, 1, 3]])
        assert np.array_equal(without.splits[name].targets, split.targets)
    assert without.document == whole.document


def test_of_a_file_numbers_categories_and_texts_are_left_out(tmp_path):
    source = table(tmp_path)
    whole = data(source).splits["train"]
    assert whole.named("input") == ("numbers", "categories", "tokens")
    left = data(source, "maker", "size").splits["train"]
    assert left.columns["numbers"].names == ("age",)
    assert left.columns["categories"].names == ("colour",)
    assert left.columns["categories"].sizes == whole.columns["categories"].sizes[1:]
    assert np.array_equal(left.columns["categories"].values, whole.columns["categories"].values[:, 1:])
    alone = data(source, "*e*", "note").splits["train"]
    assert set(alone.named("input")) == {"categories"}
    assert alone.columns["categories"].names == ("colour",)
    # What says which of its tokens count goes with a text.
    assert "mask" not in alone.columns
    assert data(source, "note").facts.get("vocabulary_size") is None


def test_where_a_column_has_gaps_goes_with_it(tmp_path):
    source = table(tmp_path, impute="median", missing_indicator=True)
    path = Path(source["path"])
    path.write_text(path.read_text().replace("\n5,", "\n,").replace("\n8,", "\n,").replace("\n11,", "\n,"))
    assert data(source).splits["train"].columns["numbers"].names == ("age", "size", "age <missing>")
    assert data(source, "age").splits["train"].columns["numbers"].names == ("size",)


@pytest.mark.parametrize(
    ("drop", "message", "hint"),
    [
        (["ages"], 'the data has no column "ages"', 'did you mean "age"?'),
        (["q*"], 'the data has no column "q*"', "it has age, size, maker, colour, note"),
        (["label"], '"label" of data.drop is the target', "leave another out"),
        (["when"], '"when" of data.drop is no input', "take it out"),
        (["*"], "data.drop leaves out all 5 columns", "leave one of them"),
    ],
)
def test_what_cannot_be_left_out_is_said(tmp_path, drop, message, hint):
    source = table(tmp_path)
    path = Path(source["path"])
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},when", *(f"{row},t{index % 5}" for index, row in enumerate(rows))]))
    source = {**source, "columns": {**source["columns"], "when": "group"}}
    with pytest.raises(DataError) as caught:
        data(source, *drop)
    assert (caught.value.code, caught.value.place) == ("data-mismatch", "data.drop")
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_an_input_that_is_its_own_target_stays_whole():
    with pytest.raises(DataError, match=r'"bmi" of data\.drop is the target'):
        data({"kind": "diabetes"}, "bmi", target="x")


def test_images_have_no_columns_to_name():
    with pytest.raises(DataError, match='the data has no column "pixel"'):
        data({"kind": "digits"}, "pixel")


SPEC = """\
craftc: 1
name: groups
data: {source: diabetes, normalize: per_feature}
model: linear
objective: {kind: mse, metrics: [r2]}
training: {max_steps: 3, batch_size: 64, optimizer: {kind: adamw, lr: 0.02}}
ablation:
  features:
    blood: {data.drop.blood: "s?"}
    body: {data.drop.body: [bmi, bp]}
  design: [leave_one_out, add_one]
"""


def craftc(folder: Path, *arguments: str):
    with contextlib.chdir(folder):
        return CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)


def test_groups_are_ablated_and_compared_on_the_same_samples(tmp_path):
    (tmp_path / "groups.yaml").write_text(SPEC)
    assert craftc(tmp_path, "lint", "groups.yaml").exit_code == 0
    ran = craftc(tmp_path, "run", "groups.yaml", "--backend", "inline")
    assert ran.exit_code == 0, ran.stderr
    assert "other samples" not in ran.stdout
    report = json.loads(craftc(tmp_path, "report", "groups", "--format", "json").stdout)
    variants = {row["name"]: row for row in report["variants"]}
    assert set(variants) == {"full", "-blood", "-body", "+blood", "+body", "bare"}
    assert not any(row["other_samples"] for row in variants.values())
    assert variants["-blood"]["same_as"] == "+body" or variants["+body"]["same_as"] == "-blood"
    # The name of a group is no part of a trial, and neither is a group that is not left out.
    (tmp_path / "groups.yaml").write_text(
        SPEC.replace("data.drop.blood", "data.drop.lipids").replace("per_feature}", "per_feature, drop: {bones: none}}")
    )
    again = craftc(tmp_path, "run", "groups.yaml", "--backend", "inline")
    assert "0 new, 4 reused" in again.stderr
