"""Has editors offer the keys that must be given before the others."""

from typing import Any

from craftc.compiler.language.field_words import target

PROPERTY = 10
"""A key, among the kinds of completions of the language server protocol."""


def put_required_first(whole: dict[str, Any]) -> None:
    """Put required keys first in every mapping of a schema, and name them as snippets that sort before the other keys.

    Editors sort what a language server offers by its label, unless it says otherwise; yaml-language-server does so for
    snippets alone. A snippet of the label of a key takes the place of that key (a section with defaults of its own is
    offered a second time, with those in it), and is not offered where the key is written already.
    """
    _walk(whole, whole)


def _walk(whole: dict[str, Any], schema: Any) -> None:
    if isinstance(schema, list):
        for item in schema:
            _walk(whole, item)
    elif isinstance(schema, dict):
        for name, item in schema.items():
            if name != "if":  # a condition is never offered
                _walk(whole, item)
        required, properties = schema.get("required", schema.get("then", {}).get("required")), schema.get("properties")
        if isinstance(required, list) and isinstance(properties, dict) and set(required) <= set(properties):
            first = [key for key in properties if key in required]
            schema["properties"] = {key: properties[key] for key in (*first, *properties)}
            schema["defaultSnippets"] = [_snippet(whole, key, properties[key], at) for at, key in enumerate(first)]


def _snippet(whole: dict[str, Any], key: str, field: Any, at: int) -> dict[str, Any]:
    described = field if isinstance(field, dict) else {}
    names = [target(option) for option in described.get("anyOf", [described])]
    if any("properties" in whole["$defs"].get(name, {}) for name in names if name is not None):
        text = f"{key}:\n  $1"
    else:
        text = f"{key}: $1"
    explained = {
        name: described[name] for name in ("description", "markdownDescription") if isinstance(described.get(name), str)
    }
    return {"label": key, "bodyText": text, "sortText": f"!{at:02}", "suggestionKind": PROPERTY, **explained}
