"""What lint says of the arguments of a command."""

import json
from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.checking.command_arguments import check_command

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["epochs"],
    "properties": {
        "lr": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "epochs": {"type": "integer", "minimum": 1},
        "inner": {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.pl").write_text("1;")
    (tmp_path / "train").write_text("a word of the command line, too")
    (tmp_path / "args.json").write_text(json.dumps(SCHEMA))
    return tmp_path


def check(folder: Path, **arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(finding) for finding in check_command(arguments, folder)]


RIGHT: dict[str, Any] = {
    "command": ["perl", "{script}", "train", "--lr", "{lr}", "-n", "{epochs}", "--inner={inner}", "{seed}", "{folder}"],
    "files": {"script": "train.pl", "header": "x.h"},
    "args": {"lr": 0.1, "epochs": 3, "inner": {"kind": "a"}},
    "resume": ["--resume", "{state}"],
    "schema": "args.json",
}


def test_what_is_right(folder: Path) -> None:
    assert check(folder, **RIGHT) == []
    assert check(folder, command=["train"]) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (
            {"command": [*RIGHT["command"], "{epoch}"]},
            (("command", 10), "{epoch} is no setting of args, and no file", "did you mean {epochs}?"),
        ),
        (
            {"resume": ["{state}", "{stat}"]},
            (("resume", 1), "{stat} is no setting of args, and no file", "did you mean {state}?"),
        ),
        (
            {"command": [*RIGHT["command"], "{state}"]},
            (
                ("command", 10),
                "a trial that begins has no {state}",
                "move the arguments with it to resume: they are added where there is a state",
            ),
        ),
        (
            {"args": {**RIGHT["args"], "decay": 1}, "schema": "none"},
            (
                ("args", "decay"),
                'the program is never given "decay"',
                'write "{decay}" in command where the program takes it, or leave it out',
            ),
        ),
        (
            {"args": {**RIGHT["args"], "seed": 1}, "schema": "none"},
            (
                ("args", "seed"),
                '"seed" stands for the trial\'s seed',
                "write {seed} where the program is to be given it, or choose another name",
            ),
        ),
        (
            {"files": {**RIGHT["files"], "lr": "x"}},
            (("files", "lr"), '"lr" is in args too', "choose another name for one of them"),
        ),
        (
            {"files": {**RIGHT["files"], "a-b": "x"}},
            (("files", "a-b"), '"a-b" can stand in no placeholder', "choose one of letters, digits and _"),
        ),
        (
            {"metrics": "../m"},
            (("metrics",), '"../m" is not in the folder of the trial', "name a file in {folder}"),
        ),
        (
            {"args": {**RIGHT["args"], "lr": 2}},
            (("args", "lr"), "2 is greater than the maximum of 1 (args.json)", None),
        ),
        (
            {"args": {**RIGHT["args"], "inner": {"kind": "c"}}},
            (("args", "inner", "kind"), "'c' is not one of ['a', 'b'] (args.json)", None),
        ),
        (
            {"schema": "arg.json"},
            (("schema",), '"arg.json" cannot be read: No such file or directory', 'did you mean "args.json"?'),
        ),
    ],
)
def test_what_is_wrong(folder: Path, changed: dict[str, Any], found: tuple[Any, ...]) -> None:
    assert check(folder, **RIGHT | changed) == [found]


def test_a_file_that_does_not_count(folder: Path) -> None:
    ((path, message, hint),) = check(folder, command=["perl", "./train.pl"])
    assert path == ("command", 1)
    assert message == '"./train.pl" is a file whose content does not count: an edit of it would train nothing anew'
    assert hint == 'write files: {train: ./train.pl} and "{train}" here'
    ((_, message, hint),) = check(folder, command=["perl", "train.pl"], files={"script": "train.pl"})
    assert message == '"train.pl" is a file, and started from another folder it is not found'
    assert hint == 'write "{script}" here'


def test_a_setting_that_the_schema_does_not_know_or_misses(folder: Path) -> None:
    arguments = {"command": ["x", "{lrr}"], "args": {"lrr": 1}, "schema": "args.json"}
    assert check(folder, **arguments) == [
        (("args",), "'epochs' is required (args.json)", None),
        (("args", "lrr"), '"lrr" is no setting of the program (args.json)', 'did you mean "lr"?'),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON Schema: Expecting property name"),
        ("[]", "is no JSON Schema: it is no JSON object"),
        ('{"type": "numbre"}', "is no JSON Schema: type: 'numbre' is not valid"),
        ('{"$ref": "https://example.com/x.json"}', 'it refers to "https://example.com/x.json", which is not in it'),
        ('{"$ref": "#"}', "it refers to itself without an end"),
        ("[" * 100_000, "is no JSON Schema"),
        (" " * 2_000_000, "cannot be read: it has more than 1,048,576 bytes"),
        (b"\xff\xfe{", "is no JSON Schema"),
    ],
)
def test_a_file_that_is_no_schema(folder: Path, content: str | bytes, message: str) -> None:
    (folder / "args.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    ((path, found, _),) = check(folder, **RIGHT)
    assert path == ("schema",)
    assert message in found
