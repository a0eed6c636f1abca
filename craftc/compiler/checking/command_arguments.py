"""Checks the arguments of a command: its placeholders, its settings against the user's own JSON Schema, its files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from craftc.compiler.language.command_template import STATE, TRIAL_SETTINGS, placeholders
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import did_you_mean, one_of, show
from craftc.schemas.diagnostic import Path as SpecPath

MAX_SCHEMA_BYTES: Final = 2**20
MAX_VIOLATIONS: Final = 20
"""Of one schema; one that contradicts itself has no end of them."""


class Finding(NamedTuple):
    """What is wrong with the arguments of a command. `path` starts from them."""

    path: SpecPath
    message: str
    hint: str | None = None


def check_command(arguments: Mapping[str, Any], folder: Path) -> list[Finding]:
    """All that is wrong with the arguments of `kind: command`, of which each has the type that it is to have.

    Args:
        arguments: What stands beside `kind`; those that are left out have their defaults.
        folder: What relative paths start from.
    """
    args, files = arguments.get("args") or {}, arguments.get("files") or {}
    findings = [*_names(args, files), *_placeholders(arguments, args, files), *_metrics(arguments)]
    findings += _unlisted(arguments.get("command") or (), files, folder)
    schema = arguments.get("schema", "none")
    if schema != "none":
        findings += _against(schema, args, folder)
    return findings


def _names(args: Mapping[str, Any], files: Mapping[str, Any]) -> Iterator[Finding]:
    """Names that would stand for two things, and those that no placeholder can have."""
    for key, names in (("args", args), ("files", files)):
        for name in names:
            meaning = TRIAL_SETTINGS.get(name) or ("the state that a trial goes on from" if name == STATE else None)
            if meaning is not None:
                hint = f"write {{{name}}} where the program is to be given it, or choose another name"
                yield Finding((key, name), f"{show(name)} stands for {meaning}", hint)
            elif not (name.isidentifier() and name.isascii()):
                hint = "choose one of letters, digits and _"
                yield Finding((key, name), f"{show(name)} can stand in no placeholder", hint)
            elif key == "files" and name in args:
                yield Finding((key, name), f"{show(name)} is in args too", "choose another name for one of them")


def _placeholders(arguments: Mapping[str, Any], args: Mapping[str, Any], files: Mapping[str, Any]) -> Iterator[Finding]:
    """Placeholders that stand for nothing, and settings for which none stands."""
    used: set[str] = set()
    for key in ("command", "resume"):
        known = [*args, *files, *TRIAL_SETTINGS, *([STATE] if key == "resume" else [])]
        for index, name in placeholders(arguments.get(key) or ()):
            used.add(name)
            if name == STATE and key == "command":
                hint = "move the arguments with it to resume: they are added where there is a state"
                yield Finding((key, index), "a trial that begins has no {state}", hint)
            elif name not in known:
                meant = nearest(name, known)
                hint = f"did you mean {{{meant}}}?" if meant else f"the settings are {one_of(known)}"
                yield Finding((key, index), f"{{{name}}} is no setting of args, and no file", hint)
    for name in args:
        if name not in used and name not in TRIAL_SETTINGS and name != STATE:
            hint = f'write "{{{name}}}" in command where the program takes it, or leave it out'
            yield Finding(("args", name), f"the program is never given {show(name)}", hint)


def _metrics(arguments: Mapping[str, Any]) -> Iterator[Finding]:
    name = PurePosixPath(str(arguments.get("metrics", "stdout")))
    if name.is_absolute() or ".." in name.parts:
        yield Finding(("metrics",), f"{show(str(name))} is not in the folder of the trial", "name a file in {folder}")


def _unlisted(command: Sequence[str], files: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
    """Arguments that name a file of the project: its content would be no part of a trial's identity."""
    for index, argument in enumerate(command):
        is_path = "/" in argument or "." in argument
        if "{" in argument or argument.startswith("/") or not is_path or not _is_file(folder / argument):
            continue
        listed = next((name for name, path in files.items() if _same(folder / str(path), folder / argument)), None)
        name = listed or _name_for(argument)
        entry = "" if listed else f"files: {{{name}: {argument}}} and "
        message = f"{show(argument)} is a file, and started from another folder it is not found"
        if not listed:
            message = f"{show(argument)} is a file whose content does not count: an edit of it would train nothing anew"
        yield Finding(("command", index), message, f'write {entry}"{{{name}}}" here')


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _name_for(argument: str) -> str:
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in PurePosixPath(argument).stem)
    return stem if stem.isidentifier() and stem not in TRIAL_SETTINGS and stem != STATE else f"file_{stem}"


def _against(name: str, args: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
    """What the user's own JSON Schema says of the settings."""
    try:
        content = _read(folder / name)
    except OSError as error:
        yield Finding(("schema",), f"{show(name)} cannot be read: {error.strerror or error}", _like(folder / name))
        return
    try:
        violations = list(_validate(content, json.dumps(args, sort_keys=True)))
    except _SchemaError as error:
        yield Finding(("schema",), f"{show(name)} is no JSON Schema: {error}", "mend the file")
        return
    for path, message, hint in violations:
        yield Finding(("args", *path), f"{message} ({name})", hint)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_SCHEMA_BYTES + 1)
    if len(content) > MAX_SCHEMA_BYTES:
        raise OSError(f"it has more than {MAX_SCHEMA_BYTES:,} bytes")
    return content


def _like(path: Path) -> str | None:
    try:
        return did_you_mean(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        return None


class _SchemaError(Exception):
    """The file is no JSON Schema."""


@lru_cache(maxsize=4096)
def _validate(content: bytes, args_json: str) -> tuple[tuple[SpecPath, str, str | None], ...]:
    """Where settings contradict a schema. Kept, since many variants have the same settings."""
    from referencing.exceptions import Unresolvable

    found: list[tuple[SpecPath, str, str | None]] = []
    validator = _validator(content)
    try:
        for error in validator.iter_errors(json.loads(args_json)):
            found += _told(error)
            if len(found) >= MAX_VIOLATIONS:
                break
    except Unresolvable as error:
        raise _SchemaError(f"it refers to {show(error.ref)}, which is not in it") from error
    except RecursionError as error:
        raise _SchemaError("it refers to itself without an end") from error
    return tuple(sorted(found, key=lambda each: [str(part) for part in each[0]]))


@lru_cache(maxsize=16)
def _validator(content: bytes) -> Any:
    """Raises _SchemaError. Nothing that a schema refers to is fetched."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    try:
        schema = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _SchemaError(str(error)) from error
    if not isinstance(schema, dict):
        raise _SchemaError("it is no JSON object")
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path))
        raise _SchemaError(f"{place}: {error.message}" if place else error.message) from error
    return kind(schema, registry=Registry())


def _told(error: Any) -> Iterator[tuple[SpecPath, str, str | None]]:
    """What jsonschema says; of each setting that a schema does not know at its own place."""
    path = tuple(error.absolute_path)
    properties = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and error.validator_value is False:
        for name in error.instance:
            if name not in properties and f"'{name}'" in error.message:
                yield (*path, name), f"{show(name)} is no setting of the program", did_you_mean(name, properties)
    elif error.validator == "required":
        yield path, str(error.message).replace("is a required property", "is required"), None
    else:
        yield path, str(error.message), None
