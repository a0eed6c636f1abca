"""The published JSON Schema takes the specs that craftc takes, and refuses the mistakes that a schema can tell."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.explanations import codes, explain
from craftc.compiler.json_schema import json_schema, schema_at
from craftc.compiler.parse import parse
from craftc.schemas.diagnostic import parse_path

ROOT = Path(__file__).parents[3]
FILES = sorted([*(ROOT / "tests" / "golden" / "ok").glob("*.yaml"), *(ROOT / "specs").glob("*.yaml")])
# What a spec that extends another lacks is known to craftc alone.
RIGHT = [path for path in FILES if "\nextends:" not in path.read_text(encoding="utf-8")]
WRONG = ["unknown-key", "missing-key", "wrong-type", "out-of-bounds", "unknown-choice", "unknown-kind", "wrong-name"]
MINIMAL = """
craftc: 1
name: example
data: {source: digits}
model: mlp
objective: cross_entropy
training: {epochs: 5, batch_size: 32, optimizer: adamw}
"""


@pytest.fixture
def validator() -> Draft202012Validator:
    schema = json.loads((ROOT / "schemas" / "experiment.v1.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def read(text: str) -> Any:
    document, diagnostics = parse(text, "spec.yaml")
    assert document is not None
    assert diagnostics == []
    return document.root.plain()


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_right_spec_is_taken(path: Path, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(read(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("code", WRONG)
def test_a_clear_mistake_is_refused(code: str, validator: Draft202012Validator) -> None:
    text = (ROOT / "tests" / "golden" / "err" / f"{code}.yaml").read_text(encoding="utf-8")
    assert not validator.is_valid(read(text))


@pytest.mark.parametrize(
    "change",
    [
        "evaluation: {select: none}",
        "evaluation: {select: {metric: valid/loss, mode: min}}",
        "regularization: {clip_grad_norm: none, ema_decay: 0.99}",
        "resources: {max_concurrent: none, gpus: 0.25}",
        "report: {wandb: none}",
        "report: {wandb: {project: p, mode: offline}}",
        "data: {source: {kind: arrays, path: x.npz}, splits: {train: 0.5, valid: 0.2, test: 0.2, drifted: 0.1}}",
        "model: {kind: mlp, num_classes: infer}",
        "objective: {kind: cross_entropy, metrics: [accuracy, {kind: auroc}]}",
    ],
)
def test_what_the_language_offers_is_taken(change: str, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors({**read(MINIMAL), **read(change)})) == []


@pytest.mark.parametrize(
    "change",
    [
        "evaluation: {select: nothing}",
        "evaluation: {select: {metric: valid/loss, mode: less}}",
        "regularization: {clip_grad_norm: -1}",
        "regularization: {ema_decay: }",
        "regularization: {dropout: }",
        "resources: {max_concurrent: 0}",
        "report: {wandb: {projct: p}}",
        "data: {source: arrays}",
        "data: {source: digits, splits: {train: 0.5, valid: half}}",
        "data: {source: digits, augment: horizontal_flip}",
        "model: {kind: mlp, d_model: 3}",
        "objective: {kind: cross_entropy, metric: [accuracy]}",
        "objective: {kind: cross_entropy, metrics: [acuracy]}",
    ],
)
def test_what_it_does_not_offer_is_refused(change: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid({**read(MINIMAL), **read(change)})


@pytest.mark.parametrize("code", [code for code in codes() if (explain(code).good or "").startswith("craftc: 1")])
def test_a_whole_good_example_is_taken(code: str, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(read(explain(code).good or ""))) == []


def fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Every field that a key may name, wherever in the schema."""
    found: list[dict[str, Any]] = list(schema.get("properties", {}).values())
    inner = [*schema.get("$defs", {}).values(), *schema.get("anyOf", []), *found]
    return [*found, *(field for part in inner for field in fields(part))]


def test_every_default_is_a_value_that_its_field_takes(validator: Draft202012Validator) -> None:
    defaults = [field for field in fields(validator.schema) if "default" in field]
    assert len(defaults) > 50
    for field in defaults:
        assert list(validator.evolve(schema=field).iter_errors(field["default"])) == []


def test_every_key_is_explained_to_an_editor(validator: Draft202012Validator) -> None:
    unexplained = [field for field in fields(validator.schema) if "description" not in field and "$ref" not in field]
    assert unexplained == []


@pytest.mark.parametrize(
    "path", ["training.early_stopping.patience", "model.d_model", "data.splits.valid", "objective"]
)
def test_the_schema_of_one_field_stands_by_itself(path: str) -> None:
    schema = schema_at(json_schema(built_in_catalogue()), parse_path(path))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).is_valid("anything")


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"training\.epoch"):
        schema_at(json_schema(built_in_catalogue()), parse_path("training.epoch.x"))
