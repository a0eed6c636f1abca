"""Replaces `${env:NAME}` in the texts of a spec by the environment's values, where the language allows it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from craftc.compiler.composing.text_values import Text, name_fields, text_values
from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Diagnostic, format_path
from craftc.secret_text import names_secret, secret_value

_REFERENCE = re.compile(r"\$\{env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}")
_MEANT = re.compile(r"\$\{(?:env:)?(?P<name>\w*)[^}]*\}?")
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|\$\{")


def substitute(
    document: Document, environment: Mapping[str, str], catalogue: Catalogue
) -> tuple[Document, list[Diagnostic]]:
    """The document with every reference replaced by its value, and the mistakes in references."""
    root = document.root
    diagnostics: list[Diagnostic] = []
    if not _mentions_any(root):  # as in most specs; the walk below asks the language of every field
        return document, []
    for text in text_values(document.root, catalogue, lambda _, value: "${" in value):
        problems = list(_problems(text, environment, catalogue))
        diagnostics += [problem.place(document) for problem in problems]
        if not problems and text.mark is not None:
            root = root.with_value(text.place, _substituted(text.node, environment))
    return replace(document, root=root), diagnostics


def _mentions_any(node: Node) -> bool:
    if isinstance(node.value, dict):
        return any(_mentions_any(value) for _, value in node.value.values())
    if isinstance(node.value, list):
        return any(map(_mentions_any, node.value))
    return isinstance(node.value, str) and "${" in node.value


def _substituted(node: Node, environment: Mapping[str, str]) -> Node:
    written = str(node.value)
    value = _REFERENCE.sub(lambda found: environment.get(found["name"]) or found["default"], written)
    return replace(node, value=value, variables=tuple(found["name"] for found in _REFERENCE.finditer(written)))


def _problems(text: Text, environment: Mapping[str, str], catalogue: Catalogue) -> Iterator[Problem]:
    written = str(text.node.value)
    if text.mark is None:
        if "${env:" in written:
            of_trackers = [
                f'"{p.name}" of {e.kind}' for e in catalogue.entries for p in e.parameters if p.from_environment
            ]
            fields = one_of(["arguments that are paths", *map(format_path, name_fields()), *of_trackers])
            message = "the environment decides nothing here: the same spec is the same experiment on every machine"
            yield Problem("env-not-allowed", text.place, message, f"it may stand in {fields}")
        return
    for found in _MEANT.finditer(_REFERENCE.sub("", written)):
        name = found["name"]
        hint = f"write ${{env:{name}}}" if name else "write ${env:NAME} or ${env:NAME:-default}"
        yield Problem("env-syntax", text.place, f"{show(found[0])} refers to nothing", hint)
    for found in _REFERENCE.finditer(written):
        yield from _unusable(text, found["name"], found["default"], environment)


def _unusable(text: Text, name: str, default: str | None, environment: Mapping[str, str]) -> Iterator[Problem]:
    if names_secret(name):
        message = f"{name} looks like a secret, and what a spec says is written into plans, results and trackers"
        yield Problem("env-secret", text.place, message, "trackers read their keys themselves")
    elif not environment.get(name):
        if default is None:
            message = f"the environment variable {name} is {'empty' if name in environment else 'not set'}"
            hint = did_you_mean(name, (n for n, value in environment.items() if value and not names_secret(n)))
            yield Problem("env-unset", text.place, message, hint or f"set it, or write ${{env:{name}:-default}}")
    elif kind := secret_value(environment[name], environment, is_name=text.mark == "name"):
        message = f"the value of {name} looks like {kind}, and what a spec says is written into plans and trackers"
        yield Problem(
            "env-secret", text.place, message, "trackers read their keys, and MLflow its password, themselves"
        )
    elif odd := _UNUSABLE.search(environment[name]):
        shown = show(odd[0]) if odd[0] == "${" else f"U+{ord(odd[0]):04X}"
        yield Problem("env-unusable", text.place, f"the value of {name} contains {shown}, which no spec can say")
