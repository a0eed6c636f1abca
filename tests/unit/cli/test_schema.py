"""`craftc schema`: what a person reads of every field and component, and the JSON Schema behind it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.component_fields import component_fields
from craftc.compiler.language.editor_schema import published_schemas
from craftc.compiler.language.field_docs import component_docs, field_docs
from craftc.compiler.language.json_schema import json_schema
from craftc.compiler.reading.parse import parse
from craftc.schemas.diagnostic import format_path

runner = CliRunner()
LANGUAGE = json_schema(built_in_catalogue())
BASE = Draft202012Validator(published_schemas(built_in_catalogue())["base"])


def shown(*arguments: str, width: int = 100) -> str:
    result = runner.invoke(app, ["schema", *arguments], env={"COLUMNS": str(width)})
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def told(*arguments: str) -> str:
    result = runner.invoke(app, ["schema", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def test_a_field_is_told_with_type_bounds_default_and_example() -> None:
    text = shown("training.early_stopping.min_delta")
    assert text.splitlines()[:2] == [
        "training.early_stopping.min_delta",
        "A change no larger than this is no improvement.",
    ]
    assert "takes    a number >= 0\n" in text
    assert "default  0.0\n" in text
    assert "example  training:\n           early_stopping:\n             min_delta: 0.0\n" in text
    assert "required  yes" in shown("training.batch_size")


def test_a_section_has_a_table_of_its_keys_and_kinds_one_of_what_there_is() -> None:
    section = shown("training")
    for key in ("epochs", "batch_size", "optimizer", "schedule", "early_stopping"):
        assert f"\n  {key} " in section
    kinds = shown("model.kind")
    entries = built_in_catalogue().entries
    models = {entry.kind for entry in entries if entry.group == "models"}
    for entry in entries:
        assert (f"\n  {entry.kind} " in kinds) is (entry.kind in models)


def test_a_component_is_told_with_all_its_arguments() -> None:
    text = shown("model", "--kind", "scanline_vit")
    entry = built_in_catalogue().find("models", "scanline_vit")
    assert entry is not None
    assert entry.summary in text
    assert "needs    d_model % num_heads == 0" in text
    for parameter in entry.parameters:
        assert f"\n  {parameter.name} " in text
    assert shown("--kind", "scanline_vit") == text == shown("model.kind", "--kind", "scanline_vit")
    assert "num_layers" not in shown("model.num_heads", "--kind", "scanline_vit").partition("argument")[2]
    assert "\n  auroc " in shown("objective.metrics.0")
    assert "An argument of sgd, adam, adamw, nadam" in shown("training.optimizer.lr")


def test_a_component_of_ones_own_is_read_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "nets.py").write_text(
        "from typing import Literal\n"
        "open('imported', 'w')\n"
        "class Net:\n"
        '    """A net of the lab.\n\n    Args:\n        depth: Layers of it.\n    """\n'
        "    def __init__(self, depth: int, act: Literal['relu', 'gelu'] = 'relu') -> None: ...\n"
    )
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path / "specs")
    text = shown("model", "--kind", "lab.nets:Net")
    assert "A net of the lab." in text
    assert "  depth      a whole number      required   Layers of it.\n" in text
    assert "example  model: {kind: lab.nets:Net, depth: 1}\n" in text
    found = json.loads(shown("model", "--kind", "lab.nets:Net", "--format", "json"))
    assert found["properties"]["act"] == {"enum": ["relu", "gelu"], "default": "relu"}
    assert "name the field that takes it" in told("--kind", "lab.nets:Net")
    assert 'did you mean "Net"?' in told("model", "--kind", "lab.nets:Nat")
    assert list(tmp_path.rglob("imported")) == []


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["training.epoch"], 'did you mean "training.epochs"?'),
        (["epochs"], "training.epochs or evaluation.every.epochs?"),
        (["adamw"], "craftc schema training.optimizer --kind adamw"),
        (["model.d_modl"], 'did you mean "model.d_model"?'),
        (["report.nothing.at.all"], "known are metric, mode, margin, correction, hypotheses, trackers or artefacts"),
        (["model", "--kind", "mpl"], 'did you mean "mlp"?'),
        (
            ["model", "--kind", "adamw"],
            "known are linear, mlp, scanline_vit, scanline_transformer, lrcn, sequence, decoder, seq2seq",
        ),
        (["training", "--kind", "mlp"], "takes no components"),
        (["model.widht", "--kind", "scanline_vit"], "has no argument"),
        (["model", "--kind", "no_such_package:Net"], "is it installed"),
    ],
)
def test_a_wrong_path_or_kind_names_what_is_near(arguments: list[str], mend: str) -> None:
    assert mend in told(*arguments)


def test_json_is_the_schema() -> None:
    assert json.loads(shown()) == published_schemas(built_in_catalogue())["experiment"]
    assert json.loads(shown("training.batch_size", "--format", "json"))["minimum"] == 1
    Draft202012Validator.check_schema(json.loads(shown("model", "--kind", "mlp", "--format", "json")))


@pytest.mark.parametrize("width", [40, 79, 160])
def test_it_keeps_to_the_width_and_is_plain_without_a_terminal(width: int) -> None:
    for arguments in (["training"], ["model", "--kind", "scanline_vit"], ["--format", "text"]):
        lines = shown(*arguments, width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert all("\x1b" not in line and line == line.rstrip() for line in lines)


def paths(section: dict[str, Any], prefix: str = "") -> list[str]:
    """Every field outside components, by its path."""
    found: list[str] = []
    for name, field in section.get("properties", {}).items():
        found.append(f"{prefix}{name}")
        for option in [field, *field.get("anyOf", [])]:
            target = LANGUAGE["$defs"].get(option.get("$ref", "").rpartition("/")[2], {})
            found += paths(target, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("path", paths(LANGUAGE))
def test_every_field_has_a_page_with_an_example_that_it_takes(path: str) -> None:
    docs = field_docs(LANGUAGE, built_in_catalogue(), path)
    assert docs.text
    assert dict(docs.facts)["takes"]
    document, diagnostics = parse(docs.example, "example.yaml")
    assert document is not None
    assert diagnostics == []
    assert list(BASE.iter_errors(document.root.plain())) == []


COMPONENTS = [(field, entry) for field in component_fields() for entry in built_in_catalogue().entries]


@pytest.mark.parametrize(
    ("field", "entry"),
    [pytest.param(f, e, id=f"{format_path(f.path)}-{e.kind}") for f, e in COMPONENTS if f.group == e.group],
)
def test_every_component_has_an_example_that_is_right(field: Any, entry: Any) -> None:
    document, _ = parse(component_docs(entry, field).example, "example.yaml")
    assert document is not None
    assert list(BASE.iter_errors(document.root.plain())) == []
