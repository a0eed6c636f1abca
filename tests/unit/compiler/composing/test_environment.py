"""`${env:NAME}`: where it may stand, what it becomes, and that nothing else is touched."""

from collections.abc import Mapping
from typing import Any

import pytest

from craftc.compiler.composing.text_values import name_fields
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Analysis, analyse
from craftc.schemas.diagnostic import format_path

SPEC = """\
craftc: 1
name: example
data: {{source: {source}}}
model: {{kind: mlp}}
objective: {{kind: cross_entropy, metrics: [accuracy]}}
training: {{epochs: 5, batch_size: 32, optimizer: adamw}}
{more}
"""
CSV = '{{kind: csv, path: "{}", target: y}}'


def read(source: str = "digits", more: str = "", **environment: str) -> Analysis:
    return analyse(SPEC.format(source=source, more=more), "x.yaml", built_in_catalogue(), environment=environment)


def path_of(analysis: Analysis) -> Any:
    assert analysis.diagnostics == ()
    assert analysis.spec is not None
    return analysis.spec.data.source.args["path"]


@pytest.mark.parametrize(
    ("text", "environment", "value"),
    [
        ("${env:DATA}/a.csv", {"DATA": "/mnt/x"}, "/mnt/x/a.csv"),
        ("${env:DATA:-here}/a.csv", {}, "here/a.csv"),
        ("${env:DATA:-here}/a.csv", {"DATA": ""}, "here/a.csv"),
        ("${env:DATA:-here}/a.csv", {"DATA": "there"}, "there/a.csv"),
        ("${env:A}/${env:B}.csv", {"A": "x", "B": "y"}, "x/y.csv"),
        ("${env:A:-}a.csv", {}, "a.csv"),
        ("$DATA/{x}/a$.csv", {}, "$DATA/{x}/a$.csv"),
    ],
)
def test_a_path_is_made_of_the_environment(text: str, environment: Mapping[str, str], value: str) -> None:
    assert path_of(read(CSV.format(text), **environment)) == value


def test_where_an_ablation_sets_a_path_it_may_stand_too() -> None:
    values = '["${env:D}/b.csv", "c.csv"]'
    whole = '{kind: csv, path: "${env:D}/e.csv", target: y}'
    more = f"ablation: {{grid: {{data.source.path: {values}}}, features: {{f: {{data.source: {whole}}}}}}}"
    analysis = read(CSV.format("a.csv"), more, D="/d")
    assert analysis.diagnostics == ()
    found = [variant.spec.data.source.args["path"] for variant in analysis.variants]
    assert found == ["a.csv", "/d/e.csv", "/d/b.csv", "c.csv"]


def test_the_marked_fields_take_it_and_no_other() -> None:
    assert [format_path(path) for path in name_fields()] == [
        "resources.slurm.partition",
        "resources.slurm.account",
    ]
    more = (
        'resources: {slurm: {partition: "${env:P}", account: "${env:P}"}}\n'
        'report: {trackers: [{kind: wandb, project: "${env:P}", entity: "${env:P}", mode: offline}]}'
    )
    analysis = read(more=more, P="gpu")
    assert analysis.diagnostics == ()
    assert analysis.spec is not None
    assert analysis.spec.resources.slurm is not None
    assert analysis.spec.resources.slurm.partition == "gpu"
    args = analysis.spec.report.trackers[0].args
    assert (args["project"], args["entity"]) == ("gpu", "gpu")
    refused = read(more='report: {trackers: [{kind: wandb, project: p, mode: "${env:P}"}]}', P="offline")
    assert "env-not-allowed" in [d.code for d in refused.diagnostics]


def test_what_only_looks_like_it_is_left_alone_elsewhere() -> None:
    analysis = read(more='description: "costs ${PRICE}, not $5 or ${ }"')
    assert analysis.diagnostics == ()
    assert analysis.spec is not None
    assert analysis.spec.description == "costs ${PRICE}, not $5 or ${ }"


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "APIKEY",
        "KEY",
        "AWS_ACCESS_KEY_ID",
        "GITHUB_TOKEN",
        "hf_token",
        "SECRETS",
        "DB_PASSWORD",
        "MY_SECRET_2",
    ],
)
def test_a_secret_is_refused_and_its_value_is_not_shown(name: str) -> None:
    (found,) = read(CSV.format(f"${{env:{name}}}"), **{name: "hunter2"}).diagnostics
    assert found.code == "env-secret"
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("name", ["TOKENIZER_DIR", "KEYBOARD", "SECRETARY_DATA", "PASSWORDLESS"])
def test_a_name_that_only_begins_like_a_secret_is_none(name: str) -> None:
    assert path_of(read(CSV.format(f"${{env:{name}}}"), **{name: "x"})) == "x"


@pytest.mark.parametrize("value", ["a\nb", "a\udcff", "\x1b[31m", "${env:B}"])
def test_a_value_that_no_spec_can_hold(value: str) -> None:
    assert [d.code for d in read(CSV.format("${env:A}"), A=value).diagnostics] == ["env-unusable"]


def test_a_value_that_breaks_another_rule_is_told_where_it_stands() -> None:
    (found,) = read(more='resources: {slurm: {partition: "${env:P}"}}', P="a b").diagnostics
    assert (found.code, found.range.start.line, found.range.start.column) == ("slurm-name", 7, 32)
    assert '"a b"' in found.message


def test_which_files_a_spec_is_made_of_does_not_depend_on_it() -> None:
    found = read(more='extends: "${env:BASE}.yaml"', BASE="x").diagnostics
    assert [d.code for d in found] == ["env-not-allowed"]
