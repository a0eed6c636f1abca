"""Values as a spec would say them: what is written is read as the same."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.reading.parse import parse

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn", "Zl", "Zp"]), max_size=20)
LIKE_YAML = st.text("ab01.eE+-_~<>=:,#[]{}&*!|%@`'\"? /$", max_size=8)
VALUES = st.recursive(
    TEXTS | LIKE_YAML | st.integers(-1000, 1000) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner),
    max_leaves=5,
)


@given(VALUES)
@example(">= 0.01")
@example("ROMEO:\n")
@example("1e-4")
@example({"a": "b: c", "d": ["- e", "f #g"]})
def test_a_written_value_is_read_as_itself(value: Any) -> None:
    document, diagnostics = parse(f"key: [{yaml_value(value)}]\n", "x.yaml")
    assert document is not None
    assert diagnostics == []
    assert document.root.plain() == {"key": [value]}


@pytest.mark.parametrize("text", ["none", "blocks.*.attn", "pkg.mod:Name", "../data/x.csv", "d_model % num_heads == 0"])
def test_usual_words_have_no_quotes(text: str) -> None:
    assert yaml_value(text) == text
