"""`craftc: 1`, which version of the language a spec is in: a diagnostic where it is not the one that is read here."""

from craftc.compiler.reading.document import Document
from craftc.compiler.reading.nearest import nearest, surely_meant
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree_edit import rename
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.language import Language

LANGUAGE = 1
"""The version that this craftc reads."""
_KEY = ("craftc",)


def check_version(document: Document) -> Diagnostic | None:
    """Why a spec cannot be read as this version of the language.

    A value that is no whole number is left to others. What a spec does not say may stand in a base that it extends.
    """
    if not isinstance(document.root.value, dict):
        return None
    if "craftc" not in document.root.value and "extends" in document.root.value:
        return None
    if "craftc" not in document.root.value:
        message = "the spec does not say which version of the language it is in"
        slip = nearest("craftc", document.root.value.keys() - Language.fields.keys())
        if slip is not None:
            fix = rename((slip,), "craftc") if surely_meant(slip, ["craftc"]) else None
            hint = f'is "{slip}" meant to be craftc?'
            return Problem("missing-version", (slip,), message, hint, True, fix=fix).place(document)
        hint = f"begin it with craftc: {LANGUAGE}"
        if "name" in document.root.value:
            hint += "; a base has no name"
        return Problem("missing-version", (), message, hint).place(document)
    version = document.root.value["craftc"][1].value
    if isinstance(version, bool) or not isinstance(version, int) or version == LANGUAGE:
        return None
    if version > LANGUAGE:
        message = f"version {version} of the language is newer than this craftc, which reads version {LANGUAGE}"
        hint = f"install a craftc that reads version {version}: pip install --upgrade craftc"
        return Problem("newer-version", _KEY, message, hint).place(document)
    message = f"there is no version {version} of the language; the first is {LANGUAGE}"
    return Problem("older-version", _KEY, message, f"write craftc: {LANGUAGE}").place(document)
