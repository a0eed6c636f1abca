"""A fence: a probe, what can be wrong with it, and that all that is private of torch and Ray stands behind one."""

import logging
import re
from pathlib import Path

import pytest

from craftc.fence import VARIABLE, fence, require


def test_a_probe_is_called_once(caplog):
    calls = []

    @fence("some.thing", instead="it takes longer")
    def probe():
        calls.append(1)
        return "what is private"

    with caplog.at_level(logging.INFO):
        assert [probe(), probe()] == ["what is private"] * 2
    assert calls == [1]
    assert not caplog.records


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: __import__("no_such_package"), "ModuleNotFoundError: No module named 'no_such_package'"),
        (lambda: logging._no_such_attribute, "AttributeError: module 'logging' has no attribute"),
        (lambda: require(False, "it is another"), "ProbeError: it is another"),
    ],
)
def test_a_probe_that_fails_takes_the_fence_down_and_says_so_once(wrong, said, caplog):
    probe = fence("some.thing", instead="it takes longer")(wrong)
    with caplog.at_level(logging.INFO):
        assert [probe(), probe()] == [None, None]
    [record] = caplog.records
    assert record.getMessage().startswith(f"fence some.thing is down ({said}")
    assert record.getMessage().endswith("): it takes longer")


@pytest.mark.parametrize(
    ("setting", "is_down"),
    [("down", True), ("other,some.thing", True), ("some.thing", True), ("other", False), ("", False), ("some", False)],
)
def test_a_variable_takes_fences_down_by_name_or_all(setting, is_down, monkeypatch):
    monkeypatch.setenv(VARIABLE, setting)
    probe = fence("some.thing", instead="it takes longer")(lambda: "what is private")
    assert (probe() is None) == is_down


PRIVATE = re.compile(
    r"(?<![\w.])(?:torch|ray|tune|nn|F)(?:\.\w+)*\._(?!_)\w+"
    r"|(?:from|import) +(?:torch|ray)[\w.]*\._\w+"
    r"|from +(?:torch|ray)[\w.]* +import +[\w, ]*(?<!\w)_\w+"
    r"|\w(?<!\bself)\._(?:parameters|buffers|modules)\b"
)
"""Names of torch and Ray that begin with an underscore, and attributes of a module that do."""

PUBLIC_IN_EFFECT = ("._parameters", "._buffers", "_BatchNorm")
"""Where they are used stands why."""


def test_all_that_is_private_of_torch_and_ray_is_in_the_file_of_a_fence(root: Path):
    outside = []
    for file in sorted((root / "craftc").rglob("*.py")):
        text = file.read_text()
        if "@fence(" not in text:
            # Prose may name what it likes.
            code = re.sub(r'"""[\s\S]*?"""|#.*', "", text)
            names = {match[0] for match in PRIVATE.finditer(code)}
            outside += [f"{file.name}: {name}" for name in sorted(names) if not name.endswith(PUBLIC_IN_EFFECT)]
    assert outside == []


def test_what_is_private_would_be_found():
    lines = ["torch._dynamo.reset()", "from ray._private import services", "from ray import _raylet", "part._modules"]
    assert all(
        map(PRIVATE.search, [*lines, "import torch._inductor", "from torch.nn.modules.batchnorm import _BatchNorm"])
    )
    assert not any(map(PRIVATE.search, ["torch.compile(x)", "self._modules_of", "from ray import tune"]))


def test_the_architecture_page_lists_every_fence(root: Path):
    names = {
        name
        for file in (root / "craftc").rglob("*.py")
        for name in re.findall(r'@fence\(\s*"([\w.]+)"', file.read_text())
    }
    page = (root / "docs" / "explanation" / "architecture.md").read_text()
    assert set(re.findall(r"^\| `((?:torch|ray)\.\w+)` \|", page, re.MULTILINE)) == names
    assert names
