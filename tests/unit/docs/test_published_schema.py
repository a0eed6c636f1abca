"""The published JSON Schema takes the specs that craftc takes, and refuses the mistakes that a schema can tell."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from craftc.compiler.composing.file_kind import file_kind
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.json_schema import json_schema, schema_at
from craftc.compiler.pipeline import analyse
from craftc.compiler.reading.parse import parse
from craftc.compiler.reading.tree import look_up
from craftc.compiler.render.explanations import codes, explain
from craftc.schemas.diagnostic import Diagnostic, parse_path

ROOT = Path(__file__).parents[3]
RIGHT = sorted([*(ROOT / "tests" / "golden" / "ok").glob("*.yaml"), *(ROOT / "specs").glob("*.yaml")])
MINIMAL = """
craftc: 1
name: example
data: {source: digits}
model: mlp
objective: cross_entropy
training: {epochs: 5, batch_size: 32, optimizer: adamw}
"""


@lru_cache
def published(name: str) -> Draft202012Validator:
    schema = json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def validator() -> Draft202012Validator:
    return published("experiment")


def read(text: str) -> Any:
    document, diagnostics = parse(text, "spec.yaml")
    assert document is not None
    assert diagnostics == []
    return document.root.plain()


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_right_spec_is_taken(path: Path, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(read(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "change",
    [
        "evaluation: {select: none}",
        "evaluation: {select: {metric: valid/loss, mode: min}}",
        "regularization: {clip_grad_norm: none, ema_decay: 0.99}",
        "resources: {max_concurrent: none, gpus: 0.25}",
        "report: {trackers: []}",
        "report: {trackers: [{kind: wandb, project: p, mode: offline}, tensorboard, {kind: 'lab.log:Log', file: x}]}",
        "data: {source: {kind: arrays, path: x.npz}, splits: {train: 0.5, valid: 0.2, test: 0.2, drifted: 0.1}}",
        "model: {kind: mlp, num_classes: infer}",
        "objective: {kind: cross_entropy, metrics: [accuracy, {kind: auroc}]}",
        "objective: {terms: {a: mse, b: {kind: huber, delta: 2, weight: 0}, c: 'my.code:Loss', d: none}}",
        "objective: {terms: {own: {kind: 'my.code:Loss', slope: 2, weight: 0.5}}, metrics: [r2]}",
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
        "report: {trackers: [{kind: wandb, projct: p}]}",
        "data: {source: arrays}",
        "data: {source: digits, splits: {train: 0.5, valid: half}}",
        "data: {source: digits, splits: {valid: 0.5, test: 0.5}}",
        "data: {source: digits, splits: {train: 0.5, '5': 0.5}}",
        "data: {source: digits, splits: {train: 0.5, a.b: 0.5}}",
        "data: {source: digits, splits: {train: 1, valid: none}}",
        "ablation: {features: {warmup: none}}",
        "data: {source: digits, augment: horizontal_flip}",
        "model: {kind: mlp, d_model: 3}",
        "objective: {kind: cross_entropy, metric: [accuracy]}",
        "objective: {kind: cross_entropy, metrics: [acuracy]}",
        "objective: {metrics: [accuracy]}",
        "objective: {kind: mse, terms: {a: mse}}",
        "objective: {class_weights: balanced, terms: {a: mse}}",
        "objective: {terms: {a: {kind: mse, weight: -1}}}",
        "objective: {terms: {a: {weight: 1}}}",
        "objective: {terms: {a: {kind: mse, delta: 1}}}",
        "objective: {kind: mse, weight: 1}",
        "objective: {terms: [mse]}",
        "objective: {terms: {2nd: mse}}",
    ],
)
def test_what_it_does_not_offer_is_refused(change: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid({**read(MINIMAL), **read(change)})


PROGRAM = """
craftc: 1
name: example
program: {kind: "lab.simclr:train", lr: 1e-3}
report: {metric: valid/knn, mode: max}
"""


@pytest.mark.parametrize(
    "change",
    [
        "training: {early_stopping: {metric: valid/knn, mode: max, patience: 3}}",
        "evaluation: {select: {metric: valid/loss}}",
        "evaluation: {select: none}",
        "ablation: {features: {warm: {program.lr: 0.1}}, grid: {program.temperature: [0.1, 0.5]}, seeds: 3}",
        "search: {space: {program.lr: {log_uniform: [1e-4, 0.1]}}, optimize: {metric: valid/knn}, trials: 5}",
    ],
)
def test_what_the_language_offers_of_a_program_is_taken(change: str, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors({**read(PROGRAM), **read(change)})) == []


@pytest.mark.parametrize(
    "change",
    [
        "program: {lr: 1e-3}",
        "program: 3",
        "data: {source: digits}",
        "regularization: {dropout: 0.1}",
        "training: {epochs: 3}",
        "training: {early_stopping: {metric: valid/knn}}",
        "evaluation: {select: {mode: max}}",
        "evaluation: {passes: {free: {teacher_forcing: 0}}}",
        "report: {metric: valid/knn, mode: greater}",
        "ablation: {features: {warm: none}}",
        "search: {space: {program.lr: none}, optimize: {metric: valid/knn}, trials: 5}",
    ],
)
def test_what_it_does_not_offer_of_a_program_is_refused(change: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid({**read(PROGRAM), **read(change)})


@pytest.mark.parametrize("code", [code for code in codes() if (explain(code).good or "").startswith("craftc: 1")])
def test_a_whole_good_example_is_taken(code: str, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(read(explain(code).good or ""))) == []


def fields(schema: Any) -> list[dict[str, Any]]:
    """Every field that a key may name, wherever in the schema; not the bare requirements beside them."""
    if isinstance(schema, list):
        return [field for item in schema for field in fields(item)]
    if not isinstance(schema, dict):
        return []
    found = [field for field in schema.get("properties", {}).values() if isinstance(field, dict)]
    told = [field for field in found if "doNotSuggest" not in field and set(field) & {"description", "type", "anyOf"}]
    return [*told, *(field for key, inner in schema.items() if key != "if" for field in fields(inner))]


def test_every_default_is_a_value_that_its_field_takes(validator: Draft202012Validator) -> None:
    defaults = [field for field in fields(validator.schema) if "default" in field]
    assert len(defaults) > 50
    for field in defaults:
        assert list(validator.evolve(schema=field).iter_errors(field["default"])) == []


def test_every_key_is_explained_to_an_editor(validator: Draft202012Validator) -> None:
    found = fields(validator.schema)
    assert len(found) > 300
    assert [field for field in found if "description" not in field and "$ref" not in field] == []


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


SAID_BY_A_SCHEMA = {
    "empty-value",
    "foreign-file",
    "kind-and-terms",
    "missing-key",
    "missing-version",
    "newer-version",
    "older-version",
    "out-of-bounds",
    "range-form",
    "unknown-choice",
    "unknown-key",
    "moved-key",
    "unknown-kind",
    "wrong-name",
    "wrong-type",
}
"""Mistakes of one place by itself; not those in what is YAML, between fields, and in what a path leads to."""
SOMETIMES_SAID = {"env-not-allowed", "unfit-component", "unknown-component"}
"""Where the field takes something else than text, or none but built-in components; where a name is none of Python."""
KEY = r"""(\.\w+|\["[^"]*"\])"""
SET_BY_A_VARIANT = re.compile(
    rf"^(ablation\.((grid|zip){KEY}.|features{KEY}{KEY}|exclude\.\d+{KEY})|search\.space{KEY}.)", re.DOTALL
)
"""Checked against the field that it sets, which depends on the kind there and on what else the variant sets."""


def is_said(diagnostic: Diagnostic) -> bool:
    """Whether a schema always tells this mistake."""
    by_variant = SET_BY_A_VARIANT.match(diagnostic.path) and diagnostic.code != "unknown-key"
    return diagnostic.code in SAID_BY_A_SCHEMA and not by_variant


def is_of_ones_own(tree: Any, path: str) -> bool:
    """Whether a place is within a component of the user's own, whose arguments only its source knows."""
    for part in parse_path(path):
        if isinstance(tree, dict) and ":" in str(tree.get("kind", "")):
            return True
        try:
            tree = look_up(tree, (part,))
        except KeyError:
            return False
    return False


def is_whole_float(tree: Any, path: str) -> bool:
    """Whether a place holds a number such as 1.0, which is an integer to a schema and none to craftc."""
    try:
        value = look_up(tree, parse_path(path))
    except KeyError:
        return False
    return any(isinstance(n, float) and n.is_integer() for n in (value if isinstance(value, list) else [value]))


def agree(text: str, filename: str, validator: Draft202012Validator) -> None:
    """The schema refuses a text if, and only if, craftc tells a mistake in it that a schema can say."""
    document, _ = parse(text, filename)
    if document is None:
        return
    tree = document.root.plain()
    extends = isinstance(tree, dict) and "extends" in tree
    found = [d for d in analyse(text, filename, built_in_catalogue()).diagnostics if d.range.filename == filename]
    maybe = [
        d
        for d in found
        if (d.code in SAID_BY_A_SCHEMA and SET_BY_A_VARIANT.match(d.path))
        or d.code in SOMETIMES_SAID
        or is_of_ones_own(tree, d.path)
        or is_whole_float(tree, d.path)
        or (extends and d.code == "missing-key")
    ]
    said = [d for d in found if is_said(d) and d not in maybe]
    refused = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(tree)]
    if refused:
        assert said or maybe, refused
    assert refused or not said, said


