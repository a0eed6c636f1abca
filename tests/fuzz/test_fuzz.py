"""A short run of the fuzzer, and of the hostile texts those that cost the most before they were bounded."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_mutated_spec_makes_a_traceback() -> None:
    tally = load("fuzz_lint").fuzz(300, seed=7)
    assert tally.count == 300
    assert [trace for trace, _ in tally.failures if not trace.startswith("took")] == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("unknown_keys_long", "unknown-key"),
        ("axis_of_kinds", "too-many-variants"),
        ("features_right", "feature-conflict"),
        ("space", "out-of-bounds"),
        ("path_of_numbers", "unknown-factor"),
        ("path_long", "unknown-factor"),
        ("merges_of_mistakes", "unknown-key"),
        ("merges_of_many", "document-too-large"),
        ("bangs", "yaml-tag"),
        ("require_long", "bad-expression"),
        ("curly", "document-too-large"),
    ],
)
def test_a_hostile_text_is_told_of_within_bounds(name: str, code: str) -> None:
    hostile = load("hostile")
    cost = hostile.measure(hostile.HOSTILE[name]())
    assert cost.exit_code == 1
    assert f"error[{code}]" in cost.output
    assert "Traceback" not in cost.output
    assert cost.mebibytes < hostile.MAX_MEBIBYTES