EVERY = sorted(
    [*(ROOT / "tests" / "golden").glob("*/*.yaml"), *(ROOT / "specs").glob("*.yaml")], key=lambda path: path.name
)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_the_schema_and_craftc_agree_on_every_golden_file(path: Path, validator: Draft202012Validator) -> None:
    agree(path.read_text(encoding="utf-8"), str(path), validator)


EXAMPLES = {
    f"{code}-{name}": text
    for code in codes()
    for name, text in (("bad", explain(code).bad), ("good", explain(code).good))
    if text is not None
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_they_agree_on_every_example_of_an_explanation(name: str, validator: Draft202012Validator) -> None:
    agree(whole(EXAMPLES[name]), "example.yaml", validator)


def whole(example: str) -> str:
    """An example with the sections that it leaves out."""
    given = {line.split(":")[0] for line in example.splitlines() if line[:1].isalpha()}
    missing = [line for line in MINIMAL.strip().splitlines() if line.split(":")[0] not in given]
    return example if "craftc:" in example else "\n".join([*missing, example])


PARTS = sorted([*(ROOT / "search_spaces").glob("*.yaml"), *(ROOT / "tests" / "golden" / "ok" / "bases").glob("*.yaml")])


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
def test_a_base_and_a_search_space_are_taken_for_what_they_are(path: Path) -> None:
    document, _ = parse(path.read_text(encoding="utf-8"), str(path))
    assert document is not None
    schemas = {"base": "base", "search space": "search_space"}
    kind = schemas[file_kind(document.root) or ""]
    assert list(published(kind).iter_errors(document.root.plain())) == []


@pytest.mark.parametrize(
    "text",
    [
        "training.batch_size: [8, 64]",
        "training.batch_size: {int: [8]}",
        "training.batch_size: {int: [8, 64.5]}",
        "training.batch_size: {int: [8, 64], choice: [8]}",
        "training.batch_size: {step: 8}",
        "training.batch_size: {integer: [8, 64]}",
        "- training.batch_size",
    ],
)
def test_what_is_no_search_space_is_refused(text: str) -> None:
    assert not published("search_space").is_valid(read(text))


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("training: {epochs: 3}", True),
        ("model: {d_model: 64}", True),
        ("data: {splits: {valid: 0.2}}", True),
        ("{}", True),
        ("training: {epochs: 0}", False),
        ("training: {epoch: 3}", False),
        ("model: {kind: mlp, d_model: 64}", False),
        ("objective: {metrics: [{average: macro}]}", False),
    ],
)
def test_a_base_may_lack_anything_and_be_wrong_in_nothing(text: str, is_right: bool) -> None:
    assert published("base").is_valid(read(text)) is is_right


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**33),
    st.floats(-1, 2, allow_nan=False),
    st.sampled_from(["none", "infer", "adamw", "mlp", "digits", "min", "valid/loss", "", "1"]),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(["kind", "lr", "epochs", "train"]), st.integers(0, 2), max_size=2),
)
NAMES = st.sampled_from(["epochs", "lr", "kind", "metrics", "seed", "test", "search", "use", "step", "int", "Epochs"])


def places(tree: Any, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of a tree but its root."""
    items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    return [place for key, value in items for place in ((*prefix, key), *places(value, (*prefix, key)))]


@given(st.data())
@settings(max_examples=80)
def test_they_agree_on_specs_with_something_changed(data: st.DataObject) -> None:
    # What a base says of a place is not in the text.
    whole_specs = [path for path in RIGHT if "\nextends:" not in path.read_text(encoding="utf-8")]
    tree = read(data.draw(st.sampled_from(whole_specs)).read_text(encoding="utf-8"))
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(places(tree)))
        section = look_up(tree, tuple(way))
        change = data.draw(st.sampled_from(["set", "remove", "rename"]))
        if change == "rename" and isinstance(section, dict):
            section[data.draw(NAMES)] = section.pop(last)
        elif change == "remove":
            del section[last]
        else:
            section[last] = data.draw(VALUES)
        assume(places(tree))
    agree(json.dumps(tree), "changed.yaml", published("experiment"))
